"""Many entries, cut into messages that fit a datagram.

Rules that hold here:
- A page is as long as its budget at the most, unless one entry alone is longer (W4).
- An answer is a bounded number of messages of a bounded size, each saying exactly which slots it covers (W3, W4, A4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from engine.core.entry import Entry
from engine.core.ids import Slot
from engine.core.log.learner import Learner
from engine.core.messages import Ask, Known
from engine.core.run import Run

PAGES_PER_ANSWER: Final = 16
"""One question is answered with at most so many messages (W3)."""

SPAN_BYTES: Final = 96
"""What a refused span takes in a message, at most."""

ENTRY_BYTES_MIN: Final = 128
"""What an entry takes in a message, its body apart."""


def cost_bytes(entries: Sequence[Entry]) -> int:
    """What entries take in a message, at most: their bodies as JSON, and slot, ballot, author, numbers around each."""
    bodies = "".join([entry.body for entry in entries])
    return len(bodies.encode()) + bodies.count('"') + bodies.count("\\") + ENTRY_BYTES_MIN * len(entries)


def fitting(entries: Sequence[Entry], budget_bytes: int) -> int:
    """How many of the first ones fit."""
    if cost_bytes(entries) <= budget_bytes:
        return len(entries)
    for count, entry in enumerate(entries):
        budget_bytes -= cost_bytes((entry,))
        if budget_bytes < 0:
            return count
    return len(entries)


def entry_pages(entries: tuple[Entry, ...], page_bytes: int) -> Iterator[tuple[Entry, ...]]:
    """The entries in order, in pages."""
    while entries:
        count = max(1, fitting(entries, page_bytes))
        yield entries[:count]
        entries = entries[count:]


def run_pages(runs: Iterable[Run], page_bytes: int) -> Iterator[Run]:
    """The runs in order, each in as few as fit a page."""
    for run in runs:
        slot = run.first
        for page in entry_pages(run.entries, page_bytes):
            yield Run(slot, page)
            slot = Slot(slot + len(page))


def answer(learner: Learner, message: Ask, page_bytes: int) -> Iterator[Known]:
    """What this site has learned of the spans asked for; at most PAGES_PER_ANSWER messages, each exact (W3)."""
    pages = 0
    for first, last in message.spans:
        covered_to = Slot(first - 1)
        page: list[Run] = []
        budget = page_bytes
        for run in learner.learned(first, last):
            left = run
            while (count := fitting(left.entries, budget)) < len(left.entries):
                if not page:
                    count = max(1, count)
                if count:
                    page.append(left.cut(left.first, Slot(left.first + count - 1)))
                yield Known(message.nonce, Slot(covered_to + 1), page[-1].last, tuple(page))
                pages += 1
                if pages == PAGES_PER_ANSWER:
                    return
                covered_to, page, budget = page[-1].last, [], page_bytes
                if count == len(left.entries):
                    break
                left = left.cut(Slot(left.first + count), left.last)
            else:
                page.append(left)
                budget -= cost_bytes(left.entries)
        yield Known(message.nonce, Slot(covered_to + 1), last, tuple(page))
        pages += 1
        if pages == PAGES_PER_ANSWER:
            return
