"""What a site remembers of its slots: of each what happened to it, however many it happened to at once."""

from __future__ import annotations

from sys import getrefcount

from engine.core.effects import Effects, SawLearned
from engine.core.explained.slot_history import LEARNED_MAX, Deed, SlotHistory
from engine.core.ids import Slot, Tick
from engine.core.messages import Act, How
from engine.core.run import Run, run_of
from engine.core.storage import RangePromise, Vote, WriteRanges, WriteVote
from tests.core.stage import ALICE, BOB, CAROL, ballot, tweet

RUN = Run(Slot(3), tuple(tweet(ALICE, number) for number in range(1, 8)))  # slots 3 to 9
ONE, TWO, THREE = ballot(1, ALICE), ballot(2, BOB), ballot(3, CAROL)


def accepted(run: Run) -> WriteVote:
    return WriteVote(run.first, run.last, Vote(ONE, ONE, run.entries))


def learned(run: Run) -> SawLearned:
    return SawLearned(run, How.VOTES, ONE, ALICE, frozenset({ALICE, BOB}))


def test_what_happened_to_a_run_is_remembered_of_each_of_its_slots() -> None:
    history = SlotHistory()
    history.take(Tick(5), Effects(writes=[accepted(RUN)]))
    history.take(Tick(6), Effects(writes=[WriteVote(Slot(5), Slot(5), Vote(TWO, ONE, (RUN.entry(Slot(5)),)))]))
    history.take(Tick(7), Effects(observations=[learned(RUN.cut(Slot(3), Slot(6)))]))
    accept, promise = Deed(Act.ACCEPTED, ONE, Tick(5)), Deed(Act.PROMISED, TWO, Tick(6))
    for slot, acts in ((2, []), (3, [accept]), (5, [accept, promise]), (6, [accept]), (9, [accept]), (10, [])):
        assert history.acts(Slot(slot)) == acts
    known = {slot: history.learned(Slot(slot)) for slot in range(2, 8)}
    assert [slot for slot, how in known.items() if how is not None] == [3, 4, 5, 6]
    assert {(how.at, how.origin.ballot) for how in known.values() if how is not None} == {(7, ONE)}


def test_a_promise_of_a_range_is_remembered_of_what_was_not_learned_before() -> None:
    history = SlotHistory()
    history.take(Tick(5), Effects(observations=[learned(RUN.cut(Slot(3), Slot(6)))]))
    history.take(Tick(6), Effects(writes=[WriteRanges((RangePromise(Slot(1), None, THREE),))]))
    assert history.acts(Slot(6)) == []
    assert history.acts(Slot(7)) == [Deed(Act.PROMISED, THREE, Tick(6))]


def test_it_is_bounded_and_keeps_no_entry() -> None:
    history, entry = SlotHistory(), tweet(ALICE, 1)
    before = getrefcount(entry)
    for slot in range(1, LEARNED_MAX + 11):
        run = run_of(Slot(slot), entry)
        history.take(Tick(slot), Effects(writes=[accepted(run)], observations=[learned(run)]))
    del run
    assert getrefcount(entry) == before
    assert history.learned(Slot(10)) is None
    assert history.learned(Slot(11)) is not None
