"""The truth about stores, rounds, prefixes and recovery fails whoever breaks its rule: each is broken here once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from engine.core.entry import NOOP, Entry
from engine.core.ids import Ballot, Nonce, Round, SiteId, Slot, StoreId
from engine.core.messages import Highest, Prepare, Verdict, Welcome
from engine.core.settings import CHANGE_LAG
from engine.core.storage import Change, InEffect, PeerMemory, Standing, Vote, WriteApplied, WriteBlock, WriteStanding
from engine.sim.image import Image
from engine.sim.sometimes import Reached
from engine.sim.truth.ballots import Ballots
from engine.sim.truth.electorates import Electorates
from engine.sim.truth.prefixes import Prefixes
from engine.sim.truth.recovery import Recovery
from engine.sim.truth.replay import Replay
from engine.sim.truth.rounds import Rounds
from engine.sim.truth.stores import Stores
from engine.sim.violation import Judge, OutOfModel, Violated
from engine.sim.world.disk import SimDisk

ALICE, BOB, CAROL = NAMES = (SiteId("alice"), SiteId("bob"), SiteId("carol"))
SLOT = Slot(1)
BLOCK = Entry(ALICE, 1, 0, "block 1 bob")
OWN = Entry(ALICE, 2, 1, "tweet 2 t")


@pytest.fixture
def disks() -> list[SimDisk]:
    return [SimDisk(name, StoreId(f"{index:016x}")) for index, name in enumerate(NAMES)]


@contextmanager
def violates(rule: str) -> Iterator[None]:
    with pytest.raises(Violated) as caught:
        yield
    assert caught.value.violation.rule == rule


# Stores


class Admission:
    """Alice's store is made known to her peers, as far as a test lets it."""

    def __init__(self, disks: list[SimDisk]) -> None:
        self.disks = disks
        self.stores = Stores(NAMES, disks, Replay(NAMES, CHANGE_LAG), Reached(), Judge())
        for index, disk in enumerate(disks):
            self.stores.started(index, disk.load())

    def recorded_by(self, *peers: int) -> None:
        """Durably, and she is told so."""
        for peer in peers:
            memory = PeerMemory(ALICE, self.disks[0].image.life, 0)
            self.disks[peer].image.peers[ALICE] = memory
            self.stores.remembered(peer, memory)
            self.asks_and_is_answered(peer)

    def asks_and_is_answered(self, peer: int) -> None:
        nonce = Nonce(peer)
        self.stores.asks(0, nonce)
        self.stores.welcomes(peer, Welcome(nonce, Verdict.RECORDED, None, ""))

    def becomes(self, standing: Standing) -> None:
        self.disks[0].image.standing = standing
        self.stores.stands(0, WriteStanding(standing, ""))

    def admitted(self) -> Admission:
        self.recorded_by(1, 2)
        self.becomes(Standing.ADMITTED)
        self.stores.passed(0)
        return self

    def wiped(self) -> Admission:
        self.disks[0].image = SimDisk(ALICE, StoreId("f" * 16)).image
        self.stores.replaced(0, self.disks[0].image)
        self.stores.started(0, self.disks[0].load())
        return self


@pytest.fixture
def alice(disks: list[SimDisk]) -> Admission:
    return Admission(disks)


def test_d5_a_store_that_enough_peers_recorded_votes(alice: Admission) -> None:
    assert not alice.stores.votes(0)
    alice.admitted().stores.may_vote(0, "votes")
    assert alice.stores.votes(0)


def test_d5_a_store_that_one_peer_recorded_is_not_admitted(alice: Admission) -> None:
    alice.recorded_by(1)
    with violates("D5"):
        alice.becomes(Standing.ADMITTED)


def test_d5_a_store_that_is_called_lost_in_the_pass_that_admits_it_votes_in_that_pass_alone(alice: Admission) -> None:
    alice.wiped().recorded_by(1, 2)
    alice.becomes(Standing.ADMITTED)
    alice.becomes(Standing.LEARNER)
    alice.stores.may_vote(0, "votes")
    alice.stores.passed(0)
    with violates("D5"):
        alice.stores.may_vote(0, "votes")


@pytest.mark.parametrize("was_there", [False, True], ids=["named by the log alone", "away since D5 admitted it"])
def test_m4_what_a_store_records_that_the_log_let_in_admits_no_new_one(alice: Admission, was_there: bool) -> None:
    bobs = alice.disks[1].image.life
    alice.stores._replay.admitted[bobs] = Slot(1)
    if was_there:
        alice.stores._by_d5.add(bobs)
        alice.stores._replay.promoted.add(bobs)
    alice.recorded_by(1, 2)
    with violates("D5"):
        alice.becomes(Standing.ADMITTED)


def test_d5_a_voter_votes_after_a_start_once_it_was_confirmed_again(alice: Admission) -> None:
    alice.admitted().stores.started(0, alice.disks[0].load())
    with violates("D5"):
        alice.stores.may_vote(0, "votes")
    alice.asks_and_is_answered(1)
    alice.stores.may_vote(0, "votes")


