"""What all clients of the control socket together cost, and who goes first where that is too much.

Rules that hold here:
- What waits for a client to read, what it sent of a line that has no end yet, and its requests that the node has not
  taken, are held for it. In sum that is at most HELD_BYTES_MAX; above it, whoever has most held is cut off, so that
  nobody pays for another.
- Lines that several clients share count for each of them: the sum is never less than the memory.
"""

from __future__ import annotations

from typing import Final, Protocol

HELD_BYTES_MAX: Final = 32 * 1024 * 1024
UNANSWERED_MAX: Final = 131_072
CONNECTIONS_MAX: Final = 2_000


class Holder(Protocol):
    def cut_off(self, held_bytes: int) -> None:
        """Ends it at once; nothing is held for it any more."""


class Ledger:
    def __init__(self) -> None:
        self._held: dict[Holder, int] = {}
        self._unanswered: dict[Holder, int] = {}
        self.held_bytes = 0
        self.unanswered = 0

    def enter(self, holder: Holder) -> bool:
        """False: there are too many, and it is not let in."""
        if len(self._held) >= CONNECTIONS_MAX:
            return False
        self._held[holder] = self._unanswered[holder] = 0
        return True

    def leave(self, holder: Holder) -> None:
        """May be called again."""
        self.held_bytes -= self._held.pop(holder, 0)
        self.unanswered -= self._unanswered.pop(holder, 0)

    def hold(self, holder: Holder, change_bytes: int) -> None:
        """More is held for it, or less."""
        if holder not in self._held:
            return
        self._held[holder] += change_bytes
        self.held_bytes += change_bytes
        while self.held_bytes > HELD_BYTES_MAX:
            worst = max(self._held, key=self._held.__getitem__)
            held_bytes = self._held[worst]
            self.leave(worst)
            worst.cut_off(held_bytes)

    def ask(self, holder: Holder, change: int) -> None:
        """More of its requests wait for their answers, or fewer."""
        if holder in self._unanswered:
            self._unanswered[holder] += change
            self.unanswered += change
