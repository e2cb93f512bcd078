"""What every test shares.

Rules that hold here:
- Tests are packages by folder (`tests.core.test_acceptor`); what several share is imported by name, as
  `from tests.strategies import packets`.
- Signals mean what they do in a terminal, though the run was started in the background or under `nohup`: a process
  that inherits "ignored" goes on ignoring, and so would every engine and command that a test starts.
- Three times as many workers as there are cores: a test of real engines or of a screen often waits, and a core waits
  with it.
- What is compiled is kept beside its source, whatever the environment says of that: else every worker, and each engine
  and command that a test starts, compiles all that it imports.
- What may take longest begins first, in whatever order the rest comes: else the cores wait for it at the end. After
  what has a limit of its own that is what drives whole sites through faults. It is dealt to half of the workers, of
  which each is given tests that follow one another: one worker alone would be at it to the end, and all of them would
  wait at once, for most of it is waiting.
- Hypothesis has no deadline (two cores are shared by all); on CI its examples are the same on every run.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from itertools import islice

import pytest
from hypothesis import settings

from tests.time_limit import (
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_runtest_teardown,
    pytest_timeout_cancel_timer,
    pytest_timeout_set_timer,
)

__all__ = [
    "pytest_runtest_call",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_timeout_cancel_timer",
    "pytest_timeout_set_timer",
]

OF_WHOLE_SITES = ("tests/chaos/", "tests/lab/test_lab_live", "tests/net/")

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

gc.disable()  # until all is loaded, and none of it is garbage
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)  # survived here, and not ignored in what is started


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    cores = yield
    return 3 * cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_may_take, reverse=True)
    longest = [item for item in items if any(_may_take(item))]
    items[:] = _dealt(longest, items[len(longest) :], int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _dealt(longest: list[pytest.Item], others: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """In the order in which so many workers are given them: the first gets as many from the front as is its share."""
    hands = workers // 2 or 1
    dealt: list[pytest.Item] = []
    left, rest = len(longest) + len(others), iter(others)
    for worker in range(workers):
        share = left // (workers - worker)
        left -= share
        hand = longest[worker::hands] if worker < hands else []
        dealt += [*hand, *islice(rest, max(0, share - len(hand)))]
    return dealt


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()  # what is loaded stays: looking through it for garbage again and again took a twentieth of the run
    gc.enable()


def _may_take(item: pytest.Item) -> tuple[float, bool]:
    """How much, against others: its limit, if it has one of its own (which is above that of all others), and whether it
    waits for whole sites."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0, item.nodeid.startswith(OF_WHOLE_SITES)
