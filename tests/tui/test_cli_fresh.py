"""`view --fresh` as a process against real engines: what it shows, says and ends with (R5, exit status 11)."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest

from tests.real_cluster import Json, RealCluster, ended, interrupt, until

SLOW = "heartbeat_ms: 100\nretransmit_ms: 50\nfill_every_s: 3600\nscan_every_s: 3600\n"
"""Nothing is filled unless somebody asks for it; what a peer claims is copied."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("fresh"), ("alice", "bob", "carol"), SLOW) as three:
        three.serve_all()
        yield three


def _tweet(cluster: RealCluster, site: str, text: str) -> int:
    [outcome] = cluster.run("tweet", site, text, "--retry", "--json", "--timeout", "50").lines
    assert outcome["outcome"] == "created"
    slot: int = outcome["slot"]
    return slot


@pytest.fixture
def deaf(cluster: RealCluster) -> Iterator[str]:
    """Carol, who does not hear what is chosen."""
    cluster.run("faults", "carol", "add", "from=* type=chosen drop")
    yield "carol"
    cluster.run("faults", "carol", "clear")


def _questions(cluster: RealCluster, site: str) -> list[Json]:
    return [line for line in cluster.ask(site, "trace")["lines"] if line["type"] == "ask-highest"]


def test_r5_it_waits_for_what_was_created_elsewhere_before_the_call(cluster: RealCluster) -> None:
    """Carol is told nothing before it is asked for, and has asked how far the log goes."""
    deaf = "carol"
    cluster.run("faults", deaf, "add", "from=* type=chosen,known,promise drop")
    slot = _tweet(cluster, "alice", "lunch at noon?")
    assert "lunch at noon?" not in cluster.run("view", deaf).out
    asked = _questions(cluster, deaf)
    process = cluster.start("view", deaf, "--fresh", "--timeout", "500")
    until(lambda: _questions(cluster, deaf) != asked, "the question leaves")
    cluster.run("faults", deaf, "clear")
    said = ended(process)
    assert (said.status, said.err) == (0, "")
    *lines, confirmed = said.out.splitlines()
    assert lines[-1].startswith(f"#{slot} ")
    assert re.fullmatch(r"confirmed by [a-z, ]+: nothing chosen before \d\d:\d\d:\d\d is missing", confirmed), confirmed
    assert cluster.ask(deaf, "status")["fresh_at"] is not None


def test_with_json_the_lines_are_those_of_view(cluster: RealCluster, deaf: str) -> None:
    _tweet(cluster, "bob", "for programs")
    said = cluster.run("view", deaf, "--fresh", "--json", "--timeout", "50")
    assert (said.status, said.err) == (0, "")
    assert said.lines[-1]["text"] == "for programs"
    assert all(list(line) == ["slot", "author", "text", "at"] for line in said.lines)


def test_unconfirmed_it_shows_what_is_here_says_the_counts_and_ends_with_11(cluster: RealCluster) -> None:
    _tweet(cluster, "alice", "known here")
    cluster.run("faults", "alice", "add", "from=* type=highest drop")
    (rule,) = cluster.ask("alice", "faults")["rules"]
    why = f"fault rule {rule['number']} drops the answers from bob and carol; 1 of 3 answered, 2 needed"
    told = f"loggos: not confirmed that nothing is missing: {why}\n"
    view = ("view", "alice", "--fresh", "--timeout", "0.3")
    until(lambda: cluster.run(*view).err == told, "both answers were dropped")
    said = cluster.run(*view)
    as_json = cluster.run(*view, "--json")
    cluster.run("faults", "alice", "clear")
    assert said.status == as_json.status == 11
    assert "known here" in said.out
    assert said.out.splitlines()[-1] == "perhaps stale: what is known here; it is not confirmed that this is all"
    assert said.err == as_json.err == told
    assert as_json.lines[-1]["text"] == "known here"


def test_an_unsettled_slot_below_the_bound_is_named(cluster: RealCluster) -> None:
    cluster.run("faults", "carol", "add", "from=* type=chosen,known,promise drop")
    slot = _tweet(cluster, "alice", "carol does not hear that this is chosen")
    told = f"; slot {slot} is not settled yet, and the log goes up to slot {slot}\n"

    def is_named() -> bool:
        said = cluster.run("view", "carol", "--fresh", "--timeout", "0.3")
        assert said.status == 11
        return said.err.endswith(told)

    until(is_named, "a majority answers within the time of a view, and the slot is named")
    cluster.run("faults", "carol", "clear")


def test_a_signal_ends_the_wait_with_what_is_known(cluster: RealCluster) -> None:
    cluster.run("faults", "alice", "add", "from=* type=highest drop")
    asked = _questions(cluster, "alice")
    process = cluster.start("view", "alice", "--fresh", "--timeout", "500")
    until(lambda: _questions(cluster, "alice") != asked, "the question leaves")
    said = interrupt(process, signal.SIGINT)
    cluster.run("faults", "alice", "clear")
    assert said.status == 11
    assert said.out.splitlines()[-1].startswith("perhaps stale")
    assert "given up by the client that asked; 1 of 3 answered, 2 needed" in said.err


def test_a_timeout_without_fresh_is_bad_input(cluster: RealCluster) -> None:
    said = cluster.run("view", "alice", "--timeout", "3")
    assert (said.status, said.out) == (2, "")
    assert said.err == "loggos: --timeout goes with --fresh: leave it out, or add --fresh\n"
