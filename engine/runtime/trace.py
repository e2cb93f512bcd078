"""The newest messages and conclusions of this site, kept in memory.

Rules that hold here:
- Kept as they are and put in words only when somebody looks: a message costs one append. What carries many entries is
  put in words at once, which words the first alone, so that what is kept stays small.
- Left out, unless a fault rule acted on them, are heartbeats, which say nothing new, and questions about a slot's past,
  which people ask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from msgspec.structs import replace

from engine.contract.answers import Direction, TraceLine
from engine.contract.lines import ballot, iso
from engine.core.effects import Observation, SawApplied, SawAttempt, SawLearned
from engine.core.entry import Entry
from engine.core.explained import describe
from engine.core.explained.describe import Line
from engine.core.ids import SiteId, Slot
from engine.core.messages import Heartbeat, Message, Prepare, Promise
from engine.core.said import Role
from engine.core.value import Value
from engine.core.views import ElectionPhase
from engine.runtime.fault_rules import Fate

KEPT_MAX: Final = 5_000
_FEW_ENTRIES: Final = 16
"""Words take little memory and much time: kept as they are, KEPT_MAX lines of so many entries take some 10 MiB."""


class _Concluded(Value):
    at_ms: int
    saw: Observation


class _Passed(Value):
    """A message that left or came; `fate` is what was done to it."""

    at_ms: int
    direction: Direction
    peer: SiteId
    message: Message
    fate: Fate


class _Worded(Value):
    """What carried many entries keeps none of them. `line` does not say when: it is asked for when it is told."""

    at_ms: int
    line: TraceLine


_Kept = _Concluded | _Passed | _Worded


class Trace:
    def __init__(self) -> None:
        self._kept: deque[_Kept] = deque(maxlen=KEPT_MAX)
        self.count = 0
        """How many lines there were ever: the number of the next one."""

    def message(self, at_ms: int, direction: Direction, peer: SiteId, message: Message, fate: Fate) -> None:
        """Keeps a message; `fate` says what a fault rule or the socket did to it."""
        if fate.note is None and (message.role is Role.INQUIRY or isinstance(message, Heartbeat)):
            return
        self._keep(_Passed(at_ms, direction, peer, message, fate), message.carried())

    def observation(self, at_ms: int, saw: Observation) -> None:
        if describe.is_shown(saw):
            self._keep(_Concluded(at_ms, saw), saw.run.entries if isinstance(saw, SawLearned | SawApplied) else ())

    def newest(self, limit: int, slot: Slot | None) -> list[TraceLine]:
        """The newest lines, those about `slot` alone if it is given; ascending."""
        wanted = (kept for kept in reversed(self._kept) if slot is None or _concerns(kept, slot))
        return [_told(kept) for kept in reversed(list(islice(wanted, limit)))]

    def chosen_at_ms(self, slot: Slot) -> int | None:
        """When this site told that the slot is chosen; None where that is not kept any more."""
        said = (each for each in reversed(self._kept) if _says_chosen(each) and _concerns(each, slot))
        return next((each.at_ms for each in said), None)

    def after(self, count: int, limit: int) -> tuple[list[TraceLine], int]:
        """The newest `limit` lines since the trace had `count`, and how many of those before it has left out."""
        since = self.count - count
        missed = max(0, since - min(limit, len(self._kept)))
        return [_told(kept) for kept in _last(self._kept, since - missed)], missed

    def _keep(self, kept: _Concluded | _Passed, entries: Iterable[Entry]) -> None:
        has_many = next(islice(entries, _FEW_ENTRIES, None), None) is not None
        self._kept.append(_Worded(kept.at_ms, _worded(kept)) if has_many else kept)
        self.count += 1


def _last(kept: deque[_Kept], count: int) -> Iterable[_Kept]:
    newest_first = list(islice(reversed(kept), count))
    return reversed(newest_first)


def _concerns(kept: _Kept, slot: Slot) -> bool:
    match kept:
        case _Concluded(saw=saw):
            spans: Iterable[tuple[int, int | None]] = describe.about(saw)
        case _Passed(message=message):
            spans = message.about()
        case _Worded(line=line):
            spans = line.slots
    return any(first <= slot and (last is None or slot <= last) for first, last in spans)


def _says_chosen(kept: _Kept) -> bool:
    match kept:
        case _Concluded(saw=saw):
            return isinstance(saw, SawLearned)
        case _Passed():
            return False
        case _Worded(line=line):
            return (line.dir, line.type) == (Direction.SELF, describe.CHOSEN)


def _told(kept: _Kept) -> TraceLine:
    return replace(_worded(kept), at=iso(kept.at_ms))


def _worded(kept: _Kept) -> TraceLine:
    match kept:
        case _Concluded(_, saw):
            line = describe.observation(saw)
            assert line is not None, "it is shown"
            slots = tuple(describe.about(saw))
            return TraceLine("", Direction.SELF, None, *_about(line), line.note, _of_a_range(saw), None, slots)
        case _Passed(_, direction, peer, message, fate):
            line = describe.message(message)
            note = "; ".join(part for part in (fate.note, line.note) if part)
            ranged = isinstance(message, Prepare | Promise) and message.last != message.first
            slots = tuple(message.about())
            return TraceLine("", direction, peer, *_about(line), note, ranged, fate.in_a_word, slots)
        case _Worded(_, line):
            return line


def _about(line: Line) -> tuple[str, Slot | None, str | None]:
    return line.type, line.slot, ballot(line.ballot)


def _of_a_range(observation: Observation) -> bool:
    """Whether it is about an election, which is for all slots from its first one on (L3)."""
    return isinstance(observation, SawAttempt) and isinstance(observation.phase, ElectionPhase)
