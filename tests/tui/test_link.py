"""The link: every call ends, what is told unasked keeps its order, a lost connection is made again without spinning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.contract import status
from engine.contract.answers import TraceLine
from engine.contract.errors import EngineLost, NoEngine, RequestRefused
from engine.contract.notifications import Item
from engine.contract.requests import EventKind, Status, Submit
from engine.site_files import socket_to_ask, socket_to_bind
from tests.tui.engine_double import EngineDouble, ErrorAnswer, outcome, trace_line
from tui.link import Link

TWEET = Submit(kind=EventKind.TWEET, text="hello")
BOUND_S = 60.0


class Heard:
    """What the link told, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self._news = asyncio.Event()

    def connected(self) -> None:
        self._note("connected", None)

    def lost(self, why: str) -> None:
        self._note("lost", why)

    def stopping(self, reason: str, exit_status: int) -> None:
        self._note("stopping", (reason, exit_status))

    def observed(self, items: Sequence[Item], dropped: int) -> None:
        self._note("observed", ([type(item) for item in items], dropped))

    def _note(self, what: str, about: Any) -> None:
        self.said.append((what, about))
        self._news.set()

    async def until(self, what: str, times: int = 1) -> None:
        async with asyncio.timeout(BOUND_S):
            while sum(name == what for name, _ in self.said) < times:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def linked(engine: EngineDouble) -> AsyncIterator[tuple[Link, Heard]]:
    heard = Heard()
    link = Link(engine.hop.socket_path, heard)
    running = asyncio.create_task(link.run())
    try:
        yield link, heard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_it_subscribes_to_what_a_screen_shows_and_calls_are_answered_in_any_order(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        late: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def answer_late() -> Any:
            return await late

        engine.on["submit"] = lambda _: answer_late()
        async with linked(engine) as (link, heard):
            await heard.until("connected")
            slow = asyncio.create_task(link.ask(TWEET))
            assert (await link.ask(Status())).site == "alice"
            late.set_result(outcome("created", slot=1))
            assert (await slow).slot == 1
            assert engine.called("subscribe") == [{"topics": ["faults", "log", "outcome", "status", "trace"]}]


async def test_a_refusal_is_told_with_its_code(tmp_path: Path) -> None:
    def refuse(_: Any) -> Any:
        raise ErrorAnswer(1, "to blocks nobody: name a site")

    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = refuse
        async with linked(engine) as (link, heard):
            await heard.until("connected")
            with pytest.raises(RequestRefused, match="name a site") as refused:
                await link.ask(TWEET)
            assert refused.value.code == 1


async def test_a_call_ends_when_the_connection_does_and_none_is_made_without_one(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        async with linked(engine) as (link, heard):
            await heard.until("connected")
            call = asyncio.create_task(link.ask(TWEET))
            assert await link.ask(Status())
            await engine.stop()
            with pytest.raises(EngineLost):
                await call
            await heard.until("lost")
            with pytest.raises(NoEngine):
                await link.ask(Status())
            assert not link.up


async def test_what_is_told_unasked_keeps_its_order(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, linked(engine) as (link, heard):
        await heard.until("connected")
        await link.ask(Status())
        engine.tell(
            {"topic": "trace", **trace_line(1, "in", "bob", "accept")},
            {"topic": "status", **engine.status()},
            dropped=3,
        )
        engine.send({"method": "stopping", "params": {"reason": "disk full", "exit_status": 3}})
        await heard.until("stopping")
        await engine.stop()
        await heard.until("lost")
        assert [name for name, _ in heard.said] == ["connected", "observed", "stopping", "lost"]
        assert heard.said[1] == ("observed", ([TraceLine, status.Status], 3))
        assert heard.said[2] == ("stopping", ("disk full", 3))


async def test_it_connects_again_when_the_engine_is_back(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, linked(engine) as (link, heard):
        await heard.until("connected")
        assert await link.ask(Status())
        await engine.stop()
        await heard.until("lost")
        await engine.start()
        await heard.until("connected", times=2)
        assert (await link.ask(Status())).site == "alice"


async def test_without_an_engine_it_waits_longer_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    sleep = asyncio.sleep

    async def no_wait(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)  # a turn of the loop, as any sleep gives; no time is waited for

    monkeypatch.setattr(asyncio, "sleep", no_wait)
    engine = EngineDouble(tmp_path)
    async with linked(engine) as (_, heard):
        await heard.until("lost", times=8)
    assert waited[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0]
    assert heard.said[0] == ("lost", "no engine is running")


@pytest.mark.parametrize(
    "line", [b"not json\n", b'{"id":true}\n', b"[]\n", b'{"method":"observed","params":{"items":[{}]}}\n']
)
async def test_what_is_no_message_ends_the_connection(tmp_path: Path, line: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        await reader.read()
        writer.close()

    path = tmp_path / "odd.sock"
    server = await asyncio.start_unix_server(serve, path)
    heard = Heard()
    running = asyncio.create_task(Link(path, heard).run())
    await heard.until("lost")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.close()
    await server.wait_closed()
    assert heard.said[0] == ("connected", None)


async def test_the_engine_of_a_site_with_a_long_path_is_found_as_the_commands_find_it(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    control = folder / "control.sock"
    assert socket_to_ask(control) is None
    async with EngineDouble(tmp_path) as engine:
        heard = Heard()
        link = Link(control, heard)
        running = asyncio.create_task(link.run())
        await heard.until("lost")
        assert heard.said[0] == ("lost", "no engine is running")
        short = socket_to_bind(control)
        short.unlink(missing_ok=True)
        short.symlink_to(engine.hop.socket_path)
        control.symlink_to(short)
        await heard.until("connected")
        running.cancel()
        short.unlink()
