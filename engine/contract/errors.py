"""How a request fails (docs/control.md): the codes that the engine answers with, and the errors that who asks meets.

Rules that hold here:
- A request that does not end in its answer ends in RequestFailed: refused, or without an answer.
- Each message is a sentence for people, which says what to do where something can be done.
"""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    NOT_JSON = -32700
    NOT_A_REQUEST = -32600
    NO_SUCH_METHOD = -32601
    BAD_PARAMS = -32602
    REFUSED = 1  # the rules of the timeline or of `faults` do not allow it
    STOPPING = 2
    STORE = 3  # the store cannot be used


class RequestFailed(Exception):
    """A request did not end in its answer."""


class RequestRefused(RequestFailed):
    """The engine answered with an error; `code` as in docs/control.md."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class NoAnswer(RequestFailed):
    """Nothing came that tells whether it was done."""


class NoEngine(NoAnswer):
    """Nobody is there to ask, so nothing was asked."""


class EngineLost(NoAnswer):
    """The connection ended. `exit_status` is what the engine said of its end, None where it said nothing."""

    def __init__(self, reason: str, exit_status: int | None = None) -> None:
        super().__init__(reason)
        self.exit_status = exit_status


class EngineSilent(NoAnswer):
    """The engine is connected and does not answer in time."""


class BadAnswer(NoAnswer):
    """What the engine said is not in the shape of its class. The message names the key, and says what to do."""
