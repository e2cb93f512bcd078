"""What engines say is held against their stores: the pure judgement, and real engines that break a rule of the disk.

Each case over real engines is tried with the rule as it is, too: then nothing is found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot
from engine.core.messages import Accepted, Cause, Message, Prepare, Promise, RefusedSpan
from engine.core.run import run_of
from engine.core.settings import Leadership
from engine.core.storage import Vote
from engine.template import write_files
from tests.chaos.disks import Disks, stored_votes
from tests.chaos.engines import Engines, ForkedEngines
from tests.chaos.network import RuledNetwork
from tests.chaos.overheard_engine import claims
from tests.chaos.witness import Sayings, ballot_of, hold_against_stores, read_sayings
from tests.ports import free_addresses
from tests.real_cluster import until, with_leadership
from tui.client import Client

Json = dict[str, Any]

NAMES = ("alice", "bob", "carol")


def line(verb: str, ballot: str, *slots: int, first: int = 7) -> Json:
    return {"said": verb, "ballot": ballot, "first": first, "spans": [(slot, slot) for slot in slots]}


def said_by(site: str, *lines: Json, since_s: float = 1.0) -> Sayings:
    sayings = Sayings(site, since_s)
    for each in lines:
        sayings.take(each)
    return sayings


def votes(promised: str, accepted: str | None = None) -> dict[int, Vote]:
    """Of slot 7."""
    return {7: Vote(ballot_of(promised), None if accepted is None else ballot_of(accepted), ())}


PROMISED = line("promised", "10.bob", 7)
PROMISED_ALL = line("promised", "99.bob")
ACCEPTED = line("accepted", "10.bob", 7)
PREPARED = line("prepared", "3.alice", 7)


def test_what_the_store_holds_or_exceeds_is_let_pass_a1_a2() -> None:
    said = [said_by("alice", PROMISED, PROMISED_ALL, ACCEPTED, PREPARED), said_by("alice", PREPARED, since_s=2.0)]
    for kept in (votes("10.bob", "10.bob"), votes("11.alice", "10.carol")):
        assert hold_against_stores(said, {"alice": kept}, {}, {}) == []


@pytest.mark.parametrize(
    ("lines", "kept", "says"),
    [
        ([PROMISED], {}, "D1 slot 7: alice said that it promised 10.bob, and its store holds nothing there"),
        ([PROMISED], votes("9.carol"), "D1 slot 7: alice said that it promised 10.bob, and its store holds 9.carol"),
        ([ACCEPTED], votes("10.bob"), "D1 slot 7: alice said that it accepted 10.bob, and its store holds nothing"),
        ([ACCEPTED], votes("10.bob", "2.bob"), "D1 slot 7: alice said that it accepted 10.bob, and its store holds 2"),
        (
            [PREPARED, line("prepared", "3.alice", 8)],
            {},
            "B1 slot 8: alice prepares 3.alice, which it prepared for slots 7 before",
        ),
    ],
)
def test_what_the_store_does_not_hold_is_found(lines: list[Json], kept: dict[int, Vote], says: str) -> None:
    [found] = hold_against_stores([said_by("alice", *lines)], {"alice": kept}, {}, {})
    assert found.startswith(says)


def test_a_ballot_that_was_prepared_for_several_slots_may_be_prepared_for_some_of_them_again() -> None:
    begun = {**PREPARED, "spans": [(7, 9)]}
    assert (
        hold_against_stores([said_by("alice", begun, PREPARED, line("prepared", "3.alice", 9))], {"alice": {}}, {}, {})
        == []
    )


def test_a_promise_that_tells_of_a_choice_is_no_claim_and_all_others_are() -> None:
    """R1: a learned slot is answered with its entry; what was promised there before is not kept (A2)."""
    ballot, entry = ballot_of("3.bob"), Entry(SiteId("bob"), 1, 0, "tweet 1 hi")
    said: list[Message] = [
        Promise(ballot, Slot(7), Slot(7), (), (run_of(Slot(7), entry),), ()),
        Promise(ballot, Slot(7), Slot(7), (), (), ()),
        Promise(ballot, Slot(7), None, (), (), ()),
        Accepted(ballot, ((Slot(8), Slot(9)), (Slot(11), Slot(11)))),
        Prepare(ballot, Slot(9), Slot(10)),
    ]
    cut = Promise(ballot, Slot(7), None, (), (), (RefusedSpan(Slot(7), Slot(9), None, Cause.NOT_VOTING),))
    assert [claim["first"] for claim in claims([cut])] == [10]  # M4: before its own slots
    sayings = said_by("alice", *map(json.loads, map(json.dumps, claims(said))))
    assert sayings.promised == {7: ballot}
    assert sayings.accepted == dict.fromkeys((8, 9, 11), ballot)
    assert sayings.prepared == [(ballot, 9, 10)]
    assert sayings.acted == [7, 7, 8, 9]


def test_a_line_that_was_cut_short_was_never_said(tmp_path: Path) -> None:
    whole, silent, unborn = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    whole.write_text(f'{{"since_s":5.5}}\n{json.dumps(PROMISED)}\n{json.dumps(ACCEPTED)[:-3]}')
    silent.write_text('{"since')
    [said] = read_sayings("alice", [whole, silent, unborn])
    assert (said.since_s, said.promised, said.accepted) == (5.5, {7: ballot_of("10.bob")}, {})


def test_a_vote_after_the_disk_was_lost_is_found_and_those_before_are_not_d5() -> None:
    for each in (PROMISED, PROMISED_ALL, ACCEPTED, PREPARED):
        before, after = said_by("alice", each, since_s=1.0), said_by("alice", each, since_s=3.0)
        assert hold_against_stores([before], {"alice": {}}, {"alice": 2.0}, {}) == []
        found = hold_against_stores([before, after], {"alice": {}}, {"alice": 2.0}, {})
        assert found == ["D5 slot 7: alice votes or proposes after its disk was lost"]


def test_who_was_readmitted_votes_at_its_own_slots_alone_with_ballots_of_its_own_m4() -> None:
    """`3.alice` of the lost store and of the new one are two ballots; what the new one said, its store holds."""
    before = said_by("alice", line("prepared", "3.alice", 4), since_s=1.0)
    after = said_by("alice", PREPARED, ACCEPTED, since_s=3.0)
    kept, lost_s = votes("10.bob", "10.bob"), {"alice": 2.0}
    assert hold_against_stores([before, after], {"alice": kept}, lost_s, {"alice": 7}) == []
    [early] = hold_against_stores([before, after], {"alice": kept}, lost_s, {"alice": 8})
    assert early == "D5 slot 7: alice votes or proposes after its disk was lost"
    [missing] = hold_against_stores([before, after], {"alice": {}}, lost_s, {"alice": 7})
    assert missing.startswith("D1 slot 7: alice said that it accepted 10.bob")


# Real engines


class Three:
    """Real engines."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.disks = Disks(engines)

    def all_said(self, verb: str) -> bool:
        """Whether each site but the proposer, alice, said this."""
        said = {each.site: each.promised if verb == "promise" else each.accepted for each in self.engines.sayings()}
        return bool(said["bob"] and said["carol"])

    def judgement(self) -> list[str]:
        """After all engines have stopped."""
        for name in NAMES:
            self.engines.stop(name)
        stores = {name: stored_votes(self.engines.data / name) for name in NAMES}
        return hold_against_stores(self.engines.sayings(), stores, self.disks.lost_s, {})


