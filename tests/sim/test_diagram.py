"""The space-time diagram: lanes, arrows, what is lost, and the words beside them."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import pytest

from engine.sim.scenario.diagram import WIDTH
from engine.sim.scenario.parse import parse
from engine.sim.scenario.transcript import Transcript

STORY: Final = """
sites alice bob carol
hold
alice tweets "hello"
deliver prepare to bob
drop prepare to carol
deliver promise
crash carol
deliver accept
run 10 ms
deliver accepted
"""

DRAWN: Final = """
    ms     alice        bob        carol
── hold
── alice tweets "hello"
     0        ●           │           │  preparing #1 1.alice asks for promises of 1.alice, to
              │           │           │  propose its own tweet
── deliver prepare to bob
     1        ├──────────▶│           │  prepare #1 1.alice asks for a promise
── drop prepare to carol
              ├───────────✗           │  ✗ lost: prepare #1 1.alice asks for a promise
── deliver promise
     2        │◀──────────┤           │  promise #1 1.alice promised, nothing accepted before
              ●           │           │  accepting #1 1.alice a majority promised 1.alice and had
              │           │           │  accepted nothing: proposes its own tweet
── crash carol
              │           │           X  end crash
── deliver accept
     3        ├──────────▶│           ┊  accept #1 1.alice asks to accept: alice/1 tweet hello
              ├───────────┼──────────▶✗  ✗ nobody there: accept #1 1.alice asks to accept: alice/1
              │           │           ┊  tweet hello
── run 10 ms
── deliver accepted
    14        │◀──────────┤           ┊  accepted #1 1.alice nothing higher was promised (left at 3
              │           │           ┊  ms)
              ●           │           ┊  chosen #1 1.alice alice and bob accepted it: alice/1 tweet
              │           │           ┊  hello
              ●           │           ┊  created #1 alice/1: learned here, and every slot before it
"""


def _drawn(text: str) -> list[str]:
    transcript = Transcript(parse(text, "some.scenario"))
    assert transcript.as_expected, transcript.verdict
    return transcript.diagram


def test_a_story_is_drawn_message_by_message() -> None:
    assert "\n".join(_drawn(STORY)) == DRAWN.strip("\n")


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_no_row_is_wider_than_a_page(size: int) -> None:
    names = [f"site-{number}-of-many" for number in range(1, size + 1)]
    rows = _drawn(f'sites {" ".join(names)}\n{names[0]} tweets "{"word " * 40}"\nrun until quiet')
    assert max(map(len, rows)) <= WIDTH
    assert all(row == row.rstrip() for row in rows)


def test_time_goes_down_and_is_written_where_it_changes() -> None:
    times = [int(row[:6]) for row in _drawn(STORY) if row[:6].strip().isdigit()]
    assert times
    assert all(earlier < later for earlier, later in pairwise(times))
