"""The inspector: acceptor variables, votes, and the messages about a slot as a space-time diagram."""

from __future__ import annotations

from pathlib import Path

from tests.tui.engine_double import SITES, EngineDouble, attempt, entry, log_line, trace_line
from tests.tui.pilots import screen_of
from tui.panes.diagram import diagram, lane_width, steps
from tui.rows import plain
from tui.site.shapes import TraceLine
from tui.site.shapes import trace_line as shape


def traced(*lines: tuple[float, str, str | None, str, str]) -> list[TraceLine]:
    return [
        shape(trace_line(seconds, direction, peer, kind, slot=43, ballot="2.alice", note=note))
        for seconds, direction, peer, kind, note in lines
    ]


def test_what_leaves_for_several_sites_together_is_one_line() -> None:
    found = steps(
        traced(
            (0, "out", "bob", "prepare", ""),
            (0.001, "out", "carol", "prepare", ""),
            (0.002, "out", "dave", "prepare", "DROP (rule 1)"),
            (0.2, "out", "dave", "prepare", ""),
            (0.201, "in", "bob", "promise", "nothing accepted"),
        )
    )
    assert [(step.dir, step.sites, step.dropped) for step in found] == [
        ("out", ("bob", "carol", "dave"), ("dave",)),
        ("out", ("dave",), ()),
        ("in", ("bob",), ()),
    ]


def test_the_diagram_draws_lanes_arrows_and_what_was_taken() -> None:
    trace = traced(
        (0, "out", "bob", "prepare", ""),
        (0.001, "out", "dave", "prepare", "DROP (rule 1)"),
        (0.004, "in", "bob", "promise", "nothing accepted"),
        (0.02, "self", None, "chosen", "this site counted a majority"),
    )
    assert [plain(line) for line in diagram(trace, "alice", SITES, 78)] == [
        "     ms  alice     bob       carol     dave      erin",
        "    0.0  ●─────────▶───────────────────✗                   prepare 2.alice  DROP (rule 1)",
        "    4.0  ◀─────────●                                       promise 2.alice  nothing accepted",
        "   20.0  ◆                                                 chosen 2.alice  this site counted a majority",
    ]


def test_where_lanes_do_not_fit_there_is_no_diagram() -> None:
    assert lane_width(40, 5) == 0
    assert lane_width(41, 5) == 4
    assert lane_width(78, 5) == 10


async def test_enter_inspects_and_what_happens_there_is_followed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        view = {
            "slot": 3, "state": "accepted", "maxPrepare": "2.alice", "accNum": "1.bob", "void": False, "learned": None,
            "accVal": entry("tweet", "bob", 3, "their words"), "attempt": attempt(3, "adopting", ("alice",)),
            "trace": [],
        }  # fmt: skip
        engine.slots[3] = view
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until_shown("Slot 3 · adopting: proposing another's value, not its own")
            await pilot.until_shown("maxPrepare 2.alice   accNum 1.bob")
            await pilot.until_shown("votes for 2.alice  alice ✓  bob …  carol …  dave -  erin -   1 of 3")
            engine.slots[3] = view | {"attempt": None, "state": "chosen", "learned": view["accVal"]}
            engine.tell({"topic": "log", **log_line(3, text="their words")})
            await pilot.until_shown("learned  bob/3 tweet their words")
            await pilot.press("escape")
            await pilot.until_shown("[3 Log]")


async def test_a_chosen_slot_names_who_accepted_it(tmp_path: Path) -> None:
    """Promises, other ballots and what a fault took are no votes (B3)."""
    trace = [
        trace_line(0.1, "in", "erin", "promise", slot=3, ballot="2.alice"),
        trace_line(0.2, "in", "dave", "accepted", slot=3, ballot="1.alice"),
        trace_line(0.3, "in", "carol", "accepted", slot=3, ballot="2.alice", note="DROP (rule 1)"),
        trace_line(0.4, "in", "bob", "accepted", slot=3, ballot="2.alice"),
        trace_line(0.5, "in", "erin", "accepted", slot=3, ballot="2.alice"),
        trace_line(0.6, "self", None, "chosen", slot=3, ballot="2.alice", note="this site counted a majority"),
    ]
    mine = entry("tweet", "alice", 1, "my words")
    view = {
        "slot": 3, "state": "chosen", "maxPrepare": "2.alice", "accNum": "2.alice", "void": False, "learned": mine,
        "accVal": mine, "attempt": None, "trace": trace,
    }  # fmt: skip
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = view
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until_shown("accepts seen of 2.alice  alice ✓  bob ✓  carol -  dave -  erin ✓   3 of 5")
            engine.slots[3] = view | {"trace": [trace[-1] | {"note": "bob said so"}]}
            engine.tell({"topic": "log", **log_line(3, text="my words")})
            await pilot.until(lambda: "accepts seen" not in pilot.text(), "votes that nobody told this site")
