"""The process beside a live run: what it puts right where the run is gone, and that it does nothing where it is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_cluster import until
from tui.lab.live_guard import Guard, watch
from tui.lab.live_processes import ends_within


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def state(process_id: int) -> str:
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]


def test_what_stands_still_goes_on_and_what_was_killed_is_started_again(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    until(lambda: state(sleeper.pid) == "T", "it stands still")
    log = tmp_path / "log"
    again = [sys.executable, "-S", "-c", "import sys; print('started', file=sys.stderr)"]
    started = watch(f"{json.dumps(each)}\n" for each in (
        {"paused": sleeper.pid},
        {"down": "bob", "command": again, "log": str(log)},
        {"down": "carol", "command": again, "log": str(tmp_path / "other")},
        {"up": "carol"},
    ))  # fmt: skip
    until(lambda: state(sleeper.pid) != "T", "it goes on")
    assert [process.wait() for process in started] == [0]
    assert log.read_text() == "started\n"
    assert not (tmp_path / "other").exists(), "that one runs"


def test_a_run_that_put_everything_right_leaves_nothing_to_do(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    until(lambda: state(sleeper.pid) == "T", "it stands still")
    assert watch([f'{{"paused": {sleeper.pid}}}\n', '{"done": true}\n']) == []
    assert state(sleeper.pid) == "T"


def test_the_folder_of_a_cluster_that_was_made_goes_with_its_engines(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    guard = Guard()
    guard.made(folder)
    guard.started(sleeper.pid)
    assert guard.process.stdin is not None
    guard.process.stdin.close()  # as when the run is killed
    assert folder.exists()
    sleeper.kill()
    guard.process.wait()
    assert not folder.exists()


def test_a_process_that_is_gone_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    assert not ends_within(sleeper.pid, 0.0)
    sleeper.kill()
    assert ends_within(sleeper.pid, 30.0)
    sleeper.wait()
    assert ends_within(sleeper.pid, 0.0)
