"""The inspector: acceptor variables, votes, a slot's biography, and its messages as a space-time diagram."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.contract.answers import TraceLine
from engine.contract.shape import read
from tests.tui.engine_double import (
    SITES,
    EngineDouble,
    Json,
    at,
    attempt,
    biography,
    entry,
    log_line,
    silent_account,
    site_account,
    trace_line,
)
from tests.tui.pilots import NARROW, WIDE, screen_of
from tui.panes.diagram import diagram, lane_width, steps
from tui.rows import plain


def traced(*lines: tuple[float, str, str | None, str, str], dropped: int | None = None) -> list[TraceLine]:
    """`dropped`: which of them a rule took."""
    said: list[TraceLine] = []
    for number, (seconds, direction, peer, kind, note) in enumerate(lines):
        line = trace_line(seconds, direction, peer, kind, slot=43, ballot="2.alice", note=note)
        said.append(read(TraceLine, line | {"fate": "dropped" if number == dropped else None}))
    return said


def unlearned(slot: int) -> Json:
    """The inspector's view of a slot in which this site promised, and nothing else happened."""
    return {
        "slot": slot, "state": "promised", "maxPrepare": "2.alice", "accNum": None, "void": False, "learned": None,
        "accVal": None, "attempt": None, "trace": [],
    }  # fmt: skip


def test_what_leaves_for_several_sites_together_is_one_line() -> None:
    found = steps(
        traced(
            (0, "out", "bob", "prepare", ""),
            (0.001, "out", "carol", "prepare", ""),
            (0.002, "out", "dave", "prepare", "DROP (rule 1)"),
            (0.2, "out", "dave", "prepare", ""),
            (0.201, "in", "bob", "promise", "nothing accepted"),
            dropped=2,
        ),
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
        dropped=1,
    )
    assert [plain(line) for line in diagram(trace, "alice", SITES, 90)] == [
        "     ms  alice     bob       carol     dave      erin",
        "    0.0  ●─────────▶───────────────────✗                   prepare 2.alice  DROP (rule 1)",
        "    4.0  ◀─────────●                                       promise 2.alice  nothing accepted",
        "   20.0  ◆                                                 chosen 2.alice  this site counted a majority",
    ]


def test_what_a_rule_took_on_its_way_in_does_not_arrive() -> None:
    trace = traced((0, "in", "bob", "promise", "DROP (rule 1)"), dropped=0)
    assert plain(diagram(trace, "alice", SITES, 90)[1]).startswith("    0.0  ✗─────────●  ")


def test_a_text_that_reads_like_a_drop_is_none() -> None:
    trace = traced((0, "in", "bob", "accept", "bob/3 tweet DROP everything, HOLD my coat (rule 1)"))
    assert plain(diagram(trace, "alice", SITES, 120)[1]).startswith("    0.0  ◀─────────●  ")


def clocks(trace: list[TraceLine]) -> list[str]:
    return [plain(line).split()[0] for line in diagram(trace, "alice", SITES, 78)[1:]]


def elected(slot: int) -> list[TraceLine]:
    """Alice's election, for all slots from `slot` on."""
    lines = (
        (0, "self", None, "standing"), (0.001, "out", "bob", "prepare"), (0.004, "in", "bob", "promise"),
        (0.005, "self", None, "leads"),
    )  # fmt: skip
    return [
        read(TraceLine, trace_line(seconds, direction, peer, kind, slot=slot, ballot="2.alice", ranged=True))
        for seconds, direction, peer, kind in lines
    ]


@pytest.mark.parametrize("first", [2, 43])
def test_the_clock_begins_at_the_slots_own_first_message(first: int) -> None:
    """However old the ballot is with which it was accepted, and whichever slot its range began with."""
    trace = [*elected(first), *traced((180, "out", "bob", "accept", ""), (180.003, "in", "bob", "accepted", ""))]
    assert clocks(trace) == ["earlier", "earlier", "earlier", "earlier", "0.0", "3.0"]


@pytest.mark.parametrize("first", [2, 43])
def test_an_election_that_settles_the_slot_at_once_is_on_its_clock(first: int) -> None:
    trace = [*elected(first), *traced((0.006, "out", "bob", "accept", ""), (0.009, "in", "bob", "accepted", ""))]
    assert clocks(trace) == ["0.0", "1.0", "4.0", "5.0", "6.0", "9.0"]


def test_a_synod_of_the_slot_is_its_own_however_slow_it_is() -> None:
    trace = traced(
        (0, "out", "bob", "prepare", ""), (50, "in", "bob", "promise", ""), (50.1, "out", "bob", "accept", "")
    )
    assert clocks(trace)[0] == "0.0"


