"""The methods of the control socket as types, and how they are read from a call's params (docs/control.md).

Rules that hold here:
- Every name, type and range is checked here, and an unknown name is refused: what passes needs no second look.
- Only the shape is checked; whether the rules of the timeline allow a request is the desk's to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeGuard

from engine.core.ids import NUMBER_MAX, EventId, SiteId, Slot, Tick
from engine.runtime.jsonrpc import Call, CallFailed, CallId, ErrorCode

LINES_DEFAULT: Final = 50
LINES_MAX: Final = 1_000
"""The most lines in one answer: a larger `limit` is taken as this."""

SLOTS_MAX: Final = 1_000
EXPLAIN_TIMEOUT_S: Final = 1.0
_SECONDS_MAX: Final = 31_536_000
_EVENT_ID: Final = re.compile(r"([a-z][a-z0-9-]{0,15})/([1-9][0-9]{0,15})\Z")


class Refused(Exception):
    """A request that the rules of the timeline or of `faults` do not allow. The message says what to do."""


class Topic(StrEnum):
    TRACE = "trace"
    LOG = "log"
    OUTCOME = "outcome"
    STATUS = "status"
    FAULTS = "faults"


class EventKind(StrEnum):
    TWEET = "tweet"
    BLOCK = "block"
    UNBLOCK = "unblock"


@dataclass(frozen=True, slots=True)
class Submit:
    """`argument` is the text of a tweet, or the target of a block or unblock."""

    kind: EventKind
    argument: str
    timeout: Tick
    retry: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    requests: tuple[CallId, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    slots: tuple[Slot, ...] | None
    timeout: Tick


@dataclass(frozen=True, slots=True)
class View:
    limit: int
    before: Slot | None


@dataclass(frozen=True, slots=True)
class FreshView:
    """A view that lacks nothing that was chosen before it was asked for (R5)."""

    view: View
    timeout: Tick


@dataclass(frozen=True, slots=True)
class Log:
    first: Slot | None
    last: Slot | None
    limit: int


@dataclass(frozen=True, slots=True)
class Data:
    slots: tuple[Slot, ...] | None


@dataclass(frozen=True, slots=True)
class Inspect:
    slot: Slot


@dataclass(frozen=True, slots=True)
class Blocks:
    pass


@dataclass(frozen=True, slots=True)
class Events:
    ids: tuple[EventId, ...] | None
    limit: int


@dataclass(frozen=True, slots=True)
class Status:
    pass


@dataclass(frozen=True, slots=True)
class Plan:
    slots: tuple[Slot, ...] | None


@dataclass(frozen=True, slots=True)
class TraceLines:
    limit: int
    slot: Slot | None


@dataclass(frozen=True, slots=True)
class Subscribe:
    topics: frozenset[Topic]


@dataclass(frozen=True, slots=True)
class Faults:
    pass


@dataclass(frozen=True, slots=True)
class FaultsAdd:
    rule: str
    expires: Tick | None


@dataclass(frozen=True, slots=True)
class FaultsSet:
    number: int
    on: bool


@dataclass(frozen=True, slots=True)
class FaultsRemove:
    number: int


@dataclass(frozen=True, slots=True)
class FaultsClear:
    pass


@dataclass(frozen=True, slots=True)
class FaultsRelease:
    held: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class FaultsDrop:
    held: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class Explain:
    slot: Slot
    timeout: Tick


Patient = Submit | Fill | Explain | FreshView
"""What may wait long for its answer."""

Action = Patient | GiveUp
"""Steps the replica; its answer may come much later."""

FaultAction = FaultsAdd | FaultsSet | FaultsRemove | FaultsClear | FaultsRelease | FaultsDrop

Query = View | Log | Data | Inspect | Blocks | Events | Status | Plan | TraceLines | Faults
"""Changes nothing, and is answered from what is committed."""

Request = Action | FaultAction | Query | Subscribe | Stop


def parse(call: Call) -> Request:
    """Raises CallFailed: no such method, or bad params."""
    reader = _READERS.get(call.method)
    if reader is None:
        methods = ", ".join(_READERS)
        raise CallFailed(ErrorCode.NO_SUCH_METHOD, f"there is no method {call.method!r}: use one of {methods}", call.id)
    params = _Params(call)
    request = reader(params)
    params.refuse_unknown()
    return request


_MISSING: Final = object()


class _Params:
    """Takes a call's params by name, each with one type and range; null is as if it were left out."""

    def __init__(self, call: Call) -> None:
        self._call_id = call.id
        self._left: dict[str, object] = {name: value for name, value in call.params.items() if value is not None}

    def refuse_unknown(self) -> None:
        if self._left:
            raise self.bad(f"there is no param {next(iter(self._left))!r}: leave it out")

    def bad(self, message: str) -> CallFailed:
        return CallFailed(ErrorCode.BAD_PARAMS, message, self._call_id)

    def _take(self, name: str) -> object:
        return self._left.pop(name, _MISSING)

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str):
            raise self.bad(f"{name!r} is needed, a string")
        return value

    def integer(self, name: str, default: int | None) -> int:
        value = self._take(name)
        if value is _MISSING and default is not None:
            return default
        if not _is_count(value):
            raise self.bad(f"{name!r} is an integer, 1 or more")
        return value

    def limit(self) -> int:
        return min(self.integer("limit", LINES_DEFAULT), LINES_MAX)

    def slot_or_none(self, name: str) -> Slot | None:
        value = self._take(name)
        if value is _MISSING:
            return None
        if not _is_count(value):
            raise self.bad(f"{name!r} is a slot: an integer, 1 or more")
        return Slot(value)

    def slots(self) -> tuple[Slot, ...] | None:
        numbers = self.integers("slots")
        return None if numbers is None else tuple(Slot(number) for number in sorted(set(numbers)))

    def integers(self, name: str) -> tuple[int, ...] | None:
        value = self._take(name)
        if value is _MISSING:
            return None
        if not isinstance(value, list) or not all(map(_is_count, value)):
            raise self.bad(f"{name!r} is a list of integers, each 1 or more")
        if len(value) > SLOTS_MAX:
            raise self.bad(f"{name!r} names at most {SLOTS_MAX} at once: ask in parts")
        return tuple(value)

    def names(self, name: str) -> tuple[str, ...] | None:
        value = self._take(name)
        if value is _MISSING:
            return None
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or len(value) > LINES_MAX:
            raise self.bad(f"{name!r} is a list of strings, at most {LINES_MAX}")
        return tuple(value)

    def event_ids(self, name: str) -> tuple[EventId, ...] | None:
        names = self.names(name)
        return None if names is None else tuple(self._event_id(each) for each in names)

    def _event_id(self, text: str) -> EventId:
        found = _EVENT_ID.match(text)
        if not found or not _is_count(int(found[2])):
            raise self.bad(f"{text!r} is no event id: write for example alice/17")
        return EventId(SiteId(found[1]), int(found[2]))

    def call_ids(self, name: str) -> tuple[CallId, ...]:
        value = self._take(name)
        if not isinstance(value, list) or any(
            isinstance(each, bool) or not isinstance(each, int | str) for each in value
        ):
            raise self.bad(f"{name!r} is a list of the ids of requests")
        return tuple(value)

    def truth(self, name: str, default: bool | None) -> bool:
        value = self._take(name)
        if value is _MISSING and default is not None:
            return default
        if not isinstance(value, bool):
            raise self.bad(f"{name!r} is true or false")
        return value

    def seconds(self, name: str, default: float | None) -> Tick | None:
        """A time span in seconds, as ticks, rounded up so that it never ends before it began."""
        value = self._take(name)
        if value is _MISSING:
            return None if default is None else Tick(math.ceil(default * 1000))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _SECONDS_MAX:
            raise self.bad(f"{name!r} is a number of seconds, above 0 and at most {_SECONDS_MAX}")
        return Tick(math.ceil(value * 1000))

    def timeout(self) -> Tick:
        timeout = self.seconds("timeout_s", 10.0)
        assert timeout is not None
        return timeout


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= NUMBER_MAX


