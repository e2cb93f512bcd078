"""Many entries, cut into messages that fit a datagram.

Rules that hold here:
- A page is as long as its budget at the most, unless one entry alone is longer (W4).
- An answer is a bounded number of messages of a bounded size, each saying exactly which slots it covers (W3, W4, A4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from engine.core.entry import Entry
from engine.core.ids import Slot
from engine.core.log.learner import Learner
from engine.core.messages import Ask, Known, LearnedSlot

Item = TypeVar("Item")

PAGES_PER_ANSWER: Final = 16
"""One question is answered with at most so many messages (W3)."""

SPAN_BYTES: Final = 96
"""What a refused span takes in a message, at most."""

_OVERHEAD_BYTES: Final = 128


def cost_bytes(entry: Entry) -> int:
    """What an entry takes in a message, at most: its body as JSON, and slot, ballot, author, numbers around it."""
    body = entry.body
    return len(body.encode()) + body.count('"') + body.count("\\") + _OVERHEAD_BYTES


def paged(items: Iterable[Item], cost_of: Callable[[Item], int], page_bytes: int) -> Iterator[tuple[Item, ...]]:
    """The items in order, in pages."""
    page: list[Item] = []
    budget = page_bytes
    for item in items:
        cost = cost_of(item)
        if page and cost > budget:
            yield tuple(page)
            page, budget = [], page_bytes
        page.append(item)
        budget -= cost
    if page:
        yield tuple(page)


def spans_of(slots: Iterable[Slot]) -> tuple[tuple[Slot, Slot], ...]:
    """Ascending slots as inclusive spans."""
    spans: list[tuple[Slot, Slot]] = []
    for slot in slots:
        if spans and spans[-1][1] == slot - 1:
            spans[-1] = (spans[-1][0], slot)
        else:
            spans.append((slot, slot))
    return tuple(spans)


def answer(learner: Learner, message: Ask, page_bytes: int) -> Iterator[Known]:
    """What this site has learned of the spans asked for; at most PAGES_PER_ANSWER messages, each exact (W3)."""
    pages = 0
    for first, last in message.spans:
        covered_to = Slot(first - 1)
        items: list[LearnedSlot] = []
        budget = page_bytes
        for item in learner.learned(first, last):
            cost = cost_bytes(item.entry)
            if items and cost > budget:
                yield Known(message.nonce, Slot(covered_to + 1), items[-1].slot, tuple(items))
                pages += 1
                if pages == PAGES_PER_ANSWER:
                    return
                covered_to, items, budget = items[-1].slot, [], page_bytes
            items.append(item)
            budget -= cost
        yield Known(message.nonce, Slot(covered_to + 1), last, tuple(items))
        pages += 1
        if pages == PAGES_PER_ANSWER:
            return
