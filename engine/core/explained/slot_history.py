"""What a site remembers of its newest slots since it started: when it voted, when and from whom it learned. For people.

Rules that hold here:
- Memory alone, and boundedly: no commit is larger or later for it, and a restart forgets it. What is durable of a slot
  (maxPrepare, accNum, accVal, the learned entry) is in its row.
- It is read off the effects of each step, and no decision of the protocol reads it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from engine.core.effects import Effects, SawLearned
from engine.core.ids import Ballot, Slot, Tick
from engine.core.messages import Act
from engine.core.storage import RangePromise, Vote, WriteLearned, WriteRanges, WriteVote
from engine.core.value import Value

SLOTS_MAX: Final = 4_096
RANGES_MAX: Final = 16
ACTS_MAX: Final = 16
"""How many votes of a slot are remembered; the newest."""


class Voted(Value):
    act: Act
    ballot: Ballot
    at: Tick


@dataclass(slots=True)
class _Past:
    """`vote` is the acceptor's state with which the slot was learned, `learned` how that came, `learned_at` when."""

    voted: deque[Voted] = field(default_factory=lambda: deque(maxlen=ACTS_MAX))
    vote: Vote | None = None
    learned: SawLearned | None = None
    learned_at: Tick = Tick(0)


class Learned(Value):
    saw: SawLearned
    vote: Vote
    at: Tick


class SlotHistory:
    def __init__(self) -> None:
        self._slots: OrderedDict[Slot, _Past] = OrderedDict()
        self._ranges: deque[tuple[RangePromise, Tick]] = deque(maxlen=RANGES_MAX)

    def take(self, now: Tick, effects: Effects) -> None:
        """Remembers what one step did."""
        for write in effects.writes:
            match write:
                case WriteVote(slot, vote) if vote.promised is not None:
                    act = Act.ACCEPTED if vote.accepted == vote.promised else Act.PROMISED  # A2: accepting raises it
                    self._past(slot).voted.append(Voted(act, vote.promised, now))
                case WriteLearned(slot, _, vote):
                    self._past(slot).vote = vote
                case WriteRanges(ranges):
                    known = {promise.ballot for promise, _ in self._ranges}
                    self._ranges.extend((promise, now) for promise in ranges if promise.ballot not in known)
                case _:
                    pass
        for saw in effects.observations:
            if type(saw) is SawLearned:
                past = self._past(saw.slot)
                past.learned, past.learned_at = saw, now

    def committed(self) -> None:
        """All that happened so far is durable: only now may what the store has be forgotten here."""
        while len(self._slots) > SLOTS_MAX:
            self._slots.popitem(last=False)

    def acts(self, slot: Slot) -> list[Voted]:
        """What is remembered of this site's votes at `slot`, range promises included: oldest first."""
        past = self._slots.get(slot)
        until = None if past is None or past.learned is None else past.learned_at
        acts = [
            Voted(Act.PROMISED, promise.ballot, at)
            for promise, at in self._ranges
            if promise.first <= slot and (promise.last is None or slot <= promise.last)
            if until is None or at <= until
        ]
        return sorted([*acts, *(past.voted if past is not None else ())], key=lambda voted: (voted.at, voted.ballot))

    def learned(self, slot: Slot) -> Learned | None:
        """How the slot was learned; None where that is not remembered."""
        past = self._slots.get(slot)
        if past is None or past.learned is None or past.vote is None:
            return None
        return Learned(past.learned, past.vote, past.learned_at)

    def _past(self, slot: Slot) -> _Past:
        past = self._slots.get(slot)
        if past is None:
            past = self._slots[slot] = _Past()
        return past
