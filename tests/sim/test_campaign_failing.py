"""The way of a failing seed: a campaign finds it, says how to replay it, makes it small, and saves it as a scenario."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from engine.sim.mutants.catalogue import broken_by
from engine.sim.proving.__main__ import main as simulate
from engine.sim.proving.campaign import JUDGED_FROM, Tally
from engine.sim.proving.minimise import FOUND, failure_of
from engine.sim.scenario.__main__ import main as play
from engine.sim.scenario.parse import read
from engine.sim.scenario.schedule import Broken
from engine.sim.sometimes import EXPECTED

MUTANT: Final = "a2-forgets-the-votes-of-unlearned-slots"
FIRST: Final = "1"
"""Of the first seeds that fail, one whose plan is made small in a second."""
SEEDS: Final = "3"
LINES_MAX: Final = 30
VIOLATED: Final = 12


@pytest.mark.timeout(300)
def test_a_campaign_over_a_broken_rule_ends_with_a_small_scenario_that_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A2, broken on purpose: the file fails by the same rule with the rule broken, and holds without."""
    monkeypatch.chdir(tmp_path)
    assert simulate(["--first", FIRST, "--seeds", SEEDS, "--jobs", "1", "--mutant", MUTANT]) == VIOLATED
    printed = capsys.readouterr().out
    (saved,) = FOUND.iterdir()
    seed = saved.stem.removeprefix("seed-")
    assert f"replay it: .venv/bin/python -m engine.sim.proving --seed {seed} --trace --mutant {MUTANT}" in printed
    assert f"python -m engine.sim.scenario {saved}; .venv/bin/loggos lab {saved}" in printed

    plan = read(saved)
    assert len(saved.read_text(encoding="utf-8").splitlines()) <= LINES_MAX
    with broken_by(MUTANT):
        failure = failure_of(plan)
    assert failure is not None
    assert f"violates {failure.rule} " in printed, "the diagram ends with the rule that the file breaks"
    assert failure_of(plan) is None

    assert plan.broken == Broken(MUTANT, None), "the file fails by itself"
    assert play(["--show", "nothing", str(saved)]) == VIOLATED
    with_it, without = capsys.readouterr().out.splitlines()
    assert f": violates {failure.rule} " in with_it
    assert without.endswith(": as expected")
    assert simulate(["--seed", seed, "--mutant", MUTANT]) == VIOLATED


def test_a_campaign_that_never_reached_a_state_fails_and_names_it() -> None:
    reached = Counter(EXPECTED[1:])
    tame = Tally(seeds=JUDGED_FROM, reached=reached)
    assert not tame.passed
    assert f"NEVER REACHED: {EXPECTED[0]}" in list(tame.report())
    assert Tally(seeds=JUDGED_FROM - 1, reached=reached).passed, "too few seeds to tell"
    assert Tally(seeds=JUDGED_FROM, reached=Counter(EXPECTED)).passed


def test_the_progress_of_a_campaign_tells_its_faults_by_kind() -> None:
    acts = Counter({"Crash": 3, "CrashAll": 1, "Wipe": 2, "datagram lost": 40, "Submit": 7})
    line = Tally(seeds=5, acts=acts, virtual_ms=7_200_000, steps=100, cpu_s=2.0).line
    assert line.startswith("5 seeds, 2.0 simulated hours, 100 steps (50/s ")
    assert "46 faults: crashes 4, pauses 0, clock jumps 0, cuts 0, disks failed 0, disks lost 2, datagrams 40" in line


def test_an_unknown_mutant_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        simulate(["--mutant", "a9"])
    assert refused.value.code == 2
    assert MUTANT in capsys.readouterr().err
