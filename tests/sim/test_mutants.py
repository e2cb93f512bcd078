"""The net is tight: every deliberate breakage of a rule is caught, and soon.

`mutants.seeds` names for each mutant a seed whose run catches it: `python -m engine.sim.proving.mutants` hunts from the
first seed on, and `--pin tests/sim/mutants.seeds` writes down what it finds. Where another seed is caught by the same
rule and much sooner, that one is named. A seed that another plan is drawn from by now is no failure: the hunt goes on
from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from engine.sim.mutants.catalogue import MUTANTS
from engine.sim.mutants.mutant import Mutant
from engine.sim.proving.hunt import hunt, pins

SEEDS: Final = pins(Path(__file__).with_name("mutants.seeds"))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_caught_within_a_minute(mutant: Mutant) -> None:
    verdict = hunt(mutant, SEEDS.get(mutant.name, 0))
    assert verdict.by is not None, verdict.line


def test_what_is_pinned_is_a_mutant() -> None:
    assert set(SEEDS) <= {mutant.name for mutant in MUTANTS}
