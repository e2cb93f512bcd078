"""A film of screens: each row is drawn once for each look of it, and seen when the screen showed it so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tests.tui.film import Frame, film

DOCS: Final = Path(__file__).parents[2] / "docs"
DRAWN: Final = (DOCS / "screen-80x24.svg").read_text(encoding="utf-8")
WORD: Final = ">alice<"


def test_a_row_that_changes_and_comes_back_is_drawn_twice_and_seen_three_times() -> None:
    assert WORD in DRAWN
    other = DRAWN.replace(WORD, ">aline<", 1)
    made = film([Frame(0.0, DRAWN, "one"), Frame(2.0, other, "two"), Frame(4.0, DRAWN, "two")], 10.0)
    ElementTree.fromstring(made)
    moving = re.findall(r'<g class="(t\d)( last)?">(.*?)</g>', made)
    rows = {name: (bool(last), "aline" in drawn) for name, last, drawn in moving if "caption" not in drawn}
    assert sorted(rows.values()) == [(False, True), (True, False)]
    times = dict(re.findall(r"@keyframes (t\d)\{(.*)\}$", made, re.MULTILINE))
    [changed] = (name for name, (_, is_other) in rows.items() if is_other)
    [usual] = rows.keys() - {changed}
    assert times[changed] == "0%{visibility:hidden}20%{visibility:visible}40%{visibility:hidden}"
    assert times[usual] == (
        "0%{visibility:visible}20%{visibility:hidden}40%{visibility:visible}100%{visibility:hidden}"
    )
    assert made.count(">the harbour") == DRAWN.count(">the&#160;harbour"), "rows that stay are drawn once"


def test_the_film_in_the_docs_is_one_and_fits_a_repository() -> None:
    made = (DOCS / "movie.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(made)
    assert "@keyframes" in made
    assert len(made) < 400_000
