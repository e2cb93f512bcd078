"""What `make test-often` tells of runs: every failure counts, and so does a run that could not be."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests import often
from tests.often import Run, failures_in, main, run_once, summary

IN_ONE_PROCESS = (sys.executable, "-m", "pytest", "--quiet", "-n0", "-p", "no:cacheprovider")
REPORT = """<testsuites><testsuite>
<testcase classname="tests.core.test_a" name="test_one"/>
<testcase classname="tests.core.a" name="two"><failure message="AssertionError: 3&#10;assert 3 == 2"/></testcase>
<testcase classname="tests.core.a" name="three"><error message="fixture&#10;&#10;b&#10;c&#10;d&#10;e"/></testcase>
<testcase classname="tests.core.test_a" name="test_four"><skipped message="needs root"/></testcase>
</testsuite></testsuites>"""


def test_failures_and_errors_are_found_with_their_first_lines() -> None:
    assert dict(failures_in(ET.fromstring(REPORT))) == {
        "tests.core.a::two": "AssertionError: 3\nassert 3 == 2",
        "tests.core.a::three": "fixture\nb\nc\nd",
    }


def test_the_summary_counts_a_test_over_all_runs() -> None:
    green, red = Run(1, 60.0, 0, 9, {}), {"a::b": "first\nsecond"}
    told = summary(
        [green, Run(2, 90.0, 1, 9, red), Run(3, 61.0, 1, 9, red | {"c::d": "other"}), Run(4, 62.0, 2, 9, {})]
    )
    head, *rest = told.splitlines()
    assert head == "1 of 4 runs green; a run took 60 to 90 s, 62 s in the middle"
    assert rest[1:] == [
        *("a::b failed in 2 of 4 runs", "  seed 2: first", "  second", "  seed 3: first", ""),
        *("c::d failed in 1 of 4 runs", "  seed 3: other"),
    ]


def test_a_run_is_read_from_what_pytest_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(often, "PYTEST", IN_ONE_PROCESS)
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    assert run_once(7, [str(tmp_path)], tmp_path).is_green
    (tmp_path / "test_other.py").write_text("(")
    run = run_once(8, [str(tmp_path)], tmp_path)
    assert not run.is_green
    assert [why.splitlines()[0] for why in run.failures.values()] == ["collection failure"]


def test_busy_loops_end_with_it_and_its_status_tells_of_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(often, "PYTEST", IN_ONE_PROCESS)
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert False\n")
    assert main(["--times", "2", "--busy", "1", str(tmp_path / "test_it.py")]) == 1
    told = capsys.readouterr().out
    assert "run 2 of 2: 1 failed, 1 tests in" in told
    assert "failed in 2 of 2 runs" in told
