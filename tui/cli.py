"""The command line: parses it, runs the command, and makes every end of it an exit status.

Rules that hold here:
- A command's module is imported when the command runs: the plain ones load neither trio, SQLite, cryptography nor
  Textual, so that a shell loop over them is quick.
- What goes wrong is one line on stderr and a status of docs/commands.md; a reader that left (`| head`) is no error.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence

from tui.exits import CommandFailed, ExitStatus
from tui.output import Unwritten, complain, open_stdout, stdout_failure
from tui.parser import VERSION, build_parser


def main() -> int:
    """Runs what was typed; returns the exit status."""
    _prepare_streams()
    status = run_words(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    except Unwritten:
        pass  # told below, whoever met it first
    if (failure := stdout_failure()) is not None:
        complain(f"the output cannot be written: {failure.strerror}")
        _forget_stdout()
    return ExitStatus.UNWRITTEN if failure is not None and status == ExitStatus.DONE else status


def run_words(words: Sequence[str]) -> int:
    """Runs what these words ask for; returns the exit status. What went wrong was said on stderr."""
    parser = build_parser()
    try:
        arguments = parser.parse_args(words)
        if arguments.verbose and arguments.run != VERSION:
            parser.error("--verbose goes with --version alone")
        if arguments.run is None:
            parser.print_help(sys.stderr)
            return ExitStatus.BAD_INPUT
        return _command(arguments.run)(arguments)
    except SystemExit as end:  # --help, and what was typed wrong
        return end.code if isinstance(end.code, int) else ExitStatus.DONE
    except CommandFailed as failed:
        complain(str(failed))
        return failed.status
    except (BrokenPipeError, Unwritten):
        return ExitStatus.DONE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return ExitStatus.BAD_INPUT


def _command(path: str) -> Callable[[Namespace], int]:
    """The function that `module:function` names."""
    module, _, function = path.partition(":")
    run: Callable[[Namespace], int] = getattr(importlib.import_module(module), function)
    return run


def _prepare_streams() -> None:
    """Makes printing possible wherever the command was started from, and keeps 0, 1 and 2 from being taken."""
    for descriptor, mode in ((0, os.O_RDWR), (1, os.O_RDONLY), (2, os.O_RDWR)):
        try:
            os.fstat(descriptor)
        except OSError:
            # It takes the lowest free number, which is this one. Nothing can be written to a stdout that was closed.
            os.open(os.devnull, mode)
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = open_stdout(1)


def _forget_stdout() -> None:
    """Nobody reads it: what is still buffered goes nowhere, so that the interpreter's end is quiet too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
