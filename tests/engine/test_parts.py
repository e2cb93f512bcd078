"""W4: what is longer than a datagram goes in parts. R6, W2: what a sender leaves incomplete is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec import encode_packet
from engine.core.entry import TEXT_MAX, Entry, Stamped, Tweet, encode
from engine.core.ids import NUMBER_MAX, Ballot, Nonce, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    Act,
    Ask,
    AskHighest,
    AskSlot,
    Cause,
    Chosen,
    Deed,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    How,
    Known,
    Learning,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.run import AcceptedRun, run_of
from engine.core.settings import HEARTBEAT_MAX, Leadership
from engine.datagram import (
    DATAGRAM_BYTES_FAR,
    DATAGRAM_BYTES_LOOPBACK,
    DATAGRAM_BYTES_MIN,
    PLAINTEXT_BYTES_MAX,
    SEAL_BYTES,
    Reason,
    Rejected,
    TooLong,
)
from engine.parts import INCOMPLETE_BYTES_MAX, INCOMPLETE_MAX, PART_BYTES, Cutter, Reassembly
from engine.seal import Seal
from engine.senders import SENDERS_MAX
from engine.wire import Wire
from tests.strategies import SITES, packets

KEY = bytes(range(32))
ALICE, BOB, CAROL = SITES
LIMITS = [DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_FAR, DATAGRAM_BYTES_LOOPBACK]

LONG = SiteId("a" * 16), SiteId("b" * 16)
LIFE = StoreId("f" * 16)
LARGEST_SLOT = Slot(NUMBER_MAX)
LARGEST_BALLOT = Ballot(Round(NUMBER_MAX), LONG[1])
LARGEST_NONCE = Nonce(NUMBER_MAX)


def largest_entry(text: str) -> Entry:
    return Entry(LONG[0], NUMBER_MAX, NUMBER_MAX - 1, encode(Stamped(Tweet(text), NUMBER_MAX)))


def largest(entry: Entry) -> list[Message]:
    """Every message that there is, about one slot, with the largest numbers and the longest names."""
    slot, at, nonce, span = LARGEST_SLOT, LARGEST_BALLOT, LARGEST_NONCE, (LARGEST_SLOT, LARGEST_SLOT)
    run, refused = run_of(slot, entry), RefusedSpan(slot, slot, at, Cause.NOT_VOTING)
    learning, deed = Learning(How.CHOSEN, at, LONG[0], LONG, NUMBER_MAX), Deed(Act.ACCEPTED, at, NUMBER_MAX)
    return [
        Prepare(at, slot, slot),
        Promise(at, slot, slot, (AcceptedRun(slot, at, (entry,)),), (run,), (refused,)),
        Accept(at, run),
        Accepted(at, (span,)),
        Refused(at, "prepare", (refused,)),
        Chosen(slot, slot, at, (entry,)),
        Ask(nonce, (span,)),
        Known(nonce, slot, slot, (run,)),
        AskHighest(nonce),
        Highest(nonce, slot, slot),
        Hello(nonce, nonce, "0" * 16),
        Welcome(nonce, Verdict.LOST_DISK, nonce, "\U0001f600" * 280),
        Heartbeat(
            *(Leadership.LAST_AUTHOR, False, slot, slot, Tick(NUMBER_MAX), Tick(NUMBER_MAX), NUMBER_MAX),
            *(HEARTBEAT_MAX, at, False, at),
        ),
        HandOn((entry,), relayed=False),
        AskSlot(nonce, slot),
        SlotState(nonce, slot, False, at, at, entry.digest, entry, False, learning, (deed,) * 9),
    ]


def together(wire: Wire, datagrams: list[bytes]) -> tuple[Message, ...]:
    opened = [wire.open(datagram) for datagram in datagrams]
    return tuple(message for packet in opened if isinstance(packet, Packet) for message in packet.messages)


@pytest.mark.parametrize("bytes_max", LIMITS)
@pytest.mark.parametrize("character", ["\U0001f600", '"', "\\", "a"], ids=["four bytes", "quote", "backslash", "one"])
def test_w4_no_datagram_exceeds_the_limit_with_the_largest_values_of_every_message(
    character: str, bytes_max: int
) -> None:
    said = largest(largest_entry(character * TEXT_MAX))
    assert {type(message) for message in said} == set(Message.__args__), "a message that is not tried here"
    for messages in (*((message,) for message in said), tuple(said), tuple(reversed(said))):
        packet = Packet(LONG[0], LIFE, NUMBER_MAX, LIFE, messages)
        datagrams = Wire(KEY, "island", LONG[0]).seal(LONG[1], packet, bytes_max)
        assert max(map(len, datagrams)) <= bytes_max
        assert together(Wire(KEY, "island", LONG[1]), datagrams) == messages


@pytest.mark.parametrize("bytes_max", LIMITS)
@given(packet=packets(ALICE))
@settings(max_examples=50)
def test_w4_no_datagram_exceeds_the_limit_whatever_is_said(bytes_max: int, packet: Packet) -> None:
    datagrams = Wire(KEY, "island", ALICE).seal(BOB, packet, bytes_max)
    assert max(map(len, datagrams)) <= bytes_max
    assert together(Wire(KEY, "island", BOB), datagrams) == packet.messages


@pytest.mark.parametrize("bytes_max", LIMITS)
def test_w4_a_message_as_long_as_any_may_be_arrives(bytes_max: int) -> None:
    def said(length: int) -> Packet:
        return Packet(ALICE, LIFE, 1, LIFE, (Welcome(Nonce(1), Verdict.RECORDED, None, "x" * length),))

    around = len(encode_packet(said(0), 10**6)[0])
    longest, wire = said(PLAINTEXT_BYTES_MAX - around), Wire(KEY, "island", ALICE)
    datagrams = wire.seal(BOB, longest, bytes_max)
    assert max(map(len, datagrams)) <= bytes_max
    assert together(Wire(KEY, "island", BOB), datagrams) == longest.messages
    with pytest.raises(TooLong):
        wire.seal(BOB, said(PLAINTEXT_BYTES_MAX - around + 1), bytes_max)


@given(plaintext=st.binary(min_size=101, max_size=5_000), bytes_max=st.integers(40, 100), data=st.data())
def test_parts_come_together_in_any_order_and_twice(plaintext: bytes, bytes_max: int, data: st.DataObject) -> None:
    parts = Cutter(2**64 - 1).cut(plaintext, bytes_max)
    assert max(map(len, parts)) <= bytes_max
    *before, last = data.draw(st.permutations(parts))
    reassembly = Reassembly()
    for part in before:
        assert reassembly.take(ALICE, part) is None
        assert reassembly.take(ALICE, part) is None
    assert reassembly.take(ALICE, last) == plaintext
    assert reassembly.kept_bytes(ALICE) == 0


def test_r6_what_a_sender_leaves_incomplete_is_bounded_and_the_oldest_is_given_up() -> None:
    reassembly, cutter = Reassembly(), Cutter(2**64 - 1)
    pairs = [cutter.cut(b"x" * 100, 80) for _ in range(INCOMPLETE_MAX + 1)]
    other = cutter.cut(b"y" * 100, 80)
    assert reassembly.take(BOB, other[0]) is None
    for first, _ in pairs:
        assert reassembly.take(ALICE, first) is None
    assert reassembly.given_up == 1
    assert reassembly.take(ALICE, pairs[1][1]) == b"x" * 100
    assert reassembly.take(ALICE, pairs[0][1]) is None, "the oldest one was given up"
    assert reassembly.take(BOB, other[1]) == b"y" * 100, "what one sender does costs another nothing"


def test_a_repeat_of_a_part_of_what_was_whole_is_nothing_incomplete() -> None:
    reassembly, cutter = Reassembly(), Cutter(7)
    for _ in range(3 * INCOMPLETE_MAX):
        first, second = cutter.cut(b"x" * 100, 80)
        assert reassembly.take(ALICE, first) is None
        assert reassembly.take(ALICE, second) == b"x" * 100
        assert reassembly.take(ALICE, first) is None
    assert (reassembly.given_up, reassembly.kept_bytes(ALICE)) == (0, 0)


def test_r6_the_bytes_that_a_sender_leaves_incomplete_are_bounded() -> None:
    reassembly, cutter = Reassembly(), Cutter(2**64 - 1)
    kept = []
    for _ in range(20):
        *parts, _missing = cutter.cut(b"x" * PLAINTEXT_BYTES_MAX, 20_000)
        for part in parts:
            reassembly.take(ALICE, part)
        kept.append(reassembly.kept_bytes(ALICE))
    assert max(kept) <= INCOMPLETE_BYTES_MAX
    assert reassembly.given_up > 10


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda part: part[:9] + b"\x02\x02" + part[11:], "a position beyond the last"),
        (lambda part: part[:9] + b"\x00\x01" + part[11:], "one part alone"),
        (lambda part: part[:10] + b"\x03" + part[11:], "another count than the first said"),
        (lambda part: part[:9] + b"\x00" + part[10:], "another piece at a position that came"),
        (lambda part: part[:PART_BYTES], "no piece"),
        (lambda part: part[:5], "cut short"),
        (lambda part: part[:1], "the mark alone"),
    ],
)
def test_w2_a_part_that_does_not_fit_is_rejected_and_the_others_stay(change: object, why: str) -> None:
    first, second = Cutter(2**64 - 1).cut(b"a" * 69 + b"b" * 31, 80)
    assert callable(change)
    reassembly = Reassembly()
    assert reassembly.take(ALICE, first) is None
    with pytest.raises(Rejected, match=Reason.PART):
        reassembly.take(ALICE, change(second))
    assert reassembly.take(ALICE, second) == b"a" * 69 + b"b" * 31, why


def test_w2_parts_of_more_than_a_plaintext_may_be_are_rejected() -> None:
    reassembly = Reassembly()
    head, piece = b"\x01" + bytes(8), b"x" * 30_000
    assert reassembly.take(ALICE, head + b"\x00\x04" + piece) is None
    with pytest.raises(Rejected, match=Reason.PART):
        reassembly.take(ALICE, head + b"\x01\x04" + piece)
    assert reassembly.kept_bytes(ALICE) == len(piece)


def test_w1_a_part_that_does_not_open_never_touches_what_is_kept() -> None:
    """Its pieces, and what is kept of them, are of an authenticated sender alone."""
    packet = Packet(ALICE, LIFE, 1, LIFE, (Welcome(Nonce(1), Verdict.RECORDED, None, "x" * 2_000),))
    first, second = Wire(KEY, "island", ALICE).seal(BOB, packet, DATAGRAM_BYTES_FAR)
    bob = Wire(KEY, "island", BOB)
    assert bob.open(first) is None
    for forged in (second[:-1] + bytes((second[-1] ^ 1,)), Seal(bytes(32), "island", ALICE).seal(BOB, second)):
        with pytest.raises(Rejected, match=Reason.FORGED):
            bob.open(forged)
    assert bob.open(second) == packet


@given(noise=st.binary(max_size=200))
def test_w2_noise_in_parts_is_rejected_or_waits(noise: bytes) -> None:
    """Whatever a sender that has the key says: never an exception but Rejected."""
    seal, bob = Seal(KEY, "island", ALICE), Wire(KEY, "island", BOB)
    try:
        opened = bob.open(seal.seal(BOB, b"\x01" + noise))
    except Rejected:
        return
    assert opened is None


def test_w4_the_floor_leaves_room_for_a_piece() -> None:
    assert DATAGRAM_BYTES_MIN - SEAL_BYTES - PART_BYTES > PLAINTEXT_BYTES_MAX / 255


def test_r6_of_how_many_senders_something_is_kept_is_bounded() -> None:
    """Whoever has the key may speak, under any name."""
    reassembly, cutter = Reassembly(), Cutter(1)
    first, last = cutter.cut(b"x" * 100, 80)
    for number in range(SENDERS_MAX + 1):
        assert reassembly.take(SiteId(f"site-{number}"), first) is None
    assert reassembly.take(SiteId("site-1"), last) == b"x" * 100
    assert reassembly.take(SiteId("site-0"), last) is None, "of who was heard first nothing is kept any more"
