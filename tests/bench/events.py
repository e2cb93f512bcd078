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
from engine.contract.limits import SUBMITTED_MAX

EVENT_BYTES: Final = 200
TIMEOUT_S: Final = 60

TOGETHER_FROM: Final = 1_024
"""A client that keeps so many events outstanding submits them many at once."""
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
    """Of one event, or of so many that came to the same end."""

    outcome: str
    count: int = 1


class _Outcomes(Struct, gc=False):
    spans: list[_Outcome]


class _Message(Struct, gc=False):
    """An answer; a notification has no id, and is passed over."""

    id: int | None = None
    result: _Outcome | None = None


class _MessageOfMany(Struct, gc=False):
    id: int | None = None
    result: _Outcomes | None = None


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


class Together:
    """A `submit_many` for as many events as it takes; its id is the number of the first one."""

    def __init__(self) -> None:
        self._last = 0
        self._counts: dict[int, int] = {}
        self._partial = b""
        self._decoder = json.Decoder(_MessageOfMany)

    def submit(self, count: int) -> bytes:
        lines: list[bytes] = []
        while count:
            first, taken = self._last + 1, min(count, SUBMITTED_MAX)
            self._counts[first] = taken
            self._last += taken
            count -= taken
            texts = b",".join(b'"%s"' % text_of(number).encode() for number in range(first, first + taken))
            params = b'{"texts":[%s],"timeout_s":%d}' % (texts, TIMEOUT_S)
            lines.append(b'{"jsonrpc":"2.0","id":%d,"method":"submit_many","params":%s}\n' % (first, params))
        return b"".join(lines)

    def take(self, chunk: bytes) -> list[Settled]:
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        settled: list[Settled] = []
        for message in map(self._decoder.decode, lines):
            if message.id is None:
                continue
            first, count = message.id, self._counts.pop(message.id)
            for span in [_Outcome(_REFUSED, count)] if message.result is None else message.result.spans:
                settled.append(Settled(first, span.count, span.outcome))
                first += span.count
        return settled


CREATED: Final = OutcomeWord.CREATED.value
