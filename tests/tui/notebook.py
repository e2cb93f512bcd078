"""Recordings that a test makes up, line by line, as a site would have written them.

Rules that hold here:
- A process's datagrams are named by one salt, the site's name unless the test says which, and counted from 0; what
  came is what the test says.
- Its clock stands at `clock_ms` and goes on by a millisecond a line: what it says may be wrong by anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.contract.answers import Entry
from engine.contract.lines import iso
from engine.contract.notifications import DatagramName, RangeLine, RecordFate, RecordLine, SaidLine, SlotLine
from tui.lab.recording import Recording, of_lines
from tui.recording import FORMAT, End, Gap, Header, RecordedLine, written

NOON_MS = 1_795_262_400_000
AWAITED_MS = 700
"""A recorder came so long after the first line that was kept for it."""
NAMES = ("alice", "bob", "carol")


def name(site: str, number: int) -> DatagramName:
    return DatagramName(site, number)


def said(word: str = "prepare", slot: int | None = 1, ballot: str | None = "1.alice", note: str = "") -> SaidLine:
    return SaidLine(word, slot, ballot, note)


def tweet(author: str, number: int, text: str = "hello") -> Entry:
    return Entry("tweet", author, f"{author}/{number}", text, None)


class Notebook:
    def __init__(
        self,
        site: str,
        clock_ms: int = NOON_MS,
        names: tuple[str, ...] = NAMES,
        cluster: str = "island",
        salt: str | None = None,
    ) -> None:
        """`salt`: where it is not the site's name, it is another process of the site."""
        self.site = site
        self.salt = salt or site
        self.header = Header(
            recording=FORMAT,
            cluster=cluster,
            site=site,
            sites=names,
            leadership="none",
            leader=None,
            version="0",
            since=iso(clock_ms),
            pid=1 + (self.salt != site),
            at=iso(clock_ms + AWAITED_MS),
        )
        self.lines: list[RecordedLine] = []
        self.heard: dict[str, DatagramName] = {}
        self._clock_ms = clock_ms
        self._turn = 0
        self._sent = 0

    def passes(self) -> Notebook:
        """What follows is of another pass."""
        self._turn += 1
        return self

    def waits(self, ms: int) -> Notebook:
        self._clock_ms += ms
        return self

    def sends(
        self,
        to: str,
        *lines: SaidLine,
        datagrams: int = 1,
        flight: int | None = None,
        fate: RecordFate | None = None,
    ) -> DatagramName:
        """The first of its datagrams; where a fate is set, that of the next one, for none leaves."""
        first = name(self.salt, self._sent)
        sent = None
        if fate is None:
            sent = first, name(self.salt, self._sent + datagrams - 1)
            self._sent += datagrams
        self._write("out", to, lines or (said(),), sent=sent, flight=flight, fate=fate)
        return first

    def beats(self) -> DatagramName:
        """A heartbeat leaves: no line tells of it."""
        self._sent += 1
        return name(self.salt, self._sent - 1)

    def takes(
        self,
        sender: str,
        came: DatagramName,
        *lines: SaidLine,
        flight: int | None = None,
        fate: RecordFate | None = None,
    ) -> Notebook:
        self._write("in", sender, lines or (said(),), came=came, flight=flight, fate=fate)
        return self

    def tells(self, *line: SaidLine) -> Notebook:
        self._write("self", None, line or (said("chosen"),))
        return self

    def keeps(
        self,
        slot: int,
        promised: str | None = None,
        accepted: str | None = None,
        entry: Entry | None = None,
        learned: Entry | None = None,
    ) -> Notebook:
        self._write("kept", None, (), slots=(SlotLine(slot, promised, accepted, entry, learned),))
        return self

    def promises(self, *ranges: RangeLine) -> Notebook:
        self._write("kept", None, (), ranges=ranges)
        return self

    def misses(self, count: int) -> Notebook:
        self.lines.append(Gap(count))
        return self

    def ends(self, why: str = "SIGINT", *, stopped: bool = False) -> Notebook:
        self.lines.append(End(why, stopped))
        return self

    @property
    def recording(self) -> Recording:
        return of_lines(f"{self.salt}.jsonl", self.header, self.lines)

    @property
    def text(self) -> bytes:
        return b"".join(written(line) for line in (self.header, *self.lines))

    def _write(
        self,
        kind: str,
        peer: str | None,
        lines: Iterable[SaidLine],
        *,
        sent: tuple[DatagramName, DatagramName] | None = None,
        came: DatagramName | None = None,
        flight: int | None = None,
        fate: RecordFate | None = None,
        slots: tuple[SlotLine, ...] = (),
        ranges: tuple[RangeLine, ...] | None = None,
    ) -> None:
        line = RecordLine(
            at=iso(self._clock_ms),
            turn=self._turn,
            dir=kind,
            peer=peer,
            sent=sent,
            came=came,
            flight=flight,
            fate=fate,
            lines=tuple(lines),
            slots=slots,
            ranges=ranges,
            heard=self.heard,
        )
        self.heard = {}
        self._clock_ms += 1
        self.lines.append(line)
