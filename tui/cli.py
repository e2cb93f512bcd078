"""The command line: parses it, runs the command, and makes every end of it an exit status.

Rules that hold here:
- A command's module is imported when the command runs: the plain ones load neither trio, SQLite, cryptography nor
  Textual, so that a shell loop over them is quick.
- What goes wrong is one line on stderr and a status of docs/commands.md; a reader that left (`| head`) is no error.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable

from tui.exits import CommandFailed, ExitStatus
from tui.output import complain
from tui.parser import build_parser


def main() -> int:
    """Runs what was typed; returns the exit status."""
    _prepare_streams()
    parser = build_parser()
    arguments = parser.parse_args()
    if arguments.run is None:
        parser.print_help(sys.stderr)
        return ExitStatus.BAD_INPUT
    status = int(ExitStatus.DONE)
    try:
        status = _command(arguments.run)(arguments)
        sys.stdout.flush()
    except CommandFailed as failed:
        complain(str(failed))
        status = failed.status
    except BrokenPipeError:
        _forget_stdout()
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        status = ExitStatus.BAD_INPUT
    return status


def _command(path: str) -> Callable[[Namespace], int]:
    """The function that `module:function` names."""
    module, _, function = path.partition(":")
    run: Callable[[Namespace], int] = getattr(importlib.import_module(module), function)
    return run


def _prepare_streams() -> None:
    """Makes printing possible wherever the command was started from, and keeps 0, 1 and 2 from being taken."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows no Unicode shows escapes instead of ending the command.
        sys.stdout.reconfigure(errors="backslashreplace")


def _forget_stdout() -> None:
    """Nobody reads it: what is still buffered goes nowhere, so that the interpreter's end is quiet too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
