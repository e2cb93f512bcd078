"""What the lab's screen looks like (golden files), and what its keys and the mouse do."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.tui.lab_pilot import LabDriven, lab_of, opened
from tests.tui.pilots import NARROW, WIDE
from tui.lab import keys
from tui.panes.field import Field

SCENES = {
    "lab-begins": ("b-wins", ""),
    "lab-chosen": ("b-wins", "N"),
    "lab-log": ("hole-noop", "N N N l"),
    "lab-three": ("bb-wins-3", "N n n"),
    "lab-seven": ("free 7 none", "t X enter n n n n n n"),
    "lab-fork": ("b-wins", "N b b b x n n"),
    "lab-help": ("b-wins", "question_mark"),
    "lab-branches": ("b-wins", "N b b b x n n v"),
    "lab-step": ("b-wins", "N enter"),
    "lab-prompt": ("b-wins", "N P"),
}
AT_WIDE = ("lab-chosen", "lab-log", "lab-seven", "lab-fork")


@pytest.mark.parametrize(
    ("name", "size"), [*((name, NARROW) for name in SCENES), *((name, WIDE) for name in AT_WIDE)], ids=str
)
async def test_golden(name: str, size: tuple[int, int]) -> None:
    what, pressed = SCENES[name]
    async with lab_of(what, size) as pilot:
        await pilot.press(*pressed.split())
        await pilot.until_golden(f"{name}-{size[0]}x{size[1]}")


async def test_steps_go_on_and_back_and_to_decisions() -> None:
    async with lab_of("b-wins") as pilot:
        whole = len(pilot.bench.reel.frames) - 1
        await pilot.until_shown(f"step 0 of {whole} ")
        await pilot.press("n", "n")
        await pilot.until_step(2)
        await pilot.press("N")
        await pilot.until_shown('CHOSEN "X" in slot 1')
        decided = pilot.bench.reel.position
        await pilot.until_painted()
        shown = pilot.text()
        await pilot.press("b", "b")
        await pilot.until_step(decided - 2)
        await pilot.press("n", "n")
        await pilot.until(lambda: pilot.text() == shown, "it is another screen")
        await pilot.press("N")
        await pilot.until_said("the last step")
        await pilot.press("g", *str(decided + 3), "enter", "B")
        await pilot.until_step(decided)
        await pilot.press("B")
        await pilot.until_step(max(0, decided - 10))
        await pilot.press("r", "b")
        await pilot.until_said("this is the first step")
        assert pilot.bench.reel.position == 0
        await pilot.press("g", *"9999", "enter")
        await pilot.until_shown(f"steps are 0 to {whole}")
        await pilot.until_shown("│ 9999")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_what_a_prompt_lay_over_is_painted_when_it_closes(size: tuple[int, int]) -> None:
    async with lab_of("b-wins", size) as pilot:
        for keys_pressed in ("n n n g 1 1 enter", "N P escape", "g 2 enter", "t X enter", "n s escape n"):
            await pilot.press(*keys_pressed.split())
            await pilot.until(lambda: not pilot.lab.prompt.is_open, "it is still asked")
            await pilot.until_painted()


async def test_it_plays_at_the_speed_that_was_chosen_and_stops_at_the_end() -> None:
    async with lab_of("single") as pilot:
        await pilot.press("minus", "plus", "plus", "plus", "plus", "plus")
        await pilot.until_said("32 steps a second")
        await pilot.press("plus")
        await pilot.until_said("as fast as it plays")
        await pilot.press("p")
        await pilot.until_said("nothing more happens")
        assert pilot.bench.is_last
        await pilot.until(lambda: "playing" not in pilot.lines()[0], "it plays on")


async def test_a_message_is_picked_with_keys_and_dropped_delivered_repeated_and_held() -> None:
    async with lab_of("free 3 none") as pilot:
        await pilot.press("t")
        await pilot.line("hello")
        await pilot.until_shown("in flight: 2")
        first, second = (flight.number for flight in pilot.bench.frame.flights)
        await pilot.press("down", "h")
        await pilot.until_shown("in flight: 2, 1 held")
        await pilot.until_shown(f"> #{second}")
        await pilot.press("h")
        await pilot.until(lambda: "held" not in pilot.lines()[1], "it is held still")
        await pilot.press("up", "x")
        await pilot.until_said(f"drop: prepare #1 1.1 from s1 to s2 (#{first})")
        await pilot.until_shown("✗")
        await pilot.press("2")
        await pilot.until_said(f"duplicate: prepare #1 1.1 from s1 to s3 (#{second})")
        await pilot.press("d")
        await pilot.until_said("deliver: ")
        assert len(pilot.tape.branches) == 1, "nothing was done at an earlier step"


async def test_a_message_a_site_and_a_step_are_picked_with_the_mouse() -> None:
    async with lab_of("b-wins") as pilot:
        await pilot.press("N")
        await pilot.until_shown("CHOSEN")
        flights, table, diagram = (pilot.lab.flights, pilot.lab.acceptors, pilot.lab.diagram)
        third = pilot.bench.frame.flights[2].number
        await pilot.click(flights, 3, 2)
        await pilot.until_shown(f"> #{third}")
        await pilot.click(table, 3, 4)
        await pilot.until_shown("> s4")
        assert pilot.bench.site == "s4"
        await pilot.click(flights, 3, 0, times=2)
        await pilot.until_said("deliver: ")
        step = pilot.bench.reel.position
        await pilot.click(diagram, 3, 0, times=2)
        await pilot.until(lambda: pilot.bench.reel.position < step, "never at the step of that row")
        branches, flying = len(pilot.tape.branches), pilot.bench.frame.flights
        await pilot.click(table, 3, 2, times=2)
        await pilot.until_shown("> s2")
        await pilot.pause()
        assert (len(pilot.tape.branches), pilot.bench.frame.flights) == (branches, flying), "nothing was delivered"


async def test_a_mistake_is_put_in_and_out_with_a_key() -> None:
    async with lab_of("broken-accept") as pilot:
        await pilot.until_shown("MISTAKE IN")
        await pilot.until_shown("k mistake")
        for _ in range(20):
            await pilot.press("N")
        await pilot.until_said("the run ends where the rule is broken")
        await pilot.until_shown("two entries are chosen")
        await pilot.press("k")
        await pilot.until_shown("mistake out")
        await pilot.press("enter")
        await pilot.until_shown("A2 holds")
        await pilot.press("escape", "N", "N", "N", "N")
        await pilot.until_said("nothing more happens")
        assert "BROKEN" not in pilot.text()
        await pilot.press("k")
        await pilot.until_shown("MISTAKE IN")


async def test_a_screen_that_is_too_small_says_so_and_comes_back() -> None:
    async with lab_of("b-wins") as pilot:
        await pilot.press("N")
        await pilot.until_shown("CHOSEN")
        await pilot.resize(50, 12)
        await pilot.until_shown("too small: 60x18 needed")
        await pilot.resize(*WIDE)
        await pilot.until_shown("in flight: 1-6/12")
        await pilot.until(lambda: "too small" not in pilot.text(), "still too small")


async def test_in_the_log_a_slot_is_picked_with_keys_and_the_mouse() -> None:
    async with lab_of("hole-noop") as pilot:
        await pilot.press("N", "N", "N", "l")
        await pilot.until_shown("the log · 3 slots")
        await pilot.press("left_square_bracket")
        await pilot.until_shown("> 1 ")
        await pilot.click(pilot.lab.acceptors, 3, 3)
        await pilot.until_shown("> 3 ")
        await pilot.press("l")
        await pilot.until_shown("slot 3 · end follows the steps")
        await pilot.press("end")
        await pilot.until_shown("─ slot 2 ")


async def test_sites_crash_start_stand_still_and_are_cut_apart() -> None:
    async with lab_of("free 3 none") as pilot:
        await pilot.press("right", "c")
        await pilot.until_shown("> s2   down")
        await pilot.press("c")
        await pilot.until_said("s2 does not run")
        await pilot.press("u")
        await pilot.until(lambda: pilot.bench.state.is_up, "never up")
        await pilot.press("z")
        await pilot.line("soon")
        await pilot.until_shown("│ soon")
        await pilot.until_shown("'soon' is not a time")
        await pilot.press("ctrl+u")
        await pilot.line("1 s")
        await pilot.until_said("pause s2 1 s")
        await pilot.press("P", "enter")
        await pilot.until_said("cut s1 s2 | s3")
        await pilot.press("M")
        await pilot.until_said("mend")
        await pilot.press("w")
        await pilot.until_said("wipe s2")
        await pilot.press("e")
        await pilot.line("blocks s1")
        await pilot.until_shown("s2 does not run")
        await pilot.press("escape", "colon")
        await pilot.line("hold accept to s3")
        await pilot.until_said("hold accept to s3")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_every_key_in_the_footer_does_something(size: tuple[int, int]) -> None:
    async with lab_of("b-wins", size) as pilot:
        await pilot.until_shown("n step")
        footer = f"{pilot.lines()[-1]}  "
        every = [key for _, table in keys.GROUPS for key in table]
        found = [key for key in every if f" {key.cap} {key.name}  " in footer]
        assert len(found) >= 8, footer
        for key in sorted(found, key=lambda key: key.action == "app.leave"):
            pilot.lab.put(opened("b-wins"))
            await pilot.press("N", "b", "escape")
            await pilot.pause()
            before = (pilot.text(), pilot.lab.said)
            await pilot.press(key.keys.split(",")[0])
            await pilot.until(partial(_changed, pilot, before), f"{key.cap} {key.name}: nothing happens")
            await _back(pilot)


def _changed(pilot: LabDriven, before: tuple[str, str]) -> bool:
    return (pilot.text(), pilot.lab.said) != before or pilot.app.return_value is not None


async def _back(pilot: LabDriven) -> None:
    if pilot.app.screen is not pilot.lab or isinstance(pilot.app.focused, Field):
        await pilot.press("escape")
        await pilot.until(lambda: pilot.app.screen is pilot.lab and pilot.app.focused is None, "never back")


async def test_the_help_explains_every_key_and_the_palette_finds_every_action_and_scenario() -> None:
    async with lab_of("b-wins") as pilot:
        found = {command.title: command.help for command in pilot.app.get_system_commands(pilot.app.screen)}
        for _, table in keys.GROUPS:
            for key in table:
                assert key.what in found[f"{key.name} ({key.cap})"]
        for each in pilot.lab.opener.scenarios():
            assert found[f"scenario {each.name}"] == each.summary
        await pilot.press("question_mark", "end")
        await pilot.until_shown("docs/protocol.md lists them")
        await pilot.press("escape", "ctrl+p", *"bb-wins")
        await pilot.until_shown("scenario bb-wins")
        await pilot.press("down", "enter")
        await pilot.until_shown("Lab: bb-wins")


async def test_the_tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """b-wins to its end; five steps back; a message is dropped; another end; saved; opened again: the same run."""
    monkeypatch.chdir(tmp_path)
    async with lab_of("b-wins") as pilot:
        await pilot.press("N", "N")
        await pilot.until_said("the last step")
        whole = pilot.text()
        await pilot.press("b", "b", "b", "b", "b", "x")
        await pilot.until_shown("branch 2 of 2")
        await pilot.press("N", "N")
        await pilot.until_said("nothing more happens")
        assert pilot.text() != whole
        digest, frame = pilot.tape.digest(), pilot.bench.frame
        await pilot.press("s")
        await pilot.until_shown("b-wins-mine.scenario")
        await pilot.press("enter")
        await pilot.until_said("It opens with: loggos lab ")
        await pilot.press("s", "enter")
        await pilot.until_shown("already exists")
        await pilot.press("escape")
        await pilot.until_shown("│ b-wins-mine.scenario")
        await pilot.press("escape", "v")
        await pilot.until_shown("as the run began")
        await pilot.press("up", "enter")
        await pilot.until_shown("branch 1 of 2")
        await pilot.press("o")
        await pilot.line("no-such.scenario")
        await pilot.until_shown("cannot be read")
        await pilot.press("ctrl+u")
        await pilot.line("b-wins-mine")
        await pilot.until_shown("Lab: b-wins-mine.scenario")
        again = next(frame for frame in pilot.bench.reel.frames if _digest_at(pilot, frame.step) == digest)
        assert (again.sites, again.flights, again.chosen) == (frame.sites, frame.flights, frame.chosen)


def _digest_at(pilot: LabDriven, step: int) -> str:
    pilot.bench.go(step)
    return pilot.tape.digest()


async def test_what_is_not_saved_is_not_lost_unasked() -> None:
    async with lab_of("free 3 none") as pilot:
        await pilot.press("c", "q")
        await pilot.until_shown("is not in a file")
        await pilot.press("escape", "S", "enter")
        await pilot.until_shown("is not in a file")
        await pilot.press("y")
        await pilot.until_shown("Lab: single")
        await pilot.press("q")
        await pilot.until(lambda: pilot.app.return_value == 0, "never left")


async def test_a_file_that_lacks_what_was_done_by_hand_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with lab_of("b-wins") as pilot:
        await pilot.press("N", "c", "b", "b", "s", "enter")
        await pilot.until_said("saved up to step 16 (without step 18 of branch 2). It opens with: ")
        await pilot.press("q")
        await pilot.until_shown("What you did at step 18 of branch 2 is not in a file")
        await pilot.press("escape", "r", "s")
        await pilot.until_said("this is step 0")


async def test_what_is_typed_and_left_is_there_again_at_another_site_too() -> None:
    async with lab_of("free 3 none") as pilot:
        await pilot.press("t")
        await pilot.until_shown("another site: esc, → and t")
        await pilot.type("hello you")
        await pilot.press("escape", "right", "z", "escape", "t")
        await pilot.until_shown("tweet at s2")
        await pilot.press("enter")
        await pilot.until_said('s2 tweets "hello you"')
        await pilot.press("t")
        await pilot.until(lambda: pilot.lab.prompt.is_open and not pilot.lab.prompt._field.text, "it is offered again")


async def test_the_messages_in_flight_say_which_of_them_are_in_view() -> None:
    async with lab_of("b-wins") as pilot:
        await pilot.press("N")
        await pilot.until_shown("in flight: 1-6/12, 12 held ")
        await pilot.press("up")
        await pilot.until_shown("in flight: 7-12/12, 12 held ")


async def test_started_with_nothing_it_asks_what_to_look_at() -> None:
    async with lab_of("free 5 none", asks=True) as pilot:
        await pilot.until_shown("What do you want to look at?")
        await pilot.press("end", "up", "enter")
        await pilot.until_shown("a free lab")
        await pilot.press("escape", "f")
        await pilot.until_shown("how many sites")
        await pilot.line("3 none elected")
        await pilot.until_shown("one leadership for all, or one for each of the 3 sites")
        await pilot.press("ctrl+u")
        await pilot.line("3 none last-author elected")
        await pilot.until_shown("Lab: free, 3 sites, none last-author elected")


@pytest.mark.parametrize("sites", [1, 2, 9])
async def test_one_to_nine_sites_fit(sites: int) -> None:
    async with lab_of(f"free {sites} none") as pilot:
        await pilot.press("t")
        await pilot.line("hello")
        await pilot.press("N")
        await pilot.until_shown('chosen "hello"')
        names = [f"s{number}" for number in range(1, sites + 1)]
        await pilot.until(lambda: pilot.rows(pilot.lab.acceptors)[sites][2:4] == names[-1], "not all sites are seen")
        head = pilot.lines()[pilot.lab._heads.region.y + 1]
        assert head.split() == ["ms", *names]


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_an_answer_is_told_with_its_rule_and_the_score_by_rules(
    size: tuple[int, int],
) -> None:
    async with lab_of("b-wins", size) as pilot:
        await pilot.until_shown("plan: B wins")
        await pilot.press("y")
        await pilot.until_shown("is not shown while you are being asked")
        await pilot.press("N")
        await pilot.until_shown("s1 asks s2 to promise 3.1")
        assert "B wins" not in pilot.text()
        before = pilot.bench.reel.position
        await pilot.press("n")
        await pilot.until_said("first answer with")
        await pilot.press("9")
        await pilot.until_said("the answers are 1 to 2")
        assert pilot.bench.reel.position == before
        await pilot.press("1")
        await pilot.until_said("✓ right: ")
        assert "(A1)" in pilot.lab.said
        await pilot.until_step(before + 1)
        await pilot.press("2")
        await pilot.until_said("no question now")
        await pilot.press("N", "2")
        await pilot.until_said("✗ wrong: yes: ")
        await pilot.press("N", "escape")
        await pilot.until(lambda: pilot.lab.question is None, "it is asked still")
        await pilot.press("N", "b")
        await pilot.until(lambda: pilot.lab.question is None, "who goes elsewhere is asked still")
        await pilot.until_shown("predict 1 of 2")
        await pilot.press("y")
        await pilot.until_shown("1 of 2 answers are right")
        await pilot.until_shown("A1  missed once: ")
        await pilot.press("escape", "2")
        await pilot.until_said("duplicate: ")


async def test_the_score_is_told_at_the_end() -> None:
    async with lab_of("single") as pilot:
        await pilot.press("y")
        await pilot.until_shown("predict 0 of 0")
        for _ in range(200):
            await pilot.press("N", "1")
            if pilot.app.screen is not pilot.lab:
                break
        await pilot.until_shown("answers are right")
        assert pilot.bench.is_last
