"""What fault rules keep from its way at present, for whoever has to say why the site waits.

Rules that hold here:
- Of each kind of message, each way, the newest are kept, boundedly. A drop counts while its rule is on, and for
  RECENTLY: what a site waits for it asks for again. What is held counts until it is let go, what is delayed until it
  is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Final

from engine.core.explained.hindrance import Taken, Verb
from engine.core.ids import Tick
from engine.core.messages import Message

KEPT_MAX: Final = 128
RECENTLY: Final = Tick(15_000)


@dataclass(frozen=True, slots=True)
class _Kept:
    """`held` is its number among the held messages, `until` when it counts no longer."""

    taken: Taken
    until: Tick
    held: int | None


@dataclass(slots=True)
class TakenMessages:
    _newest: dict[tuple[bool, type[Message]], deque[_Kept]] = field(default_factory=dict)

    def dropped(self, now: Tick, taken: Taken) -> None:
        self._keep(_Kept(taken, Tick(now + RECENTLY), None))

    def delayed(self, taken: Taken, until: Tick) -> None:
        self._keep(_Kept(taken, until, None))

    def held(self, taken: Taken, until: Tick, number: int) -> None:
        self._keep(_Kept(taken, until, number))

    def still(self, now: Tick, rules_on: Container[int], held: Container[int]) -> Iterator[Taken]:
        """Those that are in the way now."""
        for newest in self._newest.values():
            for kept in newest:
                drops = kept.taken.verb is Verb.DROP
                if kept.until <= now or (drops and kept.taken.rule not in rules_on):
                    continue
                if kept.held is None or kept.held in held:
                    yield kept.taken

    def _keep(self, kept: _Kept) -> None:
        key = (kept.taken.outgoing, type(kept.taken.message))
        self._newest.setdefault(key, deque(maxlen=KEPT_MAX)).append(kept)
