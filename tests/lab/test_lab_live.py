"""Scenarios on real engines: they go as in the simulated world; and whatever ends a run, nothing of it is left."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from engine.core.settings import Leadership
from engine.sim.scenario.parse import parse
from tests.forked import Forked
from tests.lab.hurried import hurried, hurry
from tests.ports import let_the_program_draw
from tests.real_cluster import (
    BOUND_S,
    RealCluster,
    engine_runs,
    environment,
    interrupt,
    process_runs,
    until,
    with_leadership,
)
from tui.exits import CommandFailed, ExitStatus
from tui.lab import live_play
from tui.lab.live import Where, play_live

PATIENT: Final = "heartbeat_ms: 2000\nretransmit_ms: 1000\nfill_every_s: 15\nscan_every_s: 75\n"
"""Five times the usual: what takes no time in the simulated world is done before a timer comes."""

SETTLES_SOON: Final = "heartbeat_ms: 500\nretransmit_ms: 1000\nfill_every_s: 1\nscan_every_s: 5\n"

NAMES: Final = ("alice", "bob", "carol")
# As long as anything may take (`BOUND_S`).
ENDLESS: Final = """\
# Everything that must be put right at once: messages are held, bob stands still, carol was killed.
sites s1 s2 s3
hold
cut s1 | s3
s1 tweets "never chosen"
crash s3
pause s2 1 min
run 1 min
"""


def where(cluster: RealCluster) -> Where:
    return Where(cluster.sites_path, str(cluster.data_path))


def plays(cluster: RealCluster, name: str) -> None:
    done = cluster.run("lab", name, "--live")
    assert (done.status, done.err) == (0, ""), done.out
    assert done.out.splitlines()[-1].startswith("= as expected; the trace is that of the simulated world: ")
    assert_no_rules(cluster)


def _has_no_rules(cluster: RealCluster, name: str) -> bool:
    return bool(cluster.ask(name, "faults")["rules"] == [])


def assert_no_rules(cluster: RealCluster) -> None:
    for name in cluster.names:
        faults = cluster.ask(name, "faults")
        assert (faults["rules"], faults["held"]) == ([], []), name


def test_duels_go_as_in_the_simulated_world_one_after_the_other_on_fresh_slots(tmp_path: Path) -> None:
    """In a log that has slots and ballots already."""
    with RealCluster(tmp_path, ("alice", "bob", "carol", "dave", "erin"), PATIENT) as cluster:
        cluster.serve_all()
        for name in ("bb-wins", "a-wins"):
            plays(cluster, name)


@pytest.mark.parametrize(
    ("name", "leadership"), [("hole-recovered", Leadership.NONE), ("hole-noop", Leadership.ELECTED)]
)
def test_holes_are_settled_as_in_the_simulated_world_with_processes_that_are_killed(
    tmp_path: Path, name: str, leadership: Leadership
) -> None:
    """The first site is killed, and started again; the second scenario names who leads."""
    with RealCluster(tmp_path, NAMES, SETTLES_SOON, leadership) as cluster:
        cluster.serve_all()
        try:
            plays(cluster, name)
            assert cluster.engines["alice"].process.wait() == -signal.SIGKILL
        finally:
            stopped = cluster.run("stop", "alice")
        assert stopped.status == 0, "another process of alice's runs"


def test_the_lab_makes_a_cluster_that_fits_and_leaves_nothing_of_it() -> None:
    with TemporaryDirectory() as folder:  # with a short name: sockets are made in it
        lab = Forked(
            ("lab", "single", "--live", "--json"), environment() | {"TMPDIR": folder}, first=let_the_program_draw
        )
        out, err = lab.communicate(timeout=BOUND_S)
        assert (lab.returncode, err) == (0, b"")
        assert json.loads(out)["as_expected"] is True
        assert list(Path(folder).iterdir()) == []


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("three"), NAMES, SETTLES_SOON) as cluster:
        cluster.serve_all()
        yield cluster
        for name in NAMES:  # those that the lab started are no children of this process
            if engine_runs(cluster.socket_path(name)):
                cluster.run("stop", name)


@pytest.fixture
def in_no_time() -> Iterator[None]:
    with hurried():
        yield


def pid(cluster: RealCluster, name: str) -> int:
    number: int = cluster.ask(name, "status")["pid"]
    return number


def stands_still(process_id: int) -> bool:
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_whatever_ends_a_run_nothing_of_it_is_left(three: RealCluster, tmp_path: Path, ending: signal.Signals) -> None:
    file = tmp_path / "endless.scenario"
    file.write_text(ENDLESS)
    bob, carol = pid(three, "bob"), pid(three, "carol")
    process = three.start("lab", str(file), "--live", first=hurry)
    until(lambda: not process_runs(carol), "carol is killed")
    until(lambda: stands_still(bob), "bob stands still")
    assert three.ask("alice", "faults")["rules"] != []
    assert [rule["while_connected"] for rule in three.ask("alice", "faults")["rules"]].count(False) == 0
    said = interrupt(process, ending)
    if ending is not signal.SIGKILL:
        assert said.status == 128 + signal.SIGINT, said
        assert "bob goes on\ncarol runs again\n" in said.out
        assert "the run's changes to the sites are undone" in said.err
    until(lambda: not stands_still(bob), "bob goes on")
    until(lambda: engine_runs(three.socket_path("carol")), "carol runs again")
    for name in NAMES:
        until(partial(_has_no_rules, three, name), f"{name} has no rule left")
    for name in NAMES:
        three.until_reached(name, 3)
    assert_no_rules(three)


@pytest.mark.usefixtures("in_no_time")
def test_a_scenario_that_does_not_go_as_it_says_ends_with_what_is_true_and_without_its_rules(
    three: RealCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is so in the simulated world is not here: a rule that nobody told of is in bob's way."""
    monkeypatch.setattr(live_play, "PATIENCE_S", 0.5)
    schedule = parse('sites s1 s2 s3\ncut s1 > s3\ns1 tweets "X"\nmend\nrun until quiet\n', "a test")

    def say(line: str) -> None:
        if line.startswith("> s1 tweets"):
            three.ask("bob", "faults.add", {"rule": "from=* type=accept,chosen,known,prepare,promise drop"})

    try:
        verdict = play_live("a test", schedule, where(three), say)
        rules = three.ask("bob", "faults")["rules"]
        assert [rule["while_connected"] for rule in rules] == [False], (
            "that of somebody else is not the run's to remove"
        )
    finally:
        three.ask("bob", "faults.clear")
    assert not verdict.as_expected
    assert "line 5: run until quiet: " in verdict.verdict
    assert_no_rules(three)


