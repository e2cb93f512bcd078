"""The commands' connection to a site's engine: a tui.connection over a socket that blocks.

Rules that hold here:
- Nothing is sent or received behind the caller's back: bytes move only inside `wait`, which is bounded by its timeout.
- `wait` reads while it writes, so a full socket buffer on either side never stops both ends.
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
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.contract.errors import BadAnswer, EngineLost, EngineSilent, ErrorCode, NoAnswer, NoEngine, RequestRefused
from engine.contract.params import Params
from engine.contract.requests import method_and_params
from engine.site_files import socket_to_ask
from tui.connection import Answer, Connection, Ended, Incoming
from tui.exits import CommandFailed, ExitStatus
from tui.selection import LocalSite

_A = TypeVar("_A")

Json = dict[str, Any]

ANSWER_TIMEOUT_S: Final = 30.0
"""How long a question that the engine answers from what it has may take, before the engine counts as hung."""

_CHUNK_BYTES: Final = 2**18
_KNOCK_S: Final = 0.05
_CREDENTIALS: Final = struct.Struct("3i")  # process, user, group: struct ucred of unix(7)


class Client:
    """One connection. `request` queues, `wait` moves bytes, `call` does both for a single question."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._connection = Connection()
        self._unsent = bytearray()
        self._set_aside: deque[Incoming] = deque()

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
            raise EngineSilent(f"the engine accepted no connection within {ANSWER_TIMEOUT_S:g} s") from error
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            connected.close()
            raise NoEngine(f"nothing listens at {path}") from error
        except OSError as error:
            connected.close()
            raise NoEngine(f"{path}: {error.strerror or error}") from error
        return cls(connected)

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Readable where `wait` would find something; what was set aside is found at once."""
        return self._socket.fileno()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, asked: Params[Any]) -> int:
        """Queues a request and returns its number; `wait` sends it. Raises EngineLost, BadAnswer."""
        return self._queue(*self._connection.ask(asked))

    def request(self, method: str, params: Json) -> int:
        """As `send`, of what has no class: its result is as it came."""
        return self._queue(*self._connection.request(method, params))

    def _queue(self, number: int, line: bytes) -> int:
        self._unsent += line
        return number

    def wait(self, timeout_s: float | None, others: Iterable[int] = ()) -> tuple[list[Incoming], set[int]]:
        """Waits until something arrived, one of the descriptors `others` is readable, or the time passed.

        Returns what arrived and which of `others` are readable; None waits without bound. Raises EngineLost and
        BadAnswer, after everything that arrived before the end was handed out.
        """
        if self._set_aside:
            arrived, self._set_aside = list(self._set_aside), deque()
            return arrived, set()
        self._raise_if_ended()
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

    def ask(self, asked: Params[_A], timeout_s: float = ANSWER_TIMEOUT_S) -> _A:
        """Asks and returns the answer. Raises RequestRefused, EngineLost, EngineSilent, BadAnswer.

        Other messages that arrive meanwhile are kept for the next `wait`.
        """
        answer: _A = self._answer(self.send(asked), method_and_params(asked)[0], timeout_s)
        return answer

    def call(self, method: str, params: Json | None = None, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
        """As `ask`, of what has no class: the result is as it came."""
        return self._answer(self.request(method, params or {}), method, timeout_s)

    def _answer(self, number: int, method: str, timeout_s: float) -> Any:
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

    def wait_closed(self, timeout_s: float) -> bool:
        """Waits for the engine's end of the connection to close, dropping what still arrives; False: it did not."""
        deadline = time.monotonic() + timeout_s
        try:
            while (left_s := deadline - time.monotonic()) > 0:
                self.wait(left_s)
        except NoAnswer:
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
        """What arrived, if anything did. Raises EngineLost, BadAnswer: at once where nothing came before the end."""
        try:
            events = self._connection.receive(self._socket.recv(_CHUNK_BYTES))
        except BlockingIOError:
            return []
        except OSError as error:
            events = self._connection.end(f"the connection to the engine broke: {error.strerror or error}")
        arrived = [event for event in events if not isinstance(event, Ended)]
        if not arrived:
            self._raise_if_ended()
        return arrived

    def _raise_if_ended(self) -> None:
        if self._connection.ended is not None:
            raise self._connection.ended.why


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
def failures_as_exits(local: LocalSite) -> Iterator[None]:
    """Turns what can go wrong with an engine into the command's end, in words that say what to do."""
    site = local.site
    try:
        yield
    except NoEngine as error:
        raise CommandFailed(
            ExitStatus.NO_ENGINE,
            f"no engine of {site} is running here ({error}): start it with `{local.command('open')}` (or `serve`"
            " for no screen). If its data is in another folder, name that with --data: a site must not start"
            " without its store",
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
