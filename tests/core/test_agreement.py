"""Several replicas together: one log, true outcomes, and progress with any majority (A, B, L1, R3, R4, E1 to E4)."""

from __future__ import annotations

import pytest

from engine.core.entry import Entry
from engine.core.ids import EventId, Slot, StoreId
from engine.core.log.microblog import Microblog
from engine.core.run import Run
from engine.core.storage import EventState
from tests.core.bus import Bus
from tests.core.stage import ALICE, BOB, CAROL, DAVE, ERIN, MINUTE, SITES, new_store

FINAL = (EventState.CREATED, EventState.LOST, EventState.NOT_CREATED)
SEEDS = range(4)


def one_log(bus: Bus) -> dict[Slot, Entry]:
    """The log, which is the same at every site that is up, and complete."""
    logs = [bus.stages[site].store.log for site in bus.up]
    assert all(log == logs[0] for log in logs)
    for site in bus.up:
        view = bus.stages[site].replica.view(0)
        assert not view.recovering
        assert view.prefix == view.used_max == max(logs[0], default=0)
    return logs[0]


def in_effect(log: dict[Slot, Entry]) -> dict[EventId, Slot]:
    """Where each event took effect, which it does once (E1, E5)."""
    void = Microblog({}, {}).apply(Run(Slot(1), tuple(log[slot] for slot in sorted(log)))).void if log else ()
    where: dict[EventId, Slot] = {}
    for slot, entry in sorted(log.items()):
        if entry.id is not None and slot not in void:
            assert entry.id not in where
            where[entry.id] = slot
    return where


def check_outcomes(bus: Bus) -> None:
    """E2: every event that has an id has an outcome, `created` iff it is in effect. E3 too."""
    where = in_effect(one_log(bus))
    for site, stage in bus.stages.items():
        for number, row in stage.store.events.items():
            assert row.state in FINAL, f"{site}/{number} is {row.state}"
            assert (row.state is EventState.CREATED) == (EventId(site, number) in where)
            assert row.state is not EventState.CREATED or row.slot == where[EventId(site, number)]
            assert row.state is not EventState.LOST or where.get(EventId(site, number)) != row.slot
        own = [slot for event, slot in sorted(where.items()) if event.author == site]
        assert own == sorted(own)


def test_five_new_stores_become_voters_and_know_that_the_log_is_empty() -> None:
    bus = Bus(5)
    for stage in bus.stages.values():
        view = stage.replica.view(0)
        assert (view.voting, view.recovering, view.quorum.reachable) == (True, False, 5)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_an_event_is_created_and_every_site_has_it(size: int) -> None:
    bus = Bus(size)
    token = bus.submit(ALICE, "lunch at noon?")
    bus.run(100)
    saw = bus.outcome(token)
    assert (saw.outcome, saw.slot, saw.id) == (EventState.CREATED, 1, EventId(ALICE, 1))
    assert [entry.id for entry in one_log(bus).values()] == [EventId(ALICE, 1)]


@pytest.mark.parametrize("seed", SEEDS)
def test_events_of_all_sites_at_once_are_each_created_or_lost_to_what_won_their_slot(seed: int) -> None:
    bus = Bus(5, seed)
    tokens = [bus.submit(site, f"{site} {number}") for number in range(5) for site in SITES]
    bus.run(MINUTE)
    check_outcomes(bus)
    outcomes = [bus.outcome(token) for token in tokens]
    assert {saw.outcome for saw in outcomes} <= {EventState.CREATED, EventState.LOST}
    assert any(saw.outcome is EventState.CREATED for saw in outcomes)


@pytest.mark.parametrize("seed", SEEDS)
def test_under_retry_all_are_created_in_the_order_of_submission(seed: int) -> None:
    bus = Bus(5, seed)
    tokens = [bus.submit(site, f"{site} {number}", 10 * MINUTE, retry=True) for number in range(3) for site in SITES]
    bus.run(MINUTE)
    check_outcomes(bus)
    assert {bus.outcome(token).outcome for token in tokens} == {EventState.CREATED}


@pytest.mark.parametrize("seed", SEEDS)
def test_w1_every_packet_twice_and_in_any_order_is_as_good_as_once(seed: int) -> None:
    bus = Bus(3, seed, copies=2)
    for number in range(4):
        for site in SITES[:3]:
            bus.submit(site, f"{site} {number}", retry=True)
    bus.run(MINUTE)
    check_outcomes(bus)


