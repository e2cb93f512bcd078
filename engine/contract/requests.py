"""The methods of the control socket: a class is a method, its annotations are the schema of its params, and its base
names the shape that answers it.

Rules that hold here:
- null is as if it were left out.
- Only the shape is checked; whether the rules of the timeline allow a request is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar, get_args

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from engine.contract import answers, members, metrics, status
from engine.contract.answers import (
    AcceptorLine,
    Biography,
    BlockLine,
    Dropped,
    Filled,
    Found,
    GivenUp,
    LinearizablePage,
    Lines,
    LogPage,
    Outcome,
    Outcomes,
    PlanLine,
    Released,
    Removed,
    Rule,
    SlotView,
    Stopping,
    Subscribed,
    TimelinePage,
    Topic,
    TraceLine,
)
from engine.contract.limits import LINES_MAX, SUBMITTED_MAX, TRACE_LINES_MAX
from engine.contract.params import (
    BadParams,
    CallId,
    Count,
    OneSlot,
    Params,
    Seconds,
    Several,
    SlotNumber,
    Text,
    Truth,
    Words,
    event_id,
    no_such_param,
    sentence,
    ticks,
    wall_ms,
)
from engine.contract.shape import read
from engine.core.ids import EventId, Slot, Tick

_A = TypeVar("_A")


class EventKind(StrEnum):
    TWEET = "tweet"
    BLOCK = "block"
    UNBLOCK = "unblock"


class _Bounded(Params[_A]):
    """Asks for lines, at most `limit` of them."""

    limit: Count = 50

    @property
    def lines(self) -> int:
        return min(self.limit, LINES_MAX)


class _OfSlots(Params[_A]):
    """Asks about these slots, ascending; None: the method says which."""

    slots: Several[Slot] | None = None

    def __post_init__(self) -> None:
        if self.slots is not None:
            force_setattr(self, "slots", tuple(sorted(set(self.slots))))


class _Timed:
    """Is answered when `timeout_s` has passed at the latest, as things stand then."""

    __slots__ = ()
    timeout_s: float

    @property
    def timeout(self) -> Tick:
        return ticks(self.timeout_s)


class Submit(Params[Outcome], _Timed, kw_only=True):
    """`text` of a tweet, or the `target` of a block or unblock. `acknowledge`: who asks is told the event's id once it
    has one, before its outcome."""

    kind: Annotated[EventKind, Meta(description="tweet, block or unblock")]
    text: Text | None = None
    target: Text | None = None
    timeout_s: Seconds = 10.0
    retry: Truth = False
    acknowledge: Truth = False

    def __post_init__(self) -> None:
        is_tweet = self.kind is EventKind.TWEET
        needed, other = (self.text, self.target) if is_tweet else (self.target, self.text)
        if needed is None:
            raise BadParams(f"{'text' if is_tweet else 'target'!r} is needed, a string")
        if other is not None:
            raise BadParams(no_such_param("target" if is_tweet else "text"))

    @property
    def argument(self) -> str:
        argument = self.text if self.kind is EventKind.TWEET else self.target
        assert argument is not None, "checked when it was made"
        return argument


class SubmitMany(Params[Outcomes], _Timed, kw_only=True):
    """Tweets, in this order: answered once each has an outcome. `acknowledge`: who asks is told their ids once they
    have them, before their outcomes."""

    texts: Annotated[
        tuple[str, ...],
        Meta(min_length=1, max_length=SUBMITTED_MAX, description=f"needed, a list of 1 to {SUBMITTED_MAX} strings"),
    ]
    timeout_s: Seconds = 10.0
    retry: Truth = False
    acknowledge: Truth = False


class GiveUp(Params[GivenUp]):
    requests: Annotated[tuple[CallId, ...], Meta(description="a list of the ids of requests")]


class Fill(_OfSlots[Filled], _Timed):
    timeout_s: Seconds = 10.0


class AnyView(_Bounded[_A], _Timed):
    before: SlotNumber | None = None
    timeout_s: Seconds = 10.0


class View(AnyView[TimelinePage]):
    fresh: Truth = False


class LinearizableView(AnyView[LinearizablePage], kw_only=True):
    """A view that lacks nothing that was chosen before it was asked for (R5): `view` with `fresh`."""

    fresh: Truth


class Log(_Bounded[LogPage]):
    first: SlotNumber | None = msgspec.field(default=None, name="from")
    last: SlotNumber | None = msgspec.field(default=None, name="to")

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise BadParams("'from' is above 'to': swap them")


class Search(Params[Found], kw_only=True):
    """Which slots `below` one, or of the newest, and from `first` on, hold all of `words` in any case, as the log shows
    them; or of which tweets that the `timeline` shows here. Of one `author`, or `since` a time, where that is said."""

    words: Words | None = None
    author: Text | None = None
    since: Text | None = None
    first: SlotNumber | None = msgspec.field(default=None, name="from")
    below: SlotNumber | None = None
    timeline: Truth = False

    def __post_init__(self) -> None:
        if not self.words and self.author is None and self.since is None and self.first is None and self.below is None:
            raise BadParams("'words' is needed, or 'author', 'since' or 'from'")
        if self.since is not None:
            wall_ms(self.since)

    @property
    def since_ms(self) -> int | None:
        return None if self.since is None else wall_ms(self.since)


class Data(_OfSlots[Lines[AcceptorLine]]):
    pass


class Inspect(Params[SlotView]):
    slot: OneSlot


class Explain(Params[Biography], _Timed):
    slot: OneSlot
    timeout_s: Seconds = 1.0


class Blocks(Params[Lines[BlockLine]]):
    pass


class Events(_Bounded[Lines[Outcome]]):
    ids: (
        Annotated[tuple[str, ...], Meta(max_length=LINES_MAX, description=f"a list of strings, at most {LINES_MAX}")]
        | None
    ) = None

    def __post_init__(self) -> None:
        for text in self.ids or ():
            event_id(text)

    @property
    def events(self) -> list[EventId] | None:
        return None if self.ids is None else [event_id(text) for text in self.ids]


class Status(Params[status.Status]):
    pass


class Metrics(Params[metrics.Metrics]):
    pass


class Members(Params[members.Members]):
    pass


class ChangeKind(StrEnum):
    """What changes who belongs to the cluster (engine.core.entry.Membership)."""

    READMIT = "readmit"
    ADD = "add"
    ADD_LEARNER = "add-learner"
    PROMOTE = "promote"
    REMOVE = "remove"
    MOVE = "move"


_WITH_ADDRESS: Final = (ChangeKind.ADD, ChangeKind.ADD_LEARNER, ChangeKind.MOVE)


class _Change(Params[_A], kw_only=True):
    """`site`: whom it is about; `address`: where that is, `host:port`, for a kind that says so."""

    kind: Annotated[ChangeKind, Meta(description=f"one of {', '.join(ChangeKind)}")]
    site: Text
    address: Text | None = None

    def __post_init__(self) -> None:
        if self.kind in _WITH_ADDRESS and self.address is None:
            raise BadParams("'address' is needed, a string")
        if self.kind not in _WITH_ADDRESS and self.address is not None:
            raise BadParams(no_such_param("address"))


class PlanChange(_Change[members.ChangePlan]):
    """What a change of the members would do, and what is in its way."""


class ChangeMembers(_Change[Outcome], _Timed, kw_only=True):
    """An event that changes who belongs to the cluster. `force`: also where too few voters are heard for what comes
    after; `acknowledge`: as in Submit."""

    force: Truth = False
    timeout_s: Seconds = 10.0
    acknowledge: Truth = False

    @property
    def retry(self) -> bool:
        """Which slot it has is all the same to whoever asks for it."""
        return True


class Plan(_OfSlots[Lines[PlanLine]]):
    pass


class TraceLines(Params[Lines[TraceLine]]):
    limit: Count = 200
    slot: SlotNumber | None = None

    @property
    def lines(self) -> int:
        return min(self.limit, TRACE_LINES_MAX)


class Subscribe(Params[Subscribed]):
    topics: Annotated[frozenset[Topic], Meta(min_length=1, description=f"a list of {', '.join(Topic)}")]


class Faults(Params[answers.Faults]):
    pass


class FaultsAdd(Params[Rule], kw_only=True):
    """`while_connected`: until this connection is closed."""

    rule: Text
    expires_s: Seconds | None = None
    while_connected: Truth = False

    @property
    def expires(self) -> Tick | None:
        return None if self.expires_s is None else ticks(self.expires_s)


class FaultsSet(Params[Rule]):
    number: Count
    on: Truth


class FaultsRemove(Params[Removed]):
    number: Count


class FaultsClear(Params[Removed]):
    pass


class FaultsRelease(Params[Released]):
    """`keep`: and held once more, under the same numbers."""

    held: Several[int] | None = None
    keep: Truth = False


class FaultsDrop(Params[Dropped]):
    held: Several[int] | None = None


class Stop(Params[Stopping]):
    pass


Submitting = Submit | SubmitMany | ChangeMembers

Patient = Submitting | Fill | Explain | LinearizableView
"""What may wait long for its answer."""

Action = Fill | Explain | LinearizableView | GiveUp
"""Steps the replica, as what is submitted does; its answer may come much later."""

FaultAction = FaultsAdd | FaultsSet | FaultsRemove | FaultsClear | FaultsRelease | FaultsDrop

Query = (
    View
    | Log
    | Search
    | Data
    | Inspect
    | Blocks
    | Events
    | Status
    | Metrics
    | Members
    | PlanChange
    | Plan
    | TraceLines
    | Faults
)
"""Changes nothing, and is answered from what is committed."""

Request = Submitting | Action | FaultAction | Query | Subscribe | Stop

METHODS: Final[Mapping[str, type[Request]]] = {
    "submit": Submit,
    "submit_many": SubmitMany,
    "give_up": GiveUp,
    "view": View,
    "log": Log,
    "search": Search,
    "data": Data,
    "slot": Inspect,
    "explain": Explain,
    "blocks": Blocks,
    "events": Events,
    "status": Status,
    "metrics": Metrics,
    "members": Members,
    "members.plan": PlanChange,
    "members.change": ChangeMembers,
    "plan": Plan,
    "fill": Fill,
    "trace": TraceLines,
    "subscribe": Subscribe,
    "faults": Faults,
    "faults.add": FaultsAdd,
    "faults.set": FaultsSet,
    "faults.remove": FaultsRemove,
    "faults.clear": FaultsClear,
    "faults.release": FaultsRelease,
    "faults.drop": FaultsDrop,
    "stop": Stop,
}
"""The methods by their names on the socket."""

_NAMES: Final[Mapping[type[Params[Any]], str]] = {LinearizableView: "view"} | {
    schema: name for name, schema in METHODS.items()
}


def request(method: str, params: Mapping[str, object]) -> Request:
    """Raises BadParams; KeyError where there is no such method."""
    said = {name: value for name, value in params.items() if value is not None}
    schema = METHODS[method]
    if schema is View and said.get("fresh") is True:
        schema = LinearizableView
    try:
        return msgspec.convert(said, schema)
    except msgspec.ValidationError as error:
        raise BadParams(sentence(schema, str(error))) from None


def method_and_params(asked: Params[Any]) -> tuple[str, dict[str, object]]:
    """As a client sends it: what is as if it were left out is left out."""
    return _NAMES[type(asked)], msgspec.to_builtins(asked, order="deterministic")


def answer_to(asked: Params[_A], raw: object) -> _A:
    """The answer, as it came. Raises BadAnswer."""
    answer: _A = read(answered_by(type(asked)), raw)
    return answer


def answered_by(schema: type[Params[Any]]) -> Any:
    """The shape that its base names."""
    return get_args(vars(schema)["__orig_bases__"][0])[0]
