"""`leadership: none` (L1): every entry runs the full synod at the slot after the highest one known to be used."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.core.effects import Effects, SawOutcome
from engine.core.ids import Ballot, EventId, SiteId, Slot, Tick
from engine.core.messages import Accept, Message, Prepare
from engine.core.settings import Leadership
from engine.core.storage import EventState
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    Stage,
    accept,
    accepted,
    already_chosen,
    ballot,
    beat,
    chosen,
    chosen_at,
    prepare,
    promise,
    run,
    sent,
    told,
    tweet,
)


def aimed(effects: Effects) -> Prepare:
    """The one prepare in `effects`."""
    (message,) = {message for _, message in sent(effects, Prepare)}
    return message


def decide(stage: Stage, message: Prepare) -> Effects:
    """Bob promises and accepts: with alice he is a majority of three."""
    effects = stage.hear(BOB, promise(message.ballot, message.first))
    effects.extend(stage.hear(BOB, accepted(message.ballot, message.first)))
    return effects


def outcomes(effects: Effects) -> list[tuple[int | None, EventState, Slot | None]]:
    return [(saw.token, saw.outcome, saw.slot) for saw in told(effects, SawOutcome)]


@pytest.mark.parametrize(
    ("heard", "slot"),
    [
        pytest.param(chosen(4, tweet(BOB, 1)), 5, id="learned"),
        pytest.param(chosen_at(ballot(1, BOB), 4), 5, id="chosen, but not learned"),
        pytest.param(accept(ballot(1, BOB), 6, tweet(BOB, 1)), 7, id="accepted here"),
        pytest.param(accepted(ballot(1, ALICE), 8), 9, id="accepted elsewhere"),
        pytest.param(promise(ballot(1, ALICE), 3, (ballot(0, BOB), tweet(BOB, 1))), 4, id="reported in a promise"),
        pytest.param(prepare(ballot(1, BOB), 9), 1, id="a promise uses nothing"),
    ],
)
def test_l1_the_next_slot_is_the_one_after_the_highest_known_to_be_used(heard: Message, slot: int) -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, heard)
    assert stage.replica.view(0).next == slot
    message = aimed(stage.submit(1))
    assert (message.first, message.last) == (slot, slot), "one slot, never a range"


def test_l1_a_peers_mere_claim_makes_it_ask_and_uses_nothing() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, beat(9))
    assert stage.replica.view(0).next == 1


def test_l1_one_event_is_proposed_at_a_time_and_the_next_when_it_is_settled() -> None:
    stage = Stage(3).ready()
    first = aimed(stage.submit(1, "one"))
    assert not sent(stage.submit(2, "two"), Prepare)
    effects = decide(stage, first)
    assert outcomes(effects) == [(1, EventState.CREATED, 1)]
    second = aimed(effects)
    assert second.first == 2
    assert outcomes(decide(stage, second)) == [(2, EventState.CREATED, 2)]
    assert [entry.id for entry in stage.store.log.values()] == [EventId(ALICE, 1), EventId(ALICE, 2)]


def test_l1_who_loses_the_slot_says_so_and_does_not_take_the_next_one() -> None:
    stage = Stage(3).ready()
    message = aimed(stage.submit(1))
    effects = stage.hear(BOB, already_chosen(message.ballot, 1, tweet(BOB, 1)))
    (lost,) = told(effects, SawOutcome)
    assert (lost.outcome, lost.slot, lost.to_author, lost.to_kind) == (EventState.LOST, 1, BOB, "tweet")
    effects.extend(stage.wait(30_000))
    assert not sent(effects, Prepare)


def test_l1_who_is_asked_to_retry_takes_the_next_slot_with_the_same_event() -> None:
    stage = Stage(3).ready()
    message = aimed(stage.submit(1, retry=True))
    effects = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert not told(effects, SawOutcome), "under retry a loss is no outcome"
    again = aimed(effects)
    assert again.first == 2
    assert again.ballot > message.ballot
    effects = stage.hear(BOB, promise(again.ballot, 2))
    assert {message.run for _, message in sent(effects, Accept)} == {run(2, tweet(ALICE, 1, text="hello"))}
    assert outcomes(stage.hear(BOB, accepted(again.ballot, 2))) == [(1, EventState.CREATED, 2)]


def test_l1_the_event_that_waits_is_next_after_a_loss() -> None:
    stage = Stage(3).ready()
    stage.submit(1, "one")
    stage.submit(2, "two")
    effects = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert outcomes(effects) == [(1, EventState.LOST, 1)]
    assert aimed(effects).first == 2


def test_r4_nothing_is_proposed_before_it_is_known_how_far_the_log_goes() -> None:
    """A slot that others used long ago would be tried, and lost, once for each slot of the log."""
    stage = Stage(3).vote()
    scan = stage.tick()
    assert not sent(stage.submit(1), Prepare)
    stage.answer_scan(scan, used_max=2)
    effects = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert not sent(effects, Prepare)
    effects = stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    effects.extend(stage.wait(500))
    assert aimed(effects) == prepare(aimed(effects).ballot, 3)


def test_l1_a_cluster_of_one_asks_nobody() -> None:
    stage = Stage(1)
    stage.start()
    stage.tick()
    effects = stage.submit(1)
    assert outcomes(effects) == [(1, EventState.CREATED, 1)]
    assert not effects.sends
    assert stage.store.log == {1: tweet(ALICE, 1, text="hello")}


def _mixed(theirs: str) -> str:
    return f"this site runs leadership none, but {theirs}: safe, but slower; write the same setting in every sites file"


def test_l4_other_leaderships_are_shown_as_a_mismatch() -> None:
    stage = Stage(3).ready()
    assert stage.replica.view(0).mismatch is None
    stage.hear(BOB, replace(beat(), leadership=Leadership.ELECTED))
    stage.hear(CAROL, beat())
    assert stage.replica.view(0).mismatch == _mixed("bob runs elected")
    stage.hear(CAROL, replace(beat(), leadership=Leadership.LAST_AUTHOR))
    assert stage.replica.view(0).mismatch == _mixed("bob runs elected, carol runs last-author")
    for peer in (BOB, CAROL):
        stage.hear(peer, beat())
    assert stage.replica.view(0).mismatch is None, "they were started anew with the right setting"


def test_l4_other_heartbeat_intervals_are_shown_as_a_mismatch() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, beat(every=Tick(2_000)))
    stage.hear(CAROL, beat())
    assert stage.replica.view(0).mismatch == (
        "this site's heartbeat_ms is 500, but bob's is 2000: safe, but a site that stops is noticed later;"
        " write the same heartbeat_ms in every sites file"
    )
    stage.hear(CAROL, replace(beat(every=Tick(50)), leadership=Leadership.ELECTED))
    both = stage.replica.view(0).mismatch or ""
    assert both.startswith(f"{_mixed('carol runs elected')}; also, this site's heartbeat_ms is 500")
    assert "bob's is 2000, carol's is 50:" in both
    for peer in (BOB, CAROL):
        stage.hear(peer, beat())
    assert stage.replica.view(0).mismatch is None, "they were started anew with the right setting"


def test_l4_accepts_of_other_leaderships_are_judged_by_the_same_acceptor() -> None:
    """Ballot 0 of a last author, and a ballot under a leader's range, are ballots like any other here."""
    stage = Stage(3).ready()
    stage.hear(BOB, accept(ballot(0, BOB), 1, tweet(BOB, 1)))
    message = aimed(stage.submit(1))
    assert message.first == 2
    assert vote_of(stage, 1) == (ballot(0, BOB), BOB)


def vote_of(stage: Stage, slot: int) -> tuple[Ballot | None, SiteId | None]:
    vote = stage.replica.vote(Slot(slot))
    return vote.accepted, None if vote.entry is None else vote.entry.author


def test_r4_what_a_scan_finds_used_moves_the_next_slot() -> None:
    stage = Stage(3).vote()
    stage.answer_scan(stage.tick(), used_max=3, prefix=0)
    assert stage.replica.view(0).next == 4
