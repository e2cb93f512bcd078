"""What is kept of each site that datagrams come from: of those alone that were heard last.

Rules that hold here:
- Whoever has the cluster's key may speak, under any name: so what is kept of senders is bounded in their number (R6).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from engine.core.ids import SITES_MAX, SiteId

SENDERS_MAX: Final = 3 * SITES_MAX
"""As many as vote, as many learners, and as many again that were, or are about to be, one of them."""

Kept = TypeVar("Kept")


class PerSender(Generic[Kept]):
    """`make` makes what is kept of one."""

    def __init__(self, make: Callable[[], Kept]) -> None:
        self._make = make
        self._kept: OrderedDict[SiteId, Kept] = OrderedDict()

    def of(self, sender: SiteId) -> Kept:
        """What is kept of this one, from now on if it was not: it was heard."""
        kept = self._kept.get(sender)
        if kept is None:
            kept = self._kept[sender] = self._make()
            if len(self._kept) > SENDERS_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(sender)
        return kept

    def get(self, sender: SiteId) -> Kept | None:
        return self._kept.get(sender)

    def __iter__(self) -> Iterator[tuple[SiteId, Kept]]:
        return iter(self._kept.items())
