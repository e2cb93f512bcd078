"""Linearizable reads over real sockets: what `view` with `fresh` waits for, shows and says of itself (R5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.ids import Tick
from engine.core.settings import Timings
from tests.runtime.sites import Cluster, RpcFailed, Running, cluster, eventually, status_where

UNHURRIED = Timings(heartbeat=Tick(50), retransmit=Tick(30), fill_every=Tick(60_000), scan_every=Tick(60_000))
"""Nothing is filled unless somebody asks for it; what a peer claims is copied."""


async def all_up(sites: Cluster) -> None:
    for running in sites.running.values():
        await status_where(running, lambda status: status["quorum"]["reachable"] == 3 and not status["recovering"])


async def created(running: Running, text: str) -> int:
    outcome = await running.call("submit", kind="tweet", text=text, timeout_s=30)
    assert outcome["outcome"] == "created"
    slot: int = outcome["slot"]
    return slot


def texts(view: Any) -> list[str]:
    return [line["text"] for line in view["lines"]]


async def test_r5_a_linearizable_view_has_what_was_created_elsewhere_before_it(tmp_path: Path) -> None:
    """Carol is told of nothing that is chosen: a plain view lacks it, a fresh one waits until it is here."""
    async with cluster(tmp_path, "alice", "bob", "carol", timings=UNHURRIED) as sites:
        await sites.start_all()
        await all_up(sites)
        carol = sites.running["carol"]
        await carol.call("faults.add", rule="from=* type=chosen,known,promise drop")
        slot = await created(sites.running["alice"], "lunch at noon?")
        plain = await carol.call("view")
        assert (texts(plain), plain["fresh"]) == ([], None)
        assert (await carol.call("status"))["fresh_at"] is None
        client, before = await carol.client(), await answers(carol)
        request = await client.send("view", fresh=True, timeout_s=1_000)
        await eventually(lambda: answers(carol), lambda count: count > before)
        await carol.call("faults.clear")
        view = await client.answer(request)
        assert texts(view) == ["lunch at noon?"]
        fresh = view["fresh"]
        said = {"confirmed": True, "bound": slot, "at": fresh["at"], "voters": fresh["voters"], "reason": None}
        assert fresh == said | {"answered": None, "waits_for": None}
        assert {"carol"} < set(fresh["voters"]) <= set(sites.sites)
        assert (await carol.call("status"))["fresh_at"] == fresh["at"]
        trace = (await carol.call("trace", limit=1_000))["lines"]
        (line,) = [line for line in trace if line["type"] == "fresh"]
        assert (line["dir"], line["slot"]) == ("self", slot)


async def test_r5_without_a_majority_a_linearizable_view_shows_what_is_here_and_says_the_counts(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol", timings=UNHURRIED) as sites:
        await sites.start_all()
        await all_up(sites)
        alice = sites.running["alice"]
        await created(alice, "before the cut")
        await alice.call("faults.add", rule="from=* type=highest drop")
        reason = "fault rule 1 drops the answers from bob and carol; 1 of 3 answered, 2 needed"
        view = await eventually(
            lambda: alice.call("view", fresh=True, timeout_s=0.2), lambda view: view["fresh"]["reason"] == reason
        )
        assert texts(view) == ["before the cut"]
        said: dict[str, object] = {"confirmed": False, "bound": None, "at": None, "voters": [], "reason": reason}
        assert view["fresh"] == said | {"answered": 1, "waits_for": None}
        assert (await alice.call("status"))["fresh_at"] is None
        await alice.call("faults.clear")
        assert (await alice.call("view", fresh=True, timeout_s=30))["fresh"]["confirmed"]


async def test_r5_a_linearizable_view_that_cannot_be_complete_names_the_slot(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol", timings=UNHURRIED) as sites:
        await sites.start_all()
        await all_up(sites)
        carol = sites.running["carol"]
        await carol.call("faults.add", rule="from=* type=chosen,known,promise drop")
        slot = await created(sites.running["alice"], "carol does not hear that this is chosen")
        client = await carol.client()
        before = await answers(carol)
        request = await client.send("view", fresh=True, timeout_s=1_000)
        await status_where(carol, lambda status: status["holes"] == [slot])
        await eventually(lambda: answers(carol), lambda count: count > before)
        assert await client.call("give_up", requests=[request]) == {"given_up": 1}
        view = await client.answer(request)
        assert (view["lines"], view["fresh"]["bound"], view["fresh"]["waits_for"]) == ([], slot, slot)
        has, rule, given_up, said = view["fresh"]["reason"].split("; ")
        assert (given_up, said) == (
            "given up by the client that asked",
            f"slot {slot} is not settled yet, and the log goes up to slot {slot}",
        )
        assert "have it" in has or "has it" in has
        assert rule.startswith("fault rule 1 drops ")


async def answers(running: Running) -> int:
    """How many sites told it so far how far the log goes."""
    lines = (await running.call("trace", limit=5_000))["lines"]
    return sum((line["type"], line["dir"]) == ("highest", "in") for line in lines)


async def test_r5_reads_that_are_asked_for_at_once_are_each_answered(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        await all_up(sites)
        await created(sites.running["bob"], "hello")
        client = await sites.running["alice"].client()
        requests = range(1_000, 1_050)
        params = {"fresh": True, "timeout_s": 30}
        await client.write(*({"jsonrpc": "2.0", "id": n, "method": "view", "params": params} for n in requests))
        for request in requests:
            view = await client.answer(request)
            assert (texts(view), view["fresh"]["confirmed"]) == (["hello"], True)
        trace = (await client.call("trace", limit=5_000))["lines"]
        asked = [line for line in trace if (line["type"], line["dir"], line["peer"]) == ("ask-highest", "out", "bob")]
        assert len(asked) < 25, "they share questions"


async def test_r5_a_cluster_of_one_site_confirms_at_once(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        slot = await created(alice, "alone")
        view = await alice.call("view", fresh=True)
        assert texts(view) == ["alone"]
        assert (view["fresh"]["bound"], view["fresh"]["voters"]) == (slot, ["alice"])


async def test_a_linearizable_view_that_waits_when_the_engine_stops_is_told_so(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        client = await alice.client()
        request = await client.send("view", fresh=True, timeout_s=1_000)
        await client.call("status")
        assert await alice.stop() == 0
        with pytest.raises(RpcFailed) as failed:
            await client.answer(request)
        assert failed.value.code == 2
