"""Where a site stands, as `status` answers it and subscribers are told it; docs/control.md has the same shapes.

Rules that hold here:
- None is what is not known: it is never told as 0.
"""

from __future__ import annotations

from enum import StrEnum

from engine.contract.answers import Attempt, Entry
from engine.contract.limits import SLOTS_MAX
from engine.contract.shape import ForScreens, Shape
from engine.core.settings import Leadership


class Quorum(Shape):
    reachable: int
    needed: int
    size: int

    @property
    def is_reached(self) -> bool:
        return self.reachable >= self.needed


class MemberStanding(StrEnum):
    """What a site of the cluster is at present, as this one knows it."""

    VOTER = "voter"
    NO_VOTE = "no-vote"  # it is heard, and does not vote: it starts, or only it knows why
    NEW_STORE = "new-store"  # its disk was lost or replaced: it votes again once it is readmitted (D5, M4)
    OLD_STORE = "old-store"  # on an old copy, or on one that the log named and replaced: that never votes again (D5)
    LEARNER = "learner"  # it belongs to the cluster, and does not vote
    NOT_HEARD = "not-heard"
    REMOVED = "removed"  # it belongs to the cluster no more (M5)
    STRANGER = "stranger"  # it is not one of the cluster, as far as this site's log goes


class Coming(Shape):
    """A change of the members in the prefix that is in effect from the slot `since` on."""

    slot: int
    since: int
    entry: Entry | None


class Removed(Shape):
    """This site was removed by the entry at `slot`, and votes at none from `since` on. `needed`: by the others, for
    what lies before."""

    slot: int
    since: int
    needed: bool


class Peer(Shape):
    """As it was last heard since this site's engine started; None is what it has not told yet. `standing` as in
    MemberStanding; `file_address`: what the sites file says, where it is reached elsewhere; `wanted_by`: of a learner
    that is to vote, who added it, and promotes it once it has the log."""

    up: bool
    rtt_ms: int | None
    chosen_through: int | None
    heard_s: ForScreens[float | None]
    voting: ForScreens[bool | None]
    address: ForScreens[str | None]
    datagram_bytes: int
    key: str | None
    """A `WhichKey`: under which the latest datagram of it opened."""
    clock_ms: ForScreens[int | None]
    """How far its wall clock is ahead of this site's, at least; below 0: behind it."""
    standing: ForScreens[str]
    file_address: ForScreens[str | None]
    wanted_by: ForScreens[str | None]


class PerEvent(Shape):
    """None while there is no event."""

    messages: float | None
    datagrams: float | None
    bytes: float | None
    syncs: float | None


class Costs(Shape):
    """`events`: the entries of any author that took effect here; the rest is what the site sent and took for them."""

    events: int
    messages_in: int
    messages_out: int
    datagrams_in: int
    datagrams_out: int
    bytes_in: int
    bytes_out: int
    commits: int
    per_event: PerEvent


class FaultCounts(Shape):
    """What fault rules did to messages."""

    dropped: int
    delayed: int
    duplicated: int
    held: int
    overflowed: int


class Counters(Shape):
    """What only grows, since the site's engine started. `events` are counted by outcome, what was `rejected` and the
    errors by reason, what opened under the `second_key` by peer."""

    datagrams_in: int
    datagrams_out: int
    bytes_in: int
    bytes_out: int
    receive_errors: dict[str, int]
    send_errors: dict[str, int]
    passes: int
    commits: int
    writes: int
    messages_in: int
    messages_out: int
    events: dict[str, int]
    rejected: dict[str, int]
    second_key: dict[str, int]
    costs: Costs
    faults: FaultCounts
    log_lines_lost: int


class KeyFiles(Shape):
    """As the sites file named them when the engine started; what is sent is sealed under the first."""

    first: str
    second: str | None


class Status(Shape):
    """Where a site stands."""

    site: str
    cluster: str
    leadership: str
    leader: str | None
    quorum: Quorum
    chosen_through: int
    chosen_max: int
    next: int
    holes: tuple[int, ...]
    recovering: bool
    voting: bool
    voting_why: str | None
    mismatch: str | None
    hindered: str | None
    narrow: str | None
    unsent: str | None
    sites_file: str | None
    """What the log says otherwise than it: who belongs to the cluster, and where somebody is."""
    faults: int
    unknown: int
    fresh_at: str | None
    key: KeyFiles | None
    peers: dict[str, Peer]
    counters: Counters
    udp: ForScreens[str]
    pid: ForScreens[int]
    version: ForScreens[str]
    since: ForScreens[str]
    fill_in_s: ForScreens[float | None]
    data: ForScreens[str]
    attempts: ForScreens[tuple[Attempt, ...]]
    standing: ForScreens[str]
    wanted_by: ForScreens[str | None]
    coming: ForScreens[Coming | None]
    removed: ForScreens[Removed | None]

    @property
    def sites(self) -> tuple[str, ...]:
        """All sites of the cluster, sorted."""
        return tuple(sorted({self.site, *self.peers}))

    @property
    def lag(self) -> int:
        """How many slots this site is behind the highest that it or a peer knows."""
        return self.known_max - self.chosen_through

    @property
    def known_max(self) -> int:
        """The highest slot that this site knows to be chosen, or up to which a peer knows all."""
        told = (peer.chosen_through or 0 for peer in self.peers.values())
        return max(self.chosen_max, self.chosen_through, *told, 0)

    @property
    def lacks_leader(self) -> bool:
        """The setting wants a leader, and this site follows none."""
        return self.leadership == Leadership.ELECTED and self.leader is None

    @property
    def takes_events(self) -> bool:
        """An event that is submitted now can be settled, as far as this site knows: it votes, has caught up, hears a
        majority and, where there is one, a leader, and no fault rule of its own is in the way."""
        return self.quorum.is_reached and self.voting and not (self.hindered or self.recovering or self.lacks_leader)

    @property
    def other_voter(self) -> str | None:
        """Another site that is heard and votes: where this site can be readmitted or promoted."""
        return next((site for site, peer in sorted(self.peers.items()) if peer.up and peer.voting), None)

    @property
    def new_stores(self) -> list[str]:
        """The peers whose disk was lost or replaced, and that wait to be readmitted."""
        return self._standing_so(MemberStanding.NEW_STORE)

    @property
    def old_stores(self) -> list[str]:
        """The peers that run on a store that never votes again."""
        return self._standing_so(MemberStanding.OLD_STORE)

    @property
    def wanted(self) -> dict[str, str]:
        """The learners that are to vote, this site perhaps among them; and who added each."""
        said = {self.site: self.wanted_by} | {site: peer.wanted_by for site, peer in self.peers.items()}
        return {site: by for site, by in sorted(said.items()) if by is not None}

    def standing_of(self, site: str) -> str | None:
        """None of who does not belong to the cluster, as far as is known here."""
        peer = self.peers.get(site)
        return self.standing if site == self.site else None if peer is None else peer.standing

    def _standing_so(self, standing: MemberStanding) -> list[str]:
        return [site for site, peer in sorted(self.peers.items()) if peer.standing == standing]

    def has_settled(self, slot: int) -> bool:
        """Whether the slot is learned there, as far as this tells: of very many holes the first are named."""
        told = self.holes[-1] if len(self.holes) >= SLOTS_MAX else self.chosen_max
        return slot <= told and slot not in self.holes