def test_d5_a_store_in_the_place_of_one_that_voted_never_votes(alice: Admission) -> None:
    alice.admitted().wiped()
    assert alice.stores.barred(0)
    with violates("D5"):
        alice.stores.may_vote(0, "votes")


def test_d5_what_enough_peers_cannot_contradict_is_outside_of_the_model(alice: Admission) -> None:
    alice.admitted()
    alice.stores.replaced(0, alice.disks[0].image)
    alice.stores.started(0, alice.disks[0].load())
    with pytest.raises(OutOfModel):
        alice.stores.may_vote(0, "votes")


def test_d5_nobody_else_is_called_a_lost_disk(alice: Admission) -> None:
    with violates("D5"):
        alice.becomes(Standing.LEARNER)
    alice.admitted().wiped().becomes(Standing.LEARNER)


def test_d5_a_peer_s_store_that_is_remembered_is_not_replaced(alice: Admission) -> None:
    alice.recorded_by(1)
    with violates("D5"):
        alice.stores.remembered(1, PeerMemory(ALICE, StoreId("f" * 16), 0))


def test_d1_who_says_that_it_recorded_a_store_has_it_on_disk(alice: Admission) -> None:
    with violates("D1"):
        alice.asks_and_is_answered(1)


# Electorates


def _bob_has_passed(alice: Admission) -> None:
    alice.stores.passed(1)


def _bob_starts_anew(alice: Admission) -> None:
    alice.stores.started(1, alice.disks[1].load())


@pytest.mark.parametrize("ends", [_bob_has_passed, _bob_starts_anew])
def test_d1_what_a_pass_recorded_and_the_log_replaced_is_said_by_that_pass_alone(
    alice: Admission, ends: Callable[[Admission], None]
) -> None:
    alice.recorded_by(1)
    alice.disks[1].image.peers[ALICE] = PeerMemory(ALICE, StoreId("f" * 16), 0)
    alice.asks_and_is_answered(1)
    ends(alice)
    with violates("D1"):
        alice.asks_and_is_answered(1)


def test_m4_a_first_store_that_another_one_replaced_votes_from_its_readmission_on(disks: list[SimDisk]) -> None:
    """Removed, added, promoted with another store; then the first one was put back, and readmitted."""
    electorates, image = Electorates(NAMES, disks, Replay(NAMES, CHANGE_LAG), Judge()), disks[0].image
    electorates.stands(0)
    changes = (
        "remove 0 alice",
        "add 0 alice 127.0.0.1:1",
        f"promote 0 alice {'e' * 16}",
        f"readmit 0 alice {image.life}",
    )
    image.changes = [Change(Slot(1 + at * CHANGE_LAG), body) for at, body in enumerate(changes)]
    first = Slot(image.changes[-1].slot + CHANGE_LAG)
    electorates.votes(0, first)
    with violates("M4"):
        electorates.votes(0, Slot(first - 1))


def test_m4_a_first_store_that_is_readmitted_in_its_own_place_votes_all_the_time(disks: list[SimDisk]) -> None:
    electorates, image = Electorates(NAMES, disks, Replay(NAMES, CHANGE_LAG), Judge()), disks[0].image
    electorates.stands(0)
    image.changes = [Change(Slot(5), f"readmit 0 alice {image.life}")]
    electorates.votes(0, Slot(6))


# Rounds


def made_rounds(disks: list[SimDisk]) -> Rounds:
    electorates = Electorates(NAMES, disks, Replay(NAMES, CHANGE_LAG), Judge())
    return Rounds(NAMES, disks, electorates, Ballots(electorates, Judge()), Judge())


@pytest.fixture
def rounds(disks: list[SimDisk]) -> Rounds:
    """Alice has used round 1 before she started, and has round 3 on her disk."""
    rounds = made_rounds(disks)
    disks[0].image.round = Round(1)
    rounds.started(0, disks[0].load())
    disks[0].image.round = Round(3)
    return rounds


def prepare(number: int, slot: int = 1, site: SiteId = ALICE, last: int | None = 1) -> Prepare:
    return Prepare(Ballot(Round(number), site), Slot(slot), None if last is None else Slot(last))


def test_b1_a_round_has_one_purpose(rounds: Rounds) -> None:
    rounds.prepares(0, prepare(2))
    rounds.prepares(0, prepare(2))
    rounds.prepares(0, prepare(3, last=None))
    assert rounds.is_of_the_whole_log(0, Ballot(Round(3), ALICE))
    for slot in (1, 2):
        rounds.proposes(0, Slot(slot), Ballot(Round(3), ALICE), NOOP)
    with violates("B1"):
        rounds.prepares(0, prepare(2, slot=2, last=2))


@pytest.mark.parametrize("bad", [prepare(4), prepare(1), prepare(2, site=BOB)], ids=["not durable", "old", "another's"])
def test_b1_a_round_is_durable_new_and_one_s_own(rounds: Rounds, bad: Prepare) -> None:
    with violates("B1"):
        rounds.prepares(0, bad)


