"""A line in which a slot, a search or a fault rule is typed; it lies over the composer while it is open."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui.panes.composer import Hint
from tui.panes.editing import Edit
from tui.panes.field import Field
from tui.rows import Role, row

Answer = Callable[[str], str | None]
"""Takes what was typed; returns why it is refused, or None."""


class Prompt(Vertical):
    def __init__(self, done: Callable[[], None]) -> None:
        """`done` is called when the prompt no longer needs the focus."""
        super().__init__(id="prompt")
        self._done = done
        self._answer: Answer = lambda _: None

    def compose(self) -> ComposeResult:
        yield Field(id="answer")
        yield Hint((), id="prompt-hint")

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def ask(self, question: str, hint: str, answer: Answer, begun: str = "") -> None:
        """Opens with `begun` typed; Enter hands the line to `answer`."""
        self._answer = answer
        self.border_title = Content(question)
        self.query_one(Hint).tell(row((hint, Role.DIM)))
        self.query_one(Field).put(Edit(begun, len(begun)))
        self.add_class("-open")
        self.screen.set_focus(self.query_one(Field))

    def close(self) -> None:
        self.remove_class("-open")
        self._done()
        self.query_one(Field).let_go()

    def on_field_edited(self, event: Field.Edited) -> None:
        event.stop()

    def on_field_pasted(self, event: Field.Pasted) -> None:
        event.stop()

    def on_field_overfull(self, event: Field.Overfull) -> None:
        event.stop()

    def on_field_sent(self, event: Field.Sent) -> None:
        event.stop()
        refused = self._answer(event.field.text.strip())
        if refused is None:
            self.close()
        else:
            self.query_one(Hint).tell(row((refused, Role.BAD)))
            event.field.go_on()

    def on_field_left(self, event: Field.Left) -> None:
        event.stop()
        self.close()
