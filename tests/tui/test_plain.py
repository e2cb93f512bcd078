"""A site in lines: what is new is printed once, in words; what is typed is a tweet or a command."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, Json, outcome
from tests.tui.pilots import BOUND_S
from tui.commands import plain
from tui.commands.plain import site_commands
from tui.hops import Leaving
from tui.line_reader import LineReader
from tui.parser import Command
from tui.plain.session import PlainSession

NO_QUORUM = {"quorum": {"reachable": 2, "needed": 3, "size": 5}}


class Typist:
    """Sits at a session: types lines, hears lines."""

    def __init__(self, engine: EngineDouble) -> None:
        self.heard: list[str] = []
        self.commands: list[tuple[str, str]] = []
        self._readable, self._writable = os.pipe()
        reader = LineReader(self._readable)
        self.session = PlainSession(engine.hop, reader, site_commands(), self.heard.append, self._obey)
        self.running = asyncio.ensure_future(self.session.run(Leaving.DETACHES))

    def _obey(self, command: Command, rest: str) -> None:
        self.commands.append((command.name, rest))

    def type(self, *lines: str) -> None:
        os.write(self._writable, "".join(f"{line}\n" for line in lines).encode())

    def hang_up(self) -> None:
        if self._writable >= 0:
            os.close(self._writable)
            self._writable = -1

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not holds():
                assert not self.running.done(), self.heard
                await asyncio.sleep(0.001)

    async def hears(self, *lines: str) -> None:
        """These, one after the other, at the end."""
        try:
            await self.until(lambda: self.heard[-len(lines) :] == [*lines])
        except TimeoutError:
            raise AssertionError(f"never {lines}: {self.heard}") from None

    async def status(self) -> int:
        async with asyncio.timeout(BOUND_S):
            return await self.running

    async def close(self) -> None:
        self.hang_up()
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        os.close(self._readable)


@asynccontextmanager
async def typist(engine: EngineDouble) -> AsyncIterator[Typist]:
    """Once the session has begun."""
    one = Typist(engine)
    try:
        await one.until(lambda: any("is a tweet" in line for line in one.heard))
        yield one
    finally:
        await one.close()


async def test_what_is_there_is_told_and_what_comes_as_it_comes(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 37
        async with typist(engine) as one:
            assert one.heard[:3] == [
                "alice of paxos-island: 5 of 5 reachable, 3 needed.",
                "The newest 10 of 37 tweets:",
                "#28 12:00 bob: tweet number 28",
            ]
            assert len(one.heard) == 13
            engine.append(text="one")
            await one.hears("#38 12:00 bob: one")
            engine.append(text="and @alice?")
            await one.hears("#39 12:00 bob names you: and @alice?")
            engine.used_max += 149
            engine.append(text="the last")
            await one.hears("#188 12:03 bob: tweet number 188", "#189 12:03 bob: the last")
            told = [line for line in one.heard if line.startswith("#")]
            assert [line.split()[0] for line in told] == [f"#{slot}" for slot in range(28, 190)], "each once, in order"


async def test_a_line_is_a_tweet_and_its_outcome_a_sentence(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("created", slot=1, took_ms=9)
        async with typist(engine) as one:
            one.type("see you there", "", "  //slashed  ")
            await one.until(lambda: len(engine.called("submit")) == 2)
            assert [call["text"] for call in engine.called("submit")] == ["see you there", "/slashed"]
            await one.hears("Created at slot 1 (9 ms): “see you there”", "Created at slot 1 (9 ms): “/slashed”")


async def test_what_is_in_no_log_is_sent_again_once(tmp_path: Path) -> None:
    answers = iter([outcome("not-created", reason="no quorum"), outcome("created", 2, slot=1)])
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: next(answers)
        async with typist(engine) as one:
            one.type("hello")
            await one.hears("Not created: no quorum. It is not in the log: “hello”", "/again sends it again.")
            one.type("/again", "/again")
            await one.hears(
                "There is nothing to send again: everything sent is in the log, or may be.",
                "Created at slot 1: “hello”",
            )
            assert [call["text"] for call in engine.called("submit")] == ["hello", "hello"]


async def test_what_is_unknown_says_how_it_is_settled_and_is_told_when_it_is(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.on["submit"] = lambda _: outcome("unknown", slot=2, reason="no majority answered")
        async with typist(engine) as one:
            one.type("hello")
            await one.hears("/fill 2 settles slot 2 now.")
            assert one.heard[-2].startswith("Outcome unknown of slot 2: no majority answered. It may still be chosen")
            engine.tell({"topic": "outcome", **outcome("created", slot=2)})
            await one.hears("Alice/1, unknown until now, is created at slot 2: “hello”")


async def test_what_is_no_tweet_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("created", slot=1)
        async with typist(engine) as one:
            one.type("x" * 281, "a\tb", "fine")
            await one.hears("Created at slot 1: “fine”")
            assert [line[:10] for line in one.heard[-3:-1]] == ["Not sent: ", "Not sent: "]


async def test_a_line_with_a_slash_is_a_command_of_this_site(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, typist(engine) as one:
        one.type("/view --limit 5", "/view_log", "/block bob", "/nonsense", "/help")
        await one.until(lambda: any(line.startswith("/status: ") for line in one.heard))
        assert one.commands == [("view", "--limit 5"), ("log", ""), ("block", "bob")]
        assert any(line.startswith("There is no /nonsense") for line in one.heard)
        assert not engine.called("submit")


def test_a_command_is_that_of_loggos_with_the_site_and_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run: list[Sequence[str]] = []
    monkeypatch.setattr(plain, "run_words", run.append)
    hop = EngineDouble(tmp_path).hop
    named = {command.name: command for command in site_commands()}
    plain.obey(hop, named["faults"], 'add "to=bob type=accept drop=50%"')
    where = ["--sites", str(hop.sites_path), "--data", str(tmp_path)]
    assert run == [[*where, "faults", "alice", "add", "to=bob type=accept drop=50%"]]
    plain.obey(hop, named["view"], 'not "closed')
    assert len(run) == 1
    assert "close what you opened" in capsys.readouterr().err


def test_the_commands_are_those_of_one_site() -> None:
    names = {command.name for command in site_commands()}
    assert {"view", "log", "status", "block", "fill", "explain", "faults", "events", "stop"} <= names
    assert names.isdisjoint({"open", "serve", "demo", "lab", "init", "audit", "rescue", "service"})


@pytest.mark.parametrize("leave", ["/quit", ""])
async def test_who_leaves_has_heard_what_became_of_his_tweets(tmp_path: Path, leave: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

        async def answered() -> Json:
            return await answer

        engine.on["submit"] = lambda _: answered()
        async with typist(engine) as one:
            one.type("hello", *filter(None, [leave]))
            if not leave:
                one.hang_up()
            await one.hears("Waiting for the outcome of 1 event that you sent; Ctrl+C leaves at once.")
            answer.set_result(outcome("created", slot=1))
            assert await one.status() == 0
            assert one.heard[-1] == "Created at slot 1: “hello”"


async def test_what_was_not_settled_is_told_in_the_next_session(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("unknown", slot=1, reason="no majority answered")
        async with typist(engine) as one:
            one.type("hello", "/quit")
            await one.status()
        engine.events = [outcome("created", slot=1)]
        async with typist(engine) as one:
            await one.until(lambda: "Created at slot 1: “hello”" in one.heard)


async def test_troubles_are_told_when_they_come_and_when_they_are_over(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, typist(engine) as one:
        for _ in range(2):
            engine.tell({"topic": "status", **engine.status(), **NO_QUORUM})
        await one.hears("Trouble: NO QUORUM: nothing can be created here; reading works.")
        engine.tell({"topic": "status", **engine.status()})
        await one.hears("Over: NO QUORUM: nothing can be created here; reading works.")


async def test_an_engine_that_goes_and_comes_back_is_told(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        async with typist(engine) as one:
            await engine.stop()
            await one.until(lambda: one.heard[-1].startswith("No engine: "))
            assert f"`{engine.hop.command('serve')}` starts it again" in one.heard[-1]
            one.type("hello")
            await one.until(lambda: one.heard[-1] == "/again sends it again.")
            await engine.start()
            await one.hears("The engine is connected again.")
            engine.append(text="later")
            await one.hears("#2 12:00 bob: later")
            one.type("/quit")
            assert await one.status() == 0
