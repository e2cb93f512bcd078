"""What a site remembers of its newest slots since it started: when it voted, when and from whom it learned. For people.

Rules that hold here:
- Memory alone, and boundedly: no commit is larger or later for it, and a restart forgets it. What is durable of a slot
  (maxPrepare, accNum, accVal, the learned entry) is in its row.
- It is read off the effects of each step, and no decision of the protocol reads it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.core.effects import Effects, SawLearned
from engine.core.ids import Ballot, Slot, Tick
from engine.core.log.learner import Origin
from engine.core.messages import Act
from engine.core.spans import Spans
from engine.core.storage import RangePromise, WriteRanges, WriteVote
from engine.core.value import Value

LEARNED_MAX: Final = 4_096
"""How many runs of which it is remembered how they were learned."""
VOTES_MAX: Final = 8_192
"""How many votes, of a slot or of several at once, are remembered; the newest."""
RANGES_MAX: Final = 16
ACTS_MAX: Final = 16
"""How many votes of a slot are told; the newest."""


class Deed(Value):
    act: Act
    ballot: Ballot
    at: Tick


class Learned(Value):
    """Of a run; its entries are not remembered."""

    origin: Origin
    at: Tick


class _Vote(Value):
    first: Slot
    last: Slot
    deed: Deed


class SlotHistory:
    def __init__(self) -> None:
        self._votes: deque[_Vote] = deque(maxlen=VOTES_MAX)
        self._learned: Spans[Learned] = Spans(lambda learned, _skip, _count: learned)
        self._ranges: deque[tuple[RangePromise, Tick]] = deque(maxlen=RANGES_MAX)

    def take(self, now: Tick, effects: Effects) -> None:
        """Remembers what one step did."""
        for write in effects.writes:
            match write:
                case WriteVote(first, last, vote) if vote.promised is not None:
                    act = Act.ACCEPTED if vote.accepted == vote.promised else Act.PROMISED  # A2: accepting raises it
                    self._votes.append(_Vote(first, last, Deed(act, vote.promised, now)))
                case WriteRanges(ranges):
                    known = {promise.ballot for promise, _ in self._ranges}
                    self._ranges.extend((promise, now) for promise in ranges if promise.ballot not in known)
                case _:
                    pass
        for saw in effects.observations:
            if type(saw) is SawLearned:
                origin = Origin(saw.how, saw.ballot, saw.source, saw.votes)
                self._learned.put(saw.run.first, saw.run.last, Learned(origin, now))
        while len(self._learned) > LEARNED_MAX:
            lowest = next(iter(self._learned))
            self._learned.remove(lowest.first, lowest.last)

    def acts(self, slot: Slot) -> list[Deed]:
        """What is remembered of this site's votes at `slot`, range promises included: oldest first."""
        learned = self.learned(slot)
        ranged = [
            Deed(Act.PROMISED, promise.ballot, at)
            for promise, at in self._ranges
            if promise.first <= slot and (promise.last is None or slot <= promise.last)
            if learned is None or at <= learned.at
        ]
        own = [vote.deed for vote in self._votes if vote.first <= slot <= vote.last][-ACTS_MAX:]
        return sorted([*ranged, *own], key=lambda deed: (deed.at, deed.ballot))

    def learned(self, slot: Slot) -> Learned | None:
        """How the slot was learned; None where that is not remembered."""
        return self._learned.get(slot)
