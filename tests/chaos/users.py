"""The users of a campaign: they submit at one site each, and keep what they were told and when.

Rules that hold here:
- All times are of one clock, this process's monotonic one: a submission's is read before its bytes leave, an answer's
  after it was read. What was answered before something else was submitted really came first.
- Every tweet has a text of its own, so that it is found in a log although nobody told its id.
- A user belongs to one thread; what it kept is read after that thread has ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from engine.contract.errors import ErrorCode, NoAnswer, RequestRefused
from tui.client import Client
from tui.connection import Answer

Json = dict[str, Any]

_TIMEOUTS_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0)
_BATCHES: Final = (1, 1, 1, 2, 5, 12)
_GIVES_UP: Final = 0.08
_PAUSE_MAX_S: Final = 0.5
_RECONNECT_S: Final = 0.1


@dataclass(slots=True)
class Submission:
    """`connection` and `order` say after which others of the same user's it was sent, to the same engine."""

    site: str
    connection: str
    order: int
    kind: str
    argument: str
    retry: bool
    submitted_s: float
    ended_s: float | None = None  # answered, or its engine was lost
    outcome: Json | None = None  # None: nobody told, for its engine was killed or stopped meanwhile
    refused: str | None = None


class User(threading.Thread):
    """Submits until `closing` is set, then waits for what is under way, as long as its engine lives."""

    def __init__(
        self, site: str, others: Sequence[str], socket_path: Path, *, name: str, seed: str, closing: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.submissions: list[Submission] = []
        self._site = site
        self._others = tuple(others)
        self._socket_path = socket_path
        self._random = Random(seed)
        self._closing = closing
        self._connections = 0

    def run(self) -> None:
        while not self._closing.is_set():
            try:
                with Client.connect(self._socket_path) as client:
                    self._connections += 1
                    while not self._closing.is_set():
                        self._submit_some(client)
                        self._closing.wait(self._random.uniform(0, _PAUSE_MAX_S))
            except NoAnswer:
                self._closing.wait(_RECONNECT_S)

    def _submit_some(self, client: Client) -> None:
        """Sends a few at once and waits for all their outcomes. Raises EngineLost."""
        under_way: dict[int, Submission] = {}
        for _ in range(self._random.choice(_BATCHES)):
            submission = self._draw()
            params = {
                "kind": submission.kind,
                "text" if submission.kind == "tweet" else "target": submission.argument,
                "retry": submission.retry,
                "timeout_s": self._random.choice(_TIMEOUTS_S),
            }
            self.submissions.append(submission)
            under_way[client.request("submit", params)] = submission
        try:
            if self._random.random() < _GIVES_UP:
                self._collect(client, under_way, time.monotonic() + self._random.uniform(0, 1))
                if under_way:
                    client.request("give_up", {"requests": list(under_way)})
            self._collect(client, under_way, None)
        finally:
            now = time.monotonic()
            for submission in under_way.values():
                submission.ended_s = now

    def _collect(self, client: Client, under_way: dict[int, Submission], until_s: float | None) -> None:
        """Takes answers until none is due, or `until_s`. Raises EngineLost."""
        while under_way:
            left_s = None if until_s is None else until_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            arrived, _ = client.wait(left_s)
            for one in arrived:
                if isinstance(one, Answer) and one.number in under_way:
                    _answered(under_way.pop(one.number), one)

    def _draw(self) -> Submission:
        order = len(self.submissions)
        kind = self._random.choice(("tweet",) * 8 + ("block", "unblock"))
        text = f"{self.name} says {order}, {self._random.choice(_WORDS)}"
        return Submission(
            site=self._site,
            connection=f"{self.name}/{self._connections}",
            order=order,
            kind=kind,
            argument=text if kind == "tweet" else self._random.choice(self._others),
            retry=self._random.random() < 0.5,
            submitted_s=time.monotonic(),
        )


_WORDS: Final = ("lunch", "déjà vu", "x" * 200, "[b]bold[/b]", "再见", "🙂🙃")


def _answered(submission: Submission, answer: Answer) -> None:
    submission.ended_s = time.monotonic()
    try:
        submission.outcome = answer.value()
    except RequestRefused as error:
        if error.code != ErrorCode.STOPPING:
            submission.refused = str(error)
