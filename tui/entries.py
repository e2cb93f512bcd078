"""An entry in words; what its author wrote stands last in them."""

from __future__ import annotations

from engine.contract.answers import Entry, LogLine


def name(entry: Entry) -> str:
    """`alice/17 tweet`, without its text."""
    return "no-op" if entry.author is None else f"{entry.id} {entry.kind}"


def content(entry: Entry | LogLine) -> str:
    """A tweet's text, or whom it is about."""
    return " ".join(filter(None, (entry.target, entry.text)))


def in_words(entry: Entry) -> str:
    """`alice/17 tweet hello`."""
    return f"{name(entry)} {content(entry)}".rstrip()


def whose(entry: Entry | None) -> str:
    """`bob's tweet`, of what won a slot that another lost."""
    return "a no-op" if entry is None or entry.author is None else f"{entry.author}'s {entry.kind}"
