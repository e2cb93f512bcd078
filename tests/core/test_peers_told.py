"""What a site shows of its peers: what they told since it started, and nothing in its place."""

from __future__ import annotations

from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import Heartbeat
from engine.core.peers.heartbeats import Peers
from engine.core.settings import Leadership, Settings
from engine.core.step import Step
from engine.core.views import PeerView
from tests.core.stage import ALICE, BOB, CAROL, SITES


def beat(voting: bool, prefix: int) -> Heartbeat:
    told = Slot(prefix)
    return Heartbeat(Leadership.NONE, voting, told, told, Tick(0), None, 0, Tick(500), None, False, None)


def view(peers: Peers, site: SiteId) -> PeerView:
    return next(peer for peer in peers.views() if peer.site == site)


def test_how_far_a_peer_is_and_whether_it_votes_is_unknown_until_it_told() -> None:
    peers, step = Peers(Settings(ALICE, SITES, Leadership.NONE)), Step(Tick(0), ALICE, voting=True)
    assert (view(peers, BOB).prefix, view(peers, BOB).voting) == (None, None)
    peers.heard(step, BOB)  # a greeting says neither
    assert (view(peers, BOB).up, view(peers, BOB).prefix, view(peers, BOB).voting) == (True, None, None)
    assert (peers.voters_up, peers.linked(Tick(0)), peers.ahead_of(Slot(0))) == (frozenset(), frozenset(), [])
    peers.on_heartbeat(step, BOB, beat(False, 0))
    assert (view(peers, BOB).prefix, view(peers, BOB).voting) == (0, False)
    for site, prefix in ((BOB, 8), (CAROL, 9)):
        peers.heard(step, site)
        peers.on_heartbeat(step, site, beat(True, prefix))
    assert view(peers, BOB).prefix == 8
    assert peers.ahead_of(Slot(7)) == [CAROL, BOB]
