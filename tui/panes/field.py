"""The widget in which text is typed: the composer, and the prompts for a slot, a search or a fault rule.

Textual's own inputs draw what was typed as it is; here it goes through `inert` (a pasted escape sequence or bidi mark
shows as its name), and a paste of several lines is kept whole.

Rules that hold here:
- It takes every printable key while it has the focus, so letters are no commands then; and every key that edits, so
  that what is typed fast happens in its order.
- After Enter or Esc it waits for its owner's word, `go_on` or `let_go`, and then says `Settled`; the program keeps keys
  until then.
- What is added (`add`) is text whatever it is, behind all that is there once the owner has said its word.
- The cursor does not blink: a screen without traffic repaints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Final

from textual import events
from textual.message import Message

from tui.panes.editing import Edit, laid_out, layout_of, on_line
from tui.panes.paint import CURSOR_CLASS, Painted
from tui.panes.writing import Writing
from tui.rows import Part, Role, Row, cut, first_character

LINES_MAX: Final = 5
"""A tweet is seen whole at 80 columns; what is longer scrolls."""
HEIGHT_SHARE: Final = 4
"""On a small screen no more of it than one line of so many: what is written about is still seen."""
TEXT_MAX: Final = 1_000
"""The longest text that is edited here: a paste of a book would cost a second a key."""

EDITS: Final[Mapping[str, Callable[[Edit], Edit]]] = {
    "left": lambda edit: edit.move(-1),
    "right": lambda edit: edit.move(1),
    **dict.fromkeys(("ctrl+left", "alt+left", "alt+b"), lambda edit: edit.to(edit.word_left())),
    **dict.fromkeys(("ctrl+right", "alt+right", "alt+f"), lambda edit: edit.to(edit.word_right())),
    **dict.fromkeys(("home", "ctrl+a"), lambda edit: edit.to(0)),
    **dict.fromkeys(("end", "ctrl+e"), lambda edit: edit.to(len(edit.text))),
    **dict.fromkeys(("backspace", "ctrl+h"), Edit.backspace),
    **dict.fromkeys(("delete", "ctrl+d"), Edit.delete),
    **dict.fromkeys(("ctrl+w", "alt+backspace"), lambda edit: edit.cut_to(edit.word_left())),
    **dict.fromkeys(("ctrl+delete", "alt+d"), lambda edit: edit.cut_up_to(edit.word_right())),
    "ctrl+u": lambda edit: edit.cut_to(0),
    "ctrl+k": Edit.cut_to_end,
}
"""No bindings: those of keys that came together are looked for after the letters behind them were typed."""

STEPS: Final[Mapping[str, Callable[[Writing], None]]] = {
    **dict.fromkeys(("ctrl+z", "super+z", "ctrl+underscore"), Writing.undo),
    **dict.fromkeys(("ctrl+y", "super+y", "ctrl+shift+z"), Writing.redo),
    **dict.fromkeys(("ctrl+up", "alt+up"), Writing.older),
    **dict.fromkeys(("ctrl+down", "alt+down"), Writing.newer),
}


class Field(Painted, can_focus=True):
    COMPONENT_CLASSES: ClassVar[set[str]] = {CURSOR_CLASS}

    class Edited(Message):
        """The text changed."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

        @property
        def control(self) -> Field:
            return self.field

    class Sent(Edited):
        """Enter."""

    class Left(Edited):
        """Escape."""

    class Settled(Edited):
        """Its owner knows what becomes of the line after Enter or Escape."""

    class Pasted(Edited):
        """A paste of several lines, now in the text as it came."""

    class Added(Message, bubble=False):
        """A key that is text whatever it is."""

        def __init__(self, key: events.Key) -> None:
            super().__init__()
            self.key = key

    class Extended(Edited):
        """What was added is in the text."""

    class Overfull(Edited):
        """A paste of which only the beginning is in the text."""

    def __init__(self, text: str = "", before: Iterable[str] = (), *, id: str | None = None) -> None:  # noqa: A002
        """`before`: what was written here earlier, the oldest first."""
        super().__init__(id=id)
        self.writing = Writing(Edit(text, len(text)), before)
        self._handed_over = False
        self._added = ""
        self._breaks = False  # what is added next begins another line

    @property
    def edit(self) -> Edit:
        return self.writing.edit

    @property
    def text(self) -> str:
        return self.edit.text

    def offer(self, text: str) -> None:
        """Puts a text that the first key replaces, unless that moves the cursor or sends it."""
        self.do(lambda writing: writing.begin(Edit.offered(text)))

    def put(self, edit: Edit) -> None:
        """A change, which can be undone."""
        self.do(lambda writing: writing.change(edit))

    def do(self, what: Callable[[Writing], None]) -> None:
        before = self.text
        what(self.writing)
        self.say()
        if self.text != before:
            self.post_message(self.Edited(self))

    def _go_by_line(self, by: int) -> None:
        """Beyond the first and the last line lies what was written before, and after that."""
        edit = on_line(self.edit, self._line_width(self.content_size.width), by)
        if edit is not None:
            self.put(edit)
        else:
            self.do(Writing.older if by < 0 else Writing.newer)

    @staticmethod
    def _line_width(width: int) -> int:
        return max(2, width)

    def rows(self, width: int) -> Sequence[Row]:
        lines, (line, cell) = laid_out(self.edit, self._line_width(width))
        first, room = self._seen(len(lines), line)
        seen = lines[first : first + room]
        if self.edit.selected and self.has_focus:
            return [(Part(text, Role.CURSOR),) for text in seen]
        return [self._row(text, cell if first + index == line else None) for index, text in enumerate(seen)]

    def _seen(self, lines: int, line: int) -> tuple[int, int]:
        """The first line that is seen where the cursor is on `line`, and how many there is room for."""
        room = max(1, min(LINES_MAX, self.app.size.height // HEIGHT_SHARE))
        return max(0, min(line - room + 1, lines - room)), room

    def on_click(self, event: events.Click) -> None:
        layout = layout_of(self.edit, self._line_width(self.content_size.width))
        first, _ = self._seen(len(layout.begins), layout.place(self.edit.cursor)[0])
        line = min(first + event.y, len(layout.begins) - 1)
        self.put(self.edit.to(layout.cursor_at(line, event.x)))

    def _row(self, text: str, cursor: int | None) -> Row:
        """A line, with the cursor on the character at cell `cursor`."""
        if cursor is None or not self.has_focus:
            return (Part(text),)
        before = cut(text, cursor)
        under = first_character(text[len(before) :])
        return (Part(before), Part(under or " ", Role.CURSOR), Part(text[len(before) + len(under) :]))

    def on_focus(self) -> None:
        self.say()

    def on_blur(self) -> None:
        self.say()

    def check_consume_key(self, key: str, character: str | None) -> bool:  # noqa: ARG002
        return character is not None and character.isprintable()

    async def _on_key(self, event: events.Key) -> None:
        self._breaks = False
        if event.key == "enter":
            self._hand_over(self.Sent(self))
        elif event.key == "escape":
            self._hand_over(self.Left(self))
        elif edited := EDITS.get(event.key):
            self.put(edited(self.edit))
        elif event.key in {"up", "down"}:
            self._go_by_line(-1 if event.key == "up" else 1)
        elif step := STEPS.get(event.key):
            self.do(step)
        elif event.character is not None and event.is_printable:
            self.put(self.edit.insert(event.character))
        else:
            return
        event.stop()
        event.prevent_default()

    def _hand_over(self, message: Edited) -> None:
        self._handed_over = True
        self.post_message(message)

    def go_on(self) -> None:
        """The line was refused: it is edited further."""
        self._breaks = True
        self._settle()

    def let_go(self) -> None:
        """The line is done with: keys are commands again."""
        self._settle()

    def add(self, key: events.Key) -> None:
        """Takes a key as text, after those that are on their way here: a line break for Enter, nothing for what is no
        character."""
        self.post_message(self.Added(key))

    def on_field_added(self, event: Field.Added) -> None:
        key = event.key
        if key.key == "enter":
            self._added += "\n"
        elif key.character is not None and key.is_printable:
            self._added += key.character
        if not self._handed_over:
            self._put_added()

    def _put_added(self) -> None:
        added, self._added = self._added, ""
        if added:
            if self._breaks:
                added, self._breaks = f"\n{added}", False
            text = (self.edit.text + added)[:TEXT_MAX]
            self.put(Edit(text, len(text)))
            self.post_message(self.Extended(self))

    def _settle(self) -> None:
        self._handed_over = False
        self._put_added()
        self.app.post_message(self.Settled(self))  # it would not bubble beyond an owner that makes it

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        room = TEXT_MAX - len(self.edit.text)
        pasted = event.text[: 2 * TEXT_MAX].strip("\r\n").replace("\r\n", "\n").replace("\r", "\n")
        self.put(self.edit.insert(pasted[:room]))
        if len(pasted) > room:
            self.post_message(self.Overfull(self))
        elif len(pasted.splitlines()) > 1:
            self.post_message(self.Pasted(self))
