"""Builds what pyproject.toml cannot say: man pages and completion scripts, made from the parser, into the wheel.

They lie in `share/` of wherever the wheel is installed, where `man` and shells look for them: below /usr/local,
~/.local or, with pipx, where it links them to. They are made whenever a wheel is built, from the source archive too.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.build import build

ROOT = Path(__file__).parent
SCRIPTS = {
    "bash": "share/bash-completion/completions/loggos",
    "zsh": "share/zsh/site-functions/_loggos",
    "fish": "share/fish/vendor_completions.d/loggos.fish",
}
MAN = "share/man/man1"


def shared(version: str) -> Iterator[tuple[str, str]]:
    """Each file below the place of installation, with its text."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    parsers, scripts = import_module("tui.parser"), import_module("tui.completion_script")
    for shell, path in SCRIPTS.items():
        yield path, scripts.script(parsers.build_parser(), shell)
    parser = parsers.build_parser()
    yield f"{MAN}/loggos.1", _page(parser, "loggos", "a timeline kept by a handful of sites, without a server", version)
    [commands] = (each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    for command in parsers.COMMANDS:
        name = f"loggos-{command.name}"
        yield f"{MAN}/{name}.1", _page(commands[command.name], name, command.summary, version)


def _page(parser: argparse.ArgumentParser, name: str, summary: str, version: str) -> str:
    about = {"project_name": "loggos", "version": version, "manual_title": "Loggos", "description": summary}
    page = import_module("argparse_manpage.manpage").Manpage(parser, about, format="single-commands-section")
    page.prog = name  # one word: the page is found by it
    escaped = page.mf.format_text
    page.mf.format_text = lambda text: _as_it_stands(escaped(text))
    return str(page).replace(".SH COMMENTS", ".SH EXAMPLE")


def _as_it_stands(text: str) -> str:
    """Lines that --help has as lines stay lines."""
    lines = re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)
    return f".nf\n{lines}\n.fi" if "\n" in text else lines


class BuildShared(Command):
    """Part of `build`; `install_data` then takes what it made into the wheel."""

    user_options: ClassVar[list[tuple[str, str, str]]] = []
    build_base: str
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_base = ""

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_base", "build_base"))

    def run(self) -> None:
        if self.editable_mode:
            return
        made: dict[str, list[str]] = {}
        for name, text in shared(self.distribution.get_version()):
            path = Path(self.build_base, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            made.setdefault(str(Path(name).parent), []).append(str(path))
        self.distribution.data_files = list(made.items())

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def get_source_files(self) -> list[str]:
        return []


class Build(build):
    sub_commands: ClassVar[list[tuple[str, object]]] = [*build.sub_commands, ("build_shared", None)]


if __name__ == "__main__":
    setup(cmdclass={"build": Build, "build_shared": BuildShared})
