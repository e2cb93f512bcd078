"""A real screen in a pseudo-terminal, at which somebody types while it follows what is written.

Rules that hold here:
- As `make keys` does, what is timed is from the writing of a key to where what it painted has come out of the terminal.
  A screen that follows a busy log never rests, so here a key is known by its letter: each is typed once, and none is in
  the events.
- What the screen itself computes is told: it takes that from the sites, and is counted with none of them.
- A thread takes what the screen writes at once, whatever else is measured: a terminal that nobody reads stops it.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tests.bench.children import bound
from tests.bench.cluster import BenchCluster, LoadFailed
from tests.bench.outcome import Figure
from tests.real_cluster import PROGRAM
from tests.tui.key_to_paint import Terminal

LETTERS: Final = [*map(chr, range(0x430, 0x482)), *map(chr, range(0x48A, 0x500))]
"""Cyrillic: each takes one cell and stands for itself."""
COUNT: Final = b"/280"
"""What the composer shows of the draft's length."""
CLEAR: Final = b"\x15"
KEYS_EVERY_S: Final = 0.1
UNPAINTED_S: Final = 10.0
_KEPT_BYTES: Final = 16


class Painted:
    """What comes out of a terminal, by when."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._awaited: bytes | None = None
        self._seen_at: float | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def press(self, key: bytes, painted: bytes) -> float | None:
        """Writes the key; how many seconds later this was painted, None where it was not."""
        with self._changed:
            self._awaited, self._seen_at = painted, None
            began = time.perf_counter()
            os.write(self._descriptor, key)
            self._changed.wait_for(lambda: self._seen_at is not None, UNPAINTED_S)
            self._awaited = None
            return None if self._seen_at is None else self._seen_at - began

    def _read(self) -> None:
        """Until the terminal is gone."""
        kept = b""
        while True:
            try:
                chunk = os.read(self._descriptor, 2**16)
            except OSError:
                return
            now = time.perf_counter()
            with self._changed:
                if self._awaited is not None and self._awaited in kept + chunk:
                    self._seen_at = now
                    self._changed.notify()
            kept = chunk[-_KEPT_BYTES:]


@contextmanager
def typing(cluster: BenchCluster, site: str, size: tuple[int, int]) -> Iterator[Callable[[float], tuple[Figure, ...]]]:
    """A screen of `site`; what is yielded types for so many seconds."""
    terminal = Terminal(size, [*bound(PROGRAM), *cluster.options, "open", site])
    try:
        _until_shown(terminal)
        painted = Painted(terminal.master)

        def measured(seconds: float) -> tuple[Figure, ...]:
            computed_ms = terminal.computed_ms()
            figures = _type(painted, seconds)
            cores = (terminal.computed_ms() - computed_ms) / 1_000 / seconds
            return *figures, Figure("cores: screen", cores, "")

        yield measured
    finally:
        terminal.close()


def _until_shown(terminal: Terminal) -> None:
    try:
        terminal.until_shown(b"QUORUM")
    except SystemExit as never:
        raise LoadFailed(f"the screen is {never}") from None


def _type(painted: Painted, seconds: float) -> tuple[Figure, ...]:
    ends = time.perf_counter() + seconds
    took_ms: list[float] = []
    unpainted = 0
    painted.press(b"c", COUNT)
    for letter in LETTERS:
        pressed = time.perf_counter()
        if pressed > ends:
            break
        seen = painted.press(letter.encode(), letter.encode())
        if seen is None:
            unpainted += 1
        else:
            took_ms.append(seen * 1_000)
        time.sleep(max(0.0, pressed + KEYS_EVERY_S - time.perf_counter()))  # as fast as a person types
    painted.press(CLEAR, COUNT)
    time.sleep(max(0.0, ends - time.perf_counter()))  # for as long as the load is driven
    return (*_figures(took_ms), Figure("keys that painted nothing", unpainted, "")) if unpainted else _figures(took_ms)


def _figures(took_ms: list[float]) -> tuple[Figure, ...]:
    if len(took_ms) < 2:
        return (Figure("keys", len(took_ms), ""),)
    p95 = statistics.quantiles(took_ms, n=20, method="inclusive")[-1]
    return (
        Figure("key to paint, p50", statistics.median(took_ms), "ms"),
        Figure("key to paint, p95", p95, "ms"),
        Figure("keys", len(took_ms), ""),
    )
