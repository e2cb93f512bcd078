"""Output that cannot be written: status 6, and what was done is on stderr (docs/commands.md, "Exit status")."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from engine.core.ids import SiteId, Slot
from storage.audit.report import Report, Unreadable, Violation
from tests.real_cluster import BOUND_S, PROGRAM, RealCluster, environment
from tests.tui.engine_double import outcome, span
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.cli import main
from tui.client import Client
from tui.commands import audit
from tui.output import open_stdout

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

COMPLAINT = "loggos: the output cannot be written: No space left on device\n"
JSON = pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
LINE: Json = {"slot": 1, "author": "alice", "text": "x" * 200, "at": "2026-11-21T12:00:00.123Z"}


def into_full(*words: str, folder: Path, stdin: bytes = b"") -> tuple[int, str]:
    """The status of a command whose stdout is a full disk, and its stderr."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        return _ended([*PROGRAM, *words], folder, full.fileno(), stdin)


class Here(Protocol):
    def __call__(self, *words: str) -> tuple[int, str]: ...


@pytest.fixture
def into_full_here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """As `into_full`, in this process."""

    def run_here(*words: str) -> tuple[int, str]:
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            with monkeypatch.context() as patched:
                patched.setattr("sys.argv", ["loggos", *words])
                patched.setattr("sys.stdout", stdout := open_stdout(full))
                status = main()
                stdout.close()
        finally:
            os.close(full)
        return status, capfd.readouterr().err

    return run_here


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """An engine that has a tweet."""
    with RealCluster(tmp_path_factory.mktemp("alone"), ("alice",)) as one:
        one.serve_all()
        assert one.ask("alice", "submit", {"kind": "tweet", "text": "hi"})["outcome"] == "created"
        yield one


def _ended(command: Sequence[str], folder: Path, stdout: int, stdin: bytes = b"") -> tuple[int, str]:
    ran = subprocess.run(
        command,
        stdout=stdout,
        stderr=subprocess.PIPE,
        input=stdin,
        cwd=folder,
        env=environment() | {"LOGGOS_DATA": str(folder), "PYTHONPATH": str(Path.cwd())},
        timeout=BOUND_S,
        check=False,
    )
    return ran.returncode, ran.stderr.decode()


def answer(engine: ScriptedEngine, request: Json) -> None:
    number = len(engine.named("submit"))
    match request["method"], request["params"].get("text"):
        case "submit", "no":
            engine.answer(request, outcome("not-created", reason="no quorum"))
        case "submit", _:
            engine.answer(request, outcome("created", number, slot=number))
        case "submit_many", _:
            last = sum(len(params["texts"]) for params in engine.named("submit_many"))
            count = len(request["params"]["texts"])
            engine.answer(request, {"spans": [span("created", last - count + 1, count, slot=last - count + 1)]})
        case _:
            lines = [LINE] * 200
            shown = {"lines": lines, "shown": 200, "hidden": 0, "prefix": 1, "waiting": None, "fresh": None}
            engine.answer(request, shown)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sites.yaml").write_text("cluster: c\nleadership: none\nsites:\n  alice: 127.0.0.1:7001\n")
    (tmp_path / "alice").mkdir()
    return tmp_path


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_outcome_that_cannot_be_printed_is_told_on_stderr_and_ends_with_6(
    folder: Path, options: tuple[str, ...]
) -> None:
    with ScriptedEngine(folder / "alice" / "control.sock", answer):
        status, said = into_full("tweet", "alice", "x", *options, folder=folder)
        assert status == 6
        assert "created" in said
        assert "alice/1" in said
        assert "loggos: the output cannot be written: No space left on device" in said


def test_an_outcome_with_a_status_of_its_own_keeps_it(folder: Path) -> None:
    with ScriptedEngine(folder / "alice" / "control.sock", answer):
        status, said = into_full("tweet", "alice", "no", folder=folder)
    assert status == 10
    assert "not-created" in said


def test_a_stream_goes_on_to_its_end_and_tells_every_outcome_on_stderr(folder: Path) -> None:
    with ScriptedEngine(folder / "alice" / "control.sock", answer) as engine:
        status, said = into_full("tweet", "alice", "--stdin", folder=folder, stdin=b"a\nb\nc\n")
        assert [text for params in engine.named("submit_many") for text in params["texts"]] == ["a", "b", "c"]
    assert status == 6
    assert [line.split()[:2] for line in said.splitlines()[:3]] == [["created", f"alice/{n}"] for n in (1, 2, 3)]


