"""The site's metrics over HTTP, for Prometheus and its like: `GET /metrics`, and nothing else.

Rules that hold here:
- Whoever asks costs the site a bounded time and memory: so many are served at once, a request and its answer have so
  long, and a connection has one request. Whoever comes above that is closed.
- Nothing that is measured is worth a site: what goes wrong here is said, and the site goes on.
- It only reads, and asks nobody for a name: that is for the network that it listens in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11
import trio

from engine.contract.metrics import Metrics
from engine.openmetrics import exposition

PATH: Final = "/metrics"
SERVED_AT_ONCE_MAX: Final = 16
PATIENCE_S: Final = 10.0
"""How long a request and its answer may take."""

REQUEST_BYTES_MAX: Final = 16_384
_CHUNK_BYTES: Final = 4_096
_DRAINED_MAX: Final = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    content_type: str
    headers: Sequence[tuple[str, str]] = ()


class Exporter:
    """Listens; `serve` answers with what `told` says at that moment."""

    def __init__(self, listeners: Sequence[trio.SocketListener]) -> None:
        self._listeners = listeners
        self.served = 0
        """How many are, at present."""

    @property
    def address(self) -> tuple[str, int]:
        host, port, *_ = self._listeners[0].socket.getsockname()
        return host, port

    def close(self) -> None:
        for listener in self._listeners:
            listener.socket.close()

    async def serve(self, told: Callable[[], Metrics]) -> None:
        """Until it is cancelled."""

        async def handle(stream: trio.SocketStream) -> None:
            if self.served >= SERVED_AT_ONCE_MAX:
                await trio.aclose_forcefully(stream)
                return
            self.served += 1
            try:
                with trio.move_on_after(PATIENCE_S):
                    await _answer(stream, told)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                _log.debug("the client that asked for metrics disconnected: %s", error)
            finally:
                self.served -= 1
                await trio.aclose_forcefully(stream)

        await trio.serve_listeners(handle, [*self._listeners])


async def listen(host: str, port: int) -> Exporter:
    """Raises OSError: EADDRINUSE, EADDRNOTAVAIL, or gaierror for a host name without an address."""
    return Exporter(await trio.open_tcp_listeners(port, host=host))


async def _answer(stream: trio.SocketStream, told: Callable[[], Metrics]) -> None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
    try:
        request = await _request(connection, stream)
    except h11.RemoteProtocolError as error:
        await _respond(connection, stream, _in_words(error.error_status_hint, str(error)))
        return
    if request is not None:
        await _respond(connection, stream, _response(request, told), is_head=request.method == b"HEAD")


def _response(request: h11.Request, told: Callable[[], Metrics]) -> Response:
    if request.target.partition(b"?")[0] != PATH.encode():
        return _in_words(404, f"metrics are at {PATH}")
    if request.method not in {b"GET", b"HEAD"}:
        return _in_words(405, "only GET and HEAD are supported", ("Allow", "GET, HEAD"))
    accept = ",".join(value.decode("latin-1") for name, value in request.headers if name == b"accept")
    try:
        return Response(200, *exposition(told(), accept))
    except Exception:
        _log.exception("a bug: metrics cannot be served; please report it with the lines below")
        return _in_words(500, "a bug: metrics cannot be served; the engine's log has the details")


def _in_words(status: int, sentence: str, *headers: tuple[str, str]) -> Response:
    return Response(status, f"{sentence}\n".encode(), "text/plain; charset=utf-8", headers)


async def _request(connection: h11.Connection, stream: trio.SocketStream) -> h11.Request | None:
    """Of a request its head: a body says nothing here. None where nobody asks. Raises h11.RemoteProtocolError."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await stream.receive_some(_CHUNK_BYTES))


async def _respond(
    connection: h11.Connection, stream: trio.SocketStream, response: Response, *, is_head: bool = False
) -> None:
    headers = [
        ("Content-Type", response.content_type),
        ("Content-Length", str(len(response.body))),
        ("Connection", "close"),
        *response.headers,
    ]
    body = b"" if is_head else response.body
    head = h11.Response(status_code=response.status, reason=HTTPStatus(response.status).phrase, headers=headers)
    events = (head, h11.Data(data=body), h11.EndOfMessage())
    await stream.send_all(b"".join(connection.send(event) or b"" for event in events))
    await stream.send_eof()
    # What waits unread when a connection is closed would reset it, and its answer with it.
    for _ in range(_DRAINED_MAX):
        if not await stream.receive_some(_CHUNK_BYTES):
            break
