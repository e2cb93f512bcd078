"""The control socket: lines, errors, queues and its own life (docs/control.md)."""

from __future__ import annotations

import logging
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.contract.answers import Topic
from engine.contract.limits import LINE_BYTES_MAX
from engine.runtime import control, ledger
from engine.runtime.ending import EndStatus
from engine.runtime.sockets import CannotServe
from tests.ports import free_ports
from tests.runtime.sites import WITHIN_S, Client, RpcFailed, cluster, eventually, status_where, until


async def said_to(client: Client, line: bytes) -> dict[str, Any]:
    """What the engine answers to one raw line."""
    seen = len(client.said)
    await client.stream.send_all(line + b"\n")
    return await client.hears(lambda message: message in client.said[seen:])


@pytest.mark.parametrize(
    ("line", "code", "answered", "says"),
    [
        (b"{", -32700, None, "the line is not JSON"),
        (b"\xff\xfe", -32700, None, "the line is not JSON"),
        (b'{"jsonrpc":"2.0","id":1,"method":"view","params":{"limit":1e999}}', -32700, None, "not JSON"),
        (b"[]", -32600, None, "one JSON object a line"),
        (b"3", -32600, None, "one JSON object a line"),
        (b'{"jsonrpc":"2.0","method":"status"}', -32600, None, 'needs an "id"'),
        (b'{"jsonrpc":"2.0","id":true,"method":"status"}', -32600, None, 'needs an "id"'),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"status"}', -32600, None, 'needs an "id"'),
        (b'{"id":7,"method":"status"}', -32600, 7, '"jsonrpc":"2.0"'),
        (b'{"jsonrpc":"2.0","id":7}', -32600, 7, '"method"'),
        (b'{"jsonrpc":"2.0","id":"a","method":"nope"}', -32601, "a", "there is no method 'nope': use one of submit"),
        (b'{"jsonrpc":"2.0","id":7,"method":"status","params":[1]}', -32602, 7, "a value for each name"),
        (b'{"jsonrpc":"2.0","id":7,"method":"status","params":{"x":1}}', -32602, 7, "no param 'x'"),
        (b'{"jsonrpc":"2.0","id":7,"method":"view","params":{"limit":0}}', -32602, 7, "'limit' is an integer"),
        (b'{"jsonrpc":"2.0","id":7,"method":"view","params":{"limit":true}}', -32602, 7, "'limit' is an integer"),
        (b'{"jsonrpc":"2.0","id":7,"method":"view","params":{"limit":1.0}}', -32602, 7, "'limit' is an integer"),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"view","params":{"before":18446744073709551616}}',
            -32602,
            7,
            "'before' is a slot",
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"view","params":{"fresh":1}}', -32602, 7, "'fresh' is true or false"),
        (b'{"jsonrpc":"2.0","id":7,"method":"log","params":{"from":5,"to":4}}', -32602, 7, "swap them"),
        (b'{"jsonrpc":"2.0","id":7,"method":"slot"}', -32602, 7, "'slot' is an integer"),
        (b'{"jsonrpc":"2.0","id":7,"method":"data","params":{"slots":[0]}}', -32602, 7, "list of integers"),
        (b'{"jsonrpc":"2.0","id":7,"method":"data","params":{"slots":3}}', -32602, 7, "list of integers"),
        (b'{"jsonrpc":"2.0","id":7,"method":"submit","params":{"kind":"poke"}}', -32602, 7, "tweet, block or unblock"),
        (b'{"jsonrpc":"2.0","id":7,"method":"submit","params":{"kind":"tweet"}}', -32602, 7, "'text' is needed"),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"submit","params":{"kind":"tweet","text":"x","target":"bob"}}',
            -32602,
            7,
            "no param 'target'",
        ),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"submit","params":{"kind":"tweet","text":"x","timeout_s":0}}',
            -32602,
            7,
            "'timeout_s' is a number of seconds",
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"subscribe","params":{"topics":["x"]}}', -32602, 7, "'topics' is a list"),
        (b'{"jsonrpc":"2.0","id":7,"method":"events","params":{"ids":["x"]}}', -32602, 7, "'x' is not an event id"),
        (b'{"jsonrpc":"2.0","id":7,"method":"events","params":{"ids":["bob/3"]}}', 1, 7, "not an event of alice"),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"events","params":{"ids":["alice/3"]}}',
            1,
            7,
            "alice has no event alice/3",
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"fill","params":{"slots":[9]}}', 1, 7, "slot 9 is not used yet"),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"faults.add","params":{"rule":"to=bob"}}',
            1,
            7,
            "not a site of this cluster",
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"faults.remove","params":{"number":3}}', 1, 7, "there is no rule 3"),
    ],
)
async def test_what_is_wrong_is_one_error_that_says_what_to_do(
    tmp_path: Path, line: bytes, code: int, answered: int | str | None, says: str
) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        said = await said_to(client, line)
        assert said["error"]["code"] == code
        assert said["id"] == answered
        assert says in said["error"]["message"]
        assert (await client.call("status"))["site"] == "alice", "the connection goes on"


