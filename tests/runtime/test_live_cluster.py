"""Sites in one process with real stores and sockets: what they agree on, and what clients see of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec import to_builtins

from engine.contract.answers import Topic
from engine.contract.notifications import ITEMS, LOG_SPAN, EngineStops
from engine.contract.requests import METHODS, answered_by
from engine.contract.shape import read
from engine.core.ids import Tick
from engine.core.settings import Timings
from engine.runtime import pending_calls
from tests.runtime.sites import QUICK, Cluster, Json, RpcFailed, Running, cluster, eventually, status_where

SLOW_TO_FILL = Timings(heartbeat=Tick(50), retransmit=Tick(30), fill_every=Tick(60_000), scan_every=Tick(60_000))
DEAF_TO_CHOSEN = "from=* type=chosen,known,promise drop"
"""A site with this rule accepts, and does not hear what is chosen however it asks: it keeps a hole."""


async def tweet(running: Running, text: str, **params: object) -> Any:
    return await running.call("submit", kind="tweet", text=text, **params)


async def tweet_from_all(sites: Cluster, each: int) -> list[Any]:
    """`each` tweets from every site at once, tried again when they lose; their outcomes."""
    outcomes: list[Any] = []

    async def submit(running: Running, number: int) -> None:
        outcomes.append(await tweet(running, f"tweet {number} of {running.name}", retry=True, timeout_s=60))

    async with trio.open_nursery() as nursery:
        for running in sites.running.values():
            for number in range(each):
                nursery.start_soon(submit, running, number)
    return outcomes


async def agreed_log(sites: Cluster, through: int) -> list[Any]:
    """The log through a slot, the same at every site."""
    logs = []
    for running in sites.running.values():
        await status_where(running, lambda status: status["chosen_through"] >= through)
        lines = (await running.call("log", to=through, limit=1_000))["lines"]
        logs.append([(line["slot"], line["state"], line["kind"], line["id"], line["text"]) for line in lines])
    assert all(log == logs[0] for log in logs)
    return logs[0]


async def all_up(sites: Cluster) -> None:
    count = len(sites.running)
    for running in sites.running.values():
        await status_where(running, lambda status: status["voting"] and status["quorum"]["reachable"] == count)


@pytest.mark.parametrize("names", [("alice",), ("alice", "bob", "carol"), ("alice", "bob", "carol", "dave", "erin")])
async def test_sites_agree_on_tweets_submitted_from_all_at_once(tmp_path: Path, names: tuple[str, ...]) -> None:
    async with cluster(tmp_path, *names) as sites:
        await sites.start_all()
        outcomes = await tweet_from_all(sites, 4)
        assert {outcome["outcome"] for outcome in outcomes} == {"created"}
        slots = {outcome["slot"] for outcome in outcomes}
        assert len(slots) == len(outcomes) == 4 * len(names)
        log = await agreed_log(sites, max(slots))
        assert [slot for slot, *_ in log] == list(range(1, max(slots) + 1)), "every slot has a line"
        assert {id_ for _, _, kind, id_, _ in log if kind == "tweet"} == {outcome["id"] for outcome in outcomes}


async def test_sites_agree_over_a_network_that_drops_doubles_and_delays(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        for running in sites.running.values():
            await running.call("faults.add", rule="from=* drop=30%")
            await running.call("faults.add", rule="dup=10%")
            await running.call("faults.add", rule="from=* delay=20ms±20")
        outcomes = await tweet_from_all(sites, 2)
        assert {outcome["outcome"] for outcome in outcomes} == {"created"}
        for running in sites.running.values():
            faults = (await running.call("status"))["counters"]["faults"]
            assert faults["dropped"] > 0
            assert faults["delayed"] > 0
            await running.call("faults.clear")
        await agreed_log(sites, max(outcome["slot"] for outcome in outcomes))


async def test_a_site_that_was_away_catches_up_by_itself(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)  # who is known to too few does not vote once another is away (D5)
        await tweet(sites.running["alice"], "before")
        assert await sites.running["carol"].stop() == 0
        slots = [(await tweet(sites.running["alice"], f"while carol sleeps {n}"))["slot"] for n in range(20)]
        carol = await sites.start("carol")
        await status_where(carol, lambda status: status["chosen_through"] >= slots[-1] and not status["recovering"])
        await agreed_log(sites, slots[-1])


async def test_blocks_hide_in_the_timeline_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start_all()
        alice, bob = sites.running["alice"], sites.running["bob"]
        first = await tweet(alice, "  seen and hidden later ")
        blocked = await alice.call("submit", kind="block", target="bob")
        slot = blocked["slot"]
        assert blocked["outcome"] == "created"
        await status_where(bob, lambda status: status["chosen_through"] >= slot)
        view = await bob.call("view")
        assert (view["lines"], view["shown"], view["hidden"]) == ([], 0, 1)
        assert (await bob.call("log"))["lines"][first["slot"] - 1]["text"] == "seen and hidden later"
        blocks = {"lines": [{"blocker": "alice", "blocked": "bob", "slot": slot}]}
        assert await bob.call("blocks") == await alice.call("blocks") == blocks
        assert [line["text"] for line in (await alice.call("view"))["lines"]] == ["seen and hidden later"]
        slot = (await alice.call("submit", kind="unblock", target="bob"))["slot"]
        await status_where(bob, lambda status: status["chosen_through"] >= slot)
        (line,) = (await bob.call("view"))["lines"]
        assert line == {"slot": first["slot"], "author": "alice", "text": "seen and hidden later", "at": line["at"]}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"kind": "tweet", "text": "  "}, "at least 1 character"),
        ({"kind": "tweet", "text": "x" * 281}, "this one has 281"),
        ({"kind": "tweet", "text": "a\u2028b"}, "U+2028"),
        ({"kind": "block", "target": "alice"}, "a site cannot block itself"),
        ({"kind": "block", "target": "zoe"}, "'zoe' is not a site of this cluster: use one of alice, bob"),
        ({"kind": "unblock", "target": "Bob"}, "'Bob' is not a site of this cluster"),
    ],
)
async def test_what_the_timeline_refuses_is_refused_before_it_is_an_event(
    tmp_path: Path, params: dict[str, object], says: str
) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        alice = await sites.start("alice")
        with pytest.raises(RpcFailed) as refused:
            await alice.call("submit", **params)
        assert refused.value.code == 1
        assert says in str(refused.value)
        assert await alice.call("events") == {"lines": []}


async def test_e2_an_event_whose_accepts_are_held_is_unknown_and_is_settled_later_unasked(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol", timings=SLOW_TO_FILL) as sites:
        await sites.start_all()
        await all_up(sites)
        alice = sites.running["alice"]
        watching = await alice.client()
        await watching.call("subscribe", topics=["outcome"])
        await alice.call("faults.add", rule="to=* type=accept hold")
        client = await alice.client()
        request = await client.send("submit", kind="tweet", text="is it there?", timeout_s=1_000)
        await eventually(lambda: alice.call("faults"), lambda faults: faults["held"])
        await client.call("give_up", requests=[request])
        unknown = await client.answer(request)
        assert unknown["outcome"] == "unknown"
        assert (await alice.call("events", ids=[unknown["id"]]))["lines"] == [unknown | {"took_ms": None}]
        assert (await alice.call("status"))["unknown"] == 1
        assert (await alice.call("faults.clear"))["removed"] == 1
        await alice.call("fill", timeout_s=60)
        await watching.hears(
            lambda _: any(
                item["id"] == unknown["id"] and item["outcome"] != "unknown" for item in watching.items("outcome")
            )
        )
        (event,) = (await alice.call("events"))["lines"]
        assert event["outcome"] in ("created", "lost")


async def test_what_is_given_up_before_it_left_is_not_created(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        client = await (await sites.start("alice")).client()
        request = await client.send("submit", kind="tweet", text="nobody is there", timeout_s=1_000)
        assert await client.call("give_up", requests=[request, "never asked"]) == {"given_up": 1}
        outcome = await client.answer(request)
        assert outcome == {**outcome, "outcome": "not-created", "slot": None, "to": None}
        assert "given up" in outcome["reason"]


async def test_an_event_goes_on_when_its_client_goes_away(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice = sites.running["alice"]
        await alice.call("faults.add", rule="to=* type=prepare hold")
        client = await alice.client()
        await client.send("submit", kind="tweet", text="its client went away")
        await eventually(lambda: alice.call("faults"), lambda faults: faults["held"])
        await client.stream.aclose()
        await alice.call("faults.clear")
        await eventually(
            lambda: alice.call("events"), lambda events: [line["outcome"] for line in events["lines"]] == ["created"]
        )


async def test_a_hole_is_planned_and_filled_on_demand(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice, bob = sites.running["alice"], sites.running["bob"]
        await bob.call("faults.add", rule=DEAF_TO_CHOSEN)
        slot = (await tweet(alice, "bob does not hear that this is chosen"))["slot"]
        await status_where(bob, lambda status: status["holes"] == [slot])
        view = await bob.call("view")
        assert view["waiting"] == {"slot": slot, "later": 0}
        (line,) = (await bob.call("log", **{"from": slot}))["lines"]
        assert (line["state"], line["text"]) == ("accepted", "bob does not hear that this is chosen")
        (data,) = (await bob.call("data"))["lines"]
        assert data == {
            "slot": slot,
            "maxPrepare": data["maxPrepare"],  # bob may have begun a ballot of its own since
            "accNum": data["accNum"],
            "accVal": {"kind": "tweet", "author": "alice", "id": "alice/1", "text": line["text"], "target": None},
            "state": "accepted",
        }
        (plan,) = (await eventually(lambda: bob.call("plan"), _names_what_drops))["lines"]
        assert (plan["slot"], plan["state"]) == (slot, "accepted")
        assert any(what in plan["action"] for what in ("continue the attempt under way (", "ask the others whether"))
        client = await bob.client()
        request = await client.send("fill", timeout_s=60)
        assert (await client.call("faults.clear"))["removed"] == 1
        (filled,) = (await client.answer(request))["lines"]
        assert filled == {"slot": slot, "result": filled["result"], "kind": "tweet"}
        assert filled["result"] in ("learned", "recovered")
        assert await bob.call("fill", slots=[slot]) == {
            "lines": [{"slot": slot, "result": "chosen", "kind": "tweet"}],
            "why": None,
        }
        assert await bob.call("fill") == {"lines": [], "why": None}
        inspected = await bob.call("slot", slot=slot)
        assert (inspected["state"], inspected["learned"], inspected["void"]) == ("chosen", data["accVal"], False)
        types = {line["type"] for line in inspected["trace"]}
        assert {"accept", "accepted", "chosen", "hole", "ask"} <= types
        assert any(line["note"].startswith("DROP (rule 1)") for line in inspected["trace"])


def _names_what_drops(plan: Any) -> bool:
    """That the entry is chosen has arrived, and was dropped."""
    return "; fault rule 1 drops " in plan["lines"][0]["action"]


async def test_a_fill_that_finds_no_quorum_says_so_when_its_time_has_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_calls, "FILL_SLOTS_MAX", 1)
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice, bob = sites.running["alice"], sites.running["bob"]
        await bob.call("faults.add", rule=DEAF_TO_CHOSEN)
        slot = (await tweet(alice, "lost on its way to bob"))["slot"]
        await status_where(bob, lambda status: status["holes"] == [slot])
        for other in (alice, sites.running["carol"]):
            await other.call("faults.add", rule="partition bob | alice,carol")
        await status_where(bob, lambda status: status["quorum"]["reachable"] == 1)
        await bob.call("faults.clear")
        filled = await bob.call("fill", slots=[slot], timeout_s=0.2)
        assert filled["lines"] == [{"slot": slot, "result": "no-quorum", "kind": None}]
        assert filled["why"].startswith(f"slot {slot}: ")
        client = await bob.client()
        request = await client.send("fill", timeout_s=1_000)
        with pytest.raises(RpcFailed, match="waiting fills already name 1 slots"):
            await client.call("fill", timeout_s=1_000)
        assert await client.call("give_up", requests=[request]) == {"given_up": 1}
        assert await client.answer(request) == {
            "lines": filled["lines"],
            "why": f"slot {slot}: no quorum: 1 of 3 reachable, 2 needed",
        }
        assert (await client.call("fill", timeout_s=0.2))["lines"] == filled["lines"]


async def test_a_fill_that_a_rule_of_the_site_keeps_says_so_and_so_do_slot_plan_and_status(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice, bob = sites.running["alice"], sites.running["bob"]
        await bob.call("faults.add", rule=DEAF_TO_CHOSEN)
        slot = (await tweet(alice, "bob hears nothing of this"))["slot"]
        said = "alice and carol have it; fault rule 1 drops their answers"
        await status_where(bob, lambda status: status["hindered"] == f"slot {slot}: {said}")
        filled = await bob.call("fill", slots=[slot], timeout_s=0.2)
        assert filled["lines"] == [{"slot": slot, "result": "fault-rule", "kind": None}]
        assert filled["why"].startswith(f"slot {slot}: {said}; ")
        assert (await bob.call("slot", slot=slot))["hindered"] == said
        (plan,) = (await bob.call("plan"))["lines"]
        assert plan["action"].startswith(f"{said}; even so, ")
        await bob.call("faults.clear")
        assert (await bob.call("slot", slot=slot))["hindered"] is None
        await status_where(bob, lambda status: status["holes"] == [] and status["hindered"] is None)


async def test_an_event_that_a_rule_of_its_site_keeps_says_so_first(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice = sites.running["alice"]
        await alice.call("faults.add", rule="partition alice | bob,carol")
        said = "fault rule 1 drops the heartbeats from bob and carol"
        await status_where(alice, lambda status: status["hindered"] == said)
        outcome = await alice.call("submit", kind="tweet", text="cut off by herself", timeout_s=0.2)
        assert outcome["reason"].startswith(f"{said}; no quorum: 1 of 3 reachable, 2 needed")


async def test_held_messages_are_listed_released_and_dropped(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice = sites.running["alice"]
        watching = await alice.client()
        await watching.call("subscribe", topics=["faults"])
        rule = await alice.call("faults.add", rule="to=carol  type=heartbeat hold")
        unbound = {"expires_at": None, "while_connected": False}
        assert rule == {"number": 1, "text": "to=carol type=heartbeat hold", "on": True, "hits": 0, **unbound}
        assert (await alice.call("status"))["faults"] == 1
        faults = await eventually(lambda: alice.call("faults"), lambda faults: len(faults["held"]) >= 2)
        held = faults["held"][0]
        about: Json = {"type": "heartbeat", "slot": None, "ballot": None, "slots": []}
        assert held == {**held, "number": 1, "dir": "out", "peer": "carol", **about}
        assert faults["rules"][0]["hits"] >= 2
        assert await alice.call("faults.set", number=1, on=False)
        assert await alice.call("faults.release", held=[1]) == {"released": 1}
        assert await alice.call("faults.drop", held=[2]) == {"dropped": 1}
        with pytest.raises(RpcFailed, match="no message 2 is held"):
            await alice.call("faults.release", held=[2])
        assert await alice.call("faults.remove", number=1) == {"removed": 1}
        assert (await alice.call("faults"))["rules"] == []
        bound = await alice.client()
        assert await bound.call("faults.add", rule="to=carol type=heartbeat hold", while_connected=True)
        await bound.stream.aclose()
        gone = await eventually(lambda: alice.call("faults"), lambda faults: faults["rules"] == [])
        assert gone["held"] == [], "what it held goes on its way"
        expiring = await alice.call("faults.add", rule="drop", expires_s=0.05)
        assert expiring["expires_at"] is not None
        await eventually(lambda: alice.call("faults"), lambda faults: faults["rules"] == [])
        await watching.hears(
            lambda _: watching.items("faults")[-1:] != [] and watching.items("faults")[-1]["rules"] == []
        )


async def test_a_lost_event_names_what_won_its_slot(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        alice, bob = sites.running["alice"], sites.running["bob"]
        await alice.call("faults.add", rule="to=* type=prepare hold")
        client = await alice.client()
        request = await client.send("submit", kind="tweet", text="too late")
        await eventually(lambda: alice.call("faults"), lambda faults: faults["held"])
        won = await tweet(bob, "first")
        lost = await client.answer(request)
        assert lost.pop("took_ms") >= 0
        assert lost == {
            "outcome": "lost",
            "id": "alice/1",
            "slot": won["slot"],
            "to": {"kind": "tweet", "author": "bob", "id": won["id"], "text": "first", "target": None},
            "reason": None,
            "waits_for": None,
        }
        assert (await alice.call("events"))["lines"] == [lost | {"took_ms": None}]


async def test_what_a_peer_has_not_told_since_the_start_is_null(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", timings=QUICK) as sites:
        alice = await sites.start("alice")
        peer = (await alice.call("status"))["peers"]["bob"]
        assert (peer["up"], peer["chosen_through"], peer["voting"], peer["heard_s"]) == (False, None, None, None)
        await sites.start("bob")
        await status_where(alice, lambda status: status["peers"]["bob"]["chosen_through"] is not None)
        await status_where(alice, lambda status: status["peers"]["bob"]["voting"] is not None)


ASKED: dict[str, dict[str, object]] = {
    "subscribe": {"topics": list(Topic)},
    "submit": {"kind": "tweet", "text": "hello"},
    "submit_many": {"texts": ["hello", "again"]},
    "give_up": {"requests": [99]},
    "view": {"fresh": True},
    "log": {},
    "search": {"words": ["hello"]},
    "data": {"slots": [1, 2]},
    "slot": {"slot": 1},
    "explain": {"slot": 1},
    "blocks": {},
    "events": {},
    "plan": {"slots": [1]},
    "fill": {"slots": [1]},
    "trace": {},
    "status": {},
    "metrics": {},
    "members": {},
    "members.plan": {"kind": "move", "site": "bob", "address": "127.0.0.1:1"},
    "members.change": {"kind": "add-learner", "site": "carol", "address": "127.0.0.1:1"},
    "faults.add": {"rule": "to=bob type=hand-on delay=1ms", "expires_s": 500},
    "faults": {},
    "faults.set": {"number": 1, "on": False},
    "faults.remove": {"number": 1},
    "faults.clear": {},
    "faults.release": {},
    "faults.drop": {},
    "stop": {},
}


async def test_what_an_engine_says_is_what_its_shape_says_and_no_more(tmp_path: Path) -> None:
    assert ASKED.keys() == METHODS.keys()
    async with cluster(tmp_path, "alice", "bob", timings=QUICK) as sites:
        await sites.start_all()
        await status_where(sites.running["alice"], lambda status: status["quorum"]["reachable"] == 2)
        client = await sites.running["alice"].client()
        for method, params in ASKED.items():
            answer = await client.call(method, **params)
            assert to_builtins(read(answered_by(METHODS[method]), answer)) == told(answer)
        stopping = (await client.hears(lambda message: message.get("method") == "stopping"))["params"]
        assert to_builtins(read(EngineStops, stopping)) == stopping
        for topic, shape in ITEMS.items():
            if topic == LOG_SPAN:
                continue  # that is told of a busy log alone
            items = client.items(topic)
            assert items, f"nothing of {topic} was told"
            assert [to_builtins(read(shape, item)) | {"topic": topic} for item in items] == [
                told(each) for each in items
            ]


def told(said: object) -> object:
    """As a value of the contract has it: its lists are tuples."""
    match said:
        case dict():
            return {key: told(value) for key, value in said.items()}
        case list():
            return tuple(told(each) for each in said)
        case _:
            return said


async def test_a_status_tells_where_a_site_stands(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", timings=QUICK) as sites:
        await sites.start_all()
        status = await status_where(sites.running["alice"], lambda status: status["quorum"]["reachable"] == 2)
        assert status["quorum"] == {"reachable": 2, "needed": 2, "size": 2}
        assert {
            "datagrams_in",
            "datagrams_out",
            "bytes_in",
            "bytes_out",
            "rejected",
            "commits",
            "events",
            "faults",
        } <= set(status["counters"])
        assert status["data"] == str(tmp_path / "alice")
