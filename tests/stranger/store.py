"""What the acceptor keeps over restarts: one JSON file, written whole and synced, beside it first."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any


class Store:
    """`data` is what is kept; what is changed in it is durable once `commit` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.data: dict[str, Any] = {
            "id": secrets.token_hex(8),
            "commit": 0,
            "standing": "new",
            "peers": {},  # of each site its store and the highest commit number heard of it
            "votes": {},  # of each slot what was promised, accepted, and the entry
            "ranges": [],  # first, last, ballot
            "learned": {},
        }
        if path.exists():
            self.data = json.loads(path.read_text())
        else:
            self._write()

    def commit(self) -> None:
        self.data["commit"] += 1
        self._write()

    def _write(self) -> None:
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            json.dump(self.data, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
