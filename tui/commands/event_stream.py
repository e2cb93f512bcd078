"""`tweet --stdin`: lines handed to an engine in order, and their outcomes told in the same order.

Rules that hold here:
- At most WINDOW lines are under way. Those that wait together go in one call, TOGETHER at the most, and are told as
  soon as they and all before them have an outcome.
- What is no tweet is refused here, by the rule that the engine has, and the others go on in their order: the engine
  takes all of a call, or nothing.
- `unknown` is said of whatever the engine did not answer for; never that it failed (E2).
- A signal hands in nothing further: the engine gives up what is under way, and its answers are still told.
- An engine that is lost is not looked for again: trying an event twice would be two events (E1).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.contract.answers import Outcome, Outcomes
from engine.contract.errors import BadAnswer, EngineLost, NoAnswer, RequestRefused
from engine.contract.notifications import Acknowledged
from engine.contract.requests import GiveUp, SubmitMany
from engine.core.entry import BadOperation, clean_text
from tui.client import Client
from tui.commands.outcomes import REFUSED, RefusedLine, Told, status_of_outcome
from tui.commands.patient_call import GIVE_UP_S, SILENCE_S, status_of_loss, value_of
from tui.connection import Answer
from tui.exits import ExitStatus
from tui.interrupts import Interrupts
from tui.line_reader import Line, LineReader, text_of

WINDOW: Final = 256

TOGETHER: Final = 32
"""A call is answered as a whole: of so few, where one waits for another, the first is told soon."""

REST_IDLE_S: Final = 1.0
"""After the engine was lost: how long to wait for further lines, which are told as unknown, before leaving."""

_DRAIN_BYTES_MAX: Final = 2**20


@dataclass(slots=True)
class _Place:
    """A line's place in the order of telling; `id` is that of its event once the engine told it, `told` its outcome
    once there is one."""

    line: Line
    id: str | None = None
    told: Told | None = None


class EventStream:
    """Runs once. `tell` gets each outcome in order; `flush` is called before the stream waits."""

    def __init__(
        self, client: Client, reader: LineReader, tell: Callable[[Told], None], flush: Callable[[], None]
    ) -> None:
        self._client = client
        self._reader = reader
        self._tell = tell
        self._flush = flush
        self._lines: deque[Line] = deque()
        self._places: deque[_Place] = deque()
        self._under_way: dict[int, list[_Place]] = {}
        self._patience_s = 0.0
        self._patient_until = 0.0
        self._statuses: set[ExitStatus] = set()
        self._store_unusable = False
        self.interrupted = False
        self.not_submitted = 0
        """Lines that were read and, after a signal, not handed in."""
        self.lost: str | None = None
        """Why the engine was lost, if it was."""

    @property
    def input_ended(self) -> bool:
        return self._reader.ended

    @property
    def statuses(self) -> frozenset[ExitStatus]:
        """The exit statuses of all that was told."""
        return frozenset(self._statuses | ({ExitStatus.STORE_UNUSABLE} if self._store_unusable else set()))

    def run(self, interrupts: Interrupts, timeout_s: float, retry: bool) -> None:
        """Until the input ends, a signal comes or the engine is lost, and everything handed in is told."""
        self._patience_s = timeout_s + SILENCE_S
        try:
            while self._hand_in(timeout_s, retry):
                self._turn(interrupts)
        except EngineLost as lost:
            self._note(lost)
            self._lose(str(lost), interrupts)
        self._flush()

    def _hand_in(self, timeout_s: float, retry: bool) -> bool:
        """Submits lines as far as the window allows. False: everything is told and there is nothing more."""
        self._tell_in_order()
        while self._lines and len(self._places) < WINDOW:
            texts, places = self._next_lines()
            if texts:
                events = SubmitMany(texts=tuple(texts), timeout_s=timeout_s, retry=retry, acknowledge=True)
                if not self._under_way:
                    self._be_patient()
                self._under_way[self._client.send(events)] = places
            self._tell_in_order()
        return bool(self._places or self._lines or not (self._reader.ended or self.interrupted))

    def _next_lines(self) -> tuple[list[str], list[_Place]]:
        """Those that go in one call. A line that is no tweet has its place, and is refused."""
        texts: list[str] = []
        places: list[_Place] = []
        while self._lines and len(self._places) < WINDOW and len(texts) < TOGETHER:
            place = _Place(self._lines.popleft())
            self._places.append(place)
            try:
                texts.append(clean_text(text_of(place.line)))
            except BadOperation as bad:
                place.told = RefusedLine(REFUSED, place.line.number, str(bad))
            else:
                places.append(place)
        return texts, places

    def _turn(self, interrupts: Interrupts) -> None:
        """Waits for what comes next: answers, further lines, a signal, or the end of patience."""
        watched = {interrupts.fileno()}
        if not self._lines and not self._reader.ended and not self.interrupted:
            watched.add(self._reader.fileno())
        self._flush()
        arrived, ready = self._client.wait(self._patience_left_s(), watched)
        for one in arrived:
            match one:
                case Acknowledged(request) if isinstance(request, int) and request in self._under_way:
                    for place, id_ in zip(self._under_way[request], one.ids(), strict=False):
                        place.id = id_
                case Answer(number) if (places := self._under_way.pop(number, None)) is not None:
                    self._be_patient()
                    for place, told in zip(places, self._told(places, one), strict=True):
                        place.told = told
                case _:
                    pass
        if self._reader.fileno() in ready:
            self._lines.extend(self._reader.read())
        if interrupts.fileno() in ready:
            self._interrupt(interrupts)
        if self._patience_left_s() == 0:
            raise EngineLost("the engine did not answer in time")

    def _patience_left_s(self) -> float | None:
        """Until something under way should long have been answered; None where there is nothing."""
        return max(0.0, self._patient_until - time.monotonic()) if self._under_way else None

    def _be_patient(self) -> None:
        """The time of an event begins anew when one before it is settled: so does this."""
        self._patient_until = time.monotonic() + self._patience_s

    def _interrupt(self, interrupts: Interrupts) -> None:
        interrupts.clear()
        if self.interrupted:
            raise EngineLost("interrupted before the engine reported the outcome")
        self.interrupted = True
        self.not_submitted = len(self._lines) + len(self._reader.drain(_DRAIN_BYTES_MAX))
        self._lines.clear()
        if self._under_way:
            self._client.send(GiveUp(requests=tuple(self._under_way)))
            self._patience_s = GIVE_UP_S
            self._be_patient()

    def _told(self, places: list[_Place], answer: Answer) -> list[Told]:
        try:
            return [*_outcomes(value_of(answer), len(places))]
        except NoAnswer as lost:
            self._note(lost)
            return [Outcome.unknown(str(lost), place.id) for place in places]
        except RequestRefused as error:
            return [RefusedLine(REFUSED, place.line.number, str(error)) for place in places]

    def _note(self, lost: NoAnswer) -> None:
        self._store_unusable |= status_of_loss(lost) == ExitStatus.STORE_UNUSABLE

    def _lose(self, reason: str, interrupts: Interrupts) -> None:
        """Tells the rest as unknown: what is under way, what was read, and what input still brings."""
        self.lost = reason
        for places in self._under_way.values():
            for place in places:
                place.told = Outcome.unknown(reason, place.id)
        self._under_way.clear()
        self._tell_in_order()
        while True:
            for _ in self._lines:
                self._tell_one(Outcome.unknown(f"not submitted: {reason}", None))
            self._lines.clear()
            self._flush()
            if self._reader.ended or self.interrupted or not interrupts.readable(self._reader.fileno(), REST_IDLE_S):
                return
            self._lines.extend(self._reader.read())

    def _tell_in_order(self) -> None:
        while self._places and (what := self._places[0].told) is not None:
            self._places.popleft()
            self._tell_one(what)

    def _tell_one(self, what: Told) -> None:
        self._statuses.add(status_of_outcome(what.outcome))
        self._tell(what)


def _outcomes(answered: Outcomes, count: int) -> list[Outcome]:
    """One for each of `count` events. Raises BadAnswer."""
    outcomes = [one for span in answered.spans for one in span.ones()]
    if len(outcomes) != count:
        raise BadAnswer(
            f"the engine told {len(outcomes)} outcomes of {count} events: it is of another version, restart it"
        )
    return outcomes
