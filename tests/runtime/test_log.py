"""The log of an engine: nothing that becomes of it costs more than lines."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import orjson
import pytest

from engine.core.effects import RecoveryPhase
from engine.runtime import log
from engine.runtime.log import RECOVERY, JsonLines, LogStyle, LogWriter, TurnedOver, lines_lost, logging_to
from tests.runtime.sites import WITHIN_S

_log = logging.getLogger("tests.log")


@pytest.fixture
def full() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord("tests", logging.INFO, __file__, 0, text, None, None)


def test_what_a_full_disk_does_not_take_is_counted_and_said_when_it_works_again(tmp_path: Path, full: int) -> None:
    with (tmp_path / "log").open("wb") as good:
        stream = os.dup(full)
        writer = LogWriter(stream)
        for text in ("one", "two"):
            writer.emit(_record(text))
        writer.drain(WITHIN_S)
        assert writer.lines_lost == 2
        os.dup2(good.fileno(), stream)
        for text in ("three", "four"):
            writer.emit(_record(text))
        writer.drain(WITHIN_S)
    lines = [line.split("Z ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert lines == ["WARNING 2 lines could not be written to the log", "INFO three", "INFO four"]
    assert writer.lines_lost == 2


def test_a_pipe_that_nobody_reads_makes_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "QUEUE_BYTES_MAX", 100_000)
    reader, stream = os.pipe()
    writer = LogWriter(stream)
    for _ in range(400):
        writer.emit(_record("x" * 1_000))
    lost = writer.lines_lost
    assert 0 < lost < 400
    with os.fdopen(reader, "rb") as pipe:
        kept = told = 0
        while (kept, told) != (400 - lost, lost):  # told at once, or in parts: the writer may be quicker than a line
            line = pipe.readline()
            kept += b"xxx" in line
            if counted := re.search(rb"(\d+) lines could not be written to the log", line):
                told += int(counted[1])
            assert kept <= 400 - lost
            assert told <= lost


def test_a_stream_that_somebody_made_non_blocking_loses_nothing() -> None:
    reader, stream = os.pipe()
    os.set_blocking(stream, False)
    writer = LogWriter(stream)
    for number in range(200):
        writer.emit(_record(f"{number} {'x' * 1_000}"))
    with os.fdopen(reader, "rb") as pipe:
        assert [pipe.readline().split()[2] for _ in range(200)] == [str(number).encode() for number in range(200)]
    assert writer.lines_lost == 0


def test_the_process_counts_the_lines_it_lost(full: int) -> None:
    with logging_to(full):
        before = lines_lost()
        _log.warning("nobody hears this")
        (writer,) = (each for each in logging.getLogger().handlers if isinstance(each, LogWriter))
        writer.drain(WITHIN_S)
        assert lines_lost() == before + 1


@pytest.fixture
def stream() -> Iterator[int]:
    """A descriptor that a log file may take over."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "FILE_BYTES_MAX", 1_000)
    monkeypatch.setattr(log, "FILES_KEPT", 2)


def _write(stream: int, path: Path, texts: list[str]) -> LogWriter:
    writer = LogWriter(stream, file=TurnedOver(path, stream))
    for text in texts:
        writer.emit(_record(text))
    writer.drain(WITHIN_S)
    return writer


