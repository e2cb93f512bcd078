"""How a command ends: the exit statuses that scripts rely on, and the one exception that carries one.

Rules that hold here:
- A status means one thing in every command (docs/commands.md, "Exit status").
- A failure is one line on stderr that says what to do instead; never a traceback.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class ExitStatus(IntEnum):
    DONE = 0
    BAD_INPUT = 2  # bad usage, bad input or bad configuration
    STORE_UNUSABLE = 3  # corrupt, disk full, I/O error, another cluster's
    ALREADY_RUNNING = 4  # or the address is in use
    NO_ENGINE = 5  # nothing was submitted
    UNWRITTEN = 6  # done, but the output cannot be written; what was done is on stderr
    NOT_IN_LOG = 10  # the event is certainly not in the log
    NOT_KNOWN = 11  # the outcome is not known yet
    VIOLATION = 12  # an audit or a scenario found a rule broken


class CommandFailed(Exception):
    """The command ends with `status`; the message is the line for stderr, without a line break."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def status_of_many(statuses: Collection[ExitStatus]) -> ExitStatus:
    """The first that applies of 3, 11, 10, 2, 0 (docs/commands.md, "Events")."""
    order = (ExitStatus.STORE_UNUSABLE, ExitStatus.NOT_KNOWN, ExitStatus.NOT_IN_LOG, ExitStatus.BAD_INPUT)
    return next((status for status in order if status in statuses), ExitStatus.DONE)
