"""The screen of one site: its panes, which of them are seen, and what the keys do.

Rules that hold here:
- Below 150 columns one pane is seen, with the trace's end beneath it; from there on they stand side by side.
- There, an opened slot stands beside the pane that it was opened from, in half of the width: its diagram needs room.
- Widgets are held, not looked for: what was under way finds them while the screen goes away, too.
- Panes read the model and are told what changed; only this file knows where they stand.
- What is left unsent or untold (a draft, an outcome) is never lost by moving between panes or sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from engine.contract.errors import RequestFailed
from tui import keys
from tui.hops import Hop, Leaving
from tui.keys import Key
from tui.panes.bars import KeyBar, OutcomeLine, TabBar
from tui.panes.blocks import BlocksPane
from tui.panes.composer import Composer, Hint
from tui.panes.engine import EnginePanel
from tui.panes.faults import FaultsPane
from tui.panes.field import Field
from tui.panes.inspector import InspectorPane
from tui.panes.lines import Lines
from tui.panes.log import LogPane
from tui.panes.page import Page
from tui.panes.prompt import Prompt
from tui.panes.sites import SitesPane
from tui.panes.status import StatusBar
from tui.panes.timeline import TimelinePane
from tui.panes.trace import TracePane
from tui.rows import Role, row
from tui.screens.changing import ChangingScreen
from tui.screens.footer import Here, footer_keys
from tui.screens.help import help_dialog, row_dialog
from tui.screens.reading import AlertOf
from tui.site.model import ALL_CHANGES, Change

WIDE: Final = 150
"""From this width on, a line of the log, a tweet and the table of the sites fit beside each other."""
SMALL_WIDTH: Final = 60
SMALL_HEIGHT: Final = 16
TRACE_BENEATH_SLOT: Final = 8
TAIL_HEIGHT: Final = 20
"""From this height on, the trace's end is seen below another pane."""

FAULTS_OWN: Final = {"ask", "pause", "dismiss_outcome", "retry", "app.detach"}
"""Actions whose keys mean something else in the pane of faults."""

TABS: Final = ("timeline", "blocks", "log", "trace", "sites", "faults")


