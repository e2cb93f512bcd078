"""The truth about leaders: who may stand, lead and fill, judged by what each site heard (L3).

Rules that hold here:
- A site has heard what its process took in; a claim is alive for an election timeout of that process's own clock, and
  who answered is reached for as long as a peer is up; both in heartbeats of whichever of the two beats less often.
- Who hears a live leader that reaches a majority, or hears a peer that does, neither stands nor begins to fill holes.
  (Who leads with a higher ballot may stand again at once, for another list, M2.)
- Who says that it leads reaches a majority of voters both ways, hears no such leader of a higher ballot, and was not
  refused because of a range promise; B1: who stepped down does not stand with the same ballot again.
- Who says that it hears a leader was told so by that leader itself.
- What the core may have dropped is never held against a site: where its addressee may not have known the sender's life
  (W1), a heartbeat is taken to have been heard where that excuses, and not where it accuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.effects import Send
from engine.core.ids import Ballot, SiteId, Slot, Tick, quorum_size
from engine.core.leading.election import TIMEOUT_BEATS
from engine.core.messages import Cause, Heartbeat, Packet, Prepare, Refused
from engine.core.peers.heartbeats import UP_BEATS
from engine.core.run import slots_of
from engine.core.settings import Leadership, Settings
from engine.sim.image import Disk
from engine.sim.truth.replay import Replay
from engine.sim.violation import violate

_NEVER: Final = Tick(-1)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A heartbeat, and this site's clock when it came."""

    heartbeat: Heartbeat
    at: Tick


@dataclass(slots=True)
class _Process:
    """What one process heard and did. `surely`: the newest heartbeat of each peer, where it certainly was taken."""

    surely: dict[SiteId, _Heard] = field(default_factory=dict)
    echoed: dict[SiteId, Tick] = field(default_factory=dict)  # its clock at the newest of its heartbeats that came back
    leads_heard: dict[Ballot, Tick] = field(default_factory=dict)  # its clock when the newest such claim is over
    stood: Ballot | None = None  # its newest range ballot
    led: Ballot | None = None  # the newest that it said to lead with
    proposed: Ballot | None = None  # the newest with which it stood, and then proposed
    outranked: Ballot | None = None  # the newest that was refused because of a range promise
    stepped_down: set[Ballot] = field(default_factory=set)
    tried: set[Slot] = field(default_factory=set)


