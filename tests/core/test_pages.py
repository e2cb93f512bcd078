"""Answers of many entries: exact about what they cover (A4), bounded in number (W3) and in length (W4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codec import encode_packet
from engine.core.entry import TEXT_MAX, Entry, Stamped, Tweet, encode
from engine.core.ids import NUMBER_MAX, Ballot, Nonce, Round, SiteId, Slot, StoreId
from engine.core.log.pages import PAGES_PER_ANSWER, cost_bytes, fitting
from engine.core.messages import (
    Accept,
    Ask,
    Chosen,
    HandOn,
    Known,
    Message,
    Packet,
    Promise,
)
from engine.core.run import slots_of, spans_of
from engine.core.settings import Leadership, Settings
from engine.datagram import DATAGRAM_BYTES_FAR, SEAL_BYTES
from tests.core.stage import ALICE, BOB, SITES, Stage, accepted_run, chosen, run, sent_to, shorter, tweet
from tests.strategies import entries

THREE = Settings(ALICE, SITES[:3], Leadership.NONE)


def answers(stage: Stage, *spans: tuple[int, int]) -> list[Known]:
    question = Ask(Nonce(3), tuple((Slot(first), Slot(last)) for first, last in spans))
    pages = sent_to(stage.hear(BOB, question), BOB, Known)
    assert all(page.nonce == 3 for page in pages)
    return pages


def within(page: Known) -> list[tuple[Slot, Entry]]:
    """What a page says is learned, slot by slot."""
    return [item for part in page.learned for item in part]


def knowing(slots: set[int], page_bytes: int = 1_100) -> Stage:
    stage = Stage(settings=shorter(THREE, page_bytes)).vote()
    entries = {slot: tweet(BOB, slot, text="x" * (slot % 40 + 1)) for slot in sorted(slots)}
    for first, last in spans_of(map(Slot, entries)):
        stage.hear(BOB, chosen(first, *(entries[slot] for slot in slots_of(first, last))))
    return stage


def test_what_is_not_learned_is_covered_and_left_out() -> None:
    (page,) = answers(knowing({1, 3}), (1, 4))
    assert (page.first, page.last) == (1, 4)
    assert [slot for slot, _ in within(page)] == [1, 3]


def test_w3_one_question_is_answered_with_a_bounded_number_of_messages() -> None:
    stage = knowing(set(range(1, 400)), page_bytes=200)
    pages = answers(stage, (1, NUMBER_MAX))
    assert len(pages) == PAGES_PER_ANSWER
    assert len(answers(stage, *((slot, slot) for slot in range(1, 400)))) == PAGES_PER_ANSWER


def test_r6_a_question_about_absurdly_many_slots_costs_no_more_than_its_answer() -> None:
    (page,) = answers(knowing({1, 2}), (1, NUMBER_MAX))
    assert (page.first, page.last) == (1, NUMBER_MAX)
    assert len(within(page)) == 2


def test_an_entry_longer_than_a_page_has_a_page_of_its_own() -> None:
    stage = Stage(settings=shorter(THREE, page_bytes=50)).vote()
    for slot in (1, 2):
        stage.hear(BOB, chosen(slot, tweet(BOB, slot, text="x" * 280)))
    assert [[slot for slot, _ in within(page)] for page in answers(stage, (1, 2))] == [[1], [2]]


SPANS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 30)).map(lambda span: (span[0], span[0] + span[1])),
    min_size=1,
    max_size=4,
)


@given(st.sets(st.integers(1, 60)), SPANS, st.integers(1, 600))
def test_a4_each_page_says_exactly_what_it_covers_and_nothing_is_silently_left_out(
    slots: set[int], spans: list[tuple[int, int]], page_bytes: int
) -> None:
    stage = knowing(slots, page_bytes)
    asked = [slot for first, last in spans for slot in range(first, last + 1)]
    covered: list[int] = []
    pages = answers(stage, *spans)
    for page in pages:
        span = range(page.first, page.last + 1)
        learned = within(page)
        assert [slot for slot, _ in learned] == [slot for slot in span if slot in slots]
        assert all(entry == stage.store.log[slot] for slot, entry in learned)
        assert len(learned) <= 1 or cost_bytes([entry for _, entry in learned]) <= page_bytes
        covered += span
    assert covered == asked[: len(covered)], "in the order of the question, without a gap"
    assert covered == asked or len(pages) == PAGES_PER_ANSWER


# W4


LIFE = StoreId("f" * 16)
FRAME_BYTES = 300
"""More than all of a message but its entries: three numbers and a ballot, and the packet around it."""


def length(message: Message) -> int:
    (plaintext,) = encode_packet(Packet(ALICE, LIFE, NUMBER_MAX, LIFE, (message,)), 1_000_000)
    return len(plaintext)


@given(st.lists(entries, min_size=1, max_size=5))
def test_w4_an_entrys_cost_is_what_it_takes_in_a_datagram_at_most(some: list[Entry]) -> None:
    """In ordinary logs: slots, numbers and rounds of up to ten digits. JSON writes a quote as two characters."""
    learned = tuple(run(10**10, entry) for entry in some)
    accepted = tuple(accepted_run(10**10, Ballot(Round(10**10), SiteId("a" * 16)), entry) for entry in some)
    budget = cost_bytes(some)
    assert length(Known(Nonce(NUMBER_MAX), Slot(1), Slot(10**10), learned)) <= budget + FRAME_BYTES
    assert length(Promise(Ballot(Round(1), ALICE), Slot(1), None, accepted, (), ())) <= budget + FRAME_BYTES


@given(st.lists(entries, max_size=10), st.integers(1, 20), st.integers(-1_000, 60_000))
def test_w4_as_many_fit_as_cost_no_more_than_the_budget(few: list[Entry], times: int, budget_bytes: int) -> None:
    some = few * times
    costs = [cost_bytes(some[:count]) for count in range(1, len(some) + 1)]
    assert fitting(some, budget_bytes) == sum(cost <= budget_bytes for cost in costs)


@pytest.mark.parametrize("length", [TEXT_MAX, 140], ids=["of two bytes", "half and half"])
def test_w4_an_ordinary_tweet_is_one_datagram_in_whatever_message(length: int) -> None:
    """280 characters of two bytes, or half of them, by the longest name and with the largest numbers. What is longer
    goes in parts."""
    name = SiteId("a" * 16)
    text = "a" * (TEXT_MAX - length) + "\N{LATIN SMALL LETTER E WITH ACUTE}" * length
    entry = Entry(name, NUMBER_MAX, NUMBER_MAX - 1, encode(Stamped(Tweet(text), NUMBER_MAX)))
    slot, at, nonce = Slot(NUMBER_MAX), Ballot(Round(NUMBER_MAX), name), Nonce(NUMBER_MAX)
    for message in (
        Promise(at, slot, slot, (accepted_run(slot, at, entry),), (), ()),
        Promise(at, slot, None, (), (run(slot, entry),), ()),
        Accept(at, run(slot, entry)),
        Chosen(slot, slot, at, (entry,)),
        Known(nonce, slot, slot, (run(slot, entry),)),
        HandOn((entry,), relayed=False),
    ):
        (plaintext,) = encode_packet(Packet(name, LIFE, NUMBER_MAX, LIFE, (message,)), 1_000_000)
        assert len(plaintext) + SEAL_BYTES <= DATAGRAM_BYTES_FAR
