"""Ballots as the lab prints them, in sentences too."""

from __future__ import annotations

import pytest

from engine.core.ids import Ballot, Round, SiteId
from tui.lab.ballots import LabBallots

BALLOTS = LabBallots([SiteId(name) for name in ("s1", "s2", "s-2", "s12", "alice")])


def test_a_ballot_is_its_round_and_the_number_of_its_site_in_file_order() -> None:
    assert BALLOTS.ballot(Ballot(Round(4), SiteId("alice"))) == "4.5"


@pytest.mark.parametrize(
    ("sentence", "printed"),
    [
        ("promised 3.s1, and 14.s12.", "promised 3.1, and 14.4."),
        ("accepted at 0.s-2 before", "accepted at 0.3 before"),
        ("slot 4 of dave: 4.dave, 1.s1x, 1.s1-x, x3.s1", "slot 4 of dave: 4.dave, 1.s1x, 1.s1-x, x3.s1"),
        ("asks at 2.alice: alice/3 tweet I am at 2.alice", "asks at 2.5: alice/3 tweet I am at 2.alice"),
        ("took 1.5 s", "took 1.5 s"),
        (
            'expect slot 1 at s1: promised 4.s1 accepted 4.s1 "4.s1 \\" 4.s1" at 4.s1',
            'expect slot 1 at s1: promised 4.1 accepted 4.1 "4.s1 \\" 4.s1" at 4.1',
        ),
    ],
)
def test_sentences_are_brought_in_line_and_what_users_wrote_is_not(sentence: str, printed: str) -> None:
    assert BALLOTS.words(sentence) == printed
