"""`--version`: what the installed package says of itself."""

from __future__ import annotations

from argparse import Namespace
from importlib.metadata import version

from tui.exits import ExitStatus


def run(_: Namespace) -> int:
    print(f"loggos {version('loggos')}")
    return ExitStatus.DONE
