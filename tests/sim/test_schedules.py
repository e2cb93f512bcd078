"""One list of lines, with a time or without: read, written, played, recorded, forked and cut as one language."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

import pytest

from engine.core.entry import Block, Tweet, Unblock
from engine.core.ids import Ballot, EventId, Round, SiteId, Slot, Tick
from engine.core.storage import EventState
from engine.sim.mutants.catalogue import named
from engine.sim.proving.minimise import _without, failure_of, minimise
from engine.sim.scenario.acts import (
    Act,
    Clear,
    ClockJump,
    Crash,
    CrashAll,
    Cut,
    FailSync,
    FillDisk,
    FillHoles,
    FlipBit,
    GiveUp,
    MembersChange,
    Mend,
    Narrow,
    Pause,
    PutBack,
    Read,
    Readmission,
    Restart,
    Submit,
    TakeCopy,
    Wipe,
)
from engine.sim.scenario.expected import (
    AcceptedIs,
    Checkable,
    Expectation,
    ExpectChosen,
    ExpectElections,
    ExpectFollowing,
    ExpectHeld,
    ExpectHole,
    ExpectLearned,
    ExpectOutcome,
    ExpectRead,
    ExpectSlot,
    ExpectState,
    ExpectStopped,
    ExpectViolation,
    Fact,
    LearnedIs,
    NoopEntry,
    NotLearned,
    Promised,
    ReadState,
    State,
    Text,
)
from engine.sim.scenario.parse import parse
from engine.sim.scenario.parse_lines import CHANGES, TIMEOUT
from engine.sim.scenario.patterns import Pattern, Which
from engine.sim.scenario.play import Play, Unexpected
from engine.sim.scenario.schedule import (
    Command,
    Deliver,
    Drop,
    Duplicate,
    Hold,
    Line,
    Release,
    RunFor,
    RunUntil,
    RunUntilQuiet,
    ScenarioError,
    Schedule,
    Step,
)
from engine.sim.scenario.write import write, written
from engine.sim.sometimes import CrashPoint

FOLDER: Final = Path(__file__).parents[1] / "scenarios"
SCENARIOS: Final = sorted(FOLDER.glob("*.scenario"))
ALICE, BOB, CAROL = NAMES = (SiteId("alice"), SiteId("bob"), SiteId("carol"))
THREE: Final = "sites alice bob carol\n"
TRAPS: Final = (
    ("trap-a2-votes-are-kept", "a2-forgets-the-votes-of-unlearned-slots"),
    ("trap-d1-promise-is-durable", "d1-promises-are-not-durable"),
)
ONE: Final = Pattern(Which.FIRST, frozenset({"accept", "chosen"}), frozenset({ALICE}), frozenset({BOB, CAROL}))
NUMBERED: Final = Pattern(numbers=frozenset({3, 12}))
TWO: Final = Ballot(Round(2), BOB)
OTHER: Final = Pattern(slot=Slot(3), ballot=TWO)

ACTS: Final[tuple[Act, ...]] = (
    Submit(ALICE, (Tweet('a "quoted" text'),), Tick(200), retry=True, give_up_ms=300),
    Submit(ALICE, (Block(BOB),), Tick(10_000), retry=False, give_up_ms=None),
    Submit(ALICE, (Unblock(BOB),), Tick(10_000), retry=False, give_up_ms=None),
    GiveUp(EventId(ALICE, 1)),
    FillHoles(BOB),
    Read(BOB, Tick(300)),
    Readmission(BOB, CAROL),
    *(MembersChange(BOB, kind, CAROL) for kind in CHANGES),
    Cut(((ALICE, BOB), (ALICE, CAROL), (BOB, ALICE), (CAROL, ALICE)), None, "alice | bob carol"),
    Cut(((ALICE, BOB), (ALICE, CAROL)), 300, "alice > bob carol"),
    Cut(((ALICE, BOB),), None, "alice | bob carol"),
    Cut(((ALICE, BOB), (BOB, CAROL)), 300, "chain"),
    Cut((), 300, "split"),
    Narrow(((ALICE, BOB), (CAROL, BOB)), 1_280),
    Mend(),
    Crash(ALICE, 0, None, 0.0, None),
    Crash(ALICE, 0, CrashPoint.BETWEEN_SENDS, 0.25, 300),
    Crash(ALICE, 1, CrashPoint.TORN_COMMIT, 1.0, None),
    Crash(ALICE, 7, None, 0.5, 300),
    CrashAll(0.5, 300),
    CrashAll(0.0, None),
    Restart(()),
    Restart((ALICE, CAROL)),
    Pause(ALICE, 300),
    ClockJump(ALICE, 300),
    FailSync(ALICE, None),
    FailSync(ALICE, 300),
    FillDisk(ALICE, 300),
    FlipBit(ALICE, None),
    FlipBit(ALICE, Slot(1)),
    FlipBit(ALICE, 1.0),
    FlipBit(ALICE, 0.33252442841973906),
    Wipe(ALICE, None),
    Wipe(ALICE, 300),
    Clear(),
    TakeCopy(ALICE),
    PutBack(ALICE, None),
    PutBack(ALICE, 300),
)
STEPS: Final[tuple[Command, ...]] = (
    *(kind(pattern) for kind in (Hold, Release, Deliver, Drop, Duplicate) for pattern in (Pattern(), ONE, OTHER)),
    *(kind(NUMBERED) for kind in (Hold, Release, Deliver, Drop, Duplicate)),
    RunFor(300),
    RunUntilQuiet(),
    RunUntil(ExpectState(ALICE, State.NOT_VOTING), 300),
    Step(12),
    ExpectSlot(Slot(1), BOB, (Promised(None), AcceptedIs(None, None), NotLearned())),
    ExpectSlot(Slot(1), BOB, (Promised(TWO), AcceptedIs(TWO, None), LearnedIs(None))),
    ExpectSlot(Slot(1), BOB, (AcceptedIs(TWO, Text('a "quoted" text')), LearnedIs(NoopEntry()))),
    ExpectSlot(Slot(1), BOB, (AcceptedIs(TWO, EventId(ALICE, 3)), LearnedIs(EventId(ALICE, 3)))),
    *(ExpectOutcome(EventId(ALICE, 1), outcome, None) for outcome in (EventState.NOT_CREATED, None)),
    ExpectOutcome(EventId(ALICE, 1), EventState.CREATED, Slot(3)),
    *(ExpectRead(ALICE, state, bound) for state in ReadState for bound in (None, Slot(2))),
    ExpectLearned((), Slot(1), Text("t")),
    ExpectLearned((ALICE, BOB), Slot(1), NoopEntry()),
    ExpectChosen(Slot(1), EventId(ALICE, 1)),
    ExpectChosen(Slot(1), None),
    ExpectHole(Slot(1), CAROL),
    *(ExpectState(ALICE, state) for state in State),
    ExpectStopped(ALICE, "D2"),
    *(ExpectHeld(pattern, count) for pattern in (Pattern(), ONE) for count in (None, 0, 2)),
    ExpectViolation("agreement"),
    *(ExpectFollowing(sites, leader) for sites in ((), (ALICE, BOB)) for leader in (None, CAROL)),
    *(ExpectElections(count) for count in (0, 1, 2)),
    *(Step(0, kind(pattern)) for kind in (Release, Deliver, Duplicate) for pattern in (Pattern(), ONE)),
    *(Step(3, begun) for begun in (RunFor(300), RunUntilQuiet(), RunUntil(ExpectElections(1), 300))),
)


def of_three(*lines: Line) -> Schedule:
    return replace(parse(f"{THREE}run 1 ms", "some.scenario"), lines=lines)


# Read and written


def test_every_kind_of_line_is_written_here() -> None:
    assert {type(act) for act in ACTS} == set(get_args(Act))
    assert {type(command) for command in (*ACTS, *STEPS)} == set(get_args(Command))
    facts = {type(fact) for command in STEPS if isinstance(command, ExpectSlot) for fact in command.facts}
    assert facts == set(get_args(Fact))


@pytest.mark.parametrize("at", [None, Tick(0), Tick(300)])
def test_what_is_written_is_read_back_as_the_same(at: Tick | None) -> None:
    """To the type: a share of the log of 1.0 is not slot 1."""
    commands: tuple[Command, ...] = (*ACTS, *STEPS) if at is None else ACTS
    schedule = of_three(*(Line(command, at) for command in commands))
    again = parse(write(schedule, "All of them."), "some.scenario")
    assert again == schedule
    assert repr([line.command for line in again.lines]) == repr([line.command for line in schedule.lines])


def test_whatever_is_expected_of_the_world_can_be_waited_for() -> None:
    waits = of_three(*(Line(RunUntil(each, 300)) for each in STEPS if isinstance(each, Checkable)))
    assert {type(line.command.expected) for line in waits.lines if isinstance(line.command, RunUntil)} == set(
        get_args(Checkable)
    )
    assert parse(write(waits, "All that can be waited for."), "some.scenario") == waits
    elected = "sites alice bob carol\nleadership elected\nleader bob\ncrash bob\nrun until 1 election within 3 s\n"
    Play(parse(elected, "some.scenario")).complete()


def test_what_is_so_anyway_is_not_written() -> None:
    begun = of_three(Line(Crash(ALICE, 0, None, 0.0, None)), Line(CrashAll(0.0, 300)), Line(CrashAll(0.5, None)))
    assert write(begun, "").splitlines()[-3:] == ["crash alice", "crash all down 300 ms", "crash all keeping 0.5"]
    asked = of_three(Line(Read(ALICE, TIMEOUT)), Line(Submit(BOB, (Tweet("t"),), TIMEOUT, retry=True, give_up_ms=None)))
    assert write(asked, "").splitlines()[-2:] == ["alice reads", 'bob tweets "t" retry']


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_file_means_the_same_in_the_writer_s_words(path: Path) -> None:
    schedule = parse(path.read_text(encoding="utf-8"), path.name)
    assert parse(write(schedule, ""), path.name) == schedule
    for line in schedule.lines:
        words = written(replace(line, words=""), schedule.setup.names)
        setup = "\n".join((f"sites {' '.join(schedule.setup.names)}", words))
        assert parse(setup, path.name).lines == (line,)


def test_acts_alone_have_times() -> None:
    for line in ("run 3 s", "hold accept", "deliver all", "expect up alice"):
        with pytest.raises(ScenarioError, match="this has no time"):
            parse(f"{THREE}at 5 ms {line}", "some.scenario")


def test_a_site_may_be_called_like_the_word_before_a_time() -> None:
    assert parse('sites at bob\nat tweets "t"', "some.scenario").lines[0].at is None


def test_nobody_leads_where_a_plan_begins() -> None:
    for setup in ("leadership elected\nleader bob", "round bob 2"):
        with pytest.raises(ScenarioError, match="nobody leads and no round is used yet"):
            parse(f"{THREE}{setup}\nplan\ncalm at 5 ms", "some.scenario")


# Played


def test_a_line_with_a_time_is_done_then_and_the_next_one_follows_at_once() -> None:
    lines = ['at 30 ms alice tweets "second"', "at 20 ms restart bob", "crash bob", 'alice tweets "first"']
    lines += ["run 10 ms", "expect down bob", "run 10 ms", "expect up bob", "run until quiet"]
    lines += ['expect all learned 1 = "first"', 'expect all learned 2 = "second"']
    report = Play(parse(THREE + "\n".join(lines), "some.scenario")).complete()
    assert report.acts["Submit"] == 2


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("run 10 ms\nat 9 ms crash bob", "3: at 9 ms crash bob: it is 10 ms already"),
        ("at 11 ms crash bob\nrun 10 ms", "2: at 11 ms crash bob: the scenario ends at 10 ms"),
        ("at 5 ms restart bob\nrun 10 ms", "2: at 5 ms restart bob: bob runs already"),
        ("crash bob\nat 5 ms fill bob\nrun 10 ms", "3: at 5 ms fill bob: bob does not run"),
    ],
)
def test_a_line_with_a_time_that_cannot_be_done_is_named(lines: str, problem: str) -> None:
    with pytest.raises(Unexpected) as told:
        Play(parse(THREE + lines, "some.scenario")).complete()
    assert str(told.value) == f"some.scenario:{problem}"


def test_a_cut_that_was_mended_is_not_mended_again_when_its_time_is_over() -> None:
    play = Play(of_three())
    cut = Cut(((ALICE, BOB),), 100, "one-way")
    for command in (cut, Mend(), replace(cut, for_ms=None), RunFor(200)):
        play.do(Line(command))
    assert play.world.network.links[0][1].cuts == 1


def test_what_is_named_by_its_number_is_held_or_on_its_way_and_no_time_passes() -> None:
    """The prepares to bob and carol are #1 and #2, the promises #3 and #4; carol's never leaves her again."""
    lines = ["alice tweets t", "hold #1 #2", "expect 2 held", "duplicate #1", "expect 2 held", "deliver #1", "drop #2"]
    lines += ["expect no held", "expect slot 1 at bob: promised 1.alice", "deliver first #3 #4"]
    play = Play(parse(THREE + "\n".join(lines), "some.scenario"))
    play.complete()
    assert play.world.now == play.began
    assert play.checker.vote(Slot(1), ALICE).accepted == Ballot(Round(1), ALICE)


