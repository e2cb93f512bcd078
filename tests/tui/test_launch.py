"""Engines as processes of their own, and the demo (docs/commands.md): who starts them, and who ends them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config import read_cluster
from engine.template import choose_names, write_files
from tests.ports import free_addresses
from tests.real_cluster import (
    BOUND_S,
    PROGRAM,
    Engine,
    RealCluster,
    engine_runs,
    environment,
    process_runs,
    run,
    until,
)
from tui.client import Client
from tui.exits import CommandFailed
from tui.interrupts import Interrupted, Interrupts
from tui.launch import EngineProcess, is_running, stop_all, stop_children
from tui.selection import LocalSite, local_site


@pytest.fixture
def local(tmp_path: Path) -> LocalSite:
    cluster = RealCluster(tmp_path, ("alice",))
    return local_site(read_cluster(cluster.sites_path), cluster.data_path, "alice")


def _process_id(local: LocalSite) -> int:
    with Client.connect(local.socket_path) as client:
        process_id = client.peer_process()
    assert process_id is not None
    return process_id


def test_an_engine_is_started_ready_and_stopped(local: LocalSite) -> None:
    assert not is_running(local)
    engine = EngineProcess.start_alone(local)
    try:
        with Interrupts() as interrupts:
            engine.wait_ready(interrupts)
        assert is_running(local)
        assert _process_id(local) == engine.process_id
        assert local.log_path.read_text()
    finally:
        stop_all([local], [engine])
    assert engine.poll() == 0
    assert not is_running(local)


def test_an_engine_that_does_not_start_says_why_with_its_status(local: LocalSite) -> None:
    local.folder.mkdir(parents=True)
    local.log_path.write_text("2026-11-21T12:00:00.000Z INFO an older line\n")
    (local.folder / "site.db").write_bytes(b"not a database" * 100)
    engine = EngineProcess.start_alone(local)
    with Interrupts() as interrupts, pytest.raises(CommandFailed, match=r"alice did not start.*site\.db") as failed:
        engine.wait_ready(interrupts)
    stop_all([local], [engine])
    assert failed.value.status == 3
    assert "an older line" not in str(failed.value)


def test_a_start_that_comes_second_leaves_the_first_engine_alone(local: LocalSite) -> None:
    """Two `open`, or a `demo` beside a `serve`: the lock decides (D4), and the one that lost stops nobody else's."""
    first = EngineProcess.start_alone(local)
    try:
        with Interrupts() as interrupts:
            first.wait_ready(interrupts)
            second = EngineProcess.start_alone(local)
            with pytest.raises(CommandFailed) as failed:
                second.wait_ready(interrupts)
        assert failed.value.status == 4
        stop_children([second])
        assert is_running(local)
    finally:
        stop_all([local], [first])


