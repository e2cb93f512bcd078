"""What a person looks at and picks in a run, and what can be done: without any screen."""

from __future__ import annotations

import pytest

from engine.sim.scenario.parse import parse
from engine.sim.scenario.schedule import Schedule
from tui.lab import wording
from tui.lab.bench import AHEAD_MAX, Bench, Refused
from tui.lab.diagram import rows_of
from tui.lab.frame import Tape
from tui.lab.opener import LabOpener

PLAN = """\
sites s1 s2 s3
seed 1
leadership none
broken a1-promises-any-ballot
plan
at 500 ms s1 tweets "a"
at 501 ms s2 tweets "b"
at 502 ms s3 tweets "c"
calm at 9000 ms
"""


def bench_of(what: str) -> Bench:
    return Bench(LabOpener(5, None).open(what))


def playing(text: str) -> Bench:
    schedule: Schedule = parse(text, "a.scenario")
    return Bench(LabOpener(5, None).play("a", schedule))


def test_what_comes_is_known_as_far_as_a_scenario_goes() -> None:
    bench = bench_of("single")
    assert (bench.reel.position, bench.at_end, bench.after is not None) == (0, True, True)
    assert bench.steps_words() == f"step 0 of {len(bench.reel.frames) - 1}"
    endless = playing("sites s1 s2 s3\nleadership elected\n" + 's1 tweets "a"\nrun 60 ms\n' * 60)
    assert (len(endless.reel.frames) - 1, endless.at_end) == (AHEAD_MAX, False)
    assert endless.steps_words() == f"step 0 of {AHEAD_MAX}+"


def test_a_step_far_beyond_what_was_seen_is_gone_to() -> None:
    endless = playing("sites s1 s2 s3\n" + 's1 tweets "a"\nrun 60 ms\n' * 200)
    endless.go(1_500)
    assert endless.reel.position == 1_500
    with pytest.raises(Refused, match=r"steps are 0 to \d+$"):
        endless.go(90_000)
    assert endless.reel.position == 1_500


def test_a_plan_opens_at_the_step_that_broke_a_rule() -> None:
    broken = playing(PLAN)
    assert broken.frame.broken is not None
    assert playing(PLAN.replace("broken a1-promises-any-ballot\n", "")).reel.position == 0


def test_the_table_follows_the_slot_that_the_steps_are_about_until_another_is_picked() -> None:
    bench = bench_of("hole-noop")
    assert bench.slot == 1
    with pytest.raises(Refused, match="slot 1 is the only one"):
        bench.pick_slot(1)
    while 2 not in bench.frame.chosen:
        bench.next_decision()
    assert bench.slot == 2
    bench.pick_slot(-1)
    bench.step()
    assert (bench.slot, bench.follows_slot) == (1, False)
    with pytest.raises(Refused, match="slots are 1 to 3 so far"):
        bench.pick_slot(-1)
    bench.follow_slot()
    assert bench.slot != 1


def test_the_message_that_was_picked_stays_picked_while_it_flies() -> None:
    bench = bench_of("b-wins")
    with pytest.raises(Refused, match="no message is in flight"):
        bench.to_flight("deliver")
    bench.go(6)
    bench.next_flight(2)
    picked = bench.flight
    bench.step()
    assert bench.flight == picked
    bench.to_flight("drop")
    assert bench.flight != picked
    assert bench.flight == bench.frame.flights[0]


def test_what_cannot_be_done_says_why_and_changes_nothing() -> None:
    bench = bench_of("b-wins")
    bench.go(5)
    branches = len(bench.tape.branches)
    for words, why in (
        ("dance", "does not begin a command"),
        ("deliver #999", "none of that number .* prepare 1 3.1 from s1 to s4"),
        ("restart s1", "s1 runs already"),
        ("at 10 ms crash s1", "leave out `at`"),
        ("s1 tweets", "a tweet needs"),
    ):
        with pytest.raises(Refused, match=why):
            bench.do(words)
    assert (bench.reel.position, len(bench.tape.branches), bench.unsaved) == (5, branches, "")


def test_what_was_recorded_is_looked_at_and_not_changed() -> None:
    bench = bench_of("single")
    recorded = Bench(type(bench.exhibit)(bench.reel, None, ""))
    recorded.step()
    with pytest.raises(Refused, match="recorded on real sites"):
        recorded.do("crash s1")
    recorded.restart()
    assert recorded.reel.position == 0


def test_another_branch_is_shown_where_both_part_and_both_stay() -> None:
    bench = bench_of("b-wins")
    whole = len(bench.reel.frames)
    bench.go(8)
    said = bench.do("crash s3")
    assert said == "crash s3 · from here on this is branch 2: v lists all"
    assert bench.do("crash s4") == "crash s4"
    tape: Tape = bench.tape
    bench.switch(0)
    assert (bench.reel.position, len(bench.reel.frames)) == (8, whole)
    bench.switch(1)
    assert (bench.reel.position, len(tape.branches)) == (8, 2)


