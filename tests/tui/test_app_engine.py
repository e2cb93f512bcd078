"""The engine's end is shown with its reason, in words; the screen stays, and attaches again."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from engine.core.ids import SiteId
from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import BOUND_S, NARROW, WIDE, Driven, screen_of
from tui.app import LoggosApp
from tui.hops import Hop, Leaving
from tui.panes.engine import shell_lines
from tui.textual_inside import shown

FULL = "OSError: [Errno 28] No space left on device"


async def test_an_engine_that_stops_says_why_and_its_status_is_the_screens(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine, leaving=Leaving.ASK) as pilot:
            await pilot.until_shown("tweet number 3")
            engine.send({"method": "stopping", "params": {"reason": FULL, "exit_status": 3}})
            await engine.stop()
            await pilot.until_shown("ENGINE STOPPED")
            await pilot.until_shown(FULL)
            await pilot.until_shown("q quits (exit 3)")
            await pilot.until_shown("This site no longer votes. Acknowledged entries are on disk.")
            await pilot.until_shown("tweet number 3")
            await pilot.press("q")
            await pilot.until(lambda: pilot.app.return_value is not None, "never left")
            assert pilot.app.return_value == 3


async def test_an_engine_that_goes_without_a_word_shows_the_end_of_its_log(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        older = "2026-11-21T11:59:59.900Z INFO of an older engine\n"
        began = "2026-11-21T12:00:00.004Z INFO starting\n"
        engine.hop.log_path.write_text(f"{older * 200}{began}Traceback:\n2026-11-21T14:05:10.000Z \x1b[31mkilled\n")
        async with screen_of(engine, size=WIDE) as pilot:
            await engine.stop()
            await pilot.until_shown("NO ENGINE")
            await pilot.until_shown("14:05:10.000Z \\x1b[31mkilled")
            await pilot.until_shown("Traceback:")
            assert "of an older engine" not in pilot.text()
            await pilot.until_shown("q quits (exit 5)")
            says = f"loggos --sites {tmp_path}/sites.yaml --data {tmp_path} serve alice".replace(" ", "")
            await pilot.until(
                lambda: says in "".join(pilot.text().replace("\\\n", "").split()), "never told how to start it"
            )


async def test_what_an_older_engine_wrote_is_not_shown_as_the_last_words_of_one_that_writes_elsewhere(
    tmp_path: Path,
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.hop.log_path.write_text("2026-11-21T11:59:59.900Z INFO stopped: asked to\n")
        async with screen_of(engine, size=WIDE) as pilot:
            await engine.stop()
            await pilot.until_shown("NO ENGINE")
            await pilot.until_shown("q quits (exit 5)")
            assert "asked to" not in pilot.text()


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_a_pane_that_is_zoomed_has_the_whole_screen_without_an_engine_too(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 60
        async with screen_of(engine, size=size) as pilot:
            await pilot.until_shown("tweet number 60")
            await engine.stop()
            await pilot.until_shown("q quits (exit 5)")
            before = pilot.main.pane.rows_height
            await pilot.press("z")
            await pilot.until(lambda: "q quits" not in pilot.text(), "the panel stays")
            assert pilot.main.pane.rows_height > before
            assert "NO ENGINE" in pilot.lines()[0]
            await pilot.press("z")
            await pilot.until_shown("q quits (exit 5)")
            await engine.start()
            await pilot.until(lambda: "q quits" not in pilot.text(), "it stays")


async def test_a_demo_that_is_left_has_done_what_it_was_to_do_whichever_engine_is_gone(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, leaving=Leaving.STOPS_ALL) as pilot:
        await engine.stop()
        await pilot.until_shown("q quits. The command below starts the engine again")
        await pilot.press("q")
        await pilot.until_shown("leave the demo")
        await pilot.press("y")
        await pilot.until(lambda: pilot.app.return_value is not None, "never left")
        assert pilot.app.return_value == 0


async def test_without_an_engine_the_timeline_keeps_most_of_the_rows(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 40
        engine.hop.log_path.write_text("2026-11-21T14:05:09.000Z a line of the log\n" * 20)
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 40")
            await engine.stop()
            await pilot.until_shown("NO ENGINE")
            await pilot.until_shown("a line of the log")
            await pilot.until_shown("tweet number 40")
            await pilot.until(lambda: not pilot.trace.display, "the trace takes rows where nothing can be traced")
            shown = pilot.main.pane.rows_height
            assert shown >= 5, pilot.text()
            await pilot.until(lambda: pilot.text().count("tweet number") == shown, "rows are missing")


async def test_r_sends_again_and_nothing_else_where_there_is_no_engine(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        async with screen_of(engine) as pilot:
            await engine.stop()
            await pilot.until_shown("NO ENGINE")
            await pilot.press("r")
            await pilot.until_shown("there is nothing to send again")
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("not sent: no engine was connected")
            await pilot.press("r")
            await pilot.until_shown("not sent: no engine was connected")
            await engine.start()
            await pilot.until(lambda: "NO ENGINE" not in pilot.text(), "never attached again")
            await pilot.press("r")
            await pilot.until(lambda: engine.called("submit"), "never sent again")
            assert engine.called("submit")[0]["text"] == "hello"


async def test_an_engine_that_comes_back_is_attached_again(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        async with screen_of(engine) as pilot:
            await pilot.until_shown("tweet number 1")
            await engine.stop()
            await pilot.until_shown("NO ENGINE")
            engine.used_max = 2
            await engine.start()
            await pilot.until_shown("tweet number 2")
            await pilot.until(lambda: "NO ENGINE" not in pilot.text(), "it stays")
            assert len(engine.called("subscribe")) == 2


async def test_waiting_for_an_engine_tries_ever_more_rarely_and_paints_once(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await engine.stop()
        await pilot.until_shown("NO ENGINE")
        await pilot.until_painted()
        await pilot.pause()
        painted: list[object] = []
        pilot.app._display = lambda *update: painted.append(update)  # type: ignore[method-assign]
        before = os.times()
        await asyncio.sleep(1)
        after = os.times()
        assert painted == []
        assert after.user + after.system - before.user - before.system < 0.5


async def test_a_status_of_another_version_ends_no_screen(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=WIDE) as pilot:
        engine.status_changes = {"counters": engine.status()["counters"] | {"costs": {"events": 3}}}
        await pilot.press("5")
        await pilot.until_shown("it is of another version, restart it")
        await pilot.resize(170, 48)  # what is shown is written anew
        await pilot.press("3")
        await pilot.until_shown("The log is empty")


async def test_an_answer_of_another_version_is_told(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        engine.on["blocks"] = lambda _: {"lines": [{"blocker": "alice"}]}
        await pilot.press("2")
        await pilot.until_shown("the engine's answer has no 'blocked': it is of another version, restart it")
        engine.on["submit"] = lambda _: {"outcome": "created"}
        await pilot.press("c", *"hello", "enter")
        await pilot.until_shown("? outcome unknown: the engine's answer has no 'id': it is of another version")


async def test_a_screen_without_any_engine_says_so(tmp_path: Path) -> None:
    hop = Hop(SiteId("alice"), tmp_path / "none.sock", tmp_path / "engine.log", tmp_path / "sites.yaml")
    app = LoggosApp([hop], Leaving.DETACHES)
    async with app.run_test(size=(80, 24)) as pilot:
        async with asyncio.timeout(BOUND_S):
            while "no engine is running" not in "".join(strip.text for strip in shown(app.screen)):
                await pilot.pause()
        await pilot.press("q")
    assert app.return_value == 5


def _boxed(pilot: Driven) -> str:
    """What stands in the frame of a dialog."""
    return " ".join(" ".join(line.split("│")[1] for line in pilot.lines() if line.count("│") == 2).split())


@pytest.mark.parametrize(
    ("reachable", "words"),
    [
        (5, "4 of 5 voters remain, 3 needed: the others continue"),
        (3, "only 2 of 5 voters remain, 3 needed: nothing new"),
        (1, "it reaches 1 of 5 voters, 3 needed: what the others can do is not known here"),
    ],
)
async def test_leaving_asks_and_says_what_stopping_does(tmp_path: Path, reachable: int, words: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = {"quorum": {"reachable": reachable, "needed": 3, "size": 5}}
        async with screen_of(engine, leaving=Leaving.ASK) as pilot:
            await pilot.press("q")
            await pilot.until_shown("stop the engine of alice")
            await pilot.until(lambda: words in _boxed(pilot), f"never said: {words}")
            await pilot.press("escape")
            await pilot.until(lambda: pilot.app.screen is pilot.main, "never went back")
            assert pilot.app.return_value is None
            await pilot.press("ctrl+c", "l")
            await pilot.until(lambda: pilot.app.return_value is not None, "never left")
            assert pilot.app.return_value == 0
            assert not engine.called("stop")


async def test_stopping_waits_until_the_engine_has_let_go(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["stop"] = lambda _: {"stopping": True}
        async with screen_of(engine, leaving=Leaving.ASK) as pilot:
            await pilot.press("q", "s")
            await pilot.until_shown("stopping the engine of alice")
            assert pilot.app.return_value is None
            await engine.stop()
            await pilot.until(lambda: pilot.app.return_value is not None, "never left")
            assert pilot.app.return_value == 0


async def test_who_only_attached_leaves_without_being_asked(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("q")
        await pilot.until(lambda: pilot.app.return_value is not None, "never left")
        assert pilot.app.return_value == 0
        assert not engine.called("stop")


async def test_the_detach_key_never_asks(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, leaving=Leaving.ASK) as pilot:
        await pilot.press("d")
        await pilot.until(lambda: pilot.app.return_value is not None, "never left")
        assert pilot.app.return_value == 0


async def test_the_demo_hops_and_confirms_leaving(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, site="bob") as bob:
        alice.used_max = bob.used_max = 2
        async with screen_of(alice, bob, leaving=Leaving.STOPS_ALL) as pilot:
            await pilot.press("c", *"half", "escape", "h")
            await pilot.until(lambda: pilot.lines()[0].startswith(" bob  QUORUM"), "never at bob")
            await pilot.until_shown("tweet number 2")
            await pilot.press("h")
            await pilot.until_shown("c goes on with the draft: half")
            await pilot.press("q")
            await pilot.until_shown("leave the demo: all its sites stop")
            await pilot.press("y")
            await pilot.until(lambda: pilot.app.return_value is not None, "never left")
            assert pilot.app.return_value == 0
            assert not alice.called("stop")


async def test_what_ends_while_the_screen_goes_away_is_no_crash(tmp_path: Path) -> None:
    """Textual takes the widgets away first, and ends what is under way after."""
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        main = pilot.main
        await main.remove_children()
        main.remark("an outcome")
        engine.append(text="news")
        await pilot.until(lambda: main.model.log.last == 1, "the news never came")
        main.composer.keep()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 85, 160])
def test_a_command_in_lines_is_the_command_for_a_shell(width: int) -> None:
    command = "/a/place/with/loggos --sites /tmp/some/folder/sites.yaml --data /tmp/some/folder serve alice"
    lines = shell_lines(command, width)
    assert max(map(len, lines)) <= width
    echoed = subprocess.run(
        ["sh", "-c", "printf '%s ' " + "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert echoed.stdout.split() == command.split()
