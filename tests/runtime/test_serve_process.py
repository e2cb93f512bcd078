"""An engine as a process: its ready line, its log, what stops it, and its exit status."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import orjson
import pytest
import trio

from tests.ports import free_ports
from tests.runtime.sites import WITHIN_S, until
from tui.commands.serve import DESCRIPTORS_MIN

LOG_LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR|CRITICAL) \S.*\Z")

TWEET = b'{"jsonrpc":"2.0","id":1,"method":"submit","params":{"kind":"tweet","text":"hi"}}\n'
STATUS = b'{"jsonrpc":"2.0","id":2,"method":"status"}\n'


def sends(number: signal.Signals) -> Callable[[trio.Process], None]:
    return lambda process: process.send_signal(number)


def closes_its_standard_input(process: trio.Process) -> None:
    assert isinstance(process.stdin, trio.lowlevel.FdStream)
    process.stdin.close()


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (sends(signal.SIGTERM), b"SIGTERM was received"),
        (sends(signal.SIGINT), b"SIGINT was received"),
        (closes_its_standard_input, b"the program that started this engine ended"),
    ],
)
async def test_an_engine_says_when_it_is_ready_and_stops_cleanly(
    tmp_path: Path, stop: Callable[[trio.Process], None], reason: bytes
) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.runtime.serve_one", str(tmp_path), str(port)]
    with (tmp_path / "engine.log").open("wb") as log, trio.fail_after(WITHIN_S):
        process = await _open(command, log)
        assert process.stdout is not None
        said = orjson.loads(await process.stdout.receive_some())
        control = tmp_path / "control.sock"
        assert said == {"ready": True, "site": "alice", "udp": f"127.0.0.1:{port}", "control": str(control)}
        async with await trio.open_unix_socket(str(control)) as stream:
            await stream.send_all(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n')
            assert b'"site":"alice"' in await stream.receive_some()
        stop(process)
        assert await process.wait() == 0
        await process.stdout.aclose()
        if process.stdin is not None:
            await process.stdin.aclose()
    lines = (tmp_path / "engine.log").read_bytes().splitlines()
    assert all(LOG_LINE.match(line) for line in lines), lines
    assert reason in lines[-1]
    assert not control.exists()


@pytest.mark.parametrize(
    "streams",
    [
        ">/dev/full 2>/dev/full </dev/null",
        ">&- 2>&- <&-",
        ">/dev/null 2>&1 | true",
        "2>&1 >/dev/full | true",
    ],
)
async def test_a_site_serves_whatever_becomes_of_its_standard_streams(tmp_path: Path, streams: str) -> None:
    (port,) = free_ports(1)
    cluster = tmp_path / "sites.yaml"
    cluster.write_text(f"cluster: alone\nleadership: none\nsites:\n  alice: 127.0.0.1:{port}\n")
    command = f'"{sys.executable}" -m tui --sites "{cluster}" --data "{tmp_path}" serve alice {streams}'
    control = tmp_path / "alice" / "control.sock"
    process = await trio.lowlevel.open_process(
        ["bash", "-c", f"{command}\necho ${{PIPESTATUS[0]}} > '{tmp_path}/status'"], stdin=subprocess.PIPE
    )
    with trio.fail_after(WITHIN_S):
        while not control.exists():
            assert process.poll() is None, "it ended before it served"
            await trio.sleep(0.02)
        said = b""
        async with await _connected(control) as stream:
            await stream.send_all(b'{"jsonrpc":"2.0","id":1,"method":"submit","params":{"kind":"tweet","text":"hi"}}\n')
            while b'"created"' not in said:
                said += await stream.receive_some()
            await stream.send_all(b'{"jsonrpc":"2.0","id":2,"method":"status"}\n')
            while b'"log_lines_lost"' not in said:
                said += await stream.receive_some()
            await stream.send_all(b'{"jsonrpc":"2.0","id":3,"method":"stop"}\n')
            while more := await stream.receive_some():
                said += more
        await process.wait()
    assert process.stdin is not None
    await process.stdin.aclose()
    assert (tmp_path / "status").read_text() == "0\n"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux alone tells the descriptors of a process")
async def test_without_a_free_descriptor_a_site_serves_whom_it_has_and_later_the_others(tmp_path: Path) -> None:
    (port,), limit = free_ports(1), DESCRIPTORS_MIN
    cluster, log_path = tmp_path / "sites.yaml", tmp_path / "engine.log"
    cluster.write_text(f"cluster: alone\nleadership: none\nsites:\n  alice: 127.0.0.1:{port}\n")
    serve = f'"{sys.executable}" -m tui --sites "{cluster}" --data "{tmp_path}" serve alice'
    control, began_s = tmp_path / "alice" / "control.sock", trio.current_time()
    with log_path.open("wb") as log, trio.fail_after(WITHIN_S):
        process = await _open(["bash", "-c", f"ulimit -n {limit}; exec {serve}"], log)
        assert process.stdout is not None
        await process.stdout.receive_some()
        patient = await _connected(control)
        assert b'"created"' in await _answer(patient, TWEET)
        for _ in range(2):
            others = [await _connected(control) for _ in range(limit)]
            for each in others:
                await each.send_all(STATUS)
            await until(lambda: _descriptors(process.pid) >= limit)
            assert b'"created"' in await _answer(patient, TWEET)
            assert b'"quorum"' in await _answer(patient, STATUS)
            *gone, last = others
            for each in gone:
                await each.aclose()
            assert b'"quorum"' in await last.receive_some()
            await last.aclose()
        await _answer(patient, b'{"jsonrpc":"2.0","id":3,"method":"stop"}\n')
        await patient.aclose()
        assert await process.wait() == 0
        await process.stdout.aclose()
        assert process.stdin is not None
        await process.stdin.aclose()
    lines = log_path.read_bytes().splitlines()
    assert all(LOG_LINE.match(line) for line in lines), lines
    assert 1 <= sum(b"EMFILE" in line for line in lines) <= 1 + (trio.current_time() - began_s) // 60


def _descriptors(process_id: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process_id}/fd").iterdir())


async def _answer(stream: trio.SocketStream, request: bytes) -> bytes:
    await stream.send_all(request)
    said = b""
    while not said.endswith(b"\n"):
        said += await stream.receive_some()
    return said


async def _connected(control: Path) -> trio.SocketStream:
    """The socket lies there a moment before it is listened at."""
    while True:
        try:
            return await trio.open_unix_socket(str(control))
        except ConnectionRefusedError:
            await trio.sleep(0.02)


async def _open(command: list[str], log: IO[bytes]) -> trio.Process:
    return await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
