"""The simulated world, driven by hand: its network, its processes, and that it does the same again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from engine.core.effects import Effects, Observation, SawOutcome, SawReadConfirmed, Send
from engine.core.entry import Tweet
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import Accept, Accepted, HandOn, Heartbeat, Hello, Message, Prepare, Promise
from engine.core.peers.heartbeats import Peers
from engine.core.replica import Replica
from engine.core.settings import Leadership, Timings
from engine.core.step import Step
from engine.core.storage import EventState, Standing
from engine.sim.sometimes import CrashPoint
from engine.sim.violation import Violated
from engine.sim.world.network import Datagram
from engine.sim.world.setup import CLEAR, Setup, Weather
from engine.sim.world.surroundings import Fuse
from engine.sim.world.world import World

NAMES = (SiteId("alice"), SiteId("bob"), SiteId("carol"))
UP_MS = 3_000


class Onlooker:
    """A watcher that keeps what it saw."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.sent_by: list[int] = []
        self.sent_unsynced = 0
        self.outcomes: list[SawOutcome] = []
        self.events: list[tuple[int, SiteId | None, str]] = []

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        assert self.world is not None
        assert now == self.world.now
        assert not lost or not self.world.network.hold
        self.sent_by.append(datagram.sender)
        self.sent_unsynced += self.world.sites[datagram.sender].disk.unsynced

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        assert now >= datagram.sent_at
        assert self.world is not None
        assert taken == self.world.sites[datagram.to].up

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        assert now >= 0
        assert site in NAMES
        if isinstance(saw, SawOutcome):
            self.outcomes.append(saw)

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        assert why is not None
        self.events.append((now, site, what))


def setup(weather: Weather = CLEAR, disk_ms: int = 0, seed: int = 1) -> Setup:
    return Setup(
        seed=seed,
        names=NAMES,
        leadership=(Leadership.NONE,) * 3,
        timings=Timings(),
        page_bytes=1_100,
        links=((weather,) * 3,) * 3,
        disk_ms=(disk_ms,) * 3,
        tick_late_ms=0,
    )


def begun(made: Setup, onlooker: Onlooker | None = None) -> World:
    """A world whose processes begin at once; nothing has happened yet."""
    world = World(made, watcher=onlooker)
    if onlooker is not None:
        onlooker.world = world
    for site in world.sites:
        world.at(0, world.start, site.index)
    return world


def voting(made: Setup, onlooker: Onlooker | None = None) -> World:
    """A world in which all sites vote and know how far the log goes."""
    world = begun(made, onlooker)
    world.run(UP_MS)
    return world


def tweet(world: World, site: int = 0, count: int = 1) -> None:
    world.submit(site, (Tweet("t"),) * count, Tick(5_000), retry=False)


def prefixes(world: World) -> list[Slot]:
    return [site.disk.image.prefix for site in world.sites]


@pytest.mark.parametrize("disk_ms", [0, 5])
def test_a_tweet_comes_to_all_logs_and_its_author_is_told(disk_ms: int) -> None:
    onlooker = Onlooker()
    world = voting(setup(disk_ms=disk_ms), onlooker)
    tweet(world)
    world.run(UP_MS + 1_000)
    assert prefixes(world) == [1, 1, 1]
    assert [(saw.outcome, saw.slot) for saw in onlooker.outcomes] == [(EventState.CREATED, 1)]
    assert onlooker.sent_unsynced == 0, "nothing leaves before it is synced (D1)"


@pytest.mark.parametrize("leadership", list(Leadership))
def test_events_that_are_submitted_together_come_to_all_logs_in_their_order(leadership: Leadership) -> None:
    onlooker = Onlooker()
    world = voting(replace(setup(), leadership=(leadership,) * 3), onlooker)
    world.submit(0, [Tweet(str(number)) for number in range(5)], Tick(20_000), retry=True)
    world.run(UP_MS + 8_000)
    texts = [entry.body.rpartition(" ")[2] for entry in world.sites[1].disk.image.log]
    assert texts == ["0", "1", "2", "3", "4"]
    told = {offset: saw.outcome for saw in onlooker.outcomes for offset in range(saw.offset, saw.offset + saw.count)}
    assert told == dict.fromkeys(range(5), EventState.CREATED)
    assert not world.sites[0].awaited


