"""What engines say is held against their stores: the pure judgement, and real engines that break a rule of the disk.

Each case over real engines is tried with the rule as it is, too: then nothing is found.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.core.ids import SiteId
from engine.core.settings import Leadership
from engine.core.storage import Vote
from engine.template import free_addresses, write_files
from tests.chaos.disks import Disks, stored_votes
from tests.chaos.engines import Engines
from tests.chaos.network import RuledNetwork
from tests.chaos.witness import Sayings, Witness, ballot_of, hold_against_stores
from tests.real_cluster import until, with_leadership
from tui.client import Client

Json = dict[str, Any]

NAMES = ("alice", "bob", "carol")


def line(type_: str, slot: int, ballot: str, note: str = "promised, nothing accepted before", **others: str) -> Json:
    return {"dir": "out", "peer": "bob", "type": type_, "slot": slot, "ballot": ballot, "note": note, **others}


def said_by(site: str, *lines: Json, since_s: float = 1.0) -> Sayings:
    sayings = Sayings(site, since_s)
    for each in lines:
        sayings.take(each)
    return sayings


def votes(promised: str, accepted: str | None = None) -> dict[int, Vote]:
    """Of slot 7."""
    return {7: Vote(ballot_of(promised), None if accepted is None else ballot_of(accepted), None)}


PROMISED = line("promise", 7, "10.bob")
ACCEPTED = line("accepted", 7, "10.bob", "nothing higher was promised")
PREPARED = line("prepare", 7, "3.alice", "asks for a promise")
CHOSEN = line("promise", 7, "99.bob", "already chosen: bob/1 tweet hi")


def test_what_the_store_holds_or_exceeds_is_let_pass_a1_a2() -> None:
    said = [said_by("alice", PROMISED, ACCEPTED, PREPARED, CHOSEN), said_by("alice", PREPARED, since_s=2.0)]
    for kept in (votes("10.bob", "10.bob"), votes("11.alice", "10.carol")):
        assert hold_against_stores(said, {"alice": kept}, {}) == []


@pytest.mark.parametrize(
    ("lines", "kept", "says"),
    [
        ([PROMISED], {}, "D1 slot 7: alice said that it promised 10.bob, and its store holds nothing there"),
        ([PROMISED], votes("9.carol"), "D1 slot 7: alice said that it promised 10.bob, and its store holds 9.carol"),
        ([ACCEPTED], votes("10.bob"), "D1 slot 7: alice said that it accepted 10.bob, and its store holds nothing"),
        ([ACCEPTED], votes("10.bob", "2.bob"), "D1 slot 7: alice said that it accepted 10.bob, and its store holds 2"),
        ([PREPARED, {**PREPARED, "slot": 8}], {}, "B1 slot 8: alice prepares 3.alice, which it prepared for slot 7"),
    ],
)
def test_what_the_store_does_not_hold_is_found(lines: list[Json], kept: dict[int, Vote], says: str) -> None:
    [found] = hold_against_stores([said_by("alice", *lines)], {"alice": kept}, {})
    assert found.startswith(says)


def test_what_arrived_from_a_killed_site_counts_as_said_d1() -> None:
    heard = said_by("bob", {**PROMISED, "dir": "in", "peer": "alice"})
    [found] = hold_against_stores([heard], {"alice": {}, "bob": {}}, {})
    assert found.startswith("D1 slot 7: alice said")


def test_a_vote_after_the_disk_was_lost_is_found_and_those_before_are_not_d5() -> None:
    for each in (PROMISED, ACCEPTED, PREPARED):
        before, after = said_by("alice", each, since_s=1.0), said_by("alice", each, since_s=3.0)
        assert hold_against_stores([before], {"alice": {}}, {"alice": 2.0}) == []
        found = hold_against_stores([before, after], {"alice": {}}, {"alice": 2.0})
        assert found == ["D5 slot 7: alice votes or proposes after its disk was lost"]


# Real engines


class Three:
    """Real engines, and a witness of each."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.disks = Disks(engines)
        self._closing = threading.Event()
        self._witnesses = [Witness(name, engines.sockets[name], self._closing) for name in NAMES]
        for witness in self._witnesses:
            witness.start()
        until(lambda: all(witness.sayings for witness in self._witnesses), "all traces are followed")

    def sayings(self) -> list[Sayings]:
        return [each for witness in self._witnesses for each in witness.sayings]

    def all_said(self, type_: str) -> bool:
        """Whether each site but the proposer, alice, was traced to have said this."""
        said = [each.promised if type_ == "promise" else each.accepted for each in self.sayings()]
        return {who for each in said for who, _ in list(each)} >= {"bob", "carol"}

    def judgement(self) -> list[str]:
        """After all engines have stopped."""
        for name in NAMES:
            self.engines.stop(name)
        self._closing.set()
        for witness in self._witnesses:
            witness.join()
        stores = {name: stored_votes(self.engines.data / name) for name in NAMES}
        return hold_against_stores(self.sayings(), stores, self.disks.lost_s)


@contextmanager
def three(folder: Path, mutant: str | None) -> Iterator[Three]:
    path = folder / "sites.yaml"
    write_files(path, "witness-island", free_addresses([SiteId(name) for name in NAMES]))
    path.write_text(with_leadership(path.read_text(), Leadership.NONE))
    with ExitStack() as stack:
        engines = Engines(path, folder / "data", NAMES, RuledNetwork().wrap, mutant)
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
        assert submit(cluster.engines, "alice", 0.5)["outcome"] != "created"
        until(lambda: cluster.all_said(said), f"bob and carol say {said}")
        cluster.engines.kill(NAMES)
        found = cluster.judgement()
    assert bool(found) == (mutant is not None), found
    assert all(sentence.startswith("D1 slot 1: ") for sentence in found)


@pytest.mark.parametrize("mutant", [None, "d5-every-store-votes-at-once"])
@pytest.mark.parametrize("lost", ["wiped", "an old copy"])
def test_a_site_that_votes_after_its_disk_was_lost_is_found_d5(tmp_path: Path, lost: str, mutant: str | None) -> None:
    """carol's store is not the one it was, and bob is away: alice needs a vote that carol must not give."""
    with three(tmp_path, mutant) as cluster:
        engines, disks = cluster.engines, cluster.disks
        assert submit(engines, "alice", 20)["outcome"] == "created"
        if lost == "wiped":
            assert disks.wipe("carol")
            engines.start("carol")
        else:
            assert disks.copy("carol")
            until(lambda: engines.ask("carol", "submit", tweet(2.0)), "carol goes on")
            until(lambda: disks.is_contradicted("carol"), "the others know of a later commit of carol's")
            assert disks.put_back("carol")
        until(lambda: _is_lost(engines.ask("carol", "status")), "carol is told that its disk is lost")
        engines.kill(["bob"])
        outcome = submit(engines, "alice", 2.0 if mutant is None else 20.0)["outcome"]
        assert (outcome == "created") == (mutant is not None)
        found = cluster.judgement()
    assert bool(found) == (mutant is not None), found
    assert all(re.match("D5 slot [0-9]+: carol votes", sentence) for sentence in found)


def _is_lost(status: Json | None) -> bool:
    return status is not None and "lost-disk" in status["voting_why"]
