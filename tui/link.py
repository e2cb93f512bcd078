"""The screen's connection to a site's engine: JSON-RPC 2.0 over the control socket (docs/control.md), in asyncio.

Rules that hold here:
- A call ends: in its result, in RpcError (the engine refuses), or in LinkLost (the connection is gone).
- A lost connection is made again for as long as the link runs; it waits between tries, longer each time.
- What the engine tells unasked goes to one listener, in the order in which it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import orjson

from engine.contract.answers import EngineStops, Item, Observed, Topic
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.requests import Params, Subscribe, answer_to, method_and_params
from engine.contract.shape import read
from engine.site_files import socket_to_ask

_A = TypeVar("_A")

RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 3.0


class LinkLost(Exception):
    """The connection to the engine is gone; what was asked may or may not have been done."""


class NotSent(LinkLost):
    """No engine was connected, so nothing was asked."""


class RpcError(Exception):
    """The engine refused a call. The message is a sentence that says what to do; `code` as in docs/control.md."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


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
        self._writer: asyncio.StreamWriter | None = None
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
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
                reader, writer = await asyncio.open_unix_connection(at, limit=LINE_BYTES_MAX + 1)
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
        """The answer to one request. Raises RpcError, LinkLost, BadAnswer."""
        return answer_to(asked, await self._send(asked))

    def _send(self, asked: Params[Any]) -> asyncio.Future[Any]:
        if self._writer is None:
            raise NotSent("no engine is connected")
        self._last_id += 1
        method, params = method_and_params(asked)
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[self._last_id] = answer
        # Requests are small and their number is bounded by what a person does, so the buffer needs no drain.
        self._writer.write(orjson.dumps(request) + b"\n")
        return answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Handles one connection until it ends; returns why it did."""
        self._writer = writer
        self.down.clear()
        subscribed = self._send(Subscribe(topics=frozenset(Topic)))
        subscribed.add_done_callback(_seen)
        self._listener.connected()
        try:
            while line := await reader.readline():
                self._take(line)
        except (OSError, ValueError) as broken:  # ValueError: not JSON, or a line longer than the protocol has
            return _why(broken)
        else:
            return "the engine closed the connection"
        finally:
            self._writer = None
            self.down.set()
            lost = LinkLost("the connection to the engine went away before it answered")
            for answer in self._calls.values():
                if not answer.done():
                    answer.set_exception(lost)
                    answer.add_done_callback(_seen)
            self._calls.clear()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, line: bytes) -> None:
        message = orjson.loads(line)
        match message:
            case {"method": "observed", "params": params}:
                told = read(Observed, params)
                self._listener.observed(told.known(), told.dropped)
            case {"method": "stopping", "params": params}:
                stops = read(EngineStops, params)
                self._listener.stopping(stops.reason, stops.exit_status)
            case {"id": int(request), "result": result}:
                self._answer(request).set_result(result)
            case {"id": int(request), "error": {"code": code, "message": text}}:
                answer = self._answer(request)
                answer.set_exception(RpcError(code, text))
                answer.add_done_callback(_seen)
            case {"id": None, "error": {"message": text}}:
                raise ValueError(f"the engine refused what it was sent: {text}")
            case _:
                raise ValueError("the engine sent what is no answer and no notification")

    def _answer(self, request: int) -> asyncio.Future[Any]:
        """The future of a request; of one that nobody awaits any more, or that was never made, a spare one."""
        answer = self._calls.pop(request, None)
        if answer is None or answer.done():
            return asyncio.get_running_loop().create_future()
        return answer


def _seen(answer: asyncio.Future[Any]) -> None:
    """Marks an error as looked at: a caller that was cancelled meanwhile never will."""
    if not answer.cancelled():
        answer.exception()


def _why(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "no engine is running"
        case ConnectionRefusedError():
            return "no engine is running (its control socket is left over)"
        case OSError(errno=errno.EAGAIN | errno.ENOTCONN):  # more wait to be let in than it has room for
            return "the engine does not answer"
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)