def test_what_is_saved_is_what_led_to_the_step_that_is_shown() -> None:
    bench = bench_of("b-wins")
    bench.go(12)
    bench.do("crash s3")
    done = bench.reel.position
    bench.step()
    assert bench.unsaved == f"step {done} of branch 2"
    bench.go(10)
    bench.was_saved()
    assert bench.unsaved, "a file of ten steps lacks it"
    bench.switch(0)
    bench.go(20)
    bench.was_saved()
    assert bench.unsaved, "a file of the other branch lacks it"
    bench.switch(1)
    bench.go(done)
    bench.was_saved()
    assert not bench.unsaved
    bench.do("crash s4")
    assert bench.unsaved == f"step {done + 1} of branch 3"


def test_what_comes_next_has_its_ballots_as_the_lab_prints_them() -> None:
    bench = bench_of("b-wins")
    told = []
    while not bench.is_last:
        told.append(bench.next_words())
        bench.step()
    assert "expect 1 held prepare from s5 to s3 ballot 4.5" in told
    assert [words for words in told if "4.s5" in words] == []


def test_a_line_of_which_nothing_else_is_to_be_seen_says_what_it_means() -> None:
    bench = bench_of("b-wins")
    bench.step()
    assert wording.why(bench).startswith("hold: from here on messages wait")
    bench.step()
    assert wording.why(bench) == bench.why.step(bench.frame)
    bench.next_decision()
    bench.step()
    assert wording.why(bench) == 'expect chosen 1 = "X": it is true'


def test_what_a_scenario_comes_to_is_told_as_its_plan_and_not_of_another_branch() -> None:
    bench = bench_of("b-wins")
    assert wording.why(bench).startswith("plan: B wins")
    bench.go(12)
    bench.do("crash s3")
    titled = "".join(part.text for part in wording.title(bench, (), 160))
    assert "left branch 1 after step 12: crash s3" in titled
    bench.restart()
    told = "".join(part.text for line in (wording.title(bench, (), 160), *wording.why_rows(bench, 80)) for part in line)
    assert "left branch 1 after step 12: crash s3" in told
    assert "B wins" not in told


def test_where_a_rule_is_broken_on_purpose_the_reason_is_the_mistakes() -> None:
    bench = bench_of("broken-accept")
    told = {}
    while not bench.is_last:
        bench.step()
        told[wording.why(bench)] = bench.frame.broken is not None
    spoken = "the mistake speaks: s3 accepts 3.1 of s1: nothing higher was promised (A2)"
    assert told[spoken]
    assert all(is_broken for why, is_broken in told.items() if why.startswith("the mistake speaks: "))
    bench.go(19)
    assert "the mistake speaks: s3 accepts" in "".join(
        part.text for line in wording.in_full(bench, 200) for part in line
    )
    bench.go(29)
    in_full = "".join(part.text for line in wording.in_full(bench, 200) for part in line)
    assert "s3 breaks A4 slot 1 at s3: promises 5.1 and reports 3.1, after it said it accepted 4.5" in in_full


def test_a_mistake_is_told_at_every_step() -> None:
    bench = bench_of("broken-accept")
    heading = "With a mistake in it (A2): "
    assert wording.why(bench).startswith(f"plan: {heading}")
    bench.step()
    assert any("".join(part.text for part in line).startswith(heading) for line in wording.in_full(bench, 200))


def test_what_a_run_comes_to_is_not_told_to_somebody_who_is_asked() -> None:
    for name, hidden in (("b-wins", "A's value"), ("broken-accept", "hides B's value")):
        bench = bench_of(name)
        told = [*wording.why_rows(bench, 160), wording.title(bench, (), 160), *wording.in_full(bench, 160)]
        assert hidden in "".join(part.text for line in told for part in line)
        bench.tells_plan = False
        told = [*wording.why_rows(bench, 160), wording.title(bench, (), 160), *wording.in_full(bench, 160)]
        assert hidden not in "".join(part.text for line in told for part in line)
        assert wording.why(bench).endswith("The result is not shown while you are being asked.")
    assert wording.why(bench).startswith("With a mistake in it (A2): "), "which rule does not hold is told"


def test_that_nothing_is_chosen_is_no_entry_without_effect() -> None:
    bench = bench_of("b-wins")
    told = []
    while not bench.is_last:
        told.append(bench.next_words())
        bench.step()
        told += [wording.why(bench), *(drawn.row.note for drawn in rows_of(bench.frame, bench.names))]
    assert {words for words in told if "nothing chosen" in words} == {
        "slot 1: nothing chosen",
        "expect slot 1: nothing chosen",
        "expect slot 1: nothing chosen: it is true",
    }
    assert not any("= nothing" in words for words in told)
