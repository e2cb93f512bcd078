"""What leaves for one site together is said once: the same slots, ballots and entries, in fewer messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from engine.codec import encode_packet
from engine.core.ids import Slot, StoreId
from engine.core.messages import Accept, Accepted, Chosen, ChosenSlot, HandOn, LearnedSlot, Message, Packet
from engine.core.peers.bundle import bundled
from tests.core.stage import ALICE, BOB, accept, accepted, ballot, chosen, prepare, tweet
from tests.strategies import messages

PAGE_BYTES = 1_100
ONE, TWO = ballot(1, ALICE), ballot(2, BOB)


def together(*said: Message, page_bytes: int = PAGE_BYTES) -> list[Message]:
    return list(bundled(said, page_bytes))


def claims(said: Iterable[Message]) -> Iterator[object]:
    """Each single thing that is said, in order."""
    for message in said:
        match message:
            case Accept(number, entries):
                yield from ((number, item) for item in entries)
            case Accepted(number, slots):
                yield from ((number, slot) for slot in slots)
            case Chosen(items):
                yield from items
            case HandOn(entries, relayed):
                yield from ((entry, relayed) for entry in entries)
            case _:
                yield message


@given(st.lists(messages, max_size=8), st.integers(0, 3_000))
def test_a4_b3_nothing_is_said_that_was_not_and_nothing_is_left_out(said: list[Message], page_bytes: int) -> None:
    assert list(claims(together(*said, page_bytes=page_bytes))) == list(claims(said))


def test_slots_of_one_ballot_become_one_message() -> None:
    one, two = tweet(ALICE, 1), tweet(ALICE, 2)
    assert together(accept(ONE, 1, one), accept(ONE, 2, two)) == [
        Accept(ONE, (LearnedSlot(Slot(1), one), LearnedSlot(Slot(2), two)))
    ]
    assert together(accepted(ONE, 1), accepted(ONE, 2, 3)) == [accepted(ONE, 1, 2, 3)]
    assert together(chosen(1, one), chosen(2, None, TWO)) == [
        Chosen((ChosenSlot(Slot(1), None, one), ChosenSlot(Slot(2), TWO, None)))
    ]
    assert together(HandOn((one,), False), HandOn((two,), False)) == [HandOn((one, two), False)]


def test_b3_slots_of_two_ballots_stay_apart() -> None:
    said = [accepted(ONE, 1), accepted(TWO, 2), accepted(ONE, 3)]
    assert together(*said) == said


def test_events_of_two_authors_and_events_that_had_their_hop_stay_apart() -> None:
    said = [
        HandOn((tweet(ALICE, 1),), False),
        HandOn((tweet(BOB, 1),), False),
        HandOn((tweet(BOB, 2),), True),
    ]
    assert together(*said) == said


def test_order_stays_over_messages_of_another_kind() -> None:
    said: list[Message] = [accepted(ONE, 1), prepare(TWO, 2), accepted(ONE, 3)]
    assert together(*said) == said


def test_w4_what_is_joined_fits_a_datagram() -> None:
    long = '\N{EARTH GLOBE EUROPE-AFRICA}"\\' * 90
    said: list[Message] = [accept(ONE, slot, tweet(ALICE, slot, text=long[: 9 * slot])) for slot in range(1, 31)]
    joined = together(*said)
    assert 1 < len(joined) < len(said)
    for message in joined:
        assert isinstance(message, Accept)
        packet = Packet(ALICE, StoreId("0" * 16), 2**53, StoreId("f" * 16), (message,))
        assert len(message.entries) == 1 or len(encode_packet(packet, 60_000)[0]) <= PAGE_BYTES + 100
