"""What is known of one site, fed by its engine's answers and notifications; panes read it and are told what changed.

Rules that hold here:
- It knows nothing of widgets: whoever watches is told which aspects changed, and reads them.
- What it holds is bounded, whatever the length of the log: pages, a window, a ring, the newest outcomes.
- After a connection was lost nothing that was known counts as known; it is read anew when the engine is back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from enum import Flag, auto
from typing import Any, Final, assert_never

from msgspec.structs import replace

from engine.contract import requests
from engine.contract.answers import (
    Biography,
    BlockLine,
    Direction,
    Faults,
    LinearizableRead,
    LogLine,
    LogState,
    Outcome,
    SlotView,
    TimelinePage,
    TraceLine,
)
from engine.contract.errors import EngineLost, NoEngine, RequestFailed
from engine.contract.notifications import Item, LogSpan, RecordLine
from engine.contract.status import Status
from engine.core.entry import Kind
from engine.core.ids import Slot
from tui import times
from tui.hops import Hop
from tui.link import Link
from tui.site.attempts import Attempts
from tui.site.connected import Connecting, Connection, Gone, Stopped, Up
from tui.site.engine_log import tail
from tui.site.linearizable_read import Confirming, NoneOpen, ReadState, Unconfirmed
from tui.site.log_pages import LogPages, page_of, span_of
from tui.site.reading import Reading
from tui.site.timeline_window import PAGE_LINES, TimelineWindow
from tui.site.trace_ring import TraceRing

OUTCOMES_MAX: Final = 200
TRACE_LINES: Final = 200
HANDED: Final = (Direction.SELF, "hand-on")
"""Direction and type of the line of the trace that says it. (A message of that type may be another site's events.)"""
LINEARIZABLE_READ_S: Final = 10
"""How long a linearizable read waits for a majority, and for what is missing."""


class Change(Flag):
    """Aspects of the model that changed."""

    CONNECTION = auto()
    STATUS = auto()
    LOG = auto()
    TIMELINE = auto()
    BLOCKS = auto()
    TRACE = auto()
    FAULTS = auto()
    OUTCOME = auto()
    ATTEMPTS = auto()
    READ = auto()


ALL_CHANGES: Final = Change(sum(change.value for change in Change))


Spawn = Callable[[Coroutine[Any, Any, None]], object]
Watcher = Callable[[Change], None]


class SiteModel:
    def __init__(self, hop: Hop, spawn: Spawn) -> None:
        self.hop = hop
        self.site: str = hop.site
        self.link = Link(hop.socket_path, self)
        self.connection: Connection = Connecting()
        self.status: Status | None = None
        self.status_at = times.monotonic_s()
        self.silent_since: dict[str, datetime] = {}
        """Peers that are not heard, and when they last were (local time): set once, so that no text of it ticks."""
        self.attempts = Attempts()
        """All panes tell from here what this site does at a slot."""
        self.log = LogPages()
        self.was_read = False
        """Whether an engine told how far the log goes, since this screen is there."""
        self.changed_slots: set[int] | None = None
        """While watchers are told of LOG or ATTEMPTS: the slots that changed, None if any may have."""
        self.timeline = TimelineWindow()
        self.reading = Reading(hop.folder)
        self.read_state: ReadState = NoneOpen()
        self.timeline_epoch = 0
        """Rises when the lines that were read so far count no longer."""
        self.blocks: tuple[BlockLine, ...] | None = None
        self.trace = TraceRing()
        self.handed: TraceLine | None = None
        """The newest word that this site handed its events to a leader: to whose ballot, and when."""
        self.faults: Faults = Faults((), (), 0)
        self.outcomes: OrderedDict[str, Outcome] = OrderedDict()
        self.on_outcome: Callable[[Outcome | None, Outcome], None] = lambda _before, _now: None
        """Told of each outcome that the engine reports unasked, with what was known of that event before."""
        self.on_complaint: Callable[[str], None] = lambda _words: None
        """Told why the engine refused something that a pane asked."""
        self._spawn = spawn
        self._watchers: list[Watcher] = []
        self._asked_pages: set[int] = set()

    def watch(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    @property
    def live(self) -> bool:
        return isinstance(self.connection, Up)

    @property
    def over(self) -> bool:
        """Whether no engine is there."""
        return isinstance(self.connection, Stopped | Gone)

    @property
    def may_lack_newest(self) -> bool:
        """Whether nobody here can tell what is chosen meanwhile."""
        return self.over or (self.status is not None and not self.status.quorum.is_reached)

    @property
    def holes(self) -> tuple[int, ...]:
        """Those that are known; of very many the first."""
        return () if self.status is None else self.status.holes

    @property
    def sites(self) -> tuple[str, ...]:
        """All sites of the cluster as far as they are known, sorted."""
        return (self.site,) if self.status is None else self.status.sites

    def blocked_since(self, site: str) -> int | None:
        """The slot since which this site blocks that one; None where it does not, or `blocks` was not read."""
        return next((b.slot for b in self.blocks or () if (b.blocker, b.blocked) == (self.site, site)), None)

    def forget_timeline(self) -> None:
        """What is hidden changed, or the connection was lost: lines are read anew."""
        self.timeline = self.timeline.copy()
        self.timeline.lines.clear()
        self.timeline_epoch += 1

    def tell_read(self) -> None:
        """How much of the timeline is unread may have changed."""
        self._tell(Change.READ)

    def known_outcome(self, outcome: Outcome) -> None:
        """Remembers the newest word about an event."""
        if outcome.id is None:
            return
        self.outcomes[outcome.id] = outcome
        self.outcomes.move_to_end(outcome.id)
        while len(self.outcomes) > OUTCOMES_MAX:
            self.outcomes.popitem(last=False)

    def complain(self, failed: Exception) -> None:
        """Tells why a question was refused; that the connection is gone is told elsewhere."""
        if not isinstance(failed, EngineLost | NoEngine):
            self.on_complaint(str(failed))

    # What the engine says unasked (tui.link.Listener).

    def connected(self) -> None:
        self.connection = Up()
        self.attempts.clear()
        self.log.forget()
        self.read_state = NoneOpen()
        self.forget_timeline()
        self.blocks = None
        self.handed = None
        self._asked_pages.clear()
        self._spawn(self._read_anew())
        self._tell(ALL_CHANGES)

    def lost(self, why: str) -> None:
        match self.connection:
            case Up() | Connecting():
                since = None if self.status is None else self.status.since
                self.connection = Gone(why, tail(self.hop.log_path, since))
                self._tell(Change.CONNECTION | Change.STATUS)
            case Stopped() | Gone():
                pass  # the first word about it is the one that explains

    def stopping(self, reason: str, exit_status: int) -> None:
        self.connection = Stopped(reason, exit_status)
        self._tell(Change.CONNECTION | Change.STATUS)

    def observed(self, items: Sequence[Item], dropped: int) -> None:
        changed = Change(0)
        if dropped:
            self.trace.left_out(dropped, datetime.now(UTC).isoformat())
            changed |= Change.TRACE
        trace: list[TraceLine] = []
        self.changed_slots = set()
        for item in items:
            match item:
                case TraceLine():
                    trace.append(item)
                    if (item.dir, item.type) == HANDED:
                        self.handed = item
                case LogLine():
                    changed |= self._take_log(item)
                case LogSpan():
                    changed |= self._take_log_span(item)
                case Status():
                    changed |= self._take_status(item)
                case Faults():
                    self.faults = item
                    changed |= Change.FAULTS
                case Outcome():
                    self._take_outcome(item)
                    changed |= Change.OUTCOME
                case RecordLine():
                    pass  # no screen asks for any
                case _:
                    assert_never(item)
        if trace:
            self.trace.extend(trace)
            changed |= Change.TRACE
        if any(isinstance(item, LogSpan) for item in items):
            self.changed_slots = None
        if changed:
            self._tell(changed)
        self.changed_slots = None

    # What is asked of the engine. All may raise RequestFailed.

    async def read_status(self) -> None:
        self._tell(self._take_status(await self.link.ask(requests.Status())))

    async def read_faults(self) -> None:
        """What is told afterwards of rules is told of this or newer."""
        self.faults = await self.link.ask(requests.Faults())
        self._tell(Change.FAULTS)

    async def read_trace(self) -> None:
        """Starts the trace anew with the newest lines that the engine remembers."""
        self.trace.restart((await self.link.ask(requests.TraceLines(limit=TRACE_LINES))).lines)
        self._tell(Change.TRACE)

    async def read_log(self, slot: int) -> None:
        """Fetches the page of `slot`, unless that is under way."""
        page = page_of(slot)
        if page in self._asked_pages:
            return
        self._asked_pages.add(page)
        first, last = span_of(page)
        try:
            asked = requests.Log(first=Slot(first), last=Slot(last), limit=last - first + 1)
            fetched = await self.link.ask(asked)
            self.log.merge(page, fetched)
        finally:
            self._asked_pages.discard(page)
        self._tell(Change.LOG | self._tried(self.attempts.take({line.slot: line.attempt for line in fetched.lines})))

    async def read_timeline(self, limit: int, before: int | None) -> TimelinePage:
        return await self.link.ask(requests.View(limit=limit, before=None if before is None else Slot(before)))

    async def read_timeline_tail(self) -> TimelinePage:
        return await self.read_timeline(PAGE_LINES, None)

    async def read_linearizably(self) -> LinearizableRead:
        """Has a majority say how far the log goes, and waits until all of that is here, or the time has passed (R5)."""
        self.read_state = Confirming()
        self._tell(Change.STATUS)
        view = requests.LinearizableView(fresh=True, limit=1, timeout_s=LINEARIZABLE_READ_S)
        try:
            read = (await self.link.ask(view)).fresh
        except RequestFailed:
            self._confirmed(NoneOpen())
            raise
        if read.at is None:
            self._confirmed(Unconfirmed(read, times.now().isoformat()))
            return read
        if self.status is not None:
            self.status = replace(self.status, fresh_at=max(read.at, self.status.fresh_at or read.at))
        self._confirmed(NoneOpen())
        return read

    def _confirmed(self, state: ReadState) -> None:
        """The timeline's title says so once the lines are read that were missing."""
        self.read_state = state
        self._tell(Change.TIMELINE)

    async def read_blocks(self) -> None:
        blocks = (await self.link.ask(requests.Blocks())).lines
        if blocks != self.blocks:
            self.blocks = blocks
            self._tell(Change.BLOCKS)

    async def read_slot(self, slot: int) -> SlotView:
        view = await self.link.ask(requests.Inspect(slot=Slot(slot)))
        if changed := self._tried(self.attempts.take({view.slot: view.attempt})):
            self._tell(changed)
        return view

    async def explain(self, slot: int) -> Biography:
        """What happened at a slot, as far as the sites that answer within a second know."""
        return await self.link.ask(requests.Explain(slot=Slot(slot)))

    async def read_events(self, limit: int) -> tuple[Outcome, ...]:
        """The newest events of this site, ascending."""
        outcomes = (await self.link.ask(requests.Events(limit=limit))).lines
        for outcome in outcomes:
            self.known_outcome(outcome)
        return outcomes

    async def read_event(self, id_: str) -> Outcome:
        """One event of this site."""
        (outcome,) = (await self.link.ask(requests.Events(ids=(id_,)))).lines
        self.known_outcome(outcome)
        return outcome

    async def _read_anew(self) -> None:
        """Everything that is not read page by page, after a connection was made."""
        try:
            await self.read_status()
            self.faults = await self.link.ask(requests.Faults())
            await self.read_trace()
            await self.read_events(OUTCOMES_MAX // 4)
            newest = await self.link.ask(requests.Log(limit=1))
        except RequestFailed as failed:
            self.complain(failed)
            return
        self.was_read = True
        self.log.used_max = newest.used_max
        self.log.prefix = newest.prefix
        self._tell(ALL_CHANGES)

    def _tried(self, slots: set[int]) -> Change:
        """What this site does at these slots is another thing than before."""
        if self.changed_slots is not None:
            self.changed_slots |= slots
        return Change.ATTEMPTS if slots else Change(0)

    def _take_status(self, status: Status) -> Change:
        known = None if self.status is None else self.status.fresh_at
        if isinstance(self.read_state, Unconfirmed) and status.fresh_at != known:
            self.read_state = NoneOpen()  # another client's read was confirmed since
        self.status = status
        self.status_at = times.monotonic_s()
        for name, peer in status.peers.items():
            if peer.up:
                self.silent_since.pop(name, None)
            elif peer.heard_s is not None and name not in self.silent_since:
                self.silent_since[name] = times.now() - timedelta(seconds=peer.heard_s)
        self.log.prefix = status.chosen_through
        return Change.STATUS | self._tried(self.attempts.take_all(status.attempts))

    def _take_log(self, line: LogLine) -> Change:
        self.log.learn(line)
        if self.changed_slots is not None:
            self.changed_slots.add(line.slot)
        changed = Change.LOG | self._tried(self.attempts.take({line.slot: line.attempt}))
        if line.state == LogState.CHOSEN:
            changed |= Change.TIMELINE
            if line.kind in {Kind.BLOCK, Kind.UNBLOCK}:
                changed |= Change.BLOCKS
                self.blocks = None
                if line.target == self.site:
                    self.forget_timeline()
        return changed

    def _take_log_span(self, span: LogSpan) -> Change:
        self.log.outdate(span)
        changed = Change.LOG | Change.TIMELINE
        if span.blocks:
            changed |= Change.BLOCKS
            self.blocks = None
            self.forget_timeline()
        return changed

    def _take_outcome(self, outcome: Outcome) -> None:
        before = self.outcomes.get(outcome.id or "")
        self.known_outcome(outcome)
        self.on_outcome(before, outcome)

    def _tell(self, change: Change) -> None:
        for watcher in self._watchers:
            watcher(change)
