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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from engine.contract.answers import OutcomeSpan
from engine.contract.errors import ErrorCode, NoAnswer, RequestRefused
from engine.contract.shape import read
from tui.client import Client
from tui.connection import Answer

Json = dict[str, Any]

_TIMEOUTS_S: Final = (0.1, 0.5, 2.0, 5.0, 15.0)
_BATCHES: Final = (1, 1, 1, 2, 5, 12)
_TOGETHER: Final = (1, 1, 1, 1, 1, 2, 5, 40)
"""How many events are submitted in one request."""
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
        under_way: dict[int, list[Submission]] = {}
        for _ in range(self._random.choice(_BATCHES)):
            together = self._random.choice(_TOGETHER)
            submissions = [self._draw()] if together == 1 else self._draw_tweets(together)
            first = submissions[0]
            params = {"retry": first.retry, "timeout_s": self._random.choice(_TIMEOUTS_S)}
            if together == 1:
                argument = "text" if first.kind == "tweet" else "target"
                number = client.request("submit", {"kind": first.kind, argument: first.argument, **params})
            else:
                texts = [submission.argument for submission in submissions]
                number = client.request("submit_many", {"texts": texts, **params})
            under_way[number] = submissions
        try:
            if self._random.random() < _GIVES_UP:
                self._collect(client, under_way, time.monotonic() + self._random.uniform(0, 1))
                if under_way:
                    client.request("give_up", {"requests": list(under_way)})
            self._collect(client, under_way, None)
        finally:
            now = time.monotonic()
            for submissions in under_way.values():
                for submission in submissions:
                    submission.ended_s = now

    def _collect(self, client: Client, under_way: dict[int, list[Submission]], until_s: float | None) -> None:
        """Takes answers until none is due, or `until_s`. Raises EngineLost."""
        while under_way:
            left_s = None if until_s is None else until_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            arrived, _ = client.wait(left_s)
            for one in arrived:
                if isinstance(one, Answer) and one.number in under_way:
                    _answered(under_way.pop(one.number), one)

    def _draw_tweets(self, count: int) -> list[Submission]:
        """Tweets that are submitted together."""
        retry = self._random.random() < 0.5
        return [self._drawn("tweet", retry=retry) for _ in range(count)]

    def _draw(self) -> Submission:
        kind = self._random.choice(("tweet",) * 8 + ("block", "unblock"))
        return self._drawn(kind, retry=self._random.random() < 0.5)

    def _drawn(self, kind: str, *, retry: bool) -> Submission:
        order = len(self.submissions)
        text = f"{self.name} says {order}, {self._random.choice(_WORDS)}"
        submission = Submission(
            site=self._site,
            connection=f"{self.name}/{self._connections}",
            order=order,
            kind=kind,
            argument=text if kind == "tweet" else self._random.choice(self._others),
            retry=retry,
            submitted_s=time.monotonic(),
        )
        self.submissions.append(submission)
        return submission


_WORDS: Final = ("lunch", "déjà vu", "x" * 200, "[b]bold[/b]", "再见", "🙂🙃")


def _answered(submissions: list[Submission], answer: Answer) -> None:
    now = time.monotonic()
    for submission in submissions:
        submission.ended_s = now
    try:
        value = answer.value()
    except RequestRefused as error:
        if error.code != ErrorCode.STOPPING:
            for submission in submissions:
                submission.refused = str(error)
        return
    outcomes = list(one_by_one(value["spans"])) if "spans" in value else [value]
    for submission, outcome in zip(submissions, outcomes, strict=True):
        submission.outcome = outcome


def one_by_one(spans: Iterable[Json]) -> Iterator[Json]:
    """The outcomes of events that were submitted together, each as if it had been submitted alone."""
    for told in spans:
        span = read(OutcomeSpan, told)
        yield from map(msgspec.to_builtins, span.ones())
