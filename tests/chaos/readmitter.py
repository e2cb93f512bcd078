"""Lets a site of a campaign vote again that lost its disk: asks one site after the other, until the log has it (M4).

Rules that hold here:
- Whether an earlier attempt had its way is the log's to say: a store that it admitted is not admitted again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from engine.contract.errors import NoAnswer, RequestRefused
from engine.contract.requests import ChangeKind, ChangeMembers
from tui.client import Client

_TIMEOUT_S: Final = 3.0
_CALL_TIMEOUT_S: Final = 10.0
_AGAIN_S: Final = 0.3
_DONE: Final = ("has admitted that store", "votes with the store that it has")


class Readmitter(threading.Thread):
    def __init__(self, site: str, others: Sequence[str], sockets: Mapping[str, Path]) -> None:
        super().__init__(name=f"readmits {site}", daemon=True)
        self.site = site
        self.done = False
        self.said = "nobody was asked yet"
        """What it was told last."""
        self._others = others
        self._sockets = sockets
        self._over = threading.Event()

    def run(self) -> None:
        for name in cycle(self._others):
            if self._over.is_set() or self._asks(name):
                return
            self._over.wait(_AGAIN_S)

    def close(self) -> None:
        """It asks no further."""
        self._over.set()
        self.join()

    def _asks(self, name: str) -> bool:
        asked = ChangeMembers(kind=ChangeKind.READMIT, site=self.site, timeout_s=_TIMEOUT_S)
        try:
            with Client.connect(self._sockets[name]) as client:
                told = client.ask(asked, _CALL_TIMEOUT_S)
        except RequestRefused as refused:
            self.said = f"{name}: {refused}"
            self.done = any(words in str(refused) for words in _DONE)
        except NoAnswer as lost:
            self.said = f"{name}: {lost}"
        else:
            self.said = f"{name}: {told.outcome}, {told.reason}"
            self.done = told.outcome == "created"
        return self.done
