"""Seeds of the simulated world: the truth holds in each, all states are reached, and a seed is a run for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import pytest

from engine.sim.proving.campaign import JUDGED_FROM, campaign

ENOUGH: Final = 100

PRINT_DIGEST = """
from engine.sim.proving.swarm import draw
from engine.sim.scenario.play import Play

print(Play(draw({})).complete().digest)
"""


@pytest.mark.timeout(500)
def test_the_truth_holds_over_many_seeds_and_every_state_is_reached() -> None:
    """As many as it takes to reach them all, and ENOUGH at least; `make simulate` goes on."""
    for tally in campaign(0, JUDGED_FROM, None, os.cpu_count() or 1):
        assert not tally.failures, "\n".join(tally.report())
        if tally.seeds >= ENOUGH and not tally.missing:
            return
    raise AssertionError("\n".join(tally.report()))


@pytest.mark.parametrize("seed", [3, 11, 28])
def test_a_seed_is_the_same_run_whatever_the_hash_seed_is(seed: int) -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST.format(seed)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
            timeout=100,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }
    assert len(digests) == 1
