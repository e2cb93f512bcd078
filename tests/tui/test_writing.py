"""What is written in a line: steps back and forth, and what was written before."""

from __future__ import annotations

import pytest

from tui.panes.editing import Edit, on_line
from tui.panes.writing import RECALLED_MAX, STEPS_MAX, Writing


def type_in(writing: Writing, text: str) -> None:
    for character in text:
        writing.change(writing.edit.insert(character))


def backwards(writing: Writing) -> list[str]:
    """What each step back shows, up to the beginning."""
    found: list[str] = []
    while True:
        before = writing.edit
        writing.undo()
        if writing.edit == before:
            return found
        found.append(writing.edit.text)


def test_a_step_back_undoes_a_word() -> None:
    writing = Writing(Edit())
    type_in(writing, "lunch at  noon")
    assert backwards(writing) == ["lunch at  ", "lunch ", ""]


def test_a_run_of_deletions_is_one_step_and_so_is_a_paste() -> None:
    writing = Writing(Edit("one two", 7))
    for _ in "two":
        writing.change(writing.edit.backspace())
    writing.change(writing.edit.insert("three four"))
    writing.change(writing.edit.cut_to(writing.edit.word_left()))
    assert writing.edit.text == "one three "
    assert backwards(writing) == ["one three four", "one ", "one two"]


def test_moving_the_cursor_ends_a_run() -> None:
    writing = Writing(Edit())
    type_in(writing, "ab")
    writing.change(writing.edit.move(-1))
    type_in(writing, "c")
    assert backwards(writing) == ["ab", ""]


def test_what_was_undone_is_done_again_until_something_else_is() -> None:
    writing = Writing(Edit())
    type_in(writing, "one two")
    writing.undo()
    writing.undo()
    writing.redo()
    assert writing.edit == Edit("one ", 4)
    writing.redo()
    writing.redo()
    assert writing.edit.text == "one two"
    writing.undo()
    type_in(writing, "x")
    writing.redo()
    assert writing.edit.text == "one x"


def test_steps_are_bounded() -> None:
    writing = Writing(Edit())
    for _ in range(STEPS_MAX + 10):
        writing.change(writing.edit.insert("two "))
    assert len(backwards(writing)) == STEPS_MAX


def test_what_was_written_before_is_looked_at_and_the_draft_comes_back_with_its_steps() -> None:
    writing = Writing(Edit(), ["first", "second"])
    type_in(writing, "my draft")
    writing.older()
    assert writing.edit == Edit("second", 6)
    assert writing.draft == "my draft"
    writing.older()
    writing.older()
    assert writing.edit.text == "first", "the oldest stays"
    writing.newer()
    writing.newer()
    writing.newer()
    assert writing.edit.text == "my draft"
    writing.undo()
    assert writing.edit.text == "my "


def test_leaving_puts_the_draft_back() -> None:
    writing = Writing(Edit("draft", 5), ["sent"])
    writing.older()
    writing.put_back()
    assert (writing.edit.text, writing.is_recalled) == ("draft", False)


def test_what_is_changed_becomes_the_draft_and_the_draft_before_is_the_newest_of_the_others() -> None:
    writing = Writing(Edit("draft", 5), ["sent"])
    writing.older()
    type_in(writing, "!")
    assert (writing.draft, writing.before) == ("sent!", ["sent", "draft"])
    writing.older()
    assert writing.edit.text == "draft"
    writing.newer()
    assert writing.edit.text == "sent!"


def test_what_is_sent_again_as_it_was_leaves_the_draft() -> None:
    writing = Writing(Edit("draft", 5), ["sent"])
    writing.older()
    writing.sent("sent")
    assert (writing.edit.text, writing.before) == ("draft", ["sent"])
    writing.sent("draft")
    assert (writing.edit.text, writing.before) == ("", ["sent", "draft"])
    writing.undo()
    assert writing.edit.text == "", "what is sent is no step back"


def test_no_more_is_kept_than_is_looked_at() -> None:
    writing = Writing(Edit(), map(str, range(RECALLED_MAX + 5)))
    assert writing.before[0] == "5"
    writing.sent("new")
    assert (len(writing.before), writing.before[-1]) == (RECALLED_MAX, "new")


@pytest.mark.parametrize(
    ("cursor", "by", "at"),
    [(2, 1, 8), (8, -1, 2), (2, -1, None), (13, 1, None), (4, 1, 10), (11, -1, 5)],
)
def test_the_cursor_goes_from_line_to_line(cursor: int, by: int, at: int | None) -> None:
    moved = on_line(Edit("seven words fit", cursor), 6, by)
    assert (None if moved is None else moved.cursor) == at
