"""The truth about linearizable reads fails whoever breaks its rule: each is broken here once (R5, D5, W1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from engine.core.effects import SawReadConfirmed, SawReadUnconfirmed
from engine.core.ids import Nonce, SiteId, Slot, Tick
from engine.core.settings import CHANGE_LAG
from engine.sim.truth.reads import Begun, Reads
from engine.sim.truth.replay import Replay
from engine.sim.violation import Violated

ALICE, BOB, CAROL = SiteId("alice"), SiteId("bob"), SiteId("carol")
BEGAN = Tick(100)


@contextmanager
def violates(rule: str) -> Iterator[None]:
    with pytest.raises(Violated) as caught:
        yield
    assert caught.value.violation.rule == rule


def saw(bound: int = 7, asked: int = BEGAN, voters: tuple[SiteId, ...] = (ALICE, BOB)) -> SawReadConfirmed:
    return SawReadConfirmed(1, Slot(bound), Tick(asked), Tick(0), voters)


@pytest.fixture
def reads() -> Reads:
    """Three sites; a read of alice's begins when slot 7 is chosen and slot 5 is acknowledged. Carol answers alice's
    question of before, bob the one of this read."""
    reads = Reads(Replay((ALICE, BOB, CAROL), CHANGE_LAG))
    reads.asked(Nonce(1))
    reads.began(1, Begun(BEGAN, Slot(7), Slot(5), Slot(0), reads.questions))
    reads.asked(Nonce(2))
    reads.asked(Nonce(1))
    reads.answered(ALICE, CAROL, Nonce(1))
    reads.answered(ALICE, BOB, Nonce(2))
    reads.answered(ALICE, BOB, Nonce(1))
    return reads


def test_r5_a_read_that_shows_all_that_was_chosen_is_confirmed(reads: Reads) -> None:
    assert reads.confirmed(ALICE, saw(), Slot(7)).chosen == 7


@pytest.mark.parametrize(
    "breaks",
    [
        lambda reads: reads.confirmed(ALICE, saw(bound=4), Slot(4)),
        lambda reads: reads.confirmed(ALICE, saw(bound=6), Slot(6)),
        lambda reads: reads.confirmed(ALICE, saw(bound=9), Slot(8)),
        lambda reads: reads.confirmed(ALICE, saw(asked=BEGAN - 1), Slot(7)),
        lambda reads: reads.confirmed(ALICE, saw(voters=(ALICE, CAROL)), Slot(7)),
        lambda reads: reads.confirmed(ALICE, saw(voters=(ALICE,)), Slot(7)),
        lambda reads: reads.confirmed(ALICE, saw(voters=(ALICE, ALICE)), Slot(7)),
        lambda reads: (reads.confirmed(ALICE, saw(), Slot(7)), reads.confirmed(ALICE, saw(), Slot(7))),
        lambda reads: (reads.ended(ALICE, 1), reads.confirmed(ALICE, saw(), Slot(7))),
    ],
    ids=[
        "acknowledged",
        "chosen",
        "bound",
        "asked before",
        "older answer",
        "one site",
        "twice the same site",
        "twice",
        "after its end",
    ],
)
def test_r5_a_read_is_confirmed_once_for_a_majority_asked_since_it_began(
    reads: Reads, breaks: Callable[[Reads], object]
) -> None:
    with violates("R5"):
        breaks(reads)


def test_a_read_that_ended_unconfirmed_says_nothing_of_the_log(reads: Reads) -> None:
    assert reads.ended(ALICE, SawReadUnconfirmed(1, None, "1 of 3 answered, 2 needed", 1, None).token).chosen == 7
