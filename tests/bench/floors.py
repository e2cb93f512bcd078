"""What no protocol on this disk and network gets below: the bytes of one event made durable, and carried.

Rules that hold here:
- Each is the least that could be done: no checksum, no seal, no event loop; sockets block.
- A round is of a majority of three: what leaves goes to two other processes, each of which makes it durable before
  it answers, while this process does the same; the first answer is enough.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import apsw

from tests.bench.children import running
from tests.bench.events import text_of
from tests.bench.load import percentile_ms
from tests.bench.outcome import Rate
from tests.bench.rows import Floor

_BOUND_S: Final = 10.0
_DATAGRAM_BYTES: Final = 2**16


def measure(floor: Floor, folder: Path, seconds: float) -> Rate:
    data = text_of(1).encode()
    rounds = 2 if floor is Floor.TWO_ROUNDS else 1
    with _step(floor, folder) as step:
        took = array("d")
        began = time.perf_counter()
        while (begins := time.perf_counter()) < began + seconds:
            for _ in range(rounds):
                step(data)
            took.append(time.perf_counter() - begins)
        return Rate(len(took) / (begins - began), percentile_ms(took, 50), percentile_ms(took, 99))


def _step(floor: Floor, folder: Path) -> AbstractContextManager[Callable[[bytes], None]]:
    match floor:
        case Floor.APPEND:
            return appending(folder / "append")
        case Floor.SQLITE:
            return _sqlite(folder / "floor.db")
        case Floor.ONE_ROUND | Floor.TWO_ROUNDS:
            return _quorum(folder)


@contextmanager
def appending(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Appends to a file, and returns once that is durable."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(data: bytes) -> None:
        os.write(descriptor, data)
        os.fdatasync(descriptor)

    try:
        yield append
    finally:
        os.close(descriptor)


@contextmanager
def _sqlite(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A row and its commit, in the mode in which a store is."""
    db = apsw.Connection(str(path))
    try:
        db.pragma("journal_mode", "WAL")
        db.pragma("synchronous", "FULL")
        db.execute("CREATE TABLE rows (body BLOB)")
        yield lambda data: db.execute("INSERT INTO rows VALUES (?)", (data,)).close()
    finally:
        db.close()


@contextmanager
def _quorum(folder: Path) -> Iterator[Callable[[bytes], None]]:
    """Sends to two others, syncs, and waits for the first who did the same."""
    with ExitStack() as stack:
        others = [_other(stack, folder, number) for number in (1, 2)]
        own = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        own.bind(("127.0.0.1", 0))
        own.settimeout(_BOUND_S)
        append = stack.enter_context(appending(folder / "quorum-0"))
        number = 0

        def ask(data: bytes) -> None:
            nonlocal number
            number += 1
            head = number.to_bytes(8, "big")
            for other in others:
                own.sendto(head + data, other)
            append(data)
            while own.recv(_DATAGRAM_BYTES)[:8] != head:
                pass  # the second answer to an earlier one

        yield ask


def _other(stack: ExitStack, folder: Path, number: int) -> tuple[str, int]:
    """Starts a process that answers; where it does."""
    words = [sys.executable, "-m", "tests.bench.floors", str(folder / f"quorum-{number}")]
    process = stack.enter_context(running(words, folder / "floors.log"))
    return "127.0.0.1", _port(process)


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def _answer(path: Path) -> None:
    """Until it is killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own, appending(path) as append:
        own.bind(("127.0.0.1", 0))
        print(own.getsockname()[1], flush=True)
        while True:
            data, sender = own.recvfrom(_DATAGRAM_BYTES)
            append(data[8:])
            own.sendto(data[:8], sender)


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
