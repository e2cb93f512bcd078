"""What all clients of the control socket together may cost (docs/control.md)."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.contract.answers import Stopping, Topic
from engine.contract.requests import Status, Submit
from engine.core.ids import Slot, Tick
from engine.runtime import ledger as bounds
from engine.runtime.control import ControlServer
from engine.runtime.counters import NodeCounts
from engine.runtime.inbox import Asked, Inbox
from engine.runtime.ledger import HELD_BYTES_MAX, Ledger, Load
from engine.runtime.log import OncePerMinute
from engine.runtime.recording import Recording
from engine.runtime.subscriptions import Subscriptions
from engine.runtime.trace import Trace
from tests.runtime.sites import WITHIN_S, until
from tests.runtime.test_subscriptions import FakeClient, FakePicture


class Holder:
    def __init__(self) -> None:
        self.cut: list[tuple[int, Load]] = []

    def cut_off(self, held_bytes: int, most: Load) -> None:
        self.cut.append((held_bytes, most))


def test_a_thousand_that_never_read_hold_no_more_than_the_bound_and_who_reads_is_spared() -> None:
    ledger, deaf, reader = Ledger(), [Holder() for _ in range(1_000)], Holder()
    for one in (*deaf, reader):
        assert ledger.enter(one)
    for _ in range(100):
        for one in deaf:
            ledger.hold(one, Load.UNREAD, 4_096)
            assert ledger.held_bytes <= HELD_BYTES_MAX
        ledger.hold(reader, Load.UNREAD, 4_096)
        ledger.hold(reader, Load.UNREAD, -4_096)
    assert reader.cut == []
    assert sum(bool(one.cut) for one in deaf) > 500


def test_who_holds_most_is_cut_off_first_and_once() -> None:
    ledger, small, large = Ledger(), Holder(), Holder()
    for one in (small, large):
        ledger.enter(one)
    ledger.hold(large, Load.UNREAD, 1_000)
    ledger.hold(large, Load.LINE, HELD_BYTES_MAX - 1_001)
    ledger.hold(small, Load.UNREAD, 2)
    assert (large.cut, small.cut) == ([(HELD_BYTES_MAX - 1, Load.LINE)], [])
    ledger.hold(large, Load.UNREAD, 10)
    assert ledger.held_bytes == 2


def test_what_a_client_asked_before_it_left_is_held_until_the_node_has_it() -> None:
    """However many come one after the other, each with as much as it may ask."""
    ledger, gone = Ledger(), [Holder() for _ in range(20)]
    for one in gone:
        ledger.enter(one)
        ledger.ask(one, 1)
        ledger.hold(one, Load.REQUESTS, HELD_BYTES_MAX // 8)
        ledger.leave(one)
        ledger.hold(one, Load.UNREAD, -10)
        assert ledger.held_bytes <= HELD_BYTES_MAX
    assert ledger.unanswered == 20
    assert [bool(one.cut) for one in gone].count(True) == 12
    for one in gone:
        ledger.hold(one, Load.REQUESTS, -HELD_BYTES_MAX // 8)
        ledger.ask(one, -1)
    assert (ledger.held_bytes, ledger.unanswered) == (0, 0)


def test_who_leaves_is_counted_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS_MAX", 1)
    ledger, one, other = Ledger(), Holder(), Holder()
    assert ledger.enter(one)
    assert not ledger.enter(other)
    ledger.hold(one, Load.UNREAD, 5)
    ledger.hold(one, Load.LINE, 5)
    ledger.leave(one)
    ledger.leave(one)
    assert ledger.held_bytes == 0
    assert ledger.enter(other)


def test_subscribers_share_the_bytes_of_a_notification() -> None:
    subscriptions, clients = Subscriptions(Trace(), Recording(NodeCounts())), [FakeClient(), FakeClient()]
    for client in clients:
        subscriptions.subscribe(client, frozenset({Topic.LOG}))
    subscriptions.log([(Slot(1), Slot(1))])
    subscriptions.flush(Tick(1_000), FakePicture())
    assert clients[0].lines[0] is clients[1].lines[0]


def test_what_would_be_said_ten_times_a_second_is_one_line_a_minute_without_a_traceback() -> None:
    once, passed = OncePerMinute(), []
    for tenth in range(1_210):
        record = logging.LogRecord("x", logging.ERROR, "", 1, "accept returned %s", ("EMFILE",), (None, None, None))
        record.created = 1_000 + tenth / 10
        if once.filter(record):
            passed.append(record)
    assert [record.created for record in passed] == [1_000, 1_060, 1_120]
    assert {record.exc_info for record in passed} == {None}
    left_out = " (599 similar lines were left out since the last one)"
    assert [record.getMessage() for record in passed] == [
        f"accept returned EMFILE{more}" for more in ("", left_out, left_out)
    ]


STATUS = b'{"jsonrpc":"2.0","id":1,"method":"status","params":{}}\n'
RULE = b'{"jsonrpc":"2.0","id":1,"method":"faults.add","params":{"rule":"%s"}}\n' % (b"x" * 1_000_000)


@asynccontextmanager
async def control_server(path: Path) -> AsyncIterator[Inbox]:
    """A control socket in front of an inbox that the test takes from, in place of a node."""
    inbox, server = Inbox(), ControlServer(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, inbox)
        with trio.fail_after(WITHIN_S):
            yield inbox
        server.close()
        nursery.cancel_scope.cancel()


async def _taken(inbox: Inbox, count: int) -> list[Asked]:
    """So many requests, as the node takes them."""
    taken: list[Asked] = []

    def enough() -> bool:
        taken.extend(inbox.take(count - len(taken)))
        return len(taken) == count

    await until(enough)
    return taken


async def test_requests_that_the_node_has_not_taken_are_held_for_their_client(tmp_path: Path) -> None:
    """The node takes some thousand requests a pass, and a request may be a megabyte long."""
    async with control_server(tmp_path / "control.sock") as inbox:
        greedy = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        await greedy.send_all(RULE * 3)
        await _taken(inbox, 3)
        with pytest.raises(trio.BrokenResourceError):
            await greedy.send_all(RULE * (2 * HELD_BYTES_MAX // len(RULE)))
        await greedy.aclose()
        assert inbox.take(1_000) == []


async def test_what_is_said_in_a_pass_has_left_when_it_is_over_and_what_found_no_room_leaves_later(
    tmp_path: Path,
) -> None:
    """Nothing is awaited between the answers and the look at what came."""
    async with control_server(tmp_path / "control.sock") as inbox:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(tmp_path / "control.sock"))
            raw.sendall(STATUS * 2)
            first, second = await _taken(inbox, 2)
            raw.setblocking(False)
            first.client.answer(first.call_id, Stopping(True))
            inbox.flush()
            assert raw.recv(1_000) == b'{"jsonrpc":"2.0","id":1,"result":{"stopping":true}}\n'
            lines = [b"%d" % number + b"x" * 1_000 + b"\n" for number in range(4_000)]
            for line in lines:
                second.client.notify(line)
            second.client.answer(second.call_id, Stopping(True))
            inbox.flush()
            assert 0 < second.client.queued_bytes < 4_000_000
            came = trio.SocketStream(trio.socket.from_stdlib_socket(raw))
            received = b""
            while not received.endswith(b'{"stopping":true}}\n'):
                received += await came.receive_some()
            assert received.startswith(b"".join(lines))


async def test_greedy_clients_one_after_the_other_hold_no_more_than_the_bound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What those asked who leave before they are cut off stays, and counts."""
    async with control_server(tmp_path / "control.sock") as inbox:
        for megabytes in (100, 20, 20, 100, 20, 20, 20):
            client = await trio.open_unix_socket(str(tmp_path / "control.sock"))
            with suppress(trio.BrokenResourceError):
                for _ in range(megabytes):
                    await client.send_all(RULE)
            await client.aclose()
            await trio.testing.wait_all_tasks_blocked()
        held = inbox.take(1_000)
    assert 15 * len(RULE) < sum(asked.size_bytes for asked in held) <= HELD_BYTES_MAX
    assert "mostly requests that were not handled yet" in caplog.text


