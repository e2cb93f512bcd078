"""What fault rules of a site do comes first, wherever it waits; and nothing else changes by them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.core.effects import FillResult, SawFilled, SawOutcome, SawReadUnconfirmed
from engine.core.explained.hindrance import Hindrances, Taken, Verb
from engine.core.ids import NUMBER_MAX, Nonce, SiteId, Slot, Tick
from engine.core.messages import Ask, AskHighest, HandOn, Highest, Known, Message, Prepare
from engine.core.peers.heartbeats import Peers
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    SITES,
    Stage,
    accept,
    accepted,
    ballot,
    beat,
    chosen,
    prepare,
    promise,
    run,
    sent,
    told,
    tweet,
)

ENTRY = tweet(BOB, 1)
NONCE = Nonce(7)


def known(slot: int) -> Known:
    return Known(NONCE, Slot(slot), Slot(slot), (run(slot, ENTRY),))


def ignorant(slot: int) -> Known:
    return Known(NONCE, Slot(slot), Slot(slot), ())


def came(message: Message, *peers: SiteId, rule: int = 1, verb: Verb = Verb.DROP) -> list[Taken]:
    return [Taken(rule, verb, False, peer, message) for peer in peers]


def left(message: Message, *peers: SiteId, rule: int = 1, verb: Verb = Verb.DROP) -> list[Taken]:
    return [Taken(rule, verb, True, peer, message) for peer in peers]


def hindrances(taken: Iterable[Taken], prefixes: dict[SiteId, int] | None = None) -> Hindrances:
    settings = Settings(ALICE, SITES, Leadership.NONE)
    peers = Peers(settings)
    for peer, prefix in (prefixes or {}).items():
        peers.heard(Step(Tick(0), ALICE, voting=True), peer)
        peers.on_heartbeat(Step(Tick(0), ALICE, voting=True), peer, beat(prefix))
    lately = list(taken)
    return Hindrances(peers, lambda _: lately)


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ([], None),
        (came(known(9), BOB), None),
        (came(known(8), BOB, CAROL, DAVE), "bob, carol and dave have it; fault rule 1 drops their answers"),
        (came(known(8), BOB), "bob has it; fault rule 1 drops their answers"),
        (came(ignorant(8), BOB, CAROL), "fault rule 1 drops the answers from bob and carol"),
        (
            [*came(known(8), BOB), *came(ignorant(8), CAROL)],
            "bob has it; fault rule 1 drops their answers",
        ),
        (
            [*came(known(8), BOB), *came(known(8), CAROL, rule=3)],
            "bob and carol have it; fault rules 1 and 3 drop their answers",
        ),
        (
            [*came(known(8), BOB), *came(known(8), CAROL, rule=2, verb=Verb.HOLD)],
            "bob and carol have it; fault rule 1 drops the answers from bob; fault rule 2 holds the answers from carol",
        ),
        (came(chosen(8, ENTRY), BOB, verb=Verb.DELAY), "bob has it; fault rule 1 delays their news that it is chosen"),
        (came(promise(ballot(2, ALICE), 8), BOB, CAROL), "fault rule 1 drops the answers from bob and carol"),
        (came(accepted(ballot(2, ALICE), 8), BOB), "fault rule 1 drops the answers from bob"),
        (left(Ask(NONCE, ((Slot(8), Slot(8)),)), BOB), "fault rule 1 drops the questions to bob"),
        (left(Prepare(ballot(2, ALICE), Slot(3), None), BOB), "fault rule 1 drops the proposals to bob"),
        (came(accept(ballot(2, BOB), 8, ENTRY), BOB), "fault rule 1 drops the proposals from bob"),
        (left(accepted(ballot(2, BOB), 8), BOB), "fault rule 1 drops this site's votes for bob"),
        (
            [*left(prepare(ballot(2, ALICE), 8), BOB), *came(promise(ballot(2, ALICE), 8), BOB)],
            "fault rule 1 drops the answers from bob",
        ),
    ],
)
def test_of_a_slot_it_is_said_who_has_it_and_which_rules_take_what(taken: list[Taken], said: str | None) -> None:
    assert hindrances(taken).of_slot(Tick(0), Slot(8)) == said


def test_who_has_a_slot_is_known_from_heartbeats_too() -> None:
    seen = hindrances(came(ignorant(8), BOB, CAROL), {BOB: 8, CAROL: 8, DAVE: 7})
    assert seen.of_slot(Tick(0), Slot(8)) == "bob and carol have it; fault rule 1 drops their answers"


def test_of_voters_only_the_unheard_ones_count() -> None:
    taken = [*came(beat(), BOB, CAROL), *left(beat(), DAVE)]
    assert hindrances(taken, {BOB: 0, DAVE: 0}).of_voters(Tick(0)) == "fault rule 1 drops the heartbeats from carol"


def test_of_events_what_stands_above_the_prefix_and_what_was_handed_on() -> None:
    seen = hindrances(came(known(3), BOB))
    assert seen.of_events(Tick(0), Slot(3)) is None
    assert seen.of_events(Tick(0), Slot(2)) == "fault rule 1 drops the answers from bob"
    handed = hindrances(left(HandOn((ENTRY,), False), DAVE))
    assert handed.of_events(Tick(0), Slot(NUMBER_MAX - 1)) == "fault rule 1 drops the events handed to dave"


class Rule:
    """A fault rule of a stage's site: what it takes is never heard."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []

    def meddling(self, _: Tick) -> list[Taken]:
        return self.taken


