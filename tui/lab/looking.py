"""Looking at a run: its panes and bars, and the keys that move in time and among what is seen.

Rules that hold here:
- Widgets are held, not looked for. What is looked at and picked is the bench's; panes are told when it changes.
- Whatever a key asks for shows on the screen, or a sentence says why not. What is refused in a line stays there.
- While it plays, time goes on by itself until something is done, asked, broken, or nothing comes any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tui import keys as main_keys
from tui.exact_painting import paint_exactly
from tui.keys import Key
from tui.lab import keys, wording
from tui.lab.bench import Bench, Exhibit, Refused
from tui.lab.panes import AcceptorsPane, Bar, DiagramPane, FlightsPane, LaneHeads
from tui.panes.bars import KeyBar
from tui.panes.field import Field
from tui.panes.prompt import Prompt
from tui.rows import BLANK, Part, Role, Row, row, wrapped
from tui.screens.dialogs import TextDialog
from tui.screens.help import RULES, described
from tui.textual_inside import OncePainted

SPEEDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Steps a second."""
SMALL_WIDTH: Final = 60
SMALL_HEIGHT: Final = 18
SAID_LINES: Final = 2


class LookingScreen(OncePainted):
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(self, exhibit: Exhibit) -> None:
        super().__init__()
        paint_exactly(self)
        self.bench = Bench(exhibit)
        self._speed = 2.0
        self._playing: Timer | None = None
        self._said: Row = ()
        self.acceptors = AcceptorsPane(self.bench)
        self.flights = FlightsPane(self.bench)
        self.diagram = DiagramPane(self.bench)
        self.prompt = Prompt(self._typed)
        self._title = Bar(lambda width: (wording.title(self.bench, self._flags(), width),), id="lab-title")
        self._heads = LaneHeads(self.diagram)
        self._why = Bar(self._why_rows, id="lab-why")
        self._told = Bar(self._told_rows, id="lab-told")
        self._small = Bar(self._small_rows, id="too-small")
        self._house = Vertical(id="house")
        self._top = Horizontal(id="lab-top")
        self._key_bar = KeyBar(self._footer_keys)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._small
        with self._house:
            with self._top:
                yield self.acceptors
                yield self.flights
            yield self._heads
            yield self.diagram
        yield self._why
        yield self._told
        yield self.prompt
        yield self._key_bar

    def on_mount(self) -> None:
        self._arrange()
        self._show()

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        small = self.size.width < SMALL_WIDTH or self.size.height < SMALL_HEIGHT
        self._small.display = small
        self._house.display = not small
        self._key_bar.display = not small
        rows = 2 + len(self.bench.names)
        self._top.styles.height = max(rows, self.size.height // 3) if self.bench.is_log else rows

    def put_bench(self, bench: Bench) -> None:
        """Another run is looked at."""
        self.bench = bench
        for pane in (self.acceptors, self.flights, self.diagram):
            pane.put(bench)
        self._arrange()

    # What is shown.

    def _show(self) -> None:
        """The bench shows something else."""
        if not self.is_mounted:
            return
        for pane in (self.acceptors, self.flights, self.diagram):
            pane.learn()
        for bar in (self._title, self._heads, self._why, self._told, self._key_bar):
            bar.say()

    def _flags(self) -> list[tuple[str, Role]]:
        found = []
        if self.bench.frame.broken is not None:
            found.append(("BROKEN", Role.ALARM))
        if self.bench.exhibit.mistake:
            found.append(("MISTAKE IN", Role.WARN))
        elif self.bench.exhibit.other is not None:
            found.append(("mistake out", Role.GOOD))
        if self.bench.exhibit.tape is None:
            found.append(("RECORDED", Role.ALARM))
        if self._playing is not None:
            found.append((f"playing {self._speed:g}/s", Role.GOOD))
        return found

    def _why_rows(self, width: int) -> list[Row]:
        return wording.why_rows(self.bench, width)

    def _told_rows(self, width: int) -> list[Row]:
        lines = wrapped((Part(" "), *self._said), width, indent=3) if self._said else [BLANK]
        if len(lines) > SAID_LINES:
            lines = [*lines[: SAID_LINES - 1], row(("   … ", Role.DIM), *lines[SAID_LINES - 1])]
        return lines

    def _small_rows(self, width: int) -> list[Row]:  # noqa: ARG002
        return [row((f"too small: {SMALL_WIDTH}x{SMALL_HEIGHT} needed", Role.WARN))]

    @property
    def said(self) -> str:
        """What was said last."""
        return "".join(part.text for part in self._said)

    def remark(self, words: str) -> None:
        """Says something; the next word replaces it."""
        self._said = row(("· ", Role.NOTE), words) if words else ()
        self._told.say()

    def tell(self, said: Row) -> None:
        self._said = said
        self._told.say()

    def complain(self, words: str) -> None:
        self._said = row(("✗ ", Role.BAD), words)
        self._told.say()

    def _try(self, do: Callable[[], str | None]) -> None:
        """Does it, says what comes of it, and shows it."""
        try:
            said = do()
        except Refused as refused:
            self.complain(str(refused))
        else:
            self.remark(said or "")
        self._show()

    # Steps.

    def _move(self, do: Callable[[], str | None]) -> None:
        """To another step, which the diagram then shows."""
        self.diagram.following = True
        self._try(do)

    def action_step(self) -> None:
        self._stop_playing()
        self._move(self.bench.step)

    def action_next_decision(self) -> None:
        self._stop_playing()
        self._move(self.bench.next_decision)

    def action_back(self) -> None:
        self._stop_playing()
        self._move(self.bench.back)

    def action_last_decision(self) -> None:
        self._stop_playing()
        self._move(self.bench.last_decision)

    def action_restart(self) -> None:
        self._stop_playing()
        self._move(self.bench.restart)

    def action_go_to(self) -> None:
        self._stop_playing()
        self.prompt.ask("go to step", self.bench.steps_words(), self._go_to)

    async def _go_to(self, typed: str) -> str | None:
        if not (typed.isascii() and typed.isdigit()):
            return f"a step is a number: this is {self.bench.steps_words()}"
        return self._refused(lambda: self.bench.go(int(typed)))

    def action_play(self) -> None:
        if self._playing is not None:
            self._stop_playing()
            self.remark("paused: n steps, p plays")
        elif self.bench.is_last and self.bench.at_end:
            self.complain("nothing more happens: r goes back to the first step, b one step")
        else:
            self._play()
        self._show()

    def _play(self) -> None:
        self._playing = self.set_interval(1 / self._speed, self._tick)
        self.diagram.following = True

    def _tick(self) -> None:
        try:
            self.bench.step()
        except Refused as refused:
            self._stop_playing()
            self.remark(str(refused))
        else:
            if self.bench.frame.broken is not None:
                self._stop_playing()
        self._show()

    def _stop_playing(self) -> None:
        if self._playing is not None:
            self._playing.stop()
            self._playing = None

    def action_faster(self) -> None:
        self._set_speed(1)

    def action_slower(self) -> None:
        self._set_speed(-1)

    def _set_speed(self, by: int) -> None:
        at = SPEEDS.index(self._speed) + by
        if not 0 <= at < len(SPEEDS):
            self.complain(f"{self._speed:g} steps a second is as {'fast' if by > 0 else 'slow'} as it plays")
            return
        self._speed = SPEEDS[at]
        if self._playing is not None:
            self._playing.stop()
            self._play()
        self.remark(f"it plays {self._speed:g} steps a second{'' if self._playing is not None else ': p begins'}")
        self._show()

    # Picking.

    def action_next_message(self) -> None:
        self._try(lambda: self.bench.next_flight(1))

    def action_previous_message(self) -> None:
        self._try(lambda: self.bench.next_flight(-1))

    def on_flights_pane_picked(self, event: FlightsPane.Picked) -> None:
        self.bench.pick_flight(event.number)
        self._show()

    def action_next_site(self) -> None:
        self._try(lambda: self.bench.next_site(1))

    def action_previous_site(self) -> None:
        self._try(lambda: self.bench.next_site(-1))

    def on_acceptors_pane_picked(self, event: AcceptorsPane.Picked) -> None:
        if isinstance(event.what, int):
            self.bench.show_slot(event.what)
        else:
            self.bench.site = event.what
        self._show()

    def action_log(self) -> None:
        self.bench.is_log = not self.bench.is_log
        self._arrange()
        self._show()

    def action_slot_before(self) -> None:
        self._slot(-1)

    def action_slot_after(self) -> None:
        self._slot(1)

    def _slot(self, by: int) -> None:
        self._try(lambda: self.bench.pick_slot(by))

    def action_page(self, by: int) -> None:
        self.diagram.page(by)

    def action_top(self) -> None:
        self.diagram.top()

    def action_follow(self) -> None:
        self.diagram.following = True
        self.bench.follow_slot()
        self._show()

    def on_lines_retitled(self) -> None:
        self._heads.say()

    def on_diagram_pane_picked(self, event: DiagramPane.Picked) -> None:
        self._stop_playing()
        self._move(lambda: self.bench.go(event.step))

    def action_inspect(self) -> None:
        self._stop_playing()
        self._show()
        bench = self.bench
        self.app.push_screen(TextDialog("This step", lambda width: wording.in_full(bench, width)))

    def action_help(self) -> None:
        self.app.push_screen(TextDialog("All keys of the lab", _help))

    def action_quiet(self) -> None:
        self._stop_playing()
        self.remark("")
        self._show()

    def _refused(self, do: Callable[[], str | None]) -> str | None:
        """Why what was typed is not done; None where it is."""
        try:
            said = do()
        except Refused as refused:
            return str(refused)
        self.diagram.following = True
        self.remark(said or "")
        self._show()
        return None

    # Typing.

    @property
    def _typing(self) -> bool:
        return isinstance(self.focused, Field)

    def on_descendant_focus(self) -> None:
        self._key_bar.say()

    def on_descendant_blur(self) -> None:
        self._key_bar.say()

    def _typed(self) -> None:
        self.set_focus(None)
        self._show()

    def stop_typing(self) -> None:
        """Closes what is typed into."""
        if self.prompt.is_open:
            self.prompt.close()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Letters are text while something is typed."""
        return not self._typing

    def _footer_keys(self) -> Sequence[Key]:
        if self._typing:
            return list(main_keys.PROMPTED)
        found = keys.named(*keys.FOOTER)
        if self.bench.exhibit.other is not None:
            found[keys.MISTAKE_AT : keys.MISTAKE_AT] = keys.named("mistake")
        if self.bench.exhibit.tape is None:
            found = [key for key in found if key.action not in keys.CHANGES]
        return found


def _help(width: int) -> list[Row]:
    lines: list[Row] = []
    for name, group in keys.GROUPS:
        lines.append(row((name, Role.STRONG)))
        lines += described(((key.cap, key.what) for key in group), width)
        lines.append(BLANK)
    lines += described((("ctrl+p", "every action and scenario by name"),), width)
    return [*lines, BLANK, *wrapped(RULES, width, 2)]
