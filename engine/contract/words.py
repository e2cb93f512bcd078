"""What an entry says where its slot stands in a list: what the log shows is what is searched."""

from __future__ import annotations

from engine.contract.answers import VOID
from engine.core.entry import Kind


def entry_words(kind: str | None, author: str | None, argument: str | None) -> str:
    """Of a slot of this kind; `argument` is the text of a tweet, or the site that is blocked or unblocked."""
    match kind:
        case Kind.TWEET:
            return argument or ""
        case Kind.BLOCK:
            return f"{author} blocks {argument}"
        case Kind.UNBLOCK:
            return f"{author} unblocks {argument}"
        case Kind.NOOP:
            return "fills the gap"
        case _ if kind == VOID:
            return "did not take effect"
        case Kind.WITHDRAWAL:
            return f"{author} gives up an event"
        case _:
            return ""
