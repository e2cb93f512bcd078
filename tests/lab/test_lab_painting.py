"""What is painted of a frame: the diagram's rows, the acceptors' table, the messages in flight."""

from __future__ import annotations

import pytest

from engine.core.entry import NOOP
from engine.core.ids import SiteId, Slot
from tests.lab.framing import FIVE, acceptor, flight, flown, frame, names_of, said, tweet
from tui.lab import acceptors
from tui.lab.diagram import DiagramRows, Drawn, heads, painted, pen_for, rows_of
from tui.lab.flights import Seeing, flight_row
from tui.lab.frame import Frame
from tui.lab.seen import Concluded, Fate, Happened, Said
from tui.rows import Role, plain, width_of

X = tweet("X")
SEEING = Seeing(5, Slot(1), FIVE)


def shown(rows: list[Drawn], width: int = 84, sites: int = 5) -> list[str]:
    return [plain(painted(each, pen_for(width, sites), clock=True, is_now=False)) for each in rows]


def test_a_message_is_drawn_where_it_ends_and_a_refused_one_ends_in_a_cross() -> None:
    step = frame(
        3,
        flown(Fate.ARRIVES, ("s1", "s3"), said("accept", note="asks to accept: s1/1 tweet X")),
        flown(Fate.LEAVES, ("s3", "s1"), said("refused", note="refused accept 3.s1: promised 4.s5")),
        flown(Fate.LOST, ("s5", "s4"), said("prepare", "4.s5"), at_ms=2),
        flown(Fate.NOBODY_THERE, ("s1", "s2"), said("prepare"), at_ms=20),
        Concluded(20, SiteId("s5"), said("adopting", "4.s5", note="s3 had accepted it at 3.s1")),
        Said(20, "deliver first accept", is_wrong=False),
        down=("s2",),
    )
    assert shown(rows_of(step, FIVE)) == [
        "      1     ├──────┼─────▶✗      │      │  refused: accept #1 3.1 asks to accept: s1/1 tweet X",
        "      2     │      ┊      │      │  ✗───┤  lost: prepare #1 4.5",
        "     20     ├─────▶✗      │      │      │  nobody there: prepare #1 3.1 (left at 0 ms)",
        "     20     │      ┊      │      │      ●  adopting #1 4.5 s3 had accepted it at 3.1",
        "     20     │      ┊      │      │      │  ── deliver first accept",
    ]


def test_a_step_that_only_sends_is_a_row_of_its_sender() -> None:
    sends = [flown(Fate.LEAVES, ("s1", to), said("prepare")) for to in ("s2", "s3", "s4")]
    assert shown(rows_of(frame(1, *sends), FIVE)) == [
        "      1     ●      │      │      │      │  sends prepare #1 3.1 to s2, s3, s4"
    ]


def test_the_end_of_a_process_stands_in_its_lane_and_the_lane_is_dotted_then() -> None:
    seen = (Happened(1, SiteId("s2"), "end", "crash"), Happened(1, None, "cut", "s1 | s2"))
    assert shown(rows_of(frame(1, *seen, down=("s2",)), FIVE)) == [
        "      1     │      X      │      │      │  s2 end crash",
        "      1     │      ┊      │      │      │  cut s1 | s2",
    ]


@pytest.mark.parametrize("sites", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("width", [57, 77, 157])
def test_lanes_leave_room_for_words(sites: int, width: int) -> None:
    names = names_of(sites)
    rows = rows_of(frame(1, Said(1, "words", is_wrong=False), names=names), names)
    head = plain(heads(names, width))
    assert head.split() == ["ms", *names]
    assert width_of(head) <= width
    lanes = shown(rows, width, sites)[0].removesuffix("  ── words")
    assert width - len(lanes) >= 12
    assert [lanes[head.index(name)] == "│" for name in names] == [True] * sites


def test_going_on_adds_rows_and_another_branch_keeps_those_before_the_fork() -> None:
    def step(number: int, words: str) -> Frame:
        return frame(number, Said(number, words, is_wrong=False), Said(number, "again", is_wrong=False))

    first, second, third, other = (step(number, words) for number, words in ((0, "a"), (1, "b"), (2, "c"), (2, "d")))
    rows = DiagramRows(FIVE)
    assert not rows.take([first, second])
    assert [rows.count(position) for position in (-1, 0, 1)] == [0, 2, 4]
    assert not rows.take([first, second, third])
    kept = rows.rows[:4]
    assert rows.take([first, second, other])
    assert rows.rows[:4] == kept
    assert [each.row.note for each in rows.rows[4:]] == ["d", "again"]
    assert rows.take([first])
    assert len(rows.rows) == rows.count(0) == 2


def test_the_table_of_a_slot_names_what_the_paper_names_and_marks_what_is_new() -> None:
    before = frame(1, acceptors={"s1": {1: acceptor("3.s1")}, "s3": {1: acceptor("4.s5", learned=X)}})
    accepted = {"s1": {1: acceptor("3.s1", "3.s1", X)}, "s3": {1: acceptor("4.s5", learned=X)}}
    now = frame(2, acceptors=accepted, down=("s2",))
    head, rows = acceptors.slot_table(now, before, FIVE, Slot(1), 46)
    assert plain(head).split() == ["site", "maxPrepare", "accNum", "accVal", "learned"]
    assert [plain(each).split() for each in rows] == [
        ["s1", "3.1", "3.1", '"X"', "--"],
        ["s2", "down", "--", "--", "--", "--"],
        ["s3", "4.5", "--", "--", '"X"'],
        ["s4", "--", "--", "--", "--"],
        ["s5", "--", "--", "--", "--"],
    ]
    assert [part.text for each in rows for part in each if part.role is Role.HIT] == ["3.1", '"X"']
    assert max(width_of(plain(each)) for each in (head, *rows)) <= 46


def test_the_table_of_the_log_has_a_row_for_each_slot_and_a_cell_for_each_site() -> None:
    known = {
        "s1": {1: acceptor(learned=X), 2: acceptor("1.s1", "1.s1", X)},
        "s2": {2: acceptor("1.s1"), 3: acceptor(learned=NOOP)},
    }
    now = frame(2, acceptors=known, chosen={1: X, 3: NOOP})
    assert plain(acceptors.log_head(FIVE, 70)).split() == ["slot", "chosen", *FIVE]
    assert [(slot, plain(acceptors.log_row(now, FIVE, slot, 70)).split()) for slot in acceptors.slots_of(now)] == [
        (1, ["1", '"X"', "■", '"X"', "·", "·", "·", "·"]),
        (2, ["2", "--", "◧", "1.1", "◇", "1.1", "·", "·", "·"]),
        (3, ["3", "no-op", "·", "■", "no-op", "·", "·", "·"]),
    ]


def test_a_message_in_flight_says_who_what_and_when() -> None:
    held = flight(12, ("s1", "s3"), said("accept", slot=2, note="asks to accept: s1/1 tweet 3.s1"))
    assert plain(flight_row(held, SEEING, 30)) == "#12 s1→s3 held  accept 3.1 #2"
    coming = flight(3, ("s1", "s3"), said("accept"), said("chosen", None, 1), at_ms=7)
    assert plain(flight_row(coming, SEEING, 90)).startswith("#3  s1→s3 +2ms  accept 3.1 +1")
    assert plain(flight_row(held, SEEING, 90)).endswith("asks to accept: s1/1 tweet 3.s1")
