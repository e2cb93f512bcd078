"""The tape: a simulated run is stepped, gone back in, forked and saved, and is the same run every time."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pytest

from engine.core.entry import Tweet
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.settings import Leadership
from engine.sim.mutants.catalogue import named
from engine.sim.scenario.acts import Crash, CrashAll, Restart, Submit
from engine.sim.scenario.expected import ExpectState, State
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.patterns import Pattern
from engine.sim.scenario.play import Play
from engine.sim.scenario.schedule import Deliver, Drop, Duplicate, Hold, RunFor, Schedule, Step
from engine.sim.scenario.write import write
from tests.sim.test_traps import TRAPS
from tui.lab.frame import Tape
from tui.lab.opener import LabOpener
from tui.lab.seen import Concluded, Fate, Flown, Said, Seen
from tui.lab.tape import SimulatedTape, free

FOLDER: Final = Path(__file__).parents[1] / "scenarios"
FOUND: Final = Path(__file__).parents[1] / "sim" / "found"
B_WINS: Final = """sites s1 s2 s3 s4 s5
round s1 2
round s5 3
hold
s1 tweets "X"
deliver prepare to s2 s3
deliver promise
deliver accept to s3
s5 tweets "Y"
expect 1 held prepare from s5 to s3 ballot 4.s5
deliver prepare from s5 to s3 s4
deliver promise from s3 to s5
deliver promise from s4 to s5
expect slot 1 at s5: promised 4.s5 accepted 4.s5 "X"
deliver accept from s5 to s3 s4
expect chosen 1 = "X"
deliver accept from s1 to s2
expect slot 1 at s2: promised 3.s1 accepted 3.s1 "X"
deliver accepted
release
run until quiet
expect all learned 1 = s1/1
expect outcome s1/1 created at 1
expect outcome s5/1 lost at 1
"""
"""S3 accepts A's entry and promises B, who must propose it."""


def opened(path: Path, mutant: str | None = None) -> SimulatedTape:
    return SimulatedTape(read(path), path.stem, mutant=mutant)


def b_wins() -> SimulatedTape:
    return SimulatedTape(parse(B_WINS, "b-wins.scenario"), "b-wins")


def to_the_end(tape: Tape) -> Tape:
    while tape.forward():
        pass
    return tape


def number(*numbers: int) -> Pattern:
    return Pattern(numbers=frozenset(numbers))


def digest_of(schedule: Schedule) -> str:
    """As it is written, read and played again."""
    play = Play(parse(write(schedule, "Done by hand."), "some.scenario"))
    play.do_lines()
    return play.world.digest()


def test_a_scenario_is_stepped_to_its_end() -> None:
    tape = to_the_end(b_wins())
    last = tape.frames[-1]
    assert [len(frame.seen) > 0 for frame in tape.frames[1:]] == [True] * (len(tape.frames) - 1)
    assert not any(saw.is_wrong for frame in tape.frames for saw in frame.seen if isinstance(saw, Said))
    assert {site.acceptors[Slot(1)].learned for site in last.sites} == {last.chosen[Slot(1)]}
    decided = [frame.step for frame in tape.frames if frame.decided]
    assert [1 in tape.frames[step - 1].chosen for step in decided] == [False]


@pytest.mark.parametrize("name", ["l3-failover", "trap-d5-old-copy-catches-up"])
def test_what_was_done_is_a_scenario_that_plays_the_same_again(name: str) -> None:
    tape = to_the_end(opened(FOLDER / f"{name}.scenario"))
    for position in range(0, len(tape.frames), 9):
        tape.go(position)
        assert digest_of(tape.schedule()) == tape.digest()


def again_of(tape: Tape) -> SimulatedTape:
    """What was saved, opened and stepped as far."""
    again = SimulatedTape(parse(write(tape.schedule(), "Saved."), "saved.scenario"), tape.title)
    for _ in range(tape.position):
        assert again.forward()
    return again


def seen_in(tape: Tape) -> list[list[Seen]]:
    """Of each step; that a scenario was left is said to him who left it."""
    return [[seen for seen in frame.seen if "left here" not in str(seen)] for frame in tape.frames]


