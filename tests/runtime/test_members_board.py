"""What a change of the members would do, as far as a site knows; refused where it is vain before it is an event."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pytest

from engine.contract.requests import ChangeKind
from engine.core.entry import Add, Entry, Membership, Move, Readmit, Remove, Stamped, encode
from engine.core.ids import SiteId, Slot, StoreId, Tick
from engine.core.log.members import Members
from engine.core.replica import Replica
from engine.core.roster import Removed, Roster
from engine.core.settings import Leadership, Settings
from engine.core.views import PeerView, QuorumView, ReplicaView
from engine.runtime.clock import Clock
from engine.runtime.jsonrpc import CallRefused
from engine.runtime.members import MembersBoard
from engine.runtime.peer_addresses import PeerAddresses
from engine.runtime.roll import Roll

ALICE, BOB, CAROL, DAVE = SiteId("alice"), SiteId("bob"), SiteId("carol"), SiteId("dave")
SITES: Final = (ALICE, BOB, CAROL)
NEW: Final = StoreId("c" * 16)
OLD: Final = StoreId("a" * 16)
AT: Final = ("127.0.0.1", 7001), ("127.0.0.1", 7002), ("127.0.0.1", 7003)


def peer(site: SiteId, *, up: bool = True, voting: bool = True, prefix: int = 9_000) -> PeerView:
    return PeerView(site, up, voting, 3, Tick(0), Slot(prefix))


@dataclass
class Known:
    """What a replica says: by default alice's, while carol runs on a new store."""

    voting: bool = True
    peers: tuple[PeerView, ...] = (peer(BOB), peer(CAROL, voting=False))
    stores: Mapping[SiteId, StoreId | None] = field(
        default_factory=lambda: {ALICE: OLD, BOB: OLD, CAROL: NEW, DAVE: NEW}
    )
    replaced: tuple[SiteId, ...] = (CAROL,)
    outdated: tuple[SiteId, ...] = ()
    doubled: tuple[SiteId, ...] = ()
    removed: Removed | None = None
    changes: tuple[tuple[int, Membership], ...] = ()
    prefix: int = 9_000

    @property
    def members(self) -> Members:
        members = Members(SITES, 8_192)
        for slot, change in self.changes:
            assert members.apply(Slot(slot), change) is None
        return members

    def view(self, attempts_max: int) -> ReplicaView:
        assert attempts_max == 0, "who belongs to the cluster is no matter of attempts"
        said: dict[str, Any] = dict.fromkeys(ReplicaView.__struct_fields__)
        said |= {"quorum": QuorumView(0, 2, 3), "prefix": Slot(self.prefix), "voting": self.voting, "voting_why": "why"}
        said |= {"peers": self.peers, "members": tuple(self.members.above(Slot(self.prefix)))}
        said |= {"replaced": self.replaced, "outdated": self.outdated, "doubled": self.doubled}
        return ReplicaView(**said | {"removed": self.removed})

    def members_after(self, operation: Membership) -> Roster | str:
        return self.members.after(Slot(self.prefix + 1), operation)

    def present_store(self, site: SiteId) -> StoreId | None:
        return self.stores.get(site)

    def learned(self, slot: Slot) -> Entry:
        """Bob asked for all of them."""
        return Entry(BOB, slot, 0, encode(Stamped(dict(self.changes)[slot], 5)))


class StillClock:
    def now(self) -> Tick:
        return Tick(0)


def board(known: Known) -> MembersBoard:
    settings = Settings(ALICE, SITES, Leadership.ELECTED, change_lag=8_192)
    roll = Roll(ALICE, dict(zip(SITES, AT, strict=True)), tuple(known.members.above(Slot(known.prefix))))
    addresses = PeerAddresses(socket.AF_INET, roll.places)
    return MembersBoard(settings, roll, cast(Replica, known), cast(Clock, StillClock()), addresses)