@contextmanager
def three(folder: Path, mutant: str | None) -> Iterator[Three]:
    path = folder / "sites.yaml"
    write_files(path, "witness-island", free_addresses(NAMES))
    path.write_text(with_leadership(path.read_text(), Leadership.NONE))
    with ExitStack() as stack:
        engines = ForkedEngines(path, folder / "data", NAMES, RuledNetwork().wrap, mutant)
        stack.enter_context(closing(engines))
        for name in NAMES:
            engines.start(name)
        engines.until_ready(30)
        yield Three(engines)


def tweet(timeout_s: float) -> Json:
    return {"kind": "tweet", "text": "hi", "timeout_s": timeout_s, "retry": False}


def submit(engines: Engines, site: str, timeout_s: float) -> Json:
    with Client.connect(engines.sockets[site]) as client:
        outcome: Json = client.call("submit", tweet(timeout_s), 30)
    return outcome


@pytest.mark.parametrize(
    ("said", "lost", "mutant"),
    [
        ("promise", "accept", None),
        ("promise", "accept", "d1-promises-are-not-durable"),
        ("accepted", "accepted", "d1-acceptances-are-not-durable"),
    ],
)
def test_a_vote_that_a_kill_undoes_is_found_d1(tmp_path: Path, said: str, lost: str, mutant: str | None) -> None:
    """What follows is lost, so that this vote is the last that stores are told; then all are killed."""
    with three(tmp_path, mutant) as cluster:
        for name in NAMES:
            cluster.engines.ask(name, "faults.add", {"rule": f"to=* type={lost} drop"})
        with Client.connect(cluster.engines.sockets["alice"]) as client:
            client.request("submit", tweet(60))
            client.wait(0)  # what is written leaves
            until(lambda: cluster.all_said(said), f"bob and carol say {said}")
            cluster.engines.kill(NAMES)
        found = cluster.judgement()
    assert bool(found) == (mutant is not None), found
    assert all(sentence.startswith("D1 slot 1: ") for sentence in found)


@pytest.mark.parametrize("mutant", [None, "d5-every-store-votes-at-once"])
@pytest.mark.parametrize(("lost", "standing"), [("wiped", "new-store"), ("an old copy", "old-store")])
def test_a_site_that_votes_after_its_disk_was_lost_is_found_d5(
    tmp_path: Path, lost: str, standing: str, mutant: str | None
) -> None:
    """carol's store is not the one it was, and bob is away: alice needs a vote that carol must not give."""
    with three(tmp_path, mutant) as cluster:
        engines, disks = cluster.engines, cluster.disks
        assert submit(engines, "alice", 20)["outcome"] == "created"
        if lost == "wiped":
            assert disks.wipe("carol")
            engines.start("carol")
        else:
            assert disks.copy("carol")
            until(lambda: _goes_on_past_its_copy(cluster, "carol"), "the others know of a later commit of carol's")
            assert disks.put_back("carol")
        until(lambda: _standing(engines.ask("carol", "status")) == standing, f"carol is told: {standing}")
        engines.kill(["bob"])
        outcome = submit(engines, "alice", 2.0 if mutant is None else 20.0)["outcome"]
        assert (outcome == "created") == (mutant is not None)
        found = cluster.judgement()
    assert bool(found) == (mutant is not None), found
    assert all(re.match("D5 slot [0-9]+: carol votes", sentence) for sentence in found)


def _goes_on_past_its_copy(cluster: Three, site: str) -> bool:
    """Peers write what they heard of a store's commits beside what they write anyway, and whom the site has not asked
    since it started hears of the start's alone (D5): where one event does not reach their stores, the next one does."""
    cluster.engines.ask(site, "submit", tweet(2.0))
    return cluster.disks.is_contradicted(site)


def _standing(status: Json | None) -> str | None:
    return None if status is None else status["standing"]
