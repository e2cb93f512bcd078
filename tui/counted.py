"""Numbers of things, and lists of them, in words."""

from __future__ import annotations

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def listed(names: Sequence[object], limit: int = 12) -> str:
    """`41 43 44`, at most `limit` of them."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return " ".join(str(name) for name in names[:limit]) + more
