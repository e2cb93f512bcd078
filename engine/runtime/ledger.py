"""What all clients of the control socket together cost, and who goes first where that is too much.

Rules that hold here:
- What waits for a client to read, what it sent of a line that has no end yet, and its requests that the node has not
  taken, are held for it. In sum that is at most HELD_BYTES_MAX; above it, whoever has most held is cut off, so that
  nobody pays for another.
- Lines that several clients share count for each of them: the sum is never less than the memory.
- A client that left leaves its requests behind: they count until the node has taken them, and until they are answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

HELD_BYTES_MAX: Final = 32 * 1024 * 1024
UNANSWERED_MAX: Final = 131_072
CONNECTIONS_MAX: Final = 2_000


class Load(StrEnum):
    """What is held for a client, in words."""

    UNREAD = "answers that it has not read"
    LINE = "an unfinished request line"
    REQUESTS = "requests that were not handled yet"


class Holder(Protocol):
    def cut_off(self, held_bytes: int, most: Load) -> None:
        """Ends it at once; nothing is held for it any more."""


@dataclass(slots=True)
class _Account:
    connected: bool = True
    unanswered: int = 0
    bytes_of: dict[Load, int] = field(default_factory=lambda: dict.fromkeys(Load, 0))

    @property
    def held_bytes(self) -> int:
        return sum(self.bytes_of.values())


class Ledger:
    def __init__(self) -> None:
        self._accounts: dict[Holder, _Account] = {}
        self._connected = 0
        self.held_bytes = 0
        self.unanswered = 0

    def enter(self, holder: Holder) -> bool:
        """False: there are too many, and it is not let in."""
        if self._connected >= CONNECTIONS_MAX:
            return False
        self._accounts[holder] = _Account()
        self._connected += 1
        return True

    def leave(self, holder: Holder) -> None:
        """Its requests alone are held for it from now on. May be called again."""
        self._release(holder, (Load.UNREAD, Load.LINE))

    def drop(self, holder: Holder) -> None:
        """As `leave`, and its requests that the node has not taken are dropped too."""
        self._release(holder, tuple(Load))

    def hold(self, holder: Holder, what: Load, change_bytes: int) -> None:
        """More is held for it, or less. Of one that left, only less of what it left."""
        account = self._accounts.get(holder)
        if account is None or not (account.connected or account.bytes_of[what]):
            return
        account.bytes_of[what] += change_bytes
        self.held_bytes += change_bytes
        if not account.connected:
            self._tidy(holder, account)
        while self.held_bytes > HELD_BYTES_MAX:
            worst = max(self._accounts, key=lambda each: self._accounts[each].held_bytes)
            worst_bytes_of = dict(self._accounts[worst].bytes_of)
            self.drop(worst)
            worst.cut_off(sum(worst_bytes_of.values()), max(worst_bytes_of, key=worst_bytes_of.__getitem__))

    def ask(self, holder: Holder, change: int) -> None:
        """More of its requests wait for their answers, or fewer."""
        if (account := self._accounts.get(holder)) is not None:
            account.unanswered += change
            self.unanswered += change
            if not account.connected:
                self._tidy(holder, account)

    def _release(self, holder: Holder, kinds: tuple[Load, ...]) -> None:
        account = self._accounts.get(holder)
        if account is None:
            return
        self._connected -= account.connected
        account.connected = False
        for kind in kinds:
            self.held_bytes -= account.bytes_of[kind]
            account.bytes_of[kind] = 0
        self._tidy(holder, account)

    def _tidy(self, holder: Holder, account: _Account) -> None:
        if not (account.connected or account.unanswered or account.held_bytes):
            del self._accounts[holder]
