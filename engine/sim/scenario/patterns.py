"""Patterns of messages: which of them a command is about.

Rules that hold here:
- A datagram matches where one of its messages does: messages to one site share a datagram.
- Greetings and heartbeats match where they are named, and not otherwise: they keep the cluster alive and are rarely
  what a scenario is about.
- A pattern says what must hold; what it leaves out is free.
- A pattern with numbers names single messages, those that are held and those on their way (`Onlookers` numbers them).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, assert_never

from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Message
from engine.core.said import Role

_T = TypeVar("_T")


class Which(StrEnum):
    """Of those that match, in the order in which they were sent."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"

    def of(self, found: list[_T]) -> list[_T]:
        match self:
            case Which.ALL:
                return found
            case Which.FIRST:
                return found[:1]
            case Which.LAST:
                return found[-1:]
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`types`, `senders`, `addressees` and `numbers` are free where they are empty."""

    which: Which = Which.ALL
    types: frozenset[str] = frozenset()
    senders: frozenset[SiteId] = frozenset()
    addressees: frozenset[SiteId] = frozenset()
    slot: Slot | None = None
    ballot: Ballot | None = None
    numbers: frozenset[int] = frozenset()

    def matches(self, number: int | None, sender: SiteId, to: SiteId, messages: tuple[Message, ...]) -> bool:
        if self.numbers and number not in self.numbers:
            return False
        if (self.senders and sender not in self.senders) or (self.addressees and to not in self.addressees):
            return False
        return any(self._is_about(message) for message in messages)

    def _is_about(self, message: Message) -> bool:
        if (message.word() not in self.types) if self.types else is_upkeep(message):
            return False
        if self.ballot is not None and self.ballot not in message.ballots():
            return False
        return self.slot is None or message.covers(self.slot, self.slot)


def is_upkeep(message: Message) -> bool:
    return message.role is Role.SIGN
