"""Output that cannot be written: status 6, and what was done is on stderr (docs/commands.md, "Exit status")."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.real_cluster import BOUND_S, PROGRAM, environment
from tests.tui.scripted_engine import Json, ScriptedEngine
from tui.output import open_stdout

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")

LINE: Json = {"slot": 1, "author": "alice", "text": "x" * 200, "at": "2026-11-21T12:00:00.123Z"}


def into_full(*words: str, folder: Path, stdin: bytes = b"") -> tuple[int, str]:
    """The status of a command whose stdout is a full disk, and its stderr."""
    with Path("/dev/full").open("wb", buffering=0) as full:
        return _ended([*PROGRAM, *words], folder, full.fileno(), stdin)


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
    number = sum(one["method"] == "submit" for one in engine.requests)
    match request["method"], request["params"].get("text"):
        case "submit", "no":
            engine.answer(request, {"outcome": "not-created", "id": "alice/1", "reason": "no quorum"})
        case "submit", _:
            engine.answer(request, {"outcome": "created", "id": f"alice/{number}", "slot": number})
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
        assert len(engine.named("submit")) == 3
    assert status == 6
    assert [line.split()[:2] for line in said.splitlines()[:3]] == [["created", f"alice/{n}"] for n in (1, 2, 3)]


def test_a_view_that_cannot_be_written_is_no_bad_usage(folder: Path) -> None:
    with ScriptedEngine(folder / "alice" / "control.sock", answer):
        status, said = into_full("view", "alice", folder=folder)
    assert (status, said) == (6, "loggos: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_so_does_what_asks_no_engine(word: str, tmp_path: Path) -> None:
    status, said = into_full(word, folder=tmp_path)
    assert (status, said) == (6, "loggos: the output cannot be written: No space left on device\n")


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
