"""Coroutine tests of this folder run in asyncio, as Textual does; pytest-trio has those of all others.

A style sheet is parsed once a process, and not by each app anew: that is a quarter of what a start costs.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tui import times

HERE = Path(__file__).parent

_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], list[RuleSet]] = {}


def _parsed_once(self: Stylesheet, *source: Any, **how: Any) -> list[RuleSet]:
    key = (source, *how.items(), *self._variables.items())
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, *source, **how)
    return _parsed[key]


@pytest.fixture(scope="session", autouse=True)
def style_sheets_are_parsed_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Stylesheet, "_parse_rules", _parsed_once)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before pytest-trio looks for coroutines, those of this folder become plain functions."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj) and HERE in item.path.parents:
            item.obj = _in_asyncio(item.obj)


def _in_asyncio(test: Any) -> Any:
    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Golden files hold local times of one day."""
    monkeypatch.setattr(times, "now", lambda: datetime(2026, 11, 21, 14, 0, tzinfo=UTC))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    times.local_time.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
