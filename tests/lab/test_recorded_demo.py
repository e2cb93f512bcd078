"""A demo of real processes, recorded from its first datagram on, and opened in the lab (docs/commands.md)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.real_cluster import BOUND_S, run, until
from tests.tui.notebook import Notebook
from tests.tui.test_launch import Demo
from tui.client import Client, Json
from tui.lab.recording import Left, parsed
from tui.launch import stop_all
from tui.recording import End
from tui.selection import LocalSite

SITES: Final = ("alice", "bob", "carol")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    started = Demo(tmp_path / "demo", len(SITES), "--record", str(tmp_path / "recorded"))
    yield started
    started.process.kill()
    started.process.communicate(timeout=BOUND_S)
    stop_all(started.local_sites(), [])


def ask(local: LocalSite, method: str, params: Json | None = None) -> Json:
    with Client.connect(local.socket_path) as client:
        answer: Json = client.call(method, params, BOUND_S)
    return answer


def reaches_all(local: LocalSite) -> bool:
    return bool(ask(local, "status")["quorum"]["reachable"] == len(SITES))


def has_learned(local: LocalSite, slot: int) -> bool:
    return bool(ask(local, "status")["chosen_through"] >= slot)


def test_a_recorded_demo_opens_in_the_lab_with_what_a_fault_rule_dropped(demo: Demo, tmp_path: Path) -> None:
    sites = {local.site: local for local in demo.local_sites()}
    for local in sites.values():
        until(partial(reaches_all, local), "all sites vote")
        ask(local, "faults.add", {"rule": "from=* type=chosen drop"})
    outcome = ask(sites["alice"], "submit", {"kind": "tweet", "text": "hello", "timeout_s": BOUND_S})
    assert outcome["outcome"] == "created"
    for local in sites.values():
        until(partial(has_learned, local, outcome["slot"]), f"{local.site} learns it")
    status, said = demo.end(signal.SIGINT)
    paths = [tmp_path / "recorded" / f"{name}.jsonl" for name in SITES]
    counts = {path: len(parsed(path.name, path.read_bytes()).lines) for path in paths}
    assert status == 0
    assert set(said.decode().splitlines()) == {
        f"loggos: {counts[path]} lines of {path.stem} are in {path}" for path in paths
    }
    for path in paths:
        recording = parsed(path.name, path.read_bytes())
        assert recording.lines[-1].event == End("asked to stop by a client", stopped=True)
        first = next(line.event for line in recording.lines if isinstance(line.event, Left))
        assert first.first is not None
        assert first.first.number == 0, "from its first datagram on"
    shown = run("lab", *map(str, paths), "--text")
    assert (shown.status, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[0] == "demo-3, recorded: alice.jsonl, bob.jsonl, carol.jsonl"
    assert "nobody in the files" not in shown.out
    assert any(" chosen " in line and "DROP (rule 1)" in line and "✗ lost" in line for line in lines), "in the trace"
    assert any("✗ lost: chosen" in line for line in lines), "and in the diagram"
    for name in SITES:
        assert f"{name}: Value 'hello' is chosen" in lines
    assert lines[-1] == "= no broken rule was seen in it"
    (told,) = run("lab", *map(str, reversed(paths)), "--text", "--json").lines
    assert told["findings"] == []
    assert told["trace"] == lines[lines.index("trace") + 1 : lines.index("diagram") - 1]


def test_a_demo_writes_over_no_recording_unless_told_so(tmp_path: Path) -> None:
    kept = tmp_path / "bob.jsonl"
    kept.write_text("mine")
    said = run("demo", "--headless", "--size", "2", "--data", str(tmp_path / "demo"), "--record", str(tmp_path))
    assert (said.status, said.out, kept.read_text()) == (2, "", "mine")
    assert said.err == f"loggos: {kept} already exists: name another file, or replace it with --overwrite\n"
    assert not (tmp_path / "demo" / "alice" / "site.db").exists(), "before anything is started"


def test_what_was_recorded_is_not_played_on_real_sites(tmp_path: Path) -> None:
    path = tmp_path / "alice.jsonl"
    path.write_bytes(Notebook("alice").tells().ends().text)
    said = run("lab", str(path), "--live")
    assert (said.status, said.out) == (2, "")
    assert said.err == "loggos: a recording can be viewed, not played: leave out --live\n"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a": b'{"recording":1}\n'}, "a: its first line is not that of a recording"),
        (
            {"a": b'{"recording":1}\n', "b.scenario": b"sites s1\n"},
            "b.scenario is not a recording, but others here are",
        ),
    ],
)
def test_what_is_no_recording_ends_with_2(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_bytes(text)
    said = run("lab", *(str(tmp_path / name) for name in files), "--text")
    assert (said.status, said.out) == (2, "")
    assert says in said.err
    assert "Traceback" not in said.err
