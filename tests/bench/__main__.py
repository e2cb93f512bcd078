"""`make bench`: what a cluster of this machine does, beside what its disk and other systems do.

The table goes to stdout, how far it is to stderr. Exit status: 0 all was measured, but for what is not installed; 1 a
row failed; 2 bad usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from msgspec import json
from rich.console import Console

from tests.bench.chart import draw, series_of
from tests.bench.children import compile_programs
from tests.bench.events import EVENT_BYTES
from tests.bench.machine import describe, is_memory
from tests.bench.outcome import Report, Result
from tests.bench.peers.installed import versions
from tests.bench.rows import ROWS, Row, select
from tests.bench.session import FAILED, Session, with_shares
from tests.bench.table import about, figure_text, table

_INTERRUPTED: Final = 130
_COLUMNS: Final = 200
TITLE: Final = f"Events of {EVENT_BYTES} bytes created a second, 3 sites"
LINES: Final = (
    ("Loggos, at the leader", "elected, 3 sites", "at the leader"),
    ("Loggos, at another site", "elected, 3 sites", "at another site"),
    ("Loggos, 5 sites", "elected, 5 sites", "at the leader"),
    ("Loggos, last-author", "last-author, 3 sites", "proposing"),
    ("Loggos, none", "none, 3 sites", "proposing"),
    ("etcd, at the leader", "etcd, 3 nodes", "at the leader"),
    ("PySyncObj (not durable)", "PySyncObj, 3 sites, never syncs", "in the leader"),
)
"""Of the chart: the name, the section, and how the names of its rows end."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    chosen = select(ROWS, options.only)
    if not chosen:
        print("bench: no row has that in its name", file=sys.stderr)
        return 2
    if options.list:
        print(*(row.title for row in chosen), sep="\n")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    report = _run(chosen, options.seconds)
    if report.results:
        _write(report, options.out)
    if len(report.results) < len(chosen):
        return _INTERRUPTED
    failed = [result for result in report.results if (result.missing or "").startswith(FAILED)]
    return 1 if failed else 0


def _run(chosen: Sequence[Row], seconds: float) -> Report:
    """With the rows that were measured before an interruption."""
    compile_programs()
    with tempfile.TemporaryDirectory(prefix="loggos-bench-") as folder:
        machine = describe(Path(folder))
        if is_memory(machine.disk):
            print(f"bench: {folder} is in memory ({machine.disk}): name a disk with TMPDIR", file=sys.stderr)
        results: list[Result] = []
        with suppress(KeyboardInterrupt), Session(Path(folder), seconds) as session:
            for row in chosen:
                results.append(session.measure(row))
                _tell(results[-1])
    return Report(machine, versions(), seconds, EVENT_BYTES, tuple(with_shares(results)))


def _tell(result: Result) -> None:
    rate = "" if result.rate is None else f"{result.rate.per_s:,.0f} a second"
    said = [rate, *map(figure_text, result.figures), result.missing or ""]
    print(f"{result.section}: {result.name}: {'; '.join(part for part in said if part)}", file=sys.stderr, flush=True)


def _write(report: Report, out: Path) -> None:
    """To stdout, and into `out`: bench.txt, bench.json, bench.svg."""
    _print(report, Console(width=None if sys.stdout.isatty() else _COLUMNS))
    out.mkdir(parents=True, exist_ok=True)
    with (out / "bench.txt").open("w", encoding="utf-8") as file:
        _print(report, Console(file=file, width=_COLUMNS))
    (out / "bench.json").write_bytes(json.format(json.encode(report)) + b"\n")
    (out / "bench.svg").write_text(draw(series_of(report, LINES), TITLE), encoding="utf-8")
    print(f"written: {', '.join(str(out / f'bench.{kind}') for kind in ('txt', 'json', 'svg'))}", file=sys.stderr)


def _print(report: Report, console: Console) -> None:
    console.print(table(report))
    console.print(about(report), highlight=False, markup=False, soft_wrap=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures a cluster on this machine.")
    parser.add_argument(
        "only", nargs="*", metavar="WORD", help="rows with this in their names alone (--list prints them)"
    )
    parser.add_argument("--seconds", type=_seconds, default=4.0, help="how long each row is driven (4)")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="FOLDER", help="(build/bench)")
    parser.add_argument("--list", action="store_true", help="prints the names of the rows")
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("a number above 0")
    return seconds


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
