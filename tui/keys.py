"""Every key of the main screen in one table: bindings, footer, help and palette are made from it.

Rules that hold here:
- Letters, not chords. A key means one thing everywhere, but for the keys of the pane that has the focus.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` as Textual names them, comma separated; `cap` is what is printed on them."""

    keys: str
    cap: str
    action: str
    name: str
    what: str


WRITE: Final = (
    Key("c", "c", "compose", "tweet", "write a tweet; Enter sends it, Esc keeps the draft"),
    Key(
        "b",
        "b",
        "block",
        "block",
        "block a site by its number or name: it no longer sees this site's tweets; y confirms",
    ),
    Key("u", "u", "unblock", "unblock", "undo a block, in the same way"),
)
OUTCOME: Final = (
    Key("r", "r", "retry", "retry", "send again an event that is certainly not in the log"),
    Key("e", "e", "edit", "edit", "edit a tweet that is not in the log, even after its outcome was dismissed"),
    Key("w", "w", "wait", "wait", "wait for an unknown outcome: you are told once it is known"),
    Key("x", "x", "dismiss_outcome", "dismiss", "dismiss the outcome line (so does Esc)"),
    Key(
        "o",
        "o",
        "outcomes",
        "outcomes",
        "everything reported here: outcomes of events, fills, rules and reads",
    ),
)
LOOK: Final = (
    Key("1", "1", "show('timeline')", "timeline", "what this site may read, in the order of the log"),
    Key("2", "2", "show('blocks')", "blocks", "who blocks whom"),
    Key("3", "3", "show('log')", "log", "every slot of the log with its state"),
    Key("4", "4", "show('trace')", "trace", "the messages between this site and the others"),
    Key("5", "5", "show('sites')", "sites", "the sites as seen from here, and counters"),
    Key("6", "6", "show('faults')", "faults", "make this site's network bad on purpose"),
    Key("tab", "tab", "next_pane", "next pane", "go to the next pane (Shift+Tab: the previous one)"),
    Key("shift+tab", "shift+tab", "previous_pane", "previous pane", "go to the previous pane"),
    Key(
        "enter,i",
        "enter",
        "inspect",
        "inspect",
        "open a slot: who promised and accepted, who learned it when, and its messages",
    ),
    Key("l", "l", "read", "whole row", "show the whole of a row that is cut off"),
    Key("a", "a", "ask", "ask again", "in the slot's pane: ask all sites again what they know"),
    Key("z", "z", "zoom", "zoom", "give one pane the whole screen, and back"),
    Key("slash", "/", "search", "search", "search the log or timeline; filter the trace"),
    Key("n", "n", "next_match", "match above", "the next match above; wraps around"),
    Key("N", "N", "match_below", "match below", "the next match below"),
    Key("U", "U", "first_unread", "first new", "the first tweet that is new to you; end marks all as read"),
    Key("t", "t", "times", "times", "in the timeline: times of day, or ages"),
    Key("H", "H", "next_hole", "next hole", "the next hole of the log"),
    Key("g", "g", "go_to", "go to slot", "go to a slot by its number"),
    Key("space", "space", "pause", "pause", "stop following the newest, or follow again"),
    Key("end", "end", "follow", "follow", "go to the newest, and follow it"),
    Key(
        "escape",
        "esc",
        "back",
        "back",
        "close what is open, or clear the trace's filter; else dismiss the outcome line",
    ),
)
ACT: Final = (
    Key("f", "f", "fill", "fill", "fill this hole: f shows the plan, f again carries it out"),
    Key("F", "F", "fill_all", "fill all", "fill all holes, in the same way"),
    Key("v", "v", "confirm", "confirm", "ask a majority to confirm that the timeline is complete"),
    Key(
        "M", "M", "members", "members", "change who belongs to the cluster: readmit, add, promote, remove, move a site"
    ),
    Key(
        "y",
        "y",
        "copy",
        "copy",
        "copy the tweet's text, the row, or a pane without rows to the clipboard (OSC 52)",
    ),
    Key("Y", "Y", "copy_line", "copy line", "copy the whole line; of a tweet with its slot, time and author"),
    Key("m", "m", "app.mouse", "mouse", "mouse off or on: off, the terminal selects text"),
)
LEAVE: Final = (
    Key("h", "h", "app.hop", "next site", "the screen of the next site (in the demo)"),
    Key("d", "d", "app.detach", "detach", "leave the screen, the engine keeps running (a demo stops, as with q)"),
    Key(
        "q",
        "q",
        "app.leave",
        "quit",
        "leave; asks whether to stop an engine that this screen started",
    ),
    Key("question_mark", "?", "help", "keys", "all keys"),
)
GROUPS: Final = (
    ("Write", WRITE),
    ("After an outcome", OUTCOME),
    ("Look", LOOK),
    ("Do", ACT),
    ("Leave", LEAVE),
)

