"""Who belongs to the cluster, on the screen: what is wrong is said with the key that mends it, then comes the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.engine_double import EngineDouble, ErrorAnswer, Json, outcome
from tests.tui.pilots import NARROW, WIDE, Driven, screen_of

PLAN: Json = {
    "kind": "readmit", "site": "carol", "address": None, "store": "c" * 16, "waits": 8_192,
    "refused": None, "unsafe": None,
    "now": {"reachable": 4, "needed": 3, "size": 5}, "then": {"reachable": 5, "needed": 3, "size": 5},
}  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> EngineDouble:
    """alice's, who knows that carol lost her disk."""
    double = EngineDouble(tmp_path)
    peers = double.status()["peers"]
    peers["carol"] |= {"voting": False, "standing": "new-store"}
    double.status_changes = {"peers": peers}
    double.on["members.plan"] = lambda _: PLAN
    double.on["members.change"] = lambda _: outcome("created", number=18, slot=44)
    return double


async def _choose(pilot: Driven, key: str) -> None:
    await pilot.press("M")
    await pilot.until_shown("Change the members")
    await pilot.press(key)


async def _ask(pilot: Driven) -> None:
    await _choose(pilot, "r")
    await pilot.until_shown("Readmit which site?")
    await pilot.press("enter")
    await pilot.until_shown("Readmit carol?")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_a_site_that_lost_its_disk_is_readmitted_once_its_plan_was_seen(
    engine: EngineDouble, size: tuple[int, int]
) -> None:
    async with engine, screen_of(engine, size=size) as pilot:
        await pilot.until_shown("M readmits carol")
        await pilot.press("5")
        await pilot.until_shown("M members")
        await _ask(pilot)
        await pilot.until_shown("3 of 5 voters are needed; 4 are heard")
        await pilot.until_shown("3 of 5 voters will be needed; 5 are heard now")
        assert not engine.called("members.change")
        await pilot.pause()
        await pilot.press("y")
        await pilot.until_shown("✓ created at slot 44")
        assert engine.called("members.plan") == [{"kind": "readmit", "site": "carol"}]
        assert [params["site"] for params in engine.called("members.change")] == ["carol"]
        assert not engine.called("members.change")[0].get("force", False)


async def test_no_is_what_enter_says(engine: EngineDouble) -> None:
    async with engine, screen_of(engine) as pilot:
        await _ask(pilot)
        await pilot.press("enter")
        await pilot.until_gone("Readmit carol?")
        assert not engine.called("members.change")


async def test_what_is_unsafe_is_said_and_a_yes_to_it_forces_it(engine: EngineDouble) -> None:
    engine.on["members.plan"] = lambda _: PLAN | {"unsafe": "it cannot be chosen now: 1 of 5 voters is heard, 3 needed"}
    engine.on["members.change"] = lambda _: outcome(
        "unknown", number=18, slot=44, reason="no quorum: 1 of 5 reachable, 3 needed"
    )
    async with engine, screen_of(engine) as pilot:
        await _ask(pilot)
        await pilot.until_shown("Careful: it cannot be chosen now: 1 of 5 voters is heard")
        await pilot.pause()
        await pilot.press("y")
        await pilot.until_shown("? outcome unknown: readmit carol (alice/18): no quorum: 1 of 5 reachable")
        assert engine.called("members.change")[0]["force"] is True


@pytest.mark.parametrize("where", ["members.plan", "members.change"])
async def test_what_is_refused_says_why(engine: EngineDouble, where: str) -> None:
    def refuse(_: Json) -> None:
        raise ErrorAnswer(1, "carol says that it votes with its present store: there is nothing to readmit")

    engine.on[where] = refuse
    async with engine, screen_of(engine) as pilot:
        await _choose(pilot, "r")
        await pilot.until_shown("Readmit which site?")
        await pilot.press("enter")
        if where == "members.change":
            await pilot.until_shown("Readmit carol?")
            await pilot.pause()
            await pilot.press("y")
        await pilot.until_shown("✗ refused: carol says that it votes with its present store")


async def test_a_change_that_has_no_effect_is_not_called_created(engine: EngineDouble) -> None:
    why = "the log has already admitted that store of carol"
    engine.on["members.change"] = lambda _: outcome("not-created", number=18, slot=44, reason=why)
    async with engine, screen_of(engine) as pilot:
        await _ask(pilot)
        await pilot.pause()
        await pilot.press("y")
        await pilot.until_shown("✗ not created: readmit carol has no effect: the log has already")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_who_lost_its_own_disk_is_told_who_can_readmit_it(tmp_path: Path, size: tuple[int, int]) -> None:
    double = EngineDouble(tmp_path, site="carol")
    why = (
        "lost-disk: alice remembers another store of carol: its disk was lost or replaced. This site learns and serves"
    )
    double.status_changes = {"voting": False, "standing": "new-store", "voting_why": why}
    async with double, screen_of(double, size=size) as pilot:
        await pilot.until_shown("screen readmits")
        await pilot.press("M")
        await pilot.until_shown("carol does not vote, and cannot readmit itself")
        assert not double.called("members.plan")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_of_an_old_store_and_of_two_engines_it_is_told_what_to_do(tmp_path: Path, size: tuple[int, int]) -> None:
    """Nothing says that this store could be readmitted."""
    double = EngineDouble(tmp_path, site="carol")
    why = "old-store: alice heard commit 17 of carol's store, which is now at 7: an old copy was put back"
    two = "alice hears two engines as carol, each with a store of its own: stop the one that does not vote"
    double.status_changes = {"voting": False, "standing": "old-store", "voting_why": why, "mismatch": two}
    async with double, screen_of(double, size=size) as pilot:
        await pilot.until_shown("its store is an old one")
        await pilot.until_shown("and have its new store readmitted")
        await pilot.until_shown("with a store of its own: stop the one")
        assert "readmits carol" not in pilot.text()
        await pilot.press("5")
        await pilot.until_shown("alice heard commit 17")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
