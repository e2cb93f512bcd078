"""The verdict finds each lie: an outcome that is not true, an order not kept, logs and timelines that differ."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from tests.chaos.report import Report, Stall, count_told, longest_stall
from tests.chaos.users import Submission, one_by_one
from tests.chaos.verdict import judge, read_log, same_logs, same_views

Json = dict[str, Any]


def line(slot: int, id_: str, text: str, kind: str = "tweet") -> Json:
    """A line of the log: what stands in effect, unless `kind` is void or noop."""
    is_tweet = kind in {"tweet", "void"}
    return {
        "slot": slot,
        "state": "chosen",
        "kind": kind,
        "author": id_.partition("/")[0],
        "id": id_,
        "text": text if is_tweet else None,
        "target": None if is_tweet else text,
    }


def told(outcome: str, id_: str | None, slot: int | None = None) -> Json:
    return {"outcome": outcome, "id": id_, "slot": slot, "to": None, "reason": "why"}


def submission(argument: str, at: float, ended: float, outcome: Json | None, **others: Any) -> Submission:
    """Of alice's first user, in the order of the times, unless `others` say so."""
    settings: Json = {"site": "alice", "connection": f"alice {at}", "order": int(at), "kind": "tweet", **others}
    return Submission(
        argument=argument,
        retry=False,
        submitted_s=at,
        ended_s=ended,
        outcome=outcome,
        **settings,
    )


LOG = [
    line(1, "alice/1", "one"),
    line(2, "bob/1", "two"),
    {**line(3, "bob/9", "", "noop"), "author": None, "id": None},
    line(4, "alice/2", "bob", "block"),
    line(5, "bob/2", "late", "void"),
    line(6, "alice/4", "six"),
]
ONE = submission("one", 1, 2, told("created", "alice/1", 1))
TWO = submission("two", 3, 4, told("created", "bob/1", 2), site="bob")
BLOCK = submission("bob", 5, 6, told("created", "alice/2", 4), kind="block")
LATE = submission("late", 5, 6, told("not-created", "bob/2"), site="bob")
LOST = submission("lost", 7, 8, told("lost", "alice/3", 6))
SIX = submission("six", 9, 11, told("unknown", "alice/4", 6))
UNTOLD = submission("nobody knows", 10, 11, None)
ALL = [ONE, TWO, BLOCK, LATE, LOST, SIX, UNTOLD]
SETTLED = {"alice/4": told("created", "alice/4", 6)}


def verdict(submissions: list[Submission], log: list[Json] | None = None, settled: Json | None = None) -> list[str]:
    return judge(submissions, read_log(LOG if log is None else log), SETTLED if settled is None else settled)


def test_what_is_true_is_let_pass() -> None:
    assert verdict(ALL) == []
    untold_and_there = [*LOG, line(7, "alice/5", "nobody knows")]
    assert verdict(ALL, untold_and_there) == []


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (LOG[:-1], "E2 slot 6: alice/4, told unknown, then created, is in effect at None"),
        ([line(1, "alice/1", "one", "void"), *LOG[1:]], "E2 slot 1: alice/1, told created, is in effect at None"),
        ([line(1, "alice/1", "other"), *LOG[1:]], "E2 slot 1: alice/1, told created, carries"),
        ([*LOG, line(7, "alice/3", "lost")], "E2 slot 7: alice/3, told lost, is in effect"),
        ([*LOG, line(7, "alice/8", "lost")], "E2 slot 7: alice/3, told lost, is in effect"),
        ([*LOG, line(7, "bob/2", "late")], "E2 slot 7: bob/2, told not-created, is in effect"),
        ([*LOG, line(7, "alice/4", "six")], "E1 slot 7: alice/4 is in effect at slot 6 already"),
        ([*LOG, line(7, "alice/5", "six")], "E1 slot 7: 'six' is in effect at slot 6 already"),
        ([*LOG, line(7, "bob/3", "nobody knows")], "E2 slot 7: bob is said to have written 'nobody knows'"),
        ([*LOG[:4], LOG[5]], "R2 slot 5: the log has a line of slot 6"),
        ([{**LOG[0], "state": "accepted"}, *LOG[1:]], "R2 slot 1: the log has a line of slot 1, accepted"),
    ],
)
def test_a_log_that_is_not_what_was_told_is_found(log: list[Json], says: str) -> None:
    assert any(re.match(re.escape(says), sentence) for sentence in verdict(ALL, log)), verdict(ALL, log)


def test_an_unknown_that_nobody_settles_is_found_e2() -> None:
    assert verdict(ALL, settled={}) == ["E2: alice/4 is still unknown: why"]
    lost = {"alice/4": told("lost", "alice/4", 6)}
    assert verdict(ALL, settled=lost) == ["E2 slot 6: alice/4, told unknown, then lost, is in effect"]


def test_an_id_that_is_told_twice_is_found_e1() -> None:
    again = submission("seven", 12, 13, told("not-created", "alice/3"))
    assert any(sentence.startswith("E1: alice/3 was told of two submissions") for sentence in verdict([*ALL, again]))


