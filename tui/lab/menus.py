"""Lists that come over the lab's screen: the scenarios, and the branches of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from tui import keys
from tui.counted import plural
from tui.keys import Key
from tui.lab.frame import Branch
from tui.panes.lines import ScrolledRows
from tui.panes.paint import Painted
from tui.rows import BLANK, Role, Row, fitted, row, wrapped
from tui.screens.dialogs import Dialog

Value = TypeVar("Value")
ABOUT_LINES: Final = 3
NAME_WIDTH: Final = 20
FREE: Final = ":free"
FILE: Final = ":file"


@dataclass(frozen=True, slots=True)
class Item(Generic[Value]):
    """A row of a list, and what is told below it while it is marked."""

    words: Row
    about: str
    value: Value


class _Items(ScrolledRows, Generic[Value]):
    def __init__(self, items: Sequence[Item[Value]], at: int) -> None:
        super().__init__(id="lab-items")
        self.items = items
        self.cursor = at
        self.following = False

    def title(self) -> str:
        return ""

    def rows_count(self) -> int:
        return len(self.items)

    def row_lines(self, index: int, width: int) -> Sequence[Row] | None:  # noqa: ARG002
        return (self.items[index].words,)

    def go(self, index: int) -> None:
        super().go(index)
        self.post_message(self.Retitled())


class _About(Painted):
    def __init__(self, items: _Items[Value]) -> None:
        super().__init__()
        self._items = items

    def rows(self, width: int) -> Sequence[Row]:
        lines = wrapped(row((self._items.items[self._items.cursor].about, Role.DIM)), width)[:ABOUT_LINES]
        return [BLANK, *lines, *[BLANK] * (ABOUT_LINES - len(lines))]


class ListDialog(Dialog[Value]):
    """One of many: with the arrows and Enter, or by a double click. Esc takes none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", show=False),
        Binding("end", "last", show=False),
        Binding("escape,q,ctrl+c", "cancel", show=False),
    ]

    def __init__(self, title: str, items: Sequence[Item[Value]], at: int = 0) -> None:
        super().__init__()
        self._title = title
        self._items = _Items(items, at)
        self._about = _About(self._items)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -list") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("esc goes back")
            yield self._items
            yield self._about
        yield self._key_bar

    def on_mount(self) -> None:
        self._items.styles.height = min(len(self._items.items), max(3, self.app.size.height - 12))
        self.set_focus(self._items)

    def keys(self) -> Sequence[Key]:
        return [*keys.MARKING, Key("enter", "enter", "take", "take it", ""), keys.BACK]

    def on_lines_retitled(self) -> None:
        self._about.say()

    def on_lines_chosen(self) -> None:
        self.action_take()

    def action_last(self) -> None:
        self._items.go(len(self._items.items) - 1)

    def action_take(self) -> None:
        self.end(self._items.items[self._items.cursor].value)


@dataclass(frozen=True, slots=True)
class Listed:
    """A scenario that comes with the lab: what it shows in a line, and at length."""

    name: str
    summary: str
    about: str


def scenario_menu(shipped: Iterable[Listed]) -> ListDialog[str]:
    """Ends with the name of a scenario, FREE or FILE."""
    own = (
        Item(_named("a free lab", "nothing is planned: you do everything"), _FREE_ABOUT, FREE),
        Item(_named("a file …", "a saved scenario, or a recording of real sites"), _FILE_ABOUT, FILE),
    )
    items = [Item(_named(each.name, each.summary), each.about, each.name) for each in shipped]
    return ListDialog("What do you want to look at?", (*items, *own))


def branch_menu(branches: Iterable[Branch], here: int) -> ListDialog[int]:
    """Ends with a branch's number."""
    items = [Item(_branch(each, here), _branch_about(each), each.number) for each in branches]
    at = next((index for index, item in enumerate(items) if item.value == here), 0)
    return ListDialog("Branches of this run", items, at)


def _named(name: str, about: str) -> Row:
    return row((fitted(name, NAME_WIDTH), Role.STRONG), (f" {about}", Role.DIM))


def _branch(branch: Branch, here: int) -> Row:
    mark = ("● ", Role.GOOD) if branch.number == here else ("  ", Role.PLAIN)
    steps = plural(branch.steps, "step")
    name = f"branch {branch.number + 1}, {steps}"
    return row(mark, (fitted(name, NAME_WIDTH + 4), Role.STRONG), f" {_how(branch)}")


def _how(branch: Branch) -> str:
    if branch.parent is None:
        return "as the run began"
    return f"left branch {branch.parent + 1} after step {branch.forked_at}: {branch.began_with}"


def _branch_about(branch: Branch) -> str:
    return f"Shows it at step {branch.forked_at}, where it begins to differ." if branch.parent is not None else ""


_FREE_ABOUT: Final = (
    "A cluster of healthy sites: choose how many, and their leadership. t submits a tweet at a site, n steps."
)
_FILE_ABOUT: Final = "Type the name of a file or scenario, or a line in course notation: B_wins 8000 8004 123 456."
