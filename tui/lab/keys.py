"""Every key of the lab in one table: bindings, footer, help and palette are made from it."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding, BindingType

from tui import keys
from tui.keys import Key

STEP: Final = (
    Key("n", "n", "step", "step", "one step forward: one thing happens, and you see what follows"),
    Key("N", "N", "next_decision", "decision", "go forward to the next step that chooses a value, or to the end"),
    Key("b", "b", "back", "back", "one step back; n then repeats exactly the same step"),
    Key("B", "B", "last_decision", "decision back", "back to the last decision, at most ten steps"),
    Key("r", "r", "restart", "restart", "back to the first step of this run"),
    Key("p,space", "p", "play", "play", "play automatically, or stop (so does Space)"),
    Key("plus,equals_sign", "+", "faster", "faster", "play twice as fast"),
    Key("minus", "-", "slower", "slower", "play half as fast"),
    Key("g", "g", "go_to", "go to step", "go to a step by its number"),
)
MESSAGE: Final = (
    Key("down", "↓", "next_message", "next message", "pick the next message in flight (a click picks one too)"),
    Key("up", "↑", "previous_message", "previous message", "pick the one above"),
    Key("d", "d", "deliver", "deliver", "deliver the message now, before anything else (so does a double click)"),
    Key("x", "x", "drop", "drop", "drop the message"),
    Key("2", "2", "duplicate", "duplicate", "deliver the message now, and once more later"),
    Key("h", "h", "hold", "hold", "hold the message until it is delivered; again: let it go"),
)
SITE: Final = (
    Key("right", "→", "next_site", "next site", "pick another site (a click on its row picks it too)"),
    Key("left", "←", "previous_site", "previous site", "pick the site above"),
    Key("t", "t", "tweet", "tweet", "a user of the site submits a tweet"),
    Key("e", "e", "event", "other event", "a user of the site blocks or unblocks another, or reads"),
    Key("c", "c", "crash", "crash", "the site's process ends; what is on its disk stays"),
    Key("u", "u", "revive", "start", "start the site again"),
    Key("z", "z", "pause_site", "pause site", "the process stops for a time; what arrives waits"),
    Key("w", "w", "wipe", "wipe", "the process ends and its disk is lost; u starts the site with a new one"),
    Key("P", "P", "partition", "partition", "cut the sites into groups that do not hear each other"),
    Key("M", "M", "mend", "mend", "all links work again"),
    Key("colon", ":", "line", "any line", "run any line of a scenario file (docs/scenarios.md)"),
)
SEE: Final = (
    Key("enter,i", "enter", "inspect", "all of it", "this step and the picked message in full, with the rule"),
    Key("l", "l", "log", "log", "the table of one slot, or of the whole log; a click there picks a slot"),
    Key("left_square_bracket", "[", "slot_before", "slot before", "the slot before, in its table or in the log"),
    Key("right_square_bracket", "]", "slot_after", "slot after", "the slot after, in its table or in the log"),
    Key("pageup", "pgup", "page(-1)", "earlier", "scroll the diagram up; a double click on a row goes to its step"),
    Key("pagedown", "pgdn", "page(1)", "later", "scroll the diagram down"),
    Key("home", "home", "top", "diagram's top", "scroll the diagram to its first row"),
    Key("end", "end", "follow", "follow", "follow the newest row, and the slot that each step is about"),
)
RUN: Final = (
    Key("v", "v", "branches", "branches", "list the branches of this run, and go to one"),
    Key(
        "y",
        "y",
        "predict",
        "predict",
        "be asked before each step what will happen (answer with a digit); again: see the score and stop",
    ),
    Key("s", "s", "save", "save", "save what led to the step that is shown as a scenario file"),
    Key("o", "o", "open", "open", "open a scenario by name, a file, or a line in a course's notation"),
    Key("S", "S", "scenarios", "scenarios", "all scenarios that come with the lab"),
    Key("k", "k", "mistake", "mistake", "in a scenario with a mistake: the same run without it, or with it again"),
    Key("f", "f", "free_lab", "free lab", "a new run: choose how many sites, and who leads them"),
)
LEAVE: Final = (
    Key("m", "m", "app.mouse", "mouse", "mouse off or on: off, the terminal selects text"),
    Key("escape", "esc", "quiet", "dismiss", "stop playing; clear the last message"),
    Key("q", "q", "app.leave", "quit", "leave the lab; asks first if something is not saved"),
    Key("question_mark", "?", "help", "keys", "all keys"),
)
GROUPS: Final = (
    ("Step", STEP),
    ("A message in flight", MESSAGE),
    ("A site", SITE),
    ("See", SEE),
    ("Run", RUN),
    ("Leave", LEAVE),
)
BINDINGS: Final[list[BindingType]] = [
    *(Binding(str(number), f"answer({number})", show=False, priority=True) for number in range(1, 10)),
    *keys.bindings(*(group for _, group in GROUPS)),
]

CHANGES: Final = frozenset(
    {
        *("deliver", "drop", "duplicate", "hold", "tweet", "event", "crash", "revive", "pause_site", "wipe"),
        *("partition", "mend", "line", "branches", "save"),
    }
)
"""What a recording of real sites has no use for."""

FOOTER: Final = (
    *("step", "next_decision", "back", "play", "deliver", "drop", "tweet", "hold", "crash", "save", "scenarios"),
    *("restart", "help", "app.leave"),
)

MISTAKE_AT: Final = 3
"""Where the key of a scenario's mistake stands in the footer, where there is one."""

ANSWERING: Final = (
    Key("1", "1 2 …", "answer", "answer", "say what you think will happen"),
    Key("escape", "esc", "quiet", "no answer", "go on without an answer"),
)


def named(*actions: str) -> list[Key]:
    """The keys of these actions, in this order."""
    every = {key.action: key for _, group in GROUPS for key in group}
    return [every[action] for action in actions]
