"""Which keys the last line names while nothing is typed: those of the pane that is used, of which something comes now.

Rules that hold here:
- A key that would only say what it lacks is not named. It says so all the same when it is pressed.
- A key that undoes what it did is called so for as long as that holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui import keys
from tui.keys import Key
from tui.panes.faults import FaultsPane
from tui.panes.lines import Lines
from tui.panes.log import LogPane
from tui.panes.trace import TracePane
from tui.site.model import SiteModel


@dataclass(frozen=True, slots=True)
class Here:
    """The pane that is used, and by which name; `fills` is the slot that a fill would be about; `is_everybody`: there
    are other sites' screens to go to."""

    name: str
    pane: Lines
    model: SiteModel
    fills: int | None
    is_everybody: bool
    zoomed: bool


def footer_keys(here: Here) -> list[Key]:
    vain, undone = _vain(here), _undone(here)
    named = [key for key in _of_pane(here) if key.action not in vain]
    if isinstance(here.pane, LogPane) and here.pane.is_folded:
        named = [keys.OPENS if key.action == keys.OPENS.action else key for key in named]
    return [keys.undoing(key) if key.action in undone else key for key in named]


def _of_pane(here: Here) -> list[Key]:
    """All that there are, the most wanted first."""
    hop = ("app.hop",) if here.is_everybody else ()
    if isinstance(here.pane, FaultsPane):
        return [*keys.FAULTS, *keys.named(*hop, "zoom", "next_pane", "outcomes", "help", "app.leave")]
    first = {
        "timeline": ("compose", "first_unread", "inspect", "search", "pause", "zoom"),
        "log": ("inspect", "fill", "fill_all", "search", "zoom"),
        "trace": ("inspect", "read", "search", "pause", "copy", "zoom"),
        "inspector": ("ask", "fill", "copy", "zoom", "back"),
        "sites": ("compose", "block", "unblock", "members", "zoom"),
    }.get(here.name, ("compose", "block", "unblock", "zoom"))
    more = {
        "timeline": ("block", "unblock", "confirm", "go_to", "copy", "next_pane", "outcomes", "copy_line", "times"),
        "log": ("compose", "read", "next_hole", "go_to", "pause", "copy", "next_pane", "outcomes", "copy_line"),
        "trace": ("compose", "go_to", "next_pane", "outcomes"),
    }.get(here.name, ("go_to", "next_pane", "outcomes"))
    scroll = (keys.SCROLL,) if here.pane.scrolls and not here.pane.SELECTS else ()
    return [*keys.named(*first), *scroll, *keys.named(*hop, *more, "help", "app.leave")]


def _vain(here: Here) -> set[str]:
    """Actions that nothing would come of now."""
    model, pane = here.model, here.pane
    vain = set(keys.OF_ENGINE) if model.over else set()
    if model.log.last == 0:
        vain |= keys.OF_LOG
        if isinstance(pane, TracePane) and (model.was_read or not model.over):
            vain.remove("search")  # the trace is filtered, whatever the log holds
    if not model.reading.unread:
        vain.add("first_unread")
    if here.fills is None:
        vain.add("fill")
    if not model.holes:
        vain |= keys.OF_HOLES
    if pane.SELECTS and not pane.rows_count():
        vain |= keys.OF_SELECTED
        if model.over:
            vain.remove("copy")  # of the command that starts the engine
    return vain | pane.vain if isinstance(pane, FaultsPane) else vain


def _undone(here: Here) -> set[str]:
    """Actions that would undo what they did."""
    return {action for action, is_so in (("pause", not here.pane.following), ("zoom", here.zoomed)) if is_so}