def test_what_an_engine_waits_for_is_told_and_it_stops_at_once(
    local: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """192.0.2.0/24 is nobody's: a machine that starts may not have its address yet."""
    text = local.sites_path.read_text()
    local.sites_path.write_text(re.sub(r"alice: 127\.0\.0\.1", "alice: 192.0.2.1", text))
    told: list[str] = []

    def hears(message: str) -> None:
        told.append(message)
        raise Interrupted

    monkeypatch.setattr("tui.launch.complain", hears)
    engine = EngineProcess.start_alone(local)
    with Interrupts() as interrupts, pytest.raises(Interrupted):
        engine.wait_ready(interrupts)
    stop_children([engine])
    assert engine.poll() == 0
    assert "the engine of alice waits: 192.0.2.1 port" in told[0]
    assert "is not an address of this machine yet" in told[0]


def test_an_engine_that_waits_too_long_is_given_up_with_the_reason(
    local: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EngineProcess.start_alone(local)
    local.log_path.write_text("2026-11-21T12:00:00.000Z WARNING waits: the moon is not up yet\n")
    monkeypatch.setattr("tui.launch._read_line", lambda *words: words[-1]())
    with Interrupts() as interrupts, pytest.raises(CommandFailed, match="still waits: the moon is not up yet"):
        engine.wait_ready(interrupts)
    stop_children([engine])


def test_a_signal_ends_the_waiting_for_an_engine(local: LocalSite) -> None:
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        engine = EngineProcess.start_alone(local)
        with pytest.raises(Interrupted):
            engine.wait_ready(interrupts)
    stop_children([engine])
    assert engine.poll() in {0, -signal.SIGTERM}


def test_an_engine_that_does_not_answer_is_killed_by_its_parent_alone(
    local: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.launch.STOP_TIMEOUT_S", 0.2)
    engine = EngineProcess.start_alone(local)
    with Interrupts() as interrupts:
        engine.wait_ready(interrupts)
    os.kill(engine.process_id, signal.SIGSTOP)
    stop_all([local], [engine])
    assert engine.poll() == -signal.SIGKILL


class Demo:
    """`loggos demo --headless` as a process."""

    def __init__(self, folder: Path, size: int, *words: str) -> None:
        if not (folder / "sites.yaml").exists():  # it would draw ports that a demo of another test draws too
            folder.mkdir()
            write_files(folder / "sites.yaml", f"demo-{size}", free_addresses(choose_names((), size)))
        self.process = subprocess.Popen(
            [*PROGRAM, "demo", "--headless", "--data", str(folder), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()

    def local_sites(self) -> list[LocalSite]:
        said = json.loads(self.ready)
        cluster = read_cluster(Path(said["sites"]))
        return [local_site(cluster, Path(said["data"]), site) for site in cluster.addresses]

    def end(self, number: signal.Signals) -> tuple[int, bytes]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=BOUND_S)
        return self.process.returncode, err


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path / "demo", 2)
    yield started
    started.process.kill()
    started.process.communicate(timeout=BOUND_S)
    stop_all(started.local_sites(), [])  # whatever a broken demo left behind


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_and_all_its_engines(demo: Demo, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "demo"
    assert json.loads(demo.ready) == {"ready": True, "sites": str(folder / "sites.yaml"), "data": str(folder)}
    assert list(json.loads(demo.ready)) == ["ready", "sites", "data"]
    engines = [_process_id(local) for local in demo.local_sites()]
    assert len(engines) == 2
    assert demo.end(number) == (0, b"")
    assert not any(process_runs(engine) for engine in engines)


def test_killing_the_demo_ends_its_engines_too(demo: Demo) -> None:
    engines = [_process_id(local) for local in demo.local_sites()]
    demo.end(signal.SIGKILL)
    until(lambda: not any(process_runs(engine) for engine in engines), "the engines notice that the demo is gone")


def test_a_second_demo_in_the_folder_is_refused_and_disturbs_nothing(demo: Demo, tmp_path: Path) -> None:
    said = run("demo", "--headless", "--data", str(tmp_path / "demo"))
    assert (said.status, said.out) == (4, "")
    assert said.err.count("\n") == 1
    assert all(engine_runs(local.socket_path) for local in demo.local_sites())


def test_started_again_it_goes_on_with_the_same_ports_and_logs(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    options = ("--sites", str(folder / "sites.yaml"), "--data", str(folder))
    sites = (folder / "sites.yaml").read_bytes()
    assert run(*options, "tweet", "alice", "hello", "--timeout", "50").status == 0
    demo.end(signal.SIGTERM)
    assert run("demo", "--headless", "--size", "4", "--data", str(folder)).status == 2
    again = Demo(folder, 2)
    try:
        assert (folder / "sites.yaml").read_bytes() == sites
        assert [line["text"] for line in run(*options, "view", "alice", "--json").lines] == ["hello"]
    finally:
        assert again.end(signal.SIGTERM) == (0, b"")


def test_an_engine_that_dies_is_reported_and_can_be_started_again(demo: Demo, tmp_path: Path) -> None:
    """The demo stops that one too, though it did not start it."""
    folder = tmp_path / "demo"
    bob = demo.local_sites()[1]
    os.kill(_process_id(bob), signal.SIGKILL)
    assert demo.process.stderr is not None
    report = demo.process.stderr.readline().decode()
    assert "the engine of bob ended (killed by SIGKILL)" in report
    restarted = Engine(
        ["--sites", str(folder / "sites.yaml"), "--data", str(folder), "serve", "bob"], folder / "bob.log"
    )
    try:
        assert json.loads(restarted.ready)["site"] == "bob"
        assert demo.end(signal.SIGTERM) == (0, b"")
        assert restarted.process.wait(BOUND_S) == 0
    finally:
        restarted.close()


def test_an_engine_that_runs_already_keeps_the_demo_from_starting(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo.end(signal.SIGTERM)
    other = Engine(["--sites", str(folder / "sites.yaml"), "--data", str(folder), "serve", "bob"], folder / "bob.log")
    try:
        assert json.loads(other.ready)["site"] == "bob"
        said = run("demo", "--headless", "--data", str(folder))
        assert said.status == 4
        assert "bob" in said.err
        assert other.process.poll() is None
    finally:
        other.close()


def test_a_demo_whose_store_cannot_be_used_says_how_another_begins(tmp_path: Path) -> None:
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "site.db").write_bytes(b"not a database" * 100)
    failed = run("demo", "--headless", "--size", "1", "--data", str(tmp_path))
    assert list(read_cluster(tmp_path / "sites.yaml").addresses) == ["alice"]
    assert failed.status == 3
    assert "`loggos demo --data DIR` starts another demo, in its own folder" in failed.err


def test_the_demo_makes_its_own_sites_file(tmp_path: Path) -> None:
    said = run("demo", "--headless", "--sites", str(tmp_path / "sites.yaml"), "--data", str(tmp_path / "demo"))
    assert said.status == 2
    assert not (tmp_path / "demo").exists()
