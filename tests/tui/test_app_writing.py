"""Composing, its draft, and the outcome line: true sentences (E2), and nothing typed is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.color import Color

from engine.core.entry import Tweet
from tests.tui.engine_double import (
    EngineDouble,
    ErrorAnswer,
    Json,
    at,
    attempt,
    biography,
    entry,
    filled,
    log_line,
    outcome,
    trace_line,
)
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of
from tui.bursts import in_burst
from tui.panes.composer import Composer
from tui.panes.field import TEXT_MAX as FIELD_MAX
from tui.panes.field import Field
from tui.panes.inspector import InspectorPane
from tui.panes.prompt import Prompt
from tui.rows import plain
from tui.screens.dialogs import Confirmation

CREATED = outcome("created", slot=1)
LOST = outcome("lost", slot=1, to=entry("tweet", "bob", 1, "tweet number 1"))
NOT_CREATED = outcome("not-created", reason="no quorum: 2 of 5 reachable, 3 needed")
UNKNOWN = outcome("unknown", slot=1, reason="the accept reached bob, no majority answered")


async def test_a_tweet_is_created_and_says_where(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        engine.on["submit"] = lambda _: _answered(answer)
        async with screen_of(engine) as pilot:
            quorum = {"ballot": "2.bob", "sites": ["alice", "bob", "carol"], "counted_by": "bob"}
            engine.biographies[1] = biography(1, state="learned", quorum=quorum)
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            assert [(call["kind"], call["text"]) for call in engine.called("submit")] == [("tweet", "hello")]
            await pilot.until_shown("sent, waiting for its turn")
            engine.tell(
                {
                    "topic": "log",
                    **log_line(1, None, None, state="promised", attempt=attempt(1, "preparing", ("alice",), "hello")),
                }
            )
            await pilot.until_shown("#1 preparing: 1 of 3 promises, waiting for bob carol")
            votes = attempt(1, "accepting", ("alice", "bob", "carol"), "hello")
            engine.tell({"topic": "log", **log_line(1, author="alice", state="accepted", text="hello", attempt=votes)})
            await pilot.until_shown("#1 accepting: 3 of 3 votes")
            engine.append(author="alice", text="hello")
            answer.set_result(CREATED)
            await pilot.until_shown("✓ created at slot 1 (ballot 2.bob, votes alice bob carol")
            await pilot.until_shown("alice* hello")
            await pilot.press("x")
            await pilot.until(lambda: "created at slot" not in pilot.text(), "never dismissed")


def handed(ballot: str, when: datetime | None = None) -> Json:
    """This site hands its events to a leader now, unless it was at another time."""
    at = (when or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"topic": "trace", **trace_line(0, "self", None, "hand-on", ballot=ballot), "at": at}


async def test_an_event_of_a_follower_is_handed_to_the_leader_which_knows_the_votes(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        engine.on["submit"] = lambda _: _answered(answer)
        engine.status_changes = {"leadership": "elected", "leader": "bob"}
        async with screen_of(engine) as pilot:
            engine.tell(handed("2.bob", datetime.now(UTC) - timedelta(seconds=1)))
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("sent; bob leads")
            engine.tell(handed("2.bob"))
            await pilot.until_shown("handed to bob, who leads")
            answer.set_result(CREATED | {"took_ms": 9})
            await pilot.until_shown("✓ created at slot 1 (9 ms): “hello”")
            await pilot.until(lambda: engine.called("explain") == [{"slot": 1}], "who chose it was never asked")
            assert "votes" not in pilot.text(), "nobody told who voted"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_an_event_that_was_handed_on_is_not_told_to_be_kept_here(tmp_path: Path, size: tuple[int, int]) -> None:
    """The status that tells of the leader comes later than the word that the event was handed to it; and it says that
    none is heard while the event is with the one that was."""

    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: _answered(asyncio.get_running_loop().create_future())
        engine.status_changes = {"leadership": "elected", "leader": None}
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("no leader is heard to hand it to")
            engine.tell(handed("2.bob"))
            await pilot.until_shown("handed to bob")
            assert "no leader is heard to" not in pilot.text()
            engine.status_changes["leader"] = "bob"
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until_shown("handed to bob, who leads")
            engine.status_changes["leader"] = None
            engine.tell({"topic": "status", **engine.status()})
            told = "handed to bob, who is no longer heard as leader; the next leader gets it too"
            await pilot.until(lambda: told in " ".join(pilot.text().split()), "never told")
            engine.status_changes["leader"] = "carol"
            engine.tell({"topic": "status", **engine.status()}, handed("3.carol"))
            await pilot.until_shown("handed to carol, who leads")


async def test_an_event_of_a_site_that_does_not_vote_is_kept_there(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: _answered(asyncio.get_running_loop().create_future())
        engine.status_changes = {"leadership": "elected", "leader": "bob", "voting": False}
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("waits until alice votes, at most 10 s")


async def test_keys_that_follow_an_outcome_say_so_without_one(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.until_shown("No tweets yet")
        said = {
            "r": "there is nothing to send again",
            "e": "there is nothing to edit",
            "w": "there is nothing to wait for",
        }
        for key, words in said.items():
            await pilot.press(key)
            await pilot.until_shown(words)


@pytest.mark.parametrize(
    ("told", "words", "offers"),
    [
        (
            LOST,
            "✗ lost: slot 1 went to bob's tweet “tweet number 1”. Yours is not in the log: “hello”",
            "r retry · e edit",
        ),
        (
            NOT_CREATED,
            "✗ not created: no quorum: 2 of 5 reachable, 3 needed. It is not in the log: “hello”",
            "r retry · e edit",
        ),
        (
            UNKNOWN,
            "It may still be chosen: sending it again now could post it twice. “hello”",
            "f settle slot 1 · w wait",
        ),
    ],
    ids=["lost", "not-created", "unknown"],
)
async def test_bad_outcomes_are_told_in_true_sentences(tmp_path: Path, told: Json, words: str, offers: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.on["submit"] = lambda _: told
        async with screen_of(engine, size=(120, 24)) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown(offers)
            await pilot.until(lambda: words in " ".join(pilot.text().split()), f"never said: {words}")
            said = pilot.text()
            assert "fail" not in said
            assert "created at" not in said


async def test_what_is_lost_is_sent_again_or_edited(tmp_path: Path) -> None:
    answers = iter([NOT_CREATED, NOT_CREATED, CREATED])
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: next(answers)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("r retry")
            await pilot.press("r")
            await pilot.until(lambda: len(engine.called("submit")) == 2, "never sent again")
            await pilot.until_shown("r retry")
            await pilot.press("e")
            await pilot.until(lambda: pilot.main.query_one(Composer).field.text == "hello", "never edited")
            await pilot.press(*"!", "enter")
            await pilot.until_shown("created at slot 1")
            assert [call["text"] for call in engine.called("submit")] == ["hello", "hello", "hello!"]


async def test_an_unknown_outcome_is_settled_and_told_when_it_is_known(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.on["submit"] = lambda _: UNKNOWN
        engine.on["fill"] = lambda _: filled(1, "recovered", "tweet")
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("f settle slot 1")
            await pilot.press("r")
            await pilot.until_shown("there is nothing to send again")
            await pilot.press("x", "f")
            await pilot.until_shown("f again starts this. Slot 1")
            await pilot.press("f")
            await pilot.until(lambda: engine.called("fill"), "never filled")
            assert engine.called("fill")[0]["slots"] == [1]
            await pilot.until_shown("slot 1 recovered: an entry accepted there was completed")
            engine.tell({"topic": "outcome", **CREATED})
            await pilot.until_shown("alice/1, unknown until now, is created at slot 1: “hello”")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_is_chosen_above_a_gap_is_not_called_withdrawn_or_unknown(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    why = "chosen at slot 76; takes effect once slot 75 is settled"
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 76
        engine.on["submit"] = lambda _: UNKNOWN | {"slot": 76, "waits_for": 75, "reason": why}
        engine.on["fill"] = lambda _: filled(75, "no-op")
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("c", *"hello", "enter")
            told = f"? not in effect yet: {why}. Sending it again would post it twice. “hello”"
            await pilot.until(lambda: told in " ".join(pilot.text().split()), "never told")
            assert "unknown" not in pilot.text()
            await pilot.until_shown("f settle slot 75")
            await pilot.press("f")
            await pilot.until_shown("f again starts this. Slot 75")
            await pilot.press("f")
            await pilot.until(lambda: engine.called("fill"), "never filled")
            assert engine.called("fill")[0]["slots"] == [75]


async def test_the_time_that_is_told_is_the_engines_own(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        engine.on["submit"] = lambda _: _answered(answer)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            waited = re.compile(r"waiting for its turn · (?!0\.0 s)[0-9.]+ s")
            await pilot.until(
                lambda: waited.search(pilot.text()), "this screen never waited longer than the engine says"
            )
            answer.set_result(CREATED | {"took_ms": 9})
            await pilot.until_shown("created at slot 1 (9 ms): “hello”")


async def test_a_fill_that_settles_nothing_says_what_keeps_the_slot(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.on["submit"] = lambda _: UNKNOWN
        why = "slot 1: bob leads and has not settled it yet"
        engine.on["fill"] = lambda _: filled(1, "no-quorum", why=why)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("f settle slot 1")
            await pilot.press("f")
            await pilot.until_shown("f again starts this. Slot 1")
            await pilot.press("f")
            await pilot.until_shown("slot 1 not settled yet. The engine keeps trying: slot 1: bob leads")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_the_sites_own_fault_rule_does_is_the_reason_on_every_screen(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    keeps = "bob and carol have it; fault rule 1 drops their answers"
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 1
        engine.special[1] = log_line(1, None, None, state="hole")
        engine.status_changes = {"holes": [1], "hindered": f"slot 1: {keeps}", "faults": 1}
        engine.slots[1] = {
            "slot": 1, "state": "hole", "maxPrepare": None, "accNum": None, "accVal": None, "learned": None,
            "void": False, "attempt": attempt(1, "asking", ()), "hindered": keeps, "trace": [],
        }  # fmt: skip
        why = f"slot 1: {keeps}; 3 of 3 reachable, 2 needed"
        engine.on["fill"] = lambda _: filled(1, "fault-rule", why=why)
        async with screen_of(engine, size=size) as pilot:
            await pilot.until(lambda: f"slot 1: {keeps}" in pilot.lines()[1], "never below the bar")
            await pilot.press("3", "enter")
            pane = pilot.main.query_one(InspectorPane)
            in_pane = f"learned not yet {keeps} votes for"
            await pilot.until(lambda: in_pane in " ".join(" ".join(pilot.rows(pane)).split()), "never in the slot pane")
            await pilot.press("f")
            await pilot.until_shown("f again starts this. Slot 1")
            await pilot.press("f")
            told = f"? slot 1 not settled yet. The engine keeps trying: slot 1: {keeps};"
            await pilot.until(lambda: told in " ".join(pilot.text().split()), "never told of the fill")
            assert "Fault rules are in pane 6: del removes one, x all" in " ".join(pilot.text().split())


async def test_what_the_sites_own_fault_rule_does_is_told_first_of_an_event_under_way(tmp_path: Path) -> None:
    keeps = "fault rule 1 drops the heartbeats to bob and carol"
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = {"leadership": "elected", "hindered": keeps, "faults": 1}
        engine.on["submit"] = lambda _: asyncio.Event().wait()
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown(f"… {keeps}; no leader is heard to hand it to")
            engine.status_changes |= {"attempts": [attempt(1, "preparing", ())]}
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until_shown(f"… {keeps}; #1 preparing")


async def test_bad_news_waits_beneath_good_news(tmp_path: Path) -> None:
    answers = iter([NOT_CREATED, CREATED])
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: next(answers)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("not created")
            await pilot.press("c", *"two", "enter")
            await pilot.until_shown("created at slot 1")
            await pilot.until_shown("1 more below")
            await pilot.press("escape")
            await pilot.until_shown("not created")
            await pilot.press("o")
            await pilot.until_shown("Outcomes")
            await pilot.until(lambda: sum("created" in line for line in pilot.lines()) >= 2, "not both")


async def test_a_notice_goes_when_what_it_says_is_over(tmp_path: Path) -> None:
    answers = iter([{**NOT_CREATED, "id": "alice/7"}, UNKNOWN, {**CREATED, "id": "alice/8", "slot": 3}])
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.special[2] = log_line(2, None, None, state="hole", accNum=None, maxPrepare=None)
        engine.on["submit"] = lambda _: next(answers)
        why = "slot 2: bob leads and has not settled it yet"
        engine.on["fill"] = lambda _: filled(2, "no-quorum", why=why)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("not created")
            await pilot.press("c", *"two", "enter")
            await pilot.until_shown("unknown")
            await pilot.press("F")
            await pilot.until_shown("F again starts this. Slot 2: ask the others")
            await pilot.press("F")
            await pilot.until_shown("slot 2 not settled yet")
            await pilot.until_shown("2 more below")
            del engine.special[2]
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until_shown("1 more below")
            assert "slot 2 not settled yet" not in pilot.text()
            engine.tell({"topic": "outcome", **CREATED})
            await pilot.until_shown("is created at slot 1: “two”")
            await pilot.until_shown("1 more below")
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("created at slot 3")
            await pilot.until(lambda: "more below" not in pilot.text(), "the older word on it still waits")
            await pilot.press("o")
            await pilot.until_shown("Outcomes")
            for words in ("not created", "unknown", "slot 2 not settled yet", "is created at slot 1: “two”"):
                assert words in pilot.text()


async def test_two_events_of_the_same_words_are_two(tmp_path: Path) -> None:
    answers = iter([UNKNOWN, {**CREATED, "id": "alice/2", "slot": 2}])
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: next(answers)
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("unknown")
            await pilot.press("c", *"one", "enter")
            await pilot.until_shown("created at slot 2")
            await pilot.until_shown("1 more below")


async def test_a_complaint_goes_when_its_reader_goes_on(tmp_path: Path) -> None:
    def refuse(_: Json) -> Json:
        raise ErrorAnswer(1, "that cannot be switched")

    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: CREATED
        engine.rules = [{"number": 1, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None}]
        engine.on["faults.clear"] = refuse
        engine.rules = [{"number": 1, "text": "to=bob drop", "on": True, "hits": 0, "expires_at": None}]
        async with screen_of(engine) as pilot:
            for goes_on in (("d",), ("c", *"one", "enter")):
                await pilot.press("6", "x")
                await pilot.until_shown("✗ that cannot be switched")
                await pilot.press(*goes_on)
                await pilot.until(lambda: "that cannot be switched" not in pilot.text(), "it still stands")
                await pilot.pause()
                assert "more below" not in pilot.text()


async def test_what_the_rules_refuse_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c")
        field = pilot.main.query_one(Composer).field
        field.post_message(events.Paste("two\nlines\n"))
        await pilot.until_shown("two\\nlines")
        await pilot.until_shown("the paste has several lines")
        await pilot.press("enter")
        await pilot.until_shown("not sent: character 4 is U+000A")
        assert field.text == "two\nlines"
        await pilot.press("home", "right", "right", "right", "delete", *" ", "enter")
        await pilot.until(lambda: engine.called("submit"), "never submitted")
        assert engine.called("submit")[0]["text"] == "two lines"


async def test_an_event_that_the_engine_refuses_can_be_edited(tmp_path: Path) -> None:
    def refuse(_: Json) -> Json:
        raise ErrorAnswer(1, "blocking yourself is refused: name another site")

    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = refuse
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"x", "enter")
            await pilot.until_shown("✗ refused: blocking yourself is refused: name another site")
            await pilot.until_shown("e edit")


async def test_a_long_draft_takes_one_line_while_the_composer_is_closed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c")
        pilot.paste("漢" * 280)
        await pilot.press("escape")
        await pilot.until_shown("c goes on with the draft: 漢")
        await pilot.until(lambda: sum("漢" in line for line in pilot.lines()) == 1, "more lines than one")
        await pilot.until(lambda: pilot.lines()[-2].endswith("…"), "never cut")


async def test_the_draft_survives_escape_a_lost_quorum_and_leaving(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"half a th", "escape")
            await pilot.until_shown("c goes on with the draft: half a th")
            engine.status_changes = {"quorum": {"reachable": 2, "needed": 3, "size": 5}}
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until_shown("NO QUORUM")
            await pilot.press("c", *"ought")
            pilot.app.action_detach()
        assert (engine.folder / "draft").read_text() == "half a thought"
        async with screen_of(engine) as pilot:
            await pilot.until_shown("c goes on with the draft: half a thought")
            await pilot.press("c", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
        assert not (engine.folder / "draft").exists()


async def test_what_was_sent_comes_back_with_up_in_the_next_session_too(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            field = pilot.main.composer.field
            for text in ("one", "two"):
                await pilot.press("c", *text, "enter")
            await pilot.press("c", *"draft", "up", "up", "escape")
            await pilot.until_shown("c goes on with the draft: draft")
            assert field.text == "draft"
        async with screen_of(engine) as pilot:
            field = pilot.main.composer.field
            await pilot.press("c", "up", "up")
            assert field.text == "one"
            await pilot.press("enter")
            await pilot.until(lambda: len(engine.called("submit")) == 3, "never sent again")
            assert engine.called("submit")[-1]["text"] == "one"
            await pilot.until_shown("c goes on with the draft: draft")
            await pilot.press("c", "up", "up", "down", "down")
            assert field.text == "draft"


async def test_ctrl_z_undoes_while_something_is_typed_and_suspends_elsewhere(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        field = pilot.main.composer.field
        await pilot.press("c", *"lunch at noon", "ctrl+z", "ctrl+z")
        assert field.text == "lunch "
        await pilot.press("ctrl+y")
        assert field.text == "lunch at "
        await pilot.press("ctrl+left", "ctrl+left", "ctrl+delete")
        assert field.text == " at "
        assert not pilot.app.check_action("suspend_process", ())
        await pilot.press("escape")
        assert pilot.app.check_action("suspend_process", ())


async def test_the_count_warns_before_the_tweet_is_full(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c")
        composer = pilot.main.composer
        colours: list[Color] = []
        for count, said in ((259, "259/280 ─"), (260, "260/280, 20 left ─"), (281, "281/280, 1 too many ─")):
            await pilot.press("ctrl+u")
            pilot.paste("x" * count)
            await pilot.until_shown(f"tweet as alice · {said}")
            await pilot.until(lambda: composer.styles.border_title_color not in colours, "no other colour")
            colours.append(composer.styles.border_title_color)


async def test_letters_are_text_while_something_is_typed(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c", *"qdhz6 /?")
        await pilot.until(lambda: pilot.main.query_one(Composer).field.text == "qdhz6 /?", "never typed")
        await pilot.press("escape", "g", *"q12x")
        await pilot.until(lambda: pilot.main.query_one(Prompt).is_open, "never asked where to")
        assert pilot.main.active == "timeline"


async def test_keys_that_come_in_one_burst_keep_their_order(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            for key in ("c", *"one", "enter", "c", *"two", "enter", "3", "6", "a", *"to=x", "escape", "2"):
                character = key if len(key) == 1 else None
                pilot.app.post_message(events.Key(key, character))
            await pilot.until(lambda: len(engine.called("submit")) == 2, "never submitted")
            assert sorted(call["text"] for call in engine.called("submit")) == ["one", "two"]
            await pilot.until(lambda: pilot.main.active == "blocks", "never at blocks")
            assert not engine.called("faults.add")


@pytest.mark.parametrize("keys", ["b11", "b22", "???", "b\t111"])
async def test_a_dialog_ends_once_whatever_comes_in_one_burst(tmp_path: Path, keys: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            await pilot.until_shown("No tweets yet")
            await pilot.press(keys[0])
            await pilot.until(lambda: pilot.app.screen is not pilot.main, "no dialog")
            for key in keys[1:]:
                pilot.app.post_message(events.Key({"\t": "tab", "?": "question_mark"}.get(key, key), key))
            if keys[0] == "b":
                await pilot.until(lambda: isinstance(pilot.app.screen, Confirmation), "never asked whether")
                await pilot.press("y")
            await pilot.until(lambda: pilot.app.screen is pilot.main, "never back")
            submitted = 1 if keys[0] == "b" else 0
            await pilot.until(lambda: len(engine.called("submit")) >= submitted, "never submitted")
            await pilot.pause()
            assert pilot.app.screen is pilot.main
            assert len(engine.called("submit")) == submitted


async def _come_together(pilot: Driven, burst: int, keys: str) -> None:
    """As the terminal's driver reads them at once."""
    for character in keys:
        key = {"\n": "enter", " ": "space", "\x1b": "escape"}.get(character, character)
        pilot.app.post_message(in_burst(events.Key(key, None if character == "\n" else character), burst))
    await pilot.pause()