@pytest.mark.usefixtures("in_no_time")
def test_an_engine_that_is_killed_meanwhile_ends_the_run_and_the_others_have_no_rule_left(three: RealCluster) -> None:
    schedule = parse('sites s1 s2 s3\nhold\ns1 tweets "X"\nrun 1 min\n', "a test")
    killed: list[int] = []

    def say(line: str) -> None:
        if line == "> run 1 min":
            killed.append(pid(three, "carol"))
            subprocess.run(["kill", "-9", str(killed[0])], check=True)

    try:
        with pytest.raises(CommandFailed, match="the engine of carol ended meanwhile") as failed:
            play_live("a test", schedule, where(three), say)
        assert failed.value.status == ExitStatus.NO_ENGINE
        assert [three.ask(name, "faults")["rules"] for name in ("alice", "bob")] == [[], []]
    finally:
        three.serve("carol")
    for name in NAMES:
        three.until_reached(name, 3)


@pytest.mark.usefixtures("in_no_time")
def test_rules_of_a_person_are_no_ground_to_play_on(three: RealCluster) -> None:
    rule = three.ask("bob", "faults.add", {"rule": "to=carol delay=5ms"})
    try:
        with pytest.raises(CommandFailed, match="bob has fault rules of its own, the first is `to=carol delay=5ms`"):
            play_live("single", parse('sites s1 s2 s3\ns1 tweets "X"\n', "a test"), where(three), print)
    finally:
        three.ask("bob", "faults.remove", {"number": rule["number"]})


@pytest.mark.usefixtures("in_no_time")
def test_engines_that_run_with_another_leadership_than_their_file_says_now_are_no_ground_to_play_on(
    three: RealCluster, tmp_path: Path
) -> None:
    file = tmp_path / "sites.yaml"
    file.write_text(with_leadership(three.sites_path.read_text(), Leadership.ELECTED))
    (tmp_path / "cluster.key").write_bytes((three.folder / "cluster.key").read_bytes())
    (tmp_path / "cluster.key").chmod(0o600)
    schedule = parse('sites s1 s2 s3\nleadership elected\ns1 tweets "X"\n', "a test")
    with pytest.raises(CommandFailed, match="needs leadership elected, alice runs with none") as failed:
        play_live("single", schedule, Where(file, str(three.data_path)), print)
    assert failed.value.status == ExitStatus.BAD_INPUT
