"""Changes the members of a campaign: asks one site after the other, until the log has it (M3).

Rules that hold here:
- Whether an earlier attempt had its way is the log's to say: what it has done already is not done again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from engine.contract.errors import NoAnswer, RequestRefused
from engine.contract.requests import ChangeKind, ChangeMembers, Status
from tui.client import Client

_TIMEOUT_S: Final = 3.0
_CALL_TIMEOUT_S: Final = 10.0
_AGAIN_S: Final = 0.3
_DONE: Final = ("has already admitted that store", "there is already a site")
"""What it is told where that is so already. (That somebody votes may be the last word of the store that is lost.)"""


class Changer(threading.Thread):
    """`asked` is asked of `others`, whose sockets are in `sockets`."""

    def __init__(self, asked: ChangeMembers, others: Sequence[str], sockets: Mapping[str, Path]) -> None:
        super().__init__(name=f"{asked.kind} {asked.site}", daemon=True)
        self.asked = asked
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
        try:
            with Client.connect(self._sockets[name]) as client:
                told = client.ask(self.asked, _CALL_TIMEOUT_S)
        except RequestRefused as refused:
            self.said = f"{name}: {refused}"
            self.done = any(words in str(refused) for words in _DONE) or self._votes()
        except NoAnswer as lost:
            self.said = f"{name}: {lost}"
        else:
            self.said = f"{name}: {told.outcome}, {told.reason}"
            self.done = told.outcome == "created"
        return self.done

    def _votes(self) -> bool:
        """The site that is to vote says so itself."""
        try:
            with Client.connect(self._sockets[self.asked.site]) as client:
                return client.ask(Status(), _CALL_TIMEOUT_S).voting
        except (KeyError, NoAnswer):
            return False


def readmission(site: str) -> ChangeMembers:
    return ChangeMembers(kind=ChangeKind.READMIT, site=site, timeout_s=_TIMEOUT_S)


def addition(site: str, address: str) -> ChangeMembers:
    return ChangeMembers(kind=ChangeKind.ADD, site=site, address=address, timeout_s=_TIMEOUT_S)
