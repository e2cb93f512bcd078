"""Who votes at which slot, as the log says (M1, M3, M4, M6)."""

from __future__ import annotations

from engine.core.entry import NOOP, Entry, Readmit, Stamped, Tweet, Withdrawal, decode, encode
from engine.core.ids import SiteId, Slot, StoreId
from engine.core.log.members import Members, numbers_end
from engine.core.log.microblog import Applied, Microblog
from engine.core.run import Run
from engine.core.storage import Change
from tests.core.stage import ALICE, BOB, CAROL, tweet

NAMES = (ALICE, BOB, CAROL)
FIRST, NEW, NEWER = StoreId("1" * 16), StoreId("2" * 16), StoreId("3" * 16)
LAG = 4


def readmit(author: SiteId, number: int, site: SiteId, life: StoreId) -> Entry:
    return Entry(author, number, number - 1, encode(Stamped(Readmit(site, life), 5)))


def made(*changes: tuple[int, SiteId, StoreId]) -> Members:
    members = Members(NAMES, LAG)
    for slot, site, life in changes:
        assert members.apply(Slot(slot), Readmit(site, life)) is None
    return members


def test_m1_a_readmitted_store_votes_from_w_slots_on_in_the_place_of_the_one_before() -> None:
    members = made((3, CAROL, NEW))
    for slot, first in ((6, True), (7, False), (99, False)):
        assert members.counts(Slot(slot), CAROL, FIRST) is first
        assert members.counts(Slot(slot), CAROL, NEW), "before it says nothing (M4)"
        assert members.counts(Slot(slot), BOB, FIRST)
    assert not members.counts(Slot(7), SiteId("mallory"), FIRST)
    assert members.of(CAROL, FIRST) == (1, 6)
    assert members.of(CAROL, NEW) == (7, None)
    assert members.of(BOB, FIRST) == (1, None)


def test_m1_each_of_several_lives_has_its_own_slots() -> None:
    members = made((3, CAROL, NEW), (9, CAROL, NEWER))
    assert members.of(CAROL, FIRST) == (1, 6)
    assert members.of(CAROL, NEW) == (7, 12)
    assert members.of(CAROL, NEWER) == (13, None)
    assert [members.counts(Slot(slot), CAROL, NEW) for slot in (7, 12, 13)] == [True, True, False]


def test_m2_above_a_prefix_hold_the_lists_that_it_says_one_or_two() -> None:
    members = made((3, CAROL, NEW))
    assert [roster.first for roster in members.above(Slot(3))] == [1, 7]
    assert [roster.first for roster in members.above(Slot(5))] == [1, 7]
    assert [roster.first for roster in members.above(Slot(6))] == [7]
    assert members.is_majority(Slot(3), {ALICE: FIRST, BOB: FIRST})
    assert not members.is_majority(Slot(3), {ALICE: FIRST, CAROL: FIRST}), "no majority from slot 7 on"
    assert members.is_majority(Slot(6), {ALICE: FIRST, CAROL: NEW})
    assert [(part.first, part.last) for part in members.cut(Run(Slot(5), (NOOP,) * 4))] == [(5, 6), (7, 8)]


def test_m3_a_change_before_the_last_one_took_effect_does_not_fit() -> None:
    members = made((3, CAROL, NEW))
    told = members.apply(Slot(6), Readmit(BOB, NEWER))
    assert told == "the change before it takes effect only at slot 7"
    assert members.apply(Slot(7), Readmit(BOB, NEWER)) is None


def test_m3_what_is_not_of_the_list_or_was_admitted_before_does_not_fit() -> None:
    members = made((3, CAROL, NEW))
    assert members.apply(Slot(8), Readmit(SiteId("mallory"), NEWER)) == "there is no site mallory"
    assert members.apply(Slot(8), Readmit(CAROL, NEW)) == "the log has already admitted that store of carol"
    assert members.newest.first == 7


def applied(members: Members, *entries: Entry) -> Applied:
    return Microblog({}, {}, members).apply(Run(Slot(1), entries))


def test_m3_a_change_that_does_not_fit_takes_its_number_and_is_void() -> None:
    members = Members(NAMES, LAG)
    did = applied(members, readmit(ALICE, 1, CAROL, NEW), readmit(BOB, 1, CAROL, NEWER), tweet(BOB, 2))
    assert did.void == (2,)
    assert did.misfits == ((2, "the change before it takes effect only at slot 5"),)
    assert did.changes == (Change(Slot(1), readmit(ALICE, 1, CAROL, NEW).body),)
    assert did.shown == (BOB,)
    assert did.numbers == {ALICE: 1, BOB: 2, CAROL: 2_000_000}


def test_m6_what_the_earlier_life_has_under_way_is_void_and_the_next_one_goes_on_above_it() -> None:
    did = applied(
        Members(NAMES, LAG),
        tweet(CAROL, 1),
        readmit(ALICE, 1, CAROL, NEW),
        tweet(CAROL, 2),
        tweet(CAROL, 2_000_001),
        Entry(CAROL, 3, 2, encode(Stamped(Withdrawal(), 5))),
        tweet(CAROL, 2_000_002, follows=2_000_001),
    )
    assert did.void == (3, 5)
    assert did.numbers[CAROL] == 2_000_002


def test_m6_no_number_that_an_earlier_life_may_give_out_is_one_of_the_next() -> None:
    for last in (0, 1, 999_999, 1_000_000, 1_000_001, 2_000_000):
        assert numbers_end(last) >= last + 1_000_000
        assert all(numbers_end(before) <= numbers_end(last) for before in range(max(0, last - 3), last))


def test_a_start_finds_the_lists_that_the_changes_make() -> None:
    changes = [Change(Slot(3), encode(Stamped(Readmit(CAROL, NEW), 5)))]
    again = Members(NAMES, LAG, changes)
    assert again.newest == made((3, CAROL, NEW)).newest
    assert again.changed
    assert not Members(NAMES, LAG).changed


def test_w5_a_readmission_has_one_spelling() -> None:
    body = encode(Stamped(Readmit(CAROL, NEW), 5))
    assert body == f"readmit 5 carol {NEW}"
    assert decode(body) == Stamped(Readmit(CAROL, NEW), 5)
    assert decode(encode(Stamped(Tweet(body), 5))).operation == Tweet(body)