class MainScreen(ChangingScreen):
    BINDINGS: ClassVar[list[BindingType]] = keys.MAIN_BINDINGS

    def __init__(self, hop: Hop, cluster: Sequence[Hop], leaving: Leaving, alert: AlertOf) -> None:
        super().__init__(hop, cluster, alert)
        self.active = "timeline"
        self.zoomed = False
        self._zoomed_in_slot = False
        self._before_inspector: str | None = None
        self._share: str | None = None
        model = self.model
        self.trace = TracePane(model)
        self.faults = FaultsPane(model, self.ask_rule, self.ask_partition)
        self.inspector = InspectorPane(model)
        self.timeline = TimelinePane(model, self.submissions.in_doubt)
        self.panes = {
            "timeline": self.timeline,
            "log": LogPane(model),
            "blocks": BlocksPane(model),
            "sites": SitesPane(model),
            "faults": self.faults,
            "inspector": self.inspector,
            "trace": self.trace,
        }
        self.composer = Composer(model.site, model.hop.folder, self._typed)
        self.prompt = Prompt(self._typed)
        self._status = StatusBar(model)
        self._tabs = TabBar(TABS)
        self._engine = EnginePanel(model, leaving)
        self._too_small = Hint(row((f"too small: {SMALL_WIDTH}x{SMALL_HEIGHT} needed", Role.WARN)), id="too-small")
        self._house = Vertical(id="house")
        self._top = Horizontal(id="top")
        self._side = Vertical(id="side")
        self._outcome = OutcomeLine(self.board, self.submissions, self.keys_taken, lambda: not self.is_active)
        self._key_bar = KeyBar(self._footer_keys)

    def compose(self) -> ComposeResult:
        yield self._status
        yield self._tabs
        yield self._engine
        yield self._too_small
        with self._house:
            with self._top:
                yield self.panes["timeline"]
                yield self.panes["log"]
                with self._side:
                    for name in ("blocks", "sites", "faults", "inspector"):
                        yield self.panes[name]
            yield self.trace
        yield self._outcome
        yield self.composer
        yield self.prompt
        yield self._key_bar

    def on_mount(self) -> None:
        self.model.watch(self._learn)
        self._arrange()
        self._learn(ALL_CHANGES)
        self.set_focus(self.pane)
        self.run_worker(self.model.link.run(), group="link")

    # Which panes are seen.

    @property
    def pane(self) -> Lines:
        return self.panes[self.active]

    @property
    def wide(self) -> bool:
        return self.size.width >= WIDE and not self.zoomed

    def on_screen_suspend(self) -> None:
        self._outcome.say()
        self.timeline.look()

    def on_screen_resume(self) -> None:
        self._outcome.say()
        self.timeline.look()

    def on_resize(self) -> None:
        self._arrange()
        if self.focused is None and self.pane.display:
            self.set_focus(self.pane)  # it lost the focus while there was no room for it

    def _arrange(self) -> None:
        small = self.size.width < SMALL_WIDTH or self.size.height < SMALL_HEIGHT
        beside_slot = self._beside_slot() if self.wide else None
        if beside_slot is not None:
            seen = {beside_slot, "inspector", "trace"}
        elif self.wide:
            seen = {"timeline", "log", "blocks", "trace", "faults" if self.active == "faults" else "sites"}
        else:
            seen = {self.active}
            room = self.size.height - (4 if self._typing else 0)
            if room >= TAIL_HEIGHT and not self.zoomed and self.active != "inspector" and not self.model.over:
                seen.add("trace")
        for name, pane in self.panes.items():
            pane.display = name in seen and not small
        self._side.display = bool(seen & {"blocks", "sites", "faults", "inspector"})
        self._top.display = seen != {"trace"}
        self.trace.set_class(seen == {"trace"}, "-alone")
        self._engine.display = self.model.over and not self.zoomed  # the bar says so too
        self._tabs.display = not self.wide and not small
        self.composer.display = not small or self.composer.is_open
        self._key_bar.display = not small
        self._too_small.display = small
        self._house.set_class(self.wide, "-wide")  # on the screen it would paint all of it
        self._share_width("1fr" if beside_slot is not None else None)
        self._tell_tabs()
        self.call_after_refresh(self._retitle)

    def _share_width(self, share: str | None) -> None:
        """What stands side by side has this width, or its own. A class would look up the styles of all panes."""
        if share != self._share:
            self._share = share
            for beside in (self.panes["timeline"], self.panes["log"], self._side):
                beside.styles.width = share
            self.trace.styles.height = None if share is None else TRACE_BENEATH_SLOT

    def _beside_slot(self) -> str | None:
        """Where panes stand side by side: the one in which a slot was opened; None if none is open."""
        if self._before_inspector is None and self.active != "inspector":
            return None
        return "timeline" if self._before_inspector == "timeline" else "log"

    def _retitle(self) -> None:
        """Titles name the rows in view, and are spaced by the frame: both are known after the layout."""
        for pane in self.panes.values():
            if pane.display:
                pane.show_title()

    def _tell_tabs(self) -> None:
        paused = "paused" if self.zoomed else "paused · end follows"  # both do not fit beside the tabs at 80 columns
        following = row(("follow ▼", Role.DIM)) if self.pane.following else row((paused, Role.WARN))
        if isinstance(self.pane, Page):
            following = row(("z ends it", Role.DIM)) if self.zoomed else ()
        shown = row(("zoomed", Role.STRONG), (" · ", Role.DIM), *following) if self.zoomed else following
        active = self._before_inspector if self.active == "inspector" else self.active
        self._tabs.tell(active or "", shown)
        self._key_bar.say()

    def on_lines_retitled(self) -> None:
        self._tell_tabs()

    def on_lines_moved(self) -> None:
        self._gone_on()

    def _gone_on(self) -> None:
        """The reader looks at something else: what was said of what he looked at before may be over."""
        self.board.review()
        self.tell_outcome()

    def on_lines_chosen(self) -> None:
        self.action_inspect()

    def on_tab_bar_picked(self, event: TabBar.Picked) -> None:
        self.action_show(event.name)

    def on_descendant_focus(self) -> None:
        focused = next((name for name, pane in self.panes.items() if pane is self.focused), None)
        if focused is not None:
            self.active = focused
            self._gone_on()
        self._arrange()

    def keys_taken(self) -> set[str]:
        """Keys of the pane that is used, before the screen's."""
        return {key.cap for key in keys.FAULTS} if self.active == "faults" else set()

    def _footer_keys(self) -> list[Key]:
        if self._typing:
            unsent = self.model.over and self.composer.is_open
            if self.prompt.is_open:
                return list(keys.PROMPTED)
            return [key for key in keys.TYPING if not (unsent and key.action == "send")]
        here = Here(self.active, self.pane, self.model, self.fills_here(), self.is_everybody, self.zoomed)
        return footer_keys(here)

    # What changed.

    def _learn(self, change: Change) -> None:
        if not self.is_mounted:
            return
        for pane in self.panes.values():
            if change & pane.ASPECTS:
                pane.learn(change)
        if change & (Change.STATUS | Change.CONNECTION | Change.TIMELINE | Change.ATTEMPTS | Change.READ):
            self._status.learn()
        if change & Change.STATUS and self.model.status is not None:
            self.board.settled(self.model.status.has_settled)
        self.board.review()
        if change & (Change.TIMELINE | Change.CONNECTION):
            self.look_for_mentions()
        if change & Change.CONNECTION:
            self._engine.learn()
            self.composer.invite(not self.model.over)
            self._arrange()
            if self.model.live:
                self.run_worker(self.submissions.reconcile(), group="site")
        self.tell_outcome()

    def tell_outcome(self) -> None:
        if self.is_mounted:
            self._outcome.learn()
            self.timeline.doubt()
            self._key_bar.say()  # it may offer something else to do, as what is selected and known does
            self.submissions.keep()

    # Keys: panes.

    def action_show(self, name: str) -> None:
        if self._zoomed_in_slot:  # it was the slot that was to have the whole screen, not what is shown now
            self.zoomed = self._zoomed_in_slot = False
        self.active = name
        self._before_inspector = None
        self._arrange()
        self.set_focus(self.pane)
        if name == "sites" and self.model.live:
            self.run_worker(self._refresh_status(), group="site")

    async def _refresh_status(self) -> None:
        try:
            await self.model.read_status()
        except RequestFailed as failed:
            self.model.complain(failed)

    def action_next_pane(self) -> None:
        self._step(1)

    def action_previous_pane(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        tab = self._before_inspector if self.active == "inspector" else self.active
        here = TABS.index(tab) if tab in TABS else 0
        self.action_show(TABS[(here + by) % len(TABS)])

    def action_inspect(self) -> None:
        if isinstance(self.pane, LogPane) and self.pane.opens():
            return
        slot = self.pane.slot()
        if slot is None and self.active == "trace" and self.trace.rows_count():
            self.action_read()  # a row about no slot: all that there is to see of it is what it says
            return
        if slot is None:
            self.hint("select a row about a slot, in Timeline, Log or Trace")
            return
        if self.active != "inspector" and self.lacks_engine("the slot cannot be read"):
            return
        if self.active != "inspector":
            self._before_inspector = self.active
        self.active = "inspector"
        self._arrange()
        self.inspector.inspect(slot)
        self.set_focus(self.pane)

    def action_ask(self) -> None:
        if self.lacks_engine("no site can be asked about a slot"):
            return
        if self.inspector.display:
            self.inspector.ask_sites()
        else:
            self.hint("enter on a row shows its slot; a asks the other sites again there")

    def on_inspector_pane_asked_again(self, event: InspectorPane.AskedAgain) -> None:
        pane, slot = self.inspector, self.inspector.inspected
        self.report(event.words, lambda: self.pane is pane and pane.inspected == slot)

    def action_read(self) -> None:
        lines = self.pane.selected() if self.pane.SELECTS else []
        if lines:
            self.app.push_screen(row_dialog(lines))
        elif self.pane.SELECTS:
            self.hint("no row is selected")
        else:
            self.hint("l shows a row; z gives this pane the whole screen")

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self._zoomed_in_slot = self.zoomed and self.active == "inspector"
        self._arrange()

    def action_pause(self) -> None:
        self.pane.pause()

    def action_follow(self) -> None:
        self.pane.follow()

    def action_back(self) -> None:
        if self.searching:
            self.workers.cancel_group(self, "search")
        elif self.marks:
            self.stop_marking()
            self.board.dismiss_remark()
        elif isinstance(self.pane, LogPane | TracePane) and self.pane.closes():
            pass
        elif self._before_inspector is not None:
            self.action_show(self._before_inspector)
        elif self.zoomed:
            self.action_zoom()
        else:
            self.action_dismiss_outcome()

    # Typing.

    @property
    def _typing(self) -> bool:
        return isinstance(self.focused, Field)

    def stop_typing(self) -> None:
        """Closes what is typed into; a draft is kept."""
        for line in (self.composer, self.prompt):
            if line.is_open:
                line.close()

    def _typed(self) -> None:
        self.set_focus(self.pane)
        self._arrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Letters are text while something is typed; a pane's own keys come before the screen's."""
        return not self._typing and not (self.active == "faults" and action in FAULTS_OWN)

    def action_help(self) -> None:
        self.app.push_screen(help_dialog())
