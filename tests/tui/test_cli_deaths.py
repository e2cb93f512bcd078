"""True outcomes when engines die, without a quorum, and when the command is interrupted (E2; docs/commands.md)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.real_cluster import BOUND_S, RealCluster, interrupt, until
from tests.tui.engine_double import outcome
from tests.tui.scripted_engine import Json, ScriptedEngine

PATIENT = ("--timeout", "3600")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RealCluster]:
    with RealCluster(tmp_path, ("alice", "bob", "carol")) as three:
        yield three


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """alice votes, and the two others were killed a while ago: there is no quorum."""
    with RealCluster(tmp_path_factory.mktemp("alone"), ("alice", "bob", "carol")) as three:
        _leave_alone(three)
        yield three


def _leave_alone(cluster: RealCluster) -> None:
    cluster.serve_all()
    for name in ("bob", "carol"):
        cluster.engines[name].kill()
    cluster.until_reached("alice", 1)


def _events(cluster: RealCluster) -> int:
    """How many events alice has made durable."""
    return len(cluster.ask("alice", "events", {"limit": 1000})["lines"])


def test_without_a_quorum_a_tweet_says_so_with_counts(alone: RealCluster) -> None:
    said = alone.run("tweet", "alice", "anybody?", "--timeout", "0.5", "--json")
    [outcome] = said.lines
    assert (said.status, outcome["outcome"]) in {(10, "not-created"), (11, "unknown")}
    assert "1 of 3" in outcome["reason"]
    assert outcome["id"].startswith("alice/")
    assert alone.run("events", "alice", outcome["id"], "--json").lines[0]["outcome"] == outcome["outcome"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_tweet_tells_what_is_true_at_once(alone: RealCluster, number: signal.Signals) -> None:
    before = _events(alone)
    process = alone.start("tweet", "alice", "wait for me", "--json", *PATIENT)
    until(lambda: _events(alone) > before, "the event is durable")
    said = interrupt(process, number)
    assert said.status in {10, 11}
    assert f'"outcome":"{"not-created" if said.status == 10 else "unknown"}"' in said.out
    assert said.out.count("\n") == 1


def test_interrupted_is_never_0_even_if_the_event_was_created_meanwhile(cluster: RealCluster) -> None:
    submitted = threading.Event()

    def create_when_given_up(engine: ScriptedEngine, request: Json) -> None:
        if request["method"] == "submit":
            submitted.set()
        else:
            engine.answer(engine.requests[0], outcome("created", slot=1))

    cluster.socket_path("alice").parent.mkdir(parents=True)
    with ScriptedEngine(cluster.socket_path("alice"), create_when_given_up):
        process = cluster.start("tweet", "alice", "just in time", "--json", *PATIENT)
        assert submitted.wait(BOUND_S)
        said = interrupt(process, signal.SIGINT)
    assert (said.status, said.lines[0]["outcome"]) == (11, "created")


@pytest.mark.parametrize("words", [("tweet", "alice", "hi"), ("block", "alice", "bob")])
def test_an_engine_lost_after_it_told_the_id_leaves_an_unknown_that_can_be_asked_for(
    cluster: RealCluster, words: tuple[str, ...]
) -> None:
    def acknowledge_and_die(engine: ScriptedEngine, request: Json) -> None:
        told = {"request": request["id"], "id": "alice/17", "count": 1}
        engine.send({"jsonrpc": "2.0", "method": "acknowledged", "params": told})
        engine.hang_up()

    cluster.socket_path("alice").parent.mkdir(parents=True)
    with ScriptedEngine(cluster.socket_path("alice"), acknowledge_and_die):
        said = cluster.run(*words, "--json")
    (line,) = said.lines
    assert (said.status, line["outcome"], line["id"], line["slot"]) == (11, "unknown", "alice/17", None)


def test_interrupted_lines_that_were_not_handed_in_get_no_event(alone: RealCluster) -> None:
    before = _events(alone)
    process = alone.start("tweet", "alice", "--stdin", "--json", *PATIENT)
    assert process.stdin is not None
    process.stdin.write(b"".join(b"line %d\n" % number for number in range(400)))
    process.stdin.flush()
    until(lambda: _events(alone) == before + 256, "a window of events")
    said = interrupt(process, signal.SIGINT)
    assert said.status in {10, 11}
    assert len(said.lines) == 256
    assert {line["outcome"] for line in said.lines} <= {"not-created", "unknown"}
    assert "144 more lines were not submitted" in said.err
    assert _events(alone) == before + 256


def test_an_interrupted_fill_is_never_0(cluster: RealCluster) -> None:
    """alice accepted an entry of bob's, who died before it was chosen: a hole that needs a quorum to settle."""
    cluster.serve_all()
    cluster.run("faults", "carol", "add", "partition alice,bob | carol")
    cluster.run("faults", "bob", "add", "from=alice type=accepted drop")
    cluster.run("faults", "alice", "add", "to=bob type=prepare drop")  # she would settle it with him
    process = cluster.start("tweet", "bob", "half way", *PATIENT)
    until(lambda: cluster.ask("alice", "status")["holes"], "alice has a hole")
    cluster.engines["bob"].kill()
    process.communicate(timeout=BOUND_S)
    assert process.returncode == 11
    [planned] = cluster.ask("alice", "plan")["lines"]
    unsettled = cluster.run("fill", "alice", "--timeout", "0.3", "--json")
    assert unsettled.status == 11
    assert f"not settled yet; the engine keeps trying: slot {planned['slot']}: " in unsettled.err
    filling = cluster.start("fill", "alice", *PATIENT)
    assert filling.stdout is not None
    assert filling.stdout.readline() == b"plan\n"
    assert interrupt(filling, signal.SIGINT).status == 11
    cluster.serve("bob")
    for name in ("alice", "carol"):
        cluster.run("faults", name, "clear")
    said = cluster.run("fill", "alice", "--timeout", "50", "--json")
    assert said.status == 0
    cluster.until_learned("alice", planned["slot"])
    assert cluster.run("log", "alice", "--json").lines[-1]["text"] == "half way"