def test_a_plan_counts_who_is_needed_and_who_is_heard_now_and_then() -> None:
    plan = board(Known()).plan(ChangeKind.READMIT, CAROL, None)
    assert (plan.now.reachable, plan.now.needed, plan.now.size) == (2, 2, 3)
    assert (plan.then.reachable, plan.then.needed, plan.then.size) == (3, 2, 3)
    assert (plan.refused, plan.unsafe, plan.store, plan.waits) == (None, None, NEW, 8_192)
    assert board(Known()).operation(ChangeKind.READMIT, CAROL, None, force=False) == Readmit(CAROL, NEW)


@pytest.mark.parametrize(
    ("known", "site", "why"),
    [
        (Known(), "dave", "there is no site dave: use one of alice, bob, carol"),
        (Known(), "bob", "bob says that it votes with its present store: there is nothing"),
        (Known(), "alice", "alice says that it votes with its present store"),
        (Known(voting=False), "carol", "alice does not vote, so it cannot change the members: ask one that does"),
        (Known(voting=False, peers=()), "carol", "hears no site that does"),
        (Known(stores=dict.fromkeys(SITES)), "carol", "start carol, then try again"),
        (Known(changes=((8_500, Readmit(CAROL, OLD)),)), "carol", "takes effect only at slot 16692"),
        (Known(replaced=(), outdated=(CAROL,)), "carol", "carol runs on an old store, which never votes"),
    ],
    ids=["nobody", "a voter", "itself", "no voter asks", "nobody votes", "never heard", "no fit", "an old copy"],
)  # fmt: skip
def test_what_would_be_vain_is_refused_whatever_is_forced(known: Known, site: str, why: str) -> None:
    refused = board(known).plan(ChangeKind.READMIT, site, None).refused
    assert refused is not None
    assert why in refused
    with pytest.raises(CallRefused, match=re.escape(refused)):
        board(known).operation(ChangeKind.READMIT, site, None, force=True)


def test_of_two_engines_under_one_name_chance_would_say_which_is_readmitted() -> None:
    known = Known(replaced=(), doubled=(CAROL,))
    unsafe = board(known).plan(ChangeKind.READMIT, CAROL, None).unsafe
    assert unsafe == "two engines run as carol, and which of both would vote is chance: stop one of them first"


@pytest.mark.parametrize(
    ("peers", "why"),
    [
        ((peer(BOB), peer(CAROL, up=False)), "carol is not heard: it would count as a voter without running"),
        ((peer(BOB, up=False), peer(CAROL, voting=False)), "it cannot be chosen now: 1 of 3 voters is heard, 2 needed"),
    ],
    ids=["who is readmitted", "the others"],
)  # fmt: skip
def test_where_too_few_are_heard_it_is_refused_unless_it_is_forced(peers: tuple[PeerView, ...], why: str) -> None:
    known = Known(peers=peers)
    assert board(known).plan(ChangeKind.READMIT, CAROL, None).unsafe == why
    with pytest.raises(CallRefused, match="`force` submits it anyway"):
        board(known).operation(ChangeKind.READMIT, CAROL, None, force=False)
    assert board(known).operation(ChangeKind.READMIT, CAROL, None, force=True) == Readmit(CAROL, NEW)


@pytest.mark.parametrize(
    ("kind", "site", "address", "then", "operation"),
    [
        (ChangeKind.ADD, "dave", "10.0.0.4:7001", (2, 3, 4), Add(DAVE, "10.0.0.4:7001")),
        (ChangeKind.REMOVE, "carol", None, (2, 2, 2), Remove(CAROL)),
        (ChangeKind.MOVE, "bob", "BOB.lan:7001", (2, 2, 3), Move(BOB, "bob.lan:7001")),
    ],
)
def test_a_change_says_how_many_will_be_needed(
    kind: ChangeKind, site: str, address: str | None, then: tuple[int, ...], operation: Membership
) -> None:
    """Who is added is to vote: the number is told that this makes."""
    plan = board(Known()).plan(kind, site, address)
    assert (plan.refused, (plan.then.reachable, plan.then.needed, plan.then.size)) == (None, then)
    assert board(Known()).operation(kind, site, address, force=True) == operation


