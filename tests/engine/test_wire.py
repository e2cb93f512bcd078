"""W1 to W4 of both rooms together: what a node sends is taken, and nothing else is, whatever the bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import ENVELOPE_BYTES
from engine.core.entry import Entry, Stamped, Tweet, encode
from engine.core.ids import NUMBER_MAX, Ballot, Round, SiteId, Slot, StoreId
from engine.core.log.pages import cost_bytes
from engine.core.messages import Packet, Promise
from engine.core.run import AcceptedRun
from engine.datagram import DATAGRAM_BYTES_FAR, DATAGRAM_BYTES_LOOPBACK, DATAGRAM_BYTES_MAX, Reason, Rejected
from engine.seal import Seal
from engine.wire import Wire
from tests.strategies import SITES, packets

KEY = bytes(range(32))
ALICE, BOB, _CAROL = SITES
MARKS = (b"\x01", b"\x02", b"\x03", b"\x04", b"\x05")
"""What a plaintext that is no packet begins with: a part, a sounding, its echo, a question for founders, its answer."""


def _wire(key: bytes | None = KEY) -> Wire:
    return Wire(key, "island", BOB)


@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
@given(packet=packets(ALICE), datagram_bytes_max=st.integers(100, 3_000))
def test_a_packet_arrives(key: bytes | None, packet: Packet, datagram_bytes_max: int) -> None:
    datagrams = Wire(key, "island", ALICE).seal(BOB, packet, datagram_bytes_max)
    bob = _wire(key)
    packets = [opened for datagram in datagrams if isinstance(opened := bob.open(datagram), Packet)]
    assert tuple(message for part in packets for message in part.messages) == packet.messages
    assert {part.sender for part in packets} == {ALICE}
    assert max(map(len, datagrams)) <= datagram_bytes_max


@given(noise=st.binary(max_size=200))
def test_w2_noise_is_rejected(noise: bytes) -> None:
    with pytest.raises(Rejected):
        _wire().open(noise)


@given(packet=packets(ALICE), data=st.data())
def test_w2_a_mutilated_datagram_is_rejected(packet: Packet, data: st.DataObject) -> None:
    datagram = bytearray(Wire(KEY, "island", ALICE).seal(BOB, packet, 3_000)[0])
    start = data.draw(st.integers(0, len(datagram)))
    instead = data.draw(st.binary(max_size=20))
    mutilated = bytes(datagram[:start] + instead + datagram[start + data.draw(st.integers(0, 20)) :])
    if mutilated == bytes(datagram):
        return
    with pytest.raises(Rejected):
        _wire().open(mutilated)


@given(plaintext=st.binary(max_size=200).filter(lambda noise: noise[:1] not in MARKS))
def test_w2_noise_under_the_right_key_is_rejected(plaintext: bytes) -> None:
    with pytest.raises(Rejected):
        _wire().open(Seal(KEY, "island", ALICE).seal(BOB, plaintext))


@given(mark=st.sampled_from(MARKS), noise=st.binary(max_size=200))
def test_w2_noise_behind_a_mark_is_rejected_or_is_no_packet(mark: bytes, noise: bytes) -> None:
    """A part may well be any bytes: what it completes is decoded as a packet is."""
    try:
        opened = _wire().open(Seal(KEY, "island", ALICE).seal(BOB, mark + noise))
    except Rejected:
        return
    assert not isinstance(opened, Packet)


def test_w1_nothing_is_decoded_before_it_opened() -> None:
    """What is not JSON, under another key, is forged: its content was not looked at."""
    for plaintext in (b"not json", b"[]"):
        with pytest.raises(Rejected, match=Reason.FORGED):
            _wire().open(Seal(bytes(32), "island", ALICE).seal(BOB, plaintext))


@pytest.mark.parametrize("datagram_bytes_max", [DATAGRAM_BYTES_FAR, DATAGRAM_BYTES_LOOPBACK, DATAGRAM_BYTES_MAX])
@pytest.mark.parametrize(
    "text", ["a", "a" * 200, "\U0001f600" * 30, '"' * 100], ids=["short", "long", "wide", "quoted"]
)
def test_w4_a_page_of_entries_fits_a_datagram(datagram_bytes_max: int, text: str) -> None:
    """The budget that `Cluster.settings` hands the core, spent as the core spends it, with names and numbers at their
    longest: the longest message of entries, a promise of which each was accepted at its own ballot, is still within the
    limit."""
    sites = SiteId("a" * 16), SiteId("b" * 16)
    entry = Entry(sites[0], NUMBER_MAX, NUMBER_MAX - 1, encode(Stamped(Tweet(text), NUMBER_MAX)))
    ballot = Ballot(Round(NUMBER_MAX), sites[1])
    item = AcceptedRun(Slot(NUMBER_MAX), ballot, (entry,))
    page = (item,) * ((datagram_bytes_max - ENVELOPE_BYTES) // cost_bytes((entry,)))
    promise = Promise(ballot, Slot(NUMBER_MAX), Slot(NUMBER_MAX), page, (), ())
    life = StoreId("f" * 16)
    packet = Packet(sites[0], life, NUMBER_MAX, life, (promise,))
    [datagram] = Wire(KEY, "island", sites[0]).seal(sites[1], packet, datagram_bytes_max)
    assert len(page) > 1
    assert len(datagram) <= datagram_bytes_max
    assert Wire(KEY, "island", sites[1]).open(datagram) == packet
