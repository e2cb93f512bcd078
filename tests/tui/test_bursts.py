"""What a terminal sends, before it is parsed: marked pastes, and keys that came together."""

from __future__ import annotations

import pytest
from textual import events

from tui.bursts import KEYS_MAX, PASTE_BEGINS, PASTE_ENDS, PASTE_MAX, Bursts, Pastes, TooMuch, burst_of


def marked(bursts: Bursts) -> int | None:
    key = events.Key("a", "a")
    bursts.mark(key)
    return burst_of(key)


def cut(bursts: Bursts, *reads: str) -> list[str | type]:
    return [piece if isinstance(piece, str) else type(piece) for read in reads for piece in bursts.cut(read)]


def test_keys_are_of_one_burst_until_there_is_a_pause() -> None:
    bursts = Bursts()
    cut(bursts, "ab")
    together = {marked(bursts), marked(bursts)}
    assert len(together) == 1
    bursts.paused()
    bursts.paused()
    assert marked(bursts) not in together


def test_a_burst_is_bounded_and_that_is_told_once_and_the_next_one_is_taken_again() -> None:
    bursts = Bursts()
    assert cut(bursts, "x" * KEYS_MAX, "y", "z" * 50_000) == ["x" * KEYS_MAX, TooMuch]
    bursts.paused()
    assert cut(bursts, "q") == ["q"]


def read(pastes: Pastes, *chunks: str) -> list[str]:
    """What comes of these reads: text to parse as it is, pastes in brackets."""
    pieces = [piece for chunk in chunks for piece in pastes.take(chunk)]
    return [piece if isinstance(piece, str) else f"<{piece.text}>" for piece in pieces]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 100])
def test_a_paste_is_whole_however_it_is_read(size: int) -> None:
    sent = f"several\nlines \x1b[20 {PASTE_BEGINS} and so on{PASTE_ENDS}"
    chunks = [sent[at : at + size] for at in range(0, len(sent), size)]
    got = read(Pastes(), f"ab{PASTE_BEGINS}", *chunks, "cd", f"{PASTE_BEGINS}{PASTE_ENDS}")
    assert got[0] == "ab"
    assert got[1] == f"<several\nlines \x1b[20 {PASTE_BEGINS} and so on>"
    assert got[2:] == ["cd", "<>"]


def test_a_long_paste_is_cut() -> None:
    got = read(Pastes(), PASTE_BEGINS, *["x" * 50_000] * 100, PASTE_ENDS, "q")
    assert got == [f"<{'x' * PASTE_MAX}>", "q"]


def test_an_escape_key_waits_for_nothing() -> None:
    assert read(Pastes(), "\x1b", "[200~x") == ["\x1b", "[200~x"]
