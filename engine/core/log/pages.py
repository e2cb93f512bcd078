"""Many entries, cut into messages that fit a datagram.

Rules that hold here:
- A page is as long as its budget at the most, unless one entry alone is longer (W4).
- An answer is a bounded number of messages of a bounded size, each saying exactly which slots it covers (W3, W4, A4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
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

_SOME: Final = 64
"""So many entries are looked at together, as long as all of them fit."""

_ESCAPED: Final = ('"', "\\")
_body_of: Final[Callable[[Entry], str]] = attrgetter("body")


def cost_bytes(entries: Sequence[Entry]) -> int:
    """What entries take in a message, at most: their bodies as JSON, and slot, ballot, author, numbers around each."""
    return _quoted_bytes("".join(map(_body_of, entries))) + ENTRY_BYTES_MIN * len(entries)


def fitting(entries: Sequence[Entry], budget_bytes: int) -> int:
    """How many of the first ones fit. What it costs to find out grows with them, not with how many do not."""
    count, some = 0, _SOME
    while some:
        looked_at = entries[count : count + some]
        needed_bytes = cost_bytes(looked_at)
        if needed_bytes > budget_bytes:
            some = min(some, len(looked_at)) // 2
            continue
        budget_bytes -= needed_bytes
        count += len(looked_at)
        if len(looked_at) < some:
            break
    return count


def _quoted_bytes(text: str) -> int:
    """As JSON. (To find out that a text has none of what JSON escapes is much quicker than to count it.)"""
    plain_bytes = len(text) if text.isascii() else len(text.encode())
    for escaped in _ESCAPED:
        if escaped in text:
            plain_bytes += text.count(escaped)
    return plain_bytes


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
    pages = (page for span in message.spans for page in _known(learner, *span, page_bytes))
    return (Known(message.nonce, *page) for page in islice(pages, PAGES_PER_ANSWER))


def _known(learner: Learner, first: Slot, last: Slot, page_bytes: int) -> Iterator[tuple[Slot, Slot, tuple[Run, ...]]]:
    """The span in pages: from where to where one goes, and what is learned of that."""
    begin, page, budget = first, list[Run](), page_bytes
    for run in learner.learned(first, last):
        left = run.entries
        while left:
            fits = max(fitting(left, budget), 0 if page else 1)
            if fits:
                page.append(Run(Slot(run.last + 1 - len(left)), left[:fits]))
                budget -= cost_bytes(left[:fits])
            left = left[fits:]
            if left:
                yield begin, page[-1].last, tuple(page)
                begin, page, budget = Slot(page[-1].last + 1), [], page_bytes
    yield begin, last, tuple(page)
