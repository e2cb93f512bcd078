"""What leaves for one site together is said once: the same slots, ballots and entries, in fewer messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from engine.codec import encode_packet
from engine.core.ids import Slot, StoreId
from engine.core.messages import Accept, Accepted, Chosen, HandOn, Message, Packet
from engine.core.peers.bundle import bundled
from engine.core.run import Run
from tests.core.stage import ALICE, BOB, accept, accepted, ballot, chosen, chosen_at, prepare, tweet
from tests.strategies import messages

PAGE_BYTES = 1_100
ONE, TWO = ballot(1, ALICE), ballot(2, BOB)


def together(*said: Message, page_bytes: int = PAGE_BYTES) -> list[Message]:
    return list(bundled(said, page_bytes))


def claims(said: Iterable[Message]) -> list[object]:
    """Each single thing that is said, in order; what is said alike of slots that touch, or twice, as of one span."""
    spans: list[tuple[object, int, int]] = []
    for message in said:
        for what, first, last in single(message):
            if spans and spans[-1][0] == what and spans[-1][1] <= first <= spans[-1][2] + 1:
                spans[-1] = (what, spans[-1][1], max(spans[-1][2], last))
            else:
                spans.append((what, first, last))
    return [*spans]


def single(message: Message) -> Iterator[tuple[object, int, int]]:
    """What is said, and of which slots."""
    match message:
        case Accept(number, accepts):
            yield from (((Accept, number, entry), slot, slot) for slot, entry in accepts)
        case Accepted(number, spans):
            yield from (((Accepted, number), *span) for span in spans)
        case Chosen(first, last, number, ()):
            yield (Chosen, number), first, last
        case Chosen(first, _, number, entries):
            yield from (((Chosen, number, entry), slot, slot) for slot, entry in Run(first, entries))
        case HandOn(entries, relayed):
            yield from (((HandOn, entry, relayed), 0, 0) for entry in entries)
        case _:
            yield message, 0, 0


@example([accepted(ONE, 1), accepted(ONE, 1, 2)], 80)
@given(st.lists(messages, max_size=8), st.integers(0, 3_000))
def test_a4_b3_nothing_is_said_that_was_not_and_nothing_is_left_out(said: list[Message], page_bytes: int) -> None:
    assert claims(together(*said, page_bytes=page_bytes)) == claims(said)


def test_slots_of_one_ballot_become_one_message() -> None:
    one, two = tweet(ALICE, 1), tweet(ALICE, 2)
    assert together(accept(ONE, 1, one), accept(ONE, 2, two)) == [accept(ONE, 1, one, two)]
    assert together(accepted(ONE, 1), accepted(ONE, 2, 3), accepted(ONE, 7)) == [accepted(ONE, 1, 2, 3, 7)]
    assert together(accepted(ONE, 1), accepted(ONE, 1, 2)) == [accepted(ONE, 1, 2)]
    assert together(accepted(ONE, 5), accepted(ONE, 3), accepted(ONE, 4)) == [
        Accepted(ONE, ((Slot(5), Slot(5)), (Slot(3), Slot(4))))
    ]
    assert together(chosen(1, one, at=ONE), chosen(2, two, at=ONE)) == [chosen(1, one, two, at=ONE)]
    assert together(chosen_at(TWO, 1, 4), chosen_at(TWO, 5)) == [chosen_at(TWO, 1, 5)]
    assert together(HandOn((one,), False), HandOn((two,), False)) == [HandOn((one, two), False)]


def test_what_does_not_follow_stays_apart() -> None:
    """A message of entries is about consecutive slots, at one ballot."""
    one, two = tweet(ALICE, 1), tweet(ALICE, 2)
    apart: list[list[Message]] = [
        [accept(ONE, 1, one), accept(ONE, 3, two)],
        [accept(ONE, 2, one), accept(ONE, 1, two)],
        [accept(ONE, 1, one), accept(TWO, 2, two)],
        [chosen(1, one, at=ONE), chosen(3, two, at=ONE)],
        [chosen(1, one, at=ONE), chosen(2, two, at=TWO)],
        [chosen(1, one, at=ONE), chosen(2, two)],
        [chosen(1, one, at=ONE), chosen_at(ONE, 2)],
        [chosen_at(ONE, 1), chosen_at(TWO, 2)],
    ]
    for said in apart:
        assert together(*said) == said


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
        assert len(message.run.entries) == 1 or len(encode_packet(packet, 60_000)[0]) <= PAGE_BYTES + 100
