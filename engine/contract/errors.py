"""How a request fails (docs/control.md, the table of codes)."""

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
