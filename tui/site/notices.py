"""What the outcome line shows: sentences that stay until they are dismissed, or over.

Rules that hold here:
- Bad news is never replaced by good news about something else: it waits in line until it was dismissed.
- What is over goes by itself: an older word on the same thing when a newer one comes (`about`, `ends`), what waits for
  slots when these are settled (`awaits`), what is so for a while when it is so no more (`holds`), and a complaint when
  its reader goes on to something else.
- Good news is replaced by newer news; all that came of anything is kept in the history for a while.
- What is under way is shown before any notice. What its reader cannot see meanwhile he neither dismisses nor answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from engine.core.entry import Operation
from tui.rows import Row

HISTORY_MAX: Final = 200
WAITING_MAX: Final = 20


COMPLAINT: Final = "complaint"
"""What a complaint is about: whatever its reader asked for last."""

FILL: Final = "fill"
"""What is said of a fill without a result; and that it is under way."""

CHANGE: Final = "change"
"""What is said of a change of the members; and that one is under way."""

SUBMIT: Final = "submit"
SEARCH: Final = "search"
STOP: Final = "stop"
"""What else may be under way."""


def always() -> bool:
    """Of what stays true: that something was done."""
    return True


class Offer(Enum):
    """What one can do next about an outcome."""

    RETRY = "retry"
    EDIT = "edit"
    SETTLE = "settle"
    WAIT = "wait"


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence, what it offers, and what those offers are about.

    It goes when a newer one comes of which `ends` has what this one is `about`, when all slots are settled that it
    `awaits`, and when what it says no longer `holds`.
    """

    said: Row
    mood: Mood
    offers: tuple[Offer, ...] = ()
    operation: Operation | None = None
    slot: int | None = None
    about: Hashable = None
    ends: frozenset[Hashable] = frozenset()
    awaits: frozenset[int] = frozenset()
    holds: Callable[[], bool] = always
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class NoticeBoard:
    def __init__(self, changed: Callable[[], None]) -> None:
        self.history: deque[Notice] = deque(maxlen=HISTORY_MAX)
        self._bad: deque[Notice] = deque(maxlen=WAITING_MAX)
        self._good: Notice | None = None
        self._remarked = False
        self._meanwhile = False
        """The remark answers its reader while something else is under way."""
        self._answer: Notice | None = None
        self._put_away: deque[Notice] = deque(maxlen=WAITING_MAX)
        self._under_way: dict[Hashable, Callable[[], Row | None]] = {}
        self._changed = changed

    # What is under way.

    def begin(self, what: Hashable, words: Callable[[], Row | None]) -> None:
        """`what` is under way (a fill, a search, events), in these words; what began last is told first."""
        self._under_way.pop(what, None)
        self._under_way[what] = words
        self._changed()

    def end(self, what: Hashable) -> None:
        self._under_way.pop(what, None)
        self._changed()

    @property
    def is_busy(self) -> bool:
        """Something is under way, which is shown before any notice."""
        return self.doing() is not None

    def doing(self) -> Row | None:
        """What is under way, in words; None where nothing is."""
        return next((said for words in reversed(self._under_way.values()) if (said := words()) is not None), None)

    def others_doing(self) -> list[Row]:
        """What else than events is under way, each in words."""
        each = ((what, words()) for what, words in self._under_way.items())
        return [said for what, said in each if what != SUBMIT and said is not None]

    # What is shown.

    @property
    def shown(self) -> Notice | None:
        """The notice that the outcome line shows: the newest good one, else the newest bad one."""
        return self._good or (self._bad[-1] if self._bad else None)

    @property
    def answer(self) -> Notice | None:
        """What the reader was answered while something was under way: it is seen beneath that, and beneath what came
        of it."""
        if self._answer is not None:
            return self._answer
        return self._good if self._remarked and self.is_busy else None

    @property
    def seen(self) -> Notice | None:
        """The notice that can be read now, and so be answered by a key."""
        return self.answer if self.is_busy else self.shown

    @property
    def waiting(self) -> int:
        """How many bad ones wait beneath the one that is shown."""
        return len(self._bad) - (0 if self._good is not None else min(1, len(self._bad)))

    def offers_below(self, offer: Offer) -> bool:
        """Whether one of those that cannot be read now offers this."""
        return any(offer in notice.offers for notice in self._bad if notice is not self.seen)

    def put_away(self, offer: Offer) -> Notice | None:
        """The newest of those that offer this and were dismissed; None if none was."""
        return next((notice for notice in reversed(self._put_away) if offer in notice.offers), None)

    def offering(self, offer: Offer) -> list[Operation]:
        """What this is offered for, where that was not dismissed, the oldest first."""
        return [told.operation for told in self._bad if offer in told.offers and told.operation is not None]

    # What is told.

    def add(self, notice: Notice) -> None:
        self.history.append(notice)
        self._keep(lambda told: told.about not in notice.ends)
        if self._remarked and self._meanwhile:
            self._answer = self._good
        elif not self.is_busy:
            self._answer = None
        self._remarked = False
        if notice.mood is Mood.BAD:
            self._good = None
            self._bad.append(notice)
        else:
            self._good = notice
        self._changed()

    def amend(self, told: Notice, better: Notice) -> None:
        """Something more is known of what `told` says: `better` stands in its place, wherever that still is."""
        self.history = deque((better if notice is told else notice for notice in self.history), self.history.maxlen)
        if self._good is told:
            self._good = better
        self._changed()

    def remark(self, notice: Notice) -> None:
        """Shows something that need not be kept; it answers its reader, as a complaint did."""
        self._keep(lambda told: told.about != COMPLAINT)
        self._good, self._remarked, self._meanwhile, self._answer = notice, True, self.is_busy, None
        self._changed()

    def report(self, notice: Notice) -> None:
        """Remarks what came of something that its reader asked for, no event: it is kept as outcomes are."""
        self.history.append(notice)
        self.remark(notice)

    def asked(self) -> None:
        """The reader asks for something else: a complaint about his last question, and its answer, have been read."""
        self._keep(lambda told: told.about != COMPLAINT)
        self._remarked, self._answer = False, None
        self._changed()

    # What is over.

    def settled(self, is_settled: Callable[[int], bool]) -> None:
        """Tells of slots that need not be waited for any more."""
        self._drop(lambda told: not told.awaits or not all(map(is_settled, told.awaits)))

    def review(self) -> None:
        """What is known has changed: what was so for a while may be over."""
        self._drop(lambda told: told.holds())

    def _drop(self, holds: Callable[[Notice], bool]) -> None:
        """Takes away what does not hold any more, wherever it is shown."""
        self._keep(holds)
        if self._good is not None and not holds(self._good):
            self._good = None
        if self._answer is not None and not holds(self._answer):
            self._answer = None

    def _keep(self, holds: Callable[[Notice], bool]) -> None:
        """Keeps of the bad ones, and of those that were dismissed, what still holds."""
        self._bad = deque(filter(holds, self._bad), self._bad.maxlen)
        self._put_away = deque(filter(holds, self._put_away), self._put_away.maxlen)

    def dismiss_remark(self) -> None:
        """Takes away what was remarked; what is bad stays."""
        if self._answer is not None:
            self._answer = None
        else:
            self._good = None
        self._changed()

    def dismiss(self) -> bool:
        """Takes away what can be read, as its reader wishes; False if that is nothing."""
        told = self.seen
        if told is None:
            return False
        if self.is_busy:
            self.dismiss_remark()
            return True
        self._answer = None
        if told is self._good:
            self._good = None
        else:
            self._bad.pop()
            if told.offers:
                self._put_away.append(told)
        self._changed()
        return True

    def take(self, told: Notice) -> None:
        """Its reader does what it offers: it is told no more."""
        self._keep(lambda notice: notice is not told)
        self._answer = None
        if told is self._good:
            self._good = None
        self._changed()
