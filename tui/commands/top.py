"""`top`: one screen over all sites whose sockets this machine reaches; or lines, once.

Rules that hold here:
- Nothing is started and nothing is changed. A site that hangs is told as such, and holds up no other.
- Where no screen can be drawn (no terminal, a dumb or a very narrow one) it prints lines, as with --once.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine.config import read_cluster
from engine.site_files import data_folder, files_of, sites_file, user_data_folders
from tui.exits import ExitStatus
from tui.output import Output
from tui.selection import refusals_as_exits
from tui.top.table import COLUMNS, mark, wrong
from tui.top.watch import Watch, Watched

COLUMNS_MIN: Final = 60


def run(arguments: Namespace) -> int:
    folders = _data_folders(arguments)
    watch = Watch(lambda: sockets_in(folders))
    nothing = f"no engine is running below {', '.join(map(str, folders)) or 'any data folder'}"
    try:
        if arguments.once or arguments.json or not _draws():
            return _once(watch, Output(arguments.json), arguments.every, nothing)
        from tui.commands.open import glyphs_of, prepare_screen  # noqa: PLC0415

        prepare_screen()
        from tui.top.app import run_top  # noqa: PLC0415  (Textual takes longer to load than all of the rest)

        return run_top(watch, arguments.every, nothing, glyphs_of(arguments))
    finally:
        watch.close()


def _data_folders(arguments: Namespace) -> list[Path]:
    """Those that are named; else that of the sites file, if there is one, and all of this user."""
    if arguments.folders:
        return [Path(folder).resolve() for folder in arguments.folders]
    if arguments.data or os.environ.get("LOGGOS_DATA"):
        return [data_folder(arguments.data, "")]
    path = sites_file(arguments.sites)
    named = bool(arguments.sites or os.environ.get("LOGGOS_SITES"))
    folders: list[Path] = []
    if named or path.is_file():
        with refusals_as_exits():
            folders.append(data_folder(None, read_cluster(path.absolute()).name))
    return list(dict.fromkeys(folders if named else [*folders, *user_data_folders()]))


def sockets_in(folders: Sequence[Path]) -> Iterator[Path]:
    """The control sockets of the sites in these data folders, or of these sites."""
    for folder in folders:
        try:
            inside = sorted(folder.iterdir())
        except OSError:
            continue
        for site in (folder, *inside):
            control = files_of(site.parent, site.name).control
            if os.path.lexists(control):
                yield control


def _draws() -> bool:
    terminal = os.environ.get("TERM", "dumb")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()) or terminal == "dumb":
        return False
    return shutil.get_terminal_size().columns >= COLUMNS_MIN


def _once(watch: Watch, out: Output, every_s: float, nothing: str) -> int:
    """Rates are of the time between two looks."""
    watch.look()
    time.sleep(every_s)
    sites = watch.look()
    if out.as_json:
        out.json_lines(map(shape, sites))
    elif not sites:
        out.line(nothing)
    else:
        heads = ["", "site", "cluster", *(column.name for column in COLUMNS), "what is wrong"]
        out.table([heads, *map(_cells, sites)])
    answers = any(site.why is None for site in sites)
    return ExitStatus.DONE if answers else ExitStatus.NO_ENGINE


def _cells(site: Watched) -> list[str]:
    status = site.status
    told = ["--"] * len(COLUMNS)
    if status is not None and site.why is None:
        told = [column.cell(status, site).text for column in COLUMNS]
    said = site.why or ("" if status is None else "; ".join(wrong(status)))
    return [mark(site)[0], site.name, site.cluster, *told, said]


def shape(site: Watched) -> dict[str, object]:
    """As docs/commands.md has it."""
    status, rates = site.status if site.why is None else None, site.rates
    return {
        "site": site.name,
        "cluster": site.cluster,
        "answers": site.why is None,
        "why": site.why,
        "takes_events": None if status is None else status.takes_events,
        "quorum": None if status is None else status.quorum,
        "leader": None if status is None else status.leader,
        "chosen_through": None if status is None else status.chosen_through,
        "lag_slots": None if status is None else status.lag,
        "holes": None if status is None else len(status.holes),
        "events_per_s": None if rates is None else round(rates.events_per_s, 3),
        "sent_bytes_per_s": None if rates is None else round(rates.sent_bytes_per_s, 1),
        "latency_s": None if rates is None or rates.latency_s is None else round(rates.latency_s, 6),
        "messages_per_event": None
        if rates is None or rates.messages_per_event is None
        else round(rates.messages_per_event, 4),
        "syncs_per_event": None if rates is None or rates.syncs_per_event is None else round(rates.syncs_per_event, 4),
        "wrong": [] if status is None else wrong(status),
    }
