"""What is measured, as Prometheus reads it: names, units and help by its conventions, and what docs/ rests on."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Final

import pytest
import yaml
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from engine.contract.metrics import Metrics
from engine.contract.shape import read
from engine.contract.status import Status
from engine.core.ids import Nonce, SiteId, Slot, StoreId, Tick
from engine.core.messages import AskHighest, Heartbeat, Packet
from engine.core.settings import Leadership
from engine.openmetrics import OPENMETRICS, TEXT, exposition, families
from engine.runtime.measures import COMMIT_BOUNDS_S, Histogram, Measures
from tests.engine.monitoring import ALERTS, DOCS, NAME, alerts, dashboard, names_asked_for, panels
from tests.tui.engine_double import EngineDouble

OPTIONS: Final = {
    "stat": {"reduceOptions", "graphMode", "colorMode", "textMode", "justifyMode", "orientation", "wideLayout"},
    "table": {"showHeader", "frameIndex"},
    "timeseries": {"legend", "tooltip"},
}
UNITS: Final = {"none", "short", "percentunit", "ops", "s", "bytes", "Bps"}
"""As Grafana names them."""

PROMTOOL: Final = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, of Debian's package prometheus")


@pytest.fixture
def told(tmp_path: Path) -> Metrics:
    """A site that has done something of everything."""
    measures = Measures()
    for took_s in (0.000_4, 0.003, 7.0):
        measures.created.observe(took_s)
        measures.commits.observe(took_s)
    measures.round_trips[SiteId("bob")].observe(0.012, 3)
    status = EngineDouble(tmp_path).status()
    status["counters"] |= {"rejected": {"forged": 3}, "send_errors": {"ENETUNREACH": 1}, "receive_errors": {"EIO": 1}}
    status |= {"leader": "bob", "leadership": "elected", "chosen_max": 50, "chosen_through": 40, "pid": os.getpid()}
    status["peers"]["carol"] |= {"chosen_through": None, "heard_s": None, "up": False}
    return Metrics(
        status=read(Status, status),
        holes=3,
        elections={"standing": 2, "leads": 1, "steps down": 0},
        created=measures.created.told(),
        commits=measures.commits.told(),
        round_trips={peer: trips.told() for peer, trips in measures.round_trips.items()},
        store_bytes={"database": 40_960, "wal": 4_096},
        disk_free_bytes=10**10,
    )


def samples(told: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each value by its name and the values of its labels."""
    return {(s.name, tuple(s.labels.values())): s.value for family in families(told) for s in family.samples}


def test_what_it_says_is_what_the_site_says(told: Metrics) -> None:
    said = samples(told)
    assert said["loggos_takes_events", ()] == 1
    assert said["loggos_leader", ("bob",)] == 1
    assert said["loggos_leader", ("alice",)] == 0
    assert said["loggos_lag_slots", ()] == 10
    assert said["loggos_peer_lag_slots", ("bob",)] == 50
    assert said["loggos_holes", ()] == 3
    assert said["loggos_events_total", ("created",)] == 11
    assert said["loggos_elections_total", ("steps-down",)] == 0
    assert said["loggos_datagrams_rejected_total", ("forged",)] == 3
    assert said["loggos_store_bytes", ("wal",)] == 4_096
    assert said["process_resident_memory_bytes", ()] > 0


def test_what_is_not_known_is_not_there_and_what_may_come_is_there_as_0(told: Metrics) -> None:
    said = samples(told)
    assert ("loggos_peer_lag_slots", ("carol",)) not in said
    assert ("loggos_peer_silence_seconds", ("carol",)) not in said
    assert said["loggos_events_total", ("not-created",)] == 0
    assert said["loggos_datagrams_rejected_total", ("other-life",)] == 0
    assert said["loggos_warnings", ("mismatch",)] == 0


def test_a_histogram_counts_what_took_at_most_so_long(told: Metrics) -> None:
    said = samples(told)
    buckets = {labels[0]: value for (name, labels), value in said.items() if name == "loggos_commit_seconds_bucket"}
    assert (buckets["0.0002"], buckets["0.0005"], buckets["0.005"], buckets["5.0"], buckets["+Inf"]) == (0, 1, 2, 2, 3)
    assert said["loggos_commit_seconds_count", ()] == 3
    assert said["loggos_commit_seconds_sum", ()] == pytest.approx(7.0034)
    assert said["loggos_peer_round_trip_seconds_count", ("bob",)] == 3


def test_what_took_just_a_bound_is_in_its_bucket() -> None:
    histogram = Histogram(COMMIT_BOUNDS_S)
    histogram.observe(COMMIT_BOUNDS_S[2], count=4)
    assert histogram.told().counts[2] == 4


