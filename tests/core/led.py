"""A site of an `elected` cluster on stage: the test speaks for its peers, and brings it to follow, or to lead.

Rules that hold here:
- A peer hears the site: its heartbeats echo the site's clock. Who is not spoken for is not heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from engine.core.effects import Effects, SawAttempt, SawOutcome
from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot, Tick
from engine.core.leading.election import TIMEOUT_BEATS
from engine.core.messages import Accept, HandOn, Heartbeat, Prepare, Promise, RefusedSpan
from engine.core.peers.heartbeats import UP_BEATS
from engine.core.settings import Leadership, Settings, Timings
from engine.core.storage import EventState
from tests.core.stage import ALICE, BOB, SITES, Stage, accepted, accepted_run, run, sent, told

BEAT: Final = Timings().heartbeat
TIMEOUT: Final = TIMEOUT_BEATS * BEAT
LINK: Final = UP_BEATS * BEAT
"""After so long a silence a site does not count as reached."""


def elected(size: int = 3, site: SiteId = ALICE, flight_bytes: int = 262_144) -> Stage:
    """A voter that knows the log to be empty, at its clock's 0, and has not heard a heartbeat yet."""
    return Stage(settings=Settings(site, SITES[:size], Leadership.ELECTED, flight_bytes=flight_bytes)).ready()


def beat_of(
    stage: Stage,
    *,
    leads: Ballot | None = None,
    reaches: bool = True,
    hears: Ballot | None = None,
    used_max: int = 0,
    deaf: bool = False,
    every: Tick = BEAT,
) -> Heartbeat:
    """A voter's heartbeat; `deaf`: it does not hear this site."""
    echo = None if deaf else stage.now
    used = Slot(used_max)
    return Heartbeat(Leadership.ELECTED, True, used, used, stage.now, echo, 0, every, leads, reaches, hears)


def among(stage: Stage, heard: Callable[[], Iterable[tuple[SiteId, Heartbeat]]], ticks: int) -> Effects:
    """Time passes, while the peers that `heard` returns beat twice as often as they need to."""
    until = stage.now + ticks
    effects = Effects()
    while True:
        for peer, heartbeat in heard():
            effects.extend(stage.hear(peer, heartbeat))
        if stage.now >= until:
            return effects
        effects.extend(stage.tick(min(until, stage.now + BEAT // 2)))


def among_all(stage: Stage, ticks: int) -> Effects:
    """Time passes among all peers, none of which leads, hears a leader, or knows of anything used."""
    return among(stage, lambda: [(peer, beat_of(stage)) for peer in stage.settings.peers], ticks)


def standing(stage: Stage) -> tuple[Ballot, Slot]:
    """Brings the site to stand, among all peers and no leader: its range ballot, and the first slot of its range."""
    for _ in range(20):
        effects = among_all(stage, BEAT)
        for message in range_prepares(effects):
            return message.ballot, message.first
    raise AssertionError("it does not stand")


def leading(size: int = 3, flight_bytes: int = 262_144) -> tuple[Stage, Ballot]:
    """Alice, who leads an empty log; as many others promised as a majority needs."""
    stage = elected(size, flight_bytes=flight_bytes)
    ballot, first = standing(stage)
    for peer in stage.settings.peers[: stage.settings.quorum - 1]:
        stage.hear(peer, range_promise(ballot, first))
    assert stage.replica.view(0).leader == ALICE
    return stage, ballot


def led(ballot: Ballot, size: int = 3, site: SiteId = ALICE) -> Stage:
    """A site that follows whoever leads with this ballot."""
    stage = elected(size, site)
    stage.hear(ballot.site, beat_of(stage, leads=ballot))
    assert stage.replica.view(0).leader == ballot.site
    return stage


def range_promise(
    ballot: Ballot,
    first: int,
    last: int | None = None,
    *,
    found: Iterable[tuple[int, Ballot, Entry]] = (),
    learned: Iterable[tuple[int, Entry]] = (),
    left_out: tuple[RefusedSpan, ...] = (),
) -> Promise:
    """A page of a promise: `found` was accepted there, `learned` is chosen; `last` is None at the last page."""
    reports = tuple(accepted_run(slot, number, entry) for slot, number, entry in found)
    chosen = tuple(run(slot, entry) for slot, entry in learned)
    return Promise(ballot, Slot(first), None if last is None else Slot(last), reports, chosen, left_out)


def range_prepares(effects: Effects) -> list[Prepare]:
    """Those of ranges, each once."""
    return list(dict.fromkeys(message for _, message in sent(effects, Prepare) if message.last != message.first))


def slot_prepares(effects: Effects) -> list[Prepare]:
    """Those of single slots, each once."""
    return list(dict.fromkeys(message for _, message in sent(effects, Prepare) if message.last == message.first))


def proposed(effects: Effects, to: SiteId = BOB) -> list[tuple[Ballot, int, Entry]]:
    """What accepts to one peer carry: ballot, slot, entry."""
    messages = [message for site, message in sent(effects, Accept) if site == to]
    return [(message.ballot, slot, entry) for message in messages for slot, entry in message.run]


def settle(stage: Stage, ballot: Ballot, *slots: int) -> Effects:
    """As many others accept there as a majority needs."""
    effects = Effects()
    for peer in stage.settings.peers[: stage.settings.quorum - 1]:
        effects.extend(stage.hear(peer, accepted(ballot, *slots)))
    return effects


def handed(effects: Effects) -> list[tuple[SiteId, list[Entry]]]:
    """The events handed on, and to whom."""
    return [(to, list(message.entries)) for to, message in sent(effects, HandOn)]


def phases(effects: Effects) -> list[str]:
    return [saw.phase for saw in told(effects, SawAttempt)]


def outcomes(effects: Effects) -> list[tuple[int | None, EventState, Slot | None]]:
    return [(saw.token, saw.outcome, saw.slot) for saw in told(effects, SawOutcome)]


def later(stage: Stage, ticks: int) -> Tick:
    """The site's clock in so many ticks."""
    return Tick(stage.now + ticks)