async def test_what_a_client_did_not_read_is_kept_for_nobody_once_it_left(tmp_path: Path) -> None:
    """Though whoever waits for its event's outcome still knows it."""
    async with control_server(tmp_path / "control.sock") as inbox:
        client = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        await client.send_all(RULE)
        (asked,) = await _taken(inbox, 1)
        for _ in range(5):
            asked.client.notify(b"x" * 1_000_000)
        assert asked.client.queued_bytes == 5_000_000
        await client.aclose()
        await until(lambda: asked.client.closed)
        assert asked.client.queued_bytes == 0


async def test_a_line_without_an_end_that_is_cut_off_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bounds, "HELD_BYTES_MAX", 100_000)
    async with control_server(tmp_path / "control.sock"):
        client = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(RULE * 10)
        await client.aclose()
    assert "mostly an unfinished request line" in caplog.text


async def test_above_the_sum_who_could_wait_long_is_refused_and_what_is_answered_at_once_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "UNANSWERED_MAX", 2)
    submit = b'{"jsonrpc":"2.0","id":1,"method":"submit","params":{"kind":"tweet","text":"x"}}\n'
    status = b'{"jsonrpc":"2.0","id":9,"method":"status"}\n'
    async with control_server(tmp_path / "control.sock") as inbox:
        gone = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        await gone.send_all(submit * 2)
        waiting = await _taken(inbox, 2)
        await gone.aclose()
        client = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        await client.send_all(status + submit)
        said = await client.receive_some()
        assert b"3 requests are still unanswered" in said
        await client.aclose()
        waiting += inbox.take(10)
        assert [type(asked.request) for asked in waiting] == [Submit, Submit, Status]
        for asked in waiting:
            asked.client.answer(asked.call_id, Stopping(True))
        client = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        await client.send_all(status)
        await _taken(inbox, 1)
        await client.send_all(submit)
        await _taken(inbox, 1)
        await client.aclose()
