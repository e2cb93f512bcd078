"""What a site's screen sent and is in no log, or not known to be: it survives leaving the screen.

Rules that hold here:
- The file is one site's, `DATA/SITE/unsent`, replaced whole; it is written whenever what it holds changes, so that it
  survives a screen that is killed.
- What may be in a log is kept with all that tells what became of it, never as a draft: sent again it might be
  there twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from engine.contract.requests import EventKind
from engine.core.entry import Block, Operation, Tweet, Unblock
from engine.core.ids import SiteId
from tui.site.draft import replace_file

KEPT_MAX: Final = 40
UNSENT_BYTES_MAX: Final = 256 * 1024


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """An event; `words` is its text, or the site that it is about. `in_no_log`: that is certain.

    The others are those of `Pending` (tui.site.pending).
    """

    kind: EventKind
    words: str
    in_no_log: bool
    id: str | None = None
    number_before: int = 0
    engine: str | None = None

    @classmethod
    def of(cls, operation: Operation, **known: Any) -> Unsent:
        match operation:
            case Tweet(text):
                return cls(kind=EventKind.TWEET, words=text, **known)
            case Block(target):
                return cls(kind=EventKind.BLOCK, words=target, **known)
            case Unblock(target):
                return cls(kind=EventKind.UNBLOCK, words=target, **known)
            case _:
                raise TypeError("a person submits tweets, blocks and unblocks")

    @property
    def operation(self) -> Operation:
        return operation_of(self.kind, self.words)


def operation_of(kind: EventKind, words: str) -> Operation:
    """`words`: the text of a tweet, else the site that is blocked or unblocked."""
    match kind:
        case EventKind.TWEET:
            return Tweet(words)
        case EventKind.BLOCK:
            return Block(SiteId(words))
        case EventKind.UNBLOCK:
            return Unblock(SiteId(words))


class UnsentFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "unsent"
        self._kept: tuple[Unsent, ...] = ()

    def load(self) -> tuple[Unsent, ...]:
        """What was kept, the oldest first; nothing if it cannot be read."""
        try:
            with self._path.open("rb") as file:
                self._kept = msgspec.json.decode(file.read(UNSENT_BYTES_MAX), type=tuple[Unsent, ...])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            self._kept = ()
        return self._kept

    def save(self, events: tuple[Unsent, ...]) -> None:
        """Keeps the newest of these; one that cannot be written is not tried again. Raises OSError."""
        newest = events[-KEPT_MAX:]
        if newest != self._kept:
            self._kept = newest
            replace_file(self._path, msgspec.json.encode(newest) if newest else b"")
