"""Who leads, and that the sites' settings differ: in the bar, in the Sites pane, and in `loggos status` (L3, L4)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.core.settings import Leadership
from tests.real_cluster import RealCluster, until, with_leadership
from tests.tui.engine_double import EngineDouble
from tests.tui.pilots import NARROW, WIDE, screen_of

MISMATCH = (
    "this site runs leadership elected, but bob runs none: safe, but slower; write the same setting in every sites file"
)


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize(
    ("status", "bar", "pane"),
    [
        ({"leadership": "elected", "leader": "bob"}, "lead bob", "leadership elected, lead bob"),
        ({"leadership": "elected", "leader": None}, "no leader", "leadership elected, no leader heard"),
        ({"leadership": "last-author", "leader": None}, "QUORUM", "leadership last-author: "),
        ({"leadership": "none", "leader": None}, "QUORUM", "leadership none: every site"),
    ],
)
async def test_the_bar_and_the_pane_say_who_leads(
    tmp_path: Path, size: tuple[int, int], status: dict[str, Any], bar: str, pane: str
) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = status
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("5")
            await pilot.until_shown(pane)
            await pilot.until(lambda: bar in pilot.lines()[0], f"never in the bar: {bar}")
            assert "lead ?" not in pilot.text()


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_l4_settings_that_differ_are_a_badge_and_a_sentence(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.status_changes = {"leadership": "elected", "leader": "carol", "mismatch": MISMATCH}
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("5")
            await pilot.until_shown("bob runs none: safe, but slower")
            badges = {" MISMATCH ", "lead carol"}
            await pilot.until(lambda: all(badge in pilot.lines()[0] for badge in badges), "never in the bar")
            engine.status_changes = {"leadership": "elected", "leader": "carol", "mismatch": None}
            engine.tell({"topic": "status", **engine.status()})
            await pilot.until(lambda: "MISMATCH" not in pilot.text(), "it stays")


def _mismatch(cluster: RealCluster, name: str) -> object:
    return cluster.ask(name, "status")["mismatch"]


def _says_both(cluster: RealCluster) -> bool:
    leader = cluster.ask("alice", "status")["leader"]
    said = " ".join(cluster.run("status", "alice").out.split())
    mismatches = (
        "! this site runs leadership elected, but carol runs none: safe, but slower",
        "also, this site's heartbeat_ms is 100, but carol's is 200: safe, but a site that stops is noticed later",
    )
    leads = leader is not None and f"leadership elected, lead {leader}" in said
    return leads and all(mismatch in said for mismatch in mismatches)


def test_l4_real_sites_of_two_settings_say_so_and_agree(tmp_path: Path) -> None:
    """Two sites elect, the third proposes by itself: all of their events are in one log."""
    with RealCluster(tmp_path, ("alice", "bob", "carol"), leadership=Leadership.ELECTED) as cluster:
        cluster.serve("alice", "bob")
        mixed = tmp_path / "carol.yaml"
        text = with_leadership(cluster.sites_path.read_text(), Leadership.NONE)
        mixed.write_text(text.replace("heartbeat_ms: 100\n", "heartbeat_ms: 200\n"))
        cluster.sites_path, elected = mixed, cluster.sites_path
        cluster.serve("carol")
        cluster.sites_path = elected
        for name in cluster.names:
            until(partial(_mismatch, cluster, name), f"{name} sees the mismatch")
        until(lambda: cluster.ask("alice", "status")["leader"], "one of both is elected")
        outcomes = [
            cluster.run("tweet", name, f"from {name}", "--retry", "--json", "--timeout", "50").lines[0]
            for name in cluster.names
        ]
        assert {outcome["outcome"] for outcome in outcomes} == {"created"}
        for name in cluster.names:
            cluster.until_learned(name, max(outcome["slot"] for outcome in outcomes))
        logs = [cluster.run("log", name, "--json").out for name in cluster.names]
        assert logs[0] == logs[1] == logs[2]

        until(partial(_says_both, cluster), "alice says who leads, and what carol runs")
        assert "leadership  none: every site proposes" in cluster.run("status", "carol").out
