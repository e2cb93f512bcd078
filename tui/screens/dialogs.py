"""What comes over the main screen: a choice, or a text to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from tui.bursts import burst_of
from tui.panes.paint import Painted
from tui.placing import place
from tui.rows import BLANK, Part, Role, Row, wrapped

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Choice(Generic[Value]):
    """`key` picks it at once; `value` is what the dialog then ends with."""

    key: str
    words: Row
    value: Value


class _Dialog(ModalScreen[Value | None], Generic[Value]):
    """What ends once: keys that were on their way here when it ended are dropped. Textual would call back again, and
    take away the screen beneath."""

    def end(self, value: Value | None) -> None:
        if self.app.screen is self:
            self.dismiss(value)

    def action_cancel(self) -> None:
        self.end(None)


class ChoiceDialog(_Dialog[Value]):
    """Sentences, and things to choose from: by key, or with the arrows and Enter. Esc chooses nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j,tab", "move(1)", show=False),
        Binding("enter", "take", show=False),
        Binding("escape,q,ctrl+c", "cancel", show=False),
    ]

    def __init__(self, title: str, sentences: Sequence[Row], choices: Sequence[Choice[Value]]) -> None:
        super().__init__()
        place(self)
        self._title = title
        self._sentences = sentences
        self._choices = choices
        self._at = 0
        self._text = _Text(self._rows)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = Content(self._title)
            yield self._text

    def _rows(self, width: int) -> Sequence[Row]:
        lines = [line for sentence in self._sentences for line in wrapped(sentence, width)]
        if lines:
            lines.append(BLANK)
        for index, choice in enumerate(self._choices):
            mark = "> " if index == self._at else "  "
            said = (Part(mark), Part(choice.key, Role.KEY), Part("  "), *choice.words)
            lines += wrapped(said, width, indent=5)
        return [*lines, BLANK, (Part("  esc", Role.KEY), Part("  back", Role.DIM))]

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                self.end(choice.value)
                return

    def action_move(self, by: int) -> None:
        self._at = (self._at + by) % max(1, len(self._choices))
        self._text.say()

    def action_take(self) -> None:
        if self._choices:
            self.end(self._choices[self._at].value)


class Confirmation(ChoiceDialog[bool]):
    """Asks before something is done that cannot be taken back unseen. Enter says no, and so does every key that came
    together with the one that brought this question: what is typed or pasted blindly confirms nothing."""

    def __init__(self, title: str, sentences: Sequence[Row], yes: Row) -> None:
        super().__init__(title, sentences, [Choice("y", yes, True), Choice("n", (Part("no"),), False)])
        self._at = 1
        self._opened_in: int | None = None

    def on_mount(self) -> None:
        self._opened_in = getattr(self.app, "burst", None)

    def on_key(self, event: events.Key) -> None:
        """Before that of a choice, which Textual calls too."""
        burst = burst_of(event)
        if burst is not None and burst == self._opened_in:
            event.stop()
            event.prevent_default()


class TextDialog(_Dialog[None]):
    """A text to read; any of its closing keys takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,ctrl+c", "cancel", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
    ]

    def __init__(self, title: str, write: Callable[[int], Sequence[Row]]) -> None:
        super().__init__()
        place(self)
        self._box = VerticalScroll(_Text(write), classes="dialog -tall", can_focus=False)
        self._box.border_title = Content(title)
        self._box.border_subtitle = Content("esc closes")

    def compose(self) -> ComposeResult:
        yield self._box

    def action_scroll(self, by: int) -> None:
        self._box.scroll_relative(y=by, animate=False)


class _Text(Painted):
    def __init__(self, write: Callable[[int], Sequence[Row]]) -> None:
        super().__init__()
        self._write = write

    def rows(self, width: int) -> Sequence[Row]:
        return self._write(width)
