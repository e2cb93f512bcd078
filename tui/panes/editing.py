"""One line of text that is being edited: what is typed and pasted goes in as it is, and is shown inert.

Rules that hold here:
- The text is never changed behind the writer's back: what must not be sent is refused when it is sent.
- The cursor stands between code points; what is drawn for one is its inert form.
- A text that was there before somebody typed is selected: the first key replaces it, unless it moves the cursor.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from tui.inert import inert
from tui.rows import cell_len


@dataclass(frozen=True, slots=True)
class Edit:
    """`cursor` is an index of `text`, 0 to its length; `selected`: all of the text is."""

    text: str = ""
    cursor: int = 0
    selected: bool = False

    @classmethod
    def offered(cls, text: str) -> Edit:
        """A text that is taken with Enter or replaced by typing."""
        return cls(text, len(text), selected=text != "")

    def insert(self, text: str) -> Edit:
        if self.selected:
            return Edit(text, len(text))
        return Edit(self.text[: self.cursor] + text + self.text[self.cursor :], self.cursor + len(text))

    def move(self, by: int) -> Edit:
        return self.to(self.cursor + by)

    def to(self, cursor: int) -> Edit:
        return Edit(self.text, max(0, min(len(self.text), cursor)))

    def backspace(self) -> Edit:
        return Edit() if self.selected else self.cut_to(self.cursor - 1)

    def delete(self) -> Edit:
        if self.selected:
            return Edit()
        return Edit(self.text[: self.cursor] + self.text[self.cursor + 1 :], self.cursor)

    def cut_to(self, start: int) -> Edit:
        """Without what stands between `start` and the cursor."""
        start = max(0, start)
        return Edit(self.text[:start] + self.text[self.cursor :], start)

    def cut_to_end(self) -> Edit:
        return Edit(self.text[: self.cursor], self.cursor)

    def cut_up_to(self, end: int) -> Edit:
        """Without what stands between the cursor and `end`."""
        return Edit(self.text[: self.cursor] + self.text[end:], self.cursor)

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
    if text.isascii() and text.isprintable():
        yield from text
        return
    before = ""
    for character in text:
        now = inert(before + character)
        shown = now[len(inert(before)) :]
        yield shown
        before = character if shown and cell_len(shown) else before + character


@dataclass(frozen=True, slots=True)
class Layout:
    """Text in lines: `begins` has the code point with which each line begins, `shown` the inert form of each code
    point, `sizes` its cells."""

    begins: tuple[int, ...]
    shown: tuple[str, ...]
    sizes: tuple[int, ...]

    def lines(self) -> list[str]:
        return ["".join(self.shown[first:last]) for first, last in pairwise([*self.begins, len(self.shown)])]

    def place(self, cursor: int) -> tuple[int, int]:
        """The line and the cell where a cursor stands."""
        line = bisect_right(self.begins, cursor) - 1
        return line, sum(self.sizes[self.begins[line] : cursor])

    def cursor_at(self, line: int, cell: int) -> int:
        """Where the cursor stands on a line at this cell, or at the line's end."""
        first = self.begins[line]
        end = self.begins[line + 1] - 1 if line + 1 < len(self.begins) else len(self.shown)
        ends = accumulate(self.sizes[first:end])
        return first + sum(at <= cell for at in ends)


def laid_out(edit: Edit, width: int) -> tuple[list[str], tuple[int, int]]:
    """The lines of the inert text in `width` cells, and the line and cell where the cursor stands."""
    layout = layout_of(edit, width)
    return layout.lines(), layout.place(edit.cursor)


def layout_of(edit: Edit, width: int) -> Layout:
    """Lines break between words, and within a word that is longer than a line. No space is left out: one that ends a
    full line begins the next, so that the cursor always stands on what it edits.
    """
    shown = tuple(cells(edit.text))
    sizes = tuple(map(cell_len, shown))
    begins = [0]
    used = 0
    for word in re.finditer(" |[^ ]+", edit.text):
        if used + sum(sizes[word.start() : word.end()]) > width and used:
            begins.append(word.start())
            used = 0
        for index in range(word.start(), word.end()):
            if used + sizes[index] > width:
                begins.append(index)
                used = 0
            used += sizes[index]
    if used >= width and edit.cursor == len(edit.text):
        begins.append(len(shown))
    return Layout(tuple(begins), shown, sizes)


def on_line(edit: Edit, width: int, by: int) -> Edit | None:
    """With the cursor `by` lines further down, at the same cell; None where no such line is."""
    layout = layout_of(edit, width)
    line, cell = layout.place(edit.cursor)
    return edit.to(layout.cursor_at(line + by, cell)) if 0 <= line + by < len(layout.begins) else None