@pytest.mark.parametrize("text", [B_WINS, "sites s1 s2 s3\nhold accepted\ns1 tweets x\nrun 40 ms\nrelease\nrun 3 s"])
def test_what_is_saved_has_the_steps_that_it_had(text: str) -> None:
    """At whichever step; in the middle of a line, too."""
    tape = to_the_end(SimulatedTape(parse(text, "some.scenario"), "some"))
    frames, middles = list(tape.frames), 0
    for position in range(1, len(frames)):
        tape.go(position)
        again = again_of(tape)
        assert (list(again.frames), again.digest()) == (frames[: position + 1], tape.digest())
        middles += any(isinstance(line.command, Step) for line in tape.schedule().lines)
    assert middles > 2
    assert not again_of(tape).forward(), "it ends where it did"


def test_what_is_done_by_hand_has_the_steps_that_it_had() -> None:
    """In the middle of a line, of a scenario that is left, and where nothing happens any more."""
    tape = b_wins()
    while not any(isinstance(seen, Said) and seen.words == "release" for seen in tape.frames[-1].seen):
        tape.forward()
    tape.forward()
    assert tape.do(Crash(tape.names[3], 0, None, 0.0, None)) is None
    for _ in range(3):
        tape.forward()
    again = again_of(tape)
    assert (seen_in(again), again.digest()) == (seen_in(tape), tape.digest())
    to_the_end(tape)
    before = tape.position
    assert tape.do(Restart((tape.names[3],))) is None
    assert tape.position == before, "in the place of that nothing happens"
    for _ in range(9):
        tape.forward()
    again = again_of(tape)
    assert (seen_in(again), again.digest()) == (seen_in(tape), tape.digest())
    told = [seen.words for frame in tape.frames for seen in frame.seen if isinstance(seen, Said)]
    assert "the scenario's rest is not done: it is left here" in told, "nothing was held there any more"
    assert not any(words.startswith("step ") for words in told), "how far a line is done is nothing to be seen"


def test_so_many_events_that_show_nothing_are_a_step_where_somebody_asks_for_them() -> None:
    tape = SimulatedTape(free([Leadership.NONE] * 3, 1), "free")
    assert tape.do(Step(0)) is None
    assert [seen.words for seen in tape.frames[1].seen if isinstance(seen, Said)] == ["it has no visible effect"]


def test_what_flies_or_is_held_is_handled_by_its_number() -> None:
    tape = b_wins()
    while tape.position < 2:
        tape.forward()
    assert [flight.arrives_at_ms for flight in tape.frames[2].flights] == [None] * 4
    assert tape.do(Deliver(number(2))) is None
    assert tape.do(Hold(number(1))) is None
    assert tape.do(Duplicate(number(1))) is None
    assert tape.do(Drop(number(3))) is None
    assert tape.do(Drop(number(3))) is not None
    fates = [(saw.number, saw.fate) for frame in tape.frames[3:] for saw in frame.seen if isinstance(saw, Flown)]
    assert [fate for fate in fates if fate[1] is not Fate.LEAVES] == [
        (2, Fate.ARRIVES),
        (1, Fate.ARRIVES),
        (3, Fate.LOST),
    ]
    assert {flight.number: flight.arrives_at_ms for flight in tape.frames[-1].flights} == {1: None, 4: 1, 5: 1, 6: 1}
    assert tape.frames[-1].at_ms == 0, "what is done by number takes no time"
    assert digest_of(tape.schedule()) == tape.digest()


def test_what_is_done_at_an_earlier_frame_is_a_branch_and_the_other_one_stays() -> None:
    tape = to_the_end(b_wins())
    frames, end = list(tape.frames), tape.digest()
    tape.go(12)
    there = tape.digest()
    assert tape.do(Drop(number(7))) is None
    assert tape.branch == 1
    to_the_end(tape)
    assert list(tape.frames[:13]) == frames[:13]
    tape.switch(0)
    assert (tape.position, tape.digest(), list(tape.frames)) == (12, there, frames)
    tape.go(len(frames) - 1)
    assert tape.digest() == end
    assert [(each.parent, each.forked_at, each.began_with) for each in tape.branches] == [
        (None, 0, "b-wins"),
        (0, 12, "drop #7"),
    ]


def test_what_a_scenario_that_is_left_held_is_on_its_way_again_and_what_is_held_then_stays() -> None:
    """By a rule, by its number, and by both."""
    text = "sites s1 s2 s3\ns1 tweets x\nhold #1\nhold #1 #2\nhold promise\nrun 5 ms\nrun 9 s"
    tape = SimulatedTape(parse(text, "held"), "held")
    for _ in range(4):
        tape.forward()
    assert {flight.number: flight.arrives_at_ms for flight in tape.frames[-1].flights} == {1: None, 2: None}
    assert tape.do(Hold(number(2))) is None
    assert {flight.number: flight.arrives_at_ms for flight in tape.frames[-1].flights} == {1: 1, 2: None}
    assert digest_of(tape.schedule()) == tape.digest()