@pytest.mark.usefixtures("small_files")
def test_a_file_that_is_full_makes_room_and_so_many_are_kept(tmp_path: Path, stream: int) -> None:
    path = tmp_path / "engine.log"
    texts = [f"{number} {'x' * 150}" for number in range(40)]
    assert _write(stream, path, texts).lines_lost == 0
    os.write(stream, b"what the interpreter says of a crash\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["engine.log", "engine.log.1", "engine.log.2"]
    kept = [line for name in (".2", ".1", "") for line in (tmp_path / f"engine.log{name}").read_text().splitlines()]
    assert kept[-1] == "what the interpreter says of a crash"
    assert [line.split("INFO ")[1] for line in kept[:-1]] == texts[-len(kept) + 1 :]
    assert all((tmp_path / f"engine.log{name}").stat().st_size <= 1_000 for name in (".1", ".2"))


def test_what_is_said_after_the_end_goes_where_it_went_before(tmp_path: Path) -> None:
    reader, descriptor = os.pipe()
    with logging_to(descriptor, "alice", LogStyle(file=tmp_path / "engine.log")):
        _log.info("it serves")
    os.write(descriptor, b"why it ends\n")
    os.close(descriptor)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"why it ends\n"
    assert (tmp_path / "engine.log").read_text().endswith("INFO it serves\n")


@pytest.mark.usefixtures("small_files")
def test_what_is_said_after_the_end_is_in_the_newest_file_where_that_was_stderr_anyway(tmp_path: Path) -> None:
    """So `open` finds why its engine did not start in the file that it looks into."""
    path = tmp_path / "engine.log"
    path.write_text("x" * 1_000)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    with logging_to(descriptor, "alice", LogStyle(file=path)):
        _log.info("it serves")
    os.write(descriptor, b"why it ends\n")
    os.close(descriptor)
    assert path.read_text().endswith("INFO it serves\nwhy it ends\n")


@pytest.mark.usefixtures("small_files")
def test_what_another_run_left_is_gone_on_with(tmp_path: Path, stream: int) -> None:
    path = tmp_path / "engine.log"
    path.write_text("of before\n")
    _write(stream, path, ["of now"])
    assert path.read_text().splitlines()[0] == "of before"
    assert path.read_text().splitlines()[1].endswith("INFO of now")


@pytest.mark.usefixtures("small_files")
def test_a_file_that_cannot_be_turned_over_loses_no_line_and_says_so_now_and_then(
    tmp_path: Path, stream: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(RotatingFileHandler, "doRollover", refused)
    path = tmp_path / "engine.log"
    assert _write(stream, path, ["x" * 150] * 20).lines_lost == 0
    said = path.read_text()
    assert said.count(" INFO xxx") == 20
    assert 1 <= said.count("cannot be rotated, so it keeps growing: Permission denied") <= 4


def test_json_is_an_object_a_line_with_all_keys_whatever_is_said() -> None:
    reader, descriptor = os.pipe()
    with logging_to(descriptor, "alice", LogStyle(level=logging.DEBUG, as_json=True)):
        _log.debug("a name\n%s", "of two lines")
        _log.error("a bug", exc_info=ValueError("why"))
    os.close(descriptor)
    with os.fdopen(reader, "rb") as pipe:
        first, second = (orjson.loads(line) for line in pipe)
    assert list(first) == ["at", "level", "site", "logger", "message", "traceback"]
    assert (first["level"], first["site"], first["logger"]) == ("debug", "alice", "tests.log")
    assert first["message"] == "a name\nof two lines"
    assert first["traceback"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["at"])
    assert second["traceback"].endswith("ValueError: why")


def test_json_is_utf8_whatever_bytes_a_file_name_is_of() -> None:
    assert orjson.loads(JsonLines("alice").format(_record("\udcff.log")))["message"] == "\\udcff.log"


def test_what_is_less_than_the_level_is_left_out() -> None:
    reader, descriptor = os.pipe()
    with logging_to(descriptor, "alice", LogStyle(level=logging.WARNING)):
        _log.info("left out")
        _log.warning("kept")
    os.close(descriptor)
    with os.fdopen(reader, "rb") as pipe:
        [line] = pipe.readlines()
    assert line.endswith(b"WARNING kept\n")


def test_what_is_copied_again_and_again_is_a_line_a_minute_a_phase(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file, logging_to(file.fileno()):
        for _ in range(3):
            for phase in RecoveryPhase:
                logging.getLogger(f"{RECOVERY}.{phase}").info("recovery: %s", phase)
    lines = [line.split("recovery: ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert lines == [phase.value for phase in RecoveryPhase]
