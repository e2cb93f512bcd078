"""An event of this site's own synod that was chosen and is void there (E5): neither created nor lost, and not left so.

No honest run of one setting comes to this; a site must be right about its events whatever brought it about.
"""

from __future__ import annotations

from engine.core.effects import Effects, SawOutcome
from engine.core.entry import Entry, Stamped, Withdrawal, encode
from engine.core.ids import Ballot, Slot
from engine.core.messages import Accept, Hello, Prepare, Verdict, Welcome
from engine.core.storage import EventState
from tests.core.stage import ALICE, BOB, Stage, accept, accepted, ballot, chosen, promise, sent, told, tweet

CHOSEN_BEFORE = tweet(ALICE, 1)
VOID = tweet(ALICE, 2, follows=0, text="hello")
AGAIN = tweet(ALICE, 2, follows=1, text="hello")


def aimed(effects: Effects) -> tuple[Ballot, Slot]:
    """The ballot and slot of the last prepare in `effects`."""
    message = sent(effects, Prepare)[-1][1]
    return message.ballot, message.first


def carried(effects: Effects) -> set[Entry]:
    return {entry for _, message in sent(effects, Accept) for entry in message.run.entries}


def outcomes(effects: Effects) -> list[tuple[EventState, Slot | None]]:
    return [(saw.outcome, saw.slot) for saw in told(effects, SawOutcome)]


def proposed_behind_a_hole() -> Stage:
    """Alice's second event is in flight at slot 2, following number 0; slot 1 is used, and not known."""
    stage = Stage(3).ready()
    stage.submit(1, "given up before it left")
    stage.give_up(1)
    stage.hear(BOB, accept(ballot(9, BOB), 1, CHOSEN_BEFORE))
    number, slot = aimed(stage.submit(2, "hello"))
    assert carried(stage.hear(BOB, promise(number, slot))) == {VOID}
    return stage


def chosen_and_void(stage: Stage) -> Effects:
    effects = stage.hear(BOB, chosen(2, VOID))
    effects.extend(stage.hear(BOB, chosen(1, CHOSEN_BEFORE)))
    assert stage.store.prefix == 2
    return effects


def test_e5_it_is_pushed_again_at_once_after_the_number_that_is_in_effect() -> None:
    stage = proposed_behind_a_hole()
    effects = chosen_and_void(stage)
    assert outcomes(effects) == [], "it is in the log, and not in effect: nothing is true of it yet (E2)"
    number, slot = aimed(effects)
    assert carried(stage.hear(BOB, promise(number, slot))) == {AGAIN}
    assert outcomes(stage.hear(BOB, accepted(number, slot))) == [(EventState.CREATED, 3)]
    assert stage.store.last_in_effect[ALICE] == 2


def test_e5_it_is_not_lost_where_another_takes_the_slot_it_is_pushed_at() -> None:
    stage = proposed_behind_a_hole()
    number, slot = aimed(chosen_and_void(stage))
    stage.hear(BOB, promise(number, slot))
    effects = stage.hear(BOB, chosen(slot, tweet(BOB, 1)))
    assert outcomes(effects) == []
    assert aimed(effects)[1] == 4


def test_e5_given_up_it_is_unknown_until_its_withdrawal_took_effect() -> None:
    stage = proposed_behind_a_hole()
    assert outcomes(stage.give_up(2)) == [(EventState.UNKNOWN, 2)]
    effects = chosen_and_void(stage)
    assert outcomes(effects) == []
    number, slot = aimed(effects)
    withdrawal = Entry(ALICE, 2, 1, encode(Stamped(Withdrawal(), 1_000)))
    assert carried(stage.hear(BOB, promise(number, slot))) == {withdrawal}
    assert outcomes(stage.hear(BOB, accepted(number, slot))) == [(EventState.NOT_CREATED, 3)]


def test_e5_a_restart_in_between_knows_that_it_is_not_settled() -> None:
    stage = proposed_behind_a_hole()
    chosen_and_void(stage)
    again = stage.restarted().vote()
    effects = again.answer_scan(again.tick(), used_max=2)
    effects.extend(again.wait(100))
    number, slot = aimed(effects)
    again.hear(BOB, promise(number, slot))
    assert outcomes(again.hear(BOB, accepted(number, slot))) == [(EventState.NOT_CREATED, 3)]


def test_e3_the_next_event_waits_for_it() -> None:
    stage = proposed_behind_a_hole()
    stage.submit(3, "next")
    number, slot = aimed(chosen_and_void(stage))
    stage.hear(BOB, promise(number, slot))
    effects = stage.hear(BOB, accepted(number, slot))
    assert outcomes(effects) == [(EventState.CREATED, 3)]
    number, slot = aimed(effects)
    assert carried(stage.hear(BOB, promise(number, slot))) == {tweet(ALICE, 3, text="next")}


def lost(stage: Stage) -> Effects:
    """A new process of it, which Bob tells that its disk was lost."""
    (hello,) = [hello for peer, hello in sent(stage.start(), Hello) if peer == BOB]
    return stage.hear(BOB, Welcome(hello.nonce, Verdict.LOST_DISK, None, "bob remembers another store of alice"))


def test_d5_e2_of_an_old_copy_what_is_void_stays_unknown_and_says_why() -> None:
    """The store that was lost may have seen it void too, and proposed it again: it may still take effect."""
    again = proposed_behind_a_hole().restarted()
    assert outcomes(lost(again)) == []
    assert outcomes(chosen_and_void(again)) == []
    (row,) = again.store.load().open_events
    assert row.state is EventState.UNKNOWN
    assert row.reason is not None
    assert row.reason.startswith("chosen at slot 2, where it is void (E5); this site runs on an old copy")
    again.hear(BOB, chosen(3, tweet(BOB, 1)))
    assert again.store.load().open_events == (row,)
    assert outcomes(again.hear(BOB, chosen(4, AGAIN))) == [(EventState.CREATED, 4)]


def test_d5_e2_of_an_old_copy_it_is_not_created_once_a_later_number_took_effect() -> None:
    again = proposed_behind_a_hole().restarted()
    lost(again)
    chosen_and_void(again)
    assert outcomes(again.hear(BOB, chosen(3, tweet(ALICE, 5, follows=1)))) == [(EventState.NOT_CREATED, 3)]


def test_d5_e2_of_an_old_copy_what_lost_its_slot_is_lost() -> None:
    again = proposed_behind_a_hole().restarted()
    lost(again)
    assert outcomes(again.hear(BOB, chosen(1, CHOSEN_BEFORE))) == []
    assert outcomes(again.hear(BOB, chosen(2, tweet(BOB, 1)))) == [(EventState.LOST, 2)]
