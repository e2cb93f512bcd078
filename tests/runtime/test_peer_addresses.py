"""Where peers are: configured, proved by a fresh challenge (W1), looked for again."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.core.ids import SiteId, Tick
from engine.core.messages import Heartbeat, Hello, Verdict, Welcome
from engine.runtime.peer_addresses import FAILURES_TOLD, RESOLVE_EVERY, Address, PeerAddresses, resolve, show
from tests.runtime.peer import Peer, bound, waiting
from tests.runtime.sites import cluster, eventually, status_where

ALICE, BOB, CAROL = SiteId("alice"), SiteId("bob"), SiteId("carol")


async def test_w1_a_peer_behind_nat_is_answered_where_it_proved_to_be(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        translated = bound()
        address = f"127.0.0.1:{translated.getsockname()[1]}"

        async def known_after_greeting() -> Any:
            """Who is silent for long is looked for elsewhere, so he greets as often as it takes."""
            await bob.greet(through=translated)
            await bob.hears(Heartbeat, through=translated)
            return (await alice.call("status"))["peers"]["bob"]["address"]

        await eventually(known_after_greeting, lambda known: known == address)
        # Bob says nothing more: alice does not hear him and looks for him where the sites file says.
        waiting(bob.socket)
        await bob.hears(Heartbeat)
        configured = f"127.0.0.1:{sites.addresses[BOB][1]}"
        assert (await alice.call("status"))["peers"]["bob"]["address"] == configured
        translated.close()
        bob.close()


async def test_w1_a_hello_sent_again_from_elsewhere_is_answered_there_and_moves_nothing(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        recorded = await bob.greet()
        thief = bound()
        await thief.sendto(recorded, alice.place)
        await bob.hears(Welcome, through=thief)
        configured = f"127.0.0.1:{sites.addresses[BOB][1]}"
        assert (await alice.call("status"))["peers"]["bob"]["address"] == configured
        await bob.hears(Heartbeat)
        assert all(len(datagram) < 400 for datagram in waiting(thief)), "W3: an answer is small"
        thief.close()
        bob.close()


async def test_a_greeting_has_a_packet_of_its_own(tmp_path: Path) -> None:
    """A first hello addresses any life, so whatever went with it would be dropped (D5)."""
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        await bob.greet()
        asked = await bob.hears(Hello, fits=lambda hello: hello.proof is None)
        await bob.say(Welcome(asked.nonce, Verdict.RECORDED, None, ""))
        await bob.hears(Heartbeat)
        # Bob is silent from here: the tick that finds this greets him anew, beside a heartbeat.
        again = await bob.hears_packet(Hello)
        assert len(again.messages) == 1
        assert again.to_life is None
        bob.close()


async def test_names_are_resolved_at_start_and_again_while_their_peer_is_silent_at_a_bounded_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: dict[str, str] = {"127.0.0.1": "127.0.0.1"}
    asked: list[str] = []

    async def resolver(host: str, port: int, _: socket.AddressFamily) -> Address:
        await trio.lowlevel.checkpoint()
        asked.append(host)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known[host], port

    monkeypatch.setattr("engine.runtime.peer_addresses.resolve", resolver)
    peer_addresses = PeerAddresses(socket.AF_INET, {BOB: ("bob.example", 7002), CAROL: ("127.0.0.1", 7003)})
    await peer_addresses.resolve_literals()
    assert peer_addresses.of(CAROL) == ("127.0.0.1", 7003)
    assert peer_addresses.to_resolve(Tick(0)) == [BOB]
    await peer_addresses.resolve(BOB)
    assert peer_addresses.of(BOB) is None
    assert peer_addresses.shown(BOB) == "bob.example:7002"
    assert peer_addresses.to_resolve(Tick(RESOLVE_EVERY - 1)) == []
    assert peer_addresses.deadline() == RESOLVE_EVERY
    known["bob.example"] = "192.0.2.7"
    assert peer_addresses.to_resolve(RESOLVE_EVERY) == [BOB]
    await peer_addresses.resolve(BOB)
    assert peer_addresses.of(BOB) == ("192.0.2.7", 7002)
    peer_addresses.heard(BOB)
    assert peer_addresses.to_resolve(Tick(10 * RESOLVE_EVERY)) == []
    assert peer_addresses.deadline() is None, "a cluster whose sites hear each other asks no resolver"
    del known["bob.example"]
    peer_addresses.lost(BOB)
    assert peer_addresses.deadline() == 2 * RESOLVE_EVERY, "the rate is bounded however often a peer comes and goes"
    await peer_addresses.resolve(BOB)
    assert peer_addresses.of(BOB) == ("192.0.2.7", 7002), "a resolver that is down takes nothing away"
    assert asked == ["127.0.0.1", *["bob.example"] * 3]


async def test_what_is_no_host_name_has_no_address() -> None:
    with pytest.raises(socket.gaierror, match="is not a host name"):
        await resolve("a" * 70 + ".example", 7001, socket.AF_INET)


def test_a_proof_at_the_configured_address_keeps_nothing() -> None:
    peer_addresses = PeerAddresses(socket.AF_INET, {BOB: ("127.0.0.1", 7002)})
    peer_addresses.prove(BOB, ("192.0.2.7", 999))
    assert peer_addresses.of(BOB) == ("192.0.2.7", 999)
    peer_addresses.lost(BOB)
    assert peer_addresses.of(BOB) is None


@pytest.mark.parametrize(
    ("address", "shown"), [(("127.0.0.1", 7001), "127.0.0.1:7001"), (("::1", 7001, 0, 0), "[::1]:7001")]
)
def test_addresses_are_shown_as_sites_files_have_them(address: Address, shown: str) -> None:
    assert show(address) == shown


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6 on loopback")
async def test_sites_speak_over_ipv6(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        sites.addresses = {site: ("::1", port) for site, (_, port) in sites.addresses.items()}
        await sites.start_all()
        status = await status_where(sites.running["alice"], lambda status: status["quorum"]["reachable"] == 2)
        assert status["udp"] == f"[::1]:{sites.addresses[ALICE][1]}"


def test_a_peer_to_which_nothing_can_be_sent_is_told_of_once_until_it_works(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer_addresses = PeerAddresses(socket.AF_INET, {BOB: ("192.0.2.2", 7002)})
    for error in ("ENETUNREACH", "EINVAL", "ENOBUFS", *["EINVAL"] * (FAILURES_TOLD - 2)):
        peer_addresses.sent(BOB, error)
    assert peer_addresses.unsent is None
    for _ in range(3):
        peer_addresses.sent(BOB, "EINVAL")
    told = "nothing can be sent to bob at 192.0.2.2:7002 (Invalid argument): check both addresses in the sites file"
    assert peer_addresses.unsent == told
    assert caplog.messages == [told]
    peer_addresses.sent(BOB, None)
    assert peer_addresses.unsent is None
    assert caplog.messages == [told, "datagrams to bob can be sent again"]
