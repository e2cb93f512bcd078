"""A plain session (`--plain`, or a dumb terminal): the commands of a site, typed one line after the other."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from functools import partial

from tui.cli import run_words
from tui.hops import Hop, Leaving
from tui.line_reader import LineReader
from tui.output import Output, complain
from tui.parser import COMMANDS, Command
from tui.plain.session import PlainSession

_ENGINES = frozenset({"open", "serve", "service"})
"""What they are about is no site that is looked at."""


def run_plain(hop: Hop, leaving: Leaving) -> int:
    """Until it is left; returns the exit status."""
    out = Output(as_json=False)

    def say(line: str) -> None:
        out.line(line)
        out.flush()

    session = PlainSession(hop, LineReader(sys.stdin.fileno()), site_commands(), say, partial(obey, hop))
    return asyncio.run(session.run(leaving))


def site_commands() -> list[Command]:
    """Those that are asked of one site."""
    return [command for command in COMMANDS if command.name not in _ENGINES and _takes_site(command)]


def _takes_site(command: Command) -> bool:
    parser = argparse.ArgumentParser(add_help=False)
    command.add_arguments(parser)
    return not {"SITE", "[SITE]"}.isdisjoint(parser.format_usage().split())


def obey(hop: Hop, command: Command, rest: str) -> None:
    """Runs a command of that site, with the rest of the line; what it prints stands between what the session prints."""
    try:
        words = shlex.split(rest)
    except ValueError as bad:
        complain(f"{bad}: close what you opened with \" or ', or leave it out")
        return
    where = ("--sites", str(hop.sites_path), "--data", str(hop.folder.parent))
    run_words([*where, command.name, hop.site, *words])
