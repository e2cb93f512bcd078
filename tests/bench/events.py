"""The events that the load submits, and how they are said on the control socket.

Rules that hold here:
- Nothing here waits or knows a socket: bytes come in and go out by the caller.
- Events are numbered from 1 in the order in which they are submitted; what is settled is told in runs of numbers, so
  that a request for one event and a request for many tell it alike.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from msgspec import Struct, json

from engine.contract.answers import OutcomeWord

EVENT_BYTES: Final = 200
TIMEOUT_S: Final = 60
_REFUSED: Final = "refused"


class Settled(NamedTuple):
    """Events `first` to `first + events - 1` came to `outcome`: an OutcomeWord, or that they were refused."""

    first: int
    events: int
    outcome: str


class Speech(Protocol):
    def submit(self, count: int) -> bytes:
        """What asks for the next `count` events."""

    def take(self, chunk: bytes) -> list[Settled]:
        """What these bytes tell."""


class _Outcome(Struct, gc=False):
    outcome: str


class _Message(Struct, gc=False):
    """An answer; a notification has no id, and is passed over."""

    id: int | None = None
    result: _Outcome | None = None


def text_of(number: int) -> str:
    """A text of EVENT_BYTES, unlike any other."""
    return f"{number:010d} ".ljust(EVENT_BYTES, "x")


class OneByOne:
    """A `submit` for each event, whose number is the request's id."""

    def __init__(self) -> None:
        self._last = 0
        self._partial = b""
        self._decoder = json.Decoder(_Message)

    def submit(self, count: int) -> bytes:
        first, self._last = self._last + 1, self._last + count
        return b"".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"kind":"tweet","text":"%s","timeout_s":%d}}\n'
            % (number, text_of(number).encode(), TIMEOUT_S)
            for number in range(first, self._last + 1)
        )

    def take(self, chunk: bytes) -> list[Settled]:
        whole, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._partial += rest
            return []
        lines, self._partial = self._partial + whole, rest
        return [
            Settled(message.id, 1, _REFUSED if message.result is None else message.result.outcome)
            for message in self._decoder.decode_lines(lines)
            if message.id is not None
        ]


CREATED: Final = OutcomeWord.CREATED.value
