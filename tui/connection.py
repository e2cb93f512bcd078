"""One connection to a site's engine, as JSON-RPC 2.0 has it (docs/control.md), without a socket, a clock or a task.

Rules that hold here:
- Bytes come in and go out by the caller. How they are cut into pieces changes nothing of what they tell.
- Each request ends once: in its Answer, or with the connection.
- What is no message of the protocol is not believed: it ends the connection. What was told before it counts.
- What a later version tells unasked (a notification, a topic) is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from engine.contract.errors import BadAnswer, EngineLost, NoAnswer, RequestFailed, RequestRefused
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.notifications import Acknowledged, EngineStops, Item, Observed
from engine.contract.params import Params
from engine.contract.requests import answer_to, method_and_params
from engine.contract.shape import read

_OTHER_VERSION: Final = "it is of another version, restart it"


@dataclass(frozen=True, slots=True)
class Answer:
    """How request `number` ended: in a result, as its class has it, or `failed`."""

    number: int
    result: Any
    failed: RequestFailed | None = None

    def value(self) -> Any:
        """The result. Raises RequestRefused, BadAnswer."""
        if self.failed is not None:
            raise self.failed
        return self.result


@dataclass(frozen=True, slots=True)
class Told:
    """Items of the subscribed topics; `dropped` trace items were left out before them."""

    items: tuple[Item, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing comes any more; `why` is also what every request without an answer ends in."""

    why: NoAnswer


Incoming = Answer | Acknowledged | Told | EngineStops
Event = Incoming | Ended


class Connection:
    def __init__(self) -> None:
        self.ended: Ended | None = None
        self._numbers = 0
        self._open: dict[int, Callable[[object], Any]] = {}
        """How the answer is read, by the number of its request."""
        self._partial = bytearray()
        self._stopping: EngineLost | None = None

    def ask(self, asked: Params[Any]) -> tuple[int, bytes]:
        """A new request: its number, and what is to be sent. Raises NoAnswer where the connection has ended."""
        return self.request(*method_and_params(asked), partial(answer_to, asked))

    def request(
        self, method: str, params: Mapping[str, object], reading: Callable[[object], Any] = lambda raw: raw
    ) -> tuple[int, bytes]:
        """As `ask`, of what has no class; the result is as `reading` makes it."""
        if self.ended is not None:
            raise self.ended.why
        self._numbers += 1
        self._open[self._numbers] = reading
        message = {"jsonrpc": "2.0", "id": self._numbers, "method": method, "params": params}
        return self._numbers, orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)

    def receive(self, chunk: bytes) -> list[Event]:
        """What these bytes tell, in order; no bytes are their end. After Ended there is nothing."""
        events: list[Event] = []
        if self.ended is not None:
            return events
        try:
            self._take(chunk, events)
        except NoAnswer as why:
            events += self._end(why)
        return events

    def end(self, why: str) -> list[Event]:
        """No more bytes can be had, for a reason that the caller knows."""
        return self._end(EngineLost(why))

    def _end(self, why: NoAnswer) -> list[Event]:
        if self.ended is not None:
            return []
        self.ended = Ended(self._stopping or why)
        self._partial.clear()
        return [self.ended]

    def _take(self, chunk: bytes, events: list[Event]) -> None:
        """Raises NoAnswer: nothing after it can be believed."""
        if not chunk:
            raise EngineLost("the engine closed the connection")
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._grow(end)
            event = self._told(bytes(self._partial))
            self._partial.clear()
            if event is not None:
                events.append(event)
        self._grow(rest)

    def _grow(self, piece: bytes) -> None:
        if len(self._partial) + len(piece) > LINE_BYTES_MAX:
            raise EngineLost(f"the engine sent a line of more than {LINE_BYTES_MAX} bytes: {_OTHER_VERSION}")
        self._partial += piece

    def _told(self, line: bytes) -> Incoming | None:
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise EngineLost("what answers at the control socket does not speak JSON: restart the engine") from error
        match message:
            case {"id": bool()}:
                raise _no_message()
            case {"id": int(number), "error": {"code": int(code), "message": str(text)}}:
                self._close(number)
                return Answer(number, None, RequestRefused(code, text))
            case {"id": int(number), "result": result}:
                return _answer(number, self._close(number), result)
            case {"id": None, "error": {"message": str(text)}}:
                raise EngineLost(f"the engine refused what it was sent: {text}")
            case {"method": "observed", "params": params}:
                observed = read(Observed, params)
                return Told(tuple(observed.known()), observed.dropped)
            case {"method": "acknowledged", "params": params}:
                return read(Acknowledged, params)
            case {"method": "stopping", "params": params}:
                return self._note_stopping(params)
            case {"method": str(), "params": dict()}:
                return None
            case _:
                raise _no_message()

    def _close(self, number: int) -> Callable[[object], Any]:
        """How the answer to that request is read; there is no second."""
        reading = self._open.pop(number, None)
        if reading is None:
            what = " a second time" if 1 <= number <= self._numbers else ", which was not made"
            raise EngineLost(f"the engine answered request {number}{what}: {_OTHER_VERSION}")
        return reading

    def _note_stopping(self, params: object) -> EngineStops | None:
        """Whatever its version, an engine that says so stops."""
        try:
            stops = read(EngineStops, params)
        except BadAnswer:
            self._stopping = EngineLost("the engine stopped")
            return None
        self._stopping = EngineLost(stops.reason, stops.exit_status)
        return stops


def _answer(number: int, reading: Callable[[object], Any], result: object) -> Answer:
    try:
        return Answer(number, reading(result))
    except BadAnswer as bad:
        return Answer(number, None, bad)


def _no_message() -> EngineLost:
    words = "what answers at the control socket does not speak this program's JSON-RPC"
    return EngineLost(f"{words}: restart the engine, in this program's version")