def test_what_is_released_by_its_number_is_on_its_way_again() -> None:
    lines = ["hold prepare", "alice tweets t", "release #1", "expect 1 held", "expect slot 1 at bob: promised nothing"]
    play = Play(
        parse(THREE + "\n".join([*lines, "run 1 ms", "expect slot 1 at bob: promised 1.alice"]), "some.scenario")
    )
    play.complete()
    assert play.world.now == play.began + 1


def test_a_step_is_an_event_of_the_world() -> None:
    """So many of them are the same run, and of what is let go some can arrive and some not yet."""
    lines = f"{THREE}hold accepted\nalice tweets t\n"
    run = Play(parse(f"{lines}run 600 ms", "some.scenario"))
    run.do_lines()
    events = Play(parse(f"{lines}run 600 ms", "some.scenario"))
    for line in events.schedule.lines:
        for _ in events.doing(line):
            pass
    stepped = Play(parse(f"{lines}step {events.world.stepped}", "some.scenario"))
    stepped.do_lines()
    assert stepped.world.digest() == events.world.digest() == run.world.digest()
    parts = f"{lines}run 20 ms\nexpect 2 held accepted\nstep 1 of deliver accepted\nexpect no held\nrun until quiet"
    Play(parse(parts, "some.scenario")).complete()


