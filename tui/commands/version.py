"""`--version`: what the installed package says of itself; with `--verbose`, what a bug report needs beside it."""

from __future__ import annotations

import locale
import os
import platform
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, version

from tui.exits import ExitStatus
from tui.output import Output

NAME = "loggos"


def run(arguments: Namespace) -> int:
    out = Output(arguments.json)
    said = dict(_verbose()) if arguments.verbose else {"version": version(NAME)}
    if out.as_json:
        out.json(said)
        return ExitStatus.DONE
    out.line(f"{NAME} {said.pop('version')}")
    out.table(said.items())
    return ExitStatus.DONE


def _verbose() -> Iterator[tuple[str, str]]:
    """Nothing of it names a person, a file of one, or a site."""
    # These load SQLite; the plain `--version` does without.
    from engine.datagram import WIRE_VERSION  # noqa: PLC0415
    from storage.schema import SCHEMA_VERSION  # noqa: PLC0415

    installed = distribution(NAME)
    yield "version", installed.version
    yield "wire", str(WIRE_VERSION)
    yield "store", str(SCHEMA_VERSION)
    yield "python", f"{platform.python_implementation()} {platform.python_version()}"
    yield "system", platform.platform()
    yield "installed", _how(installed)
    yield "libraries", ", ".join(f"{name} {version(name)}" for name in _libraries(installed))
    yield "terminal", _terminal()
    yield "encoding", f"{sys.stdout.encoding}, locale {locale.setlocale(locale.LC_CTYPE)}"


def _how(installed: Distribution) -> str:
    by = (installed.read_text("INSTALLER") or "unknown").strip()
    direct = installed.read_text("direct_url.json") or ""
    source = ", from its source folder" if '"editable": true' in direct or '"editable":true' in direct else ""
    return f"by {by}{source}{', in a virtual environment' if sys.prefix != sys.base_prefix else ''}"


def _libraries(installed: Distribution) -> Iterator[str]:
    """What it needs, by name; extras are not needed."""
    for requirement in installed.requires or ():
        wanted, _, marker = requirement.partition(";")
        if "extra" not in marker:
            yield wanted.split(">")[0].split("=")[0].split("<")[0].split("~")[0].strip()


def _terminal() -> str:
    if not sys.stdout.isatty():
        return "none: the output goes elsewhere"
    size = shutil.get_terminal_size()
    names = (os.environ.get(name) for name in ("TERM", "COLORTERM", "TERM_PROGRAM"))
    return ", ".join([f"{size.columns}x{size.lines}", *(name for name in names if name)])
