"""`trace`: the messages that a site sent and got, and what it concluded; with --follow as they come, with --record into
a file.

Rules that hold here:
- Following prints each line once: the subscription begins before the past is asked for, and what is in both is skipped.
- Lines that the engine left out, because this reader is slow, are said on stderr.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from engine.contract.answers import Direction, Topic, TraceLine
from engine.contract.requests import Subscribe, TraceLines
from engine.core.ids import Slot
from tui.client import Client, failures_as_exits
from tui.connection import Told
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupts
from tui.output import Account, Cells, Output, complain, told_when_unread
from tui.parts import Part, Role
from tui.recorder import Recorder
from tui.selection import LocalSite, select_site, select_site_and_cluster
from tui.times import clock_ms

_ARROWS: Final[Mapping[str, str]] = {Direction.OUT: "→", Direction.IN: "←", Direction.SELF: "·"}


def run(arguments: Namespace) -> int:
    if arguments.record is not None:
        return _record(arguments)
    local = select_site(arguments)
    out = Output(arguments.json)
    asked = TraceLines(limit=arguments.limit, slot=None if arguments.slot is None else Slot(arguments.slot))
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        if arguments.follow:
            client.ask(Subscribe(topics=frozenset({Topic.TRACE})))
        past = client.ask(asked).lines
        _print(out, past)
        if arguments.follow:
            _follow(client, out, past, arguments.slot)
    return ExitStatus.DONE


def _record(arguments: Namespace) -> int:
    """Until a signal, which ends it well; an engine that ends, or a file that takes no more, ends it too."""
    if arguments.follow or arguments.slot is not None:
        word = "--follow" if arguments.follow else "--slot"
        raise CommandFailed(ExitStatus.BAD_INPUT, f"a recording has everything from now on: leave out {word}")
    local, cluster = select_site_and_cluster(arguments)
    out = Account(arguments.json)
    path = Path(arguments.record).absolute()
    with (
        Interrupts() as interrupts,
        failures_as_exits(local),
        Client.connect(local.socket_path) as client,
        Recorder.begin(local, client, tuple(cluster.addresses), path, overwrite=arguments.overwrite) as recorder,
    ):
        _say_it_records(out, local, path)
        try:
            recorder.run(interrupts.fileno(), "it was interrupted")
        finally:
            complain(recorder.account)
    return ExitStatus.DONE


def _say_it_records(out: Output, local: LocalSite, path: Path) -> None:
    if out.as_json:
        out.json({"recording": str(path), "site": local.site})
    else:
        out.line(f"records {local.site} from now on, until Ctrl+C, into {path}")
    out.flush()


def _follow(client: Client, out: Output, past: Sequence[TraceLine], slot: int | None) -> None:
    """Until a signal. `past` is what is printed already."""
    printed = Counter(past)
    with Interrupts() as interrupts:
        while True:
            out.flush()
            arrived, ready = client.wait(None, {interrupts.fileno(), *told_when_unread()})
            if ready:
                return
            for one in arrived:
                match one:
                    case Told(items, dropped):
                        lines = [line for line in items if isinstance(line, TraceLine)]
                        wanted = [line for line in lines if slot is None or line.slot == slot]
                        _print(out, _unprinted(wanted, printed))
                        if dropped:
                            complain(f"{dropped} trace lines were left out here: this reader is too slow")
                    case _:
                        continue


def _unprinted(lines: Sequence[TraceLine], printed: Counter[TraceLine]) -> Sequence[TraceLine]:
    """The lines that the past did not have. After the first such line there can be no other of the past."""
    for position, line in enumerate(lines):
        if not printed[line]:
            printed.clear()
            return lines[position:]
        printed[line] -= 1
    return []


def _print(out: Output, lines: Sequence[TraceLine]) -> None:
    if out.as_json:
        out.json_lines(lines)
    else:
        for line in lines:
            out.line(*_columns(line))


def _columns(line: TraceLine) -> Cells:
    """Fixed widths: lines that come later stand under those that are printed."""
    slot = "" if line.slot is None else f"#{line.slot}"
    note = line.note or ""
    return (
        Part(clock_ms(line.at), Role.DIM),
        _ARROWS.get(line.dir, "?"),
        f"{line.peer or '':<16}",
        f"{line.type:<12}",
        f"{slot:<8}",
        f"{line.ballot or '-':<10}",
        Part(note, Role.PLAIN if line.fate is None else Role.WARN),
    )
