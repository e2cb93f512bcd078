"""The screen's connection to a site's engine: a tui.connection in asyncio, which is made again where it is lost.

Rules that hold here:
- A call ends: in its answer, or in RequestFailed.
- A lost connection is made again for as long as the link runs; it waits between tries, longer each time.
- What the engine tells unasked goes to one listener, in the order in which it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, assert_never

from engine.contract.answers import Outcome, Topic
from engine.contract.errors import EngineLost, NoEngine
from engine.contract.notifications import Acknowledged, EngineStops, Item
from engine.contract.params import Params
from engine.contract.requests import ChangeMembers, Submit, Subscribe
from engine.site_files import socket_to_ask
from tui.connection import Answer, Connection, Ended, Event, Told

_A = TypeVar("_A")

WATCHED: Final = frozenset(Topic) - {Topic.RECORD}
"""What a screen is told of. An engine records nothing, and sends nothing of it, that nobody asked for."""

RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 3.0
_CHUNK_BYTES: Final = 2**18


class Listener(Protocol):
    """Who is told what the engine says unasked. The methods return at once."""

    def connected(self) -> None:
        """A connection is up and subscribed: nothing known before it is certain any more."""

    def lost(self, why: str) -> None:
        """The connection went away, or could not be made."""

    def stopping(self, reason: str, exit_status: int) -> None:
        """The engine stops by itself; `lost` follows."""

    def observed(self, items: Sequence[Item], dropped: int) -> None:
        """Items of the subscribed topics; `dropped` trace items were left out before them."""


class Link:
    def __init__(self, socket_path: Path, listener: Listener) -> None:
        self._socket_path = socket_path
        self._listener = listener
        self._connection = Connection()
        self._writer: asyncio.StreamWriter | None = None
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._acknowledged: dict[int, Callable[[str], None]] = {}
        """Who is told the id of his event, by the number of the request, until it has an outcome."""
        self.down = asyncio.Event()
        """Set while no engine is connected."""
        self.down.set()

    @property
    def up(self) -> bool:
        return self._writer is not None

    async def run(self) -> None:
        """Connects, listens and connects again, until cancelled."""
        clock = asyncio.get_running_loop().time
        wait_s = RETRY_FIRST_S
        while True:
            began = clock()
            try:
                at = socket_to_ask(self._socket_path)
                if at is None:
                    raise FileNotFoundError(errno.ENOENT, "no socket", self._socket_path)
                reader, writer = await asyncio.open_unix_connection(at)
            except OSError as refused:
                why = _why(refused)
            else:
                why = await self._serve(reader, writer)
            if clock() - began > RETRY_MAX_S:
                wait_s = RETRY_FIRST_S
            self._listener.lost(why)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def ask(self, asked: Params[_A]) -> _A:
        """The answer to one request. Raises RequestRefused, NoEngine, EngineLost, BadAnswer."""
        answer: _A = await self._send(asked)[1]
        return answer

    async def submit(self, event: Submit | ChangeMembers, acknowledged: Callable[[str], None]) -> Outcome:
        """As `ask`; before the outcome `acknowledged` is told the event's id, once the engine has told it."""
        number, answer = self._send(event)
        self._acknowledged[number] = acknowledged
        outcome: Outcome = await answer
        return outcome

    def _send(self, asked: Params[Any]) -> tuple[int, asyncio.Future[Any]]:
        if self._writer is None:
            raise NoEngine("no engine was connected")
        number, line = self._connection.ask(asked)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        self._calls[number] = answer
        # Requests are small and their number is bounded by what a person does, so the buffer needs no drain.
        self._writer.write(line)
        return number, answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Handles one connection until it ends; returns why it did."""
        self._connection = Connection()
        self._writer = writer
        self.down.clear()
        self._send(Subscribe(topics=WATCHED))
        self._listener.connected()
        try:
            while self._connection.ended is None:
                for event in await self._events(reader):
                    self._take(event)
            return str(self._connection.ended.why)
        finally:
            self._writer = None
            self.down.set()
            lost = EngineLost("the connection to the engine went away before it answered")
            for number in list(self._calls):
                self._end(Answer(number, None, lost))
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _events(self, reader: asyncio.StreamReader) -> list[Event]:
        try:
            return self._connection.receive(await reader.read(_CHUNK_BYTES))
        except OSError as error:
            return self._connection.end(_why(error))

    def _take(self, event: Event) -> None:
        match event:
            case Answer():
                self._end(event)
            case Acknowledged(request, id_) if isinstance(request, int) and request in self._acknowledged:
                self._acknowledged[request](id_)
            case Acknowledged():
                pass  # nobody asked for it
            case Told(items, dropped):
                self._listener.observed(items, dropped)
            case EngineStops(reason, exit_status):
                self._listener.stopping(reason, exit_status)
            case Ended():
                pass  # `_serve` looks for it
            case _:
                assert_never(event)

    def _end(self, answer: Answer) -> None:
        call = self._calls.pop(answer.number)
        self._acknowledged.pop(answer.number, None)
        if call.done():  # nobody awaits it any more
            return
        if answer.failed is None:
            call.set_result(answer.result)
        else:
            call.set_exception(answer.failed)


def _seen(answer: asyncio.Future[Any]) -> None:
    """Marks an error as looked at: a caller that was cancelled meanwhile never will."""
    if not answer.cancelled():
        answer.exception()


def _why(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "no engine is running"
        case ConnectionRefusedError():
            return "no engine is running (its control socket is left over)"
        case OSError(errno=errno.EAGAIN | errno.ENOTCONN):  # more wait to be let in than it has room for
            return "the engine does not answer"
        case _:
            return error.strerror or str(error)
