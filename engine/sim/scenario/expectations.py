"""Checks what a scenario expects against the truth of the world: the disks, the chosen log, what was told.

Rules that hold here:
- An expectation that holds is None; one that does not is a sentence that says what is true instead.
- What a site promised, accepted and learned is what its disk holds, whether its process runs or not.
"""

from __future__ import annotations

from typing import assert_never

from engine.core.effects import SawReadConfirmed, SawReadUnconfirmed
from engine.core.entry import NOOP, Entry, Tweet, decode, in_words
from engine.core.ids import EventId, SiteId, Slot
from engine.core.storage import NO_VOTE, Vote
from engine.sim.scenario.driver import Driver
from engine.sim.scenario.expected import (
    AcceptedIs,
    Checkable,
    ExpectChosen,
    ExpectElections,
    ExpectFollowing,
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
    ReadState,
    State,
    Text,
    What,
)
from engine.sim.scenario.onlookers import Onlookers
from engine.sim.world.world import World


class Checker:
    def __init__(self, world: World, onlookers: Onlookers, driver: Driver) -> None:
        self._world = world
        self._onlookers = onlookers
        self._driver = driver

    def wrong(self, expected: Checkable) -> str | None:
        match expected:
            case ExpectSlot(slot, site, facts):
                wrong = (self._fact_wrong(slot, site, fact) for fact in facts)
                return next((sentence for sentence in wrong if sentence is not None), None)
            case ExpectOutcome():
                return self._outcome_wrong(expected)
            case ExpectRead():
                return self._read_wrong(expected)
            case ExpectLearned(sites, slot, what):
                for site in sites or self._world.names:
                    entry = self._learned(slot, site)
                    if entry is None or not is_entry(entry, what):
                        return f"{site} learned {_named(entry)}"
                return None
            case ExpectChosen(slot, what):
                entry = self._world.truth.chosen(slot)
                right = entry is None if what is None else entry is not None and is_entry(entry, what)
                return None if right else f"{_named(entry)} is chosen"
            case ExpectHole(slot, site):
                replica = self._world.sites[self._world.index[site]].replica
                holes = () if replica is None else replica.view(0).holes
                return None if slot in holes else f"the holes at {site} are {[int(hole) for hole in holes]}"
            case ExpectState(site, state):
                states = self._states(site)
                return None if state in states else f"{site} is {', '.join(states)}"
            case ExpectStopped(site, rule):
                stopped = self._stopped_by(site)
                return None if rule == stopped else f"{site} was stopped by {stopped or 'nothing'}"
            case ExpectFollowing(sites, leader):
                return self._following_wrong(sites, leader)
            case ExpectElections(count):
                elections = self._onlookers.elections
                return None if elections == count else f"{elections} were won"
            case ExpectViolation():
                return "no rule was broken"
            case _:
                assert_never(expected)

    def vote(self, slot: Slot, site: SiteId) -> Vote:
        """The acceptor's durable variables, also of a slot that is learned; a range promise is folded in (A3)."""
        index = self._world.index[site]
        image = self._world.sites[index].disk.image
        if image.entry(slot) is not None:
            book = self._world.truth.ballots.books.get(slot)
            return NO_VOTE if book is None else book.votes[index]
        vote = image.votes.get(slot) or NO_VOTE
        ranged = [r.ballot for r in image.ranges if r.first <= slot and (r.last is None or slot <= r.last)]
        promised = max((ballot for ballot in (vote.promised, *ranged) if ballot is not None), default=None)
        return Vote(promised, vote.accepted, vote.entries)

    def _learned(self, slot: Slot, site: SiteId) -> Entry | None:
        return self._world.sites[self._world.index[site]].disk.image.entry(slot)

    def _fact_wrong(self, slot: Slot, site: SiteId, fact: Fact) -> str | None:
        vote, learned = self.vote(slot, site), self._learned(slot, site)
        match fact:
            case Promised(ballot):
                return None if vote.promised == ballot else f"{site} promised {vote.promised or 'nothing'}"
            case AcceptedIs(ballot, what):
                right = vote.accepted == ballot
                if right and what is not None:
                    right = vote.entry is not None and is_entry(vote.entry, what)
                said = "nothing" if vote.entry is None else f"{_named(vote.entry)} at {vote.accepted}"
                return None if right else f"{site} accepted {said}"
            case LearnedIs(what):
                right = learned is not None and (what is None or is_entry(learned, what))
                return None if right else f"{site} learned {_named(learned)}"
            case NotLearned():
                return None if learned is None else f"{site} learned {_named(learned)}"
            case _:
                assert_never(fact)

    def _outcome_wrong(self, expected: ExpectOutcome) -> str | None:
        saw = self._onlookers.outcomes.get(expected.event)
        if saw is None:
            return None if expected.outcome is None else f"nothing was told of {expected.event} yet"
        if saw.outcome is expected.outcome and expected.slot in (None, saw.slot):
            return None
        at = "" if saw.slot is None else f" at {saw.slot}"
        return f"{expected.event} was told to be {saw.outcome.value}{at}"

    def _read_wrong(self, expected: ExpectRead) -> str | None:
        token = self._driver.newest_read.get(expected.site)
        if token is None:
            return f"{expected.site} was asked for no read"
        match self._onlookers.reads.get(token):
            case None:
                state, bound, said = ReadState.OPEN, None, "the read is open"
            case SawReadConfirmed(bound=bound):
                state, said = ReadState.CONFIRMED, f"the read is confirmed at {bound}"
            case SawReadUnconfirmed(bound=bound, reason=reason):
                state, said = ReadState.UNCONFIRMED, f"the read is unconfirmed: {reason}"
        return None if state is expected.state and expected.bound in (None, bound) else said

    def _following_wrong(self, sites: tuple[SiteId, ...], leader: SiteId | None) -> str | None:
        for site in self._world.sites:
            if site.name in sites or (not sites and site.replica is not None):
                followed = None if site.replica is None else site.replica.leader
                if followed != leader:
                    return f"{site.name} follows {followed or 'nobody'}"
        return None

    def _states(self, site: SiteId) -> list[State]:
        replica = self._world.sites[self._world.index[site]].replica
        if replica is None:
            return [State.DOWN, State.NOT_VOTING, State.NOT_LEADING]
        return [
            State.UP,
            State.VOTING if replica.voting else State.NOT_VOTING,
            State.LEADING if replica.leader == site else State.NOT_LEADING,
        ]

    def _stopped_by(self, site: SiteId) -> str | None:
        simulated = self._world.sites[self._world.index[site]]
        if simulated.up:
            return None
        if simulated.refused is not None:
            return "D3"
        return "D2" if site in self._driver.failed else None


def is_entry(entry: Entry, what: What) -> bool:
    match what:
        case EventId():
            return entry.id == what
        case NoopEntry():
            return entry == NOOP
        case Text(text):
            return entry != NOOP and decode(entry.body).operation == Tweet(text)
        case _:
            assert_never(what)


def _named(entry: Entry | None) -> str:
    return "nothing" if entry is None else in_words(entry)
