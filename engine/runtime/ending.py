"""Why and how an engine ends, as its log, its clients and its exit status tell (docs/commands.md, "Exit status")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from engine.contract.errors import ErrorCode


class EndStatus(IntEnum):
    CLEAN = 0  # it was asked to stop
    BUG = 1
    BAD_CONFIGURATION = 2  # an address that cannot be used, something in the way of the control socket
    STORE = 3  # the store failed, or is damaged (D2, D3)
    ADDRESS_IN_USE = 4
    BROKEN_RULE = 12  # what honest sites cannot do was seen (A2, R1)


@dataclass(frozen=True, slots=True)
class Ending:
    """`code` is what requests without an answer are told."""

    reason: str
    status: EndStatus
    code: ErrorCode


def store_ending(error: BaseException) -> Ending:
    """The ending for a StoreError (D2)."""
    return Ending(str(error), EndStatus.STORE, ErrorCode.STORE)