def test_a_view_that_cannot_be_written_is_no_bad_usage(folder: Path) -> None:
    with ScriptedEngine(folder / "alice" / "control.sock", answer):
        status, said = into_full("view", "alice", folder=folder)
    assert (status, said) == (6, COMPLAINT)


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_so_does_what_asks_no_engine(word: str, tmp_path: Path) -> None:
    status, said = into_full(word, folder=tmp_path)
    assert (status, said) == (6, COMPLAINT)


def test_init_says_on_stderr_what_it_wrote(tmp_path: Path) -> None:
    status, said = into_full("init", "ann", folder=tmp_path)
    assert status == 6
    assert str(tmp_path / "sites.yaml") in said


def test_a_stdout_that_was_closed_before_the_start_cannot_be_written(tmp_path: Path) -> None:
    closing = ["sh", "-c", '"$@" >&-', "sh", *PROGRAM, "--version"]
    status, said = _ended(closing, tmp_path, subprocess.DEVNULL)
    assert status == 6
    assert "the output cannot be written" in said


def test_a_reader_that_left_is_no_error_and_nothing_is_said(folder: Path) -> None:
    with ScriptedEngine(folder / "alice" / "control.sock", answer):
        for words, status in ((("view", "alice"), 0), (("tweet", "alice", "no"), 10), (("tweet", "alice", "x"), 0)):
            reading, writing = os.pipe()
            os.close(reading)
            try:
                assert _ended([*PROGRAM, *words], folder, writing) == (status, "")
            finally:
                os.close(writing)


