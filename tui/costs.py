"""What an event costs, in words: of `counters.costs` in a site's status."""

from __future__ import annotations

from typing import Final

from engine.contract.status import Costs
from tui.counted import plural

KIB: Final = 1024


def in_words(costs: Costs) -> str:
    """`12.4 messages, 1.9 KiB, 3.0 syncs an event (37 events since start)`: what this site sends and syncs."""
    events, each = costs.events, costs.per_event
    if each.messages is None or each.bytes is None or each.syncs is None:
        return "none since start"
    size = each.bytes
    sent = f"{size / KIB:.1f} KiB" if size >= KIB else f"{size:.0f} bytes"
    since = f"({plural(events, 'event')} since start)"
    return f"{_few_digits(each.messages)} messages, {sent}, {_few_digits(each.syncs)} syncs an event {since}"


def _few_digits(number: float) -> str:
    """Two that say something of what is below 1."""
    return f"{number:.1f}" if number >= 1 else f"{number:.2g}"
