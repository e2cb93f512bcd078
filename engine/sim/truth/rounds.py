"""The truth about rounds: which ballots a site may use, and for what.

Rules that hold here:
- B1: a round is durable before its prepare leaves, names one attempt at one slot, or at the whole log, and is above all
  used before a start.
- L2: ballot 0 is used by the author of the slot before alone, and once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import Prepare
from engine.core.storage import Stored
from engine.sim.image import Disk
from engine.sim.truth.ballots import Ballots
from engine.sim.violation import Judge

_NO_ROUND: Final = Round(0)

_WHOLE_LOG: Final = Slot(0)
"""The purpose of a leader's range ballot."""


class Rounds:
    def __init__(self, names: tuple[SiteId, ...], disks: Sequence[Disk], ballots: Ballots, judge: Judge) -> None:
        self._names = names
        self._disks = disks
        self._ballots = ballots
        self._judge = judge
        self._at_start = [_NO_ROUND] * len(names)
        self._purposes: dict[Ballot, Slot] = {}

    def started(self, index: int, stored: Stored) -> None:
        self._at_start[index] = stored.round

    def is_of_the_whole_log(self, ballot: Ballot) -> bool:
        return self._purposes.get(ballot) == _WHOLE_LOG

    def prepares(self, index: int, message: Prepare) -> None:
        """A prepare leaves."""
        purpose = _WHOLE_LOG if message.last is None else message.first
        self._used(index, message.ballot, message.first, purpose)

    def proposes(self, index: int, slot: Slot, ballot: Ballot, entry: Entry) -> None:
        """An accept of this entry leaves."""
        if ballot.round == 0:
            self._ballot_zero(index, slot, ballot, entry)
        else:
            self._used(index, ballot, slot, _WHOLE_LOG if self.is_of_the_whole_log(ballot) else slot)

    def _used(self, index: int, ballot: Ballot, slot: Slot, purpose: Slot) -> None:
        name, durable = self._names[index], self._disks[index].image.round
        if ballot.site != name or ballot.round > durable:
            self._judge.breaks("B1", f"uses {ballot}; the highest round on its disk is {durable}", slot=slot, site=name)
        if ballot.round <= self._at_start[index]:
            told = f"uses {ballot}, though round {self._at_start[index]} was used before it started"
            self._judge.breaks("B1", told, slot=slot, site=name)
        if self._purposes.setdefault(ballot, purpose) != purpose:
            self._judge.breaks("B1", f"uses {ballot} at slot {self._purposes[ballot]} too", slot=slot, site=name)

    def _ballot_zero(self, index: int, slot: Slot, ballot: Ballot, entry: Entry) -> None:
        """Only the author of what is learned at the slot before, with an entry of its own that is durable first."""
        name = self._names[index]
        before = None if slot == 1 else self._disks[index].image.entry(Slot(slot - 1))
        if ballot.site != name or before is None or before.author != name:
            self._judge.breaks("L2", f"uses {ballot} after {before}", slot=slot, site=name)
        if entry.author != name:
            self._judge.breaks("L2", f"uses {ballot} for {entry}", slot=slot, site=name)
        if not self._ballots.book(slot).acceptors.get(ballot, 0) >> index & 1:
            self._judge.breaks(
                "L2", f"an accept of {ballot} leaves, which its disk does not have", slot=slot, site=name
            )
