"""The state machine: what takes effect (E5), what is shown, and the block table (docs/commands.md, "The timeline")."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from engine.core.entry import NOOP, Block, Entry, Operation, Stamped, Tweet, Unblock, Withdrawal, encode
from engine.core.ids import SiteId, Slot
from engine.core.log.microblog import Applied, Microblog
from engine.core.run import Run
from engine.core.storage import WriteBlock
from tests.core.stage import ALICE, BOB, CAROL, run, tweet

NOTHING, VOID, SHOWN = "nothing", "void", "shown"


def made(author: SiteId, number: int, operation: Operation, follows: int | None = None) -> Entry:
    return Entry(author, number, number - 1 if follows is None else follows, encode(Stamped(operation, 5)))


def applied(microblog: Microblog, *entries: Entry) -> list[str | WriteBlock]:
    """What each of these does, one after the other, in the slots from 1 on."""
    return [done(microblog, run(slot, entry)) for slot, entry in enumerate(entries, 1)]


def done(microblog: Microblog, one: Run) -> str | WriteBlock:
    did = microblog.apply(one)
    entry, author = one.entries[0], one.entries[0].author
    assert did.numbers == ({} if did.void or author is None else {author: entry.number})
    assert len(did.void) + len(did.shown) + len(did.table) <= 1
    if did.void:
        return VOID
    return SHOWN if did.shown else did.table[0] if did.table else NOTHING


def test_a_tweet_in_effect_is_shown_and_a_no_op_is_nothing() -> None:
    assert applied(Microblog({}, {}), tweet(ALICE, 1), NOOP, tweet(ALICE, 2)) == [SHOWN, NOTHING, SHOWN]


def test_e5_an_entry_takes_effect_iff_it_follows_its_authors_last_number_in_effect() -> None:
    microblog = Microblog({}, {})
    assert applied(
        microblog,
        tweet(ALICE, 2, follows=0),  # number 1 was lost elsewhere: it left no gap
        tweet(BOB, 1),
        tweet(ALICE, 5, follows=3),  # 3 is not alice's last
        tweet(ALICE, 4, follows=2),
        tweet(ALICE, 5, follows=2),  # 2 is not the last any more
    ) == [SHOWN, SHOWN, VOID, SHOWN, VOID]
    assert (microblog.last_in_effect(ALICE), microblog.last_in_effect(BOB)) == (4, 1)


def test_e1_an_event_that_was_chosen_twice_takes_effect_once() -> None:
    assert applied(Microblog({}, {}), tweet(ALICE, 1), tweet(ALICE, 1), tweet(ALICE, 1, follows=1)) == [
        SHOWN,
        VOID,
        VOID,
    ]


def test_e5_a_withdrawal_takes_its_number_and_the_event_is_void_after_it() -> None:
    microblog = Microblog({}, {})
    assert applied(microblog, made(ALICE, 1, Withdrawal()), tweet(ALICE, 1), tweet(ALICE, 2)) == [NOTHING, VOID, SHOWN]


def test_e5_after_its_event_a_withdrawal_is_void() -> None:
    assert applied(Microblog({}, {}), tweet(ALICE, 1), made(ALICE, 1, Withdrawal())) == [SHOWN, VOID]


def test_e5_numbers_in_effect_go_on_from_what_the_store_has() -> None:
    assert applied(Microblog({}, {ALICE: 7}), tweet(ALICE, 1), tweet(ALICE, 8)) == [VOID, SHOWN]


def test_a_void_entry_changes_no_block() -> None:
    microblog = Microblog({}, {})
    assert applied(microblog, made(ALICE, 2, Block(BOB), follows=1)) == [VOID]
    assert microblog.blocks == {}


def test_a_block_stands_from_its_slot_until_the_unblock() -> None:
    microblog = Microblog({}, {})
    block, unblock = applied(microblog, made(ALICE, 1, Block(BOB)), made(ALICE, 2, Unblock(BOB)))
    assert block == WriteBlock(ALICE, BOB, Slot(1))
    assert unblock == WriteBlock(ALICE, BOB, None)
    assert microblog.blocks == {}


def test_blocking_twice_and_unblocking_the_unblocked_take_effect_and_change_nothing() -> None:
    microblog = Microblog({}, {})
    _, again, other_way = applied(
        microblog, made(ALICE, 1, Block(BOB)), made(ALICE, 2, Block(BOB)), made(BOB, 1, Unblock(ALICE))
    )
    assert (again, other_way) == (NOTHING, NOTHING)
    assert microblog.blocks == {(ALICE, BOB): 1}, "since the first block, and of alice alone"
    assert (microblog.last_in_effect(ALICE), microblog.last_in_effect(BOB)) == (2, 1)


def test_nobody_blocks_itself() -> None:
    microblog = Microblog({}, {})
    assert applied(microblog, made(CAROL, 1, Block(CAROL))) == [NOTHING]
    assert microblog.blocks == {}


_OPERATIONS: Final = st.sampled_from([Tweet("hello"), Block(BOB), Unblock(BOB), Block(ALICE), Withdrawal()])
_ENTRIES: Final = st.just(NOOP) | st.builds(
    made, st.sampled_from([ALICE, BOB]), st.integers(1, 4), _OPERATIONS, st.integers(0, 3)
)


@given(st.lists(_ENTRIES, min_size=1, max_size=12), st.data())
def test_r2_however_the_log_is_cut_into_runs_it_means_the_same(entries: list[Entry], data: st.DataObject) -> None:
    one_by_one, in_runs = Microblog({}, {}), Microblog({}, {})
    alone = [one_by_one.apply(run(slot, entry)) for slot, entry in enumerate(entries, 1)]
    begin, together = 0, list[Applied]()
    while begin < len(entries):
        end = data.draw(st.integers(begin + 1, len(entries)))
        together.append(in_runs.apply(run(begin + 1, *entries[begin:end])))
        begin = end
    assert in_runs.blocks == one_by_one.blocks
    assert [slot for did in together for slot in did.void] == [slot for did in alone for slot in did.void]
    assert [author for did in together for author in did.shown] == [author for did in alone for author in did.shown]
    assert [change for did in together for change in did.table] == [change for did in alone for change in did.table]
    for author in (ALICE, BOB):
        assert in_runs.last_in_effect(author) == one_by_one.last_in_effect(author)
        numbers = [did.numbers[author] for did in together if author in did.numbers]
        assert max(numbers, default=0) == in_runs.last_in_effect(author)
