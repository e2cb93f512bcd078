"""What the screen looks like, as golden text (LOGGOS_REWRITE_GOLDEN=1 rewrites it), at 80x24, 120x30 and 160x48."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.tui.engine_double import (
    EngineDouble,
    at,
    attempt,
    biography,
    entry,
    log_line,
    silent_account,
    site_account,
    trace_line,
)
from tests.tui.pilots import NARROW, SIZES, WIDE, Driven, screen_of
from tui import times
from tui.app import LoggosApp
from tui.hops import Leaving
from tui.panes.sites import SitesPane
from tui.panes.status import short_names
from tui.textual_inside import shown

LONG = "a tweet that is longer than a line of the timeline, so that it is wrapped over two or three lines of it"


def island(engine: EngineDouble) -> None:
    """A log with every kind of slot."""
    engine.used_max = 43
    projector = attempt(43, "adopting", ("alice",), "who has the projector", "carol")
    for line in (
        log_line(36, author="carol", text="standup moved to 10"),
        log_line(37, author="alice", text=LONG),
        log_line(38, "block", "dave", target="erin"),
        log_line(39, "noop", None),
        log_line(40, author="dave", state="accepted", text="back in 5"),
        log_line(41, None, None, state="hole", accNum=None, maxPrepare=None),
        log_line(42, author="bob", text="room 4"),
        log_line(43, author="carol", state="accepted", text="who has the projector", attempt=projector),
    ):
        engine.special[line["slot"]] = line
    engine.blocks = [{"blocker": "dave", "blocked": "erin", "slot": 38}]
    about = {"slot": 43, "ballot": "2.alice"}
    engine.trace = [
        trace_line(100, "out", "bob", "prepare", **about),
        trace_line(100.001, "out", "dave", "prepare", note="DROP (rule 1)", fate="dropped", **about),
        trace_line(100.004, "in", "bob", "promise", **about),
        trace_line(100.011, "in", "carol", "promise", slot=43, ballot="2.alice", note="accepted 1.carol carol/3"),
        trace_line(100.0115, "out", "carol", "accept", note="adopted carol's value", **about),
    ]
    engine.slots[43] = {
        "slot": 43, "state": "accepted", "maxPrepare": "2.alice", "accNum": "1.carol", "void": False, "learned": None,
        "accVal": entry("tweet", "carol", 3, "who has the projector"), "attempt": projector, "trace": engine.trace,
    }  # fmt: skip
    engine.biographies[43] = biography(
        43,
        state="accepted",
        sentence="accepted by alice and carol at 1.carol: no majority is known; dave did not answer: may be chosen",
        sites=[
            site_account("alice", "2.alice", accNum="1.carol"),
            site_account("bob", "2.alice"),
            site_account("carol", "1.carol", accNum="1.carol"),
            silent_account("dave"),
            site_account("erin"),
        ],
        ballots=[
            {"ballot": "1.carol", "promised": ["carol"], "accepted": ["alice", "carol"], "chosen": False,
             "entry": entry("tweet", "carol", 3, "who has the projector")},
            {"ballot": "2.alice", "promised": ["alice", "bob"], "accepted": [], "chosen": False, "entry": None},
        ],
    )  # fmt: skip
    engine.rules = [
        {"number": 1, "text": "to=dave drop=100%", "on": True, "hits": 31, "expires_at": None},
        {"number": 2, "text": "from=* type=promise delay=200ms±50", "on": False, "hits": 0, "expires_at": at(7200)},
        {"number": 3, "text": "type=accept hold", "on": True, "hits": 2, "expires_at": None},
    ]
    engine.held = [{"number": 1, "at": at(100), "dir": "out", "peer": "carol", "type": "accept", "slot": 43}]
    usual = engine.status()["peers"]
    down = {
        "up": False,
        "rtt_ms": None,
        "chosen_through": 31,
        "heard_s": 14.0,
        "address": "127.0.0.1:7004",
        "key": None,
    }
    peers = usual | {"dave": usual["dave"] | down}
    engine.status_changes = {
        "peers": peers,
        "quorum": {"reachable": 4, "needed": 3, "size": 5},
        "counters": engine.status()["counters"] | {"rejected": {"not authentic": 3, "oversize": 1}},
    }


SCENES = {
    "timeline": "1",
    "log": "3",
    "faults": "6",
    "inspector": "3,enter",
    "composer": "c,h,i,!",
    "blocks": "2",
    "trace": "4",
    "sites": "5",
    "zoomed": "3,z",
    "help": "question_mark",
    "choose": "b",
}
MAIN = tuple(SCENES)[:5]
"""Those that are shown at the larger sizes too."""


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, NARROW) for name in SCENES), *((name, size) for size in SIZES[1:] for name in MAIN)],
    ids=str,
)
async def test_golden(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        island(engine)
        async with screen_of(engine, size=size) as pilot:
            await pilot.until_shown("#37")
            for key in SCENES[name].split(","):
                await pilot.press(key)
            if name == "inspector":
                await pilot.until_shown("votes for")
                await pilot.until_shown("no majority is")
            if name == "blocks" or (size == WIDE and name != "inspector"):
                await pilot.until_shown("since #38")
            await pilot.until_golden(f"{name}-{size[0]}x{size[1]}")


async def test_an_empty_site_says_what_will_be_there(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.until_shown("No tweets yet. c writes the first.")
        matches = {"2": "Nobody blocks anybody. b blocks a site", "3": "The log is empty", "4": "No messages yet"}
        for key, words in matches.items():
            await pilot.press(key)
            await pilot.until_shown(words)
        await pilot.press("6")
        await pilot.until_shown("There are no fault rules. a adds a rule")


async def test_what_was_not_read_yet_is_not_said_to_be_empty(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["log"] = lambda _: asyncio.Event().wait()  # never answers
        async with Driven.of(LoggosApp([engine.hop], Leaving.DETACHES)) as pilot:
            await pilot.until(lambda: engine.called("log"), "never asked")
            await pilot.until_shown("reading …")
            assert "No tweets yet" not in pilot.text()


async def test_where_panes_just_fit_beside_each_other_the_sites_keep_their_prefix(tmp_path: Path) -> None:
    sites = tuple(f"a-longer-name-{number}" for number in range(1, 6))
    async with EngineDouble(tmp_path, site=sites[0], sites=sites) as engine:
        engine.used_max = 37
        async with screen_of(engine, size=(150, 30)) as pilot:
            await pilot.until_shown("#37")
            pane = pilot.main.query_one(SitesPane)
            shown = [["prefix"], *[["37"]] * 5]
            await pilot.until(lambda: [row.split()[-1:] for row in pilot.rows(pane)[:6]] == shown, "never shown so")
            assert pilot.rows(pane)[0].split() == ["prefix"]


async def test_a_screen_that_is_too_small_keeps_status_and_outcome(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=(40, 12)) as pilot:
        await pilot.until_shown("too small: 60x16 needed")
        assert "alice" in pilot.lines()[0]
        assert "QUORUM" in pilot.lines()[0]
        pilot.main.remark("an outcome")
        await pilot.until_shown("an outcome")
        await pilot.resize(*NARROW)
        await pilot.until_shown("No tweets yet")
        await pilot.until(lambda: "too small" not in pilot.text(), "still too small")


async def test_no_quorum_is_an_alarm_and_reads_are_marked_local(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.status_changes = {"quorum": {"reachable": 2, "needed": 3, "size": 5}}
        async with screen_of(engine) as pilot:
            await pilot.until_shown("NO QUORUM 2/5 need 3")
            await pilot.until_shown("may lack the newest")
            strip = shown(pilot.app.screen)[0]
            alarm = next(segment for segment in strip if "NO QUORUM" in segment.text)
            assert alarm.style is not None
            assert alarm.style.reverse


async def test_who_does_not_vote_is_told_why(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = {"voting": False, "voting_why": "new store: 1 of 3 sites have recorded it"}
        async with screen_of(engine) as pilot:
            await pilot.until_shown("NOT VOTING")
            await pilot.until_shown("alice does not vote: new store: 1 of 3 sites have recorded it")


def _is_whole(pilot: Driven, badge: str) -> bool:
    bar = pilot.lines()[0]
    return badge in bar and "…" not in bar


async def test_the_bar_fits_at_every_width_and_with_long_names(tmp_path: Path) -> None:
    sites = tuple(f"a-long-site-name{number}"[:15] + str(number) for number in range(1, 10))
    async with EngineDouble(tmp_path, site=sites[0], sites=sites) as engine:
        engine.status_changes = {"faults": 2, "unknown": 3, "recovering": True}
        async with screen_of(engine, size=(60, 24)) as pilot:
            for width in (60, 80, 100, 119, 120, 149, 150, 240):
                await pilot.resize(width, 24)
                fits = partial(_is_whole, pilot, "FAULTS 2")
                await pilot.until(fits, f"cut at {width}")


async def test_nine_sites_have_names_at_80_columns(tmp_path: Path) -> None:
    sites = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan")
    async with EngineDouble(tmp_path, sites=sites) as engine:
        engine.status_changes = {"leadership": "elected", "leader": "grace"}
        async with screen_of(engine) as pilot:
            await pilot.until_shown("al● bo● ca● da● er● fr● gr● he● iv●")
            assert "lead grace" in pilot.lines()[0]


@pytest.mark.parametrize(
    ("sites", "short"),
    [
        (("alice", "alina", "bob"), ["alic", "alin", "bo"]),
        (("site1", "site2", "site30"), ["1", "2", "30"]),
        (("a", "aa", "ab"), ["a", "aa", "ab"]),
        (("alice",), ["e"]),
    ],
)
def test_short_names_tell_sites_apart(sites: tuple[str, ...], short: list[str]) -> None:
    assert short_names(sites) == short


async def test_a_wide_footer_offers_more_keys(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            first, last = " c tweet  enter inspect  / search  space pause  z zoom  b block", "  ? keys  q quit"
            await pilot.until(lambda: pilot.lines()[-1] == first + last, "another footer at 80 columns")
            await pilot.resize(*WIDE)
            more = f"{first}  u unblock  v confirm"
            await pilot.until(lambda: pilot.lines()[-1].startswith(more), "no more at 160 columns")
            assert pilot.lines()[-1].endswith(last)


def _heads(pilot: Driven, title: str) -> bool:
    return title in pilot.lines()[1]


async def test_an_opened_slot_stands_beside_the_pane_that_it_was_opened_from(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        island(engine)
        async with screen_of(engine, size=(150, 40)) as pilot:
            await pilot.until_shown("#37")
            engine.slots[37] = engine.slots[43] | {"slot": 37}
            for key, title in (("3", "3 Log"), ("1", "1 Timeline")):
                await pilot.press(key, *("g", "3", "7", "enter"), "enter")
                await pilot.until_shown("ms  alice")  # its diagram
                await pilot.until(partial(_heads, pilot, title), f"{title} is not beside it")
                assert "Slot 37" in pilot.lines()[1]
                assert "Blocks" not in pilot.text()
                await pilot.press("escape")
                await pilot.until_shown("2 Blocks")


async def test_a_countdown_runs_while_there_are_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(times, "monotonic_s", lambda: now_s)
    async with EngineDouble(tmp_path) as engine:
        island(engine)
        engine.status_changes |= {"fill_in_s": 8.0, "faults": 0}
        engine.rules = []
        async with screen_of(engine, size=(100, 24)) as pilot:
            await pilot.until_shown("fill in 8 s")
            now_s += 1
            await pilot.until_shown("fill in 7 s")
            at_it = attempt(pilot.main.model.holes[0], "asking", ())
            engine.tell({"topic": "status", **engine.status(), "attempts": [at_it]})
            await pilot.until_shown("filling")
            assert "fill in" not in pilot.lines()[0], "it has begun"
            engine.tell({"topic": "status", **engine.status(), "attempts": []})
            await pilot.until_shown("fill in")
            engine.special.clear()
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until(lambda: "fill in" not in pilot.lines()[0], "the countdown goes on")


async def test_no_colour_leaves_glyphs_words_and_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with EngineDouble(tmp_path) as engine:
        island(engine)
        async with screen_of(engine) as pilot:
            await pilot.press("3")
            await pilot.until_shown("◧ accepted")
            console = pilot.app.console
            written = "".join(strip.render(console) for strip in shown(pilot.app.screen))
            for start in ("\x1b[38", "\x1b[48", ";38;", ";48;"):
                assert start not in written


async def test_a_site_that_takes_no_events_yet_says_why_where_they_would_be(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        why = "new store: recorded by 1 other site, 2 needed before it votes; carol was never heard"
        engine.status_changes = {"voting": False, "voting_why": why}
        async with screen_of(engine) as pilot:
            await pilot.until_shown("alice takes no events yet. It does not vote: new store")
            await pilot.until(lambda: pilot.text().count("carol was never") == 2, "not in the bar and in the timeline")


async def test_a_zoom_says_so_and_stays_visible_as_such_when_the_window_grows(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        assert "zoomed" not in pilot.text()
        await pilot.press("z")
        await pilot.until(lambda: pilot.lines()[1].endswith("zoomed · follow ▼"), "the zoom was not told")
        await pilot.resize(*WIDE)
        await pilot.until(lambda: pilot.lines()[1].endswith("zoomed · follow ▼"), "the zoom was not told any more")
        await pilot.press("z")
        await pilot.until(lambda: "zoomed" not in pilot.text() and "2 Blocks" in pilot.text(), "the zoom stayed")


async def test_a_zoom_inside_a_slot_is_the_slots_and_ends_with_it(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        island(engine)
        async with screen_of(engine) as pilot:
            await pilot.until_shown("#37")
            await pilot.press("3", "enter")
            await pilot.until_shown("Slot 43")
            await pilot.press("z")
            await pilot.until(lambda: pilot.lines()[1].endswith("zoomed · z ends it"), "the zoom was not told")
            await pilot.resize(*WIDE)
            await pilot.until(lambda: "Slot 43" in pilot.lines()[2], "the slot has not the whole screen")
            await pilot.press("escape")
            await pilot.until(lambda: "zoomed" not in pilot.text(), "the zoom outlived its slot")
            for title in ("1 Timeline", "3 Log"):
                await pilot.until(partial(_heads, pilot, title), f"{title} is not beside the other")
