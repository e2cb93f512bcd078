"""Each rule that is broken on purpose shows in a small cluster, with a shortest way to where it does.

The mutants are those of the campaigns, wherever a small cluster has what they break.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

import engine.core.synod.phases
from engine.core.ids import Ballot, SiteId, Slot, StoreId
from engine.core.leading.leader import Leader
from engine.core.log.members import Members
from engine.core.spans import Part
from engine.core.storage import NO_VOTE, Vote
from engine.core.synod.acceptor import Acceptor
from engine.sim.mutants.catalogue import named
from engine.sim.mutants.mutant import Mutant, Patch
from engine.sim.proving.exhaustive.__main__ import main
from engine.sim.proving.exhaustive.catalog import SMALL_CLUSTERS
from engine.sim.proving.exhaustive.search import Counterexample, search


@dataclass(frozen=True, slots=True)
class Breakage:
    """The mutant shows in `cluster`, as a violation of `shows_as`, after a shortest way of `steps`."""

    mutant: Mutant
    cluster: str
    shows_as: str
    steps: int


def _skipping(what: str, broken: Callable[[Any], Any]) -> Mutant:
    """The proposer itself decides in a small cluster who may use ballot 0; there is no policy around it."""
    return Mutant("L2", what, (Patch(engine.core.synod.phases, "may_skip_prepare", broken),))


def _in_the_place_of(name: str) -> Callable[[Any], Any]:
    """What a mutant of the catalogue puts in the place of the function that it breaks."""
    [patch] = named(name).patches
    return patch.broken


def _zero_after_any(_: Any) -> Any:
    return lambda _site, before, vote: before is not None and vote == NO_VOTE


def _whatever_was_accepted(_: Any) -> Any:
    def accepted_at(self: Acceptor, _ballot: Ballot, first: Slot, last: Slot) -> list[Part[Vote]]:
        return [part for part in self.votes.over(first, last) if part.value.accepted is not None]

    return accepted_at


_AGAIN: Final = _skipping("again", _in_the_place_of("l2-uses-ballot-0-at-a-slot-it-has-voted-in"))
_OVER_A_PROMISE: Final = _skipping("over a promise", _in_the_place_of("l2-uses-ballot-0-at-a-slot-it-has-promised"))
_AFTER_ANY: Final = _skipping("after any entry", _zero_after_any)


def _through_any_list(_: Any) -> Any:
    def limit(self: Leader) -> Slot:
        first = self.outlived
        through = Slot(self._learner.prefix + self._members.lag)
        return through if first is None else min(through, Slot(first - 1))

    return limit


def _by_the_newest_list(_: Any) -> Any:
    def outvoted(self: Members, _prefix: Slot, stores: Mapping[SiteId, StoreId | None]) -> Slot | None:
        first = self.newest.first
        return None if self.has_majority(first, stores) else first

    return outvoted


def _of_no_other(_: Any) -> Any:
    return lambda _self, _site, _life: False


_ANY_OWN: Final = Mutant(
    "R0", "takes whatever it accepted for chosen", (Patch(Acceptor, "accepted_at", _whatever_was_accepted),)
)

_LEADS_ON: Final = Mutant("M5", "a removed leader proposes on", (Patch(Leader, "_limit", _through_any_list),))
_NEWEST_ALONE: Final = Mutant(
    "M2", "a leader asks for a majority of the newest list alone", (Patch(Members, "outvoted", _by_the_newest_list),)
)
_KEEPS: Final = Mutant(
    "M4", "counts what was promised in an older term", named("m4-counts-any-store-of-the-name").patches[1:]
)
_IS_BACK: Final = Mutant(
    "M4", "a store that is back votes where another one did", (Patch(Members, "has_others", _of_no_other),)
)

BREAKAGES: Final = (
    Breakage(named("a2-accepting-does-not-raise-the-promise"), "duel", "A2", 9),
    Breakage(named("a3-range-promises-are-not-held"), "leaders", "B2", 13),
    Breakage(named("a3-range-promises-are-not-held"), "leaders, and told", "B2", 13),
    Breakage(named("a4-reports-the-promised-ballot-not-the-accepted-one"), "synod p q p", "B2", 15),
    Breakage(named("b1-rounds-are-not-durable-before-they-are-used"), "duel", "B1", 1),
    Breakage(named("b2-proposes-its-own-entry-whatever-was-found"), "duel", "B2", 10),
    Breakage(named("b2-proposes-what-was-found-first"), "synod p q p", "B2", 15),
    Breakage(named("b2-takes-ballot-0-for-nothing"), "ballot 0", "B2", 6),
    Breakage(named("b3-counts-a-promise-twice"), "duel", "B2", 8),
    Breakage(named("b3-counts-promises-of-other-ballots"), "synod p q p", "B2", 11),
    Breakage(named("b3-counts-a-vote-twice"), "duel", "R1", 6),
    Breakage(named("d1-promises-are-not-durable"), "duel", "B2", 11),
    Breakage(named("d1-acceptances-are-not-durable"), "duel", "B2", 11),
    Breakage(named("d1-acceptances-are-not-durable"), "ballot 0", "B1", 2),
    Breakage(_AGAIN, "ballot 0", "A2", 1),
    Breakage(_OVER_A_PROMISE, "ballot 0 and back", "B1", 4),
    Breakage(_AFTER_ANY, "after a no-op", "agreement", 4),
    Breakage(_AFTER_ANY, "last author", "agreement", 12),
    Breakage(named("l3-forgets-what-a-dead-leader-had-in-flight"), "leaders", "B2", 12),
    Breakage(named("l3-forgets-what-a-dead-leader-had-in-flight"), "leader and synod, and told", "B2", 11),
    Breakage(named("l3-ignores-what-a-promise-leaves-out"), "slot left out", "B2", 13),
    Breakage(_ANY_OWN, "duel, and told", "R1", 13),
    Breakage(named("r3-fills-with-a-no-op-what-was-accepted"), "hole", "B2", 10),
    Breakage(named("a2-accepts-a-run-where-its-first-slot-may-be"), "run and synod", "A1", 6),
    Breakage(named("b3-says-that-it-accepted-all-of-a-run"), "run and synod", "R1", 9),
    Breakage(named("b3-counts-a-promise-for-what-it-leaves-out"), "synods and run", "B2", 12),
    Breakage(named("b2-proposes-at-the-first-slot-what-was-found-at-another"), "synod and run", "B2", 10),
    Breakage(named("b3-a-vote-for-a-part-of-a-run-counts-for-all-of-it"), "run left out", "R1", 10),
    Breakage(named("a4-votes-are-one-slot-off-where-they-are-cut"), "run left out", "B1", 8),
    Breakage(named("b1-a-run-is-one-slot-off-where-it-is-cut"), "run left out", "B1", 8),
    Breakage(named("b2-what-is-in-flight-is-one-slot-off-where-it-is-cut"), "run left out", "R1", 8),
    Breakage(named("a4-reports-the-first-slot-of-an-accepted-run-alone"), "run in pages", "B2", 12),
    Breakage(named("a4-a-range-promise-is-silently-short"), "run in pages", "B2", 12),
    Breakage(named("l3-takes-the-first-page-of-a-promise-for-all-of-it"), "run in pages", "B2", 12),
    Breakage(named("m2-proposes-however-far-above-its-prefix"), "removed", "R1", 7),
    Breakage(named("m1-who-is-removed-stays-in-the-list"), "removed", "R1", 8),
    Breakage(named("m4-a-replaced-store-votes-for-ever"), "removed", "M5", 3),
    Breakage(named("m5-what-a-removed-site-wrote-takes-effect"), "removed", "E5", 7),
    Breakage(named("m1-a-change-takes-effect-at-once"), "removal under way", "E5", 7),
    Breakage(named("m2-as-many-as-at-the-beginning-are-a-majority"), "added to three", "R1", 9),
    Breakage(named("m2-proposes-however-far-above-its-prefix"), "added to three", "R1", 7),
    Breakage(named("m1-a-change-takes-effect-at-once"), "addition under way", "M5", 6),
    Breakage(named("m4-a-readmitted-store-votes-at-all-slots"), "addition under way", "M5", 6),
    Breakage(named("m3-a-change-fits-before-the-last-one-took-effect"), "promoted too early", "D5", 5),
    Breakage(named("m1-a-change-takes-effect-a-slot-too-late"), "readmitted", "M4", 3),
    Breakage(named("m2-proposes-however-far-above-its-prefix"), "readmitted", "R1", 7),
    Breakage(named("m4-counts-any-store-of-the-name"), "readmitted", "R1", 8),
    Breakage(named("m4-promises-slots-of-another-store"), "readmission under way", "M4", 2),
    Breakage(named("m6-numbers-go-on-without-a-gap"), "readmitted", "M6", 0),
    Breakage(named("m6-who-comes-back-numbers-on-as-before"), "readmitted", "M6", 0),
    Breakage(named("m4-proposes-at-slots-of-another-store"), "two stores propose", "M4", 1),
    Breakage(named("m4-a-readmitted-store-votes-as-if-it-had-been-there"), "two stores propose", "M4", 1),
    Breakage(named("m2-leads-on-with-promises-of-an-older-list"), "leader, and z removed", "B2", 11),
    Breakage(named("m4-proposes-at-slots-of-another-store"), "leader removed", "M5", 1),
    Breakage(_LEADS_ON, "leader removed", "M5", 4),
    Breakage(_KEEPS, "leader, and z promoted again", "B2", 7),
    Breakage(_NEWEST_ALONE, "leader, and z readmitted twice", "B2", 5),
    Breakage(_IS_BACK, "leader, and z readmitted twice", "M4", 4),
    Breakage(named("m4-counts-any-store-of-the-name"), "leader, and z readmitted twice", "B2", 5),
    Breakage(named("m4-promises-slots-of-another-store"), "leader, and z readmitted twice", "M4", 2),
    Breakage(named("a3-range-promises-are-not-held"), "leader, and z removed", "D1", 1),
)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: f"{breakage.mutant.name} in {breakage.cluster}")
def test_a_broken_rule_shows_in_a_small_world(breakage: Breakage) -> None:
    (cluster,) = (each for each in SMALL_CLUSTERS if each.name == breakage.cluster)
    with breakage.mutant.in_force(), pytest.raises(Counterexample) as found:
        search(cluster.states())
    assert (found.value.violation.rule, len(found.value.way)) == (breakage.shows_as, breakage.steps), found.value


def test_the_shortest_way_is_told_in_words_and_the_search_ends_with_12(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with named("b3-counts-a-vote-twice").in_force():
        assert main(["duel"]) == 12
    said = capsys.readouterr().out.splitlines()[1:]
    expected = (
        "duel: VIOLATION in one slot, two proposers, two ballots: 1.p 1.q; the shortest way to it:",
        "  1. p asks for promises of 1.p at slot 1",
        "  2. x takes prepare 1.p at slot 1",
        "  3. y takes prepare 1.p at slot 1",
        "  4. p has a majority for 1.p, and proposes p/1 tweet p",
        "  5. z takes accept 1.p at slot 1",
        "  6. p learns that slot 1 holds p/1 tweet p",
        "R1 slot 1: p/1 tweet p is learned; chosen is nothing",
    )
    assert [line[: len(start)] for line, start in zip(said, expected, strict=True)] == list(expected)