def test_where_lanes_do_not_fit_there_is_no_diagram() -> None:
    assert lane_width(40, 5) == 0
    assert lane_width(41, 5) == 4
    assert lane_width(78, 5) == 7
    assert lane_width(90, 5) == 10
    assert lane_width(200, 5) == 10


def test_lanes_stay_where_they_are_however_long_a_slot_takes() -> None:
    trace = traced((0, "out", "bob", "accept", ""), (3_600, "in", "bob", "accepted", ""))
    shown = [plain(line) for line in diagram(trace, "alice", SITES, 90)[1:]]
    assert [line.index(arrow) for line, arrow in zip(shown, "●◀", strict=True)] == [9, 9]
    assert shown[1].split()[:2] == ["3600", "s"]


async def test_when_a_site_learned_a_slot_is_told_whole_in_every_width(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = unlearned(3)
        learned: Json = {"learned": True, "learned_at": at(7), "learned_how": "chosen", "learned_from": "erin"}
        rounds: Json = {"maxPrepare": "1234567.alice", "accNum": "1234567.alice"}
        engine.biographies[3] = biography(3, sites=[site_account(site, **rounds | learned) for site in SITES])
        async with screen_of(engine, size=(60, 24)) as pilot:
            await pilot.press("3", "enter")
            for width in (60, 80, 120, 150, 160):
                await pilot.resize(width, 48)
                await pilot.until(lambda: pilot.text().count("12:00:07.000 by erin") == len(SITES), f"cut at {width}")
                assert pilot.text().count("~12:00:07.000") == len(SITES) - 1  # what the others tell is about then


async def test_an_opened_slot_is_copied_whole(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = unlearned(3)
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until_shown("no message about this slot is remembered")
            await pilot.press("y")
            await pilot.until_shown("copied")
            copied = [line for line in pilot.app.clipboard.splitlines() if line]
            assert copied == [line.strip() for line in pilot.rows(pilot.main.pane) if line.strip()]


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


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_enter_goes_into_the_slot_so_that_zoom_is_of_it_and_back_leads_where_one_was(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = unlearned(3)
        async with screen_of(engine, size=size) as pilot:
            await pilot.until_shown("tweet number 3")
            await pilot.press("3", "enter", "z")
            await pilot.until_shown("━ Slot 3 · promised ━")
            await pilot.until_shown("a ask again")
            await pilot.press("z", "tab")
            await pilot.until(lambda: pilot.main.active == "trace", "the pane after that of the log")
            await pilot.press("3", "enter", "escape")
            await pilot.until(lambda: pilot.main.active == "log", "never back in the log")


async def test_what_the_hole_filler_does_is_said_once(tmp_path: Path) -> None:
    why = "no answer settled it; lets other attempts go first"
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        asking = attempt(3, "asking", ("bob",)) | {"ballot": None, "why": "asks the others whether it is chosen"}
        engine.slots[3] = unlearned(3) | {"attempt": asking}
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until_shown("answers  alice …  bob ✓  carol …  dave -  erin -   1 of 3")
            engine.slots[3] |= {"attempt": attempt(3, "yielding", ()) | {"ballot": None, "why": why}}
            engine.tell({"topic": "log", **log_line(3, None, None, state="promised")})
            await pilot.until_shown(f"yielding: {why}")
            said = " ".join(pilot.text().split())
            assert said.count("lets other attempts") == 1
            assert "0 of 3" not in said, "nobody is asked for anything"


async def test_what_this_site_does_at_a_slot_is_told_alike_by_the_log_and_the_slot(tmp_path: Path) -> None:
    """Whichever of the engine's answers told it last: a page of the log, the slot, or the status."""
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        asking = attempt(3, "asking", ("bob",)) | {"ballot": None}
        yielding = attempt(3, "yielding", ()) | {"ballot": None}
        engine.special[3] = log_line(3, None, None, state="accepted", attempt=asking)
        engine.slots[3] = unlearned(3) | {"state": "accepted", "attempt": yielding}
        async with screen_of(engine, size=WIDE) as pilot:
            log = pilot.main.panes["log"]

            async def is_told(doing: str) -> None:
                await pilot.until(lambda: f" {doing} " in pilot.rows(log)[2], f"the log does not say {doing}")
                await pilot.until_shown(f"━ Slot 3 · {doing} ━")

            await pilot.press("3")
            await pilot.until_shown("[1 of 3 answers] ")
            await pilot.press("enter")
            await is_told("yielding")
            assert "[0 of" not in pilot.text(), "nobody is asked for anything"
            engine.tell({"topic": "status", **engine.status()})
            await is_told("asking")
            engine.special[3] |= {"attempt": yielding}
            engine.tell({"topic": "status", **engine.status()})
            await is_told("yielding")
            engine.tell({"topic": "status", **engine.status(), "attempts": []})
            await is_told("accepted")


async def test_what_the_others_say_stands_beside_what_this_site_has(tmp_path: Path) -> None:
    mine = entry("tweet", "alice", 1, "my words")
    view = {
        "slot": 3, "state": "chosen", "maxPrepare": "2.alice", "accNum": "2.alice", "void": False, "learned": mine,
        "accVal": mine, "attempt": None, "trace": [],
    }  # fmt: skip
    learned = {"accNum": "2.alice", "learned": True, "learned_at": at(7), "learned_how": "chosen"}
    carried = {"ballot": "2.alice", "promised": ["bob"], "accepted": ["alice", "bob", "erin"], "chosen": True}
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.slots[3] = view
        engine.biographies[3] = biography(
            3,
            state="learned",
            sentence="learned here: alice, bob and erin accepted it at 2.alice, 3 of 5",
            quorum={"ballot": "2.alice", "sites": ["alice", "bob", "erin"], "counted_by": "alice"},
            sites=[
                site_account("alice", "2.alice", **learned | {"learned_how": "votes", "learned_from": "alice"}),
                site_account("bob", "2.alice", **learned | {"learned_from": "alice"}),
                site_account("carol", "3.carol", learned=True),
                silent_account("dave"),
                site_account("erin", "2.alice", voting=False),
            ],
            ballots=[carried | {"entry": mine}],
        )
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until_shown("learned here: alice, bob and erin accepted it at 2.alice, 3 of 5")
            row = ["alice", "2.alice", "2.alice"]
            await pilot.until(lambda: row in [line.split()[:3] for line in pilot.lines()], "no row of alice")
            for words in ("by alice", "yes, time unknown", "did not answer", "not yet; does not vote"):
                await pilot.until_shown(words)
            said = " ".join(pilot.text().split())
            assert "ballot 2.alice known promises: bob accepted: alice bob erin alice/1 tweet chosen" in said
            assert "quorum of 2.alice alice ✓ bob ✓ carol - dave - erin ✓ 3 of 5, counted by alice" in said
            assert engine.called("explain") == [{"slot": 3}]
            engine.tell({"topic": "log", **log_line(3, text="my words")})
            await pilot.until_shown("the slot has changed since: a asks all sites again")
            engine.biographies[3] |= {"sentence": "learned here: asked again"}
            await pilot.press("a")
            await pilot.until_shown("learned here: asked again")
            await pilot.until(lambda: "changed since" not in pilot.text(), "what was just told is not outdated")
            assert len(engine.called("explain")) == 2
            await pilot.until_shown("asked again: 4 of 5 sites answered; what they know has changed")
            await pilot.press("a")
            await pilot.until_shown("asked again: 4 of 5 sites answered; nothing is new")
            await pilot.press("escape")
            await pilot.until(lambda: "asked again" not in pilot.lines()[-3], "it is told of a slot that is not shown")


async def test_the_keys_that_scroll_a_slot_are_named_where_it_is_longer_than_its_pane(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        said = [trace_line(number, "in", "bob", f"type-{number}", slot=3) for number in range(40)]
        engine.slots[3] = unlearned(3) | {"trace": said}
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until(lambda: "↑ ↓ scroll" in pilot.lines()[-1], "never named")
            assert "type-39" not in pilot.text()
            for _ in range(60):
                await pilot.press("down")
            await pilot.until_shown("type-39")
            engine.slots[3] |= {"trace": []}
            engine.tell({"topic": "log", **log_line(3)})
            await pilot.until(lambda: "scroll" not in pilot.lines()[-1], "named where there is nothing to scroll to")


async def test_the_slot_is_shown_while_the_others_are_asked(tmp_path: Path) -> None:
    """Dead sites are waited for a while: what this site has does not wait."""
    answer = asyncio.Event()

    async def explain(params: Json) -> Json:
        await answer.wait()
        return biography(params["slot"])

    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.on["explain"] = explain
        engine.slots[3] = unlearned(3)
        async with screen_of(engine) as pilot:
            await pilot.press("3", "enter")
            await pilot.until_shown("maxPrepare 2.alice   accNum --")
            await pilot.until_shown("the other sites are asked …")
            answer.set()
            await pilot.until_shown("empty: nobody answered: may be chosen")
            await pilot.until_shown("a ask again")
