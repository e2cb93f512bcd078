"""The two clocks of a site's process.

Rules that hold here:
- Protocol time is ticks: whole milliseconds since the process began, from trio's clock, which never goes back.
- The wall's clock is read for people alone (`at`), and for the stamp of an event, which is shown and never ordered by.
"""

from __future__ import annotations

import time
from typing import Final

import trio

from engine.core.ids import Tick

_WALL_SLACK_MS: Final = 20


class Clock:
    def __init__(self) -> None:
        self._time_s = trio.lowlevel.current_clock().current_time
        self._began_s = self._time_s()
        self._began_wall_ms = self.wall_ms()

    def now(self) -> Tick:
        return Tick(round((self._time_s() - self._began_s) * 1000))

    def trio_time_s(self, tick: Tick) -> float:
        """When `now()` will say `tick`, on trio's clock."""
        return self._began_s + tick / 1000

    def wall_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def wall_ms_of(self, tick: Tick) -> int:
        """What the wall's clock said, or will say, at `tick`: the same at each call, unless that clock was set."""
        began_wall_ms = self.wall_ms() - self.now()
        if abs(began_wall_ms - self._began_wall_ms) > _WALL_SLACK_MS:
            self._began_wall_ms = began_wall_ms
        return self._began_wall_ms + tick
