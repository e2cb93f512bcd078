"""The time limit of a test: it ends that test, and no other.

Rules that hold here:
- A test whose time is over is interrupted as by Ctrl+C: trio and asyncio bring a KeyboardInterrupt to the test in good
  order, wherever their loop is, and take their run down with it. An exception raised in place would leave the loop
  itself behind, and every later test of the worker would start inside its remains.
- The interrupt becomes the failure of the phase that it ended (setup, call or teardown); pytest never sees it.
- What does not end when it is interrupted is interrupted again, every AGAIN_S.
"""

from __future__ import annotations

import signal
from collections.abc import Generator
from types import FrameType
from typing import Any, Final

import pytest

AGAIN_S: Final = 20.0

_over: dict[pytest.Item, float] = {}
"""The test whose time is over, and what its time was."""


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Before pytest-timeout's own, which raises in place."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _over[item] = settings.timeout
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, AGAIN_S)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _over.pop(item, None)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    yield from _limited(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield from _limited(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    yield from _limited(item)


def _limited(item: pytest.Item) -> Generator[None, None, None]:
    try:
        yield
    except BaseException as ended:
        timeout_s = _over.pop(item, None)
        if timeout_s is None:
            raise
        raise pytest.fail.Exception(f"the time limit of {timeout_s:g} s is over") from ended
