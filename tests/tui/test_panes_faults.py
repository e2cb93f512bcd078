"""The pane of faults: rules and what is held, by keys that act on the selected row."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.tui.engine_double import EngineDouble, ErrorAnswer, Json, at, outcome
from tests.tui.pilots import WIDE, screen_of
from tui.hops import Leaving
from tui.panes.prompt import Prompt


def rule(number: int, text: str, on: bool) -> Json:
    return {"number": number, "text": text, "on": on, "hits": 7, "expires_at": None, "while_connected": False}


def held(number: int, peer: str) -> Json:
    return {"number": number, "at": at(number), "dir": "out", "peer": peer, "type": "accept", "slot": 43}


async def test_a_rule_is_added_or_refused_with_its_reason(tmp_path: Path) -> None:
    def add(params: Json) -> Json:
        if "nobody" in params["rule"]:
            raise ErrorAnswer(1, "nobody is no site: name one of alice, bob, carol, dave, erin")
        engine.rules.append(rule(1, params["rule"], True))
        engine.tell({"topic": "faults", **engine.faults()}, {"topic": "status", **engine.status()})
        return engine.rules[-1]

    async with EngineDouble(tmp_path) as engine:
        engine.on["faults.add"] = add
        async with screen_of(engine) as pilot:
            await pilot.press("6", "a", *"to=nobody drop=100%", "enter")
            await pilot.until_shown("nobody is no site: name one of")
            await pilot.until_shown("│ to=nobody drop=100%")
            await pilot.press(*" dhx")  # commands, if the prompt were gone
            await pilot.until_shown("│ to=nobody drop=100% dhx")
            await pilot.press("ctrl+u", *"to=bob drop=50%", "enter")
            await pilot.until_shown(">  1 [x] on      7  to=bob drop=50%")
            await pilot.until_shown("FAULTS 1")
            await pilot.until_shown("rule 1 is on")
            assert not pilot.main.query_one(Prompt).is_open


async def test_a_rule_that_the_engine_does_not_answer_can_be_left_and_its_refusal_is_told(tmp_path: Path) -> None:
    answered = asyncio.Event()

    async def refuse(_: Json) -> Json:
        await answered.wait()
        raise ErrorAnswer(1, "nobody is no site")

    async with EngineDouble(tmp_path) as engine:
        engine.on["faults.add"] = refuse
        async with screen_of(engine) as pilot:
            await pilot.press("6", "a", *"to=nobody drop", "enter")
            await pilot.until_shown("the engine has not answered yet; esc leaves this line")
            await pilot.press("enter", "escape", "1")
            await pilot.until(lambda: pilot.main.active == "timeline", "keys are no commands")
            answered.set()
            await pilot.until_shown("✗ nobody is no site")
            assert len(engine.called("faults.add")) == 1


async def test_a_partition_begins_with_the_sites(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.on["faults.add"] = lambda params: rule(1, params["rule"], True)
        async with screen_of(engine) as pilot:
            await pilot.press("6", "p")
            await pilot.until_shown("partition alice,bob,carol | dave,erin")
            await pilot.press("enter")
            await pilot.until(lambda: engine.called("faults.add"), "never added")
            assert engine.called("faults.add") == [{"rule": "partition alice,bob,carol | dave,erin"}]


async def test_the_partition_that_is_offered_is_typed_over_or_edited(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("6", "p")
        await pilot.until_shown("typing replaces")
        await pilot.press(*"partition alice | bob")
        await pilot.until_shown("│ partition alice | bob ")
        await pilot.press("ctrl+u", "escape", "p", "right", *",bob")
        await pilot.until_shown("│ partition alice,bob,carol | dave,erin,bob")


def _keeps_rules(engine: EngineDouble) -> None:
    def add(params: Json) -> Json:
        if "nobody" in params["rule"]:
            raise ErrorAnswer(1, "nobody is no site")
        number = max((rule["number"] for rule in engine.rules), default=0) + 1
        engine.rules.append(rule(number, params["rule"], True))
        return engine.rules[-1]

    def remove(params: Json) -> Json:
        engine.rules = [rule for rule in engine.rules if rule["number"] != params["number"]]
        return {"removed": 1}

    engine.on["faults.add"] = add
    engine.on["faults.remove"] = remove


def _texts(engine: EngineDouble) -> list[str]:
    return [rule["text"] for rule in engine.rules]


async def test_in_a_demo_a_partition_cuts_the_whole_cluster_and_is_mended_there(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, site="bob") as bob:
        for engine in (alice, bob):
            _keeps_rules(engine)
        bob.rules = [rule(1, "to=carol drop=50%", True), rule(2, "partition alice | bob", True)]
        async with screen_of(alice, bob, leaving=Leaving.STOPS_ALL) as pilot:
            await pilot.press("6", "p")
            await pilot.until_shown("cut the cluster into groups: the same rule at all 2")
            await pilot.press("a", *"partition nobody | bob", "enter")
            await pilot.until_shown("nobody is no site")
            assert (_texts(alice), len(bob.rules)) == ([], 2)
            await pilot.press("ctrl+u", "escape", "p", "enter")
            await pilot.until_shown("partition alice,bob,carol | dave,erin")
            await pilot.press("enter")
            await pilot.until_shown("the cluster is cut at all 2 sites; p, then m, mends it")
            assert _texts(alice) == ["partition alice,bob,carol | dave,erin"]
            assert _texts(bob) == ["to=carol drop=50%", "partition alice,bob,carol | dave,erin"]
            await pilot.press("p", "m")
            await pilot.until_shown("mended: no partition left at all 2 sites; other rules stay")
            assert (_texts(alice), _texts(bob)) == ([], ["to=carol drop=50%"])
            await pilot.press("p", "m")
            await pilot.until_shown("there was no partition to mend: all 2 sites were asked")


async def test_a_cut_names_the_sites_that_could_not_be_asked(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, site="bob") as bob:
        for engine in (alice, bob):
            _keeps_rules(engine)
        async with screen_of(alice, bob, leaving=Leaving.STOPS_ALL) as pilot:
            await bob.stop()
            await pilot.press("6", "p", "a", "enter")
            await pilot.until_shown("the cluster is cut at alice; bob was not asked: no engine is running")
            await pilot.press("p", "m")
            await pilot.until_shown("mended: no partition left at alice; bob was not asked: no engine is")


async def test_in_a_demo_a_partition_of_this_site_alone_is_still_to_be_had(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as alice, EngineDouble(tmp_path, site="bob") as bob:
        for engine in (alice, bob):
            _keeps_rules(engine)
        async with screen_of(alice, bob, leaving=Leaving.STOPS_ALL) as pilot:
            await pilot.press("6", "p")
            await pilot.until_shown("t  a rule at alice only: alice then talks only to its own group")
            await pilot.press("t", "enter")
            await pilot.until_shown("rule 1 is on")
            assert (len(alice.rules), bob.rules) == (1, [])


async def test_keys_act_on_the_selected_row(tmp_path: Path) -> None:
    def clear(_: Json) -> Json:
        engine.rules = []
        return {"removed": 2}

    async with EngineDouble(tmp_path) as engine:
        engine.rules = [rule(1, "to=bob drop=50%", True), rule(2, "type=accept hold", True)]
        engine.held = [held(4, "bob"), held(5, "carol")]
        engine.on["faults.set"] = lambda _: engine.rules[1]
        engine.on["faults.remove"] = lambda _: {"removed": 1}
        engine.on["faults.release"] = lambda _: {"released": 1}
        engine.on["faults.drop"] = lambda _: {"dropped": 1}
        engine.on["faults.clear"] = clear
        async with screen_of(engine) as pilot:
            await pilot.press("6", "down", "space")
            await pilot.until(lambda: engine.called("faults.set"), "never switched")
            assert engine.called("faults.set") == [{"number": 2, "on": False}]
            await pilot.press("delete")
            await pilot.until_shown("rule 2 is removed")
            await pilot.press("r")
            await pilot.until(lambda: engine.called("faults.release"), "never released")
            await pilot.press("down", "down", "d")
            await pilot.until(lambda: engine.called("faults.drop"), "never dropped")
            assert engine.called("faults.release") == [{}]  # no held message was selected
            assert engine.called("faults.drop") == [{"held": [5]}]
            await pilot.press("x")
            await pilot.until_shown("2 removed, no rule is left; what was held goes on its way")
            assert pilot.app.return_value is None  # d is the detach key elsewhere


async def test_what_becomes_of_the_messages_that_a_removed_rule_held_is_told(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.rules = [rule(1, "to=bob hold", True), rule(2, "to=erin hold", True)]
        engine.held = [held(4, "bob"), held(5, "bob"), held(6, "erin")]

        def remove(asked: Json) -> Json:
            engine.rules = [each for each in engine.rules if each["number"] != asked["number"]]
            engine.held = [each for each in engine.held if each["peer"] == "erin"] if asked["number"] == 1 else []
            return {"removed": 1}

        engine.on["faults.remove"] = remove
        async with screen_of(engine) as pilot:
            await pilot.press("6", "delete")
            await pilot.until_shown("rule 1 is removed; 2 messages that it held go on")
            await pilot.press("delete")
            await pilot.until_shown("rule 2 is removed; 1 message that it held goes on")


async def test_keys_without_anything_to_act_on_say_so(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine, screen_of(engine) as pilot:
        await pilot.press("6", "d")
        await pilot.until_shown("no message is held")
        for key in ("space", "delete"):
            await pilot.press("escape", key)
            await pilot.until_shown("there are no rules: a adds one")
        await pilot.press("x")
        await pilot.until_shown("there is no rule to remove and no held message")
        assert not engine.called("faults.clear")
        assert not engine.called("faults.set")
        assert not engine.called("faults.remove")
        assert pilot.app.return_value is None


async def test_a_long_rule_is_told_whole(tmp_path: Path) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.rules = [rule(1, "partition alice,bob | carol,dave,erin", True), rule(2, "to=bob drop", True)]
        async with screen_of(engine, size=WIDE) as pilot:
            await pilot.press("6")
            await pilot.until_shown("partition alice,bob |")
            await pilot.until_shown("carol,dave,erin ")
            await pilot.press("down")
            await pilot.until_shown(">  2 [x] on")


async def test_an_outcome_offers_no_key_that_is_the_panes_own(tmp_path: Path) -> None:
    """Here x removes all rules, and r releases what is held."""
    async with EngineDouble(tmp_path) as engine:
        engine.on["submit"] = lambda _: outcome("not-created", reason="no quorum")
        async with screen_of(engine) as pilot:
            await pilot.press("c", *"hello", "enter")
            await pilot.until_shown("r retry · e edit · x dismiss")
            await pilot.press("6")
            await pilot.until_shown("   e edit · esc dismiss")
            assert "retry" not in pilot.text()
            await pilot.press("escape")
            await pilot.until(lambda: "not created" not in pilot.text(), "never dismissed")
