"""Looks on at a play, and makes a frame of what was seen since the last one and of what is so now.

Rules that hold here:
- A frame costs what changed since the last one: the slots of a site are looked at where its disk took a commit, and
  what did not change is shared.
- What is durable is read from the disks, what is chosen from the truth of the world; no site is asked what it thinks
  but for the leader that it follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.core.effects import Observation
from engine.core.entry import Entry
from engine.core.explained import describe
from engine.core.explained.describe import Line
from engine.core.ids import SiteId, Slot
from engine.core.run import slots_of
from engine.core.storage import NO_VOTE
from engine.sim.image import Image
from engine.sim.scenario.patterns import is_upkeep
from engine.sim.scenario.play import BREAKS, Play
from engine.sim.truth.truth import Truth
from engine.sim.world.network import Datagram
from engine.sim.world.site import SimSite
from tui.lab.frame import Acceptor, Flight, Frame, SiteState
from tui.lab.held import Flights, HeldFlights
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said, Seen
from tui.lab.versions import Versions


@dataclass(slots=True)
class _Looked:
    """What was found on a site's disk: which one it was, at which commit, with slots used up to where."""

    image: Image | None = None
    commit: int = -1
    used_max: int = 0
    prefix: int = 0
    acceptors: Versions[Acceptor] = field(default_factory=Versions)
    state: SiteState | None = None


