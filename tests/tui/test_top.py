"""`top`: what several sites say, side by side; and what they did between two looks."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.contract.metrics import Metrics
from engine.contract.shape import read
from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import BOUND_S, Shown
from tui.commands.top import _once, shape, sockets_in
from tui.output import Output
from tui.parts import plain
from tui.top import watch
from tui.top.app import TopApp
from tui.top.table import BARS, rows, sparkline
from tui.top.watch import Watch, Watched, rates

NO_QUORUM: Any = {"quorum": {"reachable": 1, "needed": 3, "size": 5}}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be slow, too."""
    monkeypatch.setattr(watch, "ANSWER_S", BOUND_S)


@pytest.fixture
def double(tmp_path: Path) -> EngineDouble:
    return EngineDouble(tmp_path)


def told(double: EngineDouble, events: int = 0, bytes_out: int = 0, **changes: Any) -> Metrics:
    """Each event took 4 ms."""
    status = {**double.status(), **changes}
    costs = status["counters"]["costs"]
    costs |= {"events": events, "messages_out": 8 * events, "commits": 3 * events}
    status["counters"]["bytes_out"] = bytes_out
    created = {"bounds_s": [0.01], "counts": [events, 0], "sum_s": 0.004 * events}
    return read(Metrics, double.metrics() | {"status": status, "created": created})


def watched(double: EngineDouble, *seen: Metrics) -> Watched:
    """A site that was looked at so often, two seconds apart."""
    site = Watched(double.folder / "control.sock")
    for number, each in enumerate(seen):
        site.take(each, 2.0 * number)
    return site


def test_rates_are_of_the_time_between_two_looks(double: EngineDouble) -> None:
    site = watched(double, told(double, 10, 1_000), told(double, 50, 5_000))
    assert site.rates == rates(told(double, 10, 1_000), told(double, 50, 5_000), 2.0)
    assert site.rates is not None
    assert (site.rates.events_per_s, site.rates.sent_bytes_per_s) == (20.0, 2_000.0)
    assert (site.rates.messages_per_event, site.rates.syncs_per_event) == (8.0, 3.0)
    assert site.rates.latency_s == pytest.approx(0.004)
    assert rates(told(double, 10), told(double, 10), 2.0).messages_per_event is None


def test_an_engine_that_was_started_anew_begins_anew(double: EngineDouble) -> None:
    site = watched(double, told(double, 50), told(double, 3, since="2026-11-28T12:00:00.000Z"))
    assert site.rates is None
    site.take(told(double, 5, since="2026-11-28T12:00:00.000Z"), 4.0)
    assert site.rates is not None
    assert site.rates.events_per_s == 1.0


def test_who_was_away_says_nothing_of_the_time_between(double: EngineDouble) -> None:
    site = watched(double, told(double, 10))
    site.lose("the engine does not answer")
    site.take(told(double, 500), 9.0)
    assert site.rates is None
    assert list(site.history) == [None] * 3


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([0.0, 0.0], BARS[0] * 2),
        ([0.0, 7.0, 3.5], f"{BARS[0]}{BARS[7]}{BARS[4]}"),
        ([None, 7.0, None], f" {BARS[7]} "),
    ],
)
def test_the_largest_is_the_highest_bar(values: list[float | None], bars: str) -> None:
    assert sparkline(values, max((value or 0.0 for value in values), default=0.0)) == bars


@pytest.mark.parametrize(("width", "graphs"), [(60, 3), (80, 4), (120, 6), (200, 7)])
def test_no_line_but_a_sentence_is_wider_than_the_screen(double: EngineDouble, width: int, graphs: int) -> None:
    site = watched(double, *(told(double, 100 * number) for number in range(100)))
    _, heads, over_time, alice, bars = [plain(line) for line in rows([site], width)]
    assert max(map(len, (heads, over_time, alice, bars))) <= width
    assert "alice" in alice
    assert over_time.startswith("    events/s to 50.0  ")
    assert ("latency to 4.0 ms" in over_time) is (graphs > 2)
    assert len(bars.split()) == graphs, "the last ones are left out first"
    assert ("syncs/ev" in heads) is (width >= 120), "the last columns are left out first"


