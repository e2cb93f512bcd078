"""User text is data in every pane: literal, harmless, and never markup (docs/decisions, "User text is data")."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.entry import clean_text
from tests.tui.engine_double import EngineDouble, Json, attempt, entry, log_line, outcome, trace_line
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tui.inert import inert
from tui.textual_inside import shown

TEXTS = {
    "click": "[@click=app.quit]x[/]",
    "markup": "[/nope] [bold red]not bold[/] [link=https://example.org]no link[/link]",
    "escape": "\x1b]0;owned\x07 \x1b[2J \x9b31m",
    "bidi": "\u202eevil\u2066 \u200b\u200d\ufeff",
    "emoji": "\u2764\ufe0f \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7",
    "wide": "統" * 280,
    "indic": "\u0939\u093f\u0928\u094d\u0926\u0940 " * 30,
    "odd": "\ue000 \U000f0000 \u0378 " + "e" + "\u0301" * 40,
}


def hostile(engine: EngineDouble, text: str) -> None:
    """The text wherever somebody else's text can stand."""
    engine.used_max = 4
    engine.special[1] = log_line(1, text=text)
    engine.special[2] = log_line(2, state="accepted", text=text)
    engine.special[3] = log_line(3, state="accepted", text=text, attempt=attempt(3, "adopting", ("bob",), text))
    about: Json = {"slot": 3, "ballot": "2.alice", "note": f"bob/3 tweet {text}"}
    engine.trace = [trace_line(1, "in", "bob", "accept", **about), trace_line(2, "self", None, "chosen", **about)]
    theirs = entry("tweet", "bob", 1, text)
    engine.slots[1] = {
        "slot": 1, "state": "chosen", "maxPrepare": "1.bob", "accNum": "1.bob", "accVal": theirs,
        "learned": theirs, "void": False, "attempt": attempt(1, "accepting", (), text),
        "trace": engine.trace,
    }  # fmt: skip
    engine.rules = [{"number": 1, "text": text, "on": True, "hits": 0, "expires_at": None}]
    engine.status_changes = {"mismatch": text, "voting_why": text, "data": text, "voting": False}


@pytest.mark.parametrize(("name", "size"), [*((name, NARROW) for name in TEXTS), ("wide", WIDE), ("indic", WIDE)])
async def test_hostile_text_is_literal_and_harmless(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    text = TEXTS[name]
    async with EngineDouble(tmp_path) as engine:
        hostile(engine, text)
        engine.on["submit"] = lambda _: outcome("not-created", 9, reason=text)
        async with screen_of(engine, size=size) as pilot:
            start = inert(text)[:10].strip()
            for key in "123456":
                await pilot.press(key)
                await _is_clean(pilot, size)
                if key in "134":
                    await pilot.until_shown(start)
            await pilot.press("1", "home", "enter")
            await pilot.until_shown("accVal")
            await pilot.until_shown(start)
            await _is_clean(pilot, size)
            pilot.main.complain(text)
            await pilot.press("o")
            await pilot.until_shown("Outcomes")
            await _is_clean(pilot, size)
            assert pilot.app.is_running


async def test_what_is_typed_and_pasted_is_drawn_inert(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c")
        for text in TEXTS.values():
            pilot.paste(text)
            await _is_clean(pilot, NARROW)
            await pilot.press("ctrl+u")
        pilot.paste(TEXTS["bidi"])
        await pilot.until_shown("\\u202eevil")
        await pilot.press("enter")
        await pilot.until(lambda: engine.called("submit"), "never submitted")
        assert engine.called("submit")[0]["text"] == clean_text(TEXTS["bidi"])


async def _is_clean(pilot: Driven, size: tuple[int, int]) -> None:
    """Every cell is printable text; nothing that is clicked or linked came out of it; every line has its width."""
    await pilot.pause()
    strips = shown(pilot.app.screen)
    assert len(strips) == size[1]
    for strip in strips:
        assert strip.text.isprintable()
        assert strip.cell_length == size[0]
        for segment in strip:
            if segment.style is not None:
                assert not segment.style.link
                assert "@click" not in (segment.style.meta or {})
