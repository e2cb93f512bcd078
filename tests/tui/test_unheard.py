"""What a site was not told of the others is not said of them: no 0 stands in its place, and nobody is called down."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.contract.shape import read
from engine.contract.status import Peer, Status
from tests.tui.engine_double import EngineDouble, Json
from tests.tui.pilots import NARROW, WIDE, screen_of
from tui.commands.status import peer_row
from tui.standing import Trouble, troubles

SILENT: Json = {"up": False, "rtt_ms": None, "chosen_through": None, "heard_s": None, "voting": None}


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_the_pane_of_sites_does_not_know_what_it_was_not_told(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        engine.used_max = 8
        peers = engine.status()["peers"]
        engine.status_changes = {"peers": peers | {"carol": peers["carol"] | SILENT}}
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("5", "z")
            await pilot.until_shown("not heard by this engine yet")
            rows = [line.split()[:5] for line in pilot.rows(pilot.main.pane)]
            assert ["carol", "○", "silent", "?", "?"] in rows
            assert [row[3:] for row in rows if row[0:1] == ["alice*"]] == [["8", "yes"]]


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_who_does_not_vote_yet_is_called_no_learner(tmp_path: Path, size: tuple[int, int]) -> None:
    async with EngineDouble(tmp_path) as engine:
        peers = engine.status()["peers"]
        engine.status_changes = {"peers": peers | {"carol": peers["carol"] | {"voting": False}}}
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("5")
            await pilot.until_shown("carol  ◐ no vote")
            assert "learner" not in pilot.text()


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=str)
async def test_who_is_not_heard_is_not_called_down(tmp_path: Path, size: tuple[int, int]) -> None:
    """It may be cut off from this site alone."""
    async with EngineDouble(tmp_path) as engine:
        peers = engine.status()["peers"]
        engine.status_changes = {"peers": peers | {"carol": peers["carol"] | {"up": False}}}
        async with screen_of(engine, size=size) as pilot:
            await pilot.press("5")
            await pilot.until_shown("carol  ○ silent")
            assert " down" not in pilot.text().replace("↑ ↓", "")


def test_without_a_quorum_nothing_is_said_of_what_the_others_create(tmp_path: Path) -> None:
    alone = EngineDouble(tmp_path)
    alone.status_changes = {"quorum": {"reachable": 1, "needed": 3, "size": 5}}
    said = troubles(read(Status, alone.status()))[Trouble.NO_QUORUM]
    assert said == "NO QUORUM: nothing can be created here; reading works"


@pytest.mark.parametrize(
    ("up", "chosen_through", "said"),
    [
        (False, None, "not heard by this engine yet"),
        (False, 8, "chosen through 8 when it was last heard"),
        (True, 8, "chosen through 8"),
    ],
)
def test_the_panel_says_how_far_a_peer_is_as_far_as_it_told(up: bool, chosen_through: int | None, said: str) -> None:
    peer = Peer(up, None, chosen_through, None, None, None, 1_452, None, None, "not-heard", None, None)
    assert peer_row("carol", peer)[-1] == said
