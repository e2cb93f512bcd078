"""Which slots a message is about: for the trace of one slot, and for fault rules that name slots.

Rules that hold here:
- A span whose last slot is None covers all slots after its first (A3).
- A message about no slot (a greeting, a heartbeat) covers none; nor does a question about a slot's past.
"""

from __future__ import annotations

from typing import assert_never

from engine.core.ids import Slot
from engine.core.messages import (
    Accept,
    Accepted,
    Ask,
    AskHighest,
    AskSlot,
    Chosen,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Message,
    Prepare,
    Promise,
    Refused,
    SlotState,
    Welcome,
)


def covers(message: Message, first: Slot, last: Slot) -> bool:
    """Whether `message` says something about any slot of `first` to `last`."""
    match message:
        case Prepare() | Promise() | Known():
            return _meets(message.first, message.last, first, last)
        case Accept():
            return any(first <= entry.slot <= last for entry in message.entries)
        case Accepted():
            return any(first <= slot <= last for slot in message.slots)
        case Refused():
            return any(_meets(span.first, span.last, first, last) for span in message.spans)
        case Chosen():
            return any(first <= chosen.slot <= last for chosen in message.slots)
        case Ask():
            return any(_meets(span_first, span_last, first, last) for span_first, span_last in message.spans)
        case AskHighest() | Highest() | Hello() | Welcome() | Heartbeat() | HandOn() | AskSlot() | SlotState():
            return False
        case _:
            assert_never(message)


def _meets(span_first: Slot, span_last: Slot | None, first: Slot, last: Slot) -> bool:
    return span_first <= last and (span_last is None or span_last >= first)
