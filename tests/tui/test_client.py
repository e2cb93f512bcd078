"""The blocking client of the control socket (docs/control.md), against a scripted engine."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.contract.errors import EngineLost, EngineSilent, NoEngine, RequestRefused
from tests.tui.scripted_engine import BOUND_S, Json, ScriptedEngine
from tui import client
from tui.client import Client
from tui.connection import Answer, Told


def _echo(engine: ScriptedEngine, request: Json) -> None:
    engine.answer(request, request["params"])


def test_a_call_returns_the_result_of_its_own_request(tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path / "s", _echo) as engine, Client.connect(engine.path) as client:
        assert client.call("first", {"n": 1}) == {"n": 1}
        assert client.call("second", {"n": 2}) == {"n": 2}
    assert [request["method"] for request in engine.requests] == ["first", "second"]


def test_no_socket_and_a_stale_socket_both_mean_no_engine(tmp_path: Path) -> None:
    with pytest.raises(NoEngine):
        Client.connect(tmp_path / "missing")
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(tmp_path / "stale"))
    stale.close()
    with pytest.raises(NoEngine):
        Client.connect(tmp_path / "stale")


def test_a_path_that_no_socket_can_have_means_no_engine(tmp_path: Path) -> None:
    with pytest.raises(NoEngine, match="nothing listens at"):
        Client.connect(tmp_path / ("x" * 200))


def test_an_error_answer_carries_code_and_sentence(tmp_path: Path) -> None:
    def refuse(engine: ScriptedEngine, request: Json) -> None:
        engine.fail(request, 1, "blocking yourself is refused")

    with (
        ScriptedEngine(tmp_path / "s", refuse) as engine,
        Client.connect(engine.path) as client,
        pytest.raises(RequestRefused, match="blocking yourself") as refused,
    ):
        client.call("submit")
    assert refused.value.code == 1


def test_answers_in_any_order_and_in_pieces_reach_their_requests(tmp_path: Path) -> None:
    held: list[Json] = []

    def last_first(engine: ScriptedEngine, request: Json) -> None:
        held.append(request)
        if len(held) == 3:
            raw = b"".join(
                b'{"jsonrpc":"2.0","id":%d,"result":"%s"}\n' % (one["id"], one["method"].encode())
                for one in reversed(held)
            )
            for piece in (raw[:7], raw[7:50], raw[50:]):
                engine.send_raw(piece)

    with ScriptedEngine(tmp_path / "s", last_first) as engine, Client.connect(engine.path) as client:
        methods = {client.request(method, {}): method for method in ("a", "b", "c")}
        got: dict[int, str] = {}
        while len(got) < 3:
            arrived, _ = client.wait(BOUND_S)
            assert arrived, "the answers did not come in time"
            got.update({one.number: one.value() for one in arrived if isinstance(one, Answer)})
    assert got == methods


def test_what_arrives_during_a_call_is_kept_for_the_next_wait(tmp_path: Path) -> None:
    def notify_first(engine: ScriptedEngine, request: Json) -> None:
        engine.send({"jsonrpc": "2.0", "method": "observed", "params": {"dropped": 0, "items": []}})
        engine.answer(request, {})

    with ScriptedEngine(tmp_path / "s", notify_first) as engine, Client.connect(engine.path) as client:
        client.call("subscribe", {"topics": ["trace"]})
        arrived, _ = client.wait(BOUND_S)
    assert arrived == [Told((), 0)]


def test_an_engine_that_is_lost_says_so_after_what_it_had_answered(tmp_path: Path) -> None:
    def answer_once(engine: ScriptedEngine, request: Json) -> None:
        if request["method"] == "a":
            engine.answer(request, 1)
        else:
            engine.hang_up()

    with ScriptedEngine(tmp_path / "s", answer_once) as engine, Client.connect(engine.path) as client:
        assert client.call("a") == 1
        with pytest.raises(EngineLost) as lost:
            client.call("b")
    assert lost.value.exit_status is None


def test_an_engine_that_stops_tells_why_and_with_which_status(tmp_path: Path) -> None:
    def stop(engine: ScriptedEngine, _request: Json) -> None:
        engine.send({"jsonrpc": "2.0", "method": "stopping", "params": {"reason": "disk full", "exit_status": 3}})
        engine.hang_up()

    with (
        ScriptedEngine(tmp_path / "s", stop) as engine,
        Client.connect(engine.path) as client,
        pytest.raises(EngineLost, match="disk full") as lost,
    ):
        client.call("status")
    assert lost.value.exit_status == 3


def test_an_engine_that_does_not_answer_is_not_waited_for_without_bound(tmp_path: Path) -> None:
    with (
        ScriptedEngine(tmp_path / "s", lambda _engine, _request: None) as engine,
        Client.connect(engine.path) as client,
        pytest.raises(EngineSilent),
    ):
        client.call("status", timeout_s=0.05)


@pytest.mark.parametrize("raw", [b"no json\n", b"[]\n", b'{"id":1}\n', b'{"id":1,"error":{}}\n', b"\xff\n"])
def test_what_does_not_speak_the_protocol_is_not_believed(tmp_path: Path, raw: bytes) -> None:
    def babble(engine: ScriptedEngine, _request: Json) -> None:
        engine.send_raw(raw)

    with (
        ScriptedEngine(tmp_path / "s", babble) as engine,
        Client.connect(engine.path) as client,
        pytest.raises(EngineLost, match="speak"),
    ):
        client.call("status")


def test_full_buffers_on_both_sides_do_not_stop_the_two_ends(tmp_path: Path) -> None:
    """More requests and larger answers than the kernel's socket buffers hold, from an engine that reads nothing more
    while it writes."""
    padding = "x" * 20_000

    def answer_large(engine: ScriptedEngine, request: Json) -> None:
        engine.answer(request, padding)

    with ScriptedEngine(tmp_path / "s", answer_large) as engine, Client.connect(engine.path) as client:
        waiting = {client.request("view", {"padding": padding}) for _ in range(200)}
        while waiting:
            arrived, _ = client.wait(BOUND_S)
            assert arrived, "both ends wait for each other"
            waiting -= {one.number for one in arrived if isinstance(one, Answer)}


def test_waiting_for_the_end_drops_what_still_arrives(tmp_path: Path) -> None:
    def stop(engine: ScriptedEngine, request: Json) -> None:
        engine.answer(request, {"stopping": True})
        engine.send({"jsonrpc": "2.0", "method": "stopping", "params": {"reason": "asked to", "exit_status": 0}})
        engine.hang_up()

    with ScriptedEngine(tmp_path / "s", stop) as engine, Client.connect(engine.path) as client:
        client.request("stop", {})
        assert client.wait_closed(BOUND_S)


def test_an_engine_that_lets_nobody_in_is_silent_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 0.1)
    with ExitStack() as held:
        listening = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listening.bind(str(tmp_path / "s"))
        listening.listen(0)
        waiting = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        waiting.connect(str(tmp_path / "s"))
        with pytest.raises(EngineSilent, match="accepted no connection"):
            Client.connect(tmp_path / "s")
        held.enter_context(listening.accept()[0])
        Client.connect(tmp_path / "s").close()


def test_what_the_engine_refuses_without_a_number_is_told(tmp_path: Path) -> None:
    def refuse(engine: ScriptedEngine, _request: Json) -> None:
        engine.send({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "a line is at most 1 byte"}})

    with (
        ScriptedEngine(tmp_path / "s", refuse) as engine,
        Client.connect(engine.path) as one,
        pytest.raises(EngineLost, match="refused what it was sent: a line is at most 1 byte"),
    ):
        one.call("submit")
