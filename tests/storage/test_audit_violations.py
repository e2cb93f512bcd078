"""The audit finds what breaks a rule in stores that are sound on their face, and names rule, slot and site."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.entry import NOOP, Entry, Tweet
from engine.core.storage import Vote
from storage.audit.run import audit
from storage.rows import AUTHORS, BLOCKS, EVENTS, META, PEERS, RANGES, SLOTS, TWEETED
from tests.storage.planting import LOG, NAMES, Planter, damage, entry, vote
from tests.storage.samples import ALICE, BOB, CAROL, ballot, promised, tweet

Plant = Callable[[Path], None]

PENDING = entry(BOB, 5, 4, Tweet("pending"))
OTHER = entry(BOB, 5, 4, Tweet("another"))


FOLLOWS_ANOTHER = entry(ALICE, 2, 0, Tweet("standup moved to 10"))
BODIES = '["tweet 1 as it was written"]'


def learned_ahead(slot: int, learned: Entry) -> Callable[[Planter], None]:
    def change(planter: Planter) -> None:
        planter.slot(slot, learned)
        planter.ahead(slot)

    return change


def in_store(site: str, change: Callable[[Planter], None]) -> Plant:
    def plant(data: Path) -> None:
        with Planter(data / site) as planter:
            change(planter)

    return plant


def both(*plants: Plant) -> Plant:
    def plant(data: Path) -> None:
        for each in plants:
            each(data)

    return plant


CASES: dict[str, tuple[Plant, tuple[str, int | None, str | None], str]] = {
    "another entry learned": (
        in_store("carol", lambda p: p.slot(1, tweet(ALICE, 1, "dinner"))),
        ("R1", 1, "carol"),
        r"learned alice/1 .*, but alice learned alice/1",
    ),
    "another entry learned above the prefix": (
        in_store("carol", lambda p: p.slot(10, NOOP, vote(ballot(5, BOB), LOG[9][0]))),
        ("R1", 10, "carol"),
        "learned the no-op, but alice learned bob/4",
    ),
    "learned against a majority that nobody else noticed": (
        both(
            in_store("bob", lambda p: p.slot(11, None, vote(ballot(6, BOB), PENDING))),
            in_store("carol", learned_ahead(11, NOOP)),
        ),
        ("R1", 11, "carol"),
        r"learned the no-op, but alice, bob accepted bob/5 .* at 6\.bob",
    ),
    "learned what one site alone accepted": (
        in_store("bob", lambda p: p.slot(5, LOG[4][0])),
        ("R0", 5, "alice"),
        "no majority can have accepted: alice did",
    ),
    "another entry above a choice": (
        in_store("carol", lambda p: p.slot(3, NOOP, vote(ballot(6, BOB), PENDING))),
        ("B2", 3, "bob"),
        r"6\.bob carries bob/5 .*, but alice, bob accepted the no-op at 3\.carol",
    ),
    "two entries at one ballot": (
        in_store("carol", lambda p: p.slot(11, None, vote(ballot(6, BOB), OTHER))),
        ("B1", 11, "carol"),
        r"accepted bob/5 .* at 6\.bob; alice accepted bob/5",
    ),
    "a ballot above the round of its site": (
        in_store("bob", lambda p: p.change(META, "1", round=5)),
        ("B1", 13, "bob"),
        r"holds its ballot 7\.bob, but its store has used no round above 5",
    ),
    "an acceptance above the round of its site": (
        in_store("alice", lambda p: p.change(META, "1", round=3)),
        ("B1", 5, "alice"),
        r"alice holds its ballot 4\.alice, but its store has used no round above 3",
    ),
    "a range promise above the round of its site": (
        in_store("carol", lambda p: p.change(RANGES, "1", ballot="9.alice")),
        ("B1", 13, "alice"),
        r"carol holds its ballot 9\.alice",
    ),
    "ballot 0 after another author's entry": (
        in_store("carol", lambda p: p.slot(5, LOG[4][0], vote(ballot(0, ALICE), LOG[4][0]))),
        ("L2", 5, "carol"),
        r"accepted 0\.alice, though carol/2 .* is in the slot before",
    ),
    "ballot 0 at the first slot": (
        in_store("carol", lambda p: p.slot(1, LOG[0][0], vote(ballot(0, ALICE), LOG[0][0]))),
        ("L2", 1, "carol"),
        "there is no slot before",
    ),
    "an acceptance below its promise": (
        in_store("alice", lambda p: p.slot(11, None, vote(ballot(6, BOB), PENDING, ballot(5, BOB)))),
        ("A2", 11, "alice"),
        r"accepted 6\.bob, but its promise is 5\.bob",
    ),
    "an acceptance without an entry": (
        in_store("alice", lambda p: p.slot(11, None, Vote(ballot(6, BOB), ballot(6, BOB), ()))),
        ("A2", 11, "alice"),
        "without an entry",
    ),
    "a gap in the prefix": (
        in_store("alice", lambda p: p.delete(SLOTS, "first = 4")),
        ("R2", 4, "alice"),
        "the prefix goes through 10, but there is no sound row",
    ),
    "an unlearned slot in the prefix": (
        in_store("carol", lambda p: p.slot(5, None, promised(4))),
        ("R2", 5, "carol"),
        "the slot is only promised",
    ),
    "a void entry above the prefix": (
        in_store("carol", lambda p: p.change(SLOTS, "first = 10", void="[0]")),
        ("R2", 10, "carol"),
        "is void, but the prefix is 8",
    ),
    "a void entry in effect": (
        in_store("bob", lambda p: p.slot(7, LOG[6][0], vote(LOG[6][1], LOG[6][0]))),
        ("E1", 7, "bob"),
        "carol/1 .* stands as in effect, after carol/2 was",
    ),
    "an entry in effect though it follows another number": (
        both(*(in_store(name, lambda p: p.slot(5, FOLLOWS_ANOTHER)) for name in NAMES)),
        ("E5", 5, "alice"),
        "stands as in effect, a replay has it void, with alice/1 last in effect",
    ),
    "an entry in effect that stands as void": (
        in_store("alice", lambda p: p.change(SLOTS, "first = 4", void="[0]")),
        ("E5", 4, "alice"),
        "stands as void, a replay has it in effect",
    ),
    "a tweet that the timeline does not come to": (
        in_store("alice", lambda p: p.change(TWEETED, "through = 4", authors="bob")),
        ("D3", 4, "alice"),
        "table tweeted, through 4: does not name carol, whose tweet is in slot 4",
    ),
    "another last number": (
        in_store("alice", lambda p: p.change(AUTHORS, "author = 'bob'", last_in_effect=3)),
        ("E5", 10, "alice"),
        "it has 3 as bob's last number in effect, a replay has 4",
    ),
    "another number of tweets": (
        in_store("alice", lambda p: p.change(AUTHORS, "author = 'alice'", tweets=2)),
        ("R2", 10, "alice"),
        "counts 2 tweets of alice in effect, a replay 3",
    ),
    "a block that is gone": (
        in_store("carol", lambda p: p.delete(BLOCKS, "blocker = 'bob'")),
        ("R2", 8, "carol"),
        "its block table has nothing, a replay of its prefix bob blocks carol since 2",
    ),
    "a block since another slot": (
        in_store("alice", lambda p: p.change(BLOCKS, "1", slot=9)),
        ("R2", 10, "alice"),
        "bob blocks alice since 9, a replay of its prefix bob blocks alice since 10",
    ),
    "an event in effect without a row": (
        in_store("alice", lambda p: p.delete(EVENTS, "first = 2")),
        ("E1", 5, "alice"),
        "no sound row of it",
    ),
    "created, and nowhere": (
        in_store("carol", lambda p: p.change(EVENTS, "first = 3", state="created", bodies=None)),
        ("E2", 6, "carol"),
        "carol/3 is created, but in effect nowhere",
    ),
    "created, and void": (
        in_store("carol", lambda p: p.change(EVENTS, "first = 1", state="created", slot=7, bodies=None)),
        ("E2", 7, "carol"),
        "carol/1 is created, but in effect nowhere",
    ),
    "created somewhere else": (
        in_store("alice", lambda p: p.change(EVENTS, "first = 3", slot=7)),
        ("E2", 6, "alice"),
        "its row says created at slot 7",
    ),
    "lost, and in effect": (
        in_store("alice", lambda p: p.change(EVENTS, "first = 2", state="lost", bodies=BODIES)),
        ("E2", 5, "alice"),
        "alice/2 is lost, but in effect",
    ),
    "lost, and in effect where its own site has not learned it": (
        both(
            in_store("carol", learned_ahead(9, entry(CAROL, 3, 2, Tweet("still")))),
            in_store("alice", lambda p: p.slot(9, entry(CAROL, 3, 2, Tweet("still")))),
        ),
        ("E2", 9, "carol"),
        "carol/3 is lost, but in effect",
    ),
    "not created, and in effect": (
        in_store("bob", lambda p: p.change(EVENTS, "first = 4", state="not-created", bodies=BODIES)),
        ("E2", 10, "bob"),
        "bob/4 is not-created, but in effect",
    ),
    "created though withdrawn": (
        in_store("bob", lambda p: p.change(EVENTS, "first = 2", state="created", bodies=None)),
        ("E2", 8, "bob"),
        "its withdrawal took effect",
    ),
    "in effect without an outcome": (
        in_store("bob", lambda p: p.change(EVENTS, "first = 3", state="proposed", bodies=BODIES)),
        ("E2", 9, "bob"),
        "within its site's prefix, and still proposed",
    ),
    "created out of order": (
        in_store("alice", lambda p: p.change(EVENTS, "first = 2", slot=1)),
        ("E3", 1, "alice"),
        "alice/2 is created here, alice/1 at slot 1",
    ),
    "created beyond the prefix": (
        in_store("bob", lambda p: p.change(EVENTS, "first = 5", state="created", bodies=None)),
        ("E4", 11, "bob"),
        "bob/5 is created, but its site's prefix is 10",
    ),
    "another cluster": (
        in_store("carol", lambda p: p.change(META, "1", cluster="elsewhere")),
        ("D4", None, "carol"),
        "is a store of cluster elsewhere",
    ),
    "another list of sites": (
        in_store("carol", lambda p: p.change(META, "1", sites="alice bob carol dave")),
        ("D4", None, "carol"),
        "with alice, bob, carol, dave",
    ),
    "a site that is not in its own list": (
        in_store("carol", lambda p: p.change(META, "1", site="zoe")),
        ("D4", None, "zoe"),
        "its own list does not name",
    ),
    "a voter on another store than was recorded": (
        in_store("alice", lambda p: p.change(PEERS, "site = 'bob'", life="00000000000000ff")),
        ("D5", None, "bob"),
        "but alice remembers 00000000000000ff of it",
    ),
    "an old copy": (
        in_store("alice", lambda p: p.change(PEERS, "site = 'bob'", commit_number=99)),
        ("D5", None, "bob"),
        "is at commit 2, but alice heard of 99: an old copy",
    ),
    "a vote on a store that was never admitted": (
        in_store("carol", lambda p: p.change(META, "1", standing="new")),
        ("D5", 2, "carol"),
        "votes, though its store was never admitted",
    ),
    "a vote on the store that replaced a lost one": (
        both(
            in_store("bob", lambda p: p.change(META, "1", standing="learner")),
            in_store("alice", lambda p: p.change(PEERS, "site = 'bob'", life="00000000000000ff")),
        ),
        ("D5", 1, "bob"),
        "which was never admitted: others, 1 here, remember another",
    ),
    "a damaged row of the log": (
        lambda data: damage(data / "bob", "UPDATE slots SET entries = replace(entries, 'me', 'we') WHERE first = 4"),
        ("D3", 4, "bob"),
        "table slots, first 4: does not match its checksum",
    ),
    "a damaged event": (
        lambda data: damage(data / "bob", "UPDATE events SET slot = 3 WHERE first = 1"),
        ("D3", None, "bob"),
        "table events, first 1: does not match its checksum",
    ),
    "a damaged vote": (
        lambda data: damage(data / "alice", "UPDATE slots SET accepted = NULL WHERE first = 11"),
        ("D3", None, "alice"),
        "table slots, first 11: does not match its checksum",
    ),
    "a lost vote": (
        lambda data: damage(data / "alice", "DELETE FROM slots WHERE first = 11"),
        ("D3", None, "alice"),
        "a row is gone",
    ),
}


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize(("plant", "named", "says"), CASES.values(), ids=CASES)
def test_a_violation_is_named(data: Path, plant: Plant, named: tuple[str, int | None, str | None], says: str) -> None:
    plant(data)
    report = audit([data])
    assert report.violations_found == len(report.violations) > 0
    sentences = [each.sentence for each in report.violations if (each.rule, each.slot, each.site) == named]
    assert sentences, f"{named} is not among {report.violations}"
    assert any(re.search(says, sentence) for sentence in sentences), sentences
    assert report.unreadable == ()
