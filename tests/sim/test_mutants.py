"""The net is tight: every deliberate breakage of a rule is caught, and soon."""

from __future__ import annotations

import pytest

from engine.sim.mutants.catalogue import MUTANTS
from engine.sim.mutants.hunt import hunt
from engine.sim.mutants.mutant import Mutant


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_caught_within_a_minute(mutant: Mutant) -> None:
    verdict = hunt(mutant)
    assert verdict.by is not None, verdict.line
