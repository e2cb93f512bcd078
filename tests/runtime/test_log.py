"""The log of an engine: nothing that becomes of it costs more than lines."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.runtime import log
from engine.runtime.log import LogWriter, lines_lost, logging_to
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
