"""Calls that wait: takes clients' requests to the replica, and brings the answers back when there are any.

Rules that hold here:
- A request is answered exactly once: with its outcome, when its time has passed, when it is given up, or when the
  engine stops. What is found out after that goes to subscribers alone.
- What is submitted in a pass, by whomever, goes to the replica together where its terms are the same, and in its order
  (E3). Outcomes find who waits for them by their place there.
- Of what is submitted at once either all is taken or nothing.
- Who asked to be told his event's id is told once that is durable (E1), before any outcome.
- An event does not depend on its client: if the connection closes, the event goes on until its time has passed.
- A linearizable read is answered with the timeline in any case, which says whether it is confirmed (R5).
- What the rules of the timeline refuse never reaches the replica.
- The lines of a `fill` are kept until its last slot is settled; those of all fills together are bounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from operator import attrgetter, itemgetter
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from engine.contract.answers import Filled, FillLine, GivenUp, Outcome, Outcomes, OutcomeSpan
from engine.contract.errors import ErrorCode
from engine.contract.notifications import Acknowledged
from engine.contract.params import CallId, ticks
from engine.contract.requests import (
    Action,
    ChangeMembers,
    EventKind,
    Explain,
    Fill,
    GiveUp,
    LinearizableView,
    Submit,
    SubmitMany,
    Submitting,
)
from engine.contract.shape import Shape
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
from engine.core.entry import NOOP, BadOperation, Block, Unblock, clean_text, encode, kind_of, stamped, tweeted
from engine.core.events.submissions import Submission
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import How
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.runtime import jsonrpc
from engine.runtime.inbox import Asked, Client
from engine.runtime.jsonrpc import CallFailed, CallRefused, newest_that_fit
from engine.runtime.queries import Queries
from engine.runtime.shapes import fill_line

FILL_SLOTS_MAX: Final = 65_536
"""Of all fills that wait."""

MANY_EVENTS_MAX: Final = 65_536
"""Of all that is submitted many at once, and waits."""


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


class _SubmitWait(Struct):
    """Events that one call submitted, and who made it: `count` of the submission `token`, from `place` on. `untold` of
    them have no outcome yet; the others' are `told`, with their places, where the call is one for several."""

    client: Client
    call_id: CallId
    acknowledge: bool
    token: int
    place: int
    count: int
    untold: int
    told: list[tuple[int, OutcomeSpan]] | None


@dataclass(slots=True)
class _Together:
    """What goes to the replica, or went there, as one submission; `waits` is in the order of their places."""

    token: int
    terms: tuple[float, bool]
    bodies: list[str] = field(default_factory=list)
    waits: list[_SubmitWait] = field(default_factory=list)
    untold: int = 0


@dataclass(frozen=True, slots=True)
class _ReadWait:
    """A `view` that waits to be confirmed, and who asked for it."""

    client: Client
    call_id: CallId
    view: LinearizableView