def test_an_engine_that_is_killed_leaves_unknown_what_it_did_not_answer(cluster: RealCluster) -> None:
    _leave_alone(cluster)
    one = cluster.start("tweet", "alice", "last words", "--json", *PATIENT)
    until(lambda: _events(cluster) == 1, "the event is durable")
    many = cluster.start("tweet", "alice", "--stdin", "--json", *PATIENT)
    assert many.stdin is not None
    many.stdin.write(b"".join(b"line %d\n" % number for number in range(300)))
    many.stdin.flush()
    until(lambda: _events(cluster) == 257, "a window of events")
    cluster.engines["alice"].kill()
    for process, first, lines in ((one, 1, 1), (many, 2, 300)):
        out, err = process.communicate(timeout=BOUND_S)
        assert process.returncode == 11
        told = [orjson.loads(line) for line in out.splitlines()]
        assert [each["outcome"] for each in told] == ["unknown"] * lines
        for number, each in enumerate(told, first):
            assert each["id"] in {None, f"alice/{number}"}, "what it did acknowledge is named, each its own"
        assert {each["id"] for each in told[256:]} <= {None}, "not handed in"
        assert b"Traceback" not in err


def test_what_was_acknowledged_survives_killing_everybody(cluster: RealCluster) -> None:
    cluster.serve_all()
    said = cluster.run("tweet", "bob", "--stdin", "--retry", "--json", "--timeout", "50", stdin=b"one\ntwo\nthree\n")
    assert said.status == 0
    for engine in cluster.engines.values():
        engine.kill()
    cluster.serve_all()
    for name in cluster.names:
        cluster.until_learned(name, said.lines[-1]["slot"])
        assert [line["text"] for line in cluster.run("view", name, "--json").lines] == ["one", "two", "three"]


def test_a_damaged_store_is_refused_with_status_3(cluster: RealCluster) -> None:
    (cluster.data_path / "alice").mkdir(parents=True)
    (cluster.data_path / "alice" / "site.db").write_bytes(b"not a database" * 100)
    said = cluster.run("serve", "alice")
    assert (said.status, said.out) == (3, "")
    assert "site.db" in said.err
    assert said.err.count("\n") == 1