def test_the_same_seed_and_the_same_calls_are_the_same_run() -> None:
    worlds = [begun(setup(Weather(loss=0.2, delay_spread=40))) for _ in range(2)]
    for _ in range(500):
        assert all(world.step() for world in worlds)
    first, second = worlds
    assert (first.now, first.steps, first.digest()) == (second.now, second.steps, second.digest())
    tweet(second)  # from here on they are two
    for world in worlds:
        world.run(UP_MS)
    assert first.digest() != second.digest()


def test_another_seed_is_another_run() -> None:
    weather = Weather(loss=0.2)
    assert voting(setup(weather, seed=1)).digest() != voting(setup(weather, seed=2)).digest()


def test_to_look_at_the_digest_changes_nothing() -> None:
    watched, alone = begun(setup()), begun(setup())
    for _ in range(200):
        watched.step()
        alone.step()
        watched.digest()
    assert watched.digest() == alone.digest()


# The network


def test_what_is_held_arrives_when_it_is_let_go() -> None:
    world = voting(setup())
    world.network.hold = lambda datagram: any(isinstance(message, Accept) for message in datagram.messages)
    tweet(world)
    world.run(UP_MS + 100)
    held = [datagram for datagram in world.in_flight() if datagram.number in world.network.held]
    assert [datagram.to for datagram in held] == [1, 2]
    assert prefixes(world) == [0, 0, 0]
    world.network.release(held[0].number, keep=True)
    world.network.release(held[0].number)  # the same again, as a duplicate
    world.network.drop(held[1].number)
    world.run(UP_MS + 150)
    assert prefixes(world)[0] == 1, "a majority of two is enough"
    with pytest.raises(KeyError):
        world.network.release(held[0].number)


def test_cuts_overlap_and_a_link_is_whole_when_all_have_ended() -> None:
    world = voting(setup())
    alone = [(0, 1), (0, 2), (1, 0), (2, 0)]
    for for_ms in (1_000, 3_000):
        world.cut(alone, "alone")
        world.at(UP_MS + for_ms, world.network.mend, alone)
    tweet(world)
    world.run(UP_MS + 2_000)
    assert prefixes(world) == [0, 0, 0]
    world.run(UP_MS + 8_000)
    assert prefixes(world) == [1, 1, 1]


def test_a_cut_is_one_way() -> None:
    onlooker = Onlooker()
    world = voting(setup(), onlooker)
    world.cut([(0, 1), (0, 2)], "one-way")
    lost = world.network.lost
    tweet(world)
    world.run(UP_MS + 2_000)
    assert world.network.lost > lost
    assert prefixes(world) == [0, 0, 0], "nobody hears alice"
    replica = world.sites[0].replica
    assert replica is not None
    assert all(peer.up for peer in replica.view(0).peers), "alice hears everybody"


def test_weather_loses_repeats_delays_and_brings_back() -> None:
    weather = Weather(loss=0.3, duplicate=0.5, late=0.2, late_max=2_000, stale=0.3)
    world = voting(setup(weather))
    network = world.network
    assert min(network.lost, network.repeated, network.late, network.stale) > 0
    assert 0.2 < network.lost / network.sent < 0.4


def test_calm_ends_all_that_is_bad() -> None:
    world = voting(setup(Weather(loss=1.0)))
    world.crash(1)
    world.pause(2, 100_000)
    world.calm()
    world.run(UP_MS + 10_000)
    tweet(world)
    world.run(UP_MS + 12_000)
    assert prefixes(world) == [1, 1, 1]


# What leaves before the commit (L3)


def led(disk_ms: int, onlooker: Onlooker | None = None) -> tuple[World, int]:
    """A world with a leader that all follow, and who that is."""
    world = begun(replace(setup(disk_ms=disk_ms), leadership=(Leadership.ELECTED,) * 3), onlooker)
    while True:
        world.run(world.now + 100)
        leaders = {site.replica.leader for site in world.sites if site.replica is not None}
        if len(leaders) == 1 and (leader := leaders.pop()) is not None:
            return world, world.index[leader]


