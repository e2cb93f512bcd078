"""The truth about rounds: which ballots a site may use, and for what.

Rules that hold here:
- B1: a round is durable before its prepare leaves, names one attempt at some slots that are begun together, or at the
  whole log, and is above all used before a start.
- L2: ballot 0 is used by the author of the slot before alone, and once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId
from engine.core.messages import Prepare
from engine.core.storage import Stored
from engine.sim.image import Disk
from engine.sim.truth.ballots import Ballots
from engine.sim.truth.electorates import Electorates
from engine.sim.violation import Judge

_NO_ROUND: Final = Round(0)

_Purpose = tuple[Slot, Slot | None]
"""The slots of an attempt, first and last."""

_WHOLE_LOG: Final[_Purpose] = (Slot(1), None)
"""The purpose of a leader's range ballot."""


class Rounds:
    def __init__(
        self,
        names: tuple[SiteId, ...],
        disks: Sequence[Disk],
        electorates: Electorates,
        ballots: Ballots,
        judge: Judge,
    ) -> None:
        self._names = names
        self._disks = disks
        self._electorates = electorates
        self.ballots = ballots
        self._judge = judge
        self._at_start = [_NO_ROUND] * len(names)
        self._purposes: dict[
            tuple[StoreId, Ballot], _Purpose
        ] = {}  # of each store: their ballots have the same names (M4)

    def started(self, index: int, stored: Stored) -> None:
        self._at_start[index] = stored.round

    def is_of_the_whole_log(self, index: int, ballot: Ballot) -> bool:
        return self._purposes.get((self._disks[index].image.life, ballot)) == _WHOLE_LOG

    def prepares(self, index: int, message: Prepare) -> None:
        """A prepare leaves."""
        span = _WHOLE_LOG if message.last is None else (message.first, message.last)
        self._used(index, message.ballot, span)

    def proposes(self, index: int, slot: Slot, ballot: Ballot, entry: Entry) -> None:
        """An accept of this entry leaves."""
        if ballot.round == 0:
            self._ballot_zero(index, slot, ballot, entry)
        else:
            self._used(index, ballot, (slot, slot))

    def _used(self, index: int, ballot: Ballot, span: _Purpose) -> None:
        name, slot, durable = self._names[index], span[0], self._disks[index].image.round
        if ballot.site != name or ballot.round > durable:
            self._judge.breaks(
                "B1", f"uses {ballot}, but the highest round on its disk is {durable}", slot=slot, site=name
            )
        if ballot.round <= self._at_start[index]:
            told = f"uses {ballot}, though round {self._at_start[index]} was used before it started"
            self._judge.breaks("B1", told, slot=slot, site=name)
        first, last = self._purposes.setdefault((self._disks[index].image.life, ballot), span)
        if slot < first or (last is not None and (span[1] is None or span[1] > last)):
            told = f"uses {ballot} outside the slots that it is for, {first} to {last or 'any'}"
            self._judge.breaks("B1", told, slot=slot, site=name)

    def _ballot_zero(self, index: int, slot: Slot, ballot: Ballot, entry: Entry) -> None:
        """Only the author of what is learned at the slot before, with an entry of its own that is durable first."""
        name = self._names[index]
        before = None if slot == 1 else self._disks[index].image.entry(Slot(slot - 1))
        if ballot.site != name or before is None or before.author != name:
            self._judge.breaks(
                "L2", f"uses {ballot}, but the slot before has {before or 'nothing'}", slot=slot, site=name
            )
        if entry.author != name:
            self._judge.breaks("L2", f"uses {ballot} for {entry}, which is not its own", slot=slot, site=name)
        if not self.ballots.book(slot).acceptors.get(ballot, 0) >> self._electorates.number(index) & 1:
            self._judge.breaks("L2", f"sends an accept of {ballot}, which its disk does not have", slot=slot, site=name)
