"""M1, M5 on real sockets and stores: sites are added, moved and removed while the others run, and start again."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from engine.core.ids import SiteId, Tick
from engine.core.settings import Leadership, Timings
from engine.runtime.peer_addresses import HostPort
from tests.ports import free_ports
from tests.runtime.sites import WITHIN_S, Cluster, Running, cluster, status_where

QUICK = Timings(heartbeat=Tick(50), retransmit=Tick(30), fill_every=Tick(200), scan_every=Tick(300))
LAG = 16


def written(place: HostPort) -> str:
    return f"{place[0]}:{place[1]}"


async def change(at: Running, kind: str, site: str, address: HostPort | None = None) -> None:
    where = {} if address is None else {"address": written(address)}
    outcome = await at.call("members.change", kind=kind, site=site, force=True, timeout_s=WITHIN_S, **where)
    assert outcome["outcome"] == "created", outcome


async def tweet(at: Running, text: str) -> None:
    outcome = await at.call("submit", kind="tweet", text=text, retry=True)
    assert outcome["outcome"] == "created", outcome


def new_place() -> HostPort:
    return ("127.0.0.1", free_ports(1)[0])


async def added(sites: Cluster, name: str, by: str, *, started_before: bool) -> Running:
    """A new site that was added by another one, and votes, as that one knows; its sites file has only that one beside
    it."""
    place, asked = new_place(), sites.running[by]
    voters = (await asked.call("status"))["quorum"]["size"]
    if not started_before:
        await change(asked, "add", name, place)
    running = await sites.start(name, addresses={SiteId(name): place, asked.name: asked.place})
    if started_before:
        through = (await asked.call("status"))["chosen_through"]
        status = await status_where(running, lambda status: status["chosen_through"] >= through)
        assert not status["voting"], "a stranger is served, and counts nowhere"
        told = await asked.call("members")
        assert name not in {member["site"] for member in told["members"]}
        await change(asked, "add", name, place)
    await status_where(running, lambda status: status["voting"])
    await status_where(asked, lambda status: status["quorum"]["size"] == voters + 1 and status["coming"] is None)
    return running


@pytest.mark.parametrize("leadership", Leadership)
async def test_m1_sites_that_were_added_vote_in_the_place_of_all_that_were_there(
    tmp_path: Path, leadership: Leadership
) -> None:
    async with cluster(tmp_path, "alice", timings=QUICK) as sites:
        sites.leadership, sites.change_lag = leadership, LAG
        await sites.start_all()
        alice = sites.running["alice"]
        await tweet(alice, "first")
        bob = await added(sites, "bob", by="alice", started_before=False)
        carol = await added(sites, "carol", by="bob", started_before=True)
        status = await status_where(alice, lambda status: status["quorum"]["reachable"] == 3)
        at_bob, at_carol = written(bob.place), written(carol.place)
        assert status["sites_file"] == f"bob was added at {at_bob}; carol was added at {at_carol}"
        assert (await bob.call("status"))["sites_file"] == f"carol was added at {at_carol}"
        screen = await alice.client()
        await screen.call("subscribe", topics=["status"])

        await change(bob, "remove", "alice")
        removed = await status_where(alice, lambda status: not status["voting"])
        assert "removed" in removed["voting_why"]
        await status_where(carol, lambda status: status["quorum"] == {"reachable": 2, "needed": 2, "size": 2})
        assert (await alice.call("view"))["lines"] != [], "it goes on answering"
        await screen.stream.aclose()
        with trio.fail_after(WITHIN_S):
            await alice.ended.wait()
        assert alice.exit_status == 0, "its screen was left"

        await carol.stop()
        only_alice = {carol.name: carol.place, alice.name: alice.place}
        carol = await sites.start("carol", addresses=only_alice)
        await status_where(carol, lambda status: status["voting"])
        await tweet(carol, "bob is where the log says")
        lines = (await carol.call("view", limit=9))["lines"]
        assert [line["text"] for line in lines] == ["first", "bob is where the log says"]
        told = f"bob was added at {at_bob}; alice is not in the cluster"
        assert (await carol.call("status"))["sites_file"] == told


async def test_m1_a_site_that_moves_is_followed_and_the_log_says_where_it_is(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", timings=QUICK) as sites:
        sites.leadership, sites.change_lag = Leadership.ELECTED, LAG
        await sites.start_all()
        alice, bob = sites.running["alice"], sites.running["bob"]
        await tweet(alice, "both vote")
        await bob.stop()
        there = new_place()
        bob = await sites.start("bob", addresses={alice.name: alice.place, bob.name: there})
        await change(bob, "move", "bob", there)
        status = await status_where(alice, lambda status: status["sites_file"] is not None)
        assert status["sites_file"] == f"bob is at {written(there)}, not at {written(sites.addresses[bob.name])}"
        assert status["peers"]["bob"]["address"] == written(there)

        await alice.stop()
        alice = await sites.start("alice")
        assert (await alice.call("status"))["peers"]["bob"]["address"] == written(there), "before it is heard"
        await tweet(alice, "bob is where the log says")
