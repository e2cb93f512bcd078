"""Frames made by hand, for tests of what is painted of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.core.entry import Entry, Tweet, encode, stamped
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, Round, SiteId, Slot
from tui.lab.frame import Acceptor, Flight, Frame, SiteState
from tui.lab.seen import Fate, Flown, Seen


def names_of(count: int) -> tuple[SiteId, ...]:
    return tuple(SiteId(f"s{number}") for number in range(1, count + 1))


FIVE: Final = names_of(5)


def ballot(text: str) -> Ballot:
    """`3.s1`."""
    number, _, site = text.partition(".")
    return Ballot(Round(int(number)), SiteId(site))


def tweet(text: str, author: str = "s1") -> Entry:
    return Entry(SiteId(author), 1, 0, encode(stamped(Tweet(text), 0)))


def said(kind: str, of: str | None = "3.s1", slot: int | None = 1, note: str = "") -> Line:
    return Line(kind, None if slot is None else Slot(slot), None if of is None else ballot(of), note)


def flown(fate: Fate, way: tuple[str, str], *lines: Line, at_ms: float = 1) -> Flown:
    """It left at 0 ms."""
    sender, to = map(SiteId, way)
    return Flown(at_ms, 0, 1, sender, to, fate, lines)


def flight(number: int, way: tuple[str, str], *lines: Line, at_ms: float | None = None) -> Flight:
    sender, to = map(SiteId, way)
    return Flight(number, sender, to, at_ms, lines)


def acceptor(
    promised: str | None = None, accepted: str | None = None, entry: Entry | None = None, learned: Entry | None = None
) -> Acceptor:
    number = None if accepted is None else ballot(accepted)
    return Acceptor(None if promised is None else ballot(promised), number, entry, learned)


def frame(
    step: int,
    *seen: Seen,
    names: tuple[SiteId, ...] = FIVE,
    down: tuple[str, ...] = (),
    acceptors: Mapping[str, Mapping[int, Acceptor]] | None = None,
    chosen: Mapping[int, Entry] | None = None,
) -> Frame:
    held = acceptors or {}

    def state(name: SiteId) -> SiteState:
        slots = {Slot(slot): each for slot, each in held.get(name, {}).items()}
        return SiteState(name, name not in down, "down" if name in down else "", None, slots)

    found = {Slot(slot): entry for slot, entry in (chosen or {}).items()}
    return Frame(step, 1, tuple(map(state, names)), (), seen, found, decided=False, broken=None)
