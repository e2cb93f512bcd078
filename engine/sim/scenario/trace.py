"""A run in words: one line for each thing that happens, as the trace pane of a site would say it, of all sites at once.

Rules that hold here:
- Lines are those of `engine.core.explained.describe`; what is lost or finds nobody is marked at the end of its line.
- The columns: the world's milliseconds, the site, a direction or `--`, the other site, the word of the message, slot
  and ballot, the note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine.core.effects import Observation
from engine.core.explained import describe
from engine.core.ids import SiteId
from engine.core.messages import Heartbeat, Message
from engine.parts import is_part, position
from engine.sim.world.network import Datagram


def as_it_is(words: str) -> str:
    return words


class TraceWriter:
    """A `Watcher` that gives each line to `write`. Heartbeats, which say the same all the time, are left out. `reword`
    is asked how a ballot, and a sentence with ballots in it, is shown."""

    def __init__(
        self, names: Sequence[SiteId], write: Callable[[str], None], reword: Callable[[str], str] = as_it_is
    ) -> None:
        self._names = names
        self._write = write
        self._reword = reword

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        fate = "✗ lost " if lost else ""
        sender, to = self._names[datagram.sender], self._names[datagram.to]
        for line in self._lines(datagram.messages):
            self._write(f"{now:>8} {sender:>8} -> {to:<8} {line} {fate}({_named(datagram)})")

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        fate = "" if taken else "✗ nobody there "
        sender, to = self._names[datagram.sender], self._names[datagram.to]
        for line in self._lines(datagram.messages):
            self._write(f"{now:>8} {to:>8} <- {sender:<8} {line} {fate}({_named(datagram)})")

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        line = describe.observation(saw)
        if line is not None:
            self._write(f"{now:>8} {site:>8} -- {'':<8} {self._line(line)}")

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        self._write(f"{now:>8} {site or '':>8} ** {what} {self._reword(why)}")

    def _lines(self, messages: tuple[Message, ...]) -> Iterator[str]:
        return (self._line(describe.message(message)) for message in messages if not isinstance(message, Heartbeat))

    def _line(self, line: describe.Line) -> str:
        return in_columns(line, self._reword)


def in_columns(line: describe.Line, reword: Callable[[str], str]) -> str:
    """What is told, without when and where."""
    slot = "" if line.slot is None else f"#{line.slot}"
    ballot = "" if line.ballot is None else reword(str(line.ballot))
    return f"{line.type:<11} {slot:<5} {ballot:<8} {reword(line.note)}"


def _named(datagram: Datagram) -> str:
    if not is_part(datagram.payload):
        return f"#{datagram.number}"
    place, count = position(datagram.payload)
    return f"#{datagram.number}, part {place} of {count}"
