"""What all clients of the control socket together may cost (docs/control.md)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import trio
import trio.testing

from engine.core.ids import Slot, Tick
from engine.runtime import ledger as bounds
from engine.runtime.control import ControlServer
from engine.runtime.inbox import Inbox
from engine.runtime.ledger import HELD_BYTES_MAX, Ledger
from engine.runtime.log import OncePerMinute
from engine.runtime.requests import Topic
from engine.runtime.subscriptions import Subscriptions
from engine.runtime.trace import Trace
from tests.runtime.sites import WITHIN_S
from tests.runtime.test_subscriptions import FakeClient, FakePicture


class Holder:
    def __init__(self) -> None:
        self.cut: list[int] = []

    def cut_off(self, held_bytes: int) -> None:
        self.cut.append(held_bytes)


def test_a_thousand_that_never_read_hold_no_more_than_the_bound_and_who_reads_is_spared() -> None:
    ledger, deaf, reader = Ledger(), [Holder() for _ in range(1_000)], Holder()
    for one in (*deaf, reader):
        assert ledger.enter(one)
    for _ in range(100):
        for one in deaf:
            ledger.hold(one, 4_096)
            assert ledger.held_bytes <= HELD_BYTES_MAX
        ledger.hold(reader, 4_096)
        ledger.hold(reader, -4_096)
    assert reader.cut == []
    assert sum(bool(one.cut) for one in deaf) > 500


def test_who_holds_most_is_cut_off_first_and_once() -> None:
    ledger, small, large = Ledger(), Holder(), Holder()
    for one in (small, large):
        ledger.enter(one)
    ledger.hold(large, HELD_BYTES_MAX - 1)
    ledger.hold(small, 2)
    assert (large.cut, small.cut) == ([HELD_BYTES_MAX - 1], [])
    ledger.hold(large, 10)
    assert ledger.held_bytes == 2


def test_who_leaves_is_counted_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS_MAX", 1)
    ledger, one, other = Ledger(), Holder(), Holder()
    assert ledger.enter(one)
    assert not ledger.enter(other)
    ledger.hold(one, 5)
    ledger.ask(one, 3)
    ledger.leave(one)
    ledger.leave(one)
    assert (ledger.held_bytes, ledger.unanswered) == (0, 0)
    assert ledger.enter(other)


def test_subscribers_share_the_bytes_of_a_notification() -> None:
    subscriptions, clients = Subscriptions(Trace()), [FakeClient(), FakeClient()]
    for client in clients:
        subscriptions.subscribe(client, frozenset({Topic.LOG}))
    subscriptions.slots([Slot(1)])
    subscriptions.flush(Tick(1_000), FakePicture())
    assert clients[0].lines[0] is clients[1].lines[0]


def test_what_would_be_said_ten_times_a_second_is_one_line_a_minute_without_a_traceback() -> None:
    once, passed = OncePerMinute(), []
    for tenth in range(1_210):
        record = logging.LogRecord("x", logging.ERROR, "", 1, "accept returned EMFILE", None, (None, None, None))
        record.created = 1_000 + tenth / 10
        if once.filter(record):
            passed.append(record)
    assert [record.created for record in passed] == [1_000, 1_060, 1_120]
    assert {record.exc_info for record in passed} == {None}


async def test_requests_that_the_node_has_not_taken_are_held_for_their_client(tmp_path: Path) -> None:
    """The node takes some thousand requests a pass, and a request may be a megabyte long."""
    inbox, server = Inbox(), ControlServer(tmp_path / "control.sock")
    rule = b'{"jsonrpc":"2.0","id":1,"method":"faults.add","params":{"rule":"%s"}}\n' % (b"x" * 1_000_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, inbox)
        greedy = await trio.open_unix_socket(str(tmp_path / "control.sock"))
        with trio.fail_after(WITHIN_S):
            await greedy.send_all(rule * 3)
            taken = 0
            while taken < 3:
                await trio.testing.wait_all_tasks_blocked()
                taken += len(inbox.take(10))
            with pytest.raises(trio.BrokenResourceError):
                await greedy.send_all(rule * (2 * HELD_BYTES_MAX // len(rule)))
        await greedy.aclose()
        assert sum(asked.size_bytes for asked in inbox.take(1_000)) <= HELD_BYTES_MAX + len(rule)
        server.close()
        nursery.cancel_scope.cancel()
