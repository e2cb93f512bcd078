"""Three patterns of cut links that stop other protocols for good, with real processes (L3).

After Ng, Haridi and Carbone, "Omni-Paxos: Breaking the Barriers of Partial Connectivity" (2023), section 2. In each,
some site can reach a majority, and a tweet must be created within ten election timeouts of the cut.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Final

from tests.net.led_cluster import ELECTION_TIMEOUT_S, FIVE, LedCluster
from tests.real_cluster import until

PROGRESS_MAX_S: Final = 10 * ELECTION_TIMEOUT_S


def test_quorum_loss_a_leader_left_with_one_link_is_replaced(tmp_path: Path) -> None:
    """Every link but those of one site is lost. The leader still hears that site, which alone reaches a majority."""
    with LedCluster(tmp_path) as cluster:
        cluster.serve_all()
        leader = cluster.leader_of(FIVE)
        hub, *others = (name for name in FIVE if name != leader)
        cluster.cut(combinations((leader, *others), 2))
        assert cluster.tweet(others[0], "through the hub") < PROGRESS_MAX_S
        assert cluster.leader_of(FIVE) == hub
        assert cluster.times(leader, "steps down") > 0
        cluster.mend()
        assert cluster.texts_once_alike() == ["through the hub"]


def test_constrained_election_only_a_site_that_is_behind_can_lead(tmp_path: Path) -> None:
    """The leader is cut off from all; the others are left with their links to a site that missed what was chosen."""
    with LedCluster(tmp_path) as cluster:
        cluster.serve_all()
        leader = cluster.leader_of(FIVE)
        hub, *others = (name for name in FIVE if name != leader)
        deaf = cluster.ask(hub, "faults.add", {"rule": "from=* type=accept,promise,chosen,known drop"})
        for number in range(3):
            cluster.tweet(others[0], f"missed by the hub {number}")
        assert cluster.ask(hub, "status")["chosen_through"] == 0
        cluster.cut([(leader, name) for name in (hub, *others)])
        cluster.cut(combinations(others, 2))
        cluster.ask(hub, "faults.remove", {"number": deaf["number"]})
        assert cluster.tweet(others[1], "through the hub") < PROGRESS_MAX_S
        assert cluster.leader_of((hub, *others)) == hub
        cluster.mend()
        missed = [f"missed by the hub {number}" for number in range(3)]
        assert cluster.texts_once_alike() == [*missed, "through the hub"]


def test_chained_who_is_cut_off_from_the_leader_does_not_disturb_it(tmp_path: Path) -> None:
    """Two ends of a chain of three do not hear each other. One of them leads: the other hands its events on through the
    middle, and nobody stands for election, however long this lasts.

    Beats are slow, so that no leader seems to be silent because the machine gave it no time.
    """
    with LedCluster(tmp_path, FIVE[:3], "heartbeat_ms: 1000\n") as cluster:
        cluster.serve_all()
        leader = cluster.leader_of(cluster.names)
        end, middle = (name for name in cluster.names if name != leader)
        stood = {name: cluster.times(name, "standing") for name in cluster.names}
        cluster.cut([(leader, end)])
        assert cluster.tweet(end, "handed on") < PROGRESS_MAX_S
        until(lambda: not cluster.ask(end, "status")["peers"][leader]["up"], f"{end} misses {leader}")
        assert cluster.tweet(end, "handed on through the middle") < PROGRESS_MAX_S
        assert cluster.tweet(middle, "from the middle") < PROGRESS_MAX_S
        assert cluster.leader_of(cluster.names) == leader
        assert {name: cluster.times(name, "standing") for name in cluster.names} == stood
        cluster.mend()
        assert cluster.texts_once_alike() == ["handed on", "handed on through the middle", "from the middle"]