class Camera:
    """A `Watcher` of `Onlookers`: it is told of numbered datagrams, and of times since the lines began."""

    def __init__(self, names: tuple[SiteId, ...]) -> None:
        self.seen: list[Seen] = []
        self._names = names
        self._left: set[int] = set()
        self._lines: dict[int, tuple[Line, ...]] = {}
        self._flights: dict[tuple[int, float | None], Flight] = {}  # those on their way at the last frame
        self._held = HeldFlights()
        self._held_changed: dict[int, None] | None = None  # since the last frame; None: nothing was looked at yet
        self._looked = [_Looked() for _ in names]
        self._chosen: Versions[Entry] = Versions()
        self._truth: Truth | None = None  # what is chosen begins anew where all sites are cleared
        self._broken: str | None = None  # the first rule that was broken since the last frame, and borne

    # What is seen

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        if datagram.number not in self._left:
            self._left.add(datagram.number)
            self._flown(now, datagram, Fate.LEAVES)
        if lost:
            self._flown(now, datagram, Fate.LOST)

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        self._flown(now, datagram, Fate.ARRIVES if taken else Fate.NOBODY_THERE)

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        line = describe.observation(saw)
        if line is not None:
            self.seen.append(Concluded(now, site, line))

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        self.seen.append(Happened(now, site, what, why))
        if what == BREAKS:
            self._broken = self._broken or why

    def say(self, now: int, words: str, *, is_wrong: bool = False) -> None:
        self.seen.append(Said(now, words, is_wrong))

    def _flown(self, now: int, datagram: Datagram, fate: Fate) -> None:
        sender, to = self._names[datagram.sender], self._names[datagram.to]
        lines = self._lines_of(datagram.number, datagram)
        self.seen.append(Flown(now, datagram.sent_at, datagram.number, sender, to, fate, lines))

    def _lines_of(self, number: int, datagram: Datagram) -> tuple[Line, ...]:
        lines = self._lines.get(number)
        if lines is None:
            shown = (message for message in datagram.messages if not is_upkeep(message))
            lines = self._lines[number] = tuple(describe.message(message) for message in shown)
        return lines

    @property
    def has_news(self) -> bool:
        """More was seen than whom sites hear, which each of them finds out for itself, one after the other."""
        return any(not isinstance(seen, Concluded) or seen.line.type != "peer" for seen in self.seen)

    # What is so

    def take(self, play: Play, step: int, broken: str | None) -> Frame:
        """The frame after so many steps; what was seen begins anew."""
        world = play.world
        used_max = max(site.disk.image.used_max for site in world.sites)
        changed: set[Slot] = set()
        if world.truth is not self._truth:
            self._truth, self._chosen = world.truth, Versions()
        sites = tuple(self._site(site, step, used_max, changed) for site in world.sites)
        decided = False
        for slot in changed:
            entry = world.truth.chosen(slot)
            if entry is not None and self._chosen.newest(slot) is None:
                self._chosen.put(step, slot, entry)
                decided = True
        seen = tuple(self.seen)
        self.seen.clear()
        broken, self._broken = broken or self._broken, None
        flights = self._under_way(play, step)
        at_ms = world.now - play.began
        return Frame(step, at_ms, sites, flights, seen, self._chosen.view(step), decided, broken)

    def _site(self, site: SimSite, step: int, used_max: Slot, changed: set[Slot]) -> SiteState:
        looked, image = self._looked[site.index], site.disk.image
        if image is not looked.image:
            looked = self._looked[site.index] = _Looked(image)
        acceptors = None if looked.state is None else looked.state.acceptors
        if (looked.commit, looked.used_max) != (image.commit, used_max):
            for slot in self._to_look_at(looked, image, used_max):
                acceptor = _acceptor(image, slot)
                if acceptor is not None and acceptor != looked.acceptors.newest(slot):
                    looked.acceptors.put(step, slot, acceptor)
                    changed.add(slot)
                    acceptors = None
            looked.commit, looked.used_max, looked.prefix = image.commit, used_max, image.prefix
        if acceptors is None:
            acceptors = looked.acceptors.view(step)
        leader = None if site.replica is None else site.replica.leader
        why = _hindered(site, voting=site.replica is not None and site.replica.voting)
        before = looked.state
        is_same = before is not None and (before.is_up, before.why, before.leader) == (site.up, why, leader)
        if before is None or not is_same or before.acceptors is not acceptors:
            before = looked.state = SiteState(site.name, site.up, why, leader, acceptors)
        return before

    def _to_look_at(self, looked: _Looked, image: Image, used_max: Slot) -> set[Slot]:
        """The slots of which something may have changed."""
        slots = set(slots_of(Slot(looked.prefix + 1), image.prefix))
        for part in (*image.votes, *image.ahead):
            slots.update(slots_of(part.first, part.last))
        for promise in image.ranges:
            last = used_max if promise.last is None else min(promise.last, used_max)
            slots.update(slots_of(max(promise.first, Slot(image.prefix + 1)), last))
        return slots

    def _under_way(self, play: Play, step: int) -> Flights:
        network, number_of = play.world.network, play.onlookers.number
        changed = network.held if self._held_changed is None else self._held_changed
        for key in list(changed):
            datagram = network.held.get(key)
            if datagram is None:
                self._held.ends(step, key)
            elif (number := number_of(datagram)) is not None:
                self._held.begins(step, key, self._flight(number, datagram, None))
        self._held_changed = {}
        network.on_held = self._held_changes
        flying: dict[tuple[int, float | None], Flight] = {}
        for at, datagram in play.world.on_their_way():
            number = number_of(datagram)
            if number is not None:
                flight = self._flight(number, datagram, at - play.began)
                flying[number, flight.arrives_at_ms] = flight
        self._flights = flying
        return Flights(tuple(flying.values()), self._held, step)

    def _held_changes(self, number: int) -> None:
        assert self._held_changed is not None, "a frame was taken"
        self._held_changed[number] = None

    def _flight(self, number: int, datagram: Datagram, arrives_at_ms: int | None) -> Flight:
        flight = self._flights.get((number, arrives_at_ms))
        if flight is None:
            sender, to = self._names[datagram.sender], self._names[datagram.to]
            flight = Flight(number, sender, to, arrives_at_ms, self._lines_of(number, datagram))
        return flight


def _acceptor(image: Image, slot: Slot) -> Acceptor | None:
    """What the disk has of a slot; None where that is nothing. A range promise is folded in (A3)."""
    learned = image.entry(slot)
    if learned is not None:
        vote = image.voted.get(slot) or NO_VOTE
        return Acceptor(vote.promised, vote.accepted, vote.entry, learned)
    vote = image.votes.get(slot) or NO_VOTE
    ranged = [r.ballot for r in image.ranges if r.first <= slot and (r.last is None or slot <= r.last)]
    promised = max((ballot for ballot in (vote.promised, *ranged) if ballot is not None), default=None)
    if promised is None and vote.accepted is None:
        return None
    return Acceptor(promised, vote.accepted, vote.entry, None)


def _hindered(site: SimSite, *, voting: bool) -> str:
    if not site.up:
        return "down" if site.refused is None else "store refused"
    if site.paused:
        return "paused"
    return "" if voting else "does not vote"
