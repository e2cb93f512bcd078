"""The ladder of costs: the table as recorded (LOGGOS_REWRITE_GOLDEN=1 records it anew, here and in docs/benchmark.md),
and what each step must buy whatever the figures are."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from engine.sim.proving.ladder import LOSS, RUNGS, SIZES, Rung, Workload, measure, table

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "benchmark.md"
REWRITE: Final = "LOGGOS_REWRITE_GOLDEN"

NONE, LAST_AUTHOR, ELSEWHERE, LEADER = RUNGS


SHOWN: Final = max(SIZES)
COMMAND: Final = f"$ make ladder ARGS='--sites {SHOWN}'\n"
"""What stands above the table in docs/benchmark.md."""


@pytest.mark.parametrize("sites", SIZES)
def test_the_ladder_is_as_recorded(sites: int) -> None:
    recorded, now = _recorded(sites), "\n".join(table(sites)).strip() + "\n"
    if os.environ.get(REWRITE):
        recorded.write_text(now, encoding="utf-8")
        if sites == SHOWN:
            before, _, after = _page()
            PAGE.write_text(before + now + after, encoding="utf-8")
    assert now == recorded.read_text(encoding="utf-8"), f"events cost differently; {REWRITE}=1 records it anew"


@pytest.mark.skipif(REWRITE in os.environ, reason="it is being written")
def test_the_page_shows_the_recorded_ladder() -> None:
    assert _page()[1] == _recorded(SHOWN).read_text(encoding="utf-8")


def _recorded(sites: int) -> Path:
    return ROOT / "tests" / "scenarios" / f"ladder-{sites}.golden"


def _page() -> tuple[str, str, str]:
    """The table in docs/benchmark.md, and what stands before and after it."""
    before, command, rest = PAGE.read_text(encoding="utf-8").partition(COMMAND)
    shown, fence, after = rest.partition("```")
    return before + command, shown, fence + after


CALM: Final = Workload(3, 0.0, at_once=False, events=20)
LOSSY: Final = replace(CALM, loss=LOSS)
AT_ONCE: Final = replace(CALM, at_once=True)

_cost = cache(measure)


def test_leaving_the_prepare_out_saves_a_round_trip_and_what_it_sends() -> None:
    """L2: after the first event its author begins with accept."""
    full, short = _cost(NONE, CALM), _cost(LAST_AUTHOR, CALM)
    assert 1.9 < full.round_trips < 2.1
    assert 1.0 <= short.round_trips < 1.1
    assert short.messages < 0.7 * full.messages
    assert short.bytes < 0.7 * full.bytes
    assert short.syncs < 0.8 * full.syncs
    assert short.syncs_in_turn == full.syncs_in_turn - 2


def test_a_leader_needs_what_the_last_author_needs() -> None:
    """L3: accept rounds alone, from the first event on."""
    leader, author = _cost(LEADER, CALM), _cost(LAST_AUTHOR, CALM)
    assert leader.round_trips <= author.round_trips
    assert leader.messages <= author.messages


def test_handing_on_costs_one_message_and_the_way_to_the_leader_and_back() -> None:
    elsewhere, leader = _cost(ELSEWHERE, CALM), _cost(LEADER, CALM)
    assert elsewhere.messages == leader.messages + 1
    assert round(elsewhere.round_trips - leader.round_trips) == 1


@pytest.mark.parametrize("rung", [LEADER, ELSEWHERE], ids=lambda rung: rung.words)
def test_a_leader_carries_many_events_at_once(rung: Rung) -> None:
    """L3: many slots in flight, many entries a datagram."""
    many = _cost(rung, AT_ONCE)
    assert many.round_trips_in_all < 1.1 * _cost(rung, CALM).round_trips
    assert many.datagrams < 1
    assert many.syncs < 1


@pytest.mark.parametrize("rung", [NONE, LAST_AUTHOR], ids=lambda rung: rung.words)
def test_without_a_leader_what_waits_meanwhile_goes_together(rung: Rung) -> None:
    """L1: the first event goes alone, the rest with one synod after it."""
    many = _cost(rung, AT_ONCE)
    assert many.round_trips_in_all < 5
    assert many.messages < 2
    assert many.datagrams < 1
    assert many.syncs < 1


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.words)
def test_loss_costs_something_and_no_event(rung: Rung) -> None:
    """`measure` wants every event created, everywhere."""
    assert _cost(rung, LOSSY).messages >= 0.9 * _cost(rung, CALM).messages