@pytest.mark.parametrize(
    ("bob", "why"),
    [
        ({"up": False, "standing": "not-heard"}, "bob, which added it, is not heard"),
        ({"standing": "stranger"}, "bob, which added it, was removed"),
        ({"voting": False, "standing": "new-store"}, "bob, which added it, does not vote"),
    ],
)
async def test_where_nobody_promotes_a_learner_by_itself_it_is_told_how(
    tmp_path: Path, bob: Json, why: str, size: tuple[int, int]
) -> None:
    double = EngineDouble(tmp_path)
    peers = double.status()["peers"]
    peers["dave"] |= {"voting": False, "standing": "learner", "wanted_by": "bob"}
    double.status_changes = {"peers": peers}
    async with double, screen_of(double, size=size) as pilot:
        assert "dave has to be promoted" not in pilot.text(), "bob does, which is heard and votes"
        peers["bob"] |= bob
        double.tell({"topic": "status", **double.status()})
        await pilot.until_shown("dave has to be promoted by hand once it has the log")
        await pilot.until_shown("M promotes dave")
        assert why in " ".join(pilot.text().split())


async def test_a_change_that_is_coming_and_who_moved_are_told(engine: EngineDouble) -> None:
    readmission = {"kind": "readmit", "author": "alice", "id": "alice/18", "text": "c" * 16, "target": "carol"}
    engine.status_changes["coming"] = {"slot": 44, "since": 8_236, "entry": readmission}
    engine.status_changes["peers"]["bob"] |= {"address": "10.0.0.9:7002", "file_address": "10.0.0.2:7002"}
    async with engine, screen_of(engine) as pilot:
        await pilot.press("5", "z")
        await pilot.until_shown("alice readmits carol: chosen at slot 44, in effect from slot 8,236 on")
        await pilot.until_shown("10.0.0.2:7002 in the sites file")


@pytest.mark.parametrize(("key", "kind"), [("a", "add"), ("l", "add-learner"), ("m", "move")])
async def test_where_a_site_is_is_typed_and_what_is_no_place_stays(engine: EngineDouble, key: str, kind: str) -> None:
    plan = PLAN | {"kind": kind, "site": "frank", "address": "10.0.0.6:7001"}
    engine.on["members.plan"] = lambda _: plan
    async with engine, screen_of(engine) as pilot:
        await _choose(pilot, key)
        await pilot.until_shown(f"{kind}: which site, and where")
        await pilot.press(*"frank", "enter")
        await pilot.until_shown("write the site's name, a space, and its HOST:PORT")
        await pilot.press("space", *"10.0.0.6:7001", "enter")
        await pilot.until_shown(f"{kind.capitalize()} frank?")
        await pilot.pause()
        await pilot.press("y")
        await pilot.until_shown("✓ created at slot 44")
        assert engine.called("members.change")[0]["address"] == "10.0.0.6:7001"


@pytest.mark.parametrize(("key", "kind", "site"), [("p", "promote", "dave"), ("d", "remove", "alice")])
async def test_a_learner_is_offered_to_promote_and_this_site_too_to_remove(
    engine: EngineDouble, key: str, kind: str, site: str
) -> None:
    engine.status_changes["peers"]["dave"] |= {"voting": False, "standing": "learner"}
    engine.on["members.plan"] = lambda params: PLAN | params
    async with engine, screen_of(engine) as pilot:
        await _choose(pilot, key)
        await pilot.until_shown(f"{kind.capitalize()} which site?")
        await pilot.press("enter")
        await pilot.until_shown(f"{kind.capitalize()} {site}?")


async def test_a_removed_site_says_by_which_slot(tmp_path: Path) -> None:
    double = EngineDouble(tmp_path)
    removed = {"slot": 44, "since": 8_236, "needed": False}
    double.status_changes = {
        "voting": False,
        "standing": "removed",
        "voting_why": "slot 44 removed",
        "removed": removed,
    }
    async with double, screen_of(double) as pilot:
        await pilot.until_shown("alice was removed from the cluster by slot 44, and does not vote")
