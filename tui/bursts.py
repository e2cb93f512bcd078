"""What a terminal sends, before it is parsed: pastes cut to size, and keys that came together told from others.

Rules that hold here:
- A burst is what comes without a pause of APART_S between: nobody types so fast on purpose. It is what a paste looks
  like where the terminal does not mark it as one. A key tells its burst (`burst_of`); a key that no terminal read tells
  none.
- Both are bounded, so that a screen is never busy for seconds: of a marked paste the first PASTE_MAX characters are
  taken, of a burst the first KEYS_MAX, and `TooMuch` tells of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from textual import events
from textual.message import Message

APART_S: Final = 0.1
KEYS_MAX: Final = 2_000
PASTE_MAX: Final = 4_000
PASTE_BEGINS: Final = "\x1b[200~"
PASTE_ENDS: Final = "\x1b[201~"
_MARK: Final = "loggos_burst"


def burst_of(key: events.Key) -> int | None:
    """Which burst a key came in."""
    burst: int | None = getattr(key, _MARK, None)
    return burst


def in_burst(key: events.Key, burst: int) -> events.Key:
    """The key, marked."""
    setattr(key, _MARK, burst)
    return key


class Pastes:
    """Takes marked pastes out of what a terminal sends, however long they are."""

    def __init__(self) -> None:
        self._pasted: str | None = None
        self._tail = ""

    def take(self, text: str) -> Iterator[str | events.Paste]:
        """What is left to be parsed, and pastes, in their order. A mark that two reads have parts of begins none."""
        while text:
            if self._pasted is None:
                before, begins, text = text.partition(PASTE_BEGINS)
                if before:
                    yield before
                if begins:
                    self._pasted = ""
                continue
            inside, ends, after = (self._tail + text).partition(PASTE_ENDS)
            self._tail = "" if ends else inside[1 - len(PASTE_ENDS) :]
            whole = inside if ends else inside[: len(inside) - len(self._tail)]
            self._pasted += whole[: max(0, PASTE_MAX - len(self._pasted))]
            text = after
            if ends:
                yield events.Paste(self._pasted)
                self._pasted = None


class TooMuch(Message):
    """More came at once than is taken."""


class Bursts:
    """Counts the bursts of one terminal."""

    def __init__(self) -> None:
        self._burst = 1
        self._room = KEYS_MAX
        self._told = False

    def cut(self, text: str) -> Iterator[str | TooMuch]:
        """What of `text` is taken, before it is parsed: parsing is what costs."""
        taken = text[: self._room]
        self._room -= len(taken)
        if taken:
            yield taken
        if len(taken) < len(text) and not self._told:
            self._told = True
            yield TooMuch()

    def mark(self, key: events.Key) -> None:
        in_burst(key, self._burst)

    def paused(self) -> None:
        """Nothing came for APART_S."""
        if self._room < KEYS_MAX:
            self._burst += 1
            self._room = KEYS_MAX
            self._told = False
