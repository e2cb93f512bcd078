"""A blocking client of a site's control socket: JSON-RPC 2.0, one object a line (docs/control.md).

Rules that hold here:
- Nothing is sent or received behind the caller's back: bytes move only inside `wait`, which is bounded by its timeout.
- `wait` reads while it writes, so a full socket buffer on either side never stops both ends.
- What an engine says is checked before it is believed: a line that is no JSON-RPC message ends the connection.
- Requests are answered in any order; the caller matches answers to requests by number.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from engine.contract.answers import EngineStops
from engine.contract.errors import ErrorCode
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.requests import Params, answer_to, method_and_params
from engine.contract.shape import BadAnswer, read
from engine.site_files import socket_to_ask
from tui.exits import CommandFailed, ExitStatus
from tui.selection import EnginePlace

_A = TypeVar("_A")

Json = dict[str, Any]

ANSWER_TIMEOUT_S: Final = 30.0
"""How long a question that the engine answers from what it has may take, before the engine counts as hung."""

_CHUNK_BYTES: Final = 2**18
_KNOCK_S: Final = 0.05
_CREDENTIALS: Final = struct.Struct("3i")  # process, user, group: struct ucred of unix(7)


class NoEngine(Exception):
    """Nobody answers at the socket's path: no engine runs there."""


class EngineLost(Exception):
    """The connection ended. `exit_status` is what the engine said of its end, None where it said nothing."""

    def __init__(self, reason: str, exit_status: int | None = None) -> None:
        super().__init__(reason)
        self.exit_status = exit_status


class EngineSilent(Exception):
    """The engine is connected and does not answer in time."""


class RequestRefused(Exception):
    """The engine answered with an error; `code` as in docs/control.md."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for request `number`: a result, or the error."""

    number: int
    result: Any
    error: RequestRefused | None

    def value(self) -> Any:
        """The result. Raises RequestRefused."""
        if self.error is not None:
            raise self.error
        return self.result


@dataclass(frozen=True, slots=True)
class Notification:
    method: str
    params: Json


Incoming = Answer | Notification


