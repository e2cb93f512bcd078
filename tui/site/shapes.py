"""What the control socket answers, as types: docs/control.md, "Shapes".

Rules that hold here:
- Keys that this version does not know are ignored, so that an engine of a later version can be watched.
- A key that is missing is BadAnswer, raised here and nowhere later.
- Texts are as people wrote them: nothing here is fit to print before `inert` (panes paint through it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


class BadAnswer(ValueError):
    """The engine answered in a shape that docs/control.md does not know. The message names the key."""


@dataclass(frozen=True, slots=True)
class EntryShape:
    """An entry; `author`, `id`, `text` and `target` are None where they do not apply."""

    kind: str
    author: str | None
    id: str | None
    text: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What this site is doing about a slot; `phase` as in engine.core.views.AttemptView."""

    slot: int
    phase: str
    ballot: str | None
    votes: tuple[str, ...]
    asked: tuple[str, ...]
    needed: int
    entry: EntryShape | None
    why: str
    since: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A slot of the log. `state`: chosen, accepted, promised or hole; ballots print as `2.alice`."""

    slot: int
    state: str
    kind: str | None
    author: str | None
    id: str | None
    text: str | None
    target: str | None
    acc_num: str | None
    max_prepare: str | None
    at: str | None
    attempt: Attempt | None


@dataclass(frozen=True, slots=True)
class TimelineLine:
    slot: int
    author: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first unlearned used slot, and how many learned ones wait above it."""

    slot: int
    later: int


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """The newest lines below a slot, ascending; `shown` and `hidden` count the whole timeline."""

    lines: tuple[TimelineLine, ...]
    shown: int
    hidden: int
    prefix: int
    waiting: Waiting | None


@dataclass(frozen=True, slots=True)
class FreshRead:
    """What became of a certain read: `at` is the moment before which nothing is missing, None where that is not
    confirmed, because of `reason`."""

    at: str | None
    voters: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class LogPage:
    lines: tuple[LogLine, ...]
    used_max: int
    prefix: int


@dataclass(frozen=True, slots=True)
class BlockLine:
    blocker: str
    blocked: str
    slot: int


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A message, or with `dir` self what the site concluded. `at` is UTC."""

    at: str
    dir: str
    peer: str | None
    type: str
    slot: int | None
    ballot: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one event of this site: created, lost, not-created or unknown. `to_*`: who won the slot that it lost."""

    outcome: str
    id: str | None
    slot: int | None
    reason: str | None
    to_author: str | None
    to_kind: str | None


@dataclass(frozen=True, slots=True)
class FillLine:
    slot: int
    result: str
    kind: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    number: int
    text: str
    on: bool
    hits: int
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class Held:
    number: int
    at: str
    dir: str
    peer: str
    type: str
    slot: int | None


@dataclass(frozen=True, slots=True)
class Faults:
    rules: tuple[Rule, ...]
    held: tuple[Held, ...]
    seed: int | None


NO_FAULTS = Faults((), (), None)


@dataclass(frozen=True, slots=True)
class Quorum:
    reachable: int
    needed: int
    size: int


@dataclass(frozen=True, slots=True)
class Peer:
    up: bool
    voting: bool
    rtt_ms: int | None
    heard_s: float | None
    chosen_through: int
    address: str | None


@dataclass(frozen=True, slots=True)
class Status:
    site: str
    cluster: str
    leadership: str
    leader: str | None
    quorum: Quorum
    chosen_through: int
    chosen_max: int
    next: int
    holes: tuple[int, ...]
    recovering: bool
    voting: bool
    voting_why: str | None
    mismatch: str | None
    faults: int
    unknown: int
    fresh_at: str | None
    peers: Mapping[str, Peer]
    counters: Mapping[str, Any]
    udp: str | None
    pid: int | None
    version: str | None
    since: str | None
    fill_in_s: float | None
    data: str | None
    attempts: tuple[Attempt, ...]

    @property
    def sites(self) -> tuple[str, ...]:
        """All sites of the cluster, sorted."""
        return tuple(sorted({self.site, *self.peers}))


@dataclass(frozen=True, slots=True)
class SlotView:
    """The inspector's picture of a slot: the acceptor's variables and this site's messages about it."""

    slot: int
    state: str
    max_prepare: str | None
    acc_num: str | None
    acc_val: EntryShape | None
    learned: EntryShape | None
    void: bool
    attempt: Attempt | None
    trace: tuple[TraceLine, ...]


def _key(raw: Json, name: str) -> Any:
    try:
        return raw[name]
    except (KeyError, TypeError) as missing:
        raise BadAnswer(f"the engine's answer has no {name!r}: it is of another version, restart it") from missing


def entry_shape(raw: Json | None) -> EntryShape | None:
    if raw is None:
        return None
    return EntryShape(_key(raw, "kind"), _key(raw, "author"), _key(raw, "id"), _key(raw, "text"), _key(raw, "target"))


def attempt(raw: Json | None) -> Attempt | None:
    if raw is None:
        return None
    return Attempt(
        slot=_key(raw, "slot"),
        phase=_key(raw, "phase"),
        ballot=_key(raw, "ballot"),
        votes=tuple(_key(raw, "votes")),
        asked=tuple(_key(raw, "asked")),
        needed=_key(raw, "needed"),
        entry=entry_shape(_key(raw, "entry")),
        why=_key(raw, "why"),
        since=_key(raw, "since"),
    )


