"""`completion`: the script that makes a shell complete commands, options and names; and the names, for that script."""

from __future__ import annotations

import os
from argparse import Namespace

from tui.argument_kinds import Kind
from tui.completing import offered
from tui.exits import CommandFailed, ExitStatus
from tui.output import Output

TYPED = "LOGGOS_COMPLETING"
"""The environment variable with the command line up to the cursor."""


def run(arguments: Namespace) -> int:
    out = Output(arguments.json)
    if arguments.values is not None:
        for value in offered(Kind(arguments.values), os.environ.get(TYPED, "")):
            out.line(value)
        return ExitStatus.DONE
    if arguments.shell is None:
        raise CommandFailed(ExitStatus.BAD_INPUT, "name a shell: bash, zsh or fish")
    # Making the script loads the whole parser and shtab; names are completed without them.
    from tui.completion_script import script  # noqa: PLC0415
    from tui.parser import build_parser  # noqa: PLC0415

    made = script(build_parser(), arguments.shell)
    if out.as_json:
        out.json({"shell": arguments.shell, "script": made})
    else:
        for line in made.splitlines():
            out.line(line)
    return ExitStatus.DONE
