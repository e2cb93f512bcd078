"""A slot's biography on the control socket, among real sites with real stores: states, the dead, restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.ids import Tick
from engine.core.settings import Timings
from tests.runtime.sites import Cluster, RpcFailed, Running, cluster, eventually, status_where

NEVER_FILLS = Timings(heartbeat=Tick(50), retransmit=Tick(30), fill_every=Tick(60_000), scan_every=Tick(60_000))
SELF = ("self", "chosen")
SITE_KEYS = "site answered voting maxPrepare accNum accVal learned learned_at learned_how learned_from"


async def started(sites: Cluster) -> list[Running]:
    """All of them, ready to propose."""
    await sites.start_all()
    for running in sites.running.values():
        await status_where(running, lambda status: not status["recovering"] and status["voting"])
    return list(sites.running.values())


async def explained(running: Running, slot: int, timeout_s: float = 20) -> Any:
    return await running.call("explain", slot=slot, timeout_s=timeout_s)


async def explained_by(running: Running, slot: int, *answering: str) -> Any:
    """What they tell once exactly these sites answer: who is not heard just now is not waited for."""
    return await eventually(
        lambda: explained(running, slot, timeout_s=0.5),
        lambda told: {site["site"] for site in told["sites"] if site["answered"]} == set(answering),
    )


async def test_a_learned_slot_names_its_quorum_and_who_knew_when(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice, bob, carol = await started(sites)
        outcome = await alice.call("submit", kind="tweet", text="hello")
        slot = outcome["slot"]
        for running in (bob, carol):
            await status_where(running, lambda status: status["chosen_through"] >= slot)
        told = await explained_by(bob, slot, "alice", "bob", "carol")
        assert " ".join(told) == "slot state may_be_chosen sentence entry void quorum sites ballots"
        assert (told["state"], told["entry"]["text"], told["void"]) == ("learned", "hello", False)
        assert told["quorum"]["counted_by"] == "alice"
        (line,) = (await bob.call("log", **{"from": slot, "to": slot}))["lines"]
        assert line["chosen_at"] == told["quorum"]["ballot"]
        (concluded,) = (
            each["at"] for each in (await bob.call("trace", slot=slot))["lines"] if (each["dir"], each["type"]) == SELF
        )
        assert concluded == told["sites"][1]["learned_at"], "one moment is told as one"
        assert len(told["quorum"]["sites"]) == 2
        assert [" ".join(site) for site in told["sites"]] == [SITE_KEYS] * 3
        assert [site["learned_how"] for site in told["sites"]] == ["votes", "chosen", "chosen"]
        assert all(site["learned_at"].endswith("Z") for site in told["sites"])
        assert [ballot["chosen"] for ballot in told["ballots"]][-1]


async def test_a_minority_and_the_dead_may_be_a_majority_and_nothing_changes_by_asking(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol", "dave", "erin", timings=NEVER_FILLS) as sites:
        alice, bob, _, dave, erin = await started(sites)
        for other in ("bob", "carol", "dave"):
            await erin.call("faults.add", rule=f"to={other} type=accept drop")
        client = await erin.client()
        request = await client.send("submit", kind="tweet", text="of a minority", timeout_s=1_000)
        await eventually(lambda: alice.call("data", slots=[1]), lambda data: data["lines"][0]["accNum"] is not None)
        await client.call("give_up", requests=[request])
        outcome = await client.answer(request)
        assert (outcome["outcome"], outcome["slot"]) == ("unknown", 1)
        told = await explained_by(bob, 1, "alice", "bob", "carol", "dave", "erin")
        assert (told["state"], told["may_be_chosen"], told["quorum"]) == ("accepted", False, None)
        ballot = told["ballots"][0]
        assert ballot["accepted"] == ["alice", "erin"]
        assert told["entry"]["text"] == "of a minority"
        assert told["sites"][0]["accVal"]["text"] == "of a minority"
        assert told["sites"][1]["accVal"] is None
        await dave.stop()
        told = await explained_by(bob, 1, "alice", "bob", "carol", "erin")
        assert (told["state"], told["may_be_chosen"]) == ("accepted", True)
        assert told["sites"][3] == dict.fromkeys(SITE_KEYS.split()) | {"site": "dave", "answered": False}
        assert "dave did not answer: may be chosen" in told["sentence"]
        assert (await alice.call("status"))["chosen_through"] == 0


async def test_after_restarts_the_rows_still_prove_the_quorum_and_times_are_blank(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice, bob, carol = await started(sites)
        slot = (await alice.call("submit", kind="tweet", text="hello"))["slot"]
        for running in (alice, bob, carol):
            await status_where(running, lambda status: status["chosen_through"] >= slot)
            await running.stop()
        alice, *_ = await started(sites)
        told = await explained_by(alice, slot, "alice", "bob", "carol")
        assert told["state"] == "learned"
        assert told["quorum"]["counted_by"] is None
        assert len(told["quorum"]["sites"]) >= 2
        assert [site["learned"] for site in told["sites"]] == [True, True, True]
        assert [site["learned_at"] for site in told["sites"]] == [None, None, None]


async def test_a_slot_of_the_future_is_empty_and_what_is_no_slot_is_refused(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        (alice,) = await started(sites)
        told = await explained(alice, 2**53)
        assert (told["state"], told["may_be_chosen"], told["ballots"]) == ("empty", False, [])
        for bad in (0, -1, 1.5, True, "1", 2**53 + 1, None):
            with pytest.raises(RpcFailed) as failed:
                await alice.call("explain", slot=bad)
            assert failed.value.code == -32602


async def test_the_questions_are_no_part_of_the_trace_unless_a_fault_took_them(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice, *_ = await started(sites)
        slot = (await alice.call("submit", kind="tweet", text="hello"))["slot"]
        await explained(alice, slot)
        asking = {"ask-slot", "slot-state"}
        assert not asking & {line["type"] for line in (await alice.call("trace"))["lines"]}
        await alice.call("faults.add", rule="to=bob type=ask-slot drop")
        await explained_by(alice, slot, "alice", "carol")
        dropped = [line for line in (await alice.call("trace"))["lines"] if line["type"] in asking]
        assert {(line["type"], line["peer"], line["slot"]) for line in dropped} == {("ask-slot", "bob", slot)}
        assert not asking & {line["type"] for line in (await alice.call("trace", slot=slot))["lines"]}