def log_line(raw: Json) -> LogLine:
    return LogLine(
        slot=_key(raw, "slot"),
        state=_key(raw, "state"),
        kind=_key(raw, "kind"),
        author=_key(raw, "author"),
        id=_key(raw, "id"),
        text=_key(raw, "text"),
        target=_key(raw, "target"),
        acc_num=_key(raw, "accNum"),
        max_prepare=_key(raw, "maxPrepare"),
        at=_key(raw, "at"),
        attempt=attempt(_key(raw, "attempt")),
    )


def log_page(raw: Json) -> LogPage:
    return LogPage(tuple(map(log_line, _key(raw, "lines"))), _key(raw, "used_max"), _key(raw, "prefix"))


def timeline_page(raw: Json) -> TimelinePage:
    waiting = _key(raw, "waiting")
    return TimelinePage(
        lines=tuple(
            TimelineLine(_key(line, "slot"), _key(line, "author"), _key(line, "text"), _key(line, "at"))
            for line in _key(raw, "lines")
        ),
        shown=_key(raw, "shown"),
        hidden=_key(raw, "hidden"),
        prefix=_key(raw, "prefix"),
        waiting=None if waiting is None else Waiting(_key(waiting, "slot"), _key(waiting, "later")),
    )


def fresh_read(raw: Json) -> FreshRead:
    """Of a `view` that was asked to be fresh."""
    read = _key(raw, "fresh")
    return FreshRead(_key(read, "at"), tuple(_key(read, "voters")), _key(read, "reason"))


def block_lines(raw: Json) -> tuple[BlockLine, ...]:
    return tuple(
        BlockLine(_key(line, "blocker"), _key(line, "blocked"), _key(line, "slot")) for line in _key(raw, "lines")
    )


def trace_line(raw: Json) -> TraceLine:
    return TraceLine(
        _key(raw, "at"),
        _key(raw, "dir"),
        _key(raw, "peer"),
        _key(raw, "type"),
        _key(raw, "slot"),
        _key(raw, "ballot"),
        _key(raw, "note"),
    )


def outcome(raw: Json) -> Outcome:
    to = raw.get("to")
    return Outcome(
        outcome=_key(raw, "outcome"),
        id=_key(raw, "id"),
        slot=raw.get("slot"),
        reason=raw.get("reason"),
        to_author=None if to is None else _key(to, "author"),
        to_kind=None if to is None else _key(to, "kind"),
    )


def fill_lines(raw: Json) -> tuple[FillLine, ...]:
    return tuple(FillLine(_key(line, "slot"), _key(line, "result"), line.get("kind")) for line in _key(raw, "lines"))


def faults(raw: Json) -> Faults:
    return Faults(
        rules=tuple(
            Rule(_key(rule, "number"), _key(rule, "text"), _key(rule, "on"), _key(rule, "hits"), rule.get("expires_at"))
            for rule in _key(raw, "rules")
        ),
        held=tuple(
            Held(_key(held, "number"), _key(held, "at"), _key(held, "dir"), _key(held, "peer"), _key(held, "type"),
                 held.get("slot"))
            for held in _key(raw, "held")
        ),
        seed=raw.get("seed"),
    )  # fmt: skip


def status(raw: Json) -> Status:
    quorum = _key(raw, "quorum")
    return Status(
        site=_key(raw, "site"),
        cluster=_key(raw, "cluster"),
        leadership=_key(raw, "leadership"),
        leader=_key(raw, "leader"),
        quorum=Quorum(_key(quorum, "reachable"), _key(quorum, "needed"), _key(quorum, "size")),
        chosen_through=_key(raw, "chosen_through"),
        chosen_max=_key(raw, "chosen_max"),
        next=_key(raw, "next"),
        holes=tuple(_key(raw, "holes")),
        recovering=_key(raw, "recovering"),
        voting=_key(raw, "voting"),
        voting_why=_key(raw, "voting_why"),
        mismatch=_key(raw, "mismatch"),
        faults=_key(raw, "faults"),
        unknown=_key(raw, "unknown"),
        fresh_at=_key(raw, "fresh_at"),
        peers={name: _peer(peer) for name, peer in _key(raw, "peers").items()},
        counters=_key(raw, "counters"),
        udp=raw.get("udp"),
        pid=raw.get("pid"),
        version=raw.get("version"),
        since=raw.get("since"),
        fill_in_s=raw.get("fill_in_s"),
        data=raw.get("data"),
        attempts=tuple(each for each in map(attempt, raw.get("attempts", ())) if each is not None),
    )


def _peer(raw: Json) -> Peer:
    return Peer(
        up=_key(raw, "up"),
        voting=raw.get("voting", True),
        rtt_ms=_key(raw, "rtt_ms"),
        heard_s=raw.get("heard_s"),
        chosen_through=_key(raw, "chosen_through"),
        address=raw.get("address"),
    )


def slot_view(raw: Json) -> SlotView:
    return SlotView(
        slot=_key(raw, "slot"),
        state=_key(raw, "state"),
        max_prepare=_key(raw, "maxPrepare"),
        acc_num=_key(raw, "accNum"),
        acc_val=entry_shape(_key(raw, "accVal")),
        learned=entry_shape(_key(raw, "learned")),
        void=_key(raw, "void"),
        attempt=attempt(_key(raw, "attempt")),
        trace=tuple(map(trace_line, _key(raw, "trace"))),
    )
