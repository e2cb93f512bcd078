"""What sites' answers prove of a slot, and no more: the pure part of its biography."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.codec import encode_packet
from engine.config import ENVELOPE_BYTES
from engine.core.entry import NOOP, TEXT_MAX, Entry, Stamped, Tweet, encode
from engine.core.explained.biographer import ROOM_BYTES, fitted
from engine.core.explained.biography import Answer, Biography, Progress, Quorum, tell
from engine.core.ids import NUMBER_MAX, Ballot, Nonce, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import Act, Deed, How, Learning, Packet, SlotState
from engine.datagram import SEAL_BYTES
from tests.core.stage import ALICE, BOB, CAROL, DAVE, ERIN, SITES, ballot, tweet

ONE, TWO, THREE = ballot(1, ALICE), ballot(2, BOB), ballot(3, CAROL)
OURS, THEIRS = tweet(ALICE, 1), tweet(BOB, 1)
HEARD = Tick(5_000)

EMPTY = SlotState(Nonce(1), Slot(43), True, None, None, None, None, False, None, ())


def promised(number: Ballot) -> SlotState:
    return replace(EMPTY, promised=number)


def accepted(number: Ballot, entry: Entry, *deeds: Deed) -> SlotState:
    return replace(EMPTY, promised=number, accepted=number, digest=entry.digest, entry=entry, deeds=deeds)


def learned(entry: Entry, learning: Learning | None = None, before: SlotState = EMPTY) -> SlotState:
    return replace(before, entry=entry, learned=True, learning=learning)


def told(size: int, *states: SlotState) -> Biography:
    """The biography as alice tells it, from the states of the first so many sites, alice's the first."""
    answers = {site: Answer(state, HEARD) for site, state in zip(SITES, states, strict=False)}
    return tell(Slot(43), ALICE, SITES[:size], SITES[:size], answers)


def test_a_slot_that_nobody_used() -> None:
    found = told(3, EMPTY, EMPTY, EMPTY)
    assert (found.progress, found.may_be_chosen, found.entry, found.quorum) == (Progress.EMPTY, False, None, None)
    assert found.sentence == "empty: nothing promised, nothing accepted: not chosen when they answered"
    assert found.ballots == ()


def test_a_majority_that_did_not_answer_may_have_chosen_anything() -> None:
    found = told(3, EMPTY)
    assert (found.progress, found.may_be_chosen) == (Progress.EMPTY, True)
    assert found.sentence.endswith("bob and carol did not answer: may be chosen")
    assert [site.answered for site in found.sites] == [True, False, False]
    assert found.sites[1].voting is None
    assert found.sites[1].learned is None


def test_a_promise_uses_nothing() -> None:
    found = told(3, promised(TWO), promised(TWO), EMPTY)
    assert (found.progress, found.may_be_chosen) == (Progress.PROMISED, False)
    assert found.sentence == "promised by alice and bob, nothing accepted: not chosen when they answered"
    (only,) = found.ballots
    assert (only.ballot, only.promised, only.accepted, only.chosen) == (TWO, (ALICE, BOB), (), False)


def test_a_minority_that_all_others_deny_is_not_chosen() -> None:
    found = told(3, accepted(ONE, OURS), EMPTY, EMPTY)
    assert (found.progress, found.may_be_chosen, found.entry) == (Progress.ACCEPTED, False, OURS)
    assert found.sentence == "accepted by alice at 1.alice: no majority is known: not chosen when they answered"


def test_a_minority_and_the_silent_may_be_a_majority() -> None:
    found = told(5, accepted(ONE, OURS), accepted(ONE, OURS), EMPTY, EMPTY)
    assert (found.progress, found.may_be_chosen, found.quorum) == (Progress.ACCEPTED, True, None)
    assert found.sentence == (
        "accepted by alice and bob at 1.alice: no majority is known; erin did not answer: may be chosen"
    )


def test_who_accepted_anything_may_have_accepted_a_lower_ballot_too() -> None:
    """Alice accepted 1.alice before she accepted 3.carol; nobody remembers it, and 1.alice is chosen."""
    found = told(3, accepted(THREE, OURS), accepted(ONE, OURS), EMPTY)
    assert (found.progress, found.may_be_chosen) == (Progress.ACCEPTED, True)
    assert found.entry == OURS