class Client:
    """One connection. `request` queues, `wait` moves bytes, `call` does both for a single question."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._numbers = 0
        self._unsent = bytearray()
        self._partial = bytearray()
        self._set_aside: deque[Incoming] = deque()
        self._stopping: EngineLost | None = None

    @classmethod
    def connect(cls, path: Path) -> Client:
        """Connects to the engine of this `control.sock`.

        Raises NoEngine where none listens, EngineSilent where none lets us in.
        """
        at = socket_to_ask(path)
        if at is None:
            raise NoEngine(f"nothing listens at {path}")
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(connected, at)
        except TimeoutError as error:
            connected.close()
            raise EngineSilent(f"the engine did not let anybody in within {ANSWER_TIMEOUT_S:g} s") from error
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            connected.close()
            raise NoEngine(f"nothing listens at {path}") from error
        except OSError as error:
            connected.close()
            raise NoEngine(f"{path}: {error.strerror or error}") from error
        return cls(connected)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, method: str, params: Json) -> int:
        """Queues a request and returns its number; `wait` sends it."""
        self._numbers += 1
        message = {"jsonrpc": "2.0", "id": self._numbers, "method": method, "params": params}
        self._unsent += orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)
        return self._numbers

    def send(self, asked: Params[Any]) -> int:
        """As `request`."""
        return self.request(*method_and_params(asked))

    def wait(self, timeout_s: float | None, others: Iterable[int] = ()) -> tuple[list[Incoming], set[int]]:
        """Waits until something arrived, one of the descriptors `others` is readable, or the time passed.

        Returns what arrived and which of `others` are readable; None waits without bound. Raises EngineLost, after
        everything that arrived before the end was handed out.
        """
        if self._set_aside:
            arrived, self._set_aside = list(self._set_aside), deque()
            return arrived, set()
        with selectors.PollSelector() as poll:
            for descriptor in others:
                poll.register(descriptor, selectors.EVENT_READ)
            poll.register(self._socket, selectors.EVENT_READ)
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while True:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
                poll.modify(self._socket, events)
                left_s = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = poll.select(left_s)
                readable = {key.fd for key, mask in ready if mask & selectors.EVENT_READ}
                own = self._socket.fileno()
                if any(key.fd == own and mask & selectors.EVENT_WRITE for key, mask in ready):
                    self._write()
                arrived = self._read() if own in readable else []
                if arrived or readable - {own} or not ready:
                    return arrived, readable - {own}

    def call(self, method: str, params: Json | None = None, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
        """Asks and returns the result. Raises RequestRefused, EngineLost, EngineSilent.

        Other messages that arrive meanwhile are kept for the next `wait`.
        """
        number = self.request(method, params or {})
        deadline = time.monotonic() + timeout_s
        kept: list[Incoming] = []
        try:
            while (left_s := deadline - time.monotonic()) > 0:
                arrived, _ = self.wait(left_s)
                answers = [one for one in arrived if isinstance(one, Answer) and one.number == number]
                kept.extend(one for one in arrived if one not in answers)
                if answers:
                    return answers[0].value()
        finally:
            self._set_aside.extend(kept)
        raise EngineSilent(f"the engine did not answer `{method}` within {timeout_s:g} s")

    def ask(self, asked: Params[_A], timeout_s: float = ANSWER_TIMEOUT_S) -> _A:
        """As `call`. Raises BadAnswer too."""
        method, params = method_and_params(asked)
        return answer_to(asked, self.call(method, params, timeout_s))

    def wait_closed(self, timeout_s: float) -> bool:
        """Waits for the engine's end of the connection to close, dropping what still arrives; False: it did not."""
        deadline = time.monotonic() + timeout_s
        try:
            while (left_s := deadline - time.monotonic()) > 0:
                self.wait(left_s)
        except EngineLost:
            return True
        return False

    def peer_process(self) -> int | None:
        """The process at the other end; None where the system does not tell."""
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, _, _ = _CREDENTIALS.unpack(credentials)
        return process or None

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            # What the engine said before it closed is still to be read; reading finds the end.
            sent = len(self._unsent)
        del self._unsent[:sent]

    def _read(self) -> list[Incoming]:
        try:
            chunk = self._socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._lost(f"the connection to the engine broke: {error.strerror or error}") from error
        if not chunk:
            raise self._lost("the engine closed the connection")
        self._partial += chunk
        *lines, rest = self._partial.split(b"\n")
        self._partial = rest
        if len(rest) > LINE_BYTES_MAX:
            raise self._lost("the engine sent an endless line")
        arrived = [self._parse(line) for line in lines]
        for one in arrived:
            if isinstance(one, Notification) and one.method == "stopping":
                self._note_stopping(one.params)
        return arrived

    def _parse(self, line: bytes | bytearray) -> Incoming:
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise self._lost("what answers at the control socket does not speak JSON") from error
        match message:
            case {"id": int(number), "error": {"code": int(code), "message": str(text)}}:
                return Answer(number, None, RequestRefused(code, text))
            case {"id": int(number), "result": result}:
                return Answer(number, result, None)
            case {"id": None, "error": {"message": str(text)}}:
                raise self._lost(f"the engine refused what it was sent: {text}")
            case {"method": str(method), "params": dict(params)}:
                return Notification(method, params)
            case _:
                raise self._lost("what answers at the control socket does not speak this program's JSON-RPC")

    def _note_stopping(self, params: Json) -> None:
        try:
            stops = read(EngineStops, params)
        except BadAnswer:
            self._stopping = EngineLost("the engine stopped")
        else:
            self._stopping = EngineLost(stops.reason, stops.exit_status)

    def _lost(self, reason: str) -> EngineLost:
        return self._stopping or EngineLost(reason)


def _connect(connecting: socket.socket, path: Path) -> None:
    """Raises OSError; TimeoutError where too many wait to be let in. Nothing tells when there is room for one more."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    connecting.settimeout(ANSWER_TIMEOUT_S)
    while True:
        try:
            connecting.connect(str(path))
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(_KNOCK_S)
        else:
            return


def status_of(error: RequestRefused) -> ExitStatus:
    """The exit status that a refused request means (docs/control.md, the table of codes)."""
    if error.code == ErrorCode.STORE:
        return ExitStatus.STORE_UNUSABLE
    return ExitStatus.NO_ENGINE if error.code == ErrorCode.STOPPING else ExitStatus.BAD_INPUT


@contextmanager
def failures_as_exits(place: EnginePlace) -> Iterator[None]:
    """Turns what can go wrong with an engine into the command's end, in words that say what to do."""
    site = place.site
    try:
        yield
    except NoEngine as error:
        raise CommandFailed(
            ExitStatus.NO_ENGINE,
            f"no engine of {site} is running here ({error}):"
            f" name its data folder with --data if that is another (a site must not start without its store),"
            f" else start it with `{place.command('open')}`, or with `serve` instead of `open` without a screen",
        ) from error
    except RequestRefused as error:
        raise CommandFailed(status_of(error), str(error)) from error
    except EngineLost as error:
        status = ExitStatus.STORE_UNUSABLE if error.exit_status == ExitStatus.STORE_UNUSABLE else ExitStatus.NO_ENGINE
        raise CommandFailed(status, f"the engine of {site} ended: {error}") from error
    except BadAnswer as error:
        raise CommandFailed(ExitStatus.NO_ENGINE, str(error)) from error
    except EngineSilent as error:
        raise CommandFailed(ExitStatus.NO_ENGINE, f"{error}: is the engine of {site} stopped or overloaded?") from error
