"""What happens at this site, put in lines for those who record it (docs/control.md, record line).

Rules that hold here:
- While nobody records, nothing is made: whoever has something to say asks `on` first.
- What waits to be told is bounded in bytes. What does not fit is counted, and told as left out; no part of the node
  waits for a recorder.
- A line tells in words what it is about, for people; what identifies a datagram is its name (W1), which both ends see.
- D1: what a commit made durable is a line before the lines of what leaves after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from msgspec import to_builtins

from engine.contract.answers import Direction, Topic
from engine.contract.lines import ballot, entry_shape, iso
from engine.contract.notifications import DatagramName, RangeLine, RecordFate, RecordLine, SaidLine, SlotLine
from engine.core.effects import Observation
from engine.core.explained import describe
from engine.core.explained.describe import Line
from engine.core.ids import SiteId
from engine.core.messages import Heartbeat, Message
from engine.core.run import Run, slots_of
from engine.core.said import Role
from engine.core.spans import Part, Spans
from engine.core.storage import NO_VOTE, Vote, Write, WriteLearned, WriteRanges, WriteVote, cut_vote
from engine.runtime.counters import NodeCounts
from engine.runtime.faults import Transit
from engine.seal import name_of

WAITING_BYTES_MAX: Final = 4 * 1024 * 1024
"""So much waits for the next notification, or for the first who records."""

SLOTS_AT_FIRST_MAX: Final = 1_000
_SLOTS_PER_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Waiting:
    """Lines to be told: the number of the first one, and how many after them were left out."""

    first: int
    lines: list[bytes]
    left_out: int


class Recording:
    """`awaited`: from now on, for the first who records; else for who subscribes, from then on."""

    def __init__(self, counts: NodeCounts, *, awaited: bool = False) -> None:
        self.on = awaited
        self.awaited = awaited
        self.count = 0
        """How many lines there were ever: the number of the next one."""
        self._counts = counts
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._left_out = 0
        self._heard: dict[str, DatagramName] = {}
        self._votes = Spans(cut_vote)  # of slots that are not learned
        self._flights = 0

    @property
    def waits(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._waiting or self._left_out)

    def begin(self) -> int:
        """Somebody records from now on; returns the number of the first line for whoever that is."""
        first = self.count - len(self._waiting) if self.awaited else self.count
        self.on, self.awaited = True, False
        return first

    def end(self) -> None:
        """Nobody records any more."""
        self.on = False
        self._heard = {}
        self._votes = Spans(cut_vote)
        self.take()

    def take(self) -> Waiting:
        """What waits, and waits no longer."""
        taken = Waiting(self.count - len(self._waiting), self._waiting, self._left_out)
        self._waiting, self._waiting_bytes, self._left_out = [], 0, 0
        return taken

    # What happens

    def flight(self) -> int | None:
        """A number for a message that a fault rule judges; None while nobody records."""
        if not self.on:
            return None
        self._flights += 1
        return self._flights

    def left(
        self,
        at_ms: int,
        to: SiteId,
        messages: Iterable[Message],
        datagrams: Sequence[bytes],
        *,
        flight: int | None,
        unsent: str | None,
    ) -> None:
        """These datagrams left with the messages; or they could not, and `unsent` says why."""
        lines = _said(messages, unsent)
        if lines:
            sent = (_named(datagrams[0]), _named(datagrams[-1])) if datagrams else None
            fate = None if unsent is None else RecordFate.UNSENT
            self._add(at_ms, Direction.OUT, to, lines, sent=sent, flight=flight, fate=fate)

    def came(
        self, at_ms: int, sender: SiteId, messages: Iterable[Message], header: bytes, flight: int | None = None
    ) -> None:
        """The datagram that begins so is taken, or what it completes is."""
        named = _named(header)
        lines = _said(messages, None)
        if lines:
            self._add(at_ms, Direction.IN, sender, lines, came=named, flight=flight)
        else:
            self._heard[sender] = named

    def kept_back(self, at_ms: int, transit: Transit, fate: RecordFate, why: str | None) -> None:
        """A fault rule keeps a message from its way, for good or for a while."""
        lines = _said((transit.message,), why)
        if lines:
            came = _named(transit.header) if transit.header else None
            direction, peer = transit.direction, transit.peer
            self._add(at_ms, direction, peer, lines, came=came, flight=transit.flight, fate=fate)

    def concluded(self, at_ms: int, saw: Observation) -> None:
        line = describe.observation(saw)
        if line is not None:
            self._add(at_ms, Direction.SELF, None, (_line(line),))

    def kept(self, at_ms: int, writes: Iterable[Write]) -> None:
        """This is durable."""
        slots: list[SlotLine] = []
        ranges: tuple[RangeLine, ...] | None = None
        for write in writes:
            match write:
                case WriteVote(first, last, vote):
                    self._votes.put(first, last, vote)
                    slots += _slots(Part(first, last, vote), None)
                case WriteLearned(run):
                    slots += [line for part in self._votes.parts(run.first, run.last) for line in _slots(part, run)]
                    self._votes.remove(run.first, run.last)
                case WriteRanges():
                    ranges = tuple(RangeLine(each.first, each.last, str(each.ballot)) for each in write.ranges)
                case _:
                    pass
        for begin in range(0, max(len(slots), ranges is not None), _SLOTS_PER_LINE):
            self._add(
                at_ms, Direction.KEPT, None, (), slots=tuple(slots[begin : begin + _SLOTS_PER_LINE]), ranges=ranges
            )
            ranges = None

    def _add(
        self,
        at_ms: int,
        kind: str,
        peer: SiteId | None,
        lines: tuple[SaidLine, ...],
        *,
        sent: tuple[DatagramName, DatagramName] | None = None,
        came: DatagramName | None = None,
        flight: int | None = None,
        fate: RecordFate | None = None,
        slots: tuple[SlotLine, ...] = (),
        ranges: tuple[RangeLine, ...] | None = None,
    ) -> None:
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self._left_out += 1
            return
        line = RecordLine(
            at=iso(at_ms),
            turn=self._counts.passes,
            dir=kind,
            peer=peer,
            sent=sent,
            came=came,
            flight=flight,
            fate=fate,
            lines=lines,
            slots=slots,
            ranges=ranges,
            heard=self._heard,
        )
        text = orjson.dumps({"topic": Topic.RECORD, **to_builtins(line)})
        self._heard = {}
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        self.count += 1


def _said(messages: Iterable[Message], why: str | None) -> tuple[SaidLine, ...]:
    """What is worth a line; `why` stands before what each says."""
    lines = (describe.message(message) for message in messages if not _says_nothing_new(message))
    return tuple(_line(line, why) for line in lines)


def _says_nothing_new(message: Message) -> bool:
    return message.role is Role.INQUIRY or isinstance(message, Heartbeat)


def _line(line: Line, why: str | None = None) -> SaidLine:
    note = "; ".join(part for part in (why, line.note) if part)
    return SaidLine(line.type, line.slot, ballot(line.ballot), note)


def _slots(part: Part[Vote] | Part[Vote | None], learned: Run | None) -> Iterator[SlotLine]:
    """A line for each slot: what was voted there, and what is learned of it."""
    vote = part.value or NO_VOTE
    numbers = ballot(vote.promised), ballot(vote.accepted)
    for slot in slots_of(part.first, part.last):
        accepted = cut_vote(vote, slot - part.first, 1).entry
        entry = None if learned is None else learned.entry(slot)
        yield SlotLine(slot, *numbers, entry_shape(accepted), entry_shape(entry))


def _named(header: bytes) -> DatagramName:
    return DatagramName(*name_of(header))