def test_round_trips_are_those_of_heartbeats_that_echo() -> None:
    measures, beat = (
        Measures(),
        Heartbeat(Leadership.NONE, True, Slot(0), Slot(0), Tick(9), Tick(70), 10, Tick(500), None, False, None),
    )
    nothing = replace(beat, echo=None)
    measures.came(Tick(100), Packet(SiteId("bob"), StoreId("0" * 16), 1, None, (beat, nothing, AskHighest(Nonce(1)))))
    told = measures.round_trips[SiteId("bob")].told()
    assert (sum(told.counts), told.sum_s) == (1, 0.02)


@pytest.mark.parametrize(
    ("accept", "parse"), [(OPENMETRICS, openmetrics_families), (TEXT, text_families), ("", text_families)]
)
def test_both_formats_are_as_their_parsers_want_them(told: Metrics, accept: str, parse: object) -> None:
    text, content_type = exposition(told, accept)
    assert content_type.split(";")[0] == (accept or TEXT).split(";")[0]
    assert callable(parse)
    read_back = {sample.name for family in parse(text.decode()) for sample in family.samples}
    assert read_back == {name for name, _ in samples(told)}


def test_names_end_in_their_unit_and_everything_is_explained(told: Metrics) -> None:
    for family in families(told):
        assert family.documentation.endswith("."), family.name
        assert not family.unit or family.name.endswith(f"_{family.unit}"), family.name


def test_the_page_names_all_that_there_is_and_nothing_else(told: Metrics) -> None:
    named = set(NAME.findall((DOCS / "monitoring.md").read_text()))
    there = {family.name + {"counter": "_total", "info": "_info"}.get(family.type, "") for family in families(told)}
    assert named == there


def test_alerts_and_dashboard_ask_for_what_there_is(told: Metrics) -> None:
    assert len(alerts()) > 10
    assert len(panels()) > 20
    assert set(names_asked_for()) - {name for name, _ in samples(told)} == set()


def test_the_dashboard_is_laid_out_as_grafana_wants_it() -> None:
    """Its schema is that of @grafana/schema 11: what is asked of each kind of panel is there."""
    board = dashboard()
    variables = {f"${{{variable['name']}}}" for variable in board["templating"]["list"]}
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = set(product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])))
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not taken & cells, f"{panel['title']} lies on another"
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["options"].keys() >= OPTIONS[panel["type"]], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for asks in (panel, *panel["targets"]):
            assert asks["datasource"]["type"] == "prometheus"
            assert asks["datasource"]["uid"] in variables, panel["title"]


def promtool(*words: str, stdin: bytes = b"") -> tuple[int, str]:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], input=stdin, capture_output=True, check=False, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode()


@needs_promtool
def test_promtool_finds_nothing_to_say_about_the_metrics(told: Metrics) -> None:
    assert promtool("check", "metrics", stdin=exposition(told, TEXT)[0]) == (0, "")


@needs_promtool
def test_promtool_takes_the_alert_rules() -> None:
    status, said = promtool("check", "rules", str(ALERTS))
    assert status == 0, said


@needs_promtool
def test_a_site_without_a_majority_is_told_by_its_name(tmp_path: Path) -> None:
    of = 'job="loggos",instance="10.0.0.1:9464"'
    series = {
        f'loggos_site_info{{{of},cluster="island",site="alice",leadership="none",version="1"}}': "1x9",
        f"loggos_quorum_reachable_sites{{{of}}}": "3 1x8",
        f"loggos_quorum_needed_sites{{{of}}}": "2x9",
    }
    labels = {
        "severity": "critical",
        "job": "loggos",
        "instance": "10.0.0.1:9464",
        "cluster": "island",
        "site": "alice",
    }
    summary = "alice of island reaches no majority: voters reached 1"
    description = "Start the sites that are down, or repair the network. Nothing else is needed: docs/operations.md."
    told = {"exp_labels": labels, "exp_annotations": {"summary": summary, "description": description}}
    page = tmp_path / "test.yml"
    page.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(ALERTS)],
                "evaluation_interval": "15s",
                "tests": [
                    {
                        "interval": "15s",
                        "input_series": [{"series": name, "values": values} for name, values in series.items()],
                        "alert_rule_test": [
                            {"eval_time": "30s", "alertname": "LoggosNoQuorum", "exp_alerts": []},
                            {"eval_time": "1m", "alertname": "LoggosNoQuorum", "exp_alerts": [told]},
                        ],
                    }
                ],
            }
        )
    )
    status, said = promtool("test", "rules", str(page))
    assert status == 0, said


@needs_promtool
def test_promtool_takes_what_the_dashboard_asks(tmp_path: Path) -> None:
    queries = [asked.replace("$__rate_interval", "1m").replace("$cluster", ".*") for asked in panels()]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    page = tmp_path / "panels.yml"
    page.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    status, said = promtool("check", "rules", str(page))
    assert status == 0, said
