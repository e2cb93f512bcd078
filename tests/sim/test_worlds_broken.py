"""Each rule that is broken on purpose shows in a small world, with a shortest way to where it does.

A breakage stands in the place of one named function of the core while a world is searched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

import engine.core.acceptor
import engine.core.learner
import engine.core.proposer
from engine.core.acceptor import Acceptor, Barred
from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.leader import Campaign, Leader
from engine.core.messages import AcceptedSlot, ChosenSlot
from engine.core.proposer import Accepting, Preparing, Rounds
from engine.core.step import Step
from engine.core.storage import NO_VOTE, Vote, WriteVote
from engine.sim.worlds.__main__ import main
from engine.sim.worlds.catalog import WORLDS
from engine.sim.worlds.search import Counterexample, search


@dataclass(frozen=True, slots=True)
class Breakage:
    """`broken` stands in the place of `owner.name`, and is made of what stood there. It shows in `world`, as a
    violation of `shows_as`, after a shortest way of `steps`."""

    rule: str
    what: str
    owner: Any
    name: str
    broken: Callable[[Any], Any]
    world: str
    shows_as: str
    steps: int


def _accept_without_raising(original: Any) -> Any:
    def accept(vote: Vote, ranged: Ballot | None, ballot: Ballot, entry: Entry) -> Vote | Barred:
        after = original(vote, ranged, ballot, entry)
        return after if isinstance(after, Barred) else replace(after, promised=vote.promised)

    return accept


def _promise_in_memory(_: Any) -> Any:
    def keep(self: Acceptor, step: Step, slot: Slot, before: Vote, after: Vote) -> None:
        self.votes[slot] = after
        if after.accepted != before.accepted:
            step.write(WriteVote(slot, after))

    return keep


def _accept_in_memory(_: Any) -> Any:
    def keep(self: Acceptor, step: Step, slot: Slot, before: Vote, after: Vote) -> None:
        self.votes[slot] = after
        if after.accepted == before.accepted and after is not before:
            step.write(WriteVote(slot, after))

    return keep


def _report_the_promise(_: Any) -> Any:
    def report(slot: Slot, vote: Vote) -> tuple[AcceptedSlot, ...]:
        return () if vote.promised is None or vote.entry is None else (AcceptedSlot(slot, vote.promised, vote.entry),)

    return report


def _rounds_in_memory(_: Any) -> Any:
    def take(self: Any, _step: Step) -> Ballot:
        self._used = self.seen = Round(max(self._used, self.seen) + 1)
        return Ballot(self._used, self._site)

    return take


def _own_entry(_: Any) -> Any:
    def to_propose(phase: Preparing, own: Entry, quorum: int) -> Accepting | None:
        return None if len(phase.promised) < quorum else Accepting(phase.ballot, own)

    return to_propose


def _first_found(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        return original(phase, site, ballot, found if phase.found is None else None)  # type: ignore[no-any-return]

    return promised


def _promise_twice(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        after: Preparing = original(phase, site, ballot, found)
        return replace(after, promised=after.promised | {SiteId(f"{site}'")})

    return promised


def _promise_of_any_ballot(original: Any) -> Any:
    return lambda phase, site, _ballot, found: original(phase, site, phase.ballot, found)


def _vote_twice(original: Any) -> Any:
    def accepted(phase: Accepting, site: SiteId, ballot: Ballot) -> Accepting:
        after: Accepting = original(phase, site, ballot)
        return replace(after, accepted=after.accepted | {SiteId(f"{site}'")})

    return accepted


def _own_entry_of_any(_: Any) -> Any:
    def chosen_entry(said: ChosenSlot, vote: Vote) -> Entry | None:
        return vote.entry if said.entry is None else said.entry

    return chosen_entry


def _noop_over_accepted(original: Any) -> Any:
    def to_propose(phase: Preparing, own: Entry, quorum: int) -> Accepting | None:
        proposal: Accepting | None = original(phase, own, quorum)
        return proposal if proposal is None or own != NOOP else replace(proposal, entry=NOOP)

    return to_propose


def _zero_is_none(original: Any) -> Any:
    def promised(phase: Preparing, site: SiteId, ballot: Ballot, found: AcceptedSlot | None) -> Preparing:
        seen = found if found is not None and found.ballot.round else None
        return original(phase, site, ballot, seen)  # type: ignore[no-any-return]

    return promised


def _zero_again(_: Any) -> Any:
    return lambda site, before, _vote: before is not None and before.author == site


def _zero_after_any(_: Any) -> Any:
    return lambda _site, before, vote: before is not None and vote == NO_VOTE


def _zero_over_promises(_: Any) -> Any:
    return lambda site, before, vote: before is not None and before.author == site and vote.accepted is None


def _no_range_promise(_: Any) -> Any:
    return lambda _self, _slot: None


def _forget_what_promises_hold(original: Any) -> Any:
    def take_over(self: Leader, step: Step, campaign: Campaign) -> None:
        campaign.found.clear()
        original(self, step, campaign)

    return take_over


def _nothing_is_left_out(original: Any) -> Any:
    def take_over(self: Leader, step: Step, campaign: Campaign) -> None:
        campaign.left_out.clear()
        original(self, step, campaign)

    return take_over


_acceptor = engine.core.acceptor
_learner = engine.core.learner
_proposer = engine.core.proposer

BREAKAGES: Final = (
    Breakage("A2", "accepting raises no promise", _acceptor, "accept", _accept_without_raising, "duel", "A2", 9),
    Breakage("A4", "reports the promise", _acceptor, "_report", _report_the_promise, "synod p q p", "B2", 15),
    Breakage("B1", "rounds are not durable", Rounds, "take", _rounds_in_memory, "duel", "B1", 1),
    Breakage("B2", "proposes its own entry", _proposer, "to_propose", _own_entry, "duel", "B2", 10),
    Breakage("B2", "first instead of highest", _proposer, "promised", _first_found, "synod p q p", "B2", 15),
    Breakage("B3", "counts a promise twice", _proposer, "promised", _promise_twice, "duel", "B2", 8),
    Breakage("B3", "counts stale promises", _proposer, "promised", _promise_of_any_ballot, "synod p q p", "B2", 11),
    Breakage("B3", "counts a vote twice", _proposer, "accepted", _vote_twice, "duel", "R1", 6),
    Breakage("D1", "promises are not durable", Acceptor, "_keep", _promise_in_memory, "duel", "B2", 11),
    Breakage("D1", "acceptances are not durable", Acceptor, "_keep", _accept_in_memory, "duel", "B2", 11),
    Breakage("L2", "reads ballot 0 as none", _proposer, "promised", _zero_is_none, "ballot 0", "B2", 6),
    Breakage("L2", "its entry changed after a crash", Acceptor, "_keep", _accept_in_memory, "ballot 0", "B1", 2),
    Breakage("L2", "again", _proposer, "may_skip_prepare", _zero_again, "ballot 0", "A2", 1),
    Breakage("L2", "over a promise", _proposer, "may_skip_prepare", _zero_over_promises, "ballot 0 and back", "B1", 4),
    Breakage("L2", "after a no-op", _proposer, "may_skip_prepare", _zero_after_any, "after a no-op", "agreement", 4),
    Breakage("L2", "after another's", _proposer, "may_skip_prepare", _zero_after_any, "last author", "agreement", 12),
    Breakage("A3", "holds no range promise", Acceptor, "_ranged", _no_range_promise, "leaders", "B2", 13),
    Breakage("L3", "forgets a dead leader", Leader, "_take_over", _forget_what_promises_hold, "leaders", "B2", 12),
    Breakage("L3", "leaves nothing out", Leader, "_take_over", _nothing_is_left_out, "slot left out", "B2", 13),
    Breakage("R0", "any own entry is chosen", _learner, "chosen_entry", _own_entry_of_any, "duel, and told", "R1", 13),
    Breakage("R3", "fills over what was accepted", _proposer, "to_propose", _noop_over_accepted, "hole", "B2", 10),
)  # fmt: skip


@pytest.mark.timeout(600)
@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: f"{breakage.rule} {breakage.what}")
def test_a_broken_rule_shows_in_a_small_world(breakage: Breakage, monkeypatch: pytest.MonkeyPatch) -> None:
    original = breakage.owner.__dict__[breakage.name]
    monkeypatch.setattr(breakage.owner, breakage.name, breakage.broken(original))
    (world,) = (each for each in WORLDS if each.name == breakage.world)
    with pytest.raises(Counterexample) as found:
        search(world.stage())
    assert (found.value.violation.rule, len(found.value.way)) == (breakage.shows_as, breakage.steps), found.value


def test_the_shortest_way_is_told_in_words_and_the_search_ends_with_12(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_proposer, "accepted", _vote_twice(_proposer.accepted))
    assert main(["duel"]) == 12
    said = capsys.readouterr().out.splitlines()[1:]
    expected = (
        "duel                     VIOLATION in one slot, two proposers, two ballots: 1.p 1.q; the shortest way to it:",
        "  1. p asks for promises of 1.p at slot 1",
        "  2. x takes prepare 1.p at slot 1",
        "  3. y takes prepare 1.p at slot 1",
        "  4. p has a majority for 1.p, and proposes p/1 tweet p",
        "  5. z takes accept 1.p at slot 1",
        "  6. p learns that slot 1 holds p/1 tweet p",
        "R1 slot 1: p/1 tweet p is learned; chosen is nothing",
    )
    assert [line[: len(start)] for line, start in zip(said, expected, strict=True)] == list(expected)
