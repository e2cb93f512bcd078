"""What an entry says where its slot stands in a list: what the log shows is what is searched."""

from __future__ import annotations

from typing import Final

from engine.contract.answers import VOID
from engine.core.entry import MEMBERSHIP, Kind

_CHANGES: Final = {
    Kind.READMIT: "readmits {0}",
    Kind.ADD: "adds {0} at {1}",
    Kind.ADD_LEARNER: "adds {0} at {1} as a learner",
    Kind.PROMOTE: "promotes {0}",
    Kind.REMOVE: "removes {0}",
    Kind.MOVE: "moves {0} to {1}",
}
"""What changes the members: whom it is about, and the address or the store that follows."""


def entry_words(kind: str | None, author: str | None, argument: str | None) -> str:
    """Of a slot of this kind; `argument` is the text of a tweet, or whom it is about, and where that is."""
    match kind:
        case Kind.TWEET:
            return argument or ""
        case Kind.BLOCK:
            return f"{author} blocks {argument}"
        case Kind.UNBLOCK:
            return f"{author} unblocks {argument}"
        case _ if kind in MEMBERSHIP:
            site, _, more = (argument or "").partition(" ")
            return f"{author} {_CHANGES[Kind(kind)].format(site, more)}"
        case Kind.NOOP:
            return "fills the gap"
        case _ if kind == VOID:
            return "did not take effect"
        case Kind.WITHDRAWAL:
            return f"{author} gives up an event"
        case _:
            return ""
