"""Runs of several slots: to which ends they came. Nothing is checked here: what is so of a run is checked slot by slot.

Rules that hold here:
- A run is what one message or one write says of several consecutive slots.
- They are looked at where their slots come to different ends: partly refused, reported in parts, cut to size, learned
  out of order, or in part when the process ends.
- What is kept is bounded: the newest few of each site.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Accept, Message, Promise, Refused
from engine.core.run import Run
from engine.core.storage import WriteVote
from engine.sim.image import Disk
from engine.sim.sometimes import Reached

_KEPT: Final = 32


class _Asked(NamedTuple):
    """An accept of several slots that a process takes in."""

    sender: SiteId
    ballot: Ballot
    first: Slot
    last: Slot


class Runs:
    def __init__(self, disks: Sequence[Disk], reached: Reached) -> None:
        self._disks = disks
        self._reached = reached
        self._asked: list[deque[_Asked]] = [deque(maxlen=_KEPT) for _ in disks]
        self._accepted: list[deque[tuple[Slot, Slot]]] = [deque(maxlen=_KEPT) for _ in disks]

    def asked(self, index: int, sender: SiteId, message: Accept) -> None:
        """A process takes an accept in."""
        run = message.run
        if len(run.entries) > 1:
            self._asked[index].append(_Asked(sender, message.ballot, run.first, run.last))

    def packed(self, messages: Sequence[Message]) -> None:
        """These messages leave for one site together: what could be one message of them is one."""
        for one, other in pairwise(messages):
            match one, other:
                case Accept(ballot, run), Accept(same, rest) if ballot == same and run.last + 1 == rest.first:
                    self._reached("run cut by the datagram's size")
                case _:
                    pass

    def voted(self, index: int, write: WriteVote) -> None:
        if write.last > write.first and write.vote.accepted is not None:
            self._accepted[index].append((write.first, write.last))
            self._reached("accept of several slots")

    def learned(self, index: int, run: Run) -> None:
        image = self._disks[index].image
        for first, last in self._accepted[index]:
            if first < run.first <= last and image.entry(first) is None:
                self._reached("run learned out of order")

    def refuses(self, index: int, to: SiteId, message: Refused) -> None:
        """A refusal leaves."""
        for sender, ballot, first, last in self._asked[index]:
            if sender == to and ballot == message.ballot and message.phase == "accept":
                spans = ((out.first, last if out.last is None else out.last) for out in message.spans)
                refused = sum(max(0, min(last, end) - max(first, begin) + 1) for begin, end in spans)
                if 0 < refused <= last - first:
                    self._reached("accept of several slots that is partly refused")

    def promises(self, index: int, message: Promise) -> None:
        """A promise leaves: perhaps a page that ends within what was accepted as one."""
        votes, last = self._disks[index].image.votes, message.last
        if last is None or not message.accepted:
            return
        reported, rest = votes.get(last), votes.get(Slot(last + 1))
        if reported is not None and rest is not None and reported.accepted == rest.accepted is not None:
            self._reached("promise that splits a run")

    def ended(self, index: int) -> None:
        """A process ends: what it accepted and what it learned is on its disk."""
        image, accepted = self._disks[index].image, self._accepted[index]
        for first, last in accepted:
            learned = sum(image.entry(Slot(slot)) is not None for slot in range(first, last + 1))
            if learned <= last - first:
                within = "crash with part of a run learned"
                self._reached(within if learned else "crash between a run's acceptance and its learning")
        accepted.clear()
        self._asked[index].clear()
