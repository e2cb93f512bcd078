"""Coroutine tests of this folder run in asyncio, as Textual does; pytest-trio has those of all others.

A style sheet is parsed once a process, and not by each app anew: that is a quarter of what a start costs. A strip has
those of its seven caches that it is asked for, and not all from the beginning: that is a tenth of all that is painted.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from rich.segment import Segment
from textual.cache import FIFOCache
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.strip import Strip

from tui import times

HERE = Path(__file__).parent

_parse_rules = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], list[RuleSet]] = {}
_CACHES: Final = {
    name: cache._maxsize for name in Strip.__slots__ if isinstance(cache := getattr(Strip([]), name), FIFOCache)
}
"""Of a strip, by their names: how many each keeps."""


def _parsed_once(self: Stylesheet, *source: Any, **how: Any) -> list[RuleSet]:
    key = (source, *how.items(), *self._variables.items())
    if key not in _parsed:
        _parsed[key] = _parse_rules(self, *source, **how)
    return _parsed[key]


def _without_caches(self: Strip, segments: Iterable[Segment], cell_length: int | None = None) -> None:
    self._segments = list(segments)
    self._cell_length = cell_length
    self._render_cache = self._link_ids = self._cell_count = None


def _cache_asked_for(self: Strip, name: str) -> FIFOCache[Any, Any]:
    if name not in _CACHES:
        raise AttributeError(name)
    cache = FIFOCache[Any, Any](_CACHES[name])
    setattr(self, name, cache)
    return cache


@pytest.fixture(scope="session", autouse=True)
def textual_does_less() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Stylesheet, "_parse_rules", _parsed_once)
        patched.setattr(Strip, "__init__", _without_caches)
        patched.setattr(Strip, "__getattr__", _cache_asked_for, raising=False)
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
