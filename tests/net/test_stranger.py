"""docs/protocol.md is enough: an acceptor that was written from that page alone votes in a cluster of real engines."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.config import read_cluster
from engine.core.settings import Leadership
from tests.real_cluster import BOUND_S, Json, RealCluster, environment, until

ROOT = Path(__file__).parents[2]
ITS_OWN = "tests.stranger"


@contextmanager
def stranger(cluster: RealCluster, me: str) -> Iterator[None]:
    """Runs it as this site until the context ends; then it is killed, and its store stays."""
    told = read_cluster(cluster.sites_path)
    assert told.key is not None
    places = {site: (address.host, address.port) for site, address in told.addresses.items()}
    said: Json = {"cluster": told.name, "key": told.key.hex(), "sites": places, "me": me}
    said |= {"store": str(cluster.folder / "stranger.json"), "beat": (told.leadership, told.timings.heartbeat)}
    command = [sys.executable, "-m", ITS_OWN, json.dumps(said)]
    with (cluster.folder / "stranger.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environment())
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"listening\n", (cluster.folder / "stranger.log").read_text()
        yield
        assert process.poll() is None, (cluster.folder / "stranger.log").read_text()
    finally:
        process.kill()
        process.wait(BOUND_S)
        process.stdout.close()


def created(cluster: RealCluster, text: str) -> int:
    """The slot of a tweet of alice's."""
    outcome = cluster.ask("alice", "submit", {"kind": "tweet", "text": text, "timeout_s": BOUND_S})
    assert outcome["outcome"] == "created", outcome
    slot: int = outcome["slot"]
    return slot


def voters(cluster: RealCluster, slot: int) -> list[str]:
    """Who made the majority that chose the slot, as alice counted them."""
    biography: Json = cluster.ask("alice", "explain", {"slot": slot})
    quorum: list[str] = biography["quorum"]["sites"]
    return quorum


@pytest.mark.parametrize("leadership", [Leadership.ELECTED, Leadership.NONE])
def test_an_acceptor_made_from_the_page_alone_gives_the_vote_that_is_needed(
    tmp_path: Path, leadership: Leadership
) -> None:
    with RealCluster(tmp_path, ("alice", "bob", "carol"), leadership=leadership) as cluster:
        with stranger(cluster, "carol"):
            cluster.serve("alice", "bob")
            cluster.until_reached("alice", 3)
            cluster.engines["bob"].kill()
            cluster.until_reached("alice", 2)
            assert voters(cluster, created(cluster, "bob is down")) == ["alice", "carol"]
        cluster.until_reached("alice", 1)
        with stranger(cluster, "carol"):
            cluster.until_reached("alice", 2)
            assert voters(cluster, created(cluster, "carol was down too")) == ["alice", "carol"]
        cluster.serve("bob")
        until(lambda: len(cluster.ask("bob", "view", {"limit": 9})["lines"]) == 2, "bob learns both")


def test_it_knows_nothing_of_loggos() -> None:
    allowed = {*sys.stdlib_module_names, "cryptography"}
    for path in (ROOT / "tests/stranger").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import():
                    modules = [alias.name for alias in node.names]
                case ast.ImportFrom():
                    modules = [str(node.module)]
                case _:
                    modules = []
            for module in modules:
                assert module.partition(".")[0] in allowed or module.startswith(ITS_OWN), f"{path} imports {module}"
