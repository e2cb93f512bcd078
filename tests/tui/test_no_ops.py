"""No-ops in a row are one row of the log, which opens, and in which every slot can be gone to."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.contract.answers import NoOps
from tests.tui.engine_double import EngineDouble, log_line
from tests.tui.pilots import screen_of
from tui.site.folds import Folds, Stretches

CHANGE = 1_000
FOLDED = "1001-3047 ∅ 2,047 no-ops until the change of slot 1,000 is in effect"
STRETCHES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 8)), max_size=12)


def after_a_change(engine: EngineDouble) -> None:
    """Slots 1001 to 3047."""
    first, last = CHANGE + 1, CHANGE + 2_047
    engine.used_max = last + 3
    engine.no_ops = [{"first": first, "last": last, "change": CHANGE}]
    no_op = {"kind": "noop", "author": None}
    engine.usual = lambda slot: log_line(slot, **(no_op if first <= slot <= last else {}))


@given(STRETCHES)
def test_what_is_learned_of_no_ops_is_joined_in_whatever_order_it_comes(told: list[tuple[int, int]]) -> None:
    stretches, no_ops = Stretches(), set[int]()
    for first, count in told:
        stretches.learn(NoOps(first, first + count - 1, None))
        no_ops |= set(range(first, first + count))
    held = {slot for each in stretches.each for slot in range(each.first, each.last + 1)}
    assert held <= no_ops
    assert all(one.last + 1 < other.first for one, other in zip(stretches.each, stretches.each[1:], strict=False))
    for first, count in told:
        if count >= 3:
            found = stretches.at(first)
            assert found is not None
            assert found.last >= first + count - 1


@given(STRETCHES)
def test_each_slot_has_a_row_and_each_row_its_slots(told: list[tuple[int, int]]) -> None:
    stretches = Stretches()
    for first, count in told:
        stretches.learn(NoOps(first, first + count - 1, None))
    folds = Folds(stretches.each)
    rows = [folds.at(row) for row in range(folds.row_of(80) + 1)]
    slots = [range(at.first, at.last + 1) if isinstance(at, NoOps) else range(at, at + 1) for at in rows]
    assert [slot for each in slots for slot in each] == list(range(1, 81))
    assert all(folds.row_of(slot) == row for row, each in enumerate(slots) for slot in each)


async def test_m3_no_ops_in_a_row_are_one_row_that_opens_and_closes(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        after_a_change(engine)
        async with screen_of(engine) as pilot:
            log = pilot.main.panes["log"]
            await pilot.press("3")
            await pilot.until_shown(FOLDED)
            assert pilot.text().count("no-op") == 1
            await pilot.until_shown(" 1000 ■ chosen")
            await pilot.press("up", "up", "up")
            await pilot.until_shown(f"> {FOLDED}")
            at = pilot.rows(log).index(f"> {FOLDED}")
            await pilot.press("enter")
            await pilot.until_shown("> 1001 ∅ no-op")
            assert pilot.rows(log)[at].startswith("> 1001 "), "what is in view stays where it is"
            await pilot.press("down")
            await pilot.until_shown("> 1002 ∅ no-op")
            await pilot.press("escape")
            await pilot.until_shown(f"> {FOLDED}")


async def test_a_slot_within_is_gone_to_and_what_comes_later_is_followed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        after_a_change(engine)
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown(FOLDED)
            await pilot.press("g", *"2000", "enter")
            await pilot.until_shown("> 2000 ∅ no-op")
            await pilot.press("home")
            await pilot.until_shown(">    1 ■ chosen")
            await pilot.press("g", *"900", "enter")
            await pilot.until_shown(">  900 ■ chosen")
            await pilot.press("end", "escape")
            await pilot.until_shown(FOLDED)
            for _ in range(3):
                engine.append(kind="noop", author=None)
            await pilot.until_shown("> 3051-3053 ∅ 3 no-ops fill gaps")
            engine.append(text="the newest")
            await pilot.until_shown("> 3054 ■ chosen")
            assert len(engine.called("log")) < 20, "what is folded is not read"
