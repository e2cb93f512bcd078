"""What the screen opens, and at which step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.lab.opener import LabOpener

PLAN = """
sites s1 s2 s3
broken d1-promises-are-not-durable
plan
at 544 ms s1 tweets "t" timeout 10000 ms
calm at 5000 ms
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "seed-7.scenario"
    path.write_text(PLAN)
    return path


def test_a_plan_that_failed_opens_at_the_step_that_broke_the_rule(plan: Path) -> None:
    reel = LabOpener(5, None).open_words([str(plan)]).reel
    assert reel.position == len(reel.frames) - 1 > 0
    assert (reel.frames[reel.position].broken or "").startswith("D1 slot 1 at s2: promises 1.s1")


def test_a_plan_that_settles_opens_at_its_beginning(plan: Path) -> None:
    plan.write_text(PLAN.replace("broken d1-promises-are-not-durable\n", ""))
    assert LabOpener(5, None).open_words([str(plan)]).reel.position == 0


def test_a_mistake_that_is_put_in_is_looked_at_where_it_breaks_a_rule() -> None:
    """What is opened later, on the screen, is as it is."""
    opener = LabOpener(5, "d1-promises-are-not-durable")
    reel = opener.open_words(["single"]).reel
    assert reel.frames[reel.position].broken is not None
    assert opener.open("single").reel.position == 0


def test_a_well_known_mistake_is_walked_to_from_the_beginning() -> None:
    assert LabOpener(5, None).open("broken-accept").reel.position == 0
