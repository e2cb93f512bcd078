"""A time limit ends its own test, whatever that was in, and leaves the next ones of the same worker alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

NEVER_ENDING = {
    "trio, idle": "async def test_over() -> None:\n    time_is_over()\n    await trio.sleep_forever()",
    "trio, in a nursery of its own": (
        "async def test_over() -> None:\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        nursery.start_soon(trio.sleep_forever)\n"
        "        time_is_over()\n"
        "        await trio.sleep_forever()"
    ),
    "trio, always busy": (
        "async def test_over() -> None:\n    time_is_over()\n    while True:\n        await trio.lowlevel.checkpoint()"
    ),
    "trio, without a checkpoint": "async def test_over() -> None:\n    time_is_over()\n    while True:\n        pass",
    "a run of trio's own": "def test_over() -> None:\n    time_is_over()\n    trio.run(trio.sleep_forever)",
    "a run of asyncio": "def test_over() -> None:\n    time_is_over()\n    asyncio.run(asyncio.Event().wait())",
    "plain": "def test_over() -> None:\n    time_is_over()\n    threading.Event().wait()",
    "a fixture": (
        "@pytest.fixture\ndef slow() -> None:\n    time_is_over()\n    threading.Event().wait()\n\n"
        "def test_over(slow: None) -> None:\n    pass"
    ),
    "a process of a fixture": (
        "@pytest.fixture\ndef process() -> Iterator[subprocess.Popen]:\n"
        "    with subprocess.Popen(['sleep', '3600']) as process:\n"
        "        STARTED.append(process)\n        yield process\n        process.kill()\n\n"
        "def test_over(process: subprocess.Popen) -> None:\n    time_is_over()\n    process.wait()"
    ),
}
"""`time_is_over()` has the limit reached soon: how long a test needs until it is in there is the machine's."""

FOLLOWING = """

async def test_trio() -> None:
    await trio.sleep(0)

def test_run_of_trio() -> None:
    trio.run(trio.sleep, 0)

def test_run_of_asyncio() -> None:
    asyncio.run(asyncio.sleep(0))

def test_no_process_is_left() -> None:
    assert [process.poll() is None for process in STARTED] == [False] * len(STARTED)
"""

IMPORTS = """
from __future__ import annotations
import asyncio, signal, subprocess, threading
import pytest, trio

STARTED = []

def time_is_over() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.05, 20)

"""


def test_a_limit_ends_its_own_test_alone(tmp_path: Path) -> None:
    """All kinds one after the other in one process, each followed by tests that need what it may have left behind."""
    for number, body in enumerate(NEVER_ENDING.values()):
        (tmp_path / f"test_limited_{number}.py").write_text(f"{IMPORTS}{body}\n{FOLLOWING}")
    (tmp_path / "conftest.py").write_text("from tests.time_limit import *\n")
    options = ("-p", "no:cacheprovider", "-p", "no:randomly", "-o", "trio_mode=true", "-o", f"pythonpath={ROOT}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--timeout=60", "-rA", f"--rootdir={tmp_path}", *options, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=100,
    )
    told = done.stdout + done.stderr
    for number, kind in enumerate(NEVER_ENDING):
        ended = "ERROR" if kind == "a fixture" else "FAILED"
        assert f"{ended} test_limited_{number}.py::test_over" in told, (kind, told)
        for follower in re.findall("test_[a-z_]+(?=\\()", FOLLOWING):
            assert f"PASSED test_limited_{number}.py::{follower}" in told, (kind, told)
    assert told.count("Failed: the time limit of 60 s is over") >= len(NEVER_ENDING), told
