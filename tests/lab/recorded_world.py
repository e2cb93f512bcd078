"""A simulated cluster whose sites are recorded as real ones are, by the code that records those.

Rules that hold here:
- A datagram's name is made of its number in the world, under a salt of its sender's process.
- Each site's clock may be wrong by anything; what is recorded says nothing else of the world's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from engine.contract.lines import iso
from engine.contract.notifications import RecordLine
from engine.contract.shape import read
from engine.core.effects import Observation
from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.run import Run, slots_of
from engine.core.settings import Leadership, Timings
from engine.core.storage import NO_VOTE, RangePromise, Vote, Write, cut_vote
from engine.runtime.counters import NodeCounts
from engine.runtime.recording import Recording as Recorder
from engine.seal import HEADER_BYTES
from engine.sim.world.network import Datagram
from engine.sim.world.setup import Setup, Weather
from engine.sim.world.world import World
from tui.lab.recording import Recording, of_lines
from tui.recording import FORMAT, End, Header, RecordedLine

NOON_MS = 1_795_262_400_000


@dataclass(frozen=True)
class Table:
    """What a disk held of the slots of the log, and its range promises."""

    votes: Mapping[Slot, Vote]
    learned: Mapping[Slot, Entry]
    ranges: tuple[RangePromise, ...]

    def promised(self, slot: Slot) -> Ballot | None:
        """The higher one of the slot's own and of the range's (A3), where it is not learned."""
        own = self.votes.get(slot, NO_VOTE).promised
        ranged = [r.ballot for r in self.ranges if r.first <= slot and (r.last is None or slot <= r.last)]
        return own if slot in self.learned else max([*ranged, *([] if own is None else [own])], default=None)


@dataclass
class RecordedSite:
    """`tables[n]` is what its disk held of the slots of the log after its line `n`."""

    recorder: Recorder
    counts: NodeCounts
    lines: list[RecordLine] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    written: list[Sequence[Write]] = field(default_factory=list)


class RecordedWorld:
    def __init__(self, seed: int, names: Sequence[SiteId], leadership: Leadership, weather: Weather) -> None:
        count = len(names)
        self.names = tuple(names)
        self.world = World(
            Setup(
                seed=seed,
                names=self.names,
                leadership=(leadership,) * count,
                timings=Timings(),
                page_bytes=8_000,
                links=((weather,) * count,) * count,
                disk_ms=(0,) * count,
                tick_late_ms=0,
            ),
            watcher=self,
        )
        self.sites: dict[SiteId, RecordedSite] = {}
        for index, name in enumerate(self.names):
            counts = NodeCounts()
            self.sites[name] = RecordedSite(Recorder(counts, awaited=True), counts)
            self._watch_disk(index)
            self.world.start(index)

    def run(self, ms: int) -> None:
        until = self.world.now + ms
        self.world.at(until, lambda _: None, None)
        while self.world.now < until:
            for site in self.sites.values():
                site.counts.passes += 1
            self.world.step()
            for index in range(len(self.names)):
                self._look(index)

    def recordings(self, clocks_ms: Mapping[SiteId, int]) -> list[Recording]:
        """What was recorded, on clocks that are ahead by so much."""
        return [self._recording(name, clocks_ms.get(name, 0)) for name in self.names]

    def _recording(self, name: SiteId, ahead_ms: int) -> Recording:
        at = iso(NOON_MS + ahead_ms)
        header = Header(FORMAT, "world", name, self.names, "none", None, "0", at, 1, at)
        lines: list[RecordedLine] = [_later(line, ahead_ms) for line in self.sites[name].lines]
        return of_lines(f"{name}.jsonl", header, [*lines, End("the test is over", stopped=False)])

    def _watch_disk(self, index: int) -> None:
        disk, site = self.world.sites[index].disk, self.sites[self.names[index]]
        append, sync = disk.append, disk.sync

        def appended(writes: Sequence[Write]) -> None:
            append(writes)
            site.written.append(writes)

        def synced() -> int:
            commit = sync()
            for writes in site.written:
                site.recorder.kept(self._at_ms, writes)
            site.written.clear()
            self._look(index)
            return commit

        disk.append, disk.sync = appended, synced  # type: ignore[method-assign]  # this disk alone is looked at

    def _look(self, index: int) -> None:
        """Takes the lines that there are, with what the disk holds now."""
        site, disk = self.sites[self.names[index]], self.world.sites[index].disk
        for line in site.recorder.take().lines:
            image = disk.image
            votes = {
                slot: cut_vote(part.value, slot - part.first, 1)
                for part in (*image.voted, *image.votes)
                for slot in slots_of(part.first, part.last)
            }
            site.lines.append(read(RecordLine, orjson.loads(line)))
            learned = dict(zip(slots_of(Slot(1), image.prefix), image.log, strict=True))
            learned.update((slot, entry) for part in image.ahead for slot, entry in Run(part.first, part.value))
            site.tables.append(Table(votes, learned, image.ranges))

    @property
    def _at_ms(self) -> int:
        return NOON_MS + self.world.now

    # As a watcher

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        del now, lost
        recorder, header = self._recorder(datagram.sender), self._header(datagram)
        to = self.names[datagram.to]
        recorder.left(self._at_ms, to, datagram.messages, [header], flight=None, unsent=None)
        self._look(datagram.sender)

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        del now
        if taken:
            header, sender = self._header(datagram), self.names[datagram.sender]
            self._recorder(datagram.to).came(self._at_ms, sender, datagram.messages, header)
            self._look(datagram.to)

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        del now
        self.sites[site].recorder.concluded(self._at_ms, saw)

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        pass

    def _recorder(self, index: int) -> Recorder:
        return self.sites[self.names[index]].recorder

    def _header(self, datagram: Datagram) -> bytes:
        salt = bytes((datagram.sender,)) * (HEADER_BYTES - 12)
        return bytes(4) + salt + datagram.number.to_bytes(8, "big")


def _later(line: RecordLine, ms: int) -> RecordLine:
    at = iso(round(datetime.fromisoformat(line.at).timestamp() * 1000) + ms)
    return RecordLine(**{name: getattr(line, name) for name in line.__struct_fields__} | {"at": at})