def test_an_earlier_branch_goes_on_where_it_was() -> None:
    whole = to_the_end(b_wins())
    tape = b_wins()
    for _ in range(12):
        tape.forward()
    tape.do(RunFor(5))
    tape.switch(0)
    to_the_end(tape)
    assert list(tape.frames) == list(whole.frames)
    assert tape.digest() == whole.digest()


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.scenario")), ids=lambda path: path.stem)
def test_a_plan_that_was_found_settles(path: Path) -> None:
    report = Play(read(path)).complete()
    tape = to_the_end(opened(path))
    assert tape.digest() == report.digest
    assert tape.frames[-1].broken is None
    assert not any(saw.is_wrong for saw in tape.frames[-1].seen if isinstance(saw, Said))


@pytest.mark.parametrize("trap", ["trap-a2-votes-are-kept", "trap-d1-promise-is-durable", "trap-l3-paused-leader"])
def test_a_mutant_breaks_its_rule_at_a_step_and_disturbs_no_other_tape(trap: str) -> None:
    """What broke is saved with what breaks it, and breaks again where it is read."""
    path = FOLDER / f"{trap}.scenario"
    broken, whole, alone = opened(path, TRAPS[trap]), opened(path), to_the_end(opened(path))
    while broken.forward() | whole.forward():
        pass
    assert broken.frames[-1].broken is not None
    assert [frame.broken for frame in broken.frames[:-1]] == [None] * (len(broken.frames) - 1)
    assert list(whole.frames) == list(alone.frames)
    again = SimulatedTape(parse(write(broken.schedule(), "What broke."), "some.scenario"), "again")
    assert again.to_broken()
    assert (again.frames[-1].broken, again.digest()) == (broken.frames[-1].broken, broken.digest())


def test_nothing_is_done_where_a_rule_is_broken_but_before_it() -> None:
    tape = opened(FOLDER / "trap-d1-promise-is-durable.scenario", TRAPS["trap-d1-promise-is-durable"])
    assert tape.to_broken()
    assert "go back a step" in str(tape.do(RunFor(1)))
    tape.go(tape.position - 1)
    assert tape.do(RunFor(1)) is None
    assert not opened(FOLDER / "trap-d1-promise-is-durable.scenario").to_broken()


def test_where_nothing_happens_any_more_it_says_so_once() -> None:
    tape = SimulatedTape(free([Leadership.ELECTED] * 3, 1), "free")
    assert tape.forward()
    assert [saw.words for saw in tape.frames[1].seen if isinstance(saw, Said)] != []
    assert not tape.forward()
    assert tape.position == 1
    assert tape.do(Submit(tape.names[1], (Tweet("x"),), Tick(1_000), retry=False, give_up_ms=None)) is None
    to_the_end(tape)
    assert [entry.id for entry in tape.frames[-1].chosen.values()] == [EventId(tape.names[1], 1)]
    assert digest_of(tape.schedule()) == tape.digest()


def test_a_branch_goes_on_where_nothing_more_was_seen_than_that_nothing_happens() -> None:
    tape = SimulatedTape(free([Leadership.NONE] * 3, 1), "free")
    tape.forward()
    tape.go(0)
    assert tape.do(Crash(tape.names[2], 0, None, 0.0, None)) is None
    assert (tape.branch, len(tape.branches), len(tape.frames), tape.frames[-1].at_ms) == (0, 1, 2, 0)
    assert digest_of(tape.schedule()) == tape.digest()


def test_what_is_done_at_the_last_frame_is_done_at_its_time_however_often_one_went_on() -> None:
    """All sites are down: what is still under way is upkeep, and shows nothing."""
    tape = SimulatedTape(free([Leadership.NONE] * 3, 1), "free")
    assert tape.do(CrashAll(0.0, None)) is None
    before = tape.frames[-1]
    assert not tape.forward()
    assert tape.do(Step(0)) is None
    assert tape.frames[-1].at_ms == before.at_ms
    assert digest_of(tape.schedule()) == tape.digest()