def _submit(params: _Params) -> Submit:
    said = params.text("kind")
    try:
        kind = EventKind(said)
    except ValueError:
        raise params.bad("'kind' is tweet, block or unblock") from None
    argument = params.text("text" if kind is EventKind.TWEET else "target")
    return Submit(kind, argument, params.timeout(), params.truth("retry", default=False))


def _view(params: _Params) -> View | FreshView:
    view, timeout = View(params.limit(), params.slot_or_none("before")), params.timeout()
    return FreshView(view, timeout) if params.truth("fresh", default=False) else view


def _inspect(params: _Params) -> Inspect:
    return Inspect(Slot(params.integer("slot", None)))


def _explain(params: _Params) -> Explain:
    slot = Slot(params.integer("slot", None))
    timeout = params.seconds("timeout_s", EXPLAIN_TIMEOUT_S)
    assert timeout is not None
    return Explain(slot, timeout)


def _log(params: _Params) -> Log:
    request = Log(params.slot_or_none("from"), params.slot_or_none("to"), params.limit())
    if request.first is not None and request.last is not None and request.first > request.last:
        raise params.bad("'from' is above 'to': swap them")
    return request


def _subscribe(params: _Params) -> Subscribe:
    named = params.names("topics")
    known = {str(topic) for topic in Topic}
    if not named or not set(named) <= known:
        raise params.bad(f"'topics' is a list of {', '.join(Topic)}")
    return Subscribe(frozenset(Topic(name) for name in named))


_READERS: Final[Mapping[str, Callable[[_Params], Request]]] = {
    "submit": _submit,
    "give_up": lambda params: GiveUp(params.call_ids("requests")),
    "view": _view,
    "log": _log,
    "data": lambda params: Data(params.slots()),
    "slot": _inspect,
    "explain": _explain,
    "blocks": lambda _: Blocks(),
    "events": lambda params: Events(params.event_ids("ids"), params.limit()),
    "status": lambda _: Status(),
    "plan": lambda params: Plan(params.slots()),
    "fill": lambda params: Fill(params.slots(), params.timeout()),
    "trace": lambda params: TraceLines(min(params.integer("limit", 200), 5_000), params.slot_or_none("slot")),
    "subscribe": _subscribe,
    "faults": lambda _: Faults(),
    "faults.add": lambda params: FaultsAdd(params.text("rule"), params.seconds("expires_s", None)),
    "faults.set": lambda params: FaultsSet(params.integer("number", None), params.truth("on", default=None)),
    "faults.remove": lambda params: FaultsRemove(params.integer("number", None)),
    "faults.clear": lambda _: FaultsClear(),
    "faults.release": lambda params: FaultsRelease(params.integers("held")),
    "faults.drop": lambda params: FaultsDrop(params.integers("held")),
    "stop": lambda _: Stop(),
}
