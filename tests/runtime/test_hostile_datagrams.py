"""What the network may do to a site: it is counted by reason, unanswered and without effect (W2, W3)."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
import trio

from engine.core.ids import Nonce, SiteId
from engine.core.messages import AskHighest
from engine.datagram import Reason
from engine.runtime.peer_addresses import Address
from engine.runtime.udp import UdpSocket
from engine.wire import Wire
from tests.runtime.peer import Peer, bound, waiting
from tests.runtime.sites import CLUSTER, KEY, Running, cluster, status_where

ALICE, BOB, CAROL = SiteId("alice"), SiteId("bob"), SiteId("carol")


async def rejected(running: Running, reason: str, count: int) -> None:
    await status_where(running, lambda status: status["counters"]["rejected"].get(reason, 0) == count)


async def test_w3_a_bad_datagram_is_counted_by_its_reason_and_gets_no_answer(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        before = await alice.call("status")
        hostile = bound()
        peer = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        question = AskHighest(Nonce(1))
        sealed = peer.sealed(question)
        other_cluster = Wire(KEY, "elsewhere", BOB)
        other_key = Wire(bytes(32), CLUSTER, BOB)
        counts: dict[str, int] = {}
        for datagram, reason in (
            (b"", Reason.EMPTY),
            (b"\x4c", Reason.SHORT),
            (os.urandom(60_001), Reason.OVERSIZE),
            (b"\x00" + sealed[1:], Reason.VERSION),
            (sealed[:-1], Reason.FORGED),
            (peer.sealed(question, wire=other_cluster), Reason.FORGED),
            (peer.sealed(question, wire=other_key), Reason.FORGED),
            (peer.sealed(question, to=CAROL), Reason.NOT_FOR_US),
        ):
            counts[reason] = counts.get(reason, 0) + 1
            await hostile.sendto(datagram, alice.place)
            await rejected(alice, reason, counts[reason])
        assert waiting(hostile) == []
        after = await alice.call("status")
        assert after["counters"]["commits"] == before["counters"]["commits"]
        assert after["next"] == before["next"] == 1
        hostile.close()
        peer.close()


async def test_w1_what_another_life_says_is_counted_and_without_effect(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        peer = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB])
        await peer.say(AskHighest(Nonce(1)))
        await rejected(alice, "other-life", 1)
        peer.close()


async def test_a_site_whose_peers_are_not_there_survives_the_refusals(tmp_path: Path) -> None:
    """Nothing listens at the peers' ports: loopback answers each heartbeat with an ICMP port unreachable."""
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        alice = await sites.start("alice")
        sent = (await alice.call("status"))["counters"]["datagrams_out"]
        status = await status_where(alice, lambda status: status["counters"]["datagrams_out"] > sent + 10)
        assert status["quorum"]["reachable"] < status["quorum"]["needed"]


async def test_a_burst_is_taken_in_parts_and_in_order() -> None:
    """As many as the smallest usual socket buffer holds."""
    udp = await UdpSocket.bind(("127.0.0.1", 0))
    sender = bound()
    for number in range(150):
        await sender.sendto(number.to_bytes(4, "big"), udp.address)
    parts = [udp.receive(64) for _ in range(4)]
    assert list(map(len, parts)) == [64, 64, 22, 0]
    assert [int.from_bytes(each.data, "big") for part in parts for each in part] == list(range(150))
    assert (udp.counts.datagrams_in, udp.counts.bytes_in) == (150, 600)
    udp.close()
    sender.close()


class BadSocket(socket.socket):
    """A UDP socket whose next receives and sends fail as a network makes them fail."""

    failures: list[int]

    def recvfrom_into(self, buffer: memoryview) -> tuple[int, Address]:  # type: ignore[override]  # as UdpSocket does
        self._fail()
        return super().recvfrom_into(buffer)

    def sendto(self, data: bytes, to: Address) -> int:  # type: ignore[override]  # as UdpSocket calls it
        self._fail()
        return super().sendto(data, to)

    def _fail(self) -> None:
        if self.failures:
            code = self.failures.pop()
            raise OSError(code, os.strerror(code))


def bad_socket(*failures: int) -> UdpSocket:
    raw = BadSocket(socket.AF_INET, socket.SOCK_DGRAM)
    raw.failures = list(failures)
    raw.setblocking(False)
    raw.bind(("127.0.0.1", 0))
    return UdpSocket(raw)


@pytest.mark.parametrize(
    "code", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.ENOBUFS, errno.EPERM]
)
async def test_an_error_of_the_network_is_counted_by_name_and_survived(code: int) -> None:
    name = errno.errorcode[code]
    udp = bad_socket(code)
    assert udp.send(b"x", udp.address) == name
    assert udp.send(b"x", udp.address) is None
    assert udp.counts.send_errors == {name: 1}
    assert udp.counts.datagrams_out == 1
    udp.close()

    udp = bad_socket(code)
    sender = bound()
    await sender.sendto(b"y", udp.address)
    with trio.fail_after(10):
        await udp.readable()
    assert [each.data for each in udp.receive(512)] == [b"y"]
    assert udp.counts.receive_errors == {name: 1}
    sender.close()
    udp.close()


async def test_a_datagram_that_no_network_takes_is_counted() -> None:
    udp = await UdpSocket.bind(("127.0.0.1", 0))
    assert udp.send(bytes(70_000), udp.address) == "EMSGSIZE"
    udp.close()
