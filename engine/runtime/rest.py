"""When a site need not listen for a moment: so that an idle one wakes once a beat, instead of once for each peer's.

Rules that hold here:
- Sites beat together (`engine.core.peers.heartbeats`). One that has just beaten rests before it listens again, and then
  takes what the others beat at once.
- It rests only while nobody waits for it: it has said and heard nothing but heartbeats for QUIET_AFTER. Deadlines and
  clients wake it all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio

from engine.core.ids import Tick
from engine.core.messages import Heartbeat, Message

REST_S: Final = 0.005
"""In which sites of one network beat one after the other."""

QUIET_AFTER: Final = Tick(1_000)
_BEATS: Final = frozenset({Heartbeat})


class Rest:
    def __init__(self) -> None:
        self._busy_at = Tick(0)
        self._due = False
        self.under_way = False

    def heard(self, now: Tick, messages: Sequence[Message]) -> None:
        if not _BEATS.issuperset(map(type, messages)):
            self._busy_at = now

    def said(self, now: Tick, messages: Sequence[Message]) -> None:
        self.heard(now, messages)
        self._due = now - self._busy_at > QUIET_AFTER

    async def over(self) -> None:
        """Once it should listen: at once, unless it has just beaten."""
        if self._due:
            self._due = False
            self.under_way = True
            try:
                await trio.sleep(REST_S)
            finally:
                self.under_way = False
