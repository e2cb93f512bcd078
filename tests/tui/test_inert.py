"""User text is data: nothing that people write acts upon a terminal, or hides on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.inert import MARKS_MAX, inert
from tui.panes.editing import Edit, cells, laid_out
from tui.rows import Part, Role, cell_len, cut, fitted, plain, row, width_of, wrapped

WIDE = "統" * 280


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain words, [@click=app.quit]x[/]", "plain words, [@click=app.quit]x[/]"),
        ("[/nope]", "[/nope]"),
        ("\x1b[31mred\x1b]52;c;aGk=\x07", "\\x1b[31mred\\x1b]52;c;aGk=\\x07"),
        ("\u202eevil\u202c", "\\u202eevil\\u202c"),
        ("a\u200bb\u2066c\ufeff", "a\\u200bb\\u2066c\\ufeff"),
        ("tab\tnew\nline\rback", "tab\\tnew\\nline\\rback"),
        ("\ud800 lone", "\\ud800 lone"),
        ("\ue000 private, \U000e0041 tag, \u0378 unassigned", "\\ue000 private, \\U000e0041 tag, \\u0378 unassigned"),
        ("👨\u200d👩", "👨\\u200d👩"),
        ("no\u00a0break\u3000wide", "no break  wide"),
        ("e\u0301", "e\u0301"),
        ("\u0301first", "\\u0301first"),
        ("\u2764\ufe0f 1\ufe0f\u20e3 \U0001f44d\U0001f3fd", "\u2764\ufe0f 1\ufe0f\u20e3 \U0001f44d\U0001f3fd"),
        ("a\ufe0f !\ufe0f", "a\\ufe0f !\\ufe0f"),
        ("\U0001f1eb\U0001f1f7 \U0001f600", "\U0001f1eb\U0001f1f7 \U0001f600"),
        ("\u3164x", "\\u3164x"),
        ("\u0915\u093f\u0924\u093e\u092c", "\u0915\u093f\u0924\u093e\u092c"),
        (WIDE, WIDE),
    ],
)
def test_what_is_seen(text: str, seen: str) -> None:
    assert inert(text) == seen


def test_marks_do_not_pile_up_into_other_lines() -> None:
    seen = inert("e" + "\u0301" * 50)
    assert seen.count("\u0301") == MARKS_MAX
    assert seen.endswith("\\u0301")


@given(st.text())
def test_inert_text_is_printable_on_one_line_and_stays_so(text: str) -> None:
    seen = inert(text)
    assert seen.isprintable()
    assert "\n" not in seen
    assert inert(seen) == seen


@given(st.text(), st.integers(0, 60))
def test_a_fitted_text_takes_exactly_its_width(text: str, width: int) -> None:
    assert cell_len(fitted(text, width)) == width


@given(st.text(), st.integers(0, 60))
def test_a_cut_text_is_a_head_that_fits(text: str, width: int) -> None:
    seen = inert(text)
    assert seen.startswith(cut(seen, width))
    assert cell_len(cut(seen, width)) <= width


@given(st.lists(st.text(max_size=40), max_size=5), st.integers(8, 60), st.integers(0, 4))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(texts: list[str], width: int, indent: int) -> None:
    parts = row(*texts)
    lines = wrapped(parts, width, indent)
    assert all(sum(width_of(part.text) for part in line) <= width for line in lines)
    assert "".join("".join(map(plain, lines)).split()) == "".join(plain(parts).split())


def test_wrapping_keeps_roles() -> None:
    lines = wrapped(row(("key", Role.KEY), " and words"), 9)
    assert lines == [(Part("key", Role.KEY), Part(" and ")), (Part("words"),)]


@given(st.text(max_size=60), st.integers(2, 40))
def test_the_editor_draws_what_is_typed_as_its_inert_form(text: str, width: int) -> None:
    assert "".join(cells(text)) == inert(text)
    edit = Edit(text, len(text))
    lines, (line, cell) = laid_out(edit, width)
    assert 0 <= line < len(lines)
    assert 0 <= cell <= width
    assert "".join(lines) == inert(text)


def test_the_editor_breaks_lines_between_words() -> None:
    said = "who has the projector? extraordinarily long"
    assert laid_out(Edit(said, 8), 12) == (["who has the ", "projector? ", "extraordinar", "ily long"], (0, 8))
    assert laid_out(Edit(said, 12), 12)[1] == (1, 0)
    assert laid_out(Edit("twelve cells", 12), 12) == (["twelve cells", ""], (1, 0))
    assert laid_out(Edit("twelve cells more", 12), 12) == (["twelve cells", " more"], (1, 0))


@pytest.mark.parametrize(
    ("key", "after"),
    [
        (lambda edit: edit.insert("x"), Edit("x", 1)),
        (Edit.backspace, Edit()),
        (Edit.delete, Edit()),
        (lambda edit: edit.cut_to(0), Edit()),
        (lambda edit: edit.move(-1), Edit("ol", 1)),
        (lambda edit: edit.move(1), Edit("ol", 2)),
        (lambda edit: edit.move(-1).insert("x"), Edit("oxl", 2)),
    ],
)
def test_the_first_key_replaces_an_offered_text_unless_it_moves(key: Callable[[Edit], Edit], after: Edit) -> None:
    assert key(Edit.offered("ol")) == after
    assert Edit.offered("") == Edit()


def test_editing() -> None:
    edit = Edit("one two", 3).insert("\u202e")
    assert edit == Edit("one\u202e two", 4)
    assert edit.backspace() == Edit("one two", 3)
    assert Edit("one two", 7).cut_to(Edit("one two", 7).word_left()) == Edit("one ", 4)
    assert Edit("one two", 0).word_right() == 3
    assert Edit("one two", 3).cut_to_end() == Edit("one", 3)
    assert Edit("ab", 0).backspace() == Edit("ab", 0)
    assert Edit("ab", 0).delete() == Edit("b", 0)
