"""What comes over the main screen: a choice, or a text to read.

Rules that hold here:
- Its own keys stand where the main screen's stood: in the last line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen

from tui import keys
from tui.bursts import burst_of
from tui.exact_painting import paint_exactly
from tui.keys import Key
from tui.panes.bars import KeyBar
from tui.panes.paint import Painted
from tui.rows import BLANK, Part, Role, Row, wrapped

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Choice(Generic[Value]):
    """`key` picks it at once, and is called `name` in the line of keys; `value` is what the dialog then ends with."""

    key: str
    name: str
    words: Row
    value: Value


class Dialog(ModalScreen[Value | None], Generic[Value]):
    """What ends once: keys that were on their way here when it ended are dropped. Textual would call back again, and
    take away the screen beneath."""

    def __init__(self) -> None:
        super().__init__()
        paint_exactly(self)
        self._key_bar = KeyBar(self.keys)

    def keys(self) -> Sequence[Key]:
        """What the keys do while it is open; the last two are always named."""
        raise NotImplementedError  # each dialog has its own; a widget cannot be an ABC too

    def end(self, value: Value | None) -> None:
        if self.app.screen is self:
            self.dismiss(value)

    def action_cancel(self) -> None:
        self.end(None)


class ChoiceDialog(Dialog[Value]):
    """Sentences, and things to choose from: by key, or with the arrows and Enter, or with a click that marks and a
    double one that takes. Esc chooses nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j,tab", "move(1)", show=False),
        Binding("enter", "take", show=False),
        Binding("escape,q,ctrl+c", "cancel", show=False),
    ]

    def __init__(self, title: str, sentences: Sequence[Row], choices: Sequence[Choice[Value]]) -> None:
        super().__init__()
        self._title = title
        self._sentences = sentences
        self._choices = choices
        self._at: int | None = 0
        self._at_line: dict[int, int] = {}
        """Which choice stands in which line."""
        self._text = _Text(self._rows)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content("esc goes back")
            yield self._text
        yield self._key_bar

    def keys(self) -> Sequence[Key]:
        picks = (Key(choice.key, choice.key, "", choice.name, "") for choice in self._choices)
        marked = None if self._at is None else self._choices[self._at].name
        takes = () if marked is None else (Key("enter", "enter", "take", marked, ""),)
        return (*picks, *(keys.MARKING if len(self._choices) > 1 else ()), *takes, keys.BACK)

    def _rows(self, width: int) -> Sequence[Row]:
        lines = [line for sentence in self._sentences for line in wrapped(sentence, width)]
        if lines:
            lines.append(BLANK)
        for index, choice in enumerate(self._choices):
            mark = "> " if index == self._at else "  "
            said = (Part(mark), Part(choice.key, Role.KEY), Part("  "), *choice.words, *self.about(choice))
            begins = len(lines)
            lines += wrapped(said, width, indent=5)
            self._at_line |= dict.fromkeys(range(begins, len(lines)), index)
        return lines

    def on_text_clicked(self, event: _Text.Clicked) -> None:
        index = self._at_line.get(event.line)
        if index is not None:
            self.mark(index)
            if event.times == 2:
                self.action_take()

    def about(self, choice: Choice[Value]) -> Row:  # noqa: ARG002  (who overrides it looks at the choice)
        """What is told of it beside its words."""
        return ()

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if event.character == choice.key:
                event.stop()
                self.end(choice.value)
                return

    def action_move(self, by: int) -> None:
        self.mark(by - 1 if self._at is None else self._at + by)

    def mark(self, at: int | None) -> None:
        """Marks the choice that Enter takes; None: Enter takes none."""
        self._at = None if at is None else at % len(self._choices)
        self.tell()

    def tell(self) -> None:
        """Paints again what may read differently now."""
        self._text.say()
        self._key_bar.say()

    def action_take(self) -> None:
        if self._at is not None:
            self.end(self._choices[self._at].value)


class Confirmation(ChoiceDialog[bool]):
    """Asks before something is done that cannot be taken back unseen. Enter says no, and so does every key that came
    together with the one that brought this question: what is typed or pasted blindly confirms nothing."""

    def __init__(self, title: str, sentences: Sequence[Row], yes: Row) -> None:
        super().__init__(title, sentences, [Choice("y", "yes", yes, True), Choice("n", "no", (Part("no"),), False)])
        self._at = 1
        self._opened_in: int | None = None

    def on_mount(self) -> None:
        self._opened_in = getattr(self.app, "burst", None)

    def on_key(self, event: events.Key) -> None:
        """Textual calls the handler of ChoiceDialog after this one, unless the key is kept from it."""
        burst = burst_of(event)
        if burst is not None and burst == self._opened_in:
            event.stop()
            event.prevent_default()


class NameDialog(ChoiceDialog[str]):
    """Names to choose from: by number, or by typing a name's beginning; so letters are no keys here."""

    def __init__(self, title: str, sentences: Sequence[Row], names: Sequence[str]) -> None:
        choices = [Choice(str(number), name, (Part(name, Role.STRONG),), name) for number, name in enumerate(names, 1)]
        super().__init__(title, sentences, choices)
        self._typed = ""

    def _rows(self, width: int) -> Sequence[Row]:
        lines = super()._rows(width)
        if not self._typed:
            return lines
        none = "" if self._at is not None else "  no name begins so"
        return [*lines, BLANK, (Part("  typed: ", Role.DIM), Part(self._typed), Part(none, Role.WARN))]

    def on_key(self, event: events.Key) -> None:
        """Textual calls the handler of ChoiceDialog after this one, unless the key is kept from it. A digit after a
        letter belongs to the name."""
        typed = self._typed
        if event.key == "backspace":
            typed = typed[:-1]
        elif event.character is None or not event.is_printable or (event.character.isdigit() and not typed):
            return
        else:
            typed += event.character
        event.stop()
        event.prevent_default()
        self._typed = typed
        names = (index for index, choice in enumerate(self._choices) if choice.value.startswith(typed.casefold()))
        self.mark(next(names, None))

    def action_move(self, by: int) -> None:
        self._typed = ""
        super().action_move(by)


class TextDialog(Dialog[None]):
    """A text to read; any of its closing keys takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,ctrl+c", "cancel", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("home", "go_home", show=False),
        Binding("end", "go_end", show=False),
    ]

    def __init__(self, title: str, write: Callable[[int], Sequence[Row]]) -> None:
        super().__init__()
        self._box = VerticalScroll(_Text(write), classes="dialog -tall", can_focus=False)
        self._box.border_title = Content(title)
        self._box.border_subtitle = Content("esc closes")

    def compose(self) -> ComposeResult:
        yield self._box
        yield self._key_bar

    def keys(self) -> Sequence[Key]:
        return keys.READING

    def action_go_home(self) -> None:
        self._box.scroll_home(animate=False)

    def action_go_end(self) -> None:
        self._box.scroll_end(animate=False)

    def action_scroll(self, by: int) -> None:
        self._box.scroll_relative(y=by, animate=False)


class _Text(Painted):
    class Clicked(Message, namespace="text"):
        """Somebody clicked a line, so many times."""

        def __init__(self, line: int, times: int) -> None:
            super().__init__()
            self.line = line
            self.times = times

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(event.y, event.chain))

    def __init__(self, write: Callable[[int], Sequence[Row]]) -> None:
        super().__init__()
        self._write = write

    def rows(self, width: int) -> Sequence[Row]:
        return self._write(width)
