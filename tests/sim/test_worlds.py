"""Small worlds, all of them: no order of messages and crashes breaks a rule, and there are as many states as ever."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.sim.worlds.__main__ import main
from engine.sim.worlds.catalog import DUEL, QUICK, SmallWorld
from engine.sim.worlds.search import Move, Searched, State, search
from engine.sim.worlds.stage import Stage


@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", QUICK, ids=lambda world: world.name)
def test_every_state_of_a_small_world_is_true_and_there_are_as_many_as_ever(world: SmallWorld) -> None:
    assert search(world.stage()) == world.pinned


class _EverybodyNamed:
    """A world where who is who among acceptors is not forgotten; `reduced` are its states as they are otherwise."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.initial = stage.initial
        self.reduced: set[State] = set()

    def moves(self, state: State) -> Iterable[Move]:
        return self._stage.moves(state)

    def check(self, state: State) -> None:
        self._stage.check(state)

    def canonical(self, state: State) -> State:
        self.reduced.add(self._stage.canonical(state))
        return state


def test_forgetting_who_is_who_among_acceptors_loses_no_state() -> None:
    named = _EverybodyNamed(DUEL.stage())
    assert search(named).states > 5 * DUEL.pinned.states
    assert len(named.reduced) == DUEL.pinned.states


def test_the_table_says_what_is_not_as_pinned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["duel"]) == 0
    assert "7,320" in capsys.readouterr().out
    monkeypatch.setattr("engine.sim.worlds.__main__.WORLDS", (_pinned_otherwise(DUEL),))
    assert main([]) == 1
    assert "NOT AS PINNED" in capsys.readouterr().out


def test_an_unknown_world_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["nowhere"])
    assert refused.value.code == 2
    assert "there is no world 'nowhere': name one of duel" in capsys.readouterr().err


def _pinned_otherwise(world: SmallWorld) -> SmallWorld:
    return SmallWorld(world.name, world.about, world.cast, Searched(states=1, steps=0, depth=0))
