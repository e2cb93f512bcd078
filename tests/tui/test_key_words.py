"""What a screen and `status` say of a site's keys: who still needs the second, and of whom that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.contract.shape import read
from engine.contract.status import Status
from tests.tui.engine_double import EngineDouble
from tui import standing

TWO = {"first": "new.key", "second": "old.key"}
SENDS = "sends with new.key, also reads old.key: "


def _said(folder: Path, key: Mapping[str, str | None] | None, **under: str | None) -> str | None:
    """The words about the key where peers were heard under these, and all others under the first."""
    status = EngineDouble(folder).status()
    peers = {name: peer | {"key": under.get(name, "first")} for name, peer in status["peers"].items()}
    told = read(Status, status | {"key": key, "peers": peers})
    return {name: part.text for name, part in standing.facts(told)}.get("key")


def test_one_key_is_named_and_none_is_not(tmp_path: Path) -> None:
    assert _said(tmp_path, {"first": "cluster.key", "second": None}) == "cluster.key"
    assert _said(tmp_path, None) is None


@pytest.mark.parametrize(
    ("under", "said"),
    [
        ({}, "no peer sends with it"),
        ({"bob": "second"}, "bob sends with it"),
        ({"bob": "second", "carol": "second"}, "bob and carol send with it"),
        ({"bob": "second", "dave": None}, "bob sends with it, dave not heard yet"),
        ({"dave": None}, "dave not heard yet"),
    ],
)
def test_of_two_keys_it_says_who_needs_the_second(tmp_path: Path, under: dict[str, str | None], said: str) -> None:
    assert _said(tmp_path, TWO, **under) == SENDS + said