def test_a_plan_goes_on_by_hand() -> None:
    """It begins as it did, and no calm comes."""
    begun = f"{THREE}plan\nat 300 ms crash bob\n"
    by_hand = parse(
        f"{begun}by hand\nrun 301 ms\nexpect down bob\nrestart bob\nexpect up bob\nrun 99 s", "some.scenario"
    )
    play = Play(by_hand)
    play.complete()
    assert play.world.now == 99_301
    assert not play.is_calm
    assert parse(write(by_hand, ""), "some.scenario") == by_hand


# Recorded, forked, cut


def test_what_was_done_by_hand_is_the_same_run_when_it_is_read_back() -> None:
    """Whoever drives a world writes its lines down; a fork plays some of them again, and goes on by itself."""
    hand = Play(of_three())
    done = [
        Line(Hold(Pattern(types=frozenset({"accept"}), addressees=frozenset({BOB})))),
        Line(Submit(ALICE, (Tweet("t"),), Tick(10_000), retry=False, give_up_ms=None)),
        Line(Crash(CAROL, 0, None, 0.0, None), Tick(400)),
        Line(RunFor(300)),
        Line(Drop(Pattern())),
        Line(RunFor(500)),
    ]
    digests: list[str] = []
    for line in done:
        hand.do(line)
        digests.append(hand.world.digest())
    saved = write(of_three(*done), "By hand.")
    assert Play(parse(saved, "some.scenario")).complete().digest == digests[-1]

    fork = Play(parse(saved, "some.scenario"))
    for line in fork.schedule.lines[:4]:
        fork.do(line)
    assert fork.world.digest() == digests[3]
    fork.do(Line(Deliver(Pattern())))
    fork.do(Line(RunFor(499)))
    assert fork.world.digest() != digests[-1], "here it arrived"


