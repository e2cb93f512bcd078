"""The part of the raw log that the screen holds: a few pages of slots, the least recently read ones dropped.

Rules that hold here:
- What is held does not grow with the log: at most PAGES_MAX pages of PAGE_SLOTS slots.
- The newest word about a slot wins; answers and notifications come in one order, on one connection.
- A slot of a fetched page has a line until it is told that it may have changed, so that nothing is asked for twice.
- No-ops in a row are known as such from a page that has some of them, or from their lines as they come.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from engine.contract.answers import LogLine, LogPage, LogState, NoOps
from engine.contract.limits import NO_OPS_MIN
from engine.contract.no_ops import is_no_op
from engine.contract.notifications import LogSpan
from tui.site.folds import Stretches

PAGE_SLOTS: Final = 128
PAGES_MAX: Final = 16


def page_of(slot: int) -> int:
    return (slot - 1) // PAGE_SLOTS


def span_of(page: int) -> tuple[int, int]:
    """The first and last slot of a page."""
    return page * PAGE_SLOTS + 1, (page + 1) * PAGE_SLOTS


class LogPages:
    def __init__(self) -> None:
        self.used_max = 0
        self.prefix = 0
        self.no_ops = Stretches()
        self._tip = 0  # a slot above used_max that this site attempts
        self._pages: OrderedDict[int, dict[int, LogLine]] = OrderedDict()

    @property
    def last(self) -> int:
        """The last slot that has a row: used, or attempted by this site."""
        return max(self.used_max, self._tip)

    def line(self, slot: int) -> LogLine | None:
        """What is known of a slot; None if its page has to be fetched."""
        page = self._pages.get(page_of(slot))
        if page is None:
            return None
        self._pages.move_to_end(page_of(slot))
        return page.get(slot)

    def merge(self, page: int, fetched: LogPage) -> None:
        """Takes the answer to a question for all slots of `page`."""
        self.used_max = max(self.used_max, fetched.used_max)
        self.prefix = max(self.prefix, fetched.prefix)
        lines = {line.slot: line for line in fetched.lines}
        first, last = span_of(page)
        for slot in range(first, min(last, self.last) + 1):
            lines.setdefault(slot, _unheard(slot))
        self._pages[page] = lines
        self._pages.move_to_end(page)
        while len(self._pages) > PAGES_MAX:
            self._pages.popitem(last=False)
        for stretch in fetched.no_ops:
            self.no_ops.learn(stretch)

    def learn(self, line: LogLine) -> None:
        """A slot changed. Pages that nobody reads stay unfetched, but for the newest."""
        if line.state != LogState.PROMISED:  # a promise uses nothing
            self.used_max = max(self.used_max, line.slot)
        elif line.attempt is not None:
            self._tip = max(self._tip, line.slot)
        elif line.slot == self._tip:
            self._tip = 0
        page = page_of(line.slot)
        if page in self._pages:
            self._pages[page][line.slot] = line
        elif page == page_of(self.last):
            self._pages[page] = {line.slot: line}
        if is_no_op(line):
            self.no_ops.learn(self._around(line.slot))

    def outdate(self, span: LogSpan) -> None:
        """Slots of this span may have changed: what is known of them counts no longer."""
        self.used_max = max(self.used_max, span.used_max)
        self.prefix = max(self.prefix, span.prefix)
        for lines in self._pages.values():
            for slot in [slot for slot in lines if span.first <= slot <= span.last]:
                del lines[slot]

    def _around(self, slot: int) -> NoOps:
        """The no-ops beside this one, as far as they make a stretch of it."""
        first = last = slot
        while last - first + 1 < NO_OPS_MIN and self._has_no_op(first - 1):
            first -= 1
        while last - first + 1 < NO_OPS_MIN and self._has_no_op(last + 1):
            last += 1
        return NoOps(first, last, None)

    def _has_no_op(self, slot: int) -> bool:
        line = self._pages.get(page_of(slot), {}).get(slot)
        return line is not None and is_no_op(line)

    def forget(self) -> None:
        """After a lost connection everything is read anew; the length is kept until then."""
        self._pages.clear()
        self._tip = 0


def _unheard(slot: int) -> LogLine:
    return LogLine(slot, LogState.HOLE, *(None,) * 10)
