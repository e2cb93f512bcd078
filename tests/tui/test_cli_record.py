"""`trace --record`: a file that holds what happened, however the recording ends (docs/commands.md, "Recordings")."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from engine.contract.notifications import RecordLine, SaidLine
from tests.real_cluster import BOUND_S, PROGRAM, RealCluster, Said, environment, interrupt, until
from tests.runtime.test_subscriptions import FakePicture
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.client import Client
from tui.exits import CommandFailed, ExitStatus
from tui.lab.recording import Recording, Told, parsed
from tui.recorder import Recorder
from tui.recorders import Recorders
from tui.recording import End, Gap
from tui.selection import LocalSite

LINE = RecordLine(
    at="2026-11-21T12:00:00.123Z",
    turn=3,
    dir="self",
    peer=None,
    sent=None,
    came=None,
    flight=None,
    fate=None,
    lines=(SaidLine("leads", 1, None, "x"),),
    slots=(),
    ranges=None,
    heard={},
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("recorded"), ("alice",)) as one:
        one.serve_all()
        yield one


class Command:
    """`trace alice --record FILE` as a process that records already."""

    def __init__(self, cluster: RealCluster, path: Path, *words: str) -> None:
        self.path = path
        self.process = cluster.start("trace", "alice", "--record", str(path), "--json", *words)
        assert self.process.stdout is not None
        self.began = json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=BOUND_S)

    @property
    def recording(self) -> Recording:
        """What is in the file by now."""
        return parsed(self.path.name, self.path.read_bytes())

    def told(self, word: str) -> list[Told]:
        return [
            line.event for line in self.recording.lines if isinstance(line.event, Told) and line.event.line.type == word
        ]


def tweets(cluster: RealCluster, text: str) -> None:
    assert cluster.ask("alice", "submit", {"kind": "tweet", "text": text})["outcome"] == "created"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_happens_is_written_until_a_signal_ends_it_well(
    cluster: RealCluster, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "alice.jsonl"
    with closing(Command(cluster, path)) as command:
        assert command.began == {"recording": str(path), "site": "alice"}
        tweets(cluster, "hello")
        until(lambda: command.told("created"), "the tweet is recorded")
        said = interrupt(command.process, number)
    recording = parsed("alice.jsonl", path.read_bytes())
    count = len(recording.lines)
    assert (said.status, said.err) == (0, f"loggos: {count} lines of alice are in {path}\n")
    assert recording.lines[-1].event == End("it was interrupted", False)
    header, status = recording.header, cluster.ask("alice", "status")
    assert (header.cluster, header.site, header.sites, header.pid) == (
        "test-island",
        "alice",
        ("alice",),
        status["pid"],
    )
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_written_over_only_when_told_so(cluster: RealCluster, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("mine")
    said = cluster.run("trace", "alice", "--record", str(path))
    assert (said.status, said.out, path.read_text()) == (2, "", "mine")
    assert said.err == f"loggos: {path} already exists: name another file, or replace it with --overwrite\n"
    with closing(Command(cluster, path, "--overwrite")) as command:
        assert interrupt(command.process, signal.SIGINT).status == 0
        assert command.recording.site == "alice"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--record", "here", "--follow"), "leave out --follow"),
        (("--record", "here", "--slot", "3"), "leave out --slot"),
        (("--record", "/no/such/folder/file"), "cannot write /no/such/folder/file (No such file or directory)"),
    ],
)
def test_what_cannot_be_recorded_ends_with_2(cluster: RealCluster, words: tuple[str, ...], says: str) -> None:
    said = cluster.run("trace", "alice", *words)
    assert (said.status, said.out) == (2, "")
    assert says in said.err


def test_without_an_engine_nothing_is_written(tmp_path: Path) -> None:
    with RealCluster(tmp_path, ("alice",)) as none:
        path = tmp_path / "old"
        path.write_text("mine")
        said = none.run("trace", "alice", "--record", str(path), "--overwrite")
    assert (said.status, path.read_text()) == (5, "mine")


def test_a_recorder_that_is_killed_leaves_whole_lines(cluster: RealCluster, tmp_path: Path) -> None:
    with closing(Command(cluster, tmp_path / "alice.jsonl")) as command:
        tweets(cluster, "hello")
        until(lambda: command.told("created"), "the tweet is recorded")
        command.process.kill()
        command.process.wait(BOUND_S)
        assert not command.recording.cut_off
        assert not isinstance(command.recording.lines[-1].event, End)


def test_a_disk_that_takes_no_more_ends_it_with_6_and_what_was_recorded_stays(
    cluster: RealCluster, tmp_path: Path
) -> None:
    path = tmp_path / "alice.jsonl"
    bounded = ("sh", "-c", 'ulimit -f 8 && exec "$@"', "sh")  # blocks of 512 bytes
    process = subprocess.Popen(
        [*bounded, *PROGRAM, *cluster.options, "trace", "alice", "--record", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    for number in range(8):
        tweets(cluster, f"{number} " + "x" * 200)
    out, err = process.communicate(timeout=BOUND_S)
    said = Said(process.returncode, out.decode(), err.decode())
    recording = parsed("alice.jsonl", path.read_bytes())
    assert not recording.cut_off
    account, complaint = said.err.splitlines()
    assert said.status == 6
    assert f"{path} cannot be written (File too large): it keeps what was recorded" in complaint
    assert account.startswith(f"loggos: {len(recording.lines)} lines of alice are in")


def test_an_engine_that_ends_ends_its_recording_with_5(tmp_path: Path) -> None:
    with RealCluster(tmp_path, ("alice",)) as one:
        one.serve_all()
        with closing(Command(one, tmp_path / "alice.jsonl")) as command:
            one.engines["alice"].kill()
            _, err = command.process.communicate(timeout=BOUND_S)
            assert command.process.returncode == 5
            assert b"the engine of alice ended" in err
            end = command.recording.lines[-1].event
    assert isinstance(end, End)
    assert end.stopped


def _answers(engine: ScriptedEngine, request: Json) -> None:
    """As an engine that told so much at once that a slow reader missed some of it."""
    match request["method"]:
        case "subscribe":
            engine.answer(request, {"subscribed": ["record"]})
            engine.send(_observed(0, 2))
            engine.send(_observed(7, 1))
        case "status":
            engine.answer(request, to_builtins(FakePicture().status()))
            engine.send(_observed(0, 1))
            engine.hang_up()
        case method:
            raise AssertionError(method)


def _observed(dropped: int, count: int) -> dict[str, Any]:
    items = [{"topic": "record", **to_builtins(LINE)}] * count
    return {"jsonrpc": "2.0", "method": "observed", "params": {"dropped": dropped, "items": items}}


@pytest.fixture
def local(tmp_path: Path) -> LocalSite:
    nowhere = tmp_path / "nowhere"
    return LocalSite("alice", nowhere, nowhere, nowhere, tmp_path / "gone.sock", nowhere)


def test_what_the_engine_left_out_is_a_gap_in_the_file(tmp_path: Path, local: LocalSite) -> None:
    path = tmp_path / "alice.jsonl"
    never, writing = os.pipe()
    with (
        os.fdopen(never),
        os.fdopen(writing, "w"),
        ScriptedEngine(tmp_path / "control.sock", _answers) as engine,
        Client.connect(engine.path) as client,
        Recorder.begin(local, client, ("alice", "bob"), path, overwrite=False) as recorder,
    ):
        with pytest.raises(Exception, match="closed the connection"):
            recorder.run(never, "never")
        assert recorder.account == f"6 lines of alice are in {path}; 7 were left out, for this recorder was slow"
    events = [line.event for line in parsed("alice.jsonl", path.read_bytes()).lines]
    assert [type(event) for event in events] == [Told, Told, Gap, Told, Told, End]
    assert events[2] == Gap(7)
    assert events[-1] == End("the engine closed the connection", stopped=True), "nothing listens there"


def test_what_an_engine_tells_at_its_end_is_waited_for(
    tmp_path: Path, local: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo has stopped its engines when its recorders end: the last lines are still on their way."""
    monkeypatch.setattr("tui.recorders.END_TIMEOUT_S", BOUND_S)
    clients: list[str] = []

    def script(engine: ScriptedEngine, request: Json) -> None:
        match request["method"]:
            case "subscribe":
                clients.append("recorder")
                engine.answer(request, {"subscribed": ["record"]})
            case "status" if len(clients) == 1:
                engine.answer(request, to_builtins(FakePicture().status()))
                clients.append("whoever asks whether it runs")
            case _:
                engine.hang_up()

    path = tmp_path / "alice.jsonl"
    with ScriptedEngine(tmp_path / "control.sock", script) as engine:
        recorders = Recorders({replace(local, socket_path=engine.path): path}, ("alice",), overwrite=False)
        recorders.begin()
        ending = threading.Thread(target=recorders.__exit__)
        ending.start()
        ending.join(0.3)
        assert ending.is_alive(), "it waits for the engine"
        engine.send(_observed(0, 3))
        engine.hang_up()
        ending.join(BOUND_S)
    assert recorders.told() is None
    events = [line.event for line in parsed("alice.jsonl", path.read_bytes()).lines]
    assert [type(event) for event in events] == [Told, Told, Told, End]
    assert events[-1] == End("the engine closed the connection", stopped=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_a_disk_that_is_full_from_the_start_ends_it_with_6(tmp_path: Path, local: LocalSite) -> None:
    with ScriptedEngine(tmp_path / "control.sock", _answers) as engine, Client.connect(engine.path) as client:
        with pytest.raises(CommandFailed) as failed:
            Recorder.begin(local, client, ("alice",), Path("/dev/full"), overwrite=True)
        assert failed.value.status == ExitStatus.UNWRITTEN
