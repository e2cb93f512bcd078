"""What simulated runs tell a live one: what is left to chance, and what is so for a moment only."""

from __future__ import annotations

import math

import pytest

from engine.core.ids import SiteId, Tick
from engine.core.settings import Timings
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.schedule import Schedule
from tui.lab import live_score
from tui.lab.catalogue import FOLDER
from tui.lab.live_score import score

SINGLE = 'sites s1 s2 s3\nhold\ns1 tweets "X"\ndeliver prepare\nrelease\nrun until quiet\n'


def test_what_every_run_holds_before_a_line_is_waited_for() -> None:
    found = score(parse(SINGLE, "a test"), Timings())
    held = [{str(each) for each in found.must_hold(line)} for line in range(5)]
    prepares = {f"prepare from s1 to {site} of slot 1, 1st ballot of s1" for site in ("s2", "s3")}
    promises = {f"promise from {site} to s1 of slot 1, 1st ballot of s1" for site in ("s2", "s3")}
    assert held == [set(), set(), prepares, promises, set()]


def test_whose_lines_take_time_says_what_is_so_for_a_moment_only() -> None:
    text = "sites s1 s2 s3\ncut s1 | s2 s3\ns1 reads timeout 100 ms\nexpect read of s1 open\n"
    assert set(found := score(parse(text, "a test"), Timings()).too_late) == {2}
    assert found[2] >= 90, "its time has to pass"
    assert score(parse(SINGLE, "a test"), Timings()).too_late == {}


def test_an_event_is_told_by_its_place_among_those_of_its_site() -> None:
    found = score(parse(SINGLE, "a test"), Timings()).as_written
    s1 = SiteId("s1")
    assert list(found.events.values()) == [(s1, 1)]
    assert found.learned == {1: (s1, 1)}


def test_what_the_real_sites_timings_bring_about_is_left_to_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another site's filler looks as often as an accept is repeated there: it may settle the hole before who is asked
    to. With the scenario's own timings it never does."""
    monkeypatch.setattr(live_score, "MORE_WITHIN_S", math.inf)  # the same runs on every machine
    schedule = read(FOLDER / "hole-recovered.scenario")
    own = schedule.setup.timings
    eager = Timings(Tick(100), Tick(200), Tick(200), Tick(1_000))
    asked = {timings: _runs_in_which(schedule, timings, "prepare from s2 ") for timings in (own, eager)}
    assert all(asked[own])
    assert not all(asked[eager])


def _runs_in_which(schedule: Schedule, timings: Timings, said: str) -> list[bool]:
    runs = score(schedule, timings).runs
    return [any(str(each).startswith(said) for step in run.steps for each in step.sent) for run in runs]