MOVE: Final = (
    ("↑ ↓  k j", "a row up or down"),
    ("pgup pgdn", "a page up or down"),
    ("home end", "the oldest; the newest, and follow it"),
)
FAULTS: Final = (
    Key("a", "a", "add", "add", "add a fault rule"),
    Key(
        "p",
        "p",
        "partition",
        "partition",
        "cut the network into groups of sites, and mend it; in a demo at all sites at once",
    ),
    Key("space", "space", "switch", "on/off", "switch the rule on or off"),
    Key("delete,backspace", "del", "remove", "remove", "remove the rule"),
    Key("x", "x", "clear", "clear all", "remove all rules, and release what is held"),
    Key("r", "r", "release", "release", "release the selected held message, or all"),
    Key("d", "d", "drop", "drop", "drop the selected held message, or all"),
)
OF_ROW: Final = {"switch", "remove", "release", "drop"}
"""Those of them that act on the row that is selected."""

SENDS: Final = Key("enter", "enter", "send", "send", "send what is typed")
KEEPS: Final = Key("escape", "esc", "leave", "back", "keep it and go back")
BEFORE: Final = Key(
    "up,down", "↑ ↓", "before", "sent before", "another line of the text; above the first, tweets sent before"
)
UNDO: Final = Key(
    "ctrl+z", "ctrl+z", "undo", "undo", "undo a word, a deletion, a paste; while nothing is typed, suspend"
)
CLEAR: Final = Key("ctrl+u", "ctrl+u", "cut_before", "clear", "delete everything before the cursor (ctrl+k: after it)")

TYPING: Final = (SENDS, KEEPS, BEFORE, UNDO, CLEAR)
PROMPTED: Final = (
    Key("enter", "enter", "send", "take it", "accept what is typed"),
    Key("escape", "esc", "leave", "back", "leave the line as it was"),
    UNDO,
    CLEAR,
)
EDITING: Final = (
    *((key.cap, key.what) for key in (SENDS, KEEPS, BEFORE, UNDO)),
    ("ctrl+y", "redo"),
    ("ctrl+← →", "a word back or on (alt+b, alt+f too)"),
    ("ctrl+w", "delete the word before the cursor (alt+d: after it)"),
    (CLEAR.cap, CLEAR.what),
)
"""What is told of the keys in a line that is typed."""

BACK: Final = Key("escape,q,ctrl+c", "esc", "cancel", "back", "choose nothing")
MARKING: Final = (Key("up,down", "↑ ↓", "move", "move", "mark another row; Enter takes it"),)
READING: Final = (
    Key("up,down", "↑ ↓", "scroll", "scroll", "a line up or down"),
    Key("pageup,pagedown", "pgup pgdn", "scroll", "page", "a page up or down"),
    Key("escape", "esc", "cancel", "close", "clear the text"),
)
SCROLL: Final = Key("up,down", "↑ ↓", "scroll", "scroll", "a line up or down; pgup and pgdn a page")
"""Of a pane that is longer than its room, and has no rows to choose from."""

FINDING: Final = (
    Key("up,down", "↑ ↓", "move", "move", "another action"),
    Key("enter", "enter", "take", "do it", "do what is marked"),
    Key("escape", "esc", "escape", "back", "do nothing"),
)
"""What the keys of dialogs are called in the line of keys; the dialogs bind them."""

OF_ENGINE: Final = {
    *("compose", "block", "unblock", "inspect", "ask", "fill", "fill_all", "confirm", "next_hole", "members"),
    *(key.action for key in FAULTS if key.action != "partition"),
}
"""Actions that nothing comes of while no engine is connected; a demo's partition is asked of the other sites too."""

OF_LOG: Final = {"go_to", "search"}
"""Actions that nothing comes of while no slot is known: the log is empty, or no engine was there to read it from."""

OF_SELECTED: Final = {"inspect", "read", "copy", "copy_line"}
"""Actions that nothing comes of in a pane of rows where no row is."""

OF_HOLES: Final = {"fill_all", "next_hole"}
"""Actions that nothing comes of while no hole is known."""


def named(*actions: str) -> list[Key]:
    """The main screen's keys of these actions, in this order."""
    every = {key.action: key for _, group in GROUPS for key in group}
    return [every[action] for action in actions]


OPENS: Final = Key("enter,i", "enter", "inspect", "open", "show each of the no-ops that are one row; esc closes them")
"""What Enter does there."""

UNDONE: Final = {"pause": "follow", "zoom": "unzoom"}
"""What these keys are called while what they did is so: then they undo it."""


def undoing(key: Key) -> Key:
    return replace(key, name=UNDONE[key.action])


def bindings(*groups: tuple[Key, ...]) -> list[BindingType]:
    """Textual's bindings of these keys.

    They have priority, so that an action is done before the next key is looked at: what is typed right after `c` goes
    into the composer, however fast it comes. While something is typed the screen declines them (`check_action`).
    """
    return [Binding(key.keys, key.action, key.name, show=False, priority=True) for group in groups for key in group]


MAIN_BINDINGS: Final = bindings(*(group for _, group in GROUPS))
