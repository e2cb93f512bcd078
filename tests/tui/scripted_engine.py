"""A stand-in for an engine: a real Unix socket whose answers a test writes down."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import orjson

from engine.runtime.jsonrpc import decode

Json = dict[str, Any]
Script = Callable[["ScriptedEngine", Json], None]

BOUND_S = 20.0
"""How long anything in these tests may take."""


class ScriptedEngine:
    """Serves one client after the other; `script` is called with each request, in a thread of its own."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.requests: list[Json] = []
        self._script = script
        self._client: socket.socket | None = None
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(path))
        self._listening.listen(1)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(BOUND_S)
        assert not self._thread.is_alive(), "the scripted engine still serves: the client did not close"

    def named(self, method: str) -> list[Json]:
        """The params of all requests of `method`, in order."""
        return [request["params"] for request in self.requests if request["method"] == method]

    def answer(self, request: Json, result: object) -> None:
        self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def fail(self, request: Json, code: int, message: str) -> None:
        self.send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}})

    def send(self, message: Json) -> None:
        self.send_raw(orjson.dumps(message) + b"\n")

    def send_raw(self, raw: bytes) -> None:
        assert self._client is not None
        self._client.sendall(raw)

    def hang_up(self) -> None:
        """As an engine that is killed: the connection ends, and nobody listens any more."""
        assert self._client is not None
        self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                self._client, _ = self._listening.accept()
            except OSError:
                return
            with self._client, self._client.makefile("rb") as lines:
                try:
                    for line in lines:
                        request = asdict(decode(line))
                        self.requests.append(request)
                        self._script(self, request)
                except OSError:
                    continue
