"""The scenarios that ship with the lab: each goes as it says, and the catalogue has them all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.sim.scenario.parse import parse
from engine.sim.scenario.write import write
from tui.lab import catalogue
from tui.lab.seen import Said
from tui.lab.tape import SimulatedTape
from tui.lab.text import played


def test_the_catalogue_names_every_file() -> None:
    assert sorted(catalogue.NAMES) == sorted(path.stem for path in catalogue.FOLDER.iterdir())


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_each_goes_as_it_says(name: str) -> None:
    scenario = catalogue.scenario(name)
    assert scenario.summary.endswith((".", ")"))
    schedule = scenario.schedule()
    assert played(schedule).verdict == "as expected"
    if schedule.mended is not None:
        assert played(schedule.mended).verdict == "as expected"


MISTAKES = [name for name in catalogue.NAMES if name.startswith("broken-")]


@pytest.mark.parametrize("name", MISTAKES)
def test_with_its_mistake_two_values_are_chosen_or_an_acknowledged_one_is_lost(name: str) -> None:
    schedule = catalogue.scenario(name).schedule()
    assert schedule.broken is not None
    with_it = played(replace(schedule, lines=schedule.lines[:-1]))  # without the expectation: as it ends
    broken = "R4" if name == "broken-recovery" else "agreement"
    assert with_it.verdict.startswith(f"violates {broken} slot "), "what the mistake leads to"
    if broken == "agreement":
        assert "two entries are chosen" in with_it.verdict or "another entry than s1 has learned" in with_it.verdict


@pytest.mark.parametrize("name", MISTAKES)
def test_one_can_step_to_what_breaks_and_back(name: str) -> None:
    schedule = catalogue.scenario(name).schedule()
    tape = SimulatedTape(schedule, name)
    while tape.forward():
        pass
    assert schedule.broken is not None
    assert (tape.frames[-1].broken or "").startswith(schedule.broken.until or "R4")
    assert not any(said.is_wrong for frame in tape.frames for said in frame.seen if isinstance(said, Said))
    assert parse(write(tape.schedule(), "saved"), name).broken == schedule.broken


@pytest.mark.parametrize("name", MISTAKES)
def test_its_mistake_is_what_breaks_it(name: str) -> None:
    """What is expected of the run with the mistake does not come about without it."""
    schedule = catalogue.scenario(name).schedule()
    assert not played(replace(schedule, broken=None, mended=None)).as_expected
