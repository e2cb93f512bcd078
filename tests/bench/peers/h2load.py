"""h2load of nghttp2, which posts one gRPC request again and again: how it is called, and what it says.

Rules that hold here:
- A request is a frame of gRPC: a byte 0, the length, and the message; its bytes are made here, since one message of two
  fields needs no compiler.
- Latencies are taken from the log of all requests (start, status and duration in microseconds, a line each), since what
  h2load prints of them differs between versions.
"""

from __future__ import annotations

import re
import subprocess
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.bench.children import bound, ended_children_s
from tests.bench.cluster import LoadFailed
from tests.bench.load import percentile_ms
from tests.bench.outcome import Rate

_FINISHED: Final = re.compile(r"^finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s", re.MULTILINE)
_REQUESTS: Final = re.compile(
    r"^requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored", re.MULTILINE
)
_BOUND_S: Final = 30.0
_KEY, _VALUE = 1, 2
_BYTES: Final = 2
"""The wire type of protobuf for what has a length."""


class H2loadFailed(LoadFailed):
    """The message is what h2load said."""


def put_request(key: bytes, value: bytes) -> bytes:
    """The frame of an etcdserverpb.PutRequest."""
    message = _field(_KEY, key) + _field(_VALUE, value)
    return b"\0" + len(message).to_bytes(4, "big") + message


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def per_second(said: str) -> float:
    """Requests that succeeded. Raises H2loadFailed where one did not, or it says something else."""
    finished, requests = _FINISHED.search(said), _REQUESTS.search(said)
    if finished is None or requests is None or requests[2] != "0" or requests[3] != "0":
        raise H2loadFailed(f"h2load: {said.strip()[-500:]}")
    return float(finished[3])


def durations_s(lines: Iterable[str]) -> array[float]:
    """Of the requests in the log of h2load, in seconds."""
    return array("d", (int(line.rsplit("\t", 1)[1]) / 1e6 for line in lines))


def post(
    h2load: str,
    url: str,
    frame: bytes,
    folder: Path,
    *,
    connections: int,
    streams: int,
    seconds: float,
    warm_up_s: float,
) -> Rate:
    """Keeps `streams` requests outstanding on each connection. `h2load` is the program; raises H2loadFailed."""
    body, log = folder / "frame", folder / "requests"
    body.write_bytes(frame)
    log.unlink(missing_ok=True)
    words = [
        *(h2load, "--clients", str(connections), "--max-concurrent-streams", str(streams)),
        *("--duration", _milliseconds(seconds), "--warm-up-time", _milliseconds(warm_up_s), "--log-file", str(log)),
        *("--header", "content-type: application/grpc", "--header", "te: trailers", "--data", str(body), url),
    ]
    computed = ended_children_s()
    with subprocess.Popen(bound(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            said, _ = process.communicate(timeout=seconds + warm_up_s + _BOUND_S)
        except subprocess.TimeoutExpired:
            raise H2loadFailed("h2load does not end") from None
        finally:
            process.kill()
    rate = per_second(said)
    with log.open(encoding="ascii") as lines:
        durations = durations_s(lines)
    client_cores = (ended_children_s() - computed) / (seconds + warm_up_s)
    return Rate(rate, percentile_ms(durations, 50), percentile_ms(durations, 99), client_cores)


def _milliseconds(seconds: float) -> str:
    """It takes no fractions."""
    return f"{seconds * 1_000:.0f}ms"
