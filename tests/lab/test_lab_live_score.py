"""What simulated runs tell a live one: what is left to chance, and what is so for a moment only."""

from __future__ import annotations

from engine.core.ids import SiteId
from engine.sim.scenario.parse import parse
from tui.lab.live_score import score

SINGLE = 'sites s1 s2 s3\nhold\ns1 tweets "X"\ndeliver prepare\nrelease\nrun until quiet\n'


def test_what_every_run_holds_before_a_line_is_waited_for() -> None:
    found = score(parse(SINGLE, "a test"))
    held = [{str(each) for each in found.must_hold(line)} for line in range(5)]
    prepares = {f"prepare from s1 to {site} of slot 1, 1st ballot of s1" for site in ("s2", "s3")}
    promises = {f"promise from {site} to s1 of slot 1, 1st ballot of s1" for site in ("s2", "s3")}
    assert held == [set(), set(), prepares, promises, set()]


def test_whose_lines_take_time_says_what_is_so_for_a_moment_only() -> None:
    text = "sites s1 s2 s3\ncut s1 | s2 s3\ns1 reads timeout 100 ms\nexpect read of s1 open\n"
    assert set(found := score(parse(text, "a test")).too_late) == {2}
    assert found[2] >= 90, "its time has to pass"
    assert score(parse(SINGLE, "a test")).too_late == {}


def test_an_event_is_told_by_its_place_among_those_of_its_site() -> None:
    found = score(parse(SINGLE, "a test")).as_written
    s1 = SiteId("s1")
    assert list(found.events.values()) == [(s1, 1)]
    assert found.learned == {1: (s1, 1)}
