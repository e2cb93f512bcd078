"""What is being written in one line: the text, the steps that led there, and what was written before it.

Rules that hold here:
- A step back undoes a word that was typed, a run of deletions, or one change of another kind; whatever changes the text
  afterwards forgets the steps forth.
- What was written before can be looked at without losing the draft: it comes back behind the newest of them.
- Who changes such a text makes it the draft; the draft that was there is set aside, as the newest of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tui.panes.editing import Edit

STEPS_MAX: Final = 200
RECALLED_MAX: Final = 100


@dataclass(slots=True)
class _Steps:
    """`back` and `forth` are what the line was, the nearest last; `run` names what the last change was part of."""

    back: list[Edit] = field(default_factory=list)
    forth: list[Edit] = field(default_factory=list)
    run: str = ""


class Writing:
    def __init__(self, edit: Edit, before: Iterable[str] = ()) -> None:
        """`before`: what was written here earlier, the oldest first."""
        self.edit = edit
        self.before = list(before)[-RECALLED_MAX:]
        self._steps = _Steps()
        self._at = len(self.before)
        """Which of `before` is looked at; their number while that is the draft."""
        self._draft: tuple[Edit, _Steps] = edit, self._steps

    @property
    def is_recalled(self) -> bool:
        """Whether this is one of those that were written before, as it was."""
        return self._at < len(self.before)

    @property
    def draft(self) -> str:
        """What is kept when the line is left."""
        return self._draft[0].text if self.is_recalled else self.edit.text

    # Changes.

    def begin(self, edit: Edit) -> None:
        """Another text, which leads back nowhere."""
        self._at = len(self.before)
        self.edit, self._steps = edit, _Steps()

    def change(self, edit: Edit) -> None:
        before, self.edit = self.edit, edit
        if edit.text == before.text:
            self._steps.run = ""
            return
        if self.is_recalled:
            self._set_draft_aside()
        run = _run(before, edit)
        if not run or run != self._steps.run or _begins_word(before, edit):
            self._steps.back.append(before)
            del self._steps.back[:-STEPS_MAX]
        self._steps.run = run
        self._steps.forth.clear()

    def undo(self) -> None:
        self._step(self._steps.back, self._steps.forth)

    def redo(self) -> None:
        self._step(self._steps.forth, self._steps.back)

    def _step(self, taken: list[Edit], left: list[Edit]) -> None:
        if taken:
            left.append(self.edit)
            self.edit = taken.pop()
            self._steps.run = ""

    # What was written before.

    def older(self) -> None:
        self._look_at(self._at - 1)

    def newer(self) -> None:
        self._look_at(self._at + 1)

    def _look_at(self, index: int) -> None:
        if not 0 <= index <= len(self.before) or index == self._at:
            return
        if not self.is_recalled:
            self._draft = self.edit, self._steps
        self._at = index
        if index == len(self.before):
            self.edit, self._steps = self._draft
        else:
            text = self.before[index]
            self.edit, self._steps = Edit(text, len(text)), _Steps()

    def _set_draft_aside(self) -> None:
        draft = self._draft[0].text
        if draft.strip():
            self._remember(draft)
        self._at = len(self.before)

    def put_back(self) -> None:
        """The draft comes back where something else is looked at."""
        self._look_at(len(self.before))

    def sent(self, text: str) -> None:
        """It is written, and the line free for the next: for the draft, where that was not what was sent."""
        draft = self._draft if self.is_recalled else (Edit(), _Steps())
        self._remember(text)
        self._at = len(self.before)
        self.edit, self._steps = draft

    def _remember(self, text: str) -> None:
        if self.before[-1:] != [text]:
            self.before.append(text)
            del self.before[:-RECALLED_MAX]


def _run(before: Edit, after: Edit) -> str:
    """What the change may be one part of many of: characters that are typed or deleted where the last one was."""
    if len(after.text) == len(before.text) + 1 and after.cursor == before.cursor + 1:
        return "typed"
    if len(after.text) == len(before.text) - 1:
        return "deleted" if after.cursor == before.cursor - 1 else "deleted behind"
    return ""


def _begins_word(before: Edit, after: Edit) -> bool:
    """Whether the character that was typed begins a word."""
    typed = after.text[before.cursor : after.cursor]
    return bool(typed.strip()) and before.text[: before.cursor][-1:].isspace()