class PendingCalls:
    def __init__(self, settings: Settings, replica: Replica, queries: Queries) -> None:
        self._settings = settings
        self._replica = replica
        self._queries = queries
        self._tokens = count(1)
        self._collected: list[_Together] = []
        self.collected = 0
        """How many events are."""
        self._together: dict[int, _Together] = {}
        self._submits: dict[tuple[Client, CallId], _SubmitWait] = {}
        self._many_events = 0
        self._reads: dict[int, _ReadWait] = {}
        self._read_tokens: dict[tuple[Client, CallId], int] = {}
        self._fills: dict[tuple[Client, CallId], _FillWait] = {}
        self._fill_slots = 0
        self._explains: dict[int, tuple[Client, CallId]] = {}

    def collect(self, asked: Asked, submitted: Submitting, at_ms: int) -> None:
        """It goes to the replica with what is collected until `push`, as said at this time. Raises CallRefused, and
        then nothing was done."""
        match submitted:
            case Submit(kind=EventKind.TWEET):
                bodies = tweeted([_text_of(submitted)], at_ms)
            case Submit():
                bodies = [encode(stamped(self._blocking(submitted), at_ms))]
            case SubmitMany():
                bodies = tweeted(self._texts_of(submitted), at_ms)
            case ChangeMembers(kind=kind, site=site, address=address, force=force):
                bodies = [encode(stamped(self._queries.change(kind, site, address, force=force), at_ms))]
        key = self._unused_key(asked)
        terms = submitted.timeout_s, submitted.retry
        if not self._collected or self._collected[-1].terms != terms:
            self._collected.append(_Together(next(self._tokens), terms))
        together = self._collected[-1]
        told: list[tuple[int, OutcomeSpan]] | None = [] if isinstance(submitted, SubmitMany) else None
        place, number = len(together.bodies), len(bodies)
        wait = _SubmitWait(*key, submitted.acknowledge, together.token, place, number, number, told)
        self._submits[key] = wait
        self._many_events += 0 if told is None else number
        self.collected += number
        together.waits.append(wait)
        together.bodies += bodies

    def push(self, now: Tick) -> Effects:
        """What was collected goes to the replica."""
        effects = Effects()
        for together in self._collected:
            timeout_s, retry = together.terms
            together.untold = len(together.bodies)
            self._together[together.token] = together
            submission = Submission(together.token, tuple(together.bodies), ticks(timeout_s), retry)
            together.bodies = []
            effects.extend(self._replica.submit(now, submission))
        self._collected, self.collected = [], 0
        return effects

    def act(self, now: Tick, asked: Asked, action: Action) -> Effects:
        """Steps the replica. Raises CallRefused, and then nothing was done."""
        match action:
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
        learned: list[SawLearned] = []
        for saw in observations:
            match saw:
                case SawFilled() if saw.result not in UNSETTLED:
                    self._settle(saw.slot, fill_line(saw))
                case SawLearned():
                    learned.append(saw)
                case _:
                    pass
        # A slot that was settled without the filler: by an event's own attempt, or by a peer that told.
        for saw in learned:
            for slot, entry in saw.run:
                result = FillResult.NOOP if saw.how is How.VOTES and entry == NOOP else FillResult.LEARNED
                self._settle(slot, fill_line(SawFilled(slot, result, kind_of(entry))))

    def numbered(self, saw: SawNumbered) -> None:
        """Tells who asked for it the ids of his events."""
        for wait in self._together[saw.token].waits:
            if wait.acknowledge and wait.untold:
                id_ = replace(saw.first, number=saw.first.number + wait.place)
                told = Acknowledged(wait.call_id, str(id_), wait.count)
                wait.client.notify(jsonrpc.notification("acknowledged", told))

    def outcome(self, saw: SawOutcome, span: OutcomeSpan) -> None:
        """Answers who waits for these events, if anybody still does."""
        together = None if saw.token is None else self._together.get(saw.token)
        if together is None:
            return
        answers: defaultdict[Client, list[tuple[CallId, Shape]]] = defaultdict(list)
        ones: Sequence[Outcome] = ()
        after = saw.offset + saw.count
        first = bisect_right(together.waits, saw.offset, key=attrgetter("place")) - 1
        for wait in together.waits[first : first + saw.count]:
            if wait.place >= after:
                break
            if not wait.untold:
                continue  # answered before, as unknown
            begin, end = max(saw.offset, wait.place), min(after, wait.place + wait.count)
            wait.untold -= end - begin
            together.untold -= end - begin
            if wait.told is None:
                ones = ones or span.ones()
                answers[wait.client].append((wait.call_id, ones[begin - saw.offset]))
            else:
                wait.told.append((begin, span.part(begin - saw.offset, end - begin)))
                if not wait.untold:
                    self._many_events -= wait.count
                    spans = tuple(told for _, told in sorted(wait.told, key=itemgetter(0)))
                    answers[wait.client].append((wait.call_id, Outcomes(spans)))
            if not wait.untold:
                del self._submits[wait.client, wait.call_id]
        if not together.untold:
            del self._together[together.token]
        for client, told in answers.items():
            client.answer_all(told)

    def read(self, saw: SawReadConfirmed | SawReadUnconfirmed) -> None:
        """Answers who waits for this read. Raises StoreError."""
        waiting = self._reads[saw.token]
        page = self._queries.view(waiting.view, saw)
        del self._reads[saw.token]
        del self._read_tokens[waiting.client, waiting.call_id]
        waiting.client.answer(waiting.call_id, page)

    def tick(self, now: Tick) -> None:
        """Answers the fills whose time has passed."""
        for key in [key for key, wait in self._fills.items() if wait.deadline <= now]:
            self._answer_fill(key)

    def deadline(self) -> Tick | None:
        return min([wait.deadline for wait in self._fills.values()]) if self._fills else None

    def abandon(self, code: ErrorCode, message: str) -> None:
        """The engine stops: nothing that waits gets another answer."""
        for client, call_id in [*self._submits, *self._read_tokens, *self._fills, *self._explains.values()]:
            client.fail(CallFailed(code, message, call_id))
        self._collected, self.collected = [], 0
        self._together.clear()
        self._submits.clear()
        self._many_events = 0
        self._reads.clear()
        self._read_tokens.clear()
        self._fills, self._fill_slots = {}, 0
        self._explains.clear()

    def _read(self, now: Tick, asked: Asked, view: LinearizableView) -> Effects:
        key = self._unused_key(asked)
        token = next(self._tokens)
        self._reads[token] = _ReadWait(*key, view)
        self._read_tokens[key] = token
        return self._replica.read(now, token, view.timeout)

    def _blocking(self, submit: Submit) -> Block | Unblock:
        known = {*self._settings.sites, *(site for each in self._replica.members() for site in each.names)}
        if submit.argument not in known:
            sites = ", ".join(sorted(known))
            raise CallRefused(f"{submit.argument!r} is not a site of this cluster: use one of {sites}")
        target = SiteId(submit.argument)
        if submit.kind is EventKind.UNBLOCK:
            return Unblock(target)
        if target == self._settings.site:
            raise CallRefused("a site cannot block itself: name another site")
        return Block(target)

    def _texts_of(self, submitted: SubmitMany) -> list[str]:
        if self._many_events + len(submitted.texts) > MANY_EVENTS_MAX:
            waiting = f"{self._many_events} events of batches have no outcome yet, and the limit is {MANY_EVENTS_MAX}"
            raise CallRefused(f"{waiting}: wait for some of them")
        texts: list[str] = []
        for text in submitted.texts:
            try:
                texts.append(clean_text(text))
            except BadOperation as bad:
                place = f"text {len(texts) + 1} of {len(submitted.texts)}"
                raise CallRefused(f"{place}: {bad}; nothing was submitted") from None
        return texts

    def _give_up(self, now: Tick, asked: Asked, give_up: GiveUp) -> Effects:
        effects = self.push(now)
        given_up = 0
        for call_id in dict.fromkeys(give_up.requests):
            key = (asked.client, call_id)
            if (wait := self._submits.get(key)) is not None:
                effects.extend(self._replica.give_up(now, wait.token, wait.place, wait.count))
                given_up += 1
            elif key in self._read_tokens:
                effects.extend(self._replica.give_up(now, self._read_tokens[key]))
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
                f"waiting fills already name {self._fill_slots} slots, and the limit is {FILL_SLOTS_MAX}:"
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
        if key in self._submits or key in self._read_tokens or key in self._fills:
            raise CallRefused(
                f"the id {asked.call_id!r} belongs to a request that is not answered yet: use another one"
            )
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


def _text_of(submit: Submit) -> str:
    """Of a tweet. Raises CallRefused."""
    try:
        return clean_text(submit.argument)
    except BadOperation as bad:
        raise CallRefused(str(bad)) from None