def test_a_quiet_cluster_asks_nothing_but_how_far_the_log_goes() -> None:
    """No attempt, no hole and no event is left open, and nothing more is written."""
    bus = Bus(5)
    bus.submit(ALICE, "one")
    bus.run(MINUTE)
    before = {site: stage.store.commits for site, stage in bus.stages.items()}
    bus.run(3 * MINUTE)
    assert {site: stage.store.commits for site, stage in bus.stages.items()} == before
    assert not any(stage.replica.view(9).attempts for stage in bus.stages.values())


# Crashes


def test_with_two_of_five_down_it_goes_on_and_they_catch_up_by_themselves() -> None:
    bus = Bus(5)
    bus.submit(ALICE, "all are here")
    bus.run(100)
    bus.crash(DAVE, ERIN)
    bus.run(100)
    tokens = [bus.submit(BOB, f"without two, {number}") for number in range(20)]
    bus.run(5_000)
    assert {bus.outcome(token).outcome for token in tokens} == {EventState.CREATED}
    bus.restart(DAVE, ERIN)
    bus.run(30_000)
    assert len(one_log(bus)) == 21
    check_outcomes(bus)


def test_with_three_of_five_down_nothing_is_created_and_no_site_lies_and_it_goes_on_when_one_returns() -> None:
    bus = Bus(5)
    bus.crash(CAROL, DAVE, ERIN)
    bus.run(5_000)
    before = bus.submit(ALICE, "alone", timeout=3_000)
    bus.run(3_000)
    saw = bus.outcome(before)
    assert (saw.outcome, saw.reason) == (EventState.NOT_CREATED, "no quorum: 2 of 5 reachable, 3 needed")
    assert not bus.stages[ALICE].store.log
    waiting = bus.submit(BOB, "still here", retry=True)
    bus.run(5_000)
    bus.restart(CAROL)
    bus.run(30_000)
    assert bus.outcome(waiting).outcome is EventState.CREATED
    check_outcomes(bus)


@pytest.mark.parametrize("deliveries", range(0, 40, 2))
def test_the_proposing_site_may_die_in_every_phase(deliveries: int) -> None:
    """After so many packets alice stops; the others settle what she left, and she learns what became of it."""
    bus = Bus(5)
    bus.submit(BOB, "before")
    bus.run(100)
    bus.submit(ALICE, "whatever becomes of it")
    for _ in range(deliveries):
        bus.deliver()
    bus.crash(ALICE)
    bus.run(5_000)
    after = bus.submit(CAROL, "after", retry=True)
    bus.run(5_000)
    assert bus.outcome(after).outcome is EventState.CREATED
    bus.restart(ALICE)
    bus.run(20_000)
    check_outcomes(bus)
    assert bus.stages[ALICE].store.events[1].state in FINAL


@pytest.mark.parametrize("seed", SEEDS)
def test_all_may_be_restarted_in_the_midst_of_it(seed: int) -> None:
    bus = Bus(3, seed)
    for number in range(6):
        for site in SITES[:3]:
            bus.submit(site, f"{site} {number}", retry=True)
        for _ in range(25):
            bus.deliver()
        bus.crash(SITES[number % 3])
        bus.run(700)
        bus.restart(SITES[number % 3])
    bus.run(2 * MINUTE)
    check_outcomes(bus)
    bus.crash(*SITES[:3])
    bus.restart(*SITES[:3])
    bus.run(30_000)
    check_outcomes(bus)


# E4


@pytest.mark.parametrize("seed", SEEDS)
def test_e4_what_was_acknowledged_before_another_was_submitted_stands_before_it(seed: int) -> None:
    bus = Bus(3, seed)
    acknowledged: list[EventId] = []
    for number in range(12):
        site = SITES[number % 3]
        before = len(bus.order)
        bus.submit(site, f"{number}", retry=True)
        while len(bus.order) == before:
            bus.run(10)
        acknowledged.append(bus.order[-1])
    where = in_effect(one_log(bus))
    slots = [where[event] for event in acknowledged]
    assert slots == sorted(slots)


# D5


def test_d5_a_fresh_disk_learns_everything_and_never_votes() -> None:
    bus = Bus(3)
    bus.submit(ALICE, "remember this")
    bus.run(1_000)
    bus.crash(CAROL)
    bus.stages[CAROL].store = new_store(CAROL, StoreId("f" * 16))
    bus.restart(CAROL)
    bus.run(30_000)
    view = bus.stages[CAROL].replica.view(0)
    assert not view.voting
    assert view.voting_why.startswith("lost-disk")
    assert len(one_log(bus)) == 1
    token = bus.submit(CAROL, "may I?")
    assert bus.outcome(token).outcome is EventState.NOT_CREATED
    token = bus.submit(ALICE, "two voters are a majority of three")
    bus.run(1_000)
    assert bus.outcome(token).outcome is EventState.CREATED
