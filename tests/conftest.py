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
- What may take longest begins first (`tests.dealing`), in whatever order the rest comes.
- Hypothesis has no deadline (two cores are shared by all); on CI its examples are the same on every run.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.dealing import dealt, may_take
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
    items.sort(key=may_take, reverse=True)
    longest = [item for item in items if any(may_take(item))]
    items[:] = dealt(longest, items[len(longest) :], int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()  # what is loaded stays: looking through it for garbage again and again took a twentieth of the run
    gc.enable()
