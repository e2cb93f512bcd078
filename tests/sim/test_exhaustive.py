"""Small clusters, all of them: no order of messages and crashes breaks a rule, and there are as many states as ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import pytest

from engine.sim.proving.exhaustive.__main__ import main
from engine.sim.proving.exhaustive.catalog import AGAIN, DUEL, PAGES, QUICK, TOLD, ZERO, SmallCluster
from engine.sim.proving.exhaustive.changes import QUICK_CHANGES, REMOVED
from engine.sim.proving.exhaustive.changes_led import QUICK_LED
from engine.sim.proving.exhaustive.changing import ChangingCluster
from engine.sim.proving.exhaustive.search import Move, Searched, State, StateSpace, search
from engine.sim.proving.exhaustive.states import ClusterStates, ForgetfulStates


@pytest.mark.parametrize("cluster", [*QUICK, *QUICK_CHANGES, *QUICK_LED], ids=lambda cluster: cluster.name)
def test_every_state_of_a_small_cluster_is_true_and_there_are_as_many_as_ever(
    cluster: SmallCluster | ChangingCluster,
) -> None:
    assert search(cluster.states()) == cluster.pinned


class _Seen:
    """The states of a cluster, told apart by more than need be; `reduced` are those that the search tells apart."""

    def __init__(self, states: StateSpace, canonical: Callable[[State], State]) -> None:
        self._states = states
        self._canonical = canonical
        self.initial = states.initial
        self.reduced: set[State] = set()

    def moves(self, state: State) -> Iterable[Move]:
        return self._states.moves(state)

    def check(self, state: State) -> None:
        self._states.check(state)

    def kept(self, state: State) -> State:
        return state

    def canonical(self, state: State) -> State:
        found = self._canonical(state)
        self.reduced.add(self._states.canonical(found))
        return found


def test_forgetting_who_is_who_among_acceptors_loses_no_state() -> None:
    everybody_named = _Seen(DUEL.states(), lambda state: state)
    assert search(everybody_named).states > 5 * DUEL.pinned.states
    assert len(everybody_named.reduced) == DUEL.pinned.states


@pytest.mark.parametrize(
    "cluster", [AGAIN, DUEL, TOLD, ZERO, replace(PAGES, cast=PAGES.cast[:1])], ids=lambda cluster: cluster.name
)
def test_forgetting_votes_that_nobody_counts_any_more_loses_no_state(cluster: SmallCluster) -> None:
    """B3: they come to nothing."""
    states = replace(cluster, kind=ForgetfulStates).states()
    with_all_votes, without = _Seen(states, partial(ClusterStates.canonical, states)), _Seen(states, states.canonical)
    assert search(with_all_votes).states > search(without).states
    assert with_all_votes.reduced == without.reduced


def test_where_the_log_changes_who_votes_nothing_that_is_forgotten_loses_a_state() -> None:
    """Who is who of those alike, and votes that nobody counts any more (B3)."""
    everything_kept = _Seen(REMOVED.states(), lambda state: state)
    assert search(everything_kept).states > 2 * REMOVED.pinned.states
    assert len(everything_kept.reduced) == REMOVED.pinned.states


def test_the_table_says_what_is_not_as_pinned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["duel"]) == 0
    assert "7,320" in capsys.readouterr().out
    monkeypatch.setattr(
        "engine.sim.proving.exhaustive.__main__.SMALL_CLUSTERS",
        (replace(DUEL, pinned=Searched(states=1, steps=0, depth=0)),),
    )
    assert main([]) == 1
    assert "NOT AS PINNED" in capsys.readouterr().out


def test_an_unknown_cluster_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["nowhere"])
    assert refused.value.code == 2
    assert "there is no cluster 'nowhere': name one of duel," in capsys.readouterr().err
