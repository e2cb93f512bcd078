"""Which slots hold what somebody looks for: the index tells which may, and each of those is looked at.

Rules that hold here:
- What is found is what the log, or the timeline, shows now. The index only spares reading what cannot hold it.
- What is not indexed yet is read, some slots a request, and handed to the index: so whoever searches pays for it, once,
  and a commit never does.
- A request takes some milliseconds, in which the site does nothing else; whoever asks goes on below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engine.contract.answers import Found, LogState
from engine.contract.limits import SEARCHED_MAX
from engine.contract.words import entry_words
from engine.core.entry import AT_MS_MAX, Kind
from engine.core.ids import SiteId, Slot, StoreId
from engine.core.replica import Replica
from engine.core.storage import SlotText, Storage
from engine.runtime import shapes

LOOKED_AT_MAX: Final = 32
"""So many slots that may hold what is looked for are looked at for one request."""
TOGETHER: Final = 32
"""Slots that lie no farther apart are read as one page."""
_EVERYWHERE: Final = f"{Kind.TWEET} {LogState.CHOSEN}"
"""What nearly all slots say is not indexed."""


class WordIndex(Protocol):
    """What is indexed of the prefix; nothing of it raises."""

    def begin(self, life: StoreId) -> None:
        """It is of the store of this life."""

    def begin_of(self, slot: Slot, /) -> Slot | None: ...

    def end_below(self, slot: Slot, /) -> Slot: ...

    def add(self, first: Slot, last: Slot, texts: Iterable[tuple[Slot, str]]) -> None: ...

    def find(self, words: Sequence[str], first: Slot, last: Slot, limit: int, /) -> list[Slot] | None: ...

    def close(self) -> None: ...


class NoWords:
    """Nothing is indexed: all is read."""

    def begin(self, life: StoreId) -> None:
        pass

    def begin_of(self, _slot: Slot, /) -> Slot | None:
        return None

    def end_below(self, _slot: Slot, /) -> Slot:
        return Slot(0)

    def add(self, first: Slot, last: Slot, texts: Iterable[tuple[Slot, str]]) -> None:
        pass

    def find(self, _words: Sequence[str], _first: Slot, _last: Slot, _limit: int, /) -> list[Slot] | None:
        return None

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for. `words` are case-folded; `hidden` are those whose tweets the timeline does not show."""

    words: tuple[str, ...]
    author: str | None
    since_ms: int | None
    in_timeline: bool
    hidden: frozenset[SiteId]

    @property
    def needles(self) -> list[str]:
        """What of it the index knows."""
        words = [word for word in self.words if word not in _EVERYWHERE]
        return words if self.author is None else [_author(self.author), *words]

    def is_in(self, said: SlotText) -> bool:
        if self.in_timeline and (not said.shown or said.author in self.hidden):
            return False
        if self.author is not None and said.author != self.author:
            return False
        if self.since_ms is not None and not _is_since(said, self.since_ms):
            return False
        shown = [part.casefold() for part in (shapes.tweet_of if self.in_timeline else shapes.line_of)(said)]
        return all(any(word in part for part in shown) for word in self.words)


class Searching:
    def __init__(self, replica: Replica, storage: Storage, words: WordIndex, life: StoreId) -> None:
        """`life`: that of the store."""
        self._replica = replica
        self._storage = storage
        self._words = words
        self._life = life
        self._begun = False

    def find(self, sought: Sought, first: Slot, below: Slot | None) -> Found:
        """In the slots from `first` on, `below` one or up to the newest. Raises StoreError."""
        if not self._begun:
            self._words.begin(self._life)
            self._begun = True
        top = self._replica.used_max
        last = top if below is None else min(Slot(below - 1), top)
        if last < first:
            return Found((), first)
        begin = self._words.begin_of(last)
        if begin is not None:
            first = max(begin, first)
            may = self._words.find(sought.needles, first, last, LOOKED_AT_MAX)
            if may is not None:
                return Found(tuple(sorted(self._held(may, sought))), first if len(may) < LOOKED_AT_MAX else may[0])
        first = max(first, Slot(last - SEARCHED_MAX + 1), Slot(0 if begin else self._words.end_below(last) + 1))
        texts = self._storage.texts(first, last)
        if begin is None:
            self._index(first, min(last, self._replica.prefix), texts)
        return Found(tuple(each.slot for each in texts if sought.is_in(each)), first)

    def _held(self, slots: Sequence[Slot], sought: Sought) -> set[Slot]:
        """Which of these hold what is looked for."""
        wanted = set(slots)
        return {
            each.slot
            for first, last in _pages(slots)
            for each in self._storage.texts(first, last)
            if each.slot in wanted and sought.is_in(each)
        }

    def _index(self, first: Slot, last: Slot, texts: Sequence[SlotText]) -> None:
        if first <= last and self._is_settled(last):
            self._words.add(first, last, ((each.slot, _indexed(each)) for each in texts if each.slot <= last))

    def _is_settled(self, slot: Slot) -> bool:
        """Whether the store has all up to `slot` in its prefix: what was chosen just now may not be committed yet."""
        rows = self._storage.log_rows(slot, slot)
        return bool(rows) and rows[0].void is not None


def _is_since(said: SlotText, since_ms: int) -> bool:
    at_ms = shapes.at_ms_of(said)
    return at_ms is not None and min(at_ms, AT_MS_MAX) >= since_ms


def _pages(slots: Sequence[Slot]) -> Iterator[tuple[Slot, Slot]]:
    """Ascending slots as pages from one to another."""
    first = last = slots[0] if slots else Slot(0)
    for slot in slots[1:]:
        if slot > last + TOGETHER:
            yield first, last
            first = slot
        last = slot
    if slots:
        yield first, last


def _indexed(said: SlotText) -> str:
    """All words of a line of the log, and of the timeline, but for what is everywhere."""
    kind, argument = shapes.kind_and_argument(said)
    words = argument if kind == Kind.TWEET else f"{kind}\n{entry_words(kind, said.author, argument)}"
    return f"{_author(said.author or '')}{words}".casefold()


def _author(name: str) -> str:
    """An author as no other text has it: no line ends within a text."""
    return f"\n{name}\n"
