"""Keys that came together: a paste, where the terminal does not mark it as one.

Rules that hold here:
- A burst goes on as long as more input waits, or comes within APART_S: nobody types so fast on purpose.
- A key tells its burst (`burst_of`); one that no terminal read, such as a test's, belongs to none.
- A burst is bounded: what comes after KEYS_MAX keys of it is not taken, so that a screen is never busy for minutes.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Final

from textual import events

APART_S: Final = 0.1
KEYS_MAX: Final = 4_000
_MARK: Final = "loggos_burst"


def burst_of(key: events.Key) -> int | None:
    """Which burst a key came in."""
    burst: int | None = getattr(key, _MARK, None)
    return burst


def in_burst(key: events.Key, burst: int) -> events.Key:
    """The key, marked."""
    setattr(key, _MARK, burst)
    return key


def more_waits(descriptor: int) -> bool:
    """Whether there is more to read at once."""
    return bool(select.select([descriptor], [], [], 0)[0])


class Bursts:
    """Counts the bursts of one terminal. `more_waits()` says whether more of its input could be read at once."""

    def __init__(self, more_waits: Callable[[], bool], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._more_waits = more_waits
        self._clock_s = clock_s
        self._burst = 0
        self._keys = 0
        self._goes_on_until_s = 0.0
        self._more = False

    def take(self, key: events.Key) -> bool:
        """Marks the key; False where the burst has had enough of them."""
        if not self._more and self._clock_s() >= self._goes_on_until_s:
            self._burst += 1
            self._keys = 0
        in_burst(key, self._burst)
        self._keys += 1
        return self._keys <= KEYS_MAX

    def taken(self) -> None:
        """Call when a key was handed over: from here on, time counts."""
        self._more = self._more_waits()
        self._goes_on_until_s = self._clock_s() + APART_S
