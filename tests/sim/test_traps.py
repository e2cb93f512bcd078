"""The traps that caught others: each has a scenario, and the scenario fails where the rule that it keeps is broken.

Those that the lab shows with the mistake in and with the mistake out ship with it (`tests/sim/test_scenarios.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from engine.sim.mutants.catalogue import RARE, named
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.transcript import Transcript

FOLDER: Final = Path(__file__).parents[1] / "scenarios"
SHIPPED: Final = FOLDER.parents[1] / "tui" / "lab" / "scenarios"
FOUND: Final = Path(__file__).with_name("found")

_IN_FLIGHT: Final = "elected-failover"

TRAPS: Final = {
    "trap-a2-votes-are-kept": "a2-forgets-the-votes-of-unlearned-slots",
    "trap-a4-accepted-ballot-is-reported": "a4-reports-the-promised-ballot-not-the-accepted-one",
    "trap-a4-range-promise-in-pages": "a4-a-range-promise-is-silently-short",
    "trap-b3-promise-counted-twice": "b3-counts-a-promise-twice",
    "trap-b3-stale-promise": "b3-counts-promises-of-other-ballots",
    "trap-b3-votes-of-an-older-reign": "b3-counts-votes-of-its-older-reigns",
    "trap-d1-promise-is-durable": "d1-promises-are-not-durable",
    "trap-d2-failed-sync": "d2-a-failed-sync-is-ignored",
    "trap-d5-old-copy-catches-up": "d5-an-old-copy-tells-the-commit-that-it-caught-up-to",
    "trap-e2-unknown-is-not-failed": "e2-says-not-created-of-an-event-that-left",
    "trap-l2-ballot-zero-before-a-crash": "l2-ballot-0-is-not-durable-before-it-leaves",
    "trap-l3-leader-behind-a-narrow-link": "l3-goes-on-leading-where-a-slot-gets-no-majority",
    "trap-l3-paused-leader": "l3-goes-on-leading-whoever-is-heard",
    "trap-r5-answer-of-before": "r5-a-read-takes-answers-to-other-questions",
}

CAUGHT: Final = (
    *TRAPS.items(),
    ("last-author-crash", "l2-uses-ballot-0-again-for-the-next-event"),
    (_IN_FLIGHT, "l3-forgets-what-a-dead-leader-had-in-flight"),
    (_IN_FLIGHT, "l3-leaves-gaps-and-nobody-fills-them-while-it-leads"),
    ("run-half-learned", "d1-a-learned-run-is-written-in-part"),
    ("run-partly-refused", "a2-accepts-a-run-where-its-first-slot-may-be"),
    ("run-partly-refused", "b3-a-vote-for-a-part-of-a-run-counts-for-all-of-it"),
    ("run-partly-refused", "b3-says-that-it-accepted-all-of-a-run"),
    ("run-split-by-a-promise", "a4-reports-the-first-slot-of-an-accepted-run-alone"),
    ("m4-a-promise-of-an-earlier-term", "m4-counts-what-a-store-promised-before-it-left"),
    ("m4-a-promise-of-the-store-before", "m4-counts-any-store-of-the-name"),
    ("l3-accept-beside-its-commit", "l3-acceptances-leave-beside-the-commit"),
    ("l3-queued-waits-for-the-commit", "l3-an-event-that-the-disk-calls-queued-leaves-beside-the-commit"),
    ("old-copy-that-alone-knows-of-a-slot", "r3-leaves-a-hole-to-one-that-does-not-vote"),
    ("ended-by-the-packet-that-promises", "e2-proposes-what-ended-when-the-promise-comes-in-the-same-packet"),
)


def test_each_trap_names_the_mutant_that_it_catches() -> None:
    assert {path.stem for path in FOLDER.glob("trap-*.scenario")} == set(TRAPS)


def test_what_is_too_rare_for_a_campaign_has_a_trap() -> None:
    shown = {
        schedule.broken.mutant for schedule in map(read, SHIPPED.glob("*.scenario")) if schedule.broken is not None
    }
    assert {mutant.name for mutant in RARE} <= {mutant for _, mutant in CAUGHT} | shown


@pytest.mark.parametrize(("trap", "mutant"), CAUGHT)
def test_a_trap_catches_whoever_breaks_its_rule(trap: str, mutant: str) -> None:
    (path,) = (path for folder in (FOLDER, SHIPPED, FOUND) if (path := folder / f"{trap}.scenario").exists())
    scenario = parse(path.read_text(encoding="utf-8"), path.name)
    with named(mutant).in_force():
        transcript = Transcript(scenario)
    assert not transcript.as_expected, "the scenario goes as expected with the rule broken: make it stricter"
    assert "escapes" not in transcript.verdict, "it is the mutant that fails, not what it did"
