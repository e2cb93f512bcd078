"""Checks what a scenario expects against real sites, through their control sockets.

Rules that hold here:
- An expectation that holds is None; one that does not is a sentence that says what is true instead.
- A site that does not run answers nobody: what it told last, just before it was killed, is what is on its disk.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import assert_never

from engine.contract import requests
from engine.contract.answers import AcceptorLine, Direction, Entry, LinearizablePage, LogLine, LogState, Outcome
from engine.contract.requests import Data, Events, Log
from engine.contract.status import Status
from engine.core.ids import EventId, SiteId, Slot, quorum_size
from engine.core.views import ElectionPhase
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
from tui.lab.live_names import Names
from tui.lab.live_score import Nth
from tui.lab.live_sites import Sites, Watched


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the scenario's that may wait long. `until`: when its time has passed, on the monotonic clock."""

    number: int
    until: float


@dataclass(slots=True)
class Patience:
    """What users wait for. `reads`: each site's newest linearizable read; `events` by the site and its place there."""

    reads: dict[SiteId, Asked] = field(default_factory=dict)
    events: dict[tuple[SiteId, int], Asked] = field(default_factory=dict)
    restarted: set[SiteId] = field(default_factory=set)
    """The sites whose process is not the first one: nobody waits there for what was asked before."""


