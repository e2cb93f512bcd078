"""The control socket's server: connections, lines, queues. What the methods mean is for those who answer them.

Rules that hold here:
- The socket is made only while the store's lock is held, so whatever lies at its path is stale. Its mode is 0600.
- Where the path is too long for a socket, it lies in the runtime folder, and a link to it at the path.
- A connection is one task that reads and one that writes; the node never waits for either. What comes together is
  decoded, counted and handed on together, and so is what is answered together.
- What is said in a pass the node itself gives to the kernel, at its end. What the kernel does not take, and what is
  said at another time, is the writing task's.
- A client that does not read is cut off at QUEUE_BYTES_MAX, or where all together hold too much (`ledger`). Leaving out
  trace lines long before that is the subscriptions' part; nothing else is ever left out.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from engine.contract.errors import ErrorCode
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.notifications import EngineStops
from engine.contract.params import CallId
from engine.contract.requests import Patient
from engine.contract.shape import Shape
from engine.runtime import jsonrpc, ledger
from engine.runtime.inbox import Asked, Inbox
from engine.runtime.jsonrpc import CallFailed, Requested
from engine.runtime.ledger import Ledger, Load
from engine.runtime.log import CUT_OFFS
from engine.site_files import socket_to_bind

QUEUE_BYTES_MAX: Final = 8 * 1024 * 1024
UNANSWERED_MAX: Final = 65_536
SOCKET_MODE: Final = 0o600
_CHUNK_BYTES: Final = 65_536
_WRITE_BYTES: Final = 262_144
_LINE_COST_BYTES: Final = 100  # what a queued line takes beside its content
_REQUEST_COST_BYTES: Final = 400  # what a request takes beside its line
_BACKLOG: Final = 64
_FLUSH_S: Final = 1.0
_DRAIN_S: Final = 1.0
_DRAIN_BYTES_MAX: Final = 16 * 1024 * 1024

_log = logging.getLogger(__name__)
_cut_offs = logging.getLogger(CUT_OFFS)


class Connection:
    """One client. The node answers and notifies through it without waiting."""

    def __init__(self, stream: trio.SocketStream, number: int, inbox: Inbox, ledger: Ledger) -> None:
        self._stream = stream
        self._number = number
        self._inbox = inbox
        self._ledger = ledger
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._unanswered = 0
        self._work = trio.Event()
        self._writing = False
        self._emptied = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    def answer(self, call_id: CallId, value: Shape) -> None:
        self.answer_all(((call_id, value),))

    def answer_all(self, answers: Sequence[tuple[CallId, Shape]]) -> None:
        lines = jsonrpc.results(answers)
        self._count(-len(answers))
        self.notify(lines)

    def fail(self, failed: CallFailed) -> None:
        if failed.call_id is not None:
            self._count(-1)
        self.notify(jsonrpc.failure(failed))

    def notify(self, line: bytes) -> None:
        if self._closed:
            return
        if not (self._queue or self._inbox.spoken(self)):
            self._work.set()
        self._queue.append(line)
        self._queued_bytes += len(line)
        if self._queued_bytes > QUEUE_BYTES_MAX:
            self.cut_off(self._queued_bytes, Load.UNREAD)
        else:
            self._ledger.hold(self, Load.UNREAD, len(line) + _LINE_COST_BYTES)

    def cut_off(self, held_bytes: int, most: Load) -> None:
        _cut_offs.warning(
            "client %d is disconnected: %d bytes are held for it, mostly %s", self._number, held_bytes, most
        )
        self.close()
        self._ledger.drop(self)
        self._count(-self._inbox.drop(self))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._inbox.ring()  # what is bound to this connection ends with it
        self._queue.clear()
        self._queued_bytes = 0
        self._ledger.leave(self)
        self._scope.cancel()

    def taken(self, size_bytes: int) -> None:
        self._ledger.hold(self, Load.REQUESTS, -size_bytes)

    def _count(self, change: int) -> None:
        self._unanswered += change
        self._ledger.ask(self, change)

    async def serve(self) -> None:
        """Until the other end is done or the connection is closed."""
        try:
            with self._scope:
                async with self._stream, trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    await self._read()
                    # The other end may have shut down its sending half alone: it still gets its answers.
                    await self._until_answered()
                    nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("client %d disconnected", self._number)
        finally:
            self.close()
            self._emptied.unpark_all()

    async def flushed(self) -> None:
        """Until everything given to this connection was taken by the kernel."""
        while self._queued_bytes and not self._closed:
            await self._emptied.park()

    async def _until_answered(self) -> None:
        while self._unanswered > 0 or self._queued_bytes:
            await self._emptied.park()

    def flush(self) -> None:
        """Gives the kernel what it takes without waiting."""
        while self._queue and not self._writing:
            batch, lines = self._next_batch()
            try:
                sent = os.write(self._stream.socket.fileno(), batch)
            except OSError:  # it takes nothing now, or the other end is gone: the writing task finds out which
                sent = 0
            if sent < len(batch):
                self._queue.appendleft(batch[sent:])
                self._written(sent, lines - 1)
                self._work.set()
                return
            self._written(sent, lines)

    def _written(self, sent_bytes: int, lines: int) -> None:
        self._queued_bytes -= sent_bytes
        self._ledger.hold(self, Load.UNREAD, -sent_bytes - _LINE_COST_BYTES * lines)
        if not self._queue:
            self._emptied.unpark_all()

    async def _write(self) -> None:
        while True:
            while self._queue:
                batch, lines = self._next_batch()
                self._writing = True
                await self._stream.send_all(batch)
                self._writing = False
                self._written(len(batch), lines)
            self._work = trio.Event()
            await self._work.wait()

    def _next_batch(self) -> tuple[bytes, int]:
        """Queued lines, and how many."""
        lines = [self._queue.popleft()]
        size = len(lines[0])
        while self._queue and size < _WRITE_BYTES:
            lines.append(self._queue.popleft())
            size += len(lines[-1])
        return b"".join(lines), len(lines)

    async def _read(self) -> None:
        rest = b""
        while chunk := await self._received():
            held = len(rest)
            *lines, rest = (rest + chunk).split(b"\n")
            self._ledger.hold(self, Load.LINE, len(rest) - held)
            asked = self._asked(lines)
            self._ledger.hold(self, Load.REQUESTS, sum([each.size_bytes for each in asked]))
            if self._closed:  # cut off meanwhile: what it asked is dropped
                return
            self._count(len(asked))
            await self._inbox.put(asked)
            if len(rest) > LINE_BYTES_MAX:
                message = f"a line is at most {LINE_BYTES_MAX} bytes: the connection closes"
                self.fail(CallFailed(ErrorCode.NOT_A_REQUEST, message))
                await self._say_no_more()
                return

    async def _received(self) -> bytes:
        """What the other end said next; nothing once it says nothing more. As the stream does it, but for that it waits
        before it reads: what is asked mostly comes after the answer."""
        while True:
            await trio.lowlevel.wait_readable(self._stream.socket)
            try:
                return os.read(self._stream.socket.fileno(), _CHUNK_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError from error

    async def _say_no_more(self) -> None:
        """Lets the other end read what was said to it, boundedly.

        Closing while something waits unread would reset the connection, and its answers with it.
        """
        await self._until_answered()
        with suppress(trio.BrokenResourceError):
            await self._stream.send_eof()
            with trio.move_on_after(_DRAIN_S):
                for _ in range(_DRAIN_BYTES_MAX // _CHUNK_BYTES):
                    if not await self._stream.receive_some(_CHUNK_BYTES):
                        break

    def _asked(self, lines: Sequence[bytes]) -> list[Asked]:
        """The requests on these lines; those that are wrong are answered with an error, and blank ones are none."""
        asked: list[Asked] = []
        is_roomy = self._unanswered + len(lines) < UNANSWERED_MAX
        is_roomy = is_roomy and self._ledger.unanswered + len(lines) < ledger.UNANSWERED_MAX
        for line in lines:
            if not line or line.isspace():
                continue
            try:
                call = jsonrpc.requested(line)
                if not is_roomy:
                    self._check_room(call, len(asked))
            except CallFailed as failed:
                self.notify(jsonrpc.failure(failed))
            else:
                asked.append(Asked(self, call.id, call.params, len(line) + _REQUEST_COST_BYTES))
        return asked

    def _check_room(self, call: Requested, before: int) -> None:
        """`before`: so many came with it, and are not counted yet. Raises CallFailed."""
        if self._unanswered + before >= UNANSWERED_MAX:
            raise _too_many(call.id, self._unanswered + before)
        # What is answered at once is bounded by its bytes: even then a person sees what is going on.
        if self._ledger.unanswered + before >= ledger.UNANSWERED_MAX and isinstance(call.params, Patient):
            raise _too_many(call.id, self._ledger.unanswered + before)


class ControlServer:
    """Listens on the control socket; `close` takes it away, `finish` ends the connections."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, UnusableFolder."""
        self._path = path
        self.bound_at = socket_to_bind(path)
        self._connections: set[Connection] = set()
        self._ledger = Ledger()
        self._accepted = 0
        self._accepting = trio.CancelScope()
        self._listening = True
        self._listener = _listen(self.bound_at)
        if self.bound_at != path:
            _link(path, self.bound_at)

    async def serve(self, inbox: Inbox) -> None:
        """Until `close`, and then until the last connection is closed."""

        async def handle(stream: trio.SocketStream) -> None:
            self._accepted += 1
            connection = Connection(stream, self._accepted, inbox, self._ledger)
            if not self._ledger.enter(connection):
                await _turn_away(stream)
                return
            self._connections.add(connection)
            try:
                await connection.serve()
            finally:
                self._connections.discard(connection)
                self._ledger.leave(connection)

        async with trio.open_nursery() as nursery:
            with self._accepting:
                await trio.serve_listeners(handle, [self._listener], handler_nursery=nursery)

    def close(self) -> None:
        """Takes the socket away, once: nobody connects any more. While the lock is held, so it is this engine's."""
        if not self._listening:
            return
        self._listening = False
        self._accepting.cancel()
        self._listener.socket.close()
        self.bound_at.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    async def finish(self, reason: str, exit_status: int) -> None:
        """Tells every client that the engine stops, waits a moment for slow ones and closes all connections."""
        farewell = jsonrpc.notification("stopping", EngineStops(reason, exit_status))
        connections = list(self._connections)
        for connection in connections:
            connection.notify(farewell)
        with trio.move_on_after(_FLUSH_S):
            async with trio.open_nursery() as nursery:
                for connection in connections:
                    nursery.start_soon(connection.flushed)
        for connection in connections:
            connection.close()


def _too_many(call_id: CallId, waiting: int) -> CallFailed:
    message = f"{waiting} requests are still unanswered: wait for some of them before you send more"
    return CallFailed(ErrorCode.REFUSED, message, call_id)


async def _turn_away(stream: trio.SocketStream) -> None:
    full = CallFailed(ErrorCode.REFUSED, "too many clients are connected: close some, or try again later")
    with suppress(trio.BrokenResourceError), trio.move_on_after(_FLUSH_S):
        await stream.send_all(jsonrpc.failure(full))


def _listen(path: Path) -> trio.SocketListener:
    """Raises OSError; a path of more than 107 bytes is one."""
    path.unlink(missing_ok=True)
    listening = trio.socket.from_stdlib_socket(_bound(path))
    listening.listen(_BACKLOG)
    return trio.SocketListener(listening)


def _link(path: Path, socket_path: Path) -> None:
    """Says in the site's folder where the socket is; one who reads it finds the old link or this one."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.symlink_to(socket_path)
    draft.replace(path)


def _bound(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        # Nobody can connect before `listen`, so the mode is right before the first that could.
        path.chmod(SOCKET_MODE)
    except OSError:
        bound.close()
        raise
    return bound
