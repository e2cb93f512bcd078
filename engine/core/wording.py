"""How slots and lists are said to people, wherever that is."""

from __future__ import annotations

from engine.core.ids import Slot

SHOWN_MAX = 8


def span(first: Slot, last: Slot | None) -> str:
    """`3`, `3-8` or `3 and all after`."""
    if last is None:
        return f"{first} and all after"
    return str(first) if first == last else f"{first}-{last}"


def first_of(items: list[str], count: int) -> str:
    """The first few of `count` items."""
    few = items[:SHOWN_MAX]
    return ", ".join(few) + (f" and {count - len(few)} more" if count > len(few) else "")


def many(items: list[str]) -> str:
    """The first item, and how many more there are."""
    return items[0] if len(items) == 1 else f"{items[0]} (and {len(items) - 1} more)"