async def test_a_paste_that_the_terminal_does_not_mark_runs_no_commands_and_is_not_lost(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            await pilot.press("c")
            await _come_together(pilot, 1, "first line\nbob 1y said\nq")
            await pilot.until_shown("c goes on with the draft: bob 1y said\\nq")
            await pilot.until(lambda: engine.called("submit"), "never sent")
            assert [call["text"] for call in engine.called("submit")] == ["first line"]
            assert pilot.app.screen is pilot.main
            assert pilot.main.active == "timeline"
            await _come_together(pilot, 2, "3")
            await pilot.until(lambda: pilot.main.active == "log", "a later key is no command")


async def test_the_rest_of_a_paste_stays_with_a_line_that_was_refused(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c")
        await _come_together(pilot, 1, "x" * 281 + "\nbob said")
        await pilot.until(lambda: pilot.main.query_one(Composer).field.text == "x" * 281 + "\nbob said", "never kept")
        assert pilot.main.query_one(Composer).is_open
        assert not engine.called("submit")


@pytest.mark.parametrize("prompt", ["/", "g"])
async def test_what_comes_together_with_the_enter_of_a_prompt_is_no_command(tmp_path: Path, prompt: str) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press(prompt)
        await _come_together(pilot, 1, "1\nbob 1y")
        await pilot.until(lambda: pilot.main.query_one(Composer).field.text == "bob 1y", "never kept")
        assert pilot.app.screen is pilot.main


async def test_what_is_typed_blindly_blocks_nobody(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.until_shown("No tweets yet")
        await _come_together(pilot, 1, "b1y1y")
        await pilot.until(lambda: pilot.app.screen is not pilot.main, "no dialog")
        await _come_together(pilot, 2, "\n")
        await _come_together(pilot, 3, "\n")
        await pilot.until(lambda: pilot.app.screen is pilot.main, "never back")
        assert not engine.called("submit")


async def test_a_plan_is_started_by_a_key_of_another_burst_while_it_stands_there(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        engine.special[2] = log_line(2, None, None, state="hole", accNum=None, maxPrepare=None)
        engine.on["fill"] = lambda _: filled(2, "no-op", "noop")
        async with screen_of(engine) as pilot:
            await pilot.press("H")
            await pilot.until_shown("> 2 ? hole")
            await _come_together(pilot, 1, "ff")
            await pilot.until_shown("f again starts this. Slot 2: ask the others")
            await _come_together(pilot, 1, "f")
            await pilot.press("escape")
            await pilot.until(lambda: "again starts" not in pilot.text(), "never left")
            await _come_together(pilot, 2, "f")
            await pilot.until_shown("f again starts this. Slot 2: ask the others")
            assert not engine.called("fill")
            await _come_together(pilot, 3, "f")
            await pilot.until_shown("slot 2 filled with a no-op")
            await pilot.press("f")
            await pilot.until_shown("f again starts this. Slot 2: ask the others")
            del engine.special[2]
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until(lambda: "again starts" not in pilot.text(), "offered when it is over")
            assert len(engine.called("fill")) == 1


async def test_a_paste_of_five_megabytes_is_cut_and_the_draft_is_kept(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c", *"begun ")
        pilot.paste("wörd " * 1_000_000)
        await pilot.until_shown("the paste is too long")
        text = pilot.main.query_one(Composer).field.text
        assert text.startswith("begun wörd wörd")
        assert len(text) == FIELD_MAX


@pytest.mark.parametrize(("size", "lines"), [((60, 16), 4), ((80, 24), 5), ((160, 48), 5)])
async def test_a_long_text_scrolls_in_a_few_lines(tmp_path: Path, size: tuple[int, int], lines: int) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine, size=size) as pilot:
        await pilot.press("c")
        pilot.paste("some words " * 500)
        await pilot.until_shown("the paste is too long")
        await pilot.until(lambda: sum("some words" in line for line in pilot.lines()) == lines, "not that many lines")
        await pilot.press("home", *"begin ")
        await pilot.until_shown("│ begin some words")


async def test_the_last_search_is_typed_over(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("/", *"first", "enter", "/")
        await pilot.until_shown("│ first")
        await pilot.press(*"x")
        await pilot.until_shown("│ x ")
        assert pilot.main.query_one(Prompt).query_one(Field).text == "x"


@pytest.mark.parametrize(
    ("pane", "key", "asks"),
    [("1", "/", "search the timeline"), ("4", "/", "filter the trace"), ("3", "g", "go to slot")],
)
async def test_what_was_typed_into_a_line_and_left_is_offered_again(
    tmp_path: Path, pane: str, key: str, asks: str
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 3
        async with screen_of(engine) as pilot:
            await pilot.until_shown("#3")
            await pilot.press(pane, key)
            await pilot.until_shown(asks)
            await pilot.press(*"33", "escape")
            await pilot.until(lambda: asks not in pilot.text(), "never left")
            await pilot.press(key)
            await pilot.until_shown("│ 33 ")
            assert pilot.main.query_one(Prompt).query_one(Field).text == "33"


async def test_blocking_names_a_site(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.blocks = [{"blocker": "alice", "blocked": "bob", "slot": 7}]
        engine.on["submit"] = lambda _: CREATED
        async with screen_of(engine) as pilot:
            await pilot.press("2")
            await pilot.until_shown("alice blocks bob")
            await pilot.press("b")
            await pilot.until_shown("bob  blocked since #7")
            await pilot.press("2")
            await pilot.until_shown("block carol: an event in the log of all sites")
            assert not engine.called("submit")
            await pilot.press("y")
            await pilot.until_shown("alice blocks carol")
            await pilot.press("u", "enter")
            await pilot.until_shown("unblock bob: an event in the log of all sites")
            await pilot.press("y")
            await pilot.until(lambda: len(engine.called("submit")) == 2, "never submitted")
            assert [(call["kind"], call["target"]) for call in engine.called("submit")] == [
                ("block", "carol"),
                ("unblock", "bob"),
            ]


@pytest.mark.parametrize("known", ["created", "not created", "nothing", "none of it"])
async def test_an_event_whose_engine_died_is_told_when_it_is_back(tmp_path: Path, known: str) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        engine.acknowledges = [] if known == "nothing" else ["alice/1"]
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            await engine.stop()
            await pilot.until_shown("the engine went away before the outcome was told")
            events, words = {
                "created": ([CREATED], "created at slot 1"),
                "not created": ([NOT_CREATED], "not created: no quorum"),
                "nothing": ([], "the engine ended before it took the event"),
                "none of it": ([], "outcome unknown: alice has no event alice/1"),
            }[known]
            engine.events = events
            await engine.start()
            await pilot.until_shown(words)


async def test_equal_tweets_whose_engine_died_are_told_apart(tmp_path: Path) -> None:
    """By the ids that they were acknowledged with: their words are the same."""
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        engine.acknowledges = ["alice/1", "alice/2"]
        async with screen_of(engine) as pilot:
            for sent in (1, 2):
                await pilot.press("c", *"hello", "enter")
                await pilot.until(partial(lambda count: len(engine.called("submit")) == count, sent), "never submitted")
            await engine.stop()
            await pilot.until_shown("the engine went away before the outcome was told")
            engine.used_max = 2
            engine.special = {slot: log_line(slot, author="alice", text="hello") for slot in (1, 2)}
            engine.events = [NOT_CREATED, outcome("created", 2, slot=2)]
            await engine.start()
            await pilot.until(lambda: len(pilot.main.board.history) == 2, "not both are told")
            said = [plain(notice.said) for notice in pilot.main.board.history]
            assert "not created: no quorum" in said[0]
            assert "created at slot 2" in said[1]


async def test_words_are_no_proof_of_an_event_that_was_not_acknowledged(tmp_path: Path) -> None:
    """Somebody else at this site said the same, in the moment in which the engine went away."""
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            await engine.stop()
            await pilot.until_shown("the engine went away before the outcome was told")
            engine.used_max = 1
            engine.special[1] = log_line(1, author="alice", text="hello")
            engine.events = [CREATED]
            await engine.start()
            await pilot.until_shown("outcome unknown: the engine ended before it told the id of this event")


@pytest.mark.parametrize("known", ["the same engine", "another", "it votes"])
async def test_an_event_that_waits_for_its_number_at_the_same_engine_is_not_said_to_be_in_no_log(
    tmp_path: Path, known: str
) -> None:
    """D5: a site that does not vote gives out no numbers."""
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: asyncio.Event().wait()  # never answered
        engine.status_changes = {"voting": False}
        async with screen_of(engine) as pilot:
            await pilot.until_shown("NOT VOTING")
            await pilot.press("c", *"hello", "enter")
            await pilot.until(lambda: engine.called("submit"), "never submitted")
            await engine.stop()
            await pilot.until_shown("the engine went away before the outcome was told")
            changes = {"another": {"voting": False, "since": at(1)}, "it votes": {}}
            engine.status_changes = changes.get(known, engine.status_changes)
            await engine.start()
            waits = known == "the same engine"
            await pilot.until_shown("outcome unknown" if waits else "the engine ended before it took the event")


async def test_without_an_engine_nothing_is_sent_and_nothing_is_lost(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await engine.stop()
        await pilot.until_shown("NO ENGINE")
        await pilot.press("c", *"hello", "enter")
        await pilot.until_shown("not sent: no engine was connected")
        notice = pilot.main.board.shown
        assert notice is not None
        assert notice.operation == Tweet("hello")


def _answered(future: asyncio.Future[Json]) -> Coroutine[Any, Any, Json]:
    async def wait() -> Json:
        return await future

    return wait()


def _boxed(pilot: Driven) -> str:
    """What stands in the frame of a dialog."""
    return " ".join(" ".join(line.split("│")[1] for line in pilot.lines() if line.count("│") == 2).split())


async def test_what_was_typed_is_in_the_sentence_of_what_was_not_sent(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("c", *"half typed")
        await engine.stop()
        await pilot.until_shown("NO ENGINE")
        await pilot.press("enter")
        await pilot.until_shown("no engine was connected. It is not in the log: “half typed”")
        await pilot.press("x", "o")
        told = "✗ not sent: no engine was connected. It is not in the log: “half typed”"
        await pilot.until(lambda: told in _boxed(pilot), f"never told: {told}")


async def test_a_remark_is_seen_while_an_event_is_under_way(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: _answered(asyncio.get_running_loop().create_future())
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("waiting for its turn")
            await pilot.press("e")
            await pilot.until_shown("there is nothing to edit")
            assert "waiting for its turn" in pilot.text()


async def test_esc_leaves_a_slot_while_a_fill_is_under_way(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 2
        engine.special[1] = log_line(1, None, None, state="hole", accNum=None, maxPrepare=None)
        engine.status_changes = {"holes": [1], "prefix": 0}
        engine.on["slot"] = lambda _: _answered(asyncio.get_running_loop().create_future())
        engine.on["explain"] = engine.on["slot"]
        engine.on["fill"] = lambda _: _answered(asyncio.get_running_loop().create_future())
        async with screen_of(engine) as pilot:
            await pilot.press("3", "end", "enter")
            await pilot.until_shown("Slot 2")
            await pilot.press("F")
            await pilot.until_shown("again starts")
            await pilot.press("F")
            await pilot.until_shown("filling all holes")
            await pilot.press("escape")
            await pilot.until(lambda: pilot.main.active == "log", "the slot stayed")
            assert "filling all holes" in pilot.text()


async def test_what_is_offered_beneath_another_outcome_is_said_to_be_there(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        outcomes = iter([NOT_CREATED, UNKNOWN])
        engine.on["submit"] = lambda _: next(outcomes)
        async with screen_of(engine) as pilot:
            for text in ("one", "two"):
                await pilot.press("c", *text, "enter")
                await pilot.until_shown(f"“{text}”")
            await pilot.press("r")
            await pilot.until_shown("x first: r is for")
