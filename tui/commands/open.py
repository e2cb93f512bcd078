"""`open`: the full-screen view of a site, with an engine of its own process behind it.

Rules that hold here:
- An engine that runs is attached to and goes on afterwards; one that is started here outlives the screen, unless the
  person says stop on leaving. What still runs is told when the screen is gone.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from enum import Enum

from engine.core.ids import SiteId
from tui.exits import CommandFailed, ExitStatus
from tui.hops import Glyphs, Hop, Leaving
from tui.interrupts import Interrupted, Interrupts
from tui.launch import EngineProcess, is_running, stop_children
from tui.output import complain
from tui.selection import LocalSite, select_site


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    serve, view = local.command("serve"), local.command("view")
    manner = manner_of(arguments, f"`{serve}` runs the engine alone; `{view}` and the other commands print lines")
    try:
        leaving = Leaving.DETACHES if is_running(local) else _start(local)
    except Interrupted:
        return ExitStatus.DONE
    status = show([hop(local)], leaving, manner)
    if is_running(local):
        complain(
            f"the engine of {local.site} keeps running: `{local.command('open')}` shows it again, "
            f"`{local.command('stop')}` stops it"
        )
    return status


def _start(local: LocalSite) -> Leaving:
    """Starts the site's engine; it runs on when this process ends. Raises CommandFailed, Interrupted."""
    with Interrupts() as interrupts:
        engine = EngineProcess.start_alone(local)
        try:
            engine.wait_ready(interrupts)
        except CommandFailed as failed:
            stop_children([engine])
            if failed.status == ExitStatus.ALREADY_RUNNING and is_running(local):
                return Leaving.DETACHES  # another call was quicker
            raise
        except Interrupted:
            stop_children([engine])
            raise
        engine.close()
        return Leaving.ASK


class Manner(Enum):
    """How a site is shown."""

    DRAWN = "drawn"
    ASCII = "in ascii"
    LINES = "in lines"


def manner_of(arguments: Namespace, instead: str) -> Manner:
    """As it was asked for; a dumb terminal gets lines. Raises CommandFailed where there is no terminal, and lines were
    not asked for."""
    if arguments.plain:
        return Manner.LINES
    need_terminal(f"--plain prints lines instead; {instead}")
    if is_dumb():
        return Manner.LINES
    return Manner.ASCII if glyphs_of(arguments) is Glyphs.ASCII else Manner.DRAWN


def glyphs_of(arguments: Namespace) -> Glyphs:
    return Glyphs.ASCII if arguments.ascii else Glyphs.ALL


def need_terminal(instead: str) -> None:
    """Raises CommandFailed where there is none: before anything is started. The screen is drawn on stderr."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandFailed(ExitStatus.BAD_INPUT, f"the screen needs a terminal, and there is none: {instead}")


def is_dumb() -> bool:
    """Whether nothing can be drawn on the terminal, by what it calls itself; or it does not."""
    return os.environ.get("TERM", "dumb") in {"", "dumb"}


def hop(local: LocalSite) -> Hop:
    return Hop(SiteId(local.site), local.socket_path, local.log_path, local.sites_path)


def prepare_screen() -> None:
    """Before Textual is loaded."""
    # What a key brings about comes in two or three frames: they follow each other as soon as they can.
    os.environ.setdefault("TEXTUAL_FPS", "240")


def show(hops: list[Hop], leaving: Leaving, manner: Manner) -> int:
    """Shows the first of them, and all others on a screen, until that is left; returns the exit status."""
    if manner is Manner.LINES:
        from tui.commands.plain import run_plain  # noqa: PLC0415  (a screen needs none of it)

        return run_plain(hops[0], leaving)
    prepare_screen()
    from tui.app import run_screen  # noqa: PLC0415  (Textual takes longer to load than a plain command takes in all)

    return run_screen(hops, leaving, Glyphs.ASCII if manner is Manner.ASCII else Glyphs.ALL)
