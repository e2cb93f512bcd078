"""What leaves for one site together: messages of a kind that stand side by side become one.

Rules that hold here:
- Messages carry many slots: to say the same of each slot in a message of its own costs both ends the rest of it.
- Nothing is said that the single messages did not say: exactly their slots, at exactly their ballot (A4, B3).
- Order stays, and each message fits a datagram (W4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engine.core.log.pages import cost_bytes
from engine.core.messages import Accept, Accepted, Chosen, HandOn, Message
from engine.core.run import Run, joined

_SPAN_BYTES: Final = 40


def bundled(messages: Sequence[Message], page_bytes: int) -> tuple[Message, ...]:
    """The messages, each joined with those right after it that say the same of more slots, up to `page_bytes`."""
    return tuple(_joining(messages, page_bytes) if len(messages) > 1 else messages)


def _joining(messages: Sequence[Message], page_bytes: int) -> Iterator[Message]:
    last, room = messages[0], -1
    for message in messages[1:]:
        joined: Message | None = None
        size = -1
        if type(message) is type(last):
            size = _size_bytes(message)
            room = page_bytes - _size_bytes(last) if room < 0 else room
            joined = _joined(last, message) if size <= room else None
        if joined is None:
            yield last
            last, room = message, -1
        else:
            last, room = joined, room - size
    yield last


def _joined(one: Message, other: Message) -> Message | None:
    """Both in one message; None where they do not say the same."""
    match one, other:
        case Accept(ballot, run), Accept(same, more) if ballot == same and run.last + 1 == more.first:
            return Accept(ballot, Run(run.first, run.entries + more.entries))
        case Accepted(ballot, spans), Accepted(same, added) if ballot == same:
            return Accepted(ballot, joined((*spans, *added)))
        case Chosen(first, last, ballot, entries), Chosen(after, end, same, later) if (
            last + 1 == after and ballot == same and bool(entries) == bool(later)
        ):
            return Chosen(first, end, ballot, entries + later)
        case HandOn(events, relayed), HandOn(following, again):
            if (events[-1].author, relayed) == (following[0].author, again):
                return HandOn(events + following, relayed)
            return None
        case _:
            return None


def _size_bytes(message: Message) -> int:
    """What its entries take, at most; of messages that are not joined, nothing."""
    match message:
        case Accept(run=run):
            return cost_bytes(run.entries)
        case Accepted(spans=spans):
            return _SPAN_BYTES * len(spans)
        case Chosen(entries=entries):
            return cost_bytes(entries)
        case HandOn(entries=events):
            return cost_bytes(events)
        case _:
            return 0
