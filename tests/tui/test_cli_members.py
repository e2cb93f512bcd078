"""`members` and `readmit` as processes: against real engines, of which one loses its disk, and another dies."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.core.settings import CHANGE_LAG, Leadership
from engine.core.storage import Standing
from tests.real_cluster import BOUND_S, Json, RealCluster, until
from tui.commands import audit, rescue_report

NAMES = ("alice", "bob", "carol")


def _standings(cluster: RealCluster, site: str) -> dict[str, str]:
    return {each["site"]: each["standing"] for each in cluster.ask(site, "members")["members"]}


def _tweet(cluster: RealCluster, site: str, text: str) -> Json:
    return cluster.ask(site, "submit", {"kind": "tweet", "text": text, "timeout_s": BOUND_S})


def _lose_disk(cluster: RealCluster, site: str) -> None:
    cluster.engines[site].kill()
    shutil.rmtree(cluster.data_path / site)
    cluster.serve(site)


@pytest.mark.parametrize("words", [audit.STANDINGS, rescue_report.STANDINGS], ids=["audit", "rescue"])
def test_every_standing_of_a_store_has_its_words(words: Mapping[Standing, str]) -> None:
    assert words.keys() == set(Standing)


def test_a_lost_disk_is_readmitted_and_its_vote_is_needed_and_counts(tmp_path: Path) -> None:
    """M4, M6: then events go on with that vote, and without another site."""
    with RealCluster(tmp_path, NAMES, leadership=Leadership.ELECTED) as cluster:
        cluster.serve_all()
        assert [_tweet(cluster, site, "before")["outcome"] for site in NAMES] == ["created"] * 3
        _lose_disk(cluster, "carol")
        until(lambda: _standings(cluster, "alice")["carol"] == "new-store", "alice knows of the lost disk")
        until(lambda: _standings(cluster, "carol")["carol"] == "new-store", "so does carol")

        told = cluster.run("members", "alice")
        assert "carol  new store: its disk was lost or replaced" in told.out
        assert "2 of 3 voters are needed; 2 are heard\n" in told.out
        assert "readmit alice carol`" in told.out
        assert "readmit alice carol`" in cluster.run("members", "carol").out
        assert "readmit alice carol`" in cluster.run("status", "carol").out

        refused = cluster.run("readmit", "carol", "carol", "--yes")
        assert (refused.status, refused.out) == (2, "")
        assert "carol does not vote" in refused.err
        unasked = cluster.run("readmit", "alice", "carol")
        assert (unasked.status, unasked.err) == (2, "loggos: nothing was submitted: answer yes, or add --yes\n")
        assert "then  2 of 3 voters will be needed; 3 are heard now\n" in unasked.out

        said = cluster.run("readmit", "alice", "carol", "--yes", "--json", "--timeout", str(BOUND_S))
        assert (said.status, said.err) == (0, "")
        [outcome] = said.lines
        assert outcome["outcome"] == "created"
        cluster.until_reached("alice", 3)
        for site in ("alice", "carol"):
            cluster.until_learned(site, outcome["slot"] + CHANGE_LAG - 1)
        assert set(_standings(cluster, "alice").values()) == {"voter"}
        again = cluster.run("readmit", "alice", "carol", "--yes")
        assert (again.status, again.out) == (2, "")
        assert "there is nothing to readmit" in again.err

        cluster.engines["bob"].kill()
        after = [_tweet(cluster, site, "without bob") for site in ("alice", "carol")]
        assert [each["outcome"] for each in after] == ["created"] * 2
        assert after[1]["id"] == "carol/2000001"
        audited = cluster.run("audit", str(cluster.data_path))
        assert (audited.status, audited.err) == (0, "")
        assert re.search(r"^carol .* voter, readmitted ", audited.out, re.MULTILINE)
