"""A row of a diagram is drawn within its lanes, whichever pen draws it."""

from __future__ import annotations

import pytest

from engine.core.explained.spacetime import Arrow, DiagramRow, End, Head, Pen, Point, drawn_lanes, even_lanes

BESIDE = Pen(even_lanes(3, 6, 1), on_lanes=False)
ON = Pen(even_lanes(3, 6, 0), on_lanes=True, up=" ", down=" ", crossing="─")


def drawn(pen: Pen, what: Arrow | Point | None, lives: tuple[bool, ...] = (True, True, True)) -> str:
    return drawn_lanes(DiagramRow(0, lives, what, ""), pen)


@pytest.mark.parametrize(
    ("what", "beside", "on"),
    [
        (None, " │     │     │", "             "),
        (Point(1, "●"), " │     ●     │", "      ●      "),
        (Arrow(0, (Head(2, End.REACHED),)), " ├─────┼────▶│", "●───────────▶"),
        (Arrow(0, (Head(1, End.REACHED), Head(2, End.REFUSED))), " ├────▶┼────▶✗", "●─────▶─────✗"),
        (Arrow(0, (Head(2, End.LOST),)), " ├─────✗     │", "●───────────✗"),
        (Arrow(2, (Head(0, End.REACHED),)), " │◀────┼─────┤", "◀───────────●"),
        (Arrow(2, (Head(1, End.NOBODY),)), " │     ✗◀────┤", "      ✗─────●"),
    ],
)
def test_an_arrow_ends_where_the_message_does(what: Arrow | Point | None, beside: str, on: str) -> None:
    assert drawn(BESIDE, what) == beside
    assert drawn(ON, what) == on


def test_the_lane_of_a_site_that_is_down_is_dotted() -> None:
    assert drawn(BESIDE, None, (True, False, True)) == " │     ┊     │"
