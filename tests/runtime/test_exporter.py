"""Metrics over HTTP: what is asked is answered, and whoever asks costs the site a bounded time and memory."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from engine.contract.metrics import Histogram, Metrics
from engine.contract.shape import read
from engine.contract.status import Status
from engine.core.settings import Leadership
from engine.runtime import exporter, sockets
from engine.runtime.ending import EndStatus
from engine.runtime.exporter import Exporter
from engine.runtime.sockets import AddressMissing, CannotServe, listen_for_metrics
from tests.engine.monitoring import names_asked_for
from tests.runtime.sites import WITHIN_S, cluster, until
from tests.tui.engine_double import EngineDouble

EMPTY = Histogram((), (0,), 0.0)


@pytest.fixture
def told(tmp_path: Path) -> Metrics:
    return Metrics(read(Status, EngineDouble(tmp_path).status()), 0, {}, EMPTY, EMPTY, {}, {}, None)


@asynccontextmanager
async def listening(told: Metrics) -> AsyncIterator[Exporter]:
    made = await exporter.listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.serve, lambda: told)
        yield made
        nursery.cancel_scope.cancel()


async def all_of(stream: trio.SocketStream) -> bytes:
    said = b""
    with trio.fail_after(WITHIN_S):
        async with stream:
            async for chunk in stream:
                said += chunk
    return said


async def said_to(where: tuple[str, int], request: bytes) -> tuple[str, bytes]:
    """The head of the answer, and its body."""
    stream = await trio.open_tcp_stream(*where)
    await stream.send_all(request)
    head, _, body = (await all_of(stream)).partition(b"\r\n\r\n")
    return head.decode(), body


def asking(method: str = "GET", path: str = "/metrics", *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: alice", *headers, "")).encode()


async def test_who_accepts_openmetrics_gets_it_and_others_the_older_text(told: Metrics) -> None:
    async with listening(told) as made:
        head, body = await said_to(made.address, asking())
        assert head.startswith("HTTP/1.1 200 ")
        assert "text/plain; version=0.0.4" in head
        assert b"loggos_takes_events 1.0" in body
        accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3"
        head, body = await said_to(made.address, asking("GET", "/metrics?x=y", accept))
        assert "application/openmetrics-text; version=1.0.0" in head
        assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("request_", "status", "says"),
    [
        (asking(path="/"), 404, b"metrics are at /metrics"),
        (asking("POST", "/metrics", "Content-Length: 3") + b"abc", 405, b"GET and HEAD"),
        (b"\x16\x03\x01 what is this\r\n\r\n", 400, b""),
        (asking("GET", "/metrics", f"X: {'x' * 40_000}"), 431, b""),
    ],
    ids=["another path", "another method", "no HTTP", "too long"],
)
async def test_what_is_not_asked_rightly_is_told_so(told: Metrics, request_: bytes, status: int, says: bytes) -> None:
    async with listening(told) as made:
        head, body = await said_to(made.address, request_)
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert says in body


async def test_a_head_is_all_that_is_asked_for(told: Metrics) -> None:
    async with listening(told) as made:
        head, body = await said_to(made.address, asking("HEAD"))
        assert head.startswith("HTTP/1.1 200 ")
        assert body == b""


async def test_who_comes_when_it_serves_all_it_may_is_closed_and_the_others_are_served(told: Metrics) -> None:
    async with listening(told) as made:
        silent = [await trio.open_tcp_stream(*made.address) for _ in range(exporter.SERVED_AT_ONCE_MAX)]
        await until(lambda: made.served == len(silent))
        assert await all_of(await trio.open_tcp_stream(*made.address)) == b""
        await silent[0].send_all(asking())
        assert (await all_of(silent[0])).startswith(b"HTTP/1.1 200 ")
        for stream in silent[1:]:
            await stream.aclose()
        await until(lambda: made.served == 0)
        assert (await said_to(made.address, asking()))[0].startswith("HTTP/1.1 200 ")


async def test_who_says_nothing_is_left_alone_in_the_end(told: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "PATIENCE_S", 0.02)
    async with listening(told) as made:
        assert await all_of(await trio.open_tcp_stream(*made.address)) == b""


def is_of(name: str, told: Mapping[str, str]) -> bool:
    """Whether samples of this name are of one of these families, whether it has any yet or not."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return any(name == family + ending for family, kind in told.items() for ending in endings.get(kind, ("",)))


async def test_a_site_tells_over_http_what_it_tells_over_its_socket(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        sites.leadership = Leadership.ELECTED
        alice = await sites.start("alice", metrics_at=("127.0.0.1", 0))
        assert (await alice.call("submit", kind="tweet", text="hello"))["outcome"] == "created"
        over_socket = await alice.call("metrics")
        assert sum(over_socket["created"]["counts"]) == 1
        assert sum(over_socket["commits"]["counts"]) == over_socket["status"]["counters"]["commits"]
        assert over_socket["elections"] == {"standing": 1, "leads": 1, "steps down": 0}
        assert over_socket["store_bytes"]["database"] > 0
        assert over_socket["disk_free_bytes"] > 0
        assert alice.metrics is not None
        host, _, port = alice.metrics.rpartition(":")
        _, body = await said_to((host, int(port)), asking())
        assert b"loggos_event_latency_seconds_count 1.0" in body
        assert b'loggos_events_total{outcome="created"} 1.0' in body
        told = {family.name: family.type for family in text_string_to_metric_families(body.decode())}
        assert [name for name in names_asked_for() if not is_of(name, told)] == [], (
            "a dashboard or alert asks for these"
        )


async def test_a_bug_keeps_metrics_from_being_told_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    made = await exporter.listen("127.0.0.1", 0)

    def told() -> Metrics:
        raise ZeroDivisionError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.serve, told)
        for _ in range(2):
            assert (await said_to(made.address, asking()))[0].startswith("HTTP/1.1 500 ")
        nursery.cancel_scope.cancel()
    assert "a bug: metrics cannot be served" in caplog.text


async def test_no_site_waits_for_where_its_metrics_are_to_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sockets, "ADDRESS_AGAIN_S", 0.001)
    listen, missing, listening = exporter.listen, [OSError(errno.EADDRNOTAVAIL, "not here")] * 3, []

    async def comes_late(host: str, port: int) -> Exporter:
        if missing:
            raise missing.pop()
        listening.append(await listen(host, port))
        return listening[-1]

    monkeypatch.setattr(exporter, "listen", comes_late)
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice", metrics_at=("127.0.0.1", 0))
        assert alice.metrics is None
        await until(lambda: bool(listening))
        head, _ = await said_to(listening[0].address, asking())
        assert head.startswith("HTTP/1.1 200 ")
    assert caplog.text.count("metrics are not served yet: ") == 1


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [
        (errno.EADDRINUSE, CannotServe, EndStatus.ADDRESS_IN_USE),
        (errno.EACCES, CannotServe, EndStatus.BAD_CONFIGURATION),
        (errno.EADDRNOTAVAIL, AddressMissing, None),
    ],
)
async def test_where_nobody_can_listen_it_is_said_or_waited_for(
    monkeypatch: pytest.MonkeyPatch, error: int, raised: type[Exception], status: EndStatus | None
) -> None:
    async def refused(host: str, port: int) -> Exporter:
        raise OSError(error, f"no {host}:{port}")

    monkeypatch.setattr(exporter, "listen", refused)
    with pytest.raises(raised, match="the address for metrics") as caught:
        await listen_for_metrics(("192.0.2.1", 9464))
    assert getattr(caught.value, "status", None) == status
