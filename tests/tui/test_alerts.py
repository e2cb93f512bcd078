"""Telling of a tweet that names the site here: the ways that there are, off by default, and inert."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import Driven, screen_of
from tui.alerts import VARIABLE, Alert, alert_of


def test_it_is_off_by_default_and_what_is_none_is_told() -> None:
    assert alert_of({}) is alert_of({VARIABLE: ""}) is Alert.OFF
    assert alert_of({VARIABLE: "osc9"}) is Alert.OSC_9
    with pytest.raises(ValueError, match="LOGGOS_NOTIFY is loud: write one of off, bell, osc9, osc777"):
        alert_of({VARIABLE: "loud"})


def test_what_somebody_wrote_ends_no_sequence() -> None:
    words = "@alice \x1b\\ \a ; look"
    assert Alert.BELL.sequence("bob", words) == "\a"
    assert Alert.OSC_9.sequence("bob", words) == "\x1b]9;bob: @alice \\x1b\\ \\x07 , look\x1b\\"
    assert Alert.OSC_777.sequence("b;b", words) == "\x1b]777;notify;b,b;@alice \\x1b\\ \\x07 , look\x1b\\"
    assert Alert.OFF.sequence("bob", words) == ""
    assert len(Alert.OSC_9.sequence("bob", "x" * 500)) < 200


def written(pilot: Driven, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(pilot.app, "write", told.append)
    return told


async def test_who_wants_it_is_told_of_what_comes_and_names_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "osc9")
    async with EngineDouble(tmp_path) as engine:
        engine.append(text="@alice, before you came")
        async with screen_of(engine) as pilot:
            told = written(pilot, monkeypatch)
            await pilot.until_shown("before you came")
            await pilot.until(lambda: pilot.main._mentions._looked_to == 1, "never looked")
            await pilot.press("3")
            engine.append(text="@alicent is another")
            engine.append(author="alice", text="I am @alice")
            engine.append(text="and @alice?", author="carol")
            await pilot.until(lambda: told, "never told")
            assert told == ["\x1b]9;carol to alice: and @alice?\x1b\\"]


async def test_nobody_is_told_and_nothing_asked_unless_it_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            told = written(pilot, monkeypatch)
            engine.append(text="@alice?")
            await pilot.until_shown("@alice?")
            assert not engine.called("search")
            pilot.app.action_alert()
            await pilot.until_shown("the terminal's bell rings for a tweet that names this site")
            engine.append(text="nobody is named")
            await pilot.until(lambda: pilot.main._mentions._looked_to == 5, "never looked")
            engine.append(text="@alice!")
            await pilot.until(lambda: told == ["\a"], "never told")


async def test_a_way_that_there_is_not_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "loud")
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.until_shown("LOGGOS_NOTIFY is loud: write one of off, bell, osc9, osc777")