@pytest.mark.parametrize(("trap", "mutant"), TRAPS)
def test_a_scenario_is_cut_like_a_plan(trap: str, mutant: str) -> None:
    """Of a trap into which its mutant falls, what leads to the broken rule is left, and fails as the whole did."""
    path = FOLDER / f"{trap}.scenario"
    schedule = parse(path.read_text(encoding="utf-8"), path.name)
    with named(mutant).in_force():
        failure = failure_of(schedule)
        assert failure is not None
        smaller = minimise(schedule)
        again = parse(smaller.text(), path.name)
        assert again == smaller.schedule
        assert failure_of(again) == smaller.failure
    assert smaller.failure.rule == failure.rule
    assert len(again.lines) < len(schedule.lines)
    assert not any(isinstance(line.command, Expectation) for line in again.lines), "what is expected breaks nothing"
    assert failure_of(again) is None


def test_a_site_goes_with_all_lines_about_it() -> None:
    dave = SiteId("dave")
    gone: tuple[Command, ...] = (
        Hold(Pattern(addressees=frozenset({CAROL, dave}))),
        Drop(Pattern(ballot=Ballot(Round(2), dave))),
        Cut(((ALICE, dave), (dave, ALICE)), None, "alice | dave"),
        Submit(dave, (Tweet("t"),), Tick(10_000), retry=False, give_up_ms=None),
        Submit(ALICE, (Block(dave),), Tick(10_000), retry=False, give_up_ms=None),
        GiveUp(EventId(dave, 1)),
        Crash(dave, 0, None, 0.0, None),
        Restart((dave,)),
    )
    kept: tuple[Command, ...] = (
        Hold(Pattern(addressees=frozenset({CAROL}))),
        Submit(ALICE, (Tweet("dave"),), Tick(10_000), retry=False, give_up_ms=None),
        CrashAll(0.0, 100),
        Restart(()),
        RunFor(5),
    )
    cut: tuple[tuple[Command, Command], ...] = (
        (Cut(((ALICE, BOB), (BOB, dave)), 5, "chain"), Cut(((ALICE, BOB),), 5, "chain")),
        (Narrow(((ALICE, BOB), (BOB, dave)), 500), Narrow(((ALICE, BOB),), 500)),
        (Restart((ALICE, dave)), Restart((ALICE,))),
    )
    four = parse(
        "sites alice bob carol dave\nlater carol dave\nround dave 2\nround bob 3\nleader dave\nrun 1 ms",
        "some.scenario",
    )
    read = parse("sites alice bob carol dave\nexpect up dave\nexpect up bob", "some.scenario").lines
    lines = (*map(Line, (*gone, *kept, *(before for before, _ in cut))), *read)
    smaller = _without(replace(four, lines=lines), dave)
    assert smaller.setup.names == NAMES
    assert (smaller.setup.later, smaller.leader, smaller.rounds) == ((CAROL,), None, ((BOB, Round(3)),))
    assert [line.command for line in smaller.lines] == [*kept, *(after for _, after in cut), read[1].command]
    assert parse(write(smaller, ""), "some.scenario") == smaller
