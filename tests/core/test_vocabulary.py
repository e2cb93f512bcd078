"""The words of the protocol: ballots and their order, majorities, and the one spelling of an entry's body."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given

from engine.core.entry import (
    NOOP,
    TEXT_MAX,
    BadOperation,
    Block,
    Entry,
    Operation,
    Stamped,
    Tweet,
    Unblock,
    Withdrawal,
    clean_text,
    decode,
    encode,
    kind_of,
)
from engine.core.ids import NUMBER_MAX, SITES_MAX, EventId, SiteId, quorum_size
from tests.core.stage import ALICE, BOB, CAROL, ballot, tweet
from tests.strategies import bodies, operations, texts


def test_ballots_are_ordered_by_round_as_a_number_and_then_by_name() -> None:
    ascending = [(0, ALICE), (0, CAROL), (1, ALICE), (1, BOB), (9, CAROL), (10, ALICE)]
    ballots = [ballot(number, site) for number, site in ascending]
    assert all(lower < higher for lower, higher in pairwise(ballots))
    assert str(ballot(2, ALICE)) == "2.alice"


@pytest.mark.parametrize("sites", range(1, SITES_MAX + 1))
def test_any_two_majorities_share_a_site_and_one_fewer_would_not_do(sites: int) -> None:
    everybody = range(sites)
    quorums = [set(quorum) for quorum in combinations(everybody, quorum_size(sites))]
    assert all(one & other for one in quorums for other in quorums)
    assert 2 * (quorum_size(sites) - 1) <= sites, "two sets of one site fewer need not meet"


def test_an_event_id_names_author_and_number_and_a_no_op_has_none() -> None:
    assert str(EventId(ALICE, 17)) == "alice/17"
    assert tweet(ALICE, 17).id == EventId(ALICE, 17)
    assert NOOP.id is None


# Bodies


@given(operations)
def test_a_body_is_one_line_that_says_what_it_was_made_of(operation: Operation) -> None:
    body = encode(Stamped(operation, 1_700_000_000_000))
    assert decode(body) == Stamped(operation, 1_700_000_000_000)
    assert "\n" not in body


@given(bodies)
def test_a_body_has_one_spelling(body: str) -> None:
    assert encode(decode(body)) == body


@pytest.mark.parametrize(
    "body",
    [
        "",
        "tweet",
        "tweet 5",
        "tweet 5 ",
        "tweet  hello",
        "tweet x hello",
        "tweet -5 hello",
        "tweet 05 hello",
        "tweet 5  hello",
        "tweet 5 hello ",
        "tweet \u0665 hello",
        f"tweet {NUMBER_MAX + 1} hello",
        "tweet 5 a\x1b[2J",
        "tweet 5 " + "x" * (TEXT_MAX + 1),
        "Tweet 5 hello",
        "retweet 5 hello",
        "block 5 ",
        "block 5 Bob",
        "block 5 bob carol",
        "unblock 5 -bob",
        "withdrawal 5",
        "withdrawal 5 x",
    ],
)
def test_any_other_spelling_is_refused(body: str) -> None:
    with pytest.raises(BadOperation):
        decode(body)


def test_what_kinds_of_entries_there_are() -> None:
    made: list[Operation] = [Tweet("a tweet of block 5 bob"), Block(BOB), Unblock(BOB), Withdrawal()]
    entries = [Entry(ALICE, 1, 0, encode(Stamped(operation, 5))) for operation in made]
    assert [kind_of(entry) for entry in (*entries, NOOP)] == ["tweet", "block", "unblock", "withdrawal", "noop"]


# Texts


@given(texts)
def test_a_tweet_is_stored_stripped(text: str) -> None:
    assert clean_text(f" \t{text}\n ") == text


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u2003"])
def test_a_tweet_needs_something_to_say(text: str) -> None:
    with pytest.raises(BadOperation, match="at least 1 character"):
        clean_text(text)


def test_a_tweets_length_is_counted_in_code_points_after_stripping() -> None:
    longest = "\N{GRINNING FACE}" * TEXT_MAX
    assert clean_text(f"  {longest}  ") == longest
    with pytest.raises(BadOperation, match=r"at most 280 characters, this one has 281: shorten it"):
        clean_text(longest + "x")


def test_a_site_name_is_what_a_block_may_name() -> None:
    assert decode("block 5 a").operation == Block(SiteId("a"))
    assert decode("block 5 " + "a" * 16).operation == Block(SiteId("a" * 16))
    with pytest.raises(BadOperation):
        decode("block 5 " + "a" * 17)
