"""Calls that wait: takes clients' requests to the replica, and brings the answers back when there are any.

Rules that hold here:
- A request is answered exactly once: with its outcome, when its time has passed, when it is given up, or when the
  engine stops. What is found out after that goes to subscribers alone.
- Who asked to be told his event's id is told once that is durable (E1), before any outcome.
- An event does not depend on its client: if the connection closes, the event goes on until its time has passed.
- A linearizable read is answered with the timeline in any case, which says whether it is confirmed (R5).
- What the rules of the timeline refuse never reaches the replica.
- The lines of a `fill` are kept until its last slot is settled; those of all fills together are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from engine.contract.answers import Filled, FillLine, GivenUp, Outcome
from engine.contract.errors import ErrorCode
from engine.contract.notifications import Acknowledged
from engine.contract.requests import Action, CallId, EventKind, Explain, Fill, GiveUp, LinearizableView, Submit
from engine.core.effects import (
    UNSETTLED,
    Effects,
    FillResult,
    Observation,
    SawBiography,
    SawFilled,
    SawLearned,
    SawNumbered,
    SawOutcome,
    SawReadConfirmed,
    SawReadUnconfirmed,
)
from engine.core.entry import NOOP, BadOperation, Block, Operation, Tweet, Unblock, clean_text, encode, kind_of, stamped
from engine.core.events.submissions import Submission
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import How
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.runtime import jsonrpc
from engine.runtime.clock import Clock
from engine.runtime.inbox import Asked, Client
from engine.runtime.jsonrpc import CallFailed, CallRefused, newest_that_fit
from engine.runtime.queries import Queries
from engine.runtime.shapes import fill_line

FILL_SLOTS_MAX: Final = 65_536
"""Of all fills that wait."""


@dataclass(slots=True)
class _FillWait:
    """A `fill` that is not settled: its slots that are not, and a line for each that is."""

    deadline: Tick
    open: set[Slot]
    lines: dict[Slot, FillLine] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        """How many it was asked for; stays the same."""
        return len(self.open) + len(self.lines)


@dataclass(frozen=True, slots=True)
class _SubmitWait:
    """An event without an outcome, and who submitted it."""

    client: Client
    call_id: CallId
    acknowledge: bool


@dataclass(frozen=True, slots=True)
class _ReadWait:
    """A `view` that waits to be confirmed, and who asked for it."""

    client: Client
    call_id: CallId
    view: LinearizableView


class PendingCalls:
    def __init__(self, settings: Settings, replica: Replica, queries: Queries, clock: Clock) -> None:
        self._settings = settings
        self._replica = replica
        self._queries = queries
        self._clock = clock
        self._tokens = count(1)
        self._submits: dict[int, _SubmitWait] = {}
        self._reads: dict[int, _ReadWait] = {}
        self._token_of: dict[tuple[Client, CallId], int] = {}
        self._fills: dict[tuple[Client, CallId], _FillWait] = {}
        self._fill_slots = 0
        self._explains: dict[int, tuple[Client, CallId]] = {}

    def act(self, now: Tick, asked: Asked, action: Action) -> Effects:
        """Steps the replica. Raises CallRefused, and then nothing was done."""
        match action:
            case Submit():
                return self._submit(now, asked, action)
            case GiveUp():
                return self._give_up(now, asked, action)
            case Fill():
                return self._fill(now, asked, action)
            case LinearizableView():
                return self._read(now, asked, action)
            case Explain():
                token = next(self._tokens)
                self._explains[token] = (asked.client, asked.call_id)
                return self._replica.explain(now, token, action.slot, action.timeout)

    def observe(self, observations: Iterable[Observation]) -> None:
        """Answers the fills that these settle, and whoever asked for a biography. (Outcomes come through `outcome`.)"""
        if self._explains:
            self._explain(observations)
        if not self._fills:
            return
        learned: dict[Slot, SawLearned] = {}
        for saw in observations:
            match saw:
                case SawFilled() if saw.result not in UNSETTLED:
                    self._settle(saw.slot, fill_line(saw))
                case SawLearned():
                    learned[saw.slot] = saw
                case _:
                    pass
        # A slot that was settled without the filler: by an event's own attempt, or by a peer that told.
        for slot, saw in learned.items():
            result = FillResult.NOOP if saw.how is How.VOTES and saw.entry == NOOP else FillResult.LEARNED
            self._settle(slot, fill_line(SawFilled(slot, result, kind_of(saw.entry))))

    def numbered(self, saw: SawNumbered) -> None:
        """Tells who asked for it the id of his event."""
        waiting = self._submits[saw.token]
        if waiting.acknowledge:
            told = Acknowledged(waiting.call_id, str(saw.id))
            waiting.client.notify(jsonrpc.notification("acknowledged", told))

    def outcome(self, saw: SawOutcome, outcome: Outcome) -> None:
        """Answers who waits for this event, if anybody still does."""
        waiting = None if saw.token is None else self._submits.pop(saw.token, None)
        if waiting is not None:
            del self._token_of[waiting.client, waiting.call_id]
            waiting.client.answer(waiting.call_id, outcome)

    def read(self, saw: SawReadConfirmed | SawReadUnconfirmed) -> None:
        """Answers who waits for this read. Raises StoreError."""
        waiting = self._reads[saw.token]
        page = self._queries.view(waiting.view, saw)
        del self._reads[saw.token]
        del self._token_of[waiting.client, waiting.call_id]
        waiting.client.answer(waiting.call_id, page)

    def tick(self, now: Tick) -> None:
        """Answers the fills whose time has passed."""
        for key in [key for key, wait in self._fills.items() if wait.deadline <= now]:
            self._answer_fill(key)

    def deadline(self) -> Tick | None:
        return min((wait.deadline for wait in self._fills.values()), default=None)

    def abandon(self, code: ErrorCode, message: str) -> None:
        """The engine stops: nothing that waits gets another answer."""
        submits = [(wait.client, wait.call_id) for wait in self._submits.values()]
        reads = [(wait.client, wait.call_id) for wait in self._reads.values()]
        for client, call_id in [*submits, *reads, *self._fills, *self._explains.values()]:
            client.fail(CallFailed(code, message, call_id))
        self._reads.clear()
        self._submits.clear()
        self._token_of.clear()
        self._fills.clear()
        self._fill_slots = 0
        self._explains.clear()

    def _submit(self, now: Tick, asked: Asked, submit: Submit) -> Effects:
        body = encode(stamped(self._operation(submit), self._clock.wall_ms()))
        key = self._unused_key(asked)
        token = next(self._tokens)
        self._submits[token] = _SubmitWait(*key, submit.acknowledge)
        self._token_of[key] = token
        return self._replica.submit(now, Submission(token, body, submit.timeout, submit.retry))

    def _read(self, now: Tick, asked: Asked, view: LinearizableView) -> Effects:
        key = self._unused_key(asked)
        token = next(self._tokens)
        self._reads[token] = _ReadWait(*key, view)
        self._token_of[key] = token
        return self._replica.read(now, token, view.timeout)

    def _operation(self, submit: Submit) -> Operation:
        if submit.kind is EventKind.TWEET:
            try:
                return Tweet(clean_text(submit.argument))
            except BadOperation as bad:
                raise CallRefused(str(bad)) from None
        if submit.argument not in self._settings.sites:
            sites = ", ".join(self._settings.sites)
            raise CallRefused(f"{submit.argument!r} is no site of this cluster: use one of {sites}")
        target = SiteId(submit.argument)
        if submit.kind is EventKind.UNBLOCK:
            return Unblock(target)
        if target == self._settings.site:
            raise CallRefused("a site cannot block itself: name another site")
        return Block(target)

    def _give_up(self, now: Tick, asked: Asked, give_up: GiveUp) -> Effects:
        effects = Effects()
        given_up = 0
        for call_id in dict.fromkeys(give_up.requests):
            key = (asked.client, call_id)
            if key in self._token_of:
                effects.extend(self._replica.give_up(now, self._token_of[key]))
                given_up += 1
            elif key in self._fills:
                self._answer_fill(key)
                given_up += 1
        asked.client.answer(asked.call_id, GivenUp(given_up))
        return effects

    def _fill(self, now: Tick, asked: Asked, fill: Fill) -> Effects:
        key = self._unused_key(asked)
        used_max = self._replica.used_max
        slots = self._replica.view(attempts_max=0).holes if fill.slots is None else fill.slots
        if slots and slots[-1] > used_max:
            raise CallRefused(f"slot {slots[-1]} is not used yet: the highest used slot is {used_max}")
        if self._fill_slots + len(slots) > FILL_SLOTS_MAX:
            raise CallRefused(
                f"fills that wait name {self._fill_slots} slots already, {FILL_SLOTS_MAX} is the most:"
                " wait for some of them, or name fewer slots"
            )
        chosen = self._queries.chosen(slots)
        wait = _FillWait(Tick(now + fill.timeout), set(slots) - chosen.keys())
        for slot, entry in chosen.items():
            wait.lines[slot] = fill_line(SawFilled(slot, FillResult.CHOSEN, kind_of(entry)))
        self._fills[key] = wait
        self._fill_slots += wait.slots
        if not wait.open:
            self._answer_fill(key)
            return Effects()
        return self._replica.fill(now, sorted(wait.open))

    def _unused_key(self, asked: Asked) -> tuple[Client, CallId]:
        key = (asked.client, asked.call_id)
        if key in self._token_of or key in self._fills:
            raise CallRefused(f"the id {asked.call_id!r} is that of a request without an answer yet: use another")
        return key

    def _explain(self, observations: Iterable[Observation]) -> None:
        for saw in observations:
            if isinstance(saw, SawBiography):
                client, call_id = self._explains.pop(saw.token)
                client.answer(call_id, self._queries.biography(saw.biography))

    def _settle(self, slot: Slot, line: FillLine) -> None:
        for key in [key for key, wait in self._fills.items() if slot in wait.open]:
            wait = self._fills[key]
            wait.open.discard(slot)
            wait.lines[slot] = line
            if not wait.open:
                self._answer_fill(key)

    def _answer_fill(self, key: tuple[Client, CallId]) -> None:
        wait = self._fills.pop(key)
        self._fill_slots -= wait.slots
        hindered = self._replica.hindered(wait.open)
        for slot in wait.open:
            result = FillResult.HINDERED if slot in hindered else FillResult.NO_QUORUM
            wait.lines[slot] = fill_line(SawFilled(slot, result, None))
        lowest = min(hindered or wait.open, default=None)
        why = None if lowest is None else f"slot {lowest}: {self._replica.why_unsettled(lowest)}"
        client, call_id = key
        lines = newest_that_fit(line for _, line in sorted(wait.lines.items()))
        client.answer(call_id, Filled(lines, why))