def test_l2_ballot_zero_is_for_the_author_of_the_slot_before_and_durable(disks: list[SimDisk]) -> None:
    rounds, zero = made_rounds(disks), Ballot(Round(0), ALICE)
    ballots = rounds.ballots
    with violates("L2"):
        rounds.proposes(0, Slot(2), zero, OWN)
    disks[0].image.ahead.put(SLOT, SLOT, (BLOCK,))
    with violates("L2"):
        rounds.proposes(0, Slot(2), zero, OWN)
    ballots.voted(0, Slot(2), Vote(zero, zero, (OWN,)))
    rounds.proposes(0, Slot(2), zero, OWN)
    with violates("L2"):
        rounds.proposes(0, Slot(2), zero, NOOP)


# Prefixes


VOID = Entry(ALICE, 9, 7, "tweet 9 t")
LOG = (BLOCK, VOID, OWN)


class Applying:
    """The prefix of one site: alice's block, what is void, and her tweet are chosen."""

    def __init__(self) -> None:
        replay = Replay((), 0)
        for entry in LOG:
            replay.apply(entry)
        self.prefixes = Prefixes(NAMES, replay, Judge())
        self.image = Image(StoreId("0" * 16))

    def applies(self, first: int, log: tuple[Entry, ...], void: tuple[int, ...], *authors: InEffect) -> None:
        self.image.log += log
        write = WriteApplied(Slot(first), Slot(first + len(log) - 1), tuple(map(Slot, void)), authors)
        self.prefixes.applied(1, write, self.image)


@pytest.fixture
def applying() -> Applying:
    return Applying()


@pytest.fixture
def prefixes(applying: Applying) -> Prefixes:
    return applying.prefixes


BLOCKED = WriteBlock(ALICE, BOB, SLOT)


def test_r2_a_site_applies_and_shows_what_a_replay_gives(applying: Applying) -> None:
    prefixes = applying.prefixes
    applying.applies(1, (BLOCK,), (), InEffect(ALICE, 1, 0))
    prefixes.block(1, BLOCKED)
    applying.applies(2, (VOID, OWN), (2,), InEffect(ALICE, 2, 1))
    prefixes.committed(1)
    prefixes.shows(1, {(ALICE, BOB): SLOT})
    prefixes.shows(0, {})


@pytest.mark.parametrize(
    ("log", "void", "authors"),
    [
        ((*LOG, NOOP), (2,), (InEffect(ALICE, 2, 1),)),
        ((BLOCK, NOOP, OWN), (2,), (InEffect(ALICE, 2, 1),)),
        (LOG, (), (InEffect(ALICE, 2, 1),)),
        (LOG, (2, 3), (InEffect(ALICE, 1, 0),)),
        (LOG, (2,), (InEffect(ALICE, 2, 0),)),
        (LOG, (2,), (InEffect(ALICE, 9, 1),)),
        (LOG, (2,), (InEffect(ALICE, 2, 1), InEffect(BOB, 1, 0))),
        (LOG, (2,), (InEffect(ALICE, 1, 0), InEffect(ALICE, 2, 1))),
    ],
    ids=["not chosen", "another entry", "not void", "void", "shown", "number", "another author", "an author twice"],
)
def test_r2_nothing_else_is_applied(
    applying: Applying, log: tuple[Entry, ...], void: tuple[int, ...], authors: tuple[InEffect, ...]
) -> None:
    with violates("R2"):
        applying.applies(1, log, void, *authors)


def test_r2_a_change_of_the_block_table_is_durable_with_its_entry(applying: Applying) -> None:
    prefixes = applying.prefixes
    with violates("R2"):
        prefixes.block(1, BLOCKED)
    applying.applies(1, (BLOCK,), (), InEffect(ALICE, 1, 0))
    with violates("R2"):
        prefixes.committed(1)


def test_r2_no_other_block_table_is_shown_or_started_with(prefixes: Prefixes, disks: list[SimDisk]) -> None:
    with violates("R2"):
        prefixes.shows(1, {(ALICE, BOB): SLOT})
    disks[1].image.blocks[ALICE, BOB] = SLOT
    with violates("R2"):
        prefixes.started(1, disks[1].load())


# Recovery


def test_r4_who_has_recovered_has_what_was_chosen_before_it_asked() -> None:
    recovery = Recovery(NAMES, Judge())
    recovery.asks(0, Slot(7))
    recovery.asks(0, Slot(9))
    with violates("R4"):
        recovery.ends(0, Slot(6))
    recovery.started(0)
    recovery.asks(0, Slot(7))
    recovery.ends(0, Slot(7))


def test_r4_highest_covers_what_was_used_before_the_pass() -> None:
    recovery = Recovery(NAMES, Judge())
    recovery.answers(0, Highest(Nonce(1), Slot(7), Slot(0)), Slot(7))
    with violates("R4"):
        recovery.answers(0, Highest(Nonce(1), Slot(6), Slot(0)), Slot(7))