def test_bars_of_the_sites_of_a_cluster_are_to_one_scale(double: EngineDouble, tmp_path: Path) -> None:
    """And a site that says nothing has none."""
    other, third = EngineDouble(tmp_path, "bob"), EngineDouble(tmp_path, "carol")
    idle = watched(other, told(other), told(other, 5))
    gone = watched(third, told(third), told(third, 80))
    gone.lose("no engine is running")
    for site in (busy := watched(double, told(double), told(double, 80))), idle, gone:
        site.cluster = "paxos-island"
    lines = [plain(line) for line in rows([busy, idle, gone], 80)]
    assert lines[2].startswith("    events/s to 40.0")
    assert (lines[4].split()[0], lines[6].split()[0]) == (f"{BARS[7]}", f"{BARS[0]}")
    assert lines[7:] == ["○ carol  no engine is running"]


def test_what_is_wrong_stands_beneath_and_a_mark_before(double: EngineDouble) -> None:
    lines = [plain(line) for line in rows([watched(double, told(double, **NO_QUORUM))], 120)]
    assert lines[3].startswith("◐ alice  ")
    assert "1/5" in lines[3]
    assert lines[4].startswith("    ! NO QUORUM")
    gone = watched(double, told(double))
    gone.lose("no engine is running")
    assert plain(rows([gone], 120)[3]) == "○ alice  no engine is running"


def test_sites_are_found_in_data_folders_and_as_such(tmp_path: Path) -> None:
    for place in ("one/alice", "one/bob", "two/carol"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "control.sock").touch()
    (tmp_path / "one/dave").mkdir()
    found = sockets_in([tmp_path / "one", tmp_path / "two/carol", tmp_path / "nowhere"])
    assert [path.parent.name for path in found] == ["alice", "bob", "carol"]


class Sites:
    """Doubles of engines, where `top` looks for sites."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets: list[Path] = []
        self.watch = Watch(lambda: self.sockets)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Sites:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self.watch.close()

    async def start(self, name: str, **changes: Any) -> EngineDouble:
        double = EngineDouble(self.folder, name)
        double.status_changes = changes
        self.sockets.append(double.hop.socket_path)
        return await self._stack.enter_async_context(double)


async def test_one_that_hangs_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "ANSWER_S", 0.2)
    async with Sites(tmp_path) as sites:
        await sites.start("alice")
        hangs = await sites.start("bob")
        hangs.on["metrics"] = lambda _: asyncio.Event().wait()  # never answers
        await sites.start("carol")
        answering: set[str] = set()
        async with asyncio.timeout(BOUND_S):
            while answering != {"alice", "carol"}:
                seen = await asyncio.to_thread(sites.watch.look)
                answering = {site.name for site in seen if site.why is None}
        assert [site.why for site in seen if site.status is None] == ["the engine does not answer"]
        assert {site.cluster for site in seen} == {"paxos-island"}


async def test_lines_are_for_who_has_no_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Sites(tmp_path) as sites:
        await sites.start("alice", leader="bob", leadership="elected")
        await sites.start("bob", **NO_QUORUM)
        assert await asyncio.to_thread(_once, sites.watch, Output(False), 0.01, "nothing") == 0
        head, alice, bob = capsys.readouterr().out.splitlines()
        assert head.split()[:4] == ["site", "cluster", "quorum", "leader"]
        assert alice.split()[:5] == ["●", "alice", "paxos-island", "5/5", "bob"]
        assert "NO QUORUM" in bob


async def test_json_has_all_keys(tmp_path: Path) -> None:
    async with Sites(tmp_path) as sites:
        await sites.start("alice")
        (site,) = await asyncio.to_thread(sites.watch.look)
        told = shape(site)
        site.lose("no engine is running")
        assert shape(site).keys() == told.keys()
        assert json.loads(json.dumps(shape(site)))["takes_events"] is None
        assert told["takes_events"] is True


async def test_where_no_engine_answers_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Sites(tmp_path) as sites:
        assert await asyncio.to_thread(_once, sites.watch, Output(False), 0.01, "no engine below here") == 5
        assert capsys.readouterr().out == "no engine below here\n"


async def test_the_screen_shows_all_and_goes_on_looking(tmp_path: Path) -> None:
    async with Sites(tmp_path) as sites:
        alice = await sites.start("alice")
        await sites.start("bob", **NO_QUORUM)
        app = TopApp(sites.watch, 0.01, "no engine below here")
        async with Shown.of(app, (100, 24)) as shown:
            await shown.until(lambda: "NO QUORUM" in shown.text(), "what is wrong is not shown")
            assert "● alice" in shown.text()
            alice.used_max = 4_321
            await shown.until(lambda: "#4,321" in shown.text(), "what comes is not shown")
            await shown.press("space")
            await shown.until(lambda: "paused" in shown.text(), "it does not stop")
            await shown.press("q")
        assert app.return_value == 0
