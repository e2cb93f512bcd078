"""A line in which a slot, a search or a fault rule is typed; it lies over the composer while it is open.

Rules that hold here:
- A line that is refused stays, with the reason below it, and is edited further; keys are commands again only when it is
  taken or left.
- What was typed and left is offered again where it is asked for with the same name (`kept_as`), until a line is taken.
- An engine that does not answer stops nobody: after PATIENCE_S the line can be left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui.panes.composer import Hint
from tui.panes.field import Field
from tui.rows import Role, row

PATIENCE_S: Final = 1.0
OFFERED: Final = " · typing replaces what stands here, an arrow key edits it"

Answer = Callable[[str], Awaitable[str | None]]
"""Takes what was typed; returns why it is refused, or None."""


class Prompt(Vertical):
    class LateRefusal(Message):
        """Why a line was refused that had been left before its answer came."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, done: Callable[[], None]) -> None:
        """`done` is called when the prompt no longer needs the focus."""
        super().__init__(id="prompt")
        self._done = done
        self._answer: Answer | None = None
        self._asking = False
        self._begun = ""
        self._kept_as = ""
        self._left: dict[str, str] = {}
        self._field = Field(id="answer")
        self._hint = Hint((), id="prompt-hint")

    def compose(self) -> ComposeResult:
        yield self._field
        yield self._hint

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def ask(self, question: str, hint: str, answer: Answer, begun: str = "", kept_as: str = "") -> None:
        """Opens with what was left here, else with `begun`, to be taken, edited or typed over; Enter hands the line to
        `answer`. `kept_as` names what is left here; empty: it is not kept."""
        self._begun, self._kept_as = begun, kept_as
        begun = self._left.pop(kept_as, begun)
        self._answer = answer
        self._asking = False
        self.border_title = Content(question)
        self._say(f"{hint}{OFFERED if begun else ''}", Role.DIM)
        self._field.offer(begun)
        self.add_class("-open")
        self.screen.set_focus(self._field)

    def close(self) -> None:
        self._answer = None
        self.remove_class("-open")
        self._done()
        self._field.let_go()

    def _say(self, words: str, role: Role) -> None:
        self._hint.tell(row((words, role)))

    def on_field_edited(self, event: Field.Edited) -> None:
        event.stop()

    def on_field_pasted(self, event: Field.Pasted) -> None:
        event.stop()

    def on_field_overfull(self, event: Field.Overfull) -> None:
        event.stop()

    def on_field_sent(self, event: Field.Sent) -> None:
        event.stop()
        if self._answer is None or self._asking:
            event.field.go_on()
        else:
            self.run_worker(self._hand_in(event.field, self._answer), group="answer")

    async def _hand_in(self, field: Field, answer: Answer) -> None:
        """The keys that follow wait meanwhile."""
        sent = field.text
        self._asking = True
        answering = asyncio.ensure_future(answer(sent.strip()))
        try:
            answered, _ = await asyncio.wait({answering}, timeout=PATIENCE_S)
            if not answered:
                self._say("the engine has not answered yet; esc leaves this line", Role.WARN)
                field.go_on()
            refused = await answering
        finally:
            answering.cancel()
        if self._answer is not answer:
            if refused is not None:
                self.post_message(self.LateRefusal(refused))
            return
        self._asking = False
        if refused is not None:
            self._say(refused, Role.BAD)
        elif field.text == sent:
            self.close()
            return
        if answered:
            field.go_on()

    def on_field_left(self, event: Field.Left) -> None:
        event.stop()
        if self._kept_as and (text := event.field.text.strip()) not in {"", self._begun}:
            self._left[self._kept_as] = text
        self.close()
