"""`health`: what keeps a site from taking events, in one sentence, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from engine.contract.shape import read
from engine.contract.status import Status
from tests.tui.engine_double import EngineDouble
from tui.commands.health import in_the_way

NO_QUORUM = {"quorum": {"reachable": 1, "needed": 2, "size": 3}}


@pytest.fixture
def double(tmp_path_factory: pytest.TempPathFactory) -> EngineDouble:
    return EngineDouble(tmp_path_factory.mktemp("double"))


def status(double: EngineDouble, **changes: Any) -> Status:
    return read(Status, {**double.status(), **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"leadership": "elected", "leader": "bob"},
        {"faults": 3, "unknown": 7, "mismatch": "bob says last-author", "narrow": "large datagrams are lost"},
    ],
    ids=["all is well", "led", "what an event gets over"],
)
def test_a_site_takes_events_whatever_else_there_is_to_say(double: EngineDouble, changes: dict[str, Any]) -> None:
    told = status(double, **changes)
    assert in_the_way(told) is None
    assert told.takes_events


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (NO_QUORUM, "NO QUORUM"),
        ({"voting": False, "voting_why": "new store: recorded by 1 other sites"}, "does not vote: new store"),
        ({"leadership": "elected", "leader": None}, "no leader heard"),
        ({"recovering": True}, "catching up"),
        ({"hindered": "fault rule 1 drops the answers from bob", **NO_QUORUM}, "fault rule 1"),
    ],
    ids=["no quorum", "no vote", "no leader", "recovering", "its own rule first"],
)
def test_what_is_in_the_way_is_said(double: EngineDouble, changes: dict[str, Any], why: str) -> None:
    stands = status(double, **changes)
    told = in_the_way(stands)
    assert told is not None
    assert why in told
    assert not stands.takes_events
