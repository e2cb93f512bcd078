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

from engine.core.explained.readings import HOLES_SHOWN_MAX

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
    """A message, or with `dir` self what the site concluded. `at` is UTC. `ranged`: it is of an election, for all slots
    from `slot` on."""

    at: str
    dir: str
    peer: str | None
    type: str
    slot: int | None
    ballot: str | None
    note: str | None
    ranged: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one event of this site: created, lost, not-created or unknown. `to_*`: who won the slot that it lost;
    `waits_for`: it is chosen at `slot`, and unknown until this slot is settled; `took_ms`: the engine's own time."""

    outcome: str
    id: str | None
    slot: int | None
    reason: str | None
    to_author: str | None
    to_kind: str | None
    waits_for: int | None = None
    took_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What a fill would do about a slot, in the engine's words."""

    slot: int
    action: str


@dataclass(frozen=True, slots=True)
class FillLine:
    slot: int
    result: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a fill; `why` is what keeps the lowest slot that is not settled, None where all are."""

    lines: tuple[FillLine, ...]
    why: str | None


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


NO_FAULTS = Faults((), ())


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
    hindered: str | None
    narrow: str | None
    unsent: str | None
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

    def has_settled(self, slot: int) -> bool:
        """Whether the slot is learned there, as far as this tells: of very many holes the first are named."""
        told = self.holes[-1] if len(self.holes) >= HOLES_SHOWN_MAX else self.chosen_max
        return slot <= told and slot not in self.holes


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
    hindered: str | None
    trace: tuple[TraceLine, ...]


def key(raw: Json, name: str) -> Any:
    """A part of an answer that is always there. Raises BadAnswer."""
    try:
        return raw[name]
    except (KeyError, TypeError) as missing:
        raise BadAnswer(f"the engine's answer has no {name!r}: it is of another version, restart it") from missing


def entry_shape(raw: Json | None) -> EntryShape | None:
    if raw is None:
        return None
    return EntryShape(key(raw, "kind"), key(raw, "author"), key(raw, "id"), key(raw, "text"), key(raw, "target"))


def attempt(raw: Json | None) -> Attempt | None:
    if raw is None:
        return None
    return Attempt(
        slot=key(raw, "slot"),
        phase=key(raw, "phase"),
        ballot=key(raw, "ballot"),
        votes=tuple(key(raw, "votes")),
        asked=tuple(key(raw, "asked")),
        needed=key(raw, "needed"),
        entry=entry_shape(key(raw, "entry")),
        why=key(raw, "why"),
    )


def log_line(raw: Json) -> LogLine:
    return LogLine(
        slot=key(raw, "slot"),
        state=key(raw, "state"),
        kind=key(raw, "kind"),
        author=key(raw, "author"),
        id=key(raw, "id"),
        text=key(raw, "text"),
        target=key(raw, "target"),
        acc_num=key(raw, "accNum"),
        max_prepare=key(raw, "maxPrepare"),
        attempt=attempt(key(raw, "attempt")),
    )


def log_page(raw: Json) -> LogPage:
    return LogPage(tuple(map(log_line, key(raw, "lines"))), key(raw, "used_max"), key(raw, "prefix"))


def timeline_page(raw: Json) -> TimelinePage:
    waiting = key(raw, "waiting")
    return TimelinePage(
        lines=tuple(
            TimelineLine(key(line, "slot"), key(line, "author"), key(line, "text"), key(line, "at"))
            for line in key(raw, "lines")
        ),
        shown=key(raw, "shown"),
        hidden=key(raw, "hidden"),
        prefix=key(raw, "prefix"),
        waiting=None if waiting is None else Waiting(key(waiting, "slot"), key(waiting, "later")),
    )


def fresh_read(raw: Json) -> FreshRead:
    """Of a `view` that was asked to be fresh."""
    read = key(raw, "fresh")
    return FreshRead(key(read, "at"), tuple(key(read, "voters")), key(read, "reason"))


def block_lines(raw: Json) -> tuple[BlockLine, ...]:
    return tuple(BlockLine(key(line, "blocker"), key(line, "blocked"), key(line, "slot")) for line in key(raw, "lines"))


def trace_line(raw: Json) -> TraceLine:
    return TraceLine(
        key(raw, "at"),
        key(raw, "dir"),
        key(raw, "peer"),
        key(raw, "type"),
        key(raw, "slot"),
        key(raw, "ballot"),
        key(raw, "note"),
        raw.get("ranged", False),
    )


def outcome(raw: Json) -> Outcome:
    to = raw.get("to")
    return Outcome(
        outcome=key(raw, "outcome"),
        id=key(raw, "id"),
        slot=raw.get("slot"),
        reason=raw.get("reason"),
        to_author=None if to is None else key(to, "author"),
        to_kind=None if to is None else key(to, "kind"),
        waits_for=raw.get("waits_for"),
        took_ms=raw.get("took_ms"),
    )


def plan(raw: Json) -> tuple[PlanLine, ...]:
    return tuple(PlanLine(key(line, "slot"), key(line, "action")) for line in key(raw, "lines"))


def filled(raw: Json) -> Filled:
    lines = (FillLine(key(line, "slot"), key(line, "result")) for line in key(raw, "lines"))
    return Filled(tuple(lines), raw.get("why"))


def faults(raw: Json) -> Faults:
    return Faults(
        rules=tuple(
            Rule(key(rule, "number"), key(rule, "text"), key(rule, "on"), key(rule, "hits"), rule.get("expires_at"))
            for rule in key(raw, "rules")
        ),
        held=tuple(
            Held(key(held, "number"), key(held, "at"), key(held, "dir"), key(held, "peer"), key(held, "type"),
                 held.get("slot"))
            for held in key(raw, "held")
        ),
    )  # fmt: skip


def status(raw: Json) -> Status:
    quorum = key(raw, "quorum")
    return Status(
        site=key(raw, "site"),
        cluster=key(raw, "cluster"),
        leadership=key(raw, "leadership"),
        leader=key(raw, "leader"),
        quorum=Quorum(key(quorum, "reachable"), key(quorum, "needed"), key(quorum, "size")),
        chosen_through=key(raw, "chosen_through"),
        chosen_max=key(raw, "chosen_max"),
        next=key(raw, "next"),
        holes=tuple(key(raw, "holes")),
        recovering=key(raw, "recovering"),
        voting=key(raw, "voting"),
        voting_why=key(raw, "voting_why"),
        mismatch=key(raw, "mismatch"),
        hindered=key(raw, "hindered"),
        narrow=key(raw, "narrow"),
        unsent=key(raw, "unsent"),
        faults=key(raw, "faults"),
        unknown=key(raw, "unknown"),
        fresh_at=key(raw, "fresh_at"),
        peers={name: _peer(peer) for name, peer in key(raw, "peers").items()},
        counters=key(raw, "counters"),
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
        up=key(raw, "up"),
        voting=raw.get("voting", True),
        rtt_ms=key(raw, "rtt_ms"),
        heard_s=raw.get("heard_s"),
        chosen_through=key(raw, "chosen_through"),
        address=raw.get("address"),
    )


def slot_view(raw: Json) -> SlotView:
    return SlotView(
        slot=key(raw, "slot"),
        state=key(raw, "state"),
        max_prepare=key(raw, "maxPrepare"),
        acc_num=key(raw, "accNum"),
        acc_val=entry_shape(key(raw, "accVal")),
        learned=entry_shape(key(raw, "learned")),
        void=key(raw, "void"),
        attempt=attempt(key(raw, "attempt")),
        hindered=key(raw, "hindered"),
        trace=tuple(map(trace_line, key(raw, "trace"))),
    )
