"""M1: who the peers are, and where: the log's word before the sites file's, and a proof before both."""

from __future__ import annotations

import socket
from itertools import count

import pytest

from engine.contract.answers import Direction
from engine.core.ids import Nonce, SiteId, Slot, Tick
from engine.core.messages import Ask, AskHighest
from engine.core.roster import Member, Removed, Roster, roster
from engine.datagram import DatagramSizes
from engine.runtime.faults import FaultLayer
from engine.runtime.peer_addresses import STRANGERS_MAX, HostPort, PeerAddresses
from engine.runtime.roll import Following, Roll
from engine.runtime.sizes import Sizes
from tests.strategies import SITES

ALICE, BOB, CAROL = SITES
DAVE = SiteId("dave")
FILE: dict[SiteId, HostPort] = {ALICE: ("192.0.2.1", 7001), BOB: ("192.0.2.2", 7001), CAROL: ("192.0.2.3", 7001)}


def of(*members: SiteId | tuple[SiteId, str], first: int = 1) -> Roster:
    pairs = [member if isinstance(member, tuple) else (member, None) for member in members]
    return roster(Slot(first), [Member(site, votes=True, address=address) for site, address in pairs])


def test_the_file_holds_where_the_log_says_nothing() -> None:
    roll = Roll(ALICE, FILE, (of(ALICE, BOB, CAROL),))
    assert (roll.names, roll.peers, roll.differs) == (SITES, (BOB, CAROL), None)
    assert roll.places == {BOB: FILE[BOB], CAROL: FILE[CAROL]}


def test_m1_the_log_knows_better_and_that_is_told() -> None:
    present = of(ALICE, (BOB, "[2001:db8::2]:7002"), CAROL)
    coming = of(ALICE, (BOB, "[2001:db8::2]:7002"), (DAVE, "192.0.2.4:7001"), first=9)
    roll = Roll(ALICE, FILE, (present, coming))
    assert roll.names == (*SITES, DAVE), "of both lists, while both hold"
    assert roll.places == {BOB: ("2001:db8::2", 7002), CAROL: FILE[CAROL], DAVE: ("192.0.2.4", 7001)}
    assert roll.differs == (
        "dave was added at 192.0.2.4:7001; carol is not in the cluster;"
        " bob is at [2001:db8::2]:7002, not at 192.0.2.2:7001"
    )
    left = Roll(ALICE, FILE, (of(ALICE, BOB),))
    assert left.places == {BOB: FILE[BOB]}, "nobody looks for carol any more"
    outside = Roll(DAVE, {**FILE, DAVE: ("192.0.2.4", 7001)}, (of(ALICE, BOB),))
    assert outside.places == FILE, "who is in no list asks whom it knows of"
    assert roll.in_the_file(BOB) == "192.0.2.2:7001"


def test_w5_an_address_in_the_log_that_is_none_leaves_what_the_file_says(caplog: pytest.LogCaptureFixture) -> None:
    roll = Roll(ALICE, FILE, (of(ALICE, (BOB, "300.0.2.2:7001")),))
    assert roll.places[BOB] == FILE[BOB]
    assert "the address of bob in the log is not valid" in caplog.text


def following(roll: Roll, resolved: list[SiteId]) -> Following:
    draws = count()
    addresses = PeerAddresses(socket.AF_INET, roll.places)
    sizes = Sizes(DatagramSizes(1_232, 1_452), roll.peers, lambda: next(draws).to_bytes(8, "big"))
    return Following(roll, addresses, sizes, FaultLayer(ALICE, roll.names, 0), resolved.append)


def test_m1_the_parts_of_a_running_site_follow_the_log() -> None:
    resolved: list[SiteId] = []
    parts = following(Roll(ALICE, FILE, (of(ALICE, BOB, CAROL),)), resolved)
    parts.sizes.heard(Tick(0), BOB)
    parts.sizes.answered(Tick(0), BOB, parts.sizes.due(Tick(0))[0].challenge)
    assert parts.sizes.of(BOB) == 1_452
    parts.faults.add("from=* type=ask drop", None)
    parts.follow((of(ALICE, BOB, (DAVE, "192.0.2.4:7001")),))
    assert resolved == [DAVE]
    assert parts.faults.add("partition alice | dave", None).on
    assert parts.faults.judge(Direction.OUT, DAVE, AskHighest(Nonce(1))).delays == ()
    asked = Ask(Nonce(1), ((Slot(1), Slot(1)),))
    assert parts.faults.judge(Direction.IN, DAVE, asked).delays == (), "`*` is whoever belongs to it by then"
    assert parts.sizes.of(BOB) == 1_452, "what was proved stays proved"
    parts.sizes.heard(Tick(0), CAROL)
    assert [question.peer for question in parts.sizes.due(Tick(0))] == [], "who left is asked nothing"
    parts.sizes.heard(Tick(0), DAVE)
    assert [question.peer for question in parts.sizes.due(Tick(0))] == [DAVE]


def test_m5_who_was_removed_ends_when_nobody_looks_at_it_any_more_unless_it_was_added_again() -> None:
    parts = following(Roll(ALICE, FILE, (of(ALICE, BOB, CAROL),)), [])
    parts.follow((of(BOB, CAROL),))
    parts.leave(Removed(Slot(3), Slot(5), needed=False))
    assert parts.ending(watched=True) is None
    assert parts.ending(watched=False) is not None
    parts.follow((of(BOB, CAROL), of(ALICE, BOB, CAROL, first=9)))
    assert parts.ending(watched=False) is None


async def test_a_peer_that_is_heard_stays_where_it_is_until_it_is_not() -> None:
    addresses = PeerAddresses(socket.AF_INET, {BOB: ("192.0.2.2", 7001)})
    await addresses.resolve_literals()
    addresses.heard(BOB)
    assert addresses.follow({BOB: ("192.0.2.20", 7001)}) == [BOB]
    await addresses.resolve(BOB)
    assert addresses.of(BOB) == ("192.0.2.2", 7001), "it has not moved yet"
    addresses.lost(BOB)
    assert addresses.of(BOB) == ("192.0.2.20", 7001)
    assert addresses.follow({BOB: ("192.0.2.21", 7001)}) == [BOB]
    await addresses.resolve(BOB)
    assert addresses.of(BOB) == ("192.0.2.21", 7001), "nobody hears it where it was"
    assert addresses.follow({BOB: ("192.0.2.21", 7001)}) == []


async def test_a_peer_that_left_is_reached_while_it_is_heard_so_that_it_learns_of_it() -> None:
    addresses = PeerAddresses(socket.AF_INET, {BOB: ("192.0.2.2", 7001)})
    await addresses.resolve_literals()
    addresses.heard(BOB)
    assert addresses.follow({}) == []
    assert addresses.of(BOB) == ("192.0.2.2", 7001)
    addresses.lost(BOB)
    assert addresses.of(BOB) is None


def test_r6_the_proved_addresses_of_strangers_are_bounded() -> None:
    addresses = PeerAddresses(socket.AF_INET, {BOB: ("192.0.2.2", 7001)})
    addresses.prove(BOB, ("192.0.2.9", 1))
    strangers = [SiteId(f"site-{number}") for number in range(STRANGERS_MAX + 1)]
    for stranger in strangers:
        addresses.prove(stranger, ("192.0.2.9", 7001))
    assert addresses.of(strangers[0]) is None
    assert addresses.of(strangers[-1]) == ("192.0.2.9", 7001)
    assert addresses.of(BOB) == ("192.0.2.9", 1), "a peer's is kept beside them"
    assert addresses.shown(strangers[0]) == "nowhere"
