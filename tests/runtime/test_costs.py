"""What events cost, as `status` counts it: nothing while the cluster is idle, and over all sites what it spends."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from engine.contract.status import PerEvent
from engine.core.effects import SawApplied
from engine.core.entry import NOOP, Entry, Operation, Stamped, Tweet, encode
from engine.core.ids import Ballot, Nonce, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import AskHighest, Heartbeat, Prepare
from engine.core.run import Run
from engine.core.settings import Leadership
from engine.core.storage import PeerMemory, WritePeer, WriteRound
from engine.runtime.costs import Costs
from tests.runtime.sites import Running, cluster, eventually, status_where

ALICE = SiteId("alice")
BEAT = Heartbeat(Leadership.NONE, True, Slot(0), Slot(0), Tick(1), None, 0, Tick(500), None, False, None)
PREPARE = Prepare(Ballot(Round(1), ALICE), Slot(1), Slot(1))


def applied(*entries: Entry, void: tuple[int, ...] = ()) -> SawApplied:
    return SawApplied(Run(Slot(1), entries), tuple(map(Slot, void)))


def entry(operation: Operation) -> Entry:
    return Entry(ALICE, 1, 0, encode(Stamped(operation, 0)))


def test_upkeep_is_no_cost_of_events() -> None:
    costs = Costs()
    costs.took([BEAT], 150)
    costs.sent([BEAT, AskHighest(Nonce(1))], [200])
    costs.committed([WritePeer(PeerMemory(ALICE, StoreId("0" * 16), 7))])
    assert costs == Costs()


def test_what_carries_an_event_counts_and_upkeep_beside_it_does_not() -> None:
    costs = Costs()
    costs.took([BEAT, PREPARE], 250)
    costs.sent([PREPARE, PREPARE], [900, 300])
    costs.committed([WritePeer(PeerMemory(ALICE, StoreId("0" * 16), 7)), WriteRound(Round(1))])
    assert costs == Costs(0, 1, 2, 1, 2, 250, 1_200, 1)


def test_quotients_are_over_the_entries_that_took_effect() -> None:
    """E5: a void entry and a no-op are no events."""
    costs = Costs(messages_out=9, datagrams_out=6, bytes_out=1_000, commits=4)
    assert costs.told().per_event == PerEvent(None, None, None, None)
    hello = entry(Tweet("hello"))
    for saw in (applied(NOOP), applied(hello, NOOP, hello, void=(1,)), applied(hello, hello)):
        costs.applied(saw)
    assert costs.told().events == 3
    assert costs.told().per_event == PerEvent(messages=3.0, datagrams=2.0, bytes=333.3333, syncs=1.3333)


async def costs_of(running: Running) -> Any:
    return (await running.call("status"))["counters"]["costs"]


async def idle_costs(running: Running) -> Any:
    """The costs, if twenty messages of upkeep add nothing: None while an event's last ones may still be under way."""
    before, sent = await costs_of(running), (await running.call("status"))["counters"]["messages_out"]
    await status_where(running, lambda status: status["counters"]["messages_out"] >= sent + 20)
    return before if await costs_of(running) == before else None


async def test_the_sites_together_tell_what_an_event_costs_and_an_idle_cluster_adds_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        await sites.start_all()
        outcomes = [await sites.running["alice"].call("submit", kind="tweet", text=f"tweet {n}") for n in range(5)]
        assert {outcome["outcome"] for outcome in outcomes} == {"created"}
        for running in sites.running.values():
            await status_where(running, lambda status: status["chosen_through"] == 5)
        quiet = [partial(idle_costs, running) for running in sites.running.values()]
        told = [await eventually(costs, lambda idle: idle is not None) for costs in quiet]
        assert [costs["events"] for costs in told] == [5, 5, 5]
        assert sum(costs["per_event"]["messages"] for costs in told) >= 10.0, "prepare, accept and chosen, to two sites"
        assert sum(costs["per_event"]["syncs"] for costs in told) >= 6.0, "its promise and its acceptance, at each"
