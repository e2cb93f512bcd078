"""How a site stands, in words: what keeps it from its work, what else there is to know, and how its peers are.

Rules that hold here:
- Each trouble is told in one sentence, whoever tells it: `status`, the status bar or the pane of the sites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from engine.cluster_key import WhichKey
from engine.contract.requests import ChangeKind
from engine.contract.status import MemberStanding, Peer, Status
from engine.core.ids import SiteId, named
from tui import costs, leading, members
from tui.counted import listed, plural
from tui.parts import Part, Role
from tui.times import local_time


class Trouble(Enum):
    """What keeps a site from its work, in the order in which it is told."""

    HINDERED = auto()
    NO_QUORUM = auto()
    NOT_VOTING = auto()
    NEW_STORE = auto()
    OLD_STORE = auto()
    UNPROMOTED = auto()
    NO_LEADER = auto()
    MISMATCH = auto()
    NARROW = auto()
    UNSENT = auto()
    FAULTS = auto()


def troubles(status: Status) -> Mapping[Trouble, str]:
    """The sentence of each that there is."""
    said = {
        Trouble.HINDERED: status.hindered,
        Trouble.NO_QUORUM: None
        if status.quorum.is_reached
        else "NO QUORUM: nothing can be created here; reading works",
        Trouble.NOT_VOTING: None if status.voting else _removed(status) or _voteless(status),
        Trouble.NEW_STORE: _replaced(status),
        Trouble.OLD_STORE: _outdated(status),
        Trouble.UNPROMOTED: _unpromoted(status),
        Trouble.NO_LEADER: _leaderless(status),
        Trouble.MISMATCH: status.mismatch,
        Trouble.NARROW: status.narrow,
        Trouble.UNSENT: status.unsent,
        Trouble.FAULTS: _faulty(status.faults),
    }
    return {trouble: sentence for trouble, sentence in said.items() if sentence}


_IN_A_WORD: Final = frozenset({Trouble.NO_QUORUM, Trouble.NO_LEADER, Trouble.FAULTS})
"""Of these the word in the status bar says all."""


def beside_the_bar(status: Status) -> Mapping[Trouble, str]:
    """The sentences of which the status bar has a word at most."""
    return {trouble: sentence for trouble, sentence in troubles(status).items() if trouble not in _IN_A_WORD}


class Remedy(NamedTuple):
    """A change of the members that mends it: which one, which site to ask for it, and of whom."""

    kind: ChangeKind
    by: str
    site: str


def remedies(status: Status) -> Mapping[Trouble, Remedy]:
    """Where a lost disk, or who is gone that would promote a learner, is what is wrong."""
    other, lost, by_hand = status.other_voter, status.new_stores, _by_hand(status)
    found: dict[Trouble, Remedy] = {}
    if other is not None and status.standing == MemberStanding.NEW_STORE:
        found[Trouble.NOT_VOTING] = Remedy(ChangeKind.READMIT, other, status.site)
    if lost and status.voting:
        found[Trouble.NEW_STORE] = Remedy(ChangeKind.READMIT, status.site, lost[0])
    if by_hand and (by := status.site if status.voting else other) is not None:
        found[Trouble.UNPROMOTED] = Remedy(ChangeKind.PROMOTE, by, next(iter(by_hand)))
    return found


def mark(peer: Peer) -> tuple[str, str, Role]:
    """How a peer is: a glyph, a word, and what they mean. Whether one that is not heard has ended or is cut off is
    not known here."""
    if not peer.up:
        return "○", "silent", Role.BAD
    if peer.standing == MemberStanding.LEARNER:
        return "◐", "learner", Role.NOTE
    return ("◐", "no vote", Role.WARN) if peer.voting is False else ("●", "up", Role.GOOD)


def facts(status: Status) -> Iterator[tuple[str, Part]]:
    """What there is to know of a site beside what is wrong: a name and words for each."""
    role = Role.WARN if status.lacks_leader else Role.PLAIN
    yield "leadership", Part(leading.in_words(status.leadership, status.leader), role)
    yield "prefix", Part(f"#{status.chosen_through:,}, highest chosen #{status.chosen_max:,}")
    if status.holes:
        yield "holes", Part(f"{plural(len(status.holes), 'slot')}: {listed(status.holes)}", Role.BAD)
    if status.recovering:
        yield "recovery", Part("catching up with the others", Role.NOTE)
    if status.unknown:
        yield "events", Part(f"{status.unknown:,} without a known outcome", Role.WARN)
    yield "costs", Part(costs.in_words(status.counters.costs))
    yield "engine", Part(f"{status.version}, pid {status.pid}, since {local_time(status.since):%d %b %H:%M}")
    yield from _keys(status)
    if status.sites_file is not None:
        yield "sites file", Part(f"the log differs: {status.sites_file}", Role.NOTE)
    yield from where(status)


def _keys(status: Status) -> Iterator[tuple[str, Part]]:
    """Of a second key, who needs it, and of whom that is not known: it is dropped only where nobody does."""
    key = status.key
    if key is None:
        return
    if key.second is None:
        yield "key", Part(key.first)
        return
    users = [SiteId(site) for site, peer in status.peers.items() if peer.key == WhichKey.SECOND]
    unheard = [SiteId(site) for site, peer in status.peers.items() if peer.key is None]
    told = [f"{named(users)} {'sends' if len(users) == 1 else 'send'} with it"] if users else []
    told += [f"{named(unheard)} not heard yet"] if unheard else []
    said = ", ".join(told) or "no peer sends with it"
    role = Role.NOTE if told else Role.PLAIN
    yield "key", Part(f"sends with {key.first}, also reads {key.second}: {said}", role)


def where(status: Status) -> Iterator[tuple[str, Part]]:
    """Where it is: this stays so without an engine."""
    yield "udp", Part(status.udp)
    yield "store", Part(status.data)


def _voteless(status: Status) -> str:
    why = f": {status.voting_why}" if status.voting_why else ""
    what = f". {START_ANEW}" if status.standing == MemberStanding.OLD_STORE else ""
    return f"{status.site} does not vote{why}{what}"


def _removed(status: Status) -> str | None:
    removed = status.removed
    if removed is None:
        return None
    needed = "the others still need it for earlier slots" if removed.needed else "the others no longer need it"
    return (
        f"{status.site} was removed from the cluster by slot {removed.slot:,}, and does not vote from slot"
        f" {removed.since:,} on; {needed}"
    )


def _replaced(status: Status) -> str | None:
    if not status.new_stores:
        return None
    lost = named(map(SiteId, status.new_stores))
    what = f"{lost}'s disk was" if len(status.new_stores) == 1 else f"the disks of {lost} were"
    return f"{what} lost or replaced: no vote until readmitted"


START_ANEW: Final = "Stop it, move its folder away, start it, and have its new store readmitted"


def _outdated(status: Status) -> str | None:
    old = status.old_stores
    if not old:
        return None
    run = "runs" if len(old) == 1 else "run"
    return f"{named(map(SiteId, old))} {run} on an old store, which never votes again. {START_ANEW}"


def _by_hand(status: Status) -> Mapping[str, str]:
    """The learners that nobody promotes by itself, and why."""
    told = ((site, members.by_hand_because(by, status.standing_of(by))) for site, by in status.wanted.items())
    return {site: why for site, why in told if why is not None}


def _unpromoted(status: Status) -> str | None:
    told = _by_hand(status).items()
    return "; ".join(f"{site} has to be promoted by hand once it has the log: {why}" for site, why in told) or None


def _leaderless(status: Status) -> str | None:
    """Said where nothing before it is in the way."""
    if not (status.quorum.is_reached and status.voting and status.lacks_leader):
        return None
    return f"{leading.NO_LEADER}: events wait until a site that reaches a majority is elected"


def _faulty(rules: int) -> str | None:
    if not rules:
        return None
    return f"FAULTS: {'1 rule makes' if rules == 1 else f'{rules} rules make'} this site's network bad"