def test_what_is_held_by_what_takes_the_place_of_nothing_happening_is_under_way_there() -> None:
    """The frame of that place is made anew, whoever looked at the one before."""
    tape = SimulatedTape(free([Leadership.NONE] * 3, 1), "free")
    assert tape.do(Hold(Pattern())) is None
    assert tape.forward()
    held_before = list(tape.frames[-1].flights)
    assert tape.do(Submit(tape.names[1], (Tweet("x"),), Tick(1_000), retry=False, give_up_ms=None)) is None
    flights = tape.frames[-1].flights
    assert len(flights) == len(list(flights)) > len(held_before)


def test_what_cannot_be_said_or_done_changes_nothing() -> None:
    tape = SimulatedTape(free([Leadership.NONE] * 3, 1), "free")
    nobody = SiteId("dave")
    wrong = (
        Crash(nobody, 0, None, 0.0, None),
        Restart((tape.names[0],)),
        Submit(tape.names[0], (Tweet("\n"),), Tick(1_000), retry=False, give_up_ms=None),
        Drop(number(1)),
        ExpectState(tape.names[0], State.DOWN),
    )
    assert [command for command in wrong if tape.do(command) is None] == []
    assert (tape.position, len(tape.frames), len(tape.branches)) == (0, 1, 1)
    assert tape.do(ExpectState(tape.names[0], State.UP)) is None


def test_ten_thousand_steps_share_what_did_not_change() -> None:
    """A frame holds what its step changed: a long log is not copied, nor the sites to which nothing happened."""
    tape = SimulatedTape(free([Leadership.ELECTED] * 3, 1), "free")
    for text in range(30):
        tape.do(Submit(tape.names[text % 3], (Tweet(str(text)),), Tick(10_000), retry=False, give_up_ms=None))
    to_the_end(tape)
    assert len(tape.frames[-1].chosen) == 30
    kept = {id(site) for frame in tape.frames for site in frame.sites}
    assert len(kept) < len(tape.frames) * 1.5
    acceptors = tape.frames[-1].sites[0].acceptors
    assert all(acceptors[slot] is tape.frames[-2].sites[0].acceptors[slot] for slot in acceptors)
    first = next(frame for frame in tape.frames if len(frame.sites[0].acceptors) == 7)
    assert sorted(first.sites[0].acceptors) == list(range(1, 8)), "what comes later changes no frame"


A1: Final = "a1-promises-any-ballot"
PLAN: Final = """sites alice bob carol dave erin frank
seed 3
leadership alice none bob elected carol elected dave last-author erin last-author frank elected
retransmit 100 ms
fill-every 1000 ms
links loss 0.3
plan
at 1297 ms crash all down 100 ms
at 2829 ms crash frank point 2 only between commit and send down 100 ms
at 3181 ms frank tweets "t" timeout 10000 ms
at 3510 ms dave tweets "t" timeout 10000 ms
calm at 3812 ms
"""
"""What a campaign found with A1 broken."""


@pytest.mark.parametrize("says_so", [True, False])
def test_what_a_campaign_found_opens_where_the_rule_is_broken(says_so: bool, tmp_path: Path) -> None:
    """By a mutant that the file names, or by what the replicas do by themselves."""
    path = tmp_path / "found.scenario"
    path.write_text(PLAN.replace("plan\n", f"broken {A1}\nplan\n") if says_so else PLAN, encoding="utf-8")
    with nullcontext() if says_so else named(A1).in_force():
        reel = LabOpener(5, None).open(str(path)).reel
    assert reel.position > 0
    assert str(reel.frames[reel.position].broken).startswith("A3 slot 2 at carol")
    assert LabOpener(5, None).open(str(min(FOUND.glob("*.scenario")))).reel.position == 0, "nothing is broken there"


def test_who_is_silent_for_whom_is_told_with_what_comes_next() -> None:
    tape = SimulatedTape(free([Leadership.NONE] * 9, 1), "free")
    assert tape.do(Crash(SiteId("s9"), 0, None, 1.0, None)) is None
    while tape.forward():
        pass
    silent = [seen for seen in tape.frames[-1].seen if isinstance(seen, Concluded) and seen.line.type == "peer"]
    assert (len(tape.frames), len(silent)) == (3, 8), "each of the others finds out for itself, in one step"
    again = SimulatedTape(tape.schedule(), "again")
    while again.forward():
        pass
    assert again.digest() == tape.digest()