CALL = b'{"jsonrpc":"2.0","id":7,"method":"%s","params":%s}'
VIEW = b'{"jsonrpc":"2.0","id":7,"method":"view","params":%s}'
LONG = "\ue000".encode() * 340_000
"""It is printable nowhere: quoted, it is more than twice as long."""

NO_JSON = {
    "arrays without end": b"[" * 500_000,
    "objects without end": b'{"a":' * 180_000,
    "arrays that end, too deep": VIEW % (b'{"limit":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    "NaN": VIEW % b'{"limit":NaN}',
    "infinity": VIEW % b'{"limit":-Infinity}',
    "a number of 500,000 digits": VIEW % (b'{"limit":' + b"9" * 500_000 + b"}"),
    "an exponent beyond all": VIEW % b'{"limit":1e400}',
    "no UTF-8": VIEW % b'{"lim\xffit":3}',
    "half a character": VIEW % b'{"limit":3}' + b"\xf0\x9f",
    "a character spelt too long": VIEW % b'{"\xc0\xaf":3}',
    "a surrogate in UTF-8": VIEW % b'{"\xed\xa0\x80":3}',
    "a lone surrogate": VIEW % b'{"\\ud800":3}',
    "a byte order mark": b"\xef\xbb\xbf" + VIEW % b"{}",
    "a zero byte": b"\x00",
    "something after the end": VIEW % b"{}" + b"]",
}
NO_REQUESTS = {
    "arrays in a number's place": VIEW % (b'{"limit":' + b"[" * 900 + b"]" * 900 + b"}"),
    "2**64": VIEW % b'{"limit":18446744073709551616}',
    "a number as 1e1": VIEW % b'{"limit":1e1}',
    "-0": VIEW % b'{"limit":-0}',
    "a number that is nearly nothing": VIEW % b'{"fresh":true,"timeout_s":1e-400}',
    "a name that is long": VIEW % (b'{"%s":3}' % LONG),
    "a method that is long": b'{"jsonrpc":"2.0","id":7,"method":"%s"}' % LONG,
    "a target that is long": CALL % (b"submit", b'{"kind":"block","target":"%s"}' % LONG),
    "an event that is long": CALL % (b"events", b'{"ids":["%s"]}' % LONG),
    "a rule that is long": CALL % (b"faults.add", b'{"rule":"%s"}' % LONG),
}


async def test_w5_whatever_is_sent_as_json_is_one_error_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        for what, line in NO_JSON.items():
            said = await said_to(client, line)
            assert (said["id"], said["error"]["code"]) == (None, -32700), what
        for what, line in NO_REQUESTS.items():
            said = await said_to(client, line)
            assert said["id"] == 7, what
            assert len(said["error"]["message"]) < 10_000, what
        assert (await client.call("status"))["site"] == "alice"
        assert (await client.call("events"))["lines"] == []


async def test_of_two_equal_names_the_last_one_holds(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        said = await said_to(client, b'{"jsonrpc":"2.0","id":1,"id":7,"method":"stop","method":"blocks"}')
        assert (said["id"], said["result"]) == (7, {"lines": []})
        assert (await said_to(client, VIEW % b'{"limit":3,"limit":0}'))["error"]["code"] == -32602


async def test_params_may_be_null_where_they_have_a_default(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        assert await client.call("view", limit=None, before=None)
        assert (await client.call("submit", kind="tweet", text="x", target=None))["outcome"] == "created"
        said = await said_to(client, b'{"jsonrpc":"2.0","id":"q","method":"blocks","params":null}')
        assert said["result"] == {"lines": []}


async def test_e1_who_asks_for_it_is_told_the_id_of_his_event_before_its_outcome(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        await client.call("submit", kind="tweet", text="a script that reads the first line it is sent")
        assert "method" not in client.said[-1]
        request = await client.send("submit", kind="tweet", text="x", acknowledge=True)
        assert (await client.answer(request))["id"] == "alice/2"
        told = {"method": "acknowledged", "params": {"request": request, "id": "alice/2", "count": 1}}
        assert [said for said in client.said if "method" in said] == [{"jsonrpc": "2.0", **told}]
        assert client.said[-2]["method"] == "acknowledged"


async def test_a_line_may_come_in_pieces_and_many_lines_in_one(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        line = b'{"jsonrpc":"2.0","id":"pieces","method":"blocks"}\n'
        for index in range(len(line)):
            await client.stream.send_all(line[index : index + 1])
        assert await client.answer("pieces") == {"lines": []}
        await client.write(*({"jsonrpc": "2.0", "id": f"n{number}", "method": "blocks"} for number in range(500)))
        for number in range(500):
            assert await client.answer(f"n{number}") == {"lines": []}


async def test_a_line_that_is_too_long_is_refused_and_the_connection_closes(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        client = await alice.client()
        await client.stream.send_all(b"x" * (LINE_BYTES_MAX + 1))
        with pytest.raises(RpcFailed, match="a line is at most 1048576 bytes") as refused:
            await client.answer(None)
        assert refused.value.code == -32600
        with trio.fail_after(WITHIN_S):
            await client.ended.wait()
        assert (await alice.call("status"))["site"] == "alice"


async def test_who_sends_two_mebibytes_before_reading_still_reads_the_answer(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        async with await trio.open_unix_socket(str(alice.control)) as stream:
            with trio.fail_after(WITHIN_S):
                await stream.send_all(b"x" * 2 * LINE_BYTES_MAX + b"\n")
                said = b"".join([chunk async for chunk in stream])
        [line] = said.splitlines()
        assert b"a line is at most 1048576 bytes" in line
        assert (await alice.call("status"))["site"] == "alice"


async def test_a_client_that_only_shuts_down_its_sending_half_gets_its_answers(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        request = await client.send("submit", kind="tweet", text="x")
        await client.stream.send_eof()
        assert (await client.answer(request))["outcome"] == "created"
        with trio.fail_after(WITHIN_S):
            await client.ended.wait()


async def test_a_client_that_does_not_read_is_cut_off_and_nobody_else_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(control, "QUEUE_BYTES_MAX", 300_000)
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        watcher = await alice.client()
        deaf = await trio.open_unix_socket(str(alice.control))
        question = b'{"jsonrpc":"2.0","id":1,"method":"status"}\n'
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_without_reading, deaf, question * 1_000)
            await until(lambda: "is disconnected" in caplog.text)
            assert await watcher.call("blocks") == {"lines": []}
        with trio.fail_after(WITHIN_S):
            await read_to_the_end(deaf)
        await deaf.aclose()


async def test_half_lines_of_many_are_bounded_in_sum_and_nobody_else_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger, "HELD_BYTES_MAX", 300_000)
    async with cluster(tmp_path, "alice") as sites, trio.open_nursery() as nursery:
        alice = await sites.start("alice")
        watcher = await alice.client()
        halves = [await trio.open_unix_socket(str(alice.control)) for _ in range(4)]
        for half in halves:
            nursery.start_soon(ask_without_reading, half, b"x" * 100_000)
        await until(lambda: "is disconnected" in caplog.text)
        assert await watcher.call("blocks") == {"lines": []}
        for half in halves:
            await half.aclose()


async def ask_without_reading(stream: trio.SocketStream, questions: bytes) -> None:
    with suppress(trio.BrokenResourceError):
        await stream.send_all(questions)


async def read_to_the_end(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        async for _ in stream:
            pass


async def test_too_many_requests_without_an_answer_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "UNANSWERED_MAX", 3)
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        client = await (await sites.start("alice")).client()
        asked = [await client.send("submit", kind="tweet", text="waits for a quorum") for _ in range(4)]
        with pytest.raises(RpcFailed, match="3 requests are still unanswered") as refused:
            await client.answer(asked[-1])
        assert refused.value.code == 1


async def test_an_id_is_not_used_twice_at_a_time(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        client = await (await sites.start("alice")).client()
        submit = {"jsonrpc": "2.0", "id": "x", "method": "submit", "params": {"kind": "tweet", "text": "waits"}}
        await client.write(submit, submit)
        with pytest.raises(RpcFailed, match="belongs to a request that is not answered yet"):
            await client.answer("x")


async def test_the_socket_is_the_owners_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        assert stat.S_IMODE(alice.control.stat().st_mode) == 0o600
        assert await alice.stop() == 0
        assert not alice.control.exists()


async def test_d4_a_stale_socket_is_replaced_for_the_lock_is_held(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        folder = tmp_path / "alice"
        folder.mkdir()
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(folder / "control.sock"))
        stale.close()
        alice = await sites.start("alice")
        assert (await alice.call("status"))["site"] == "alice"


async def test_stop_answers_lets_go_of_the_store_and_then_closes(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        waiting, stopping = await alice.client(), await alice.client()
        waits = await waiting.send("submit", kind="tweet", text="waits for a quorum")
        assert await waiting.call("blocks")
        assert await stopping.call("stop") == {"stopping": True}
        with pytest.raises(RpcFailed, match="the engine of alice stops") as failed:
            await waiting.answer(waits)
        assert failed.value.code == 2
        said = await waiting.hears(lambda message: message.get("method") == "stopping")
        assert said["params"] == {"reason": "asked to stop by a client", "exit_status": 0}
        with trio.fail_after(WITHIN_S):
            await stopping.ended.wait()
            # The store is free before the connection closes: the site can be started again at once.
            again = await sites.start("alice")
        assert (await again.call("status"))["site"] == "alice"
        assert alice.exit_status == 0


async def test_an_address_in_use_is_said_with_status_4(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start("alice")
        sites.addresses = dict.fromkeys(sites.sites, sites.addresses[sites.sites[0]])
        with pytest.raises(CannotServe, match="is in use: stop the program that uses it") as refused:
            await sites.start("bob")
        assert refused.value.status == EndStatus.ADDRESS_IN_USE
        sites.addresses = dict(zip(sites.sites, [("192.0.2.1", 7001), ("192.0.2.1", 7002)], strict=True))
        sites.addresses = {site: ("127.0.0.1", port) for site, port in zip(sites.sites, free_ports(2), strict=True)}
        assert (await (await sites.start("bob")).call("status"))["site"] == "bob", "the store was let go each time"


async def test_a_bug_ends_the_site_with_its_traceback_and_never_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        client = await alice.client()

        def bug(*_: object) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr("engine.runtime.status.StatusBoard.status", bug)
        with pytest.raises(AssertionError, match="the engine closed the connection"):
            await client.call("status")
        with trio.fail_after(WITHIN_S):
            await alice.ended.wait()
        assert alice.exit_status == 1
        assert any("stopping" in str(message) for message in client.said)
        record = next(record for record in caplog.records if record.levelno == logging.ERROR)
        assert record.exc_info is not None


async def test_a_subscriber_is_told_of_its_topics_and_an_idle_engine_tells_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        alice = sites.running["alice"]
        client = await alice.client()
        assert await client.call("subscribe", topics=list(Topic)) == {
            "subscribed": ["faults", "log", "outcome", "record", "status", "trace"]
        }
        outcome = await client.call("submit", kind="tweet", text="hello", retry=True)
        slot = outcome["slot"]
        await client.hears(
            lambda _: (slot, "chosen") in {(item["slot"], item["state"]) for item in client.items("log")}
        )
        await client.hears(lambda _: {"topic": "outcome", **outcome} in client.items("outcome"))
        await client.hears(lambda _: any(item["chosen_through"] >= slot for item in client.items("status")))
        assert {"prepare", "promise", "accept", "accepted", "chosen", "created"} <= {
            item["type"] for item in client.items("trace")
        }
        await client.hears(
            lambda _: all(
                (peer["chosen_through"] or 0) >= slot for peer in client.items("status")[-1]["peers"].values()
            )
        )

        async def told_while_it_beats() -> int:
            """What it tells of anything but messages, while it sends twenty more of them."""
            before = sum(len(client.items(topic)) for topic in ("status", "log", "outcome"))
            sent = (await alice.call("status"))["counters"]["messages_out"]
            await status_where(alice, lambda status: status["counters"]["messages_out"] > sent + 20)
            return sum(len(client.items(topic)) for topic in ("status", "log", "outcome")) - before

        await eventually(told_while_it_beats, lambda told: told == 0)
