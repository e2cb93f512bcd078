"""The newest messages and conclusions of this site, kept in memory.

Rules that hold here:
- Kept as they are and put in words only when somebody looks: a message costs one append. Pages, which are large, are
  put in words at once, so that what is kept stays small.
- Left out, unless a fault rule acted on them, are heartbeats, which say nothing new, and questions about a slot's past,
  which people ask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from msgspec.structs import replace

from engine.contract.answers import Direction, TraceLine
from engine.core.effects import Observation, SawAttempt
from engine.core.explained import describe
from engine.core.explained.describe import Line
from engine.core.ids import SiteId, Slot
from engine.core.messages import Heartbeat, Known, Message, Prepare, Promise
from engine.core.said import Role
from engine.core.views import ElectionPhase
from engine.runtime.clock import iso
from engine.runtime.fault_rules import Fate
from engine.runtime.shapes import ballot

KEPT_MAX: Final = 5_000
_LARGE_SLOTS: Final = 8


@dataclass(frozen=True, slots=True)
class SelfLine:
    """What the site concluded, in words."""

    at_ms: int
    line: Line
    ranged: bool


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A message that left or came. `line` is set where it is in words already; `fate` is what was done to it."""

    at_ms: int
    direction: Direction
    peer: SiteId
    message: Message
    line: Line | None
    fate: Fate


class Trace:
    def __init__(self) -> None:
        self._kept: deque[SelfLine | MessageLine] = deque(maxlen=KEPT_MAX)
        self.count = 0
        """How many lines there were ever: the number of the next one."""

    def message(self, at_ms: int, direction: Direction, peer: SiteId, message: Message, fate: Fate) -> None:
        """Keeps a message; `fate` says what a fault rule or the socket did to it."""
        if fate.note is None and _says_nothing_new(message):
            return
        line: Line | None = None
        if isinstance(message, Known | Promise) and len(message.learned) > _LARGE_SLOTS:
            line = describe.message(message)
            message = replace(message, learned=())
        self._keep(MessageLine(at_ms, direction, peer, message, line, fate))

    def observation(self, at_ms: int, observation: Observation) -> None:
        line = describe.observation(observation)
        if line is not None:
            self._keep(SelfLine(at_ms, line, _of_a_range(observation)))

    def newest(self, limit: int, slot: Slot | None) -> list[TraceLine]:
        """The newest lines, those about `slot` alone if it is given; ascending."""
        wanted = (kept for kept in reversed(self._kept) if slot is None or _concerns(kept, slot))
        return [_told(kept) for kept in reversed(list(islice(wanted, limit)))]

    def chosen_at_ms(self, slot: Slot) -> int | None:
        """When this site told that the slot is chosen; None where that is not kept any more."""
        told = (each for each in reversed(self._kept) if isinstance(each, SelfLine) and each.line.slot == slot)
        return next((each.at_ms for each in told if each.line.type == describe.CHOSEN), None)

    def after(self, count: int) -> tuple[list[TraceLine], int]:
        """The lines since the trace had `count`, and how many of them are not kept any more."""
        since = self.count - count
        missed = max(0, since - len(self._kept))
        return [_told(kept) for kept in _last(self._kept, since - missed)], missed

    def _keep(self, kept: SelfLine | MessageLine) -> None:
        self._kept.append(kept)
        self.count += 1


def _says_nothing_new(message: Message) -> bool:
    return message.role is Role.INQUIRY or isinstance(message, Heartbeat)


def _last(kept: deque[SelfLine | MessageLine], count: int) -> Iterable[SelfLine | MessageLine]:
    newest_first = list(islice(reversed(kept), count))
    return reversed(newest_first)


def _concerns(kept: SelfLine | MessageLine, slot: Slot) -> bool:
    if isinstance(kept, SelfLine):
        return kept.line.slot == slot
    return kept.message.covers(slot, slot)


def _told(kept: SelfLine | MessageLine) -> TraceLine:
    match kept:
        case SelfLine(at_ms, line, ranged):
            return TraceLine(iso(at_ms), Direction.SELF, None, *_about(line), line.note, ranged, None, ())
        case MessageLine(at_ms, direction, peer, message, known, fate):
            line = known or describe.message(message)
            note = "; ".join(part for part in (fate.note, line.note) if part)
            ranged = isinstance(message, Prepare | Promise) and message.last != message.first
            slots = tuple(message.about())
            return TraceLine(iso(at_ms), direction, peer, *_about(line), note, ranged, fate.in_a_word, slots)


def _about(line: Line) -> tuple[str, Slot | None, str | None]:
    return line.type, line.slot, ballot(line.ballot)


def _of_a_range(observation: Observation) -> bool:
    """Whether it is about an election, which is for all slots from its first one on (L3)."""
    return isinstance(observation, SawAttempt) and isinstance(observation.phase, ElectionPhase)
