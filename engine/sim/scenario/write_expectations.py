"""What a scenario expects as text: the other way of `engine.sim.scenario.parse_expectations`.

Rules that hold here:
- What is written is read back as the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from engine.core.ids import Ballot, EventId, SiteId
from engine.sim.scenario.expected import (
    AcceptedIs,
    Checkable,
    Expectation,
    ExpectChosen,
    ExpectElections,
    ExpectFollowing,
    ExpectHeld,
    ExpectHole,
    ExpectLearned,
    ExpectOutcome,
    ExpectRead,
    ExpectSlot,
    ExpectState,
    ExpectStopped,
    ExpectViolation,
    Fact,
    LearnedIs,
    NoopEntry,
    NotLearned,
    Promised,
    Text,
    What,
)
from engine.sim.scenario.patterns import Pattern, Which
from engine.sim.scenario.words import quote


def pattern(of: Pattern) -> str:
    said = [] if of.which is Which.ALL else [of.which.value]
    said += [f"#{number}" for number in sorted(of.numbers)]
    said += sorted(of.types)
    for word, sites in (("from", of.senders), ("to", of.addressees)):
        said += [word, *sorted(sites)] if sites else []
    said += [] if of.slot is None else ["slot", str(of.slot)]
    said += [] if of.ballot is None else ["ballot", str(of.ballot)]
    return " ".join(said)


def expectation(expected: Expectation) -> str:
    match expected:
        case ExpectHeld(held, count):
            how_many = "any" if count is None else "no" if count == 0 else str(count)
            return f"{how_many} held {pattern(held)}".rstrip()
        case _:
            return checkable(expected)


def checkable(expected: Checkable) -> str:
    match expected:
        case ExpectSlot(slot, site, facts):
            return " ".join((f"slot {slot} at {site}:", *map(_fact, facts)))
        case ExpectOutcome(event, outcome, slot):
            return f"outcome {event} {'open' if outcome is None else outcome.value}{_at(slot)}"
        case ExpectRead(site, state, bound):
            return f"read of {site} {state.value}{_at(bound)}"
        case ExpectLearned(sites, slot, what):
            return f"{_sites(sites)} learned {slot} = {_what(what)}"
        case ExpectChosen(slot, what):
            return f"chosen {slot} = {'nothing' if what is None else _what(what)}"
        case ExpectHole(slot, site):
            return f"hole {slot} at {site}"
        case ExpectState(site, state):
            return f"{state.value} {site}"
        case ExpectStopped(site, rule):
            return f"stopped {site} by {rule}"
        case ExpectFollowing(sites, leader):
            return f"{_sites(sites)} follow {leader or 'nobody'}"
        case ExpectElections(count):
            return f"{count or 'no'} elections"
        case ExpectViolation(rule):
            return f"violation {rule}"
        case _:
            assert_never(expected)


def _fact(fact: Fact) -> str:
    match fact:
        case Promised(ballot):
            return f"promised {ballot or 'nothing'}"
        case AcceptedIs(None, _):
            return "accepted nothing"
        case AcceptedIs(Ballot() as ballot, what):
            return f"accepted {ballot}" + ("" if what is None else f" {_what(what)}")
        case LearnedIs(what):
            return "learned" + ("" if what is None else f" {_what(what)}")
        case NotLearned():
            return "not learned"
        case _:
            raise AssertionError(f"{fact} says nothing of a slot")


def _what(what: What) -> str:
    match what:
        case EventId():
            return str(what)
        case Text(text):
            return quote(text)
        case NoopEntry():
            return "no-op"
        case _:
            assert_never(what)


def _at(slot: int | None) -> str:
    return "" if slot is None else f" at {slot}"


def _sites(sites: Iterable[SiteId]) -> str:
    return " ".join(sites) or "all"
