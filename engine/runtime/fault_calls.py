"""What clients do to the fault rules of this site (docs/control.md, `faults`)."""

from __future__ import annotations

from typing import assert_never

from engine.contract.answers import Dropped, Released, Removed
from engine.contract.requests import (
    FaultAction,
    FaultsAdd,
    FaultsClear,
    FaultsDrop,
    FaultsRelease,
    FaultsRemove,
    FaultsSet,
)
from engine.contract.shape import Shape
from engine.core.ids import Tick
from engine.runtime.clock import Clock
from engine.runtime.fault_rules import BadRule
from engine.runtime.faults import FaultLayer, NoSuchNumber, Owner
from engine.runtime.jsonrpc import CallRefused
from engine.runtime.shapes import rule_shape


class FaultCalls:
    def __init__(self, layer: FaultLayer, clock: Clock) -> None:
        self._layer = layer
        self._clock = clock

    def act(self, now: Tick, client: Owner, action: FaultAction) -> Shape:
        """Does what `client` asked and returns the answer. Raises CallRefused, and then nothing was done."""
        try:
            return self._act(now, client, action)
        except (BadRule, NoSuchNumber) as bad:
            raise CallRefused(str(bad)) from None

    def _act(self, now: Tick, client: Owner, action: FaultAction) -> Shape:
        layer = self._layer
        match action:
            case FaultsAdd():
                expires = None if action.expires is None else Tick(now + action.expires)
                owner = client if action.while_connected else None
                return rule_shape(layer.add(action.rule, expires, owner), self._clock)
            case FaultsSet():
                return rule_shape(layer.switch(action.number, action.on), self._clock)
            case FaultsRemove():
                layer.remove(now, action.number)
                return Removed(1)
            case FaultsClear():
                return Removed(layer.clear(now))
            case FaultsRelease():
                let_go = layer.release_a_copy if action.keep else layer.release
                return Released(let_go(now, action.held))
            case FaultsDrop():
                return Dropped(layer.drop(action.held))
            case _:
                assert_never(action)
