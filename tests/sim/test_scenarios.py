"""Scenario files: each goes as it says, and reads as recorded (LOGGOS_REWRITE_GOLDEN=1 records anew).

The scenarios are those of tests/scenarios, where each names in its comments the rule that it keeps, and those that ship
with the lab. What is recorded of both is in tests/scenarios.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from engine.sim.scenario.__main__ import main as play
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.schedule import ScenarioError, Schedule
from engine.sim.scenario.transcript import Transcript
from engine.sim.scenario.write import write

FOLDER: Final = Path(__file__).parents[1] / "scenarios"
SHIPPED: Final = FOLDER.parents[1] / "tui" / "lab" / "scenarios"
SCENARIOS: Final = sorted([*FOLDER.glob("*.scenario"), *SHIPPED.glob("*.scenario")])
REWRITE: Final = "LOGGOS_REWRITE_GOLDEN"


def _runs(path: Path) -> Iterator[tuple[str, Schedule]]:
    """Of a scenario with a mistake in it, a second run without it."""
    schedule = _by_name(path)
    yield path.stem, schedule
    if schedule.mended is not None:
        yield f"{path.stem}.mended", schedule.mended


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_goes_as_expected_and_as_recorded(path: Path) -> None:
    for name, schedule in _runs(path):
        _goes_as_recorded(name, schedule)


def _goes_as_recorded(name: str, schedule: Schedule) -> None:
    transcript = Transcript(schedule)
    assert transcript.as_expected, transcript.verdict
    recorded = FOLDER / f"{name}.trace"
    now = "\n".join(transcript.lines()) + "\n"
    if os.environ.get(REWRITE):
        recorded.write_text(now, encoding="utf-8")
    assert now == recorded.read_text(encoding="utf-8"), f"{name} goes differently; {REWRITE}=1 records it anew"


def test_no_trace_is_left_without_its_scenario() -> None:
    assert {path.stem for path in FOLDER.glob("*.trace")} == {name for path in SCENARIOS for name, _ in _runs(path)}


def _by_name(path: Path) -> Schedule:
    """Traces hold no folder of this machine."""
    return parse(path.read_text(encoding="utf-8"), path.name)


# What has a mistake in it

_BROKEN: Final = """
sites s1 s2 s3
broken b2-proposes-its-own-entry-whatever-was-found until agreement
hold
s1 tweets "X"
deliver prepare to s2
deliver promise
deliver accept to s2
s3 tweets "Y"
deliver prepare from s3 to s2
deliver promise to s3
deliver accept from s3 to s2
broken: expect violation agreement
mended: expect slot 1 at s2: accepted 2.s3 "X"
"""


def test_a_mistake_is_shown_with_what_it_leads_to_and_the_rule_prevents_it() -> None:
    schedule = parse(_BROKEN.replace("hold\n", "round s3 1\nhold\n", 1), "some.scenario")
    assert schedule.mended is not None
    broken, mended = Transcript(schedule), Transcript(schedule.mended)
    assert (broken.verdict, mended.verdict) == ("as expected", "as expected")
    assert any("breaks B2 slot 1 at s3: 2.s3 proposes what no majority" in line for line in broken.trace)
    assert "breaks" not in "\n".join(mended.trace)


def test_without_a_rule_to_go_on_to_the_first_that_breaks_is_the_end() -> None:
    text = _BROKEN.replace("hold\n", "round s3 1\nhold\n", 1).replace(" until agreement", "")
    assert Transcript(parse(text, "some.scenario")).verdict.startswith("violates B2 slot 1 at s3: 2.s3 proposes")


def test_the_run_with_the_mistake_is_written_and_read_again_as_the_same() -> None:
    schedule = parse(_BROKEN, "some.scenario")
    again = parse(write(schedule, "saved"), "some.scenario")
    assert (again.lines, again.broken, again.setup) == (schedule.lines, schedule.broken, schedule.setup)


# What does not go as it says


def _played(text: str) -> Transcript:
    return Transcript(parse(text, "some.scenario"))


_THREE: Final = "sites alice bob carol\n"


@pytest.mark.parametrize(
    ("expectation", "truth"),
    [
        ("slot 1 at bob: promised nothing", "bob promised 1.alice"),
        ("slot 1 at bob: promised 1.alice accepted 1.bob", "bob accepted alice/1 tweet hello at 1.alice"),
        ('slot 1 at bob: accepted 1.alice "bye"', "bob accepted alice/1 tweet hello at 1.alice"),
        ("slot 1 at carol: not learned", "carol learned alice/1 tweet hello"),
        ("slot 1 at carol: learned bob/1", "carol learned alice/1 tweet hello"),
        ("outcome alice/1 lost", "alice/1 was told to be created at 1"),
        ("outcome alice/1 created at 2", "alice/1 was told to be created at 1"),
        ("outcome bob/1 created", "nothing was told of bob/1 yet"),
        ("all learned 1 = no-op", "alice learned alice/1 tweet hello"),
        ("bob learned 2 = alice/1", "bob learned nothing"),
        ("chosen 1 = nothing", "alice/1 tweet hello is chosen"),
        ("chosen 2 = alice/1", "nothing is chosen"),
        ("hole 1 at bob", "the holes at bob are []"),
        ("down bob", "bob is up, voting, not leading"),
        ("not voting bob", "bob is up, voting, not leading"),
        ("leading bob", "bob is up, voting, not leading"),
        ("stopped bob by D2", "bob was stopped by nothing"),
        ("all follow bob", "alice follows nobody"),
        ("1 election", "0 were won"),
        ("any held", "0 are; held: nothing"),
        ("violation agreement", "no rule was broken"),
    ],
)
def test_an_expectation_that_fails_says_what_is_true(expectation: str, truth: str) -> None:
    played = _played(f"{_THREE}alice tweets hello\nrun until quiet\nexpect {expectation}")
    assert not played.as_expected
    assert played.verdict == f"some.scenario:4: expect {expectation}: {truth}"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("run until outcome alice/1 created within 2 s", "2000 ms later nothing was told of alice/1 yet"),
        ("deliver accept", "nothing that is held matches; held: #1 prepare 1 1.alice from alice to bob"),
        ("drop prepare from bob", "nothing that is held matches"),
        ("drop #9", "none of that number is on its way; on its way or held: #1 prepare 1 1.alice from alice to bob;"),
        ("hold #1", "none of that number is on its way; on its way or held: #1 prepare 1 1.alice from alice to bob;"),
        ("release #9", "none of that number is held; held: #1 prepare 1 1.alice from alice to bob;"),
        ("restart alice", "alice runs already"),
        ("put back alice", "there is no copy of alice's store: write copy alice above"),
        ("give up alice/9", "there is no event alice/9"),
    ],
)
def test_a_command_that_finds_nothing_to_do_says_so(command: str, problem: str) -> None:
    played = _played(f"{_THREE}hold\nalice tweets hello\n{command}")
    assert not played.as_expected
    assert played.verdict.startswith(f"some.scenario:4: {command}: {problem}")


# What cannot be read


@pytest.mark.parametrize(
    ("text", "number", "instead"),
    [
        ("run 3 s", 1, "write: sites alice bob carol"),
        ("sites bob alice\nrun 3 s", 1, "each once, in alphabetical order"),
        ("sites Bob\nrun 3 s", 1, "'Bob' is not a site's name"),
        ("sites alice\n# nothing is done", 2, "write commands under the setup"),
        (f"{_THREE}run 3 s\nseed 4", 3, "write it above the first command"),
        (f"{_THREE}broken a1-promises-any-balot", 2, "did you mean 'a1-promises-any-ballot'?; write: broken a2-"),
        (f"{_THREE}broken nothing", 2, "'nothing' is not a mutant; write: broken a2-"),
        (f"{_THREE}mended: run 3 s", 2, "there is one run alone; write above the first command: broken"),
        (f"{_THREE}leadership chosen", 2, "write: leadership none|last-author|elected"),
        (f"{_THREE}heartbeat bob 61 s", 2, "no heartbeat of more than 60000 ms; write: heartbeat [SITE] 500 ms"),
        (f"{_THREE}stamps bob", 2, "ends where a time is expected; write: stamps SITE -86400000"),
        (f"{_THREE}stamps bob 1.5", 2, "'1.5' is not a time: write milliseconds since 1970"),
        (f"{_THREE}delivr all", 2, "did you mean 'deliver'?"),
        (f"{_THREE}deliver promises", 2, "'promises' is not a type of message: write one of prepare, promise,"),
        (f"{_THREE}deliver prepare to dave", 2, "'dave' is not a site: write one of alice, bob, carol"),
        (f"{_THREE}deliver prepare ballot 2", 2, "write ROUND.SITE, as in 2.alice"),
        (
            f"{_THREE}deliver #x",
            2,
            "'#x' is not the number of a message: write #12, as the trace does; write: deliver [all",
        ),
        (f"{_THREE}drop #0", 2, "'#0' is not the number of a message"),
        (f"{_THREE}step", 2, "ends where a count of events is expected; write: step 3"),
        (f"{_THREE}step 3 of hold", 2, "'hold' is where 'deliver' is expected; write: step 3"),
        (f"{_THREE}run 300", 2, "write: run 300 ms, or run until quiet"),
        (f"{_THREE}run 300 hours", 2, "'hours' is not a unit of time: write ms, s or min"),
        (f"{_THREE}run until leading bob", 2, "the end of the line is where 'within' is expected"),
        (f"{_THREE}run until any held within 3 s", 2, "'any' is not something to expect"),
        (f"{_THREE}crash alice between meals", 2, "write: crash SITE"),
        (f"{_THREE}cut alice bob", 2, "write: cut SITE... | SITE..."),
        (f"{_THREE}alice tweet hello", 2, "'tweet' is not something a user does; write: SITE tweets"),
        (f"{_THREE}alice", 2, "'alice' does not begin a command: write give"),
        (f"{_THREE}alice tweets", 2, "a tweet needs at least 1 character"),
        (f'{_THREE}alice tweets "hello" soon', 2, "write: SITE tweets"),
        (
            f"{_THREE}at soon crash bob",
            2,
            "'soon' is not a time: write a whole number of 0 or more; write: at 100 ms ACT",
        ),
        (f"{_THREE}at 5 ms crash bob between meals", 2, "write: at 100 ms crash SITE"),
        (f"{_THREE}expect slot 0 at bob: learned", 2, "slots count from 1"),
        (f"{_THREE}expect slot 1 at bob:", 2, "nothing is expected of the slot"),
        (f"{_THREE}expect outcome alice/1 won", 2, "'won' is not an outcome: write created"),
        (f"{_THREE}expect rain", 2, "'rain' is not something to expect; write: expect slot N at SITE"),
        (f"{_THREE}plan\nalice tweets hello", 3, "write at 100 ms ACT, or calm at 5000 ms"),
        (f"{_THREE}plan\nat 5 ms alice naps", 3, "'naps' is not something a user does; write: at 100 ms SITE"),
        (f"{_THREE}plan\nat 5 ms fill bob\nat 4 ms fill bob", 4, "keep them in order"),
        (f"{_THREE}plan\nat 5 ms fill bob", 3, "write: calm at 5000 ms"),
        (f"{_THREE}plan\nby hand\ncalm at 5 ms", 4, "'calm' does not begin a command"),
        (f"{_THREE}plan\ncalm at 5 ms\nby hand", 4, "the calm ends the plan: write this line above it"),
        (f"{_THREE}plan\nby hand\nplan", 4, "'plan' does not begin a command"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, number: int, instead: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse(text, "some.scenario")
    assert str(refused.value).startswith(f"some.scenario:{number}: ")
    assert instead in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.scenario"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="save it as UTF-8"):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nowhere.scenario"
    assert play([str(path)]) == 2
    assert capsys.readouterr().err == f"{path}: cannot be read (No such file or directory): name a scenario file\n"


def test_the_examples_of_the_guide_are_true() -> None:
    """docs/scenarios.md: its first scenario goes as it says, its plan and its expectations can be read."""
    guide = (FOLDER.parents[1] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    blocks = [block.splitlines() for block in guide.split("\n\n")]
    code = ["\n".join(line[4:] for line in block) for block in blocks if all(line.startswith("    ") for line in block)]
    stories = [text for text in code if "\nsites " in f"\n{text}"]
    assert len(stories) == 2
    assert all(Transcript(parse(story, "guide.scenario")).as_expected for story in stories)
    expectations = next(text for text in code if text.startswith("expect "))
    uncommented = "\n".join(line.partition("  #")[0] for line in expectations.splitlines())
    assert len(parse(f"{_THREE}{uncommented}", "guide.scenario").lines) == len(uncommented.splitlines())
