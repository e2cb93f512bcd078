"""How far the clocks of peers are apart is found out by asking. W1: only the newest challenge counts, and once."""

from __future__ import annotations

from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.core.ids import SiteId, Tick
from engine.runtime.clocks import ASK_AGAIN_AFTER, ASK_EVERY, Clocks
from tests.runtime.sites import cluster, status_where

BOB = SiteId("bob")
WALL_MS = 1_795_854_600_000


@pytest.fixture
def clocks() -> Clocks:
    """Of a site that hears bob since 0."""
    numbers = count()
    made = Clocks(lambda: next(numbers).to_bytes(8, "big"))
    made.heard(Tick(0), BOB)
    return made


def ask(clocks: Clocks, now: int) -> bytes:
    [(peer, challenge)] = clocks.due(Tick(now))
    assert peer == BOB
    return challenge


@pytest.mark.parametrize(
    ("theirs_ms", "took_ms", "ahead_ms"),
    [
        (WALL_MS, 0, 0),
        (WALL_MS + 5_000, 0, 5_000),
        (WALL_MS - 5_000, 0, -5_000),
        (WALL_MS + 5_000, 400, 5_000),
        (WALL_MS - 5_000, 400, -4_600),
        (WALL_MS - 100, 400, 0),
    ],
)
def test_they_are_apart_by_as_much_at_least(clocks: Clocks, theirs_ms: int, took_ms: int, ahead_ms: int) -> None:
    """The question left at once, and its answer took all of the time; or the other way round: nobody knows."""
    challenge = ask(clocks, 0)
    clocks.answered(Tick(took_ms), BOB, challenge, theirs_ms, WALL_MS)
    assert clocks.ahead_ms(BOB) == ahead_ms


def test_only_the_newest_question_counts_and_once(clocks: Clocks) -> None:
    older = ask(clocks, 0)
    newer = ask(clocks, ASK_AGAIN_AFTER)
    clocks.answered(ASK_AGAIN_AFTER, BOB, older, WALL_MS + 9_000, WALL_MS)
    clocks.answered(ASK_AGAIN_AFTER, SiteId("mallory"), newer, WALL_MS + 9_000, WALL_MS)
    assert clocks.ahead_ms(BOB) is None
    clocks.answered(ASK_AGAIN_AFTER, BOB, newer, WALL_MS, WALL_MS)
    clocks.answered(ASK_AGAIN_AFTER, BOB, newer, WALL_MS + 9_000, WALL_MS)
    assert clocks.ahead_ms(BOB) == 0


def test_who_answers_is_asked_again_a_minute_later(clocks: Clocks) -> None:
    clocks.answered(Tick(3), BOB, ask(clocks, 0), WALL_MS, WALL_MS)
    assert clocks.deadline() == 3 + ASK_EVERY
    assert clocks.due(Tick(ASK_EVERY)) == []


def test_who_does_not_answer_is_asked_less_and_less_often(clocks: Clocks) -> None:
    asked_at = []
    for _ in range(9):
        at = clocks.deadline()
        assert at is not None
        asked_at.append(at)
        ask(clocks, at)
    waits = [later - earlier for earlier, later in pairwise(asked_at)]
    assert waits[0] == ASK_AGAIN_AFTER
    assert waits[-1] == ASK_EVERY
    assert waits == sorted(waits)


def test_who_is_not_heard_any_more_is_not_asked_and_not_known(clocks: Clocks) -> None:
    clocks.answered(Tick(3), BOB, ask(clocks, 0), WALL_MS, WALL_MS)
    clocks.lost(BOB)
    assert clocks.ahead_ms(BOB) is None
    assert clocks.deadline() is None


async def test_sites_tell_each_other_what_their_clocks_say(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start_all()
        for running in sites.running.values():
            status = await status_where(running, lambda status: _told(status) is not None)
            assert abs(_told(status)) < 60_000, "they have one clock, and are slow at most"


def _told(status: Any) -> Any:
    [peer] = status["peers"].values()
    return peer["clock_ms"]
