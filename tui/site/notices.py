"""What the outcome line shows: sentences that stay until they are dismissed, or over.

Rules that hold here:
- Bad news is never replaced by good news about something else: it waits in line until it was dismissed.
- What is over goes by itself: an older word on the same thing when a newer one comes (`about`, `ends`), what waits for
  slots when these are settled (`awaits`), and a complaint when its reader goes on to something else.
- Good news is replaced by newer news; everything is kept in the history for a while.
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
"""What is said of a fill without a result."""


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

    It goes when a newer one comes of which `ends` has what this one is `about`, and when all slots are settled that it
    `awaits`.
    """

    said: Row
    mood: Mood
    offers: tuple[Offer, ...] = ()
    operation: Operation | None = None
    slot: int | None = None
    about: Hashable = None
    ends: frozenset[Hashable] = frozenset()
    awaits: frozenset[int] = frozenset()
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class NoticeBoard:
    def __init__(self, changed: Callable[[], None]) -> None:
        self.history: deque[Notice] = deque(maxlen=HISTORY_MAX)
        self._bad: deque[Notice] = deque(maxlen=WAITING_MAX)
        self._good: Notice | None = None
        self._remarked = False
        self._doing: str | None = None
        self._changed = changed

    @property
    def doing(self) -> str | None:
        """What is under way (a fill, a search), in words; shown before any notice."""
        return self._doing

    @doing.setter
    def doing(self, words: str | None) -> None:
        self._doing = words
        self._changed()

    @property
    def shown(self) -> Notice | None:
        """The notice that the outcome line shows: the newest good one, else the newest bad one."""
        return self._good or (self._bad[-1] if self._bad else None)

    @property
    def remarked(self) -> Notice | None:
        """What the reader was answered last, which is not to be hidden by what is under way."""
        return self._good if self._remarked else None

    @property
    def waiting(self) -> int:
        """How many bad ones wait beneath the one that is shown."""
        return len(self._bad) - (0 if self._good is not None else min(1, len(self._bad)))

    def offers_below(self, offer: Offer) -> bool:
        """Whether one of those that wait beneath the one that is shown offers this."""
        return any(offer in notice.offers for notice in self._bad if notice is not self.shown)

    def add(self, notice: Notice) -> None:
        self.history.append(notice)
        self._keep(lambda told: told.about not in notice.ends)
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
        """Shows something that is no outcome and need not be kept; it answers its reader, as a complaint did."""
        self._keep(lambda told: told.about != COMPLAINT)
        self._good, self._remarked = notice, True
        self._changed()

    def dismiss_remark(self) -> None:
        """Takes away what was remarked; what is bad stays."""
        self._good = None
        self._changed()

    def asked(self) -> None:
        """The reader asks for something else: a complaint about his last question, and its answer, have been read."""
        self._keep(lambda told: told.about != COMPLAINT)
        self._remarked = False
        self._changed()

    def settled(self, is_settled: Callable[[int], bool]) -> None:
        """Tells of slots that need not be waited for any more."""

        def holds(told: Notice) -> bool:
            return not told.awaits or not all(map(is_settled, told.awaits))

        self._keep(holds)
        if self._good is not None and not holds(self._good):
            self._good = None

    def _keep(self, holds: Callable[[Notice], bool]) -> None:
        """Keeps of the bad ones those that still hold."""
        self._bad = deque(filter(holds, self._bad), self._bad.maxlen)

    def dismiss(self) -> bool:
        """Takes away what is shown; False if nothing was."""
        if self._good is not None:
            self._good = None
        elif self._bad:
            self._bad.pop()
        else:
            return False
        self._changed()
        return True
