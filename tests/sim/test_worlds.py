"""Small worlds, all of them: no order of messages and crashes breaks a rule, and there are as many states as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import pytest

from engine.sim.proving.worlds.__main__ import main
from engine.sim.proving.worlds.catalog import DUEL, QUICK, TOLD, ZERO, SmallWorld
from engine.sim.proving.worlds.search import Move, Searched, State, search
from engine.sim.proving.worlds.stage import ForgetfulStage, Stage


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", QUICK, ids=lambda world: world.name)
def test_every_state_of_a_small_world_is_true_and_there_are_as_many_as_ever(world: SmallWorld) -> None:
    assert search(world.stage()) == world.pinned


class _Seen:
    """A world whose states differ by more than they do on its stage; `reduced` are its states as they are there."""

    def __init__(self, stage: Stage, canonical: Callable[[State], State]) -> None:
        self._stage = stage
        self._canonical = canonical
        self.initial = stage.initial
        self.reduced: set[State] = set()

    def moves(self, state: State) -> Iterable[Move]:
        return self._stage.moves(state)

    def check(self, state: State) -> None:
        self._stage.check(state)

    def kept(self, state: State) -> State:
        return state

    def canonical(self, state: State) -> State:
        found = self._canonical(state)
        self.reduced.add(self._stage.canonical(found))
        return found


def test_forgetting_who_is_who_among_acceptors_loses_no_state() -> None:
    everybody_named = _Seen(DUEL.stage(), lambda state: state)
    assert search(everybody_named).states > 5 * DUEL.pinned.states
    assert len(everybody_named.reduced) == DUEL.pinned.states


@pytest.mark.parametrize("world", [DUEL, TOLD, ZERO], ids=lambda world: world.name)
def test_forgetting_votes_that_nobody_counts_any_more_loses_no_state(world: SmallWorld) -> None:
    """B3: they come to nothing."""
    stage = replace(world, kind=ForgetfulStage).stage()
    with_all_votes, without = _Seen(stage, partial(Stage.canonical, stage)), _Seen(stage, stage.canonical)
    assert search(with_all_votes).states > search(without).states
    assert with_all_votes.reduced == without.reduced


def test_the_table_says_what_is_not_as_pinned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["duel"]) == 0
    assert "7,320" in capsys.readouterr().out
    monkeypatch.setattr(
        "engine.sim.proving.worlds.__main__.WORLDS", (replace(DUEL, pinned=Searched(states=1, steps=0, depth=0)),)
    )
    assert main([]) == 1
    assert "NOT AS PINNED" in capsys.readouterr().out


def test_an_unknown_world_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["nowhere"])
    assert refused.value.code == 2
    assert "there is no world 'nowhere': name one of duel," in capsys.readouterr().err