def hindered_stage(rule: Rule) -> Stage:
    return Stage(3, meddling=rule.meddling).ready()


def test_a_hole_that_a_rule_keeps_has_a_result_of_its_own() -> None:
    rule = Rule()
    stage = hindered_stage(rule)
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    rule.taken = came(known(1), BOB, CAROL)
    stage.fill(1)
    assert told(stage.live(15_000), SawFilled)[0] == SawFilled(Slot(1), FillResult.HINDERED, None)
    said = "bob and carol have it; fault rule 1 drops their answers"
    assert stage.replica.hindered((Slot(1), Slot(2))) == {1: said}
    assert stage.replica.why_unsettled(Slot(1)) == f"{said}; 3 of 3 reachable, 2 needed"
    assert stage.replica.view(0).hindered == f"slot 1: {said}"
    rule.taken = []
    assert stage.replica.hindered((Slot(1),)) == {}
    assert stage.replica.view(0).hindered is None


def test_an_event_that_a_rule_keeps_says_so_first() -> None:
    rule = Rule()
    stage = hindered_stage(rule)
    number = sent(stage.submit(1, timeout=5_000), Prepare)[0][1].ballot
    rule.taken = came(promise(number, 1), BOB, CAROL)
    assert stage.replica.view(0).hindered is None, "it is on its way"
    said = "fault rule 1 drops the answers from bob and carol"
    effects = stage.live(2_000)
    assert stage.replica.view(0).hindered == said
    effects.extend(stage.live(4_000))
    (saw,) = told(effects, SawOutcome)
    assert (saw.outcome, (saw.reason or "").partition("; ")[0]) == ("not-created", said)
    assert stage.replica.view(0).hindered is None, "nothing waits"


def test_without_voters_the_rule_that_silences_them_comes_first() -> None:
    rule = Rule()
    stage = hindered_stage(rule)
    rule.taken = came(beat(), BOB, CAROL)
    effects = stage.submit(1, timeout=5_000)
    effects.extend(stage.wait(6_000))
    (saw,) = told(effects, SawOutcome)
    said = "fault rule 1 drops the heartbeats from bob and carol"
    assert saw.reason == f"{said}; no quorum: 1 of 3 reachable, 2 needed"
    assert stage.replica.view(0).hindered == said


def test_a_read_that_a_rule_keeps_says_so_first() -> None:
    rule = Rule()
    stage = hindered_stage(rule)
    rule.taken = came(Highest(NONCE, Slot(1), Slot(1)), BOB, CAROL)
    stage.read(1, timeout=1_000)
    (saw,) = told(stage.live(1_000), SawReadUnconfirmed)
    assert saw.reason == "fault rule 1 drops the answers from bob and carol; 1 of 3 answered, 2 needed"
    assert (saw.answered, saw.missing) == (1, None)
    rule.taken = left(AskHighest(NONCE), BOB)
    stage.read(2, timeout=1_000)
    (saw,) = told(stage.live(1_000), SawReadUnconfirmed)
    assert saw.reason == "fault rule 1 drops the questions to bob; 1 of 3 answered, 2 needed"


def test_who_has_a_slot_is_not_said_to_lack_it() -> None:
    """A leader that has learned the slot has settled it: what is missing is the word of it."""
    settings = Settings(ALICE, SITES[:3], Leadership.ELECTED)
    stage = Stage(settings=settings).ready()
    stage.hear(BOB, chosen(2, tweet(BOB, 2)))
    stage.hear(BOB, beat(2))
    assert stage.replica.why_unsettled(Slot(1)).startswith("bob has it, but it has not arrived from there yet; ")