class Elections:
    """Sites of other leadership settings are let be (L4)."""

    def __init__(self, settings: Sequence[Settings], disks: Sequence[Disk], replay: Replay) -> None:
        self._settings = settings
        self._replay = replay
        self._disks = {each.site: disk for each, disk in zip(settings, disks, strict=True)}
        self._heartbeats = {each.site: each.timings.heartbeat for each in settings}
        self._elects = [each.leadership is Leadership.ELECTED for each in settings]
        self._processes = [_Process() for _ in settings]

    def started(self, index: int) -> None:
        """A new process has heard nothing yet."""
        self._processes[index] = _Process()

    def leads(self, index: int) -> Ballot | None:
        """With what ballot the process says that it leads."""
        return self._processes[index].led

    def received(self, index: int, now: Tick, packet: Packet) -> None:
        """The process takes a packet in; `now` is its own clock."""
        if not self._elects[index]:
            return
        process, sender = self._processes[index], packet.sender
        for message in packet.messages:
            if type(message) is Heartbeat:
                if message.echo is not None and message.echo <= now:
                    process.echoed[sender] = max(message.echo, process.echoed.get(sender, _NEVER))
                if message.leads is not None and message.reaches:
                    process.leads_heard[message.leads] = Tick(now + self._timeout(index, sender))
                if self._knows(self._settings[index].site, packet):
                    process.surely[sender] = _Heard(message, now)
                else:
                    process.surely.pop(sender, None)
            elif type(message) is Refused and message.ballot == process.stood:
                in_the_way = any(span.cause is Cause.RANGE for span in message.spans)
                if in_the_way and self._knows(self._settings[index].site, packet):
                    process.outranked = message.ballot

    def proposes(self, index: int, ballot: Ballot) -> None:
        """An accept leaves."""
        process = self._processes[index]
        if ballot == process.stood:
            process.proposed = ballot

    def sending(self, index: int, now: Tick, sends: Iterable[Send]) -> None:
        """These messages leave; `now` is the process's clock in the pass that made them."""
        if not self._elects[index]:
            return
        for send in sends:
            message = send.message
            if type(message) is Heartbeat:
                self._beats(index, now, message)
            elif type(message) is Prepare:
                if message.last is None:
                    self._stands(index, now, message.ballot, message.first)
                else:
                    self._proposes(index, now, message.first, message.last)

    def _knows(self, site: SiteId, packet: Packet) -> bool:
        """Both lives are the present ones, and the addressee durably knows the sender's."""
        own, its = self._disks[site].image, self._disks[packet.sender].image
        memory = own.peers.get(packet.sender)
        return packet.to_life == own.life and packet.life == its.life and memory is not None and memory.life == its.life

    def _every(self, index: int, peer: SiteId) -> Tick:
        """The longer of both heartbeat intervals."""
        return max(self._settings[index].timings.heartbeat, self._heartbeats[peer])

    def _timeout(self, index: int, peer: SiteId) -> Tick:
        return Tick(TIMEOUT_BEATS * self._every(index, peer))

    def _leader(self, index: int, now: Tick) -> tuple[Ballot, SiteId] | None:
        """The live leader that the site certainly hears, or the one that a peer says it hears; and from whom."""
        site = self._settings[index].site
        company = self._replay.company(self._disks[site].image.prefix)
        for peer, heard in self._processes[index].surely.items():
            if peer not in company:
                continue  # nothing of that is believed (M2)
            if now - heard.at > self._timeout(index, peer):
                continue
            said = heard.heartbeat
            if said.leads is not None and said.reaches:
                return said.leads, peer
            if said.hears is not None and said.hears.site != site:
                return said.hears, peer
        return None

    def _stands(self, index: int, now: Tick, ballot: Ballot, first: Slot) -> None:
        process = self._processes[index]
        if ballot in process.stepped_down:
            violate(
                "B1", f"stands for election with {ballot} a second time", slot=first, site=self._settings[index].site
            )
        if process.stood is not None and ballot <= process.stood:
            return
        process.stood = ballot
        leader = self._leader(index, now)
        mine = [led for led in (process.led, process.proposed) if led is not None]
        if leader is not None and not any(led > leader[0] for led in mine):
            told = f"stands for election with {ballot}, though {leader[1]} says that {leader[0]} leads"
            violate("L3", told, slot=first, site=self._settings[index].site)

    def _proposes(self, index: int, now: Tick, first: Slot, last: Slot) -> None:
        """A synod for these slots. Who led, or stood, may have had to settle them."""
        process = self._processes[index]
        slots = set(slots_of(first, last))
        if slots <= process.tried or process.stood is not None:
            return
        process.tried |= slots
        leader = self._leader(index, now)
        if leader is not None:
            told = f"fills this slot itself, though {leader[1]} says that {leader[0]} leads"
            violate("L3", told, slot=first, site=self._settings[index].site)

    def _is_majority(self, index: int, sites: set[SiteId]) -> bool:
        """Of a list that holds above the site's prefix, as far as can be known."""
        lists = self._replay.about(self._disks[self._settings[index].site].image.prefix)
        return any(len(sites & lives.keys()) >= quorum_size(len(lives)) for lives in lists)

    def _beats(self, index: int, now: Tick, heartbeat: Heartbeat) -> None:
        process, settings = self._processes[index], self._settings[index]
        if heartbeat.reaches:
            echoed = process.echoed.items()
            reached = {peer for peer, at in echoed if now - at <= UP_BEATS * self._every(index, peer)}
            if not self._is_majority(index, reached | {settings.site}):
                names = ", ".join(sorted(reached)) or "none"
                told = f"says that it reaches a majority, though only these answered in time: {names}"
                violate("L3", told, site=settings.site)
        if process.led is not None and process.led != heartbeat.leads:
            process.stepped_down.add(process.led)
        process.led = heartbeat.leads
        if heartbeat.leads is not None:
            if heartbeat.leads == process.outranked:
                told = f"goes on leading with {heartbeat.leads}, which was refused because of a range promise"
                violate("L3", told, site=settings.site)
            if not heartbeat.reaches:
                violate("L3", f"leads with {heartbeat.leads}, but reaches no majority", site=settings.site)
            for peer, heard in process.surely.items():
                said = heard.heartbeat
                alive = now - heard.at <= self._timeout(index, peer)
                if alive and said.reaches and said.leads and said.leads > heartbeat.leads:
                    told = f"goes on leading with {heartbeat.leads}, though {peer} leads with {said.leads}"
                    violate("L3", told, site=settings.site)
        if heartbeat.hears is not None and now > process.leads_heard.get(heartbeat.hears, _NEVER):
            violate("L3", f"says that it hears the leader {heartbeat.hears}, which it did not hear", site=settings.site)
