"""The commands as processes against three real engines: outcomes, shapes, pages, signals (docs/commands.md)."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.real_cluster import BOUND_S, Json, RealCluster, Said, interrupt, process_runs, until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    with RealCluster(tmp_path_factory.mktemp("cli"), ("alice", "bob", "carol")) as three:
        three.serve_all()
        _tweet(three, "alice", "the first")
        yield three


def _tweet(cluster: RealCluster, site: str, text: str) -> Json:
    said = cluster.run("tweet", site, text, "--retry", "--json", "--timeout", "50")
    assert (said.status, said.err) == (0, "")
    return said.lines[0]


def test_the_first_line_of_serve_says_where_it_is(cluster: RealCluster) -> None:
    ready = json.loads(cluster.engines["bob"].ready)
    assert list(ready) == ["ready", "site", "udp", "control"]
    assert ready["ready"] is True
    assert ready["site"] == "bob"
    assert ready["udp"].startswith("127.0.0.1:")
    assert ready["control"] == str(cluster.socket_path("bob"))


def test_a_tweet_is_in_the_log_and_timeline_of_another_site(cluster: RealCluster) -> None:
    outcome = _tweet(cluster, "alice", "  lunch at noon?  ")
    assert list(outcome) == ["outcome", "id", "slot", "to", "reason"]
    assert outcome["outcome"] == "created"
    slot = outcome["slot"]
    cluster.until_learned("bob", slot)
    [line] = cluster.run("log", "bob", "--from", str(slot), "--to", str(slot), "--json").lines
    assert list(line) == ["slot", "state", "kind", "author", "id", "text", "target"]
    assert list(line.values()) == [slot, "chosen", "tweet", "alice", outcome["id"], "lunch at noon?", None]
    shown = cluster.run("view", "bob", "--json").lines[-1]
    assert list(shown) == ["slot", "author", "text", "at"]
    assert (shown["slot"], shown["author"], shown["text"]) == (slot, "alice", "lunch at noon?")
    assert "lunch at noon?" in cluster.run("view", "bob").out
    assert cluster.run("events", "alice", outcome["id"], "--json").lines == [outcome]


def test_hostile_text_is_stored_as_it_is_and_printed_inert(cluster: RealCluster) -> None:
    text = "[@click=app.quit]x[/] \u202eevil\u200b " + "\U0001f600" * 3
    slot = _tweet(cluster, "alice", text)["slot"]
    for command in (("view", "alice"), ("log", "alice"), ("data", "alice", str(slot)), ("trace", "alice")):
        printed = cluster.run(*command).out
        assert "[@click=app.quit]x[/] \\u202eevil\\u200b" in printed
        assert all(line.isprintable() for line in printed.splitlines())
    assert cluster.run("log", "alice", "--json").lines[-1]["text"] == text


@pytest.mark.parametrize("text", ["", "   ", "x" * 281, "a\nb", "\x1b[2J", "\udcff"])
def test_what_is_no_tweet_is_bad_input_in_one_line(cluster: RealCluster, text: str) -> None:
    said = cluster.run("tweet", "alice", text)
    assert (said.status, said.out) == (2, "")
    assert said.err.count("\n") == 1


def test_blocks_hide_tweets_and_show_in_the_table(cluster: RealCluster) -> None:
    slot = _tweet(cluster, "carol", "carol speaks")["slot"]
    blocked = cluster.run("block", "carol", "bob", "--json", "--timeout", "50").lines[0]
    assert blocked["outcome"] == "created"
    cluster.until_learned("bob", blocked["slot"])
    [row] = cluster.run("blocks", "bob", "--json").lines
    assert list(row.items()) == [("blocker", "carol"), ("blocked", "bob"), ("slot", blocked["slot"])]
    assert "carol speaks" not in cluster.run("view", "bob").out
    cluster.until_learned("alice", slot)
    assert "carol speaks" in cluster.run("view", "alice").out
    assert "carol speaks" in cluster.run("log", "bob").out
    freed = cluster.run("unblock", "carol", "bob", "--json", "--timeout", "50").lines[0]
    cluster.until_learned("bob", freed["slot"])
    assert "carol speaks" in cluster.run("view", "bob").out


@pytest.mark.parametrize("other", ["alice", "zoe", "Alice"])
def test_blocking_yourself_or_nobody_is_bad_input(cluster: RealCluster, other: str) -> None:
    said = cluster.run("block", "alice", other)
    assert (said.status, said.out) == (2, "")


LINES = tuple(f"line {number}" for number in range(300))


@pytest.fixture(scope="module")
def long_log(cluster: RealCluster) -> Said:
    """Three hundred lines tweeted by Bob, and two that are none."""
    stdin = "\n\n".join(LINES).encode() + b"\n\xff\n" + b"z" * 281
    return cluster.run("tweet", "bob", "--stdin", "--json", "--retry", "--timeout", "50", stdin=stdin)


def test_three_hundred_lines_keep_their_order(cluster: RealCluster, long_log: Said) -> None:
    said = long_log
    *outcomes, not_utf8, too_long = said.lines
    assert said.status == 2
    assert [outcome["outcome"] for outcome in outcomes] == ["created"] * 300
    slots = [outcome["slot"] for outcome in outcomes]
    assert slots == sorted(slots)
    assert [refused["line"] for refused in (not_utf8, too_long)] == [600, 601]
    assert all(list(refused) == ["outcome", "line", "reason"] for refused in (not_utf8, too_long))
    logged = cluster.run("log", "bob", "--from", str(slots[0]), "--to", str(slots[-1]), "--json").lines
    assert [line["text"] for line in logged if line["author"] == "bob"] == list(LINES)
    assert [line["slot"] for line in logged] == list(range(slots[0], slots[-1] + 1))


@pytest.mark.usefixtures("long_log")
def test_the_newest_lines_come_ascending_however_many(cluster: RealCluster) -> None:
    """More lines than one answer of the engine holds."""
    assert len(cluster.run("log", "bob", "--json").lines) == 50
    assert len(cluster.run("view", "bob", "--json").lines) == 50
    for command in ("log", "view", "view_log"):
        slots = [line["slot"] for line in cluster.run(command, "bob", "--limit", "250", "--json").lines]
        assert len(slots) == 250
        assert slots == sorted(set(slots))
    assert cluster.run("view", "bob", "--limit", "1", "--json").lines[0]["text"]


def test_a_reader_that_goes_away_is_no_error(cluster: RealCluster) -> None:
    process = cluster.start("log", "bob", "--from", "1")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(BOUND_S) == 0
    assert process.complaints() == b""


def test_status_is_the_object_that_is_promised_and_a_readable_panel(cluster: RealCluster) -> None:
    until(lambda: "3 of 3 voters reachable, 2 needed" in cluster.run("status", "alice").out, "alice reaches all")
    [status] = cluster.run("status", "alice", "--json").lines
    assert status["site"] == "alice"
    assert status["quorum"] == {"reachable": status["quorum"]["reachable"], "needed": 2, "size": 3}
    assert list(status["peers"]) == ["bob", "carol"]
    assert "rejected" in status["counters"]


def test_health_is_a_sentence_and_a_status(cluster: RealCluster) -> None:
    well = "alice takes events: 3 of 3 voters reachable"
    until(lambda: cluster.run("health", "alice").out.startswith(well), "alice takes events")
    takes = [{"takes_events": True, "why": None}]
    until(lambda: cluster.run("health", "alice", "--json").lines == takes, "it says the same to a program")
    cluster.run("faults", "alice", "add", "to=* drop")
    cluster.run("faults", "alice", "add", "from=* drop")
    until(lambda: cluster.run("health", "alice").status == 1, "alice takes no events")
    ill = cluster.run("health", "alice", "--json")
    assert ill.status == 1
    assert [line["takes_events"] for line in ill.lines] == [False]
    assert "alice takes no events now: " in cluster.run("health", "alice").out
    cluster.run("faults", "alice", "clear")
    until(lambda: cluster.run("health", "alice").status == 0, "alice takes events again")


def test_metrics_are_openmetrics_or_the_older_text_or_json(cluster: RealCluster) -> None:
    said = cluster.run("metrics", "alice")
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith("# EOF\n")
    assert 'loggos_site_info{cluster="test-island",leadership="none",site="alice"' in said.out
    assert "\nprocess_open_fds " in said.out
    assert "# EOF" not in cluster.run("metrics", "alice", "--text").out
    [told] = cluster.run("metrics", "alice", "--json").lines
    assert told["status"]["site"] == "alice"
    assert set(told["round_trips"]) == {"bob", "carol"}
    assert told["store_bytes"]["database"] > 0


def test_top_has_a_line_for_each_site(cluster: RealCluster) -> None:
    def told() -> list[list[str]]:
        said = cluster.run("top", "--every", "0.1")
        assert (said.status, said.err) == (0, "")
        return [line.split()[1:4] for line in said.out.splitlines()[1:]]

    until(
        lambda: told() == [[site, "test-island", "3/3"] for site in cluster.names], "all sites answer and are reached"
    )


def test_data_shows_the_acceptors_variables(cluster: RealCluster) -> None:
    used, unused = cluster.run("data", "alice", "1", "900000", "--json").lines
    assert list(used) == ["slot", "maxPrepare", "accNum", "accVal", "state"]
    assert list(used["accVal"]) == ["kind", "author", "id", "text", "target"]
    assert used["state"] == "chosen"
    assert unused == {"slot": 900000, "maxPrepare": None, "accNum": None, "accVal": None, "state": None}
    assert "maxPrepare" in cluster.run("data", "alice", "1").out


def test_explain_tells_who_accepted_and_who_knew(cluster: RealCluster) -> None:
    slot = _tweet(cluster, "carol", "explain me")["slot"]
    for site in ("alice", "bob"):
        cluster.until_learned(site, slot)
    words = ("explain", "alice", str(slot), "--timeout", "30", "--json")
    said = cluster.run(*words)
    while not all(site["answered"] for site in said.lines[0]["sites"]):  # the limit of the test ends it
        said = cluster.run(*words)
    assert (said.status, said.err) == (0, "")
    [told] = said.lines
    assert list(told) == ["slot", "state", "may_be_chosen", "sentence", "entry", "void", "quorum", "sites", "ballots"]
    assert (told["state"], told["entry"]["text"]) == ("learned", "explain me")
    assert [site["learned"] for site in told["sites"]] == [True, True, True]
    shown = cluster.run("explain", "alice", str(slot), "--timeout", "30").out
    header, *_ = [line for line in shown.splitlines() if line.startswith("site ")]
    assert header.split() == ["site", "maxPrepare", "accNum", "learned", "accVal"]
    assert "learned here: " in shown


def test_explain_of_a_slot_that_nobody_used(cluster: RealCluster) -> None:
    said = cluster.run("explain", "alice", "900000", "--timeout", "30")
    assert said.status == 0
    assert "nothing accepted" in said.out


def test_fill_reports_a_line_for_each_slot(cluster: RealCluster) -> None:
    said = cluster.run("fill", "alice", "1", "--json")
    assert (said.status, said.err) == (0, "")
    [line] = said.lines
    assert list(line) == ["slot", "result", "kind"]
    assert (line["slot"], line["result"]) == (1, "chosen")


def test_fill_and_status_say_what_the_sites_own_fault_rule_does(cluster: RealCluster) -> None:
    number = cluster.run("faults", "bob", "add", "from=*", "type=chosen,known,promise", "drop", "--json").lines[0][
        "number"
    ]
    slot = _tweet(cluster, "alice", "bob hears nothing of this")["slot"]
    keeps = f"slot {slot}: alice and carol have it; fault rule {number} drops their answers"
    until(lambda: cluster.ask("bob", "status")["hindered"] == keeps, "bob says what keeps the slot")
    assert f"! {keeps}\n" in cluster.run("status", "bob").out
    filled = cluster.run("fill", "bob", "--timeout", "0.2")
    assert (filled.status, filled.out.splitlines()[-1].split()) == (11, ["slot", str(slot), "fault-rule"])
    assert keeps in filled.err
    assert f"`loggos --sites {cluster.sites_path} --data {cluster.data_path} faults bob` lists the rules" in filled.err
    cluster.run("faults", "bob", "clear")
    cluster.until_learned("bob", slot)


def test_faults_are_added_listed_and_cleared(cluster: RealCluster) -> None:
    added = cluster.run("faults", "alice", "add", "to=bob", "type=accept", "hold", "--expires", "600", "--json").lines[
        0
    ]
    assert list(added) == ["number", "text", "on", "hits", "expires_at", "while_connected"]
    assert (added["text"], added["on"]) == ("to=bob type=accept hold", True)
    _tweet(cluster, "alice", "held toward bob")
    until(lambda: cluster.ask("alice", "faults")["held"], "a message is held")
    [shown] = cluster.run("faults", "alice", "--json").lines
    assert list(shown) == ["rules", "held", "seed"]
    assert list(shown["held"][0]) == ["number", "at", "dir", "peer", "type", "slot", "ballot", "slots"]
    assert cluster.run("faults", "alice", "drop", str(shown["held"][0]["number"]), "--json").lines == [{"dropped": 1}]
    assert "FAULTS" in cluster.run("status", "alice").out
    assert cluster.run("faults", "alice", "remove", str(added["number"]), "--json").lines == [{"removed": 1}]
    assert cluster.run("faults", "alice", "clear", "--json").lines == [{"removed": 0}]
    assert cluster.run("faults", "alice", "add", "explode").status == 2


def test_trace_follows_until_a_signal_and_prints_nothing_twice(cluster: RealCluster) -> None:
    process = cluster.start("trace", "alice", "--follow", "--limit", "1", "--json")
    assert process.stdout is not None
    seen = [process.stdout.readline()]
    slot = _tweet(cluster, "alice", "traced")["slot"]
    while not ((line := json.loads(seen[-1]))["type"] == "created" and line["slot"] == slot):
        assert list(line) == ["at", "dir", "peer", "type", "slot", "ballot", "note"]
        seen.append(process.stdout.readline())
    said = interrupt(process, signal.SIGINT)
    assert (said.status, said.err) == (0, "")
    accepts = [line for line in map(json.loads, seen) if line["type"] == "accept" and line["slot"] == slot]
    assert {line["peer"] for line in accepts} == {"bob", "carol"}
    assert all(count == 1 for line, count in Counter(seen).items() if json.loads(line)["type"] == "accept")


@pytest.mark.parametrize("command", ["log", "view"])
def test_what_comes_is_followed_in_its_order_and_once(cluster: RealCluster, command: str) -> None:
    before = _tweet(cluster, "alice", "before")["slot"]
    cluster.until_learned("carol", before)
    process = cluster.start(command, "carol", "--follow", "--limit", "1", "--json")
    assert process.stdout is not None
    seen = [json.loads(process.stdout.readline())]
    assert seen[0]["slot"] == before
    slots = [_tweet(cluster, site, f"{command} {number}")["slot"] for number, site in enumerate(["alice", "bob"] * 3)]
    while seen[-1]["slot"] < slots[-1]:
        seen.append(json.loads(process.stdout.readline()))
    said = interrupt(process, signal.SIGINT)
    assert (said.status, said.err) == (0, "")
    told = [line["slot"] for line in seen]
    assert told == sorted(set(told))
    assert set(slots) <= set(told)


@pytest.mark.parametrize("command", ["log", "view", "trace"])
def test_who_is_followed_by_nobody_ends_though_nothing_comes(cluster: RealCluster, command: str) -> None:
    process = cluster.start(command, "carol", "--follow", "--limit", "1", "--json")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(BOUND_S) == 0
    assert process.complaints() == b""


def test_words_are_searched_in_timeline_and_log(cluster: RealCluster) -> None:
    slots = [_tweet(cluster, "alice", text)["slot"] for text in ("a rare harbour", "between", "the Harbour is rare")]
    shown = cluster.run("search", "alice", "rare", "HARBOUR", "--json").lines
    assert [list(line) for line in shown] == [["slot", "author", "text", "at"]] * 2
    assert [line["slot"] for line in shown] == [slots[0], slots[2]]
    logged = cluster.run("search", "alice", "--log", "rare harbour", "from:alice", "since:2026-01-01", "--json").lines
    assert [(line["slot"], line["kind"]) for line in logged] == [(slots[0], "tweet")]
    around = cluster.run("search", "alice", f"slot:{slots[1]}", "-C", "1").out.splitlines()
    assert [line.split()[1] for line in around if line.startswith(">")] == [f"#{slots[1]}"]
    assert around[0].split()[0] == f"#{slots[0]}"
    assert cluster.run("search", "alice", "nowhere").out == "no match\n"
    said = cluster.run("search", "alice", "since:monday")
    assert (said.status, said.err) == (
        2,
        "loggos: monday is not a date: write since:2026-11-01, or since:2026-11-01T14:30\n",
    )


def test_what_has_no_end_is_asked_for_without_one(cluster: RealCluster) -> None:
    for words in (("log", "alice", "--to", "3"), ("view", "alice", "--fresh")):
        said = cluster.run(*words, "--follow")
        assert (said.status, said.out) == (2, "")
        assert "leave" in said.err


def test_an_event_of_another_site_is_asked_for_there(cluster: RealCluster) -> None:
    said = cluster.run("events", "alice", "bob/1")
    assert said.status == 2
    assert "bob" in said.err


def test_a_second_engine_of_a_site_is_refused(cluster: RealCluster) -> None:
    said = cluster.run("serve", "alice")
    assert (said.status, said.out) == (4, "")
    assert said.err.count("\n") == 1


def test_an_address_in_use_is_refused(cluster: RealCluster, tmp_path: Path) -> None:
    words = ["--sites", str(cluster.sites_path), "--data", str(tmp_path), "serve", "alice"]
    said = cluster.run(*words)
    assert said.status == 4
    assert "in use" in said.err


def test_the_store_of_another_cluster_is_refused(cluster: RealCluster, tmp_path: Path) -> None:
    renamed = tmp_path / "sites.yaml"
    renamed.write_text(cluster.sites_path.read_text().replace("test-island", "other-island"))
    (tmp_path / "cluster.key").write_bytes((cluster.folder / "cluster.key").read_bytes())
    (tmp_path / "cluster.key").chmod(0o600)
    cluster.run("stop", "carol")
    said = cluster.run("serve", "carol", "--sites", str(renamed))
    assert said.status == 3
    assert "test-island" in said.err
    cluster.serve("carol")
    cluster.until_reached("carol", 3)


def test_stop_returns_when_everything_is_free_again(cluster: RealCluster) -> None:
    engine = cluster.engines["carol"].process
    said = cluster.run("stop", "carol", "--json")
    assert (said.status, said.lines) == (0, [{"stopped": True, "site": "carol"}])
    assert not process_runs(engine.pid)
    assert engine.wait(BOUND_S) == 0
    assert cluster.run("stop", "carol").status == 5
    cluster.serve("carol")
    assert json.loads(cluster.engines["carol"].ready)["ready"] is True
    cluster.until_reached("carol", 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_an_engine_cleanly(cluster: RealCluster, number: signal.Signals) -> None:
    engine = cluster.engines["carol"].process
    engine.send_signal(number)
    assert engine.wait(BOUND_S) == 0
    cluster.serve("carol")
    cluster.until_reached("carol", 3)


def test_a_parent_that_ends_takes_its_engine_along(cluster: RealCluster) -> None:
    """`serve --until-eof`: what `demo` relies on."""
    cluster.run("stop", "carol")
    process = cluster.start("serve", "carol", "--until-eof")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"] is True
    process.stdin.close()
    process.communicate(timeout=BOUND_S)
    assert process.returncode == 0
    cluster.serve("carol")
    cluster.until_reached("carol", 3)


def test_an_engine_with_a_long_path_is_found_from_every_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    with TemporaryDirectory() as short, RealCluster(folder, ("alice",)) as cluster:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        cluster.serve("alice")
        assert json.loads(cluster.engines["alice"].ready)["control"].startswith(short)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        assert cluster.run("status", "alice").status == 0
        assert cluster.run("stop", "alice").status == 0
        assert not os.path.lexists(cluster.socket_path("alice"))
        assert cluster.run("status", "alice").status == 5
