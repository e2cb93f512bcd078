"""The lab's screen: looking at a run, and doing something to it; its branches, files, and other runs.

Rules that hold here:
- What a key does to the run is a line of a scenario file, done at the step that is shown.
- Nothing that was done by hand is lost unasked: not by opening something else, not by leaving, not by saving.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from engine.sim.scenario.schedule import Schedule
from tui.lab import menus, saving
from tui.lab.bench import Bench, Exhibit
from tui.lab.free import BEGUN, HINT, BadChoice, free_lab
from tui.lab.menus import Listed
from tui.lab.predicting import PredictingScreen
from tui.rows import Role, row
from tui.screens.dialogs import Confirmation


class Opener(Protocol):
    """Makes runs."""

    def open(self, typed: str) -> Exhibit:
        """A scenario by name, a file, a line in a course's notation. Raises ValueError, with what to write instead."""

    def play(self, title: str, schedule: Schedule) -> Exhibit:
        """A run of this schedule."""

    def scenarios(self) -> Sequence[Listed]:
        """Those that come with the lab, in the order in which one learns from them."""


class LabScreen(PredictingScreen):
    def __init__(self, exhibit: Exhibit, opener: Opener) -> None:
        super().__init__(exhibit)
        self.opener = opener

    # Messages.

    def on_lines_chosen(self) -> None:
        """A double click on a message."""
        self.action_deliver()

    def action_deliver(self) -> None:
        self._change(lambda: self.bench.to_flight("deliver"))

    def action_drop(self) -> None:
        self._change(lambda: self.bench.to_flight("drop"))

    def action_duplicate(self) -> None:
        self._change(lambda: self.bench.to_flight("duplicate"))

    def action_hold(self) -> None:
        self._change(lambda: self.bench.to_flight("hold"))

    # Sites.

    def action_crash(self) -> None:
        self._do(f"crash {self.bench.site}")

    def action_revive(self) -> None:
        self._do(f"restart {self.bench.site}")

    def action_wipe(self) -> None:
        self._do(f"wipe {self.bench.site}")

    def action_mend(self) -> None:
        self._do("mend")

    def _do(self, words: str) -> None:
        self._change(lambda: self.bench.do(words))

    def _change(self, do: Callable[[], str]) -> None:
        self._stop_playing()
        self._move(do)

    def action_tweet(self) -> None:
        site = self.bench.site
        hint = f"a text; {site} submits it (for another site: esc, → and t; the text stays)"
        self._ask_change("tweet", f"tweet at {site}", hint, self.bench.tweet)

    def action_event(self) -> None:
        site = self.bench.site
        other = next((each for each in self.bench.names if each != site), site)
        hint = f"blocks {other}, unblocks {other}, or reads"
        self._ask_change(
            "event", f"at {site}, its user", hint, lambda typed: self.bench.do(f"{site} {typed}"), f"blocks {other}"
        )

    def action_pause_site(self) -> None:
        site = self.bench.site
        hint = "for how long, as 300 ms, 3 s or 2 min"
        self._ask_change("pause", f"pause {site}", hint, lambda typed: self.bench.do(f"pause {site} {typed}"), "1 s")

    def action_partition(self) -> None:
        names = self.bench.names
        half = (len(names) + 1) // 2
        begun = f"{' '.join(names[:half])} | {' '.join(names[half:])}"
        hint = "groups that cannot hear each other, separated by |; a > b: one way. M mends"
        self._ask_change("cut", "cut", hint, lambda typed: self.bench.do(f"cut {typed}"), begun)

    def action_line(self) -> None:
        hint = 'as in a scenario file: hold accept to s3   run 300 ms   s1 tweets "hello"'
        self._ask_change("line", "a line of a scenario", hint, self.bench.do)

    def _ask_change(self, what: str, question: str, hint: str, do: Callable[[str], str], begun: str = "") -> None:
        self._stop_playing()
        if self.bench.exhibit.tape is None:
            self._do("")
            return

        async def answer(typed: str) -> str | None:
            self.diagram.following = True
            return self._refused(lambda: do(typed)) if typed else hint

        self.prompt.ask(question, hint, answer, begun, what)

    # Runs.

    def put(self, exhibit: Exhibit, said: str = "") -> None:
        """Another run is looked at, from its beginning."""
        self._stop_playing()
        self.put_bench(Bench(exhibit))
        self.remark(said)
        self._show()

    def action_branches(self) -> None:
        self._stop_playing()
        tape = self.bench.exhibit.tape
        if tape is None:
            self._do("")
        elif len(tape.branches) < 2:
            self.remark("there is only one branch: do something at an earlier step to make another")
        else:
            self.app.push_screen(menus.branch_menu(tape.branches, tape.branch), self._switch)

    def _switch(self, branch: int | None) -> None:
        if branch is not None:
            self._move(lambda: self.bench.switch(branch))

    def action_mistake(self) -> None:
        """The same scenario with its mistake, or without it."""
        self._stop_playing()
        other = self.bench.exhibit.other
        if other is None:
            self.remark("this scenario has no mistake in it; those named broken-… do (S)")
        else:
            self.leave_for(lambda: self.put(other()))

    def action_scenarios(self) -> None:
        self._stop_playing()
        self.app.push_screen(menus.scenario_menu(self.opener.scenarios()), self._menu_taken)

    def _menu_taken(self, name: str | None) -> None:
        match name:
            case None:
                pass
            case menus.FREE:
                self.action_free_lab()
            case menus.FILE:
                self.action_open()
            case _:
                self.leave_for(lambda: self.open_scenario(name))

    def open_scenario(self, name: str) -> None:
        try:
            self.put(self.opener.open(name))
        except ValueError as refused:
            self.complain(str(refused))

    def action_open(self) -> None:
        self._stop_playing()
        hint = "a file, a scenario's name, or a line in course notation: B_wins 8000 8004 123 456"
        self.leave_for(lambda: self.prompt.ask("open", hint, self._open_typed, kept_as="open"))

    async def _open_typed(self, typed: str) -> str | None:
        try:
            opened = self.opener.open(typed)
        except ValueError as refused:
            return str(refused)
        self.put(opened)
        return None

    def action_free_lab(self) -> None:
        self._stop_playing()
        self.leave_for(lambda: self.prompt.ask("a free lab", HINT, self._free_typed, BEGUN, "free"))

    async def _free_typed(self, typed: str) -> str | None:
        try:
            title, schedule = free_lab(typed)
        except BadChoice as refused:
            return str(refused)
        self.put(self.opener.play(title, schedule), "t submits a tweet at a site, n is a step, ? explains every key")
        return None

    def leave_for(self, then: Callable[[], None]) -> None:
        """Goes on once it is known that nothing done is lost unsaved."""
        if not self.bench.unsaved:
            then()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                then()

        self.app.push_screen(unsaved_question(self.bench.unsaved), answered)

    def action_save(self) -> None:
        self._stop_playing()
        self._ask_file(saving.begun(self.bench.reel.title))

    def _ask_file(self, begun: str) -> None:
        if self.bench.exhibit.tape is None:
            self._do("")
        elif not self.bench.reel.position:
            self.complain("a file holds the steps so far, and this is step 0: go to a later one (n, N, g)")
        else:
            self.prompt.ask(f"save steps 1 to {self.bench.reel.position} as", "a file", self._save_typed, begun)

    async def _save_typed(self, typed: str) -> str | None:
        if not typed:
            return "the file needs a name"
        path = saving.place(typed)
        if not path.exists():
            return self._save(path)

        def answered(yes: bool | None) -> None:
            if not yes:
                self._ask_file(typed)
            elif (refused := self._save(path)) is not None:
                self._ask_file(typed)
                self.complain(refused)

        there = row(f"{path} already exists.")
        replace = row("replace it: ", ("its content is lost", Role.WARN))
        self.app.push_screen(Confirmation("Save", (there,), replace), answered)
        return None

    def _save(self, path: Path) -> str | None:
        """Returns why it is not saved."""
        tape = self.bench.tape
        try:
            saving.save(path, tape.schedule(), saving.comment(self.bench))
        except OSError as failed:
            return f"not saved: {failed.strerror}"
        self.bench.was_saved()
        left_out = f" (without {self.bench.unsaved})" if self.bench.unsaved else ""
        self.remark(f"saved up to step {self.bench.reel.position}{left_out}. It opens with: {saving.command(path)}")
        return None

    def ask_leave(self, leave: Callable[[], None]) -> None:
        """Leaves, once nothing done is lost unasked."""
        self._stop_playing()
        self.leave_for(leave)


def unsaved_question(latest: str) -> Confirmation:
    return Confirmation(
        "Not saved",
        (row(f"What you did at {latest} is not in a file: s saves the steps up to the one shown."),),
        row("go on: ", ("it is lost", Role.WARN)),
    )