def test_who_remembers_a_lower_acceptance_proves_the_majority() -> None:
    deed = Deed(Act.ACCEPTED, ONE, 40)
    found = told(3, accepted(THREE, OURS, deed), accepted(ONE, OURS), EMPTY)
    assert (found.progress, found.quorum) == (Progress.CHOSEN, Quorum(ONE, (ALICE, BOB), None))


def test_the_first_majority_is_the_quorum_that_chose() -> None:
    """Carol settled anew, and counted, what 1.alice had chosen without anybody knowing."""
    deed = Deed(Act.ACCEPTED, ONE, 40)
    counted = Learning(How.VOTES, THREE, CAROL, (BOB, CAROL), 10)
    found = told(
        3,
        accepted(THREE, OURS, deed),
        accepted(THREE, OURS, deed),
        learned(OURS, counted, accepted(THREE, OURS)),
    )
    assert found.quorum == Quorum(ONE, (ALICE, BOB), None)
    assert [(each.ballot, each.chosen) for each in found.ballots] == [(ONE, True), (THREE, True)]


def test_d5_who_does_not_vote_may_have_lost_an_acceptance() -> None:
    found = told(3, accepted(ONE, OURS), EMPTY, replace(EMPTY, voting=False))
    assert (found.progress, found.may_be_chosen) == (Progress.ACCEPTED, True)
    assert "carol may have lost a vote (D5)" in found.sentence


def test_b3_votes_at_different_ballots_are_no_majority() -> None:
    found = told(3, accepted(ONE, OURS), accepted(TWO, THEIRS), EMPTY)
    assert (found.progress, found.quorum) == (Progress.ACCEPTED, None)
    assert found.entry == THEIRS, "P2c: what is chosen, if anything is, is what the highest ballot carries"


def test_b2_ballot_zero_is_a_ballot() -> None:
    zero = ballot(0, ALICE)
    found = told(3, accepted(zero, OURS), accepted(zero, OURS), EMPTY)
    assert (found.progress, found.quorum) == (Progress.CHOSEN, Quorum(zero, (ALICE, BOB), None))


def test_a_majority_of_the_variables_proves_the_choice() -> None:
    found = told(5, EMPTY, accepted(TWO, THEIRS), accepted(TWO, THEIRS), accepted(TWO, THEIRS))
    assert (found.progress, found.entry) == (Progress.CHOSEN, THEIRS)
    assert found.quorum == Quorum(TWO, (BOB, CAROL, DAVE), None)
    assert found.sentence == (
        "chosen, not learned here yet: bob, carol and dave accepted it at 2.bob, 3 of 5; learned by nobody;"
        " erin did not answer"
    )
    assert [each.chosen for each in found.ballots] == [True]


def test_who_has_learned_proves_the_choice_too() -> None:
    found = told(3, EMPTY, learned(THEIRS))
    assert (found.progress, found.entry, found.quorum) == (Progress.CHOSEN, THEIRS, None)
    assert "no site that answered knows which quorum chose it; learned by bob" in found.sentence


def test_who_counted_the_votes_names_the_quorum() -> None:
    counted = Learning(How.VOTES, TWO, BOB, (BOB, CAROL, ERIN), 1_200)
    said = Learning(How.CHOSEN, TWO, BOB, (), 1_190)
    found = told(5, learned(OURS, said, accepted(TWO, OURS)), learned(OURS, counted, accepted(TWO, OURS)))
    assert (found.progress, found.quorum) == (Progress.LEARNED, Quorum(TWO, (BOB, CAROL, ERIN), BOB))
    assert found.sentence == (
        "learned here: bob, carol and erin accepted it at 2.bob, 3 of 5; learned by alice and bob;"
        " carol, dave and erin did not answer"
    )
    assert [(site.learned_at, site.learned_how, site.learned_from) for site in found.sites[:3]] == [
        (3_810, "chosen", BOB),
        (3_800, "votes", BOB),
        (None, None, None),
    ]


def test_what_nobody_remembers_is_blank() -> None:
    """After restarts rows alone are left: the variables, and the entry."""
    found = told(3, learned(OURS, None, accepted(ONE, OURS)), learned(OURS, None), learned(OURS, None))
    assert (found.progress, found.quorum) == (Progress.LEARNED, None)
    assert found.sentence.startswith("learned here: no site knows any more which quorum chose it;")
    assert [site.learned_at for site in found.sites] == [None, None, None]
    (only,) = found.ballots
    assert (only.ballot, only.accepted, only.chosen) == (ONE, (ALICE,), False)


