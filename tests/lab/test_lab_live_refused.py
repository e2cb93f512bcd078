"""What real sites cannot do is refused, with its reason, before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.sim.scenario.parse import parse
from tui.exits import CommandFailed, ExitStatus
from tui.lab.live import Where, play_live
from tui.lab.live_refused import refusals

PLAYS = 's1 tweets "X"\nrun until quiet\n'


def refused(text: str) -> list[str]:
    return list(refusals(parse(text, "a test")))


def test_what_is_done_to_messages_processes_and_links_is_done_for_real() -> None:
    lines = (
        'hold\ns1 tweets "X" giving up after 5 s\ndeliver prepare ballot 1.s1\ncut s1 | s2 s3 for 1 s\nmend\n'
        "pause s2 1 s\ncrash s1 down 1 s\nrestart\nrelease\nfill s3\ns2 reads\nrun until up s1 within 5 s\n"
    )
    assert refused(f"sites s1 s2 s3\nround s1 2\n{lines}") == []
    assert refused(f"sites s1 s2 s3\nleadership s1 elected s2 none s3 last-author\n{lines}") == []


@pytest.mark.parametrize(
    ("setup", "line", "why"),
    [
        ("disk s1 5 ms", "run 1 s", "disk:"),
        ("timers late 30 ms", "run 1 s", "timers late:"),
        ("stamps s1 5", "run 1 s", "stamps:"),
        ("links loss 0.1", "run 1 s", "link:"),
        ("leadership elected\nround s1 2", "run 1 s", "round:"),
        ("broken a2-accepting-does-not-raise-the-promise", "run 1 s", "exists only in simulated sites"),
        ("", "clear", "real sites are never cleared"),
        ("", "step 5", "events of real sites cannot be counted"),
        ("", "deliver #5", "the numbers of messages"),
        ("", "wipe s1", "would remain a learner (D5)"),
        ("", "put back s1", "an old copy must never replace"),
        ("", "damage s1", "a real store is not damaged"),
        ("", "fail sync s1", "a real disk does not fail"),
        ("", "jump s1 60 s", "the machine's clock is shared"),
        ("", "limit s1 | s2 s3 1280 bytes", "not packet lengths"),
        ("", "crash s1 keeping 0.5", "what a real disk keeps"),
        ("", "crash s1 between commit and send", "at an unknown point"),
        ("", "hold promise ballot 1.s1", "which ballots real sites use"),
        ("", "expect stopped s1 by D2", "only a simulated site can be broken"),
    ],
)
def test_what_they_cannot_do_is_refused(setup: str, line: str, why: str) -> None:
    [said] = refused(f"sites s1 s2 s3\n{setup}\n{line}\n")
    assert why in said


def test_a_plan_is_refused() -> None:
    assert refused("sites s1 s2 s3\nplan\nat 5 ms crash s1\ncalm at 9 ms\n")[0].startswith("a plan needs the simulated")


def test_a_demo_that_does_not_fit_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    sites = tmp_path / "sites.yaml"
    sites.write_text("cluster: x\nleadership: elected\nsites:\n  alice: 127.0.0.1:7001\n  bob: 127.0.0.1:7002\n")
    for names, says in (("s1 s2 s3", "the scenario has 3 sites"), ("s1 s2", "the scenario needs leadership none")):
        with pytest.raises(CommandFailed, match=says) as failed:
            play_live("a test", parse(f"sites {names}\n{PLAYS}", "a test"), Where(sites, None), print)
        assert failed.value.status == ExitStatus.BAD_INPUT
