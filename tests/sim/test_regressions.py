"""What seeds found in the core, each as the smallest world that shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.core.entry import Tweet
from engine.core.ids import NEVER, Ballot, SiteId, Tick
from engine.core.leading.elected import Elected
from engine.core.leading.election import Election
from engine.core.leading.leader import Leader
from engine.core.log.pages import run_pages
from engine.core.log.scanner import Scanner
from engine.core.messages import Accept
from engine.core.run import Run
from engine.core.settings import Leadership, Timings
from engine.core.step import Step
from engine.core.storage import EventState
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.play import Play
from engine.sim.violation import Violated
from engine.sim.world.setup import CLEAR, Setup
from engine.sim.world.world import World

FOUND = sorted(Path(__file__).with_name("found").glob("*.scenario"))
"""Minimised plans that failed."""

NAMES = (SiteId("alice"), SiteId("bob"), SiteId("carol"))


def leading(leadership: tuple[Leadership, ...], seed: int) -> tuple[World, int]:
    """A world in which a leader is heard by all that follow one, and that leader's index."""
    world = World(Setup(seed, NAMES, leadership, Timings(), 1_100, ((CLEAR,) * 3,) * 3, (0, 0, 0), 0))
    for site in world.sites:
        world.start(site.index)
    while True:
        world.run(world.now + 100)
        assert world.now < 30_000, "nobody comes to lead"
        leaders = {
            site.replica.leader
            for site in world.sites
            if site.replica is not None and site.settings.leadership is Leadership.ELECTED
        }
        leader = leaders.pop()
        if leader is not None and not leaders:
            return world, world.index[leader]


@pytest.mark.parametrize("seed", range(3))
def test_l3_a_leader_whose_slot_went_to_another_entry_goes_on_with_its_author_s_events(seed: int) -> None:
    """L4: alice, who follows no leader, wins a slot by synod at which the leader had placed an event."""
    world, leader = leading((Leadership.NONE, Leadership.ELECTED, Leadership.ELECTED), seed)
    links = [(site, leader) for site in range(3) if site != leader]
    world.cut(links, "deaf")
    world.at(world.now + 300, world.network.mend, links)
    world.submit(0, (Tweet("t"),), Tick(10_000), retry=False)
    world.run(world.now + 200)
    assert world.truth.chosen(world.truth.replay.next) is None
    assert len(world.truth.replay.applied) == 1, "alice's event is chosen, and the leader does not know"
    for _ in range(3):
        world.submit(leader, (Tweet("t"),), Tick(10_000), retry=False)
    world.run(world.now + 9_000)
    events = world.sites[leader].disk.image.events
    assert [event.state for event in events.values()] == [EventState.CREATED] * 3


def test_l3_a_moment_to_stand_at_that_comes_while_a_site_copies_does_not_keep_it_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, leader = leading((Leadership.ELECTED,) * 3, 1)
    world.crash(leader)
    while not any(election.deadline() < NEVER for election in elections(world)):
        assert world.step()
    monkeypatch.setattr(Scanner, "copying", property(lambda _: True))
    world.run(world.now + 10_000)  # a site that ticks without end is a violation
    monkeypatch.undo()
    world.run(world.now + 10_000)
    leaders = {site.replica.leader for site in world.sites if site.replica is not None}
    assert len(leaders) == 1
    assert leaders < set(NAMES) - {world.names[leader]}


def elections(world: World) -> list[Election]:
    policies = [site.replica._policy for site in world.sites if site.replica is not None]
    return [policy._election for policy in policies if isinstance(policy, Elected)]


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_a_seed_found_holds(path: Path) -> None:
    plan = read(path)
    report = Play(plan).complete()
    assert report.acts >= Counter(type(line.command).__name__ for line in plan.lines), (
        "what is not allowed tests nothing"
    )
    if report.settled_ms is None:
        assert report.reached["store refused"] or report.reached["out of the model"], "nothing else may keep it"


GROWS_FROM_ONE = """
sites alice bob
later bob
leadership elected
disk 20 ms
changes wait 2 slots
add-learner alice bob
run 8 s
promote alice bob
run 30 ms
crash alice
restart alice
hold promise from bob
run 700 ms
alice tweets "a"
release
run 2 ms
alice tweets "b" "c" "d" "e" "f"
run 10 s
expect voting bob
"""


def _however_it_was_chosen(
    leader: Leader, step: Step, sites: tuple[SiteId, ...], ballot: Ballot, runs: Iterable[Run]
) -> None:
    for page in run_pages(runs, leader._settings.page_bytes):
        cast = step.cast_beside if leader._may_leave_beside(page) else step.cast
        cast(sites, Accept(ballot, page))


def test_m2_what_rests_on_its_own_vote_alone_waits_for_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of one grows, and its leader comes back before the new voter counts: it settles alone, in one pass,
    what lies before, and would ask the new voter to accept what comes after."""
    Play(parse(GROWS_FROM_ONE, "grows")).complete()
    monkeypatch.setattr(Leader, "_send_to", _however_it_was_chosen)
    with pytest.raises(Violated) as caught:
        Play(parse(GROWS_FROM_ONE, "grows")).complete()
    assert caught.value.violation.rule == "M2"
