"""What an event costs, in one line for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.contract.status import Costs, PerEvent
from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import WIDE, screen_of
from tui.costs import in_words


def costs(events: int, each: PerEvent) -> Costs:
    return Costs(
        events=events,
        messages_in=0,
        messages_out=0,
        datagrams_in=0,
        datagrams_out=0,
        bytes_in=0,
        bytes_out=0,
        commits=0,
        per_event=each,
    )


@pytest.mark.parametrize(
    ("events", "each", "words"),
    [
        (37, (12.38, 1945.6, 2.97), "12.4 messages, 1.9 KiB, 3.0 syncs an event (37 events since start)"),
        (1, (4.0, 690.4, 3.0), "4.0 messages, 690 bytes, 3.0 syncs an event (1 event since start)"),
        (9_000, (0.0123, 61.2, 0.0), "0.012 messages, 61 bytes, 0 syncs an event (9,000 events since start)"),
        (12_000, (0.4, 90.0, 0.02), "0.4 messages, 90 bytes, 0.02 syncs an event (12,000 events since start)"),
    ],
)
def test_what_an_event_costs(events: int, each: tuple[float, float, float], words: str) -> None:
    messages, size, syncs = each
    assert in_words(costs(events, PerEvent(messages, messages, size, syncs))) == words


def test_without_an_event_there_is_nothing_to_divide_by() -> None:
    assert in_words(costs(0, PerEvent(None, None, None, None))) == "none since start"


async def test_the_sites_pane_shows_it(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=WIDE) as pilot:
        await pilot.press("5", "z")
        await pilot.until_shown("costs      12.4 messages, 1.9 KiB, 3.0 syncs an event (37 events since start)")