def test_a_stdout_that_does_not_block_is_waited_for() -> None:
    """As ssh and tmux may leave it to what they start."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    lines = [f"line {number}\n" for number in range(40_000)]
    read = bytearray()

    def read_all() -> None:
        while chunk := os.read(reading, 4_096):
            read.extend(chunk)

    reader = threading.Thread(target=read_all)
    with open_stdout(writing) as out:
        out.write("".join(lines[:10]))
        reader.start()
        out.writelines(lines[10:])
        out.flush()
    os.close(writing)
    reader.join(BOUND_S)
    os.close(reading)
    assert read.decode() == "".join(lines)


@JSON
@pytest.mark.parametrize(
    "words",
    [
        "view alice",
        "view alice --fresh",
        "log alice",
        "log alice --from 1",
        "events alice",
        "status alice",
        "explain alice 1",
        "trace alice",
        "trace alice --follow",
        "data alice 1",
    ],
)
def test_what_only_reads_ends_at_the_first_line_that_cannot_be_written(
    alone: RealCluster, into_full_here: Here, words: str, options: tuple[str, ...]
) -> None:
    assert into_full_here(*words.split(), *alone.options, *options) == (6, COMPLAINT)


def test_so_does_what_has_nothing_to_tell(alone: RealCluster, into_full_here: Here) -> None:
    for words in ("blocks alice", "data alice"):
        assert into_full_here(*words.split(), *alone.options) == (6, COMPLAINT)


@JSON
def test_what_was_done_to_the_network_is_on_stderr(
    alone: RealCluster, into_full_here: Here, options: tuple[str, ...]
) -> None:
    def faults(*words: str) -> str:
        status, said = into_full_here("faults", "alice", *words, *alone.options, *options)
        assert status == 6
        assert said.endswith(COMPLAINT)
        return said

    assert ('"text":"to=*' if options else "added") in faults("add", "to=*", "drop=50%")
    (rule,) = alone.ask("alice", "faults")["rules"]
    assert "to=*" in faults("list")
    assert "removed" in faults("remove", str(rule["number"]))
    assert "removed" in faults("clear")
    assert "released" in faults("release")
    assert "dropped" in faults("drop")
    assert alone.ask("alice", "faults")["rules"] == []


@JSON
def test_a_plan_without_holes_is_on_stderr(alone: RealCluster, into_full_here: Here, options: tuple[str, ...]) -> None:
    status, said = into_full_here("fill", "alice", "1", *alone.options, *options)
    assert status == 6
    assert "chosen" in said


@JSON
def test_an_audit_that_found_nothing_ends_with_6(
    alone: RealCluster, into_full_here: Here, options: tuple[str, ...]
) -> None:
    status, said = into_full_here("audit", str(alone.data_path), *options)
    assert status == 6
    assert ('"violations_found":0' if options else "no violation in 1 store") in said


@pytest.mark.parametrize("status", [3, 12])
def test_an_audit_that_found_something_keeps_its_status(
    into_full_here: Here, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    broken = Violation("R1", Slot(5), SiteId("bob"), "learned something else")
    found = [broken] if status == 12 else []
    report = Report((), (), Slot(5), 3, tuple(found), len(found), (Unreadable(Path("/x"), "x: gone"),), ())
    monkeypatch.setattr(audit, "audit", lambda *_: report)
    ended, said = into_full_here("audit", "/x")
    assert ended == status
    assert ("R1 slot 5 at bob" in said) == (status == 12)
    assert "x: gone" in said


@JSON
@pytest.mark.parametrize("command", ["block", "unblock"])
def test_a_block_that_cannot_be_printed_is_on_stderr(
    folder: Path, into_full_here: Here, command: str, options: tuple[str, ...]
) -> None:
    place = ("--sites", str(folder / "sites.yaml"), "--data", str(folder))
    with ScriptedEngine(folder / "alice" / "control.sock", answer) as engine:
        status, said = into_full_here(command, "alice", "bob", *place, *options)
        assert [each["kind"] for each in engine.named("submit")] == [command]
    assert status == 6
    assert "created" in said
    assert said.endswith(COMPLAINT)


def test_a_hole_that_is_not_settled_keeps_its_status(folder: Path, into_full_here: Here) -> None:
    def no_quorum(engine: ScriptedEngine, request: Json) -> None:
        line = {"slot": 3, "state": "hole", "action": "ask", "result": "no-quorum", "kind": None}
        engine.answer(request, {"lines": [line], "why": "slot 3: nobody answers"})

    place = ("--sites", str(folder / "sites.yaml"), "--data", str(folder))
    with ScriptedEngine(folder / "alice" / "control.sock", no_quorum):
        status, said = into_full_here("fill", "alice", *place)
    assert status == 11
    assert "slot 3  no-quorum" in said
    assert "slot 3: nobody answers" in said


def test_a_view_that_is_not_confirmed_says_so_whoever_reads_it(folder: Path, into_full_here: Here) -> None:
    def unconfirmed(engine: ScriptedEngine, request: Json) -> None:
        fresh: Json = {
            "confirmed": False,
            "bound": None,
            "at": None,
            "voters": [],
            "reason": "1 of 3 answered, 2 needed",
            "answered": 1,
            "waits_for": None,
        }
        shown = {"lines": [LINE] * 50, "shown": 50, "hidden": 0, "prefix": 1, "waiting": None, "fresh": fresh}
        engine.answer(request, shown)

    complaint = "loggos: not confirmed that nothing is missing: 1 of 3 answered, 2 needed\n"
    place = ("--sites", str(folder / "sites.yaml"), "--data", str(folder))
    with ScriptedEngine(folder / "alice" / "control.sock", unconfirmed):
        assert into_full_here("view", "alice", "--fresh", *place) == (11, complaint + COMPLAINT)
        reading, writing = os.pipe()
        os.close(reading)
        try:
            assert _ended([*PROGRAM, "view", "alice", "--fresh"], folder, writing) == (11, complaint)
        finally:
            os.close(writing)


def test_an_engine_that_was_stopped_is_on_stderr(
    folder: Path, into_full_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(engine: ScriptedEngine, request: Json) -> None:
        engine.answer(request, {"stopping": True})
        engine.hang_up()

    monkeypatch.setattr(Client, "peer_process", lambda _: None)  # it is this one, which goes on
    place = ("--sites", str(folder / "sites.yaml"), "--data", str(folder))
    with ScriptedEngine(folder / "alice" / "control.sock", stopping):
        status, said = into_full_here("stop", "alice", *place)
    assert (status, said) == (6, "the engine of alice has stopped\n" + COMPLAINT)
