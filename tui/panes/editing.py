"""One line of text that is being edited: what is typed and pasted goes in as it is, and is shown inert.

Rules that hold here:
- The text is never changed behind the writer's back: what must not be sent is refused when it is sent.
- The cursor stands between code points; what is drawn for one is its inert form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tui.inert import inert
from tui.rows import cell_len


@dataclass(frozen=True, slots=True)
class Edit:
    """`cursor` is an index of `text`, 0 to its length."""

    text: str = ""
    cursor: int = 0

    def insert(self, text: str) -> Edit:
        return Edit(self.text[: self.cursor] + text + self.text[self.cursor :], self.cursor + len(text))

    def move(self, by: int) -> Edit:
        return replace(self, cursor=max(0, min(len(self.text), self.cursor + by)))

    def to(self, cursor: int) -> Edit:
        return replace(self, cursor=max(0, min(len(self.text), cursor)))

    def backspace(self) -> Edit:
        return self.cut_to(self.cursor - 1)

    def delete(self) -> Edit:
        return Edit(self.text[: self.cursor] + self.text[self.cursor + 1 :], self.cursor)

    def cut_to(self, start: int) -> Edit:
        """Without what stands between `start` and the cursor."""
        start = max(0, start)
        return Edit(self.text[:start] + self.text[self.cursor :], start)

    def cut_to_end(self) -> Edit:
        return Edit(self.text[: self.cursor], self.cursor)

    def word_left(self) -> int:
        """Where the word before the cursor begins."""
        head = self.text[: self.cursor].rstrip()
        return len(head) - len(head.split()[-1]) if head else 0

    def word_right(self) -> int:
        """Where the word after the cursor ends."""
        tail = self.text[self.cursor :]
        rest = tail.lstrip()
        word = rest.split(maxsplit=1)[0] if rest else ""
        return self.cursor + len(tail) - len(rest) + len(word)


def cells(text: str) -> Iterator[str]:
    """The inert form of each code point; one that adds no cell (a combining mark) belongs to the one before."""
    before = ""
    for character in text:
        now = inert(before + character)
        shown = now[len(inert(before)) :]
        yield shown
        before = character if shown and cell_len(shown) else before + character


def laid_out(edit: Edit, width: int) -> tuple[list[str], tuple[int, int]]:
    """The lines of the inert text in `width` cells, and the line and cell where the cursor stands."""
    lines = [""]
    used = 0
    at = (0, 0)
    for index, shown in enumerate(cells(edit.text)):
        size = cell_len(shown)
        if used + size > width:
            lines.append("")
            used = 0
        if index == edit.cursor:
            at = (len(lines) - 1, used)
        lines[-1] += shown
        used += size
    if edit.cursor == len(edit.text):
        if used >= width:
            lines.append("")
            used = 0
        at = (len(lines) - 1, used)
    return lines, at