def test_a_refusal_is_found() -> None:
    refused = submission("eight", 12, 13, None)
    refused.refused = "the store cannot be used"
    assert any("was refused: the store cannot be used" in sentence for sentence in verdict([*ALL, refused]))


def test_an_acknowledged_event_must_stand_before_what_was_submitted_later_e4() -> None:
    """bob's event was submitted at another site after alice's was told to be created."""
    swapped = [line(1, "bob/1", "two"), line(2, "alice/1", "one"), *LOG[2:]]
    first = submission("one", 1, 2, told("created", "alice/1", 2))
    second = submission("two", 3, 4, told("created", "bob/1", 1), site="bob")
    assert [sentence[:3] for sentence in verdict([first, second, *ALL[2:]], swapped)] == ["E4:"]
    together = submission("one", 1, 3.5, told("created", "alice/1", 2))
    assert verdict([together, second, *ALL[2:]], swapped) == []


def test_events_of_one_site_keep_their_order_e3() -> None:
    """Nobody told the first that it was created; it certainly was submitted before the second."""
    log = [line(1, "alice/2", "second"), line(2, "alice/1", "first")]
    for outcome in (None, told("unknown", "alice/1")):
        settled = {"alice/1": told("created", "alice/1", 2)}
        first = submission("first", 1, 2, outcome)
        second = submission("second", 3, 4, told("created", "alice/2", 1))
        assert [sentence[:3] for sentence in verdict([first, second], log, settled)] == ["E3:"]
        elsewhere = submission("first", 1, 2, outcome, site="bob")
        log_of_both = [line(1, "alice/2", "second"), line(2, "bob/1", "first")]
        settled = {"alice/1": told("created", "alice/1", 2), "bob/1": told("created", "bob/1", 2)}
        if outcome is None:
            assert verdict([elsewhere, second], log_of_both, settled) == []


def test_events_of_one_connection_keep_their_order_e3() -> None:
    """Both were under way at once."""
    log = [line(1, "alice/2", "second"), line(2, "alice/1", "first")]
    first = submission("first", 1, 9, told("created", "alice/1", 2), connection="alice", order=1)
    second = submission("second", 1, 9, told("created", "alice/2", 1), connection="alice", order=2)
    assert [sentence[:3] for sentence in verdict([first, second], log)] == ["E3:"]


def test_logs_that_differ_are_found_r1() -> None:
    logs = {"alice": read_log(LOG), "bob": read_log(LOG), "carol": read_log([*LOG[:-1], line(6, "bob/7", "other")])}
    assert [sentence[:10] for sentence in same_logs(logs)] == ["R1 slot 6:"]
    shorter = {"alice": read_log(LOG), "bob": read_log(LOG[:-1])}
    assert [sentence[:10] for sentence in same_logs(shorter)] == ["R1 slot 6:"]
    assert same_logs({"alice": read_log(LOG), "bob": read_log(LOG)}) == []


def test_a_timeline_that_does_not_follow_from_the_log_is_found_r2() -> None:
    """alice blocks bob: bob sees nothing of hers."""
    tweets = [
        {"slot": slot, "author": author, "text": text}
        for slot, author, text in ((1, "alice", "one"), (2, "bob", "two"), (6, "alice", "six"))
    ]
    log = read_log(LOG)
    assert same_views(log, {"alice": tweets, "carol": tweets, "bob": tweets[1:2]}) == []
    assert len(same_views(log, {"bob": tweets})) == 1
    assert len(same_views(log, {"carol": tweets[1:]})) == 1
    assert len(same_views(log, {"carol": [*tweets, {**tweets[0], "slot": 5}]})) == 1


def test_the_report_says_what_happened_and_what_is_wrong() -> None:
    report = Report(seed=7, seconds=3, sites=5, leadership="none", network="fault rules")
    report.told = count_told(ALL)
    report.converged_s = 0.4
    report.stalled = longest_stall(ALL, 0.0, 20.0)
    report.stalled_whole = Stall(2.0, 5.5, ("bob killed", "loss at carol"))
    report.faults = Counter({"partition": 2, "killed": 1})
    text = report.text()
    assert "7 submitted: created 3," in text
    assert "nothing told 1" in text
    assert "partition 2, killed 1" in text
    assert "longest time without an event created: 14.0 s" in text
    assert "3.5 s, from second 2.0 on, while bob killed; loss at carol" in text
    assert "no rule is broken" in text
    report.wrong = [f"R1 slot {slot}" for slot in range(60)]
    assert not report.passed
    assert "VIOLATED: 60" in report.text()
    assert "and 10 more" in report.text()


def test_outcomes_that_are_told_together_are_held_against_the_log_one_by_one() -> None:
    alike = {"outcome": "created", "count": 2, "first": "bob/7", "last": "bob/8", "slot": 3, "last_slot": 4}
    apart = {"outcome": "not-created", "count": 1, "first": None, "last": None, "slot": None, "last_slot": None}
    rest = {"to": None, "reason": None, "waits_for": None, "took_ms": 5}
    told = [(each["id"], each["outcome"], each["slot"]) for each in one_by_one([alike | rest, apart | rest])]
    assert told == [("bob/7", "created", 3), ("bob/8", "created", 4), (None, "not-created", None)]
