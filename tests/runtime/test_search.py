"""What is searched is what the log, or the timeline, shows; some slots a time (docs/control.md `search`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.runtime import searching
from tests.runtime.sites import Running, cluster, status_where


async def found(running: Running, *words: str, **other: Any) -> list[int]:
    """All of it, newest first."""
    slots: list[int] = []
    below: int | None = None
    while below is None or below > 1:
        page = await running.call("search", words=list(words), below=below, **other)
        assert page["slots"] == sorted(page["slots"])
        assert all(page["reached"] <= slot for slot in page["slots"])
        slots += page["slots"][::-1]
        below = page["reached"]
    return slots


async def test_words_are_found_in_the_log_as_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SEARCHED_MAX", 2)
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start_all()
        alice, bob = sites.running["alice"], sites.running["bob"]
        assert await alice.call("search", words=["hello"]) == {"slots": [], "reached": 1}, "of an empty log"
        for text in ("Hello harbour", "straße", "hello again"):
            await alice.call("submit", kind="tweet", text=text)
        await alice.call("submit", kind="block", target="bob")
        assert await found(alice, "HELLO") == [3, 1]
        assert await found(alice, "alice", "tweet") == [3, 2, 1]
        assert await found(alice, "STRASSE") == [2]
        assert await found(alice, "alice blocks bob") == await found(alice, "bob", "blocks") == [4]
        assert await found(alice, "chosen") == [4, 3, 2, 1]
        assert await found(alice, "nowhere") == []
        await status_where(bob, lambda status: status["chosen_through"] >= 4)
        assert await found(bob, "hello") == [3, 1], "blocks hide in the timeline alone"
        assert await found(bob, "hello", timeline=True) == []
        assert await found(alice, "alice", "hello", timeline=True) == [3, 1]
        assert await found(alice, "tweet", timeline=True) == [], "no word of the timeline"
        assert await found(alice, "alice tweet") == [], "no two columns hold one phrase"
        assert await found(alice, author="alice") == [4, 3, 2, 1]
        assert await found(alice, "o", author="bob") == []
        assert await found(alice, since="2026-01-01T00:00:00Z") == [4, 3, 2, 1]
        assert await found(alice, since="9000-01-01T00:00:00Z") == []
        assert await alice.call("search", words=["hello"], below=4, **{"from": 2}) == {"slots": [3], "reached": 2}