class Checker:
    def __init__(self, sites: Sites, names: Names, patience: Patience, slots: int) -> None:
        """`slots`: how many a scenario is about, at most."""
        self._sites = sites
        self._names = names
        self._patience = patience
        self._slots = slots
        self._last_words: dict[SiteId, tuple[dict[int, AcceptorLine], dict[int, LogLine]]] = {}

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
                for site in sites or self._sites.watched:
                    line = self._learned(slot, site)
                    if line is None or not self._is_what(line, what):
                        return f"{site} learned {_named(line)}"
                return None
            case ExpectChosen(slot, what):
                entry = self._chosen(slot)
                right = entry is None if what is None else entry is not None and self._is_what(entry, what)
                return None if right else f"{_named(entry)} is chosen"
            case ExpectHole(slot, site):
                holes = self._status(site).holes if self._sites[site].up else ()
                told = [self._names.slot(hole) or 0 for hole in holes]
                return None if slot in told else f"the holes at {site} are {[int(hole) for hole in told]}"
            case ExpectState(site, state):
                states = self._states(site)
                return None if state in states else f"{site} is {', '.join(states)}"
            case ExpectFollowing(sites, leader):
                return self._following_wrong(sites, leader)
            case ExpectElections(count):
                won = self.elections()
                return None if won == count else f"{won} were won"
            case ExpectStopped() | ExpectViolation():
                raise AssertionError("refused before anything began")
            case _:
                assert_never(expected)

    def remember(self, site: SiteId) -> None:
        """The process is about to be killed: what it has of every slot of the scenario."""
        watched = self._sites[site]
        slots = tuple(self._names.real_slot(Slot(slot)) for slot in range(1, self._slots + 1))
        lines = {line.slot: line for line in self._sites.ask(watched, Data(slots=slots)).lines}
        self._last_words[site] = lines, {line.slot: line for line in self._log(watched, slots[0], slots[-1])}

    def elections(self) -> int:
        """How often a site came to lead since the run began."""
        lines = (line for site in self._sites.watched.values() for line in site.lines)
        return sum(line.dir == Direction.SELF and line.type == ElectionPhase.LEADS for line in lines)

    def told(self, event: EventId) -> Outcome | None:
        """What was told of it last, None: nothing yet."""
        real = self._names.real_event(event)
        if real is None:
            return None
        site = self._sites[event.author]
        asked = self._patience.events.get(self._names.event(event))
        answer = None if asked is None else site.answers.get(asked.number)
        if answer is None and real not in site.told and event.author in self._patience.restarted and site.up:
            return self._sites.ask(site, Events(ids=(real,))).lines[0]
        if real in site.told:
            return site.told[real]
        return None if answer is None or answer.failed is not None else answer.result

    def learned(self) -> dict[Slot, Nth | None]:
        """What stands in the slots of the scenario, as far as anybody has learned it."""
        learned: dict[Slot, Nth | None] = {}
        for slot in range(1, self._slots + 1):
            lines = (self._learned(Slot(slot), site) for site in self._sites.watched)
            line = next((line for line in lines if line is not None), None)
            if line is not None:
                learned[Slot(slot)] = None if line.id is None else self._names.nth(line.id)
        return learned

    # Slots

    def _acceptor(self, slot: Slot, site: SiteId) -> AcceptorLine | None:
        real, watched = self._names.real_slot(slot), self._sites[site]
        if not watched.up:
            return self._last_words[site][0].get(real) if site in self._last_words else None
        return self._sites.ask(watched, Data(slots=(real,))).lines[0]

    def _learned(self, slot: Slot, site: SiteId) -> LogLine | None:
        """None where it has not learned it."""
        real, watched = self._names.real_slot(slot), self._sites[site]
        if watched.up:
            line = next(iter(self._log(watched, real, real)), None)
        else:
            line = self._last_words[site][1].get(real) if site in self._last_words else None
        return line if line is not None and line.state == LogState.CHOSEN else None

    def _log(self, site: Watched, first: Slot, last: Slot) -> tuple[LogLine, ...]:
        return self._sites.ask(site, Log(first=first, last=last, limit=last - first + 1)).lines

    def _chosen(self, slot: Slot) -> LogLine | Entry | None:
        """Accepted by a majority at one ballot, or learned somewhere."""
        accepted: Counter[str] = Counter()
        entries: dict[str, Entry | None] = {}
        for site in self._sites.watched:
            learned = self._learned(slot, site)
            if learned is not None:
                return learned
            line = self._acceptor(slot, site)
            if line is not None and line.acc_num is not None:
                accepted[line.acc_num] += 1
                entries[line.acc_num] = line.acc_val
        needed = quorum_size(len(self._sites.watched))
        return next((entries[ballot] for ballot, count in accepted.items() if count >= needed), None)

    def _fact_wrong(self, slot: Slot, site: SiteId, fact: Fact) -> str | None:
        match fact:
            case Promised(ballot):
                line = self._acceptor(slot, site)
                said = None if line is None else self._names.ballot(line.max_prepare)
                right = said is None if ballot is None else said is not None and self._names.is_ballot(ballot, said)
                return None if right else f"{site} promised {said or 'nothing'}"
            case AcceptedIs(ballot, what):
                line = self._acceptor(slot, site)
                said = None if line is None else self._names.ballot(line.acc_num)
                right = said is None if ballot is None else said is not None and self._names.is_ballot(ballot, said)
                entry = None if line is None else line.acc_val
                if right and what is not None:
                    right = entry is not None and self._is_what(entry, what)
                accepted = "nothing" if said is None else f"{_named(entry)} at {said}"
                return None if right else f"{site} accepted {accepted}"
            case LearnedIs(what):
                learned = self._learned(slot, site)
                right = learned is not None and (what is None or self._is_what(learned, what))
                return None if right else f"{site} learned {_named(learned)}"
            case NotLearned():
                learned = self._learned(slot, site)
                return None if learned is None else f"{site} learned {_named(learned)}"
            case _:
                assert_never(fact)

    def _is_what(self, entry: LogLine | Entry, what: What) -> bool:
        match what:
            case EventId():
                return entry.id is not None and entry.id == self._names.real_event(what)
            case NoopEntry():
                return entry.author is None
            case Text(text):
                return entry.author is not None and entry.text == text
            case _:
                assert_never(what)

    # What was told

    def _outcome_wrong(self, expected: ExpectOutcome) -> str | None:
        told = self.told(expected.event)
        if told is None:
            return None if expected.outcome is None else f"nothing was told of {expected.event} yet"
        if expected.outcome is None and self._is_late(self._patience.events.get(self._names.event(expected.event))):
            return None
        slot = self._names.slot(told.slot)
        if told.outcome == expected.outcome and expected.slot in (None, slot):
            return None
        at = "" if slot is None else f" at {slot}"
        return f"{expected.event} was told to be {told.outcome}{at}"

    def _read_wrong(self, expected: ExpectRead) -> str | None:
        asked = self._patience.reads.get(expected.site)
        if asked is None:
            return f"{expected.site} was asked for no read"
        answer = self._sites[expected.site].answers.get(asked.number)
        if answer is None:
            return None if expected.state is ReadState.OPEN else "the read is open"
        if expected.state is ReadState.OPEN and self._is_late(asked):
            return None
        page = answer.value()
        assert isinstance(page, LinearizablePage), "a view with fresh was asked for"
        read = page.fresh
        if read.confirmed:
            state, bound, said = ReadState.CONFIRMED, self._bound(read.bound), f"the read is confirmed at {read.bound}"
        else:
            state, bound, said = ReadState.UNCONFIRMED, None, f"the read is unconfirmed: {read.reason}"
        return None if state is expected.state and expected.bound in (None, bound) else said

    def _bound(self, real: int | None) -> Slot | None:
        return None if real is None else Slot(real - self._names.used)

    def _is_late(self, asked: Asked | None) -> bool:
        """Whether its own time has passed: what is expected to be open then was looked at too late, by no fault of the
        sites."""
        return asked is not None and time.monotonic() >= asked.until

    # Where a site stands

    def _status(self, site: SiteId) -> Status:
        return self._sites.ask(self._sites[site], requests.Status())

    def _states(self, site: SiteId) -> list[State]:
        if not self._sites[site].up:
            return [State.DOWN, State.NOT_VOTING, State.NOT_LEADING]
        status = self._status(site)
        return [
            State.UP,
            State.VOTING if status.voting else State.NOT_VOTING,
            State.LEADING if status.leader == self._names.real(site) else State.NOT_LEADING,
        ]

    def _following_wrong(self, sites: tuple[SiteId, ...], leader: SiteId | None) -> str | None:
        wanted = None if leader is None else self._names.real(leader)
        for site in sites or [each.name for each in self._sites.answering]:
            followed = self._status(site).leader if self._sites[site].up else None
            if followed != wanted:
                return f"{site} follows {'nobody' if followed is None else self._names.site(followed)}"
        return None


def _named(entry: LogLine | Entry | None) -> str:
    if entry is None:
        return "nothing"
    if entry.author is None:
        return "the no-op"
    text = "" if entry.text is None else f' "{entry.text}"'
    return f"{entry.id}{text}"
