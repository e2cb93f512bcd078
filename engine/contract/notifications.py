"""What the engine tells unasked, and what of it is recorded: a class is a shape of docs/control.md.

Rules that hold here:
- `at` is UTC; ballots print as `2.alice`. A word that a later version may add to is a string.
- Topics that this version does not know are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

from engine.contract.answers import Entry, Faults, LogLine, Outcome, Topic, TraceLine
from engine.contract.shape import Shape, read
from engine.contract.status import Status


class SaidLine(Shape):
    """A message of a datagram, or a conclusion, in words."""

    type: str
    slot: int | None
    ballot: str | None
    note: str


class SlotLine(Shape):
    """What is durable of a slot from now on: the acceptor's variables, and what is learned there."""

    slot: int
    max_prepare: str | None
    acc_num: str | None
    acc_val: Entry | None
    learned: Entry | None


class RangeLine(Shape):
    """A promise for `first` to `last`, None for all after."""

    first: int
    last: int | None
    ballot: str


class DatagramName(Shape):
    """The counter under a salt of its sender (W1): no two datagrams have one name, and both ends know it."""

    salt: str
    number: int


class RecordFate(StrEnum):
    """What became of a message at this end; None in a line: it left, or was taken."""

    DROPPED = "dropped"
    HELD = "held"
    CHANGED = "changed"  # it goes on later, or twice
    UNSENT = "unsent"  # no rule touched it, and it could not leave


class RecordLine(Shape):
    """What happened at a site, as it is recorded; `dir` as in Direction, of a datagram. `turn` is the same for all that
    one pass of the site did.

    `sent` names the first and the last datagram that took the messages of an `out`, `came` the one of an `in`. `flight`
    is the same in the lines of one message that a fault rule kept for a while. `ranges`: all range promises that stand,
    None where they did not change. `heard` names the newest datagram of each other site that came since the last line
    and has none of its own.
    """

    at: str
    turn: int
    dir: str
    peer: str | None
    sent: tuple[DatagramName, DatagramName] | None
    came: DatagramName | None
    flight: int | None
    fate: str | None
    lines: tuple[SaidLine, ...]
    slots: tuple[SlotLine, ...]
    ranges: tuple[RangeLine, ...] | None
    heard: dict[str, DatagramName]


class Observed(Shape):
    """To subscribers; before these items `dropped` lines of the trace or of what is recorded were left out."""

    dropped: int
    items: tuple[dict[str, object], ...]

    def known(self) -> list[Item]:
        """The items of the topics that this version knows. Raises BadAnswer."""
        return [read(shape, raw) for raw in self.items if (shape := ITEMS.get(str(raw.get("topic"))))]


class Acknowledged(Shape):
    """To who asked for it with his submit, the request `request`: the event is durable at this site, under this id; or
    `count` events are, under this id and those that follow."""

    request: int | str
    id: str
    count: int

    def ids(self) -> Iterator[str]:
        author, _, number = self.id.partition("/")
        return (f"{author}/{int(number) + skip}" for skip in range(self.count))


class EngineStops(Shape):
    """To everybody: the engine stops by itself. `exit_status` is its own (0: it was asked to)."""

    reason: str
    exit_status: int


class LogSpan(Shape):
    """More of the log changed than is told line by line: anything from `first` to `last` may be another than before.
    The newest of these slots have their lines beside it; the others' are asked for with `log` by whoever shows them.
    `blocks`: who blocks whom changed, too."""

    first: int
    last: int
    used_max: int
    prefix: int
    blocks: bool


LOG_SPAN: Final = "log-span"
"""The topic of such an item; who subscribes to the log is told of it."""

Item = TraceLine | LogLine | LogSpan | Outcome | Status | Faults | RecordLine

ITEMS: Final[Mapping[str, type[Item]]] = {
    Topic.TRACE: TraceLine,
    Topic.LOG: LogLine,
    LOG_SPAN: LogSpan,
    Topic.OUTCOME: Outcome,
    Topic.STATUS: Status,
    Topic.FAULTS: Faults,
    Topic.RECORD: RecordLine,
}
"""What subscribers are told of each topic, with the topic in it."""