class Accepting(Onlooker):
    """Keeps what of the first accept of each site is durable there when it leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.voted: dict[int, bool] = {}

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        super().sent(now, datagram, lost=lost)
        if any(isinstance(message, Accept) for message in datagram.messages):
            assert self.world is not None
            self.voted.setdefault(datagram.sender, bool(self.world.sites[datagram.sender].disk.image.votes))


@pytest.mark.parametrize("of_the_leader", [True, False], ids=["its own event", "another's"])
def test_l3_a_leader_s_accept_leaves_before_its_vote_is_durable(of_the_leader: bool) -> None:
    onlooker = Accepting()
    world, leader = led(40, onlooker)
    tweet(world, leader if of_the_leader else (leader + 1) % 3)
    world.run(world.now + 2_000)
    assert onlooker.voted == {leader: False}
    assert prefixes(world) == [1, 1, 1]


def test_l2_an_accept_at_ballot_0_leaves_after_its_vote_is_durable() -> None:
    onlooker = Accepting()
    world = voting(replace(setup(disk_ms=40), leadership=(Leadership.LAST_AUTHOR,) * 3), onlooker)
    for _ in range(2):
        tweet(world)
        world.run(world.now + 2_000)
        assert onlooker.voted == {0: True}
        onlooker.voted.clear()


@pytest.mark.parametrize(
    ("kind", "leadership", "rule"),
    [
        (Prepare, Leadership.NONE, "D1"),
        (Promise, Leadership.NONE, "D1"),
        (Accept, Leadership.NONE, "L3"),
        (Accept, Leadership.LAST_AUTHOR, "L3"),
        (Accepted, Leadership.NONE, "D1"),
        (HandOn, Leadership.ELECTED, "D1"),
    ],
    ids=lambda of: getattr(of, "__name__", of),
)
def test_l3_nothing_else_leaves_before_its_commit(
    kind: type, leadership: Leadership, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = voting(replace(setup(), leadership=(leadership,) * 3))
    if leadership is Leadership.LAST_AUTHOR:
        tweet(world)
        world.run(world.now + 1_000)  # the next one begins with ballot 0

    def send(step: Step, to: SiteId, message: Message) -> None:
        if to == step.site:
            step.looped.append(message)
        else:
            step.effects.sends.append(Send(to, message, beside=isinstance(message, kind)))

    monkeypatch.setattr(Step, "send", send)
    for site in range(3):
        world.at(world.now + 1_000 * site, partial(tweet, world), site)
    with pytest.raises(Violated) as caught:
        world.run(world.now + 10_000)
    assert caught.value.violation.rule == rule
    assert "leaves before the commit" in caught.value.violation.sentence


def test_sites_that_answer_each_message_with_two_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    world = voting(setup())

    def breeds(_: Peers, step: Step, site: SiteId, message: Heartbeat) -> None:
        step.send_all(site, (message,) * 2)
        step.send(next(name for name in NAMES if name not in (site, step.site)), message)

    monkeypatch.setattr(Peers, "on_heartbeat", breeds)
    with pytest.raises(Violated) as caught:
        world.run(world.now + 60_000)
    assert caught.value.violation.rule == "liveness"
    assert "ever more" in caught.value.violation.sentence


# The processes


def test_a_process_s_clock_begins_at_0() -> None:
    world = voting(setup())
    world.crash(0)
    world.run(UP_MS + 500)
    world.start(0)
    world.network.hold = lambda _: True
    world.run(UP_MS + 2_000)
    beats = [m for datagram in world.in_flight() for m in datagram.messages if isinstance(m, Heartbeat)]
    assert min(beat.sent for beat in beats if beat.sent is not None) < 2_000 < world.now


@pytest.mark.parametrize("point", [point for point in CrashPoint if point is not CrashPoint.IDLE])
@pytest.mark.parametrize("kept", [0.0, 0.99])
def test_a_process_ends_between_any_two_effects_and_nothing_is_untrue_after(point: CrashPoint, kept: float) -> None:
    world = voting(setup())
    tokens = 2 if point is CrashPoint.BETWEEN_TELLS else 1
    world.light(0, Fuse(tokens, kept, 500, point))
    for _ in range(tokens):
        tweet(world)
    world.run(UP_MS + 30_000)
    assert world.reached.counts[point.value] == 1
    assert world.sites[0].process == 2
    assert len(set(prefixes(world))) == 1
    assert not world.sites[0].disk.image.open_events


@pytest.mark.parametrize(("kept", "rounds"), [(0.0, 0), (0.99, 1)])
def test_d1_a_torn_commit_is_there_or_not_and_nothing_of_it_left(kept: float, rounds: int) -> None:
    onlooker = Onlooker()
    world = voting(setup(), onlooker)
    world.light(0, Fuse(1, kept, None, CrashPoint.TORN_COMMIT))
    before = len(onlooker.sent_by)
    tweet(world)
    assert not world.sites[0].up
    assert len(onlooker.sent_by) == before
    assert world.sites[0].disk.image.round == rounds


def test_a_paused_process_does_nothing_and_then_all_that_waited_is_one_pass() -> None:
    onlooker = Onlooker()
    world = voting(setup(), onlooker)
    world.pause(0, 5_000)
    before = onlooker.sent_by.count(0)
    world.run(UP_MS + 4_999)
    assert onlooker.sent_by.count(0) == before
    world.run(UP_MS + 5_001)
    assert onlooker.sent_by.count(0) > before
    assert world.reached.counts["inputs merged into one pass"] == 1


def test_a_slow_disk_merges_what_arrives_meanwhile() -> None:
    world = voting(setup(disk_ms=40))
    for site in (0, 1, 2):
        tweet(world, site)
    world.run(UP_MS + 5_000)
    assert world.reached.counts["inputs merged into one pass"] > 0
    assert len(set(prefixes(world))) == 1


def test_d2_a_failed_store_ends_the_process_and_its_operator_is_asked() -> None:
    world = voting(setup())
    stopped: list[int] = []
    world.on_stopped = stopped.append
    world.sites[0].disk.sync_fails = True
    tweet(world)
    assert stopped == [0]
    assert not world.sites[0].up
    world.start(0)
    world.run(UP_MS + 5_000)
    assert world.sites[0].up
    assert not world.sites[0].disk.image.open_events


def test_d3_a_damaged_store_is_refused_by_name_and_stays_down() -> None:
    world = voting(setup())
    world.sites[0].disk.damage(None)
    world.crash(0)
    for _ in range(2):
        world.start(0)
        assert not world.sites[0].up
    assert world.sites[0].refused is not None
    assert "meta" in world.sites[0].refused


@pytest.mark.parametrize("what", ["wiped", "old copy"])
def test_d5_a_lost_disk_is_found_out_and_never_votes_again(what: str) -> None:
    world = voting(setup())
    copy = world.copy(0)
    for _ in range(3):
        tweet(world)
        world.run(world.now + 2_000)
    world.crash(0)
    if what == "wiped":
        world.wipe(0)
    else:
        world.replace(0, copy)
    world.start(0)
    world.run(world.now + 10_000)
    assert world.sites[0].disk.image.standing is Standing.LEARNER
    assert world.truth.barred(0)
    assert prefixes(world) == [3, 3, 3], "it learns"


def test_w1_what_was_sent_in_an_earlier_life_is_dropped() -> None:
    world = voting(setup())
    world.network.hold = lambda datagram: datagram.to == 0 and not isinstance(datagram.messages[0], Hello)
    world.run(UP_MS + 2_000)
    old = list(world.network.held)
    world.network.hold = None
    world.crash(0)
    world.wipe(0)
    world.start(0)
    world.run(world.now + 1_000)
    before = world.reached.counts["rejected: other-life"]
    for number in old:
        world.network.release(number)
    assert world.reached.counts["rejected: other-life"] == before + len(old)


# Linearizable reads


def test_r5_a_read_that_two_sites_can_bound_is_confirmed_and_one_that_is_cut_off_is_not() -> None:
    world = voting(setup())
    tweet(world)
    world.cut([(0, 1), (1, 0), (0, 2), (2, 0)], "alice alone")
    for site in (0, 1):
        world.read(site, Tick(1_000))
    world.run(UP_MS + 2_000)
    assert (world.reached.counts["read confirmed"], world.reached.counts["read unconfirmed"]) == (1, 1)
    assert not world.sites[1].awaited


def test_r5_a_read_of_what_was_never_asked_for_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that takes its own word for it, while the others have chosen what it has not heard of."""
    world = voting(setup())
    world.cut([(1, 0), (2, 0)], "alice hears nobody")
    tweet(world, 1)
    world.run(UP_MS + 1_000)

    def read(replica: Replica, now: Tick, token: int, _timeout: Tick) -> Effects:
        told = SawReadConfirmed(token, replica.prefix, now, Tick(0), NAMES)
        return Effects(observations=[told])

    monkeypatch.setattr(Replica, "read", read)
    with pytest.raises(Violated) as caught:
        world.read(0, Tick(1_000))
    assert caught.value.violation.rule == "R5"