def test_who_is_added_to_one_site_is_needed_only_once_it_is_heard() -> None:
    known = Known(peers=(), changes=((1, Remove(BOB)), (8_500, Remove(CAROL))), replaced=(), prefix=17_000)
    plan = board(known).plan(ChangeKind.ADD, "dave", "10.0.0.4:7001")
    assert (plan.then.reachable, plan.then.needed, plan.unsafe) == (1, 2, None)


@pytest.mark.parametrize(
    ("kind", "site", "address", "why"),
    [
        (ChangeKind.ADD, "bob", "10.0.0.4:7001", "there is already a site bob"),
        (ChangeKind.ADD, "Dave", "10.0.0.4:7001", "'Dave' is not a site's name"),
        (ChangeKind.ADD, "dave", "nowhere", "write host:port"),
        (ChangeKind.ADD, "dave", "0.0.0.0:7001", "no site can be reached at 0.0.0.0:7001"),
        (ChangeKind.MOVE, "carol", "127.0.0.1:7002", "127.0.0.1:7002 is the address of bob"),
        (ChangeKind.PROMOTE, "bob", None, "bob already votes"),
        (ChangeKind.REMOVE, "dave", None, "there is no site dave: use one of alice, bob, carol"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_write(
    kind: ChangeKind, site: str, address: str | None, why: str
) -> None:
    refused = board(Known()).plan(kind, site, address).refused
    assert refused is not None
    assert why in refused


def test_who_is_promoted_has_the_log_unless_it_is_forced() -> None:
    change = (1, Add(DAVE, "10.0.0.4:7001"))
    for prefix, unsafe in ((9_000, None), (5, "dave does not have the whole log yet: it is at slot 5 of 9,000")):
        peers = (peer(BOB), peer(CAROL), peer(DAVE, voting=False, prefix=prefix))
        plan = board(Known(peers=peers, replaced=(), changes=(change,))).plan(ChangeKind.PROMOTE, "dave", None)
        assert (plan.refused, plan.unsafe, plan.store) == (None, unsafe, NEW)
        assert (plan.then.reachable, plan.then.needed, plan.then.size) == (4, 3, 4)


def test_a_vote_that_the_rest_needs_is_not_removed_unless_it_is_forced() -> None:
    known = Known(peers=(peer(BOB, up=False), peer(CAROL)), replaced=())
    assert board(known).plan(ChangeKind.REMOVE, CAROL, None).unsafe == (
        "nothing could be chosen after it: 1 of 2 voters is heard, 2 needed"
    )
    assert board(known).plan(ChangeKind.REMOVE, BOB, None).unsafe is None


def test_each_member_has_its_standing() -> None:
    coming = (8_500, Readmit(CAROL, NEW))
    known = Known(peers=(peer(BOB, up=False), peer(CAROL, voting=False)), changes=(coming,))
    told = board(known).members()
    standings = {member.site: member.standing for member in told.members}
    assert standings == {"alice": "voter", "bob": "not-heard", "carol": "new-store"}
    assert (told.quorum.reachable, told.quorum.needed) == (1, 2)
    assert told.coming is not None
    assert (told.coming.slot, told.coming.since) == (8_500, 16_692)
    starting = board(Known(voting=False, replaced=())).members()
    assert [member.standing for member in starting.members] == ["no-vote", "voter", "no-vote"]
    assert [member.why for member in starting.members] == ["why", None, None]
    lost = board(Known(voting=False, replaced=(ALICE,))).members()
    assert lost.members[0].standing == "new-store"
    old = board(Known(replaced=(), outdated=(CAROL,))).members()
    assert old.members[2].standing == "old-store"
    added = board(Known(peers=(peer(DAVE),), changes=((1, Add(DAVE, "10.0.0.4:7001")),))).members().members[-1]
    assert (added.site, added.standing, added.votes, added.wanted_by) == ("dave", "learner", False, "bob")
    assert (added.log_address, added.file_address) == ("10.0.0.4:7001", None)
    gone = board(Known(removed=Removed(Slot(5), Slot(8_197), needed=False))).members()
    assert gone.members[0].standing == "removed"
