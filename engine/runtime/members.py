"""Who belongs to the cluster, and what a change of that would do, as far as this site knows.

Rules that hold here:
- Whether a change fits is the log's to say (M3). What is refused here is refused before it is an event: what would have
  no effect, and, unless it is forced, what would need more voters than are heard.
- Who is heard and who votes is what heartbeats said last: shown, and warned of, never counted (R6).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import assert_never

from engine.addresses import BadAddress, parse_address
from engine.contract.lines import entry_shape
from engine.contract.members import ChangePlan, Member, Members
from engine.contract.requests import ChangeKind
from engine.contract.status import Coming, MemberStanding, Quorum
from engine.core import roster
from engine.core.entry import Add, AddLearner, Membership, Move, Promote, Readmit, Remove
from engine.core.ids import SITE_NAME, SiteId, Slot, quorum_size
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.views import PeerView, ReplicaView
from engine.runtime.clock import Clock
from engine.runtime.jsonrpc import CallRefused
from engine.runtime.peer_addresses import PeerAddresses
from engine.runtime.roll import Roll


class MembersBoard:
    def __init__(
        self, settings: Settings, roll: Roll, replica: Replica, clock: Clock, addresses: PeerAddresses
    ) -> None:
        self._settings = settings
        self._roll = roll
        self._replica = replica
        self._clock = clock
        self._addresses = addresses

    def members(self) -> Members:
        view = self._replica.view(attempts_max=0)
        standings, newest = self.standings(view), view.members[-1]
        wanted_by = self.wanted_by(view)
        return Members(
            site=self._settings.site,
            members=tuple(
                self._member(site, newest.of(site), standings[site], wanted_by.get(site), view)
                for site in sorted(standings)
            ),
            quorum=_quorum(view.members[0].sites, _heard(view, self._settings.site)),
            coming=self.coming(view),
        )

    def standings(self, view: ReplicaView) -> Mapping[SiteId, MemberStanding]:
        """Of all who belong to a list that holds, and of this site."""
        peers = {peer.site: peer for peer in view.peers}
        sites = {self._settings.site, *(name for each in view.members for name in each.names)}
        return {site: _standing(site, peers.get(site), view) for site in sites}

    def wanted_by(self, view: ReplicaView) -> Mapping[SiteId, SiteId]:
        """The learners that are to vote, and who had each added: that site promotes it. Raises StoreError."""
        since = {each.site: each.wanted_since for each in view.members[-1].members if each.wanted_since is not None}
        added = ((site, self._replica.learned(slot)) for site, slot in since.items())
        return {site: entry.author for site, entry in added if entry is not None and entry.author is not None}

    def coming(self, view: ReplicaView) -> Coming | None:
        """What changes the members, and is not in effect yet. Raises StoreError."""
        if len(view.members) == 1:
            return None
        slot = Slot(view.members[-1].first - self._settings.change_lag)
        return Coming(slot, view.members[-1].first, entry_shape(self._replica.learned(slot)))

    def plan(self, kind: ChangeKind, name: str, address: str | None) -> ChangePlan:
        view, me = self._replica.view(attempts_max=0), self._settings.site
        said = self._operation(kind, name, address, view)
        after = said if isinstance(said, str) else self._replica.members_after(said)
        misfit = after if isinstance(after, str) else None
        refused = said if isinstance(said, str) else self._vain(kind, SiteId(name), view) or misfit
        newest, heard = view.members[-1].sites, _heard(view, me)
        voters = newest if isinstance(after, str) else after.sites
        is_up = any(peer.site == name and peer.up for peer in view.peers)
        if kind in (ChangeKind.READMIT, ChangeKind.PROMOTE) and is_up:
            heard = heard | {SiteId(name)}
        promoted = heard
        if kind is ChangeKind.ADD and refused is None:
            voters, promoted = (*voters, SiteId(name)), heard | {SiteId(name)}  # not before it is heard
        now, then = _quorum(view.members[0].sites, _heard(view, me)), _quorum(voters, heard)
        return ChangePlan(
            kind=kind,
            site=name,
            address=address if isinstance(said, str) else getattr(said, "address", None),
            store=self._replica.present_store(SiteId(name)) if is_up else None,
            now=now,
            then=then,
            waits=self._settings.change_lag,
            refused=refused,
            unsafe=self._unsafe(kind, SiteId(name), view, is_up=is_up) or _too_few(now, _quorum(voters, promoted)),
        )

    def operation(self, kind: ChangeKind, name: str, address: str | None, *, force: bool) -> Membership:
        """What the log is asked for. Raises CallRefused."""
        plan = self.plan(kind, name, address)
        if plan.refused is not None:
            raise CallRefused(plan.refused)
        if plan.unsafe is not None and not force:
            raise CallRefused(f"{plan.unsafe}; `force` submits it anyway")
        operation = self._operation(kind, name, address, self._replica.view(attempts_max=0))
        assert not isinstance(operation, str), "the plan says so"
        return operation

    def _operation(self, kind: ChangeKind, name: str, address: str | None, view: ReplicaView) -> Membership | str:
        """The operation, or why there can be none."""
        if not SITE_NAME.match(name):
            return (
                f"{name!r} is not a site's name: write 1 to 16 characters of a-z, 0-9 and '-', starting with a letter"
            )
        site, sites = SiteId(name), self._roll.names
        if site not in sites and kind not in (ChangeKind.ADD, ChangeKind.ADD_LEARNER):
            return f"there is no site {site}: use one of {', '.join(sites)}"
        match kind:
            case ChangeKind.READMIT | ChangeKind.PROMOTE:
                store = self._replica.present_store(site)
                if store is None:
                    me = self._settings.site
                    return f"{me} has not heard yet which store {site} has: start {site}, then try again"
                return Readmit(site, store) if kind is ChangeKind.READMIT else Promote(site, store)
            case ChangeKind.REMOVE:
                return Remove(site)
            case ChangeKind.ADD | ChangeKind.ADD_LEARNER | ChangeKind.MOVE:
                try:
                    place = parse_address(address or "")
                except BadAddress as error:
                    return str(error)
                if place.is_any:
                    return f"no site can be reached at {place}: write the address at which the others find {site}"
                if (holder := self._holder(site, str(place), view)) is not None:
                    return f"{place} is the address of {holder}: write another one"
                return _placed(kind, site, str(place))
            case _:
                assert_never(kind)

    def _holder(self, site: SiteId, place: str, view: ReplicaView) -> SiteId | None:
        """Which other member has this address, as far as that is written down."""
        for member in view.members[-1].members:
            written = member.address or self._roll.in_the_file(member.site)
            if member.site != site and written == place:
                return member.site
        return None

    def _vain(self, kind: ChangeKind, site: SiteId, view: ReplicaView) -> str | None:
        """Why what fits would have no effect, or cannot be chosen from here."""
        me = self._settings.site
        if not view.voting:
            others = [peer.site for peer in view.peers if peer.up and peer.voting]
            ask = f"ask one that does, such as {others[0]}" if others else "and hears no site that does"
            return f"{me} does not vote, so it cannot change the members: {ask}"
        votes = site == me or any(peer.site == site and peer.up and peer.voting for peer in view.peers)
        if kind is ChangeKind.READMIT and votes and site not in view.replaced:
            return f"{site} says that it votes with its present store: there is nothing to readmit"
        if kind is ChangeKind.READMIT and site in view.outdated:
            return (
                f"{site} runs on an old store, which never votes again: stop it, move its folder away, start it without"
                " it, and ask again"
            )
        return None

    def _unsafe(self, kind: ChangeKind, site: SiteId, view: ReplicaView, *, is_up: bool) -> str | None:
        """Why one may not want it, whatever the quorum is."""
        if kind not in (ChangeKind.READMIT, ChangeKind.PROMOTE):
            return None
        if not is_up:
            return f"{site} is not heard: it would count as a voter without running"
        if site in view.doubled:
            return f"two engines run as {site}, and which of both would vote is chance: stop one of them first"
        prefix = next((peer.prefix for peer in view.peers if peer.site == site), None)
        if kind is ChangeKind.PROMOTE and (prefix or 0) + self._settings.change_lag < view.prefix:
            return f"{site} does not have the whole log yet: it is at slot {prefix or 0:,} of {view.prefix:,}"
        return None

    def _member(
        self,
        site: SiteId,
        member: roster.Member | None,
        standing: MemberStanding,
        wanted_by: SiteId | None,
        view: ReplicaView,
    ) -> Member:
        """`member`: as the newest list has it; None where it is to leave, or has left."""
        here = site == self._settings.site
        peer = next((peer for peer in view.peers if peer.site == site), None)
        heard = None if peer is None else peer.heard
        return Member(
            site=site,
            votes=member is not None and member.votes,
            wanted_by=wanted_by,
            standing=standing,
            why=view.voting_why if here and not view.voting else None,
            heard_s=None if heard is None else round((self._clock.now() - heard) / 1000, 1),
            chosen_through=view.prefix if here else None if peer is None else peer.prefix,
            store=self._replica.present_store(site),
            address=self._roll.in_the_file(site) if here else self._addresses.shown(site),
            file_address=self._roll.in_the_file(site),
            log_address=None if member is None else member.address,
        )


def _placed(kind: ChangeKind, site: SiteId, place: str) -> Membership:
    match kind:
        case ChangeKind.ADD:
            return Add(site, place)
        case ChangeKind.ADD_LEARNER:
            return AddLearner(site, place)
        case _:
            return Move(site, place)


def _standing(site: SiteId, peer: PeerView | None, view: ReplicaView) -> MemberStanding:
    """`peer` is None of this site itself."""
    if peer is None and view.removed is not None:
        return MemberStanding.REMOVED
    if peer is not None and not peer.up:
        return MemberStanding.NOT_HEARD
    if not any(site in each.sites for each in view.members):
        return MemberStanding.LEARNER
    if site in view.replaced:
        return MemberStanding.NEW_STORE
    if site in view.outdated:
        return MemberStanding.OLD_STORE
    votes = view.voting if peer is None else peer.voting is True
    return MemberStanding.VOTER if votes else MemberStanding.NO_VOTE


def _heard(view: ReplicaView, me: SiteId) -> set[SiteId]:
    """The voters that are heard, this site among them if it votes."""
    return {peer.site for peer in view.peers if peer.up and peer.voting} | ({me} if view.voting else set())


def _quorum(voters: Collection[SiteId], heard: Collection[SiteId]) -> Quorum:
    return Quorum(sum(site in heard for site in voters), quorum_size(len(voters)), len(voters))


def _too_few(now: Quorum, then: Quorum) -> str | None:
    if not now.is_reached:
        return f"it cannot be chosen now: {_counted(now)}"
    return None if then.is_reached else f"nothing could be chosen after it: {_counted(then)}"


def _counted(quorum: Quorum) -> str:
    are = "is" if quorum.reachable == 1 else "are"
    return f"{quorum.reachable} of {quorum.size} voters {are} heard, {quorum.needed} needed"
