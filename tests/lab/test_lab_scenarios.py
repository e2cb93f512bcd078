"""The scenarios that ship with the lab: each goes as it says, and the catalogue has them all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.sim.scenario.parse import parse
from engine.sim.scenario.write import write
from tui.lab import catalogue
from tui.lab.seen import Happened, Said
from tui.lab.tape import SimulatedTape
from tui.lab.text import played, value


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


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_each_can_be_stepped_to_its_end(name: str) -> None:
    """What is seen last is what `--text` shows: the same slots, chosen as there."""
    schedule = catalogue.scenario(name).schedule()
    tape = SimulatedTape(schedule, name)
    seen: list[Said] = []
    while len(seen) < len(schedule.lines) and tape.forward():  # beyond them it goes on as long as the world does
        seen += [said for said in tape.frames[-1].seen if isinstance(said, Said)]
    assert not any(said.is_wrong for said in seen)
    last, ending = tape.frames[-1], played(schedule)
    for each in ending.acceptors:
        state = next(site for site in last.sites if site.site == each.site)
        acceptor = state.acceptors.get(each.slot)
        assert (None if acceptor is None else acceptor.learned) == each.learned


def test_restart_clears_all_sites_together() -> None:
    """Frames of before stay as they were; after it nothing is chosen, until something else is."""
    tape = SimulatedTape(catalogue.scenario("restart").schedule(), "restart")
    while tape.forward():
        pass
    chosen = [tuple(value(entry) for entry in frame.chosen.values()) for frame in tape.frames]
    assert list(dict.fromkeys(chosen)) == [(), ("X",), ("Y",)]
    cleared = next(
        frame for frame in tape.frames if any(isinstance(s, Happened) and s.what == "cleared" for s in frame.seen)
    )
    assert all(not state.acceptors for state in cleared.sites)


MISTAKES = [name for name in catalogue.NAMES if name.startswith("broken-")]


@pytest.mark.parametrize("name", MISTAKES)
def test_with_its_mistake_two_values_are_chosen_or_an_acknowledged_one_is_lost(name: str) -> None:
    schedule = catalogue.scenario(name).schedule()
    assert schedule.broken is not None
    with_it = played(replace(schedule, lines=schedule.lines[:-1]))  # without the expectation: as it ends
    broken = "R4" if name == "broken-recovery" else "agreement"
    assert with_it.verdict.startswith(f"violates {broken} slot "), "what the mistake leads to"
    if broken == "agreement":
        assert "two entries are chosen" in with_it.verdict or "but s1 has learned" in with_it.verdict


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