def test_an_accepted_entry_that_was_too_long_to_tell_is_known_by_its_digest() -> None:
    silent_about_it = replace(accepted(ONE, OURS), entry=None)
    found = told(3, EMPTY, silent_about_it, accepted(ONE, OURS))
    assert [site.entry for site in found.sites] == [None, OURS, OURS]
    assert told(3, EMPTY, silent_about_it, EMPTY).sites[1].entry is None


def test_an_accepted_entry_that_is_not_the_learned_one_is_told_apart() -> None:
    lower = replace(learned(OURS), promised=TWO, accepted=ONE, digest=THEIRS.digest)
    found = told(3, lower, learned(OURS), EMPTY)
    assert found.entry == OURS
    assert found.sites[0].entry is None, "another entry, and nobody says which"


def test_ballots_stand_in_their_order() -> None:
    deeds = (Deed(Act.PROMISED, ONE, 90), Deed(Act.ACCEPTED, ONE, 80), Deed(Act.PROMISED, ballot(10, ALICE), 70))
    found = told(3, replace(accepted(ONE, OURS, *deeds), promised=ballot(10, ALICE)), promised(TWO), EMPTY)
    assert [(each.ballot, each.promised, each.accepted) for each in found.ballots] == [
        (ONE, (ALICE,), (ALICE,)),
        (TWO, (BOB,), ()),
        (ballot(10, ALICE), (ALICE,), ()),
    ]


# What is sent of it

LONGEST_NAMES = tuple(SiteId(f"{letter}{'-' * 15}") for letter in "abcdefghi")
HIGH = Ballot(Round(NUMBER_MAX), LONGEST_NAMES[0])


def largest(text: str, votes: int, deeds: int) -> SlotState:
    """As many bytes as each field can take."""
    body = encode(Stamped(Tweet(text), NUMBER_MAX))
    entry = Entry(LONGEST_NAMES[0], NUMBER_MAX, NUMBER_MAX - 1, body)
    learning = Learning(How.CHOSEN, HIGH, LONGEST_NAMES[0], LONGEST_NAMES[:votes], NUMBER_MAX)
    acts = (Deed(Act.PROMISED, HIGH, NUMBER_MAX),) * deeds
    number = Nonce(NUMBER_MAX)
    return SlotState(number, Slot(NUMBER_MAX), False, HIGH, HIGH, entry.digest, entry, False, learning, acts)


@given(
    st.sampled_from(["a", '"', "\\", "é", "長", "😀"]),
    st.integers(1, TEXT_MAX),
    st.integers(0, 9),
    st.integers(0, 32),
    st.sampled_from([576, 800, 1_400, 8_000]),
)
def test_w4_an_answer_fits_a_datagram_whatever_it_says(
    character: str, length: int, votes: int, deeds: int, datagram_bytes_max: int
) -> None:
    state = largest(character * length, votes, deeds)
    sent = fitted(state, datagram_bytes_max - ENVELOPE_BYTES + ROOM_BYTES)
    store = StoreId("0123456789abcdef")
    packet = Packet(LONGEST_NAMES[0], store, NUMBER_MAX, store, (sent,))
    (plaintext,) = encode_packet(packet, 65_000)
    assert len(plaintext) + SEAL_BYTES <= datagram_bytes_max
    assert sent.digest == state.digest


@pytest.mark.parametrize("text", ["a" * TEXT_MAX, '"' * TEXT_MAX, "長" * TEXT_MAX])
def test_w4_an_entry_of_280_characters_is_told(text: str) -> None:
    entry = Entry(ALICE, 7, 6, encode(Stamped(Tweet(text), 1_763_776_800_000)))
    assert fitted(accepted(ONE, entry), 1_400 - ENVELOPE_BYTES + ROOM_BYTES).entry == entry


def test_w4_the_oldest_memories_go_first() -> None:
    deeds = tuple(Deed(Act.PROMISED, ballot(number, ALICE), 100 - number) for number in range(1, 33))
    told_of = fitted(replace(accepted(ONE, NOOP), deeds=deeds), 800).deeds
    assert 0 < len(told_of) < 32
    assert told_of == deeds[-len(told_of) :]
