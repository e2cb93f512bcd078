"""In which order tests run: what may take longest begins first, else the cores wait for it at the end.

Rules that hold here:
- After what has a limit of its own that is what drives whole sites through faults.
- It is dealt to half of the workers: one alone would be at it to the end, and all of them would wait at once, for most
  of it is waiting.
- Whatever the order, each test is there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final, TypeVar

import pytest

OF_WHOLE_SITES: Final = ("tests/chaos/", "tests/lab/test_lab_live", "tests/net/")

Test = TypeVar("Test")


def may_take(item: pytest.Item) -> tuple[float, bool]:
    """How much, against others: its limit, if it has one of its own (which is above that of all others), and whether it
    waits for whole sites."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0, item.nodeid.startswith(OF_WHOLE_SITES)


def dealt(longest: Sequence[Test], others: Sequence[Test], workers: int) -> list[Test]:
    """In the order in which xdist cuts them into equal shares, one for each worker, that follow one another."""
    hands = workers // 2 or 1
    ordered: list[Test] = []
    left, rest = len(longest) + len(others), iter(others)
    for worker in range(workers):
        share = left // (workers - worker)
        left -= share
        hand = longest[worker::hands] if worker < hands else ()
        ordered += [*hand, *islice(rest, max(0, share - len(hand)))]
    return ordered
