"""Who leads, in words: of a site's status (docs/protocol.md L1-L3)."""

from __future__ import annotations

from typing import Final

from engine.core.settings import Leadership

NO_LEADER: Final = "no leader heard"


def in_words(leadership: str, leader: str | None) -> str:
    if leadership == Leadership.NONE:
        return "none: every site proposes"
    if leadership == Leadership.LAST_AUTHOR:
        return "last-author: who wrote the entry before needs no prepare"
    return f"elected, {NO_LEADER if leader is None else f'lead {leader}'}"
