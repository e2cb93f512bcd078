"""One site of the world: its disk, and the process that runs a production replica on it.

Rules that hold here:
- A pass is the node's: it steps the replica through all that waits, and drives one `Turn` (D1). Between any two of its
  items the process may end (`CrashPoint`); what was then written and not synced may be lost, though an elected leader's
  accepts left before it (L3).
- A process's clock begins at 0 and shows nothing of the world's. A new process knows what its disk holds, and no more.
- A process that syncs or is paused takes nothing in; what arrives waits, as in a socket's buffer, which has an end.
- What is longer than a datagram goes in parts, as on the wire (W4); a process forgets the parts that it has.
- D2: a failed store ends the process. D3: a store that refuses a damaged row stays down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, assert_never

from engine.codec import decode_packet, encode_packet
from engine.core.effects import (
    Effects,
    Observation,
    RecoveryPhase,
    SawAttempt,
    SawNumbered,
    SawOutcome,
    SawReadConfirmed,
    SawReadUnconfirmed,
    SawRecovery,
    SawRemoved,
    Send,
)
from engine.core.entry import BadOperation
from engine.core.events.submissions import Submission
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import Message
from engine.core.replica import Replica
from engine.core.settings import Settings
from engine.core.storage import StoreDamaged, StoreFailed, Write
from engine.core.turn import Commit, End, Item, Leave, Tell, Turn
from engine.core.views import AttemptPhase
from engine.datagram import Rejected
from engine.parts import NUMBER_BYTES, Cutter, Reassembly, is_part
from engine.sim.sometimes import CrashPoint
from engine.sim.violation import violate
from engine.sim.world.disk import SimDisk
from engine.sim.world.inputs import Fill, GiveUp, Input, Read
from engine.sim.world.marks import Mark
from engine.sim.world.network import Datagram
from engine.sim.world.surroundings import Fuse, Surroundings

WAITING_MAX: Final = 256
"""How many inputs wait for a process that takes nothing in; later datagrams are lost."""

SPINS_MAX: Final = 20
"""How often a process may tick at one time: a deadline that a tick leaves in the past would keep it busy for ever."""

_JUDGED: Final[frozenset[type]] = frozenset(
    {SawAttempt, SawNumbered, SawOutcome, SawReadConfirmed, SawReadUnconfirmed, SawRecovery, SawRemoved}
)
"""The observations that are held against the truth as they are told."""

_FRAME_BYTES: Final = 250
"""What a packet takes beside the entries of one message."""


class SimSite:
    def __init__(self, world: Surroundings, index: int, settings: Settings, disk: SimDisk) -> None:
        self.name: SiteId = settings.site
        self.index = index
        self.settings = settings
        self.disk = disk
        self.replica: Replica | None = None
        self.refused: str | None = None
        """Why this site stays down: its store is damaged."""
        self.process = 0
        """Counts the processes of this site."""
        self.fuse: Fuse | None = None
        self.awaited: dict[int, set[int]] = {}
        """By the tokens of this process: which events of a submission, or the read, nothing was told of yet."""
        self.disk_ms = 0
        self.tick_late_ms = 0
        self.chosen_waits_ms = 0
        self._world = world
        self._truth = world.truth
        self._passed_at = Tick(0)  # this process's clock in the pass that is under way, or was the last
        self._began = 0  # the world's time at which this process's clock showed 0
        self._packet_bytes = settings.page_bytes + _FRAME_BYTES
        self._cutter = Cutter(0)
        self._reassembly = Reassembly()
        self._pauses = 0
        self._syncing = False
        self._waiting: list[Input] = []
        self._turn: Turn[None] | None = None  # what this process's pass leaves to be done
        self._items: Iterator[Item[None]] = iter(())
        self._written: Sequence[Write] = ()  # what its commit wrote, while that is not synced
        self._is_durable = True  # nothing that it wrote waits for its commit
        self._left_beside = False  # accepts of it left before its commit (L3)
        self._settle_at: int | None = None  # the world's time by which what was chosen is committed, and told
        self._used_before = Slot(0)
        self._synced_late = False  # its sync ended in a pause
        self._alarm: int | None = None  # the world's time of the wake-up that is scheduled
        self._ticked_at = Tick(-1)
        self._spins = 0  # how often it ticked at that time
        self._deadline = 0  # the replica's deadline, in the world's time

    @property
    def up(self) -> bool:
        return self.replica is not None

    @property
    def stalled(self) -> bool:
        return self._syncing or self._pauses > 0

    @property
    def ahead(self) -> bool:
        """The process has learned what its disk does not say yet."""
        return self.stalled or self._settle_at is not None

    # The process

    def start(self) -> None:
        """Begins a process on what the disk holds. A store that is refused keeps the site down (D3)."""
        assert self.replica is None, "a site runs one process (D4)"
        world = self._world
        self.process += 1
        try:
            stored = self.disk.load()
        except StoreDamaged as damaged:
            self._refuse(str(damaged))
            return
        self._truth.started(self.index, stored)
        self._cutter = Cutter(self.process << 4 * NUMBER_BYTES)
        self._reassembly = Reassembly()
        self._began = world.now
        self._passed_at = Tick(0)
        self.replica = world.replica(self.settings, stored, self.disk)
        world.note(self.index, "start", "")
        self._perform(self.replica.start(Tick(0)))

    def clear(self) -> None:
        """What was true of it is forgotten, after its process has ended and its store was replaced."""
        self.refused = None
        self._truth = self._world.truth

    def end(self, why: str, kept: float) -> None:
        """The process is gone. Of what it wrote and did not sync, the share `kept` (0 to 1) turns out to be durable."""
        assert self.replica is not None
        self.replica = None
        self.fuse = None
        self.awaited.clear()
        self._pauses = 0
        self._syncing = False
        self._waiting.clear()
        if self._settle_at is not None:
            self._world.reached("told what was chosen, and died before that was durable")
        self._turn = self._settle_at = None
        self._synced_late = False
        self._alarm = None
        unsynced = self.disk.unsynced
        kept_commits = int(kept * (unsynced + 1))
        writes = self.disk.settle(min(kept_commits, unsynced))
        if writes:
            self._world.reached("unsynced commit kept")
            self._truth.durable(self.index, writes)
        elif unsynced:
            self._world.reached("unsynced commit lost")
        if self._left_beside and not self._is_durable and not writes:
            self._world.reached("accept left beside a commit that was lost")
        self._truth.ended(self.index)
        self._world.note(self.index, "end", why)

    def _refuse(self, why: str) -> None:
        self.refused = why
        self._world.reached("store refused")
        self._world.note(self.index, "refused", why)

    @property
    def paused(self) -> bool:
        return self._pauses > 0

    def pause(self) -> None:
        """It takes nothing in, and does nothing, until `resume` was called as often."""
        self._pauses += 1

    def resume(self) -> None:
        """Ends one pause, if there is one; what waited is then one pass."""
        if not self._pauses:
            return
        self._pauses -= 1
        if self._pauses:
            return
        if self._synced_late:
            self._synced_late = False
            self._sync_and_go_on()
        elif not self._syncing:
            self._catch_up()

    def leap(self, by_ms: int) -> None:
        """Its clock leaps ahead."""
        self._began -= by_ms
        self._deadline -= by_ms
        self._set_alarm()

    # Passes

    def take(self, item: Input) -> bool:
        """Something arrives, or a user asks; False where nobody is there, or no room."""
        replica = self.replica
        if replica is None:
            return False
        if self._syncing or self._pauses:
            if len(self._waiting) >= WAITING_MAX:
                return False
            self._waiting.append(item)
            return True
        self._pass((item,))
        return True

    def wake(self, at: int) -> None:
        """The scheduled wake-up of this time; without effect where another one took its place."""
        if at != self._alarm:
            return
        self._alarm = None
        if self._syncing or self._pauses:
            return
        if self._deadline <= self._world.now:
            self.tick()
        elif self._settle_at is not None and self._settle_at <= self._world.now:
            self._perform(Effects())
        else:
            self._set_alarm()

    def tick(self) -> None:
        """The replica does what is due."""
        self._pass(())

    def _catch_up(self) -> None:
        """All that waited is one pass."""
        waiting = tuple(self._waiting)
        self._waiting.clear()
        if len(waiting) > 1:
            self._world.reached("inputs merged into one pass")
        self._pass(waiting)

    def _pass(self, items: tuple[Input, ...]) -> None:
        """Steps the replica through these inputs, and through what is due unless it is a single input."""
        replica = self.replica
        assert replica is not None
        now = self._passed_at = Tick(self._world.now - self._began)
        try:
            effects = self._step(replica, now, items[0]) if items else self._tick(replica, now)
            if len(items) > 1:
                for item in items[1:]:
                    effects.extend(self._step(replica, now, item))
                if replica.deadline() <= now:
                    effects.extend(self._tick(replica, now))
        except StoreDamaged as damaged:
            self.end("its store is damaged", 0.0)
            self._refuse(str(damaged))
            return
        except BadOperation as bad:
            violate("W5", f"takes in what it cannot read: {bad}", site=self.name)
        self._perform(effects)

    def _tick(self, replica: Replica, now: Tick) -> Effects:
        self._world.mark((Mark.TICK, self._world.now, self.index))
        self._spins = self._spins + 1 if now == self._ticked_at else 0
        self._ticked_at = now
        if self._spins > SPINS_MAX:
            violate("liveness", f"ticks {SPINS_MAX} times at {now} ms, and still wants to tick", site=self.name)
        return replica.tick(now)

    def _step(self, replica: Replica, now: Tick, item: Input) -> Effects:
        match item:
            case Datagram():
                world = self._world
                world.mark((Mark.DELIVER, world.now, item.number))
                sender, payload = world.names[item.sender], item.payload
                if is_part(payload):
                    whole = self._reassembly.take(sender, payload)
                    if whole is None:
                        return Effects()
                    payload = whole
                try:
                    packet = decode_packet(sender, payload)
                except Rejected as rejected:
                    violate("W5", f"{sender} sends what no site takes: {rejected.reason}", site=self.name)
                self._truth.received(self.index, now, packet)
                return replica.receive(now, packet)
            case Submission():
                self._world.mark((Mark.SUBMIT, self._world.now, item.token))
                self.awaited[item.token] = set(range(len(item.bodies)))
                return replica.submit(now, item)
            case GiveUp():
                self._world.mark((Mark.GIVE_UP, self._world.now, item.token))
                return replica.give_up(now, item.token)
            case Fill():
                self._world.mark((Mark.FILL, self._world.now, self.index))
                return replica.fill(now, replica.view(0).holes if item.slots is None else item.slots)
            case Read():
                self._world.mark((Mark.READ, self._world.now, item.token))
                self._truth.read_begins(self.index, item.token, now)
                self.awaited[item.token] = {0}
                return replica.read(now, item.token, item.timeout)
            case _:
                assert_never(item)

    def _perform(self, effects: Effects) -> None:
        """Begins the turn of a pass."""
        replica = self.replica
        assert replica is not None
        self._used_before = self.disk.image.used_max
        turn: Turn[None] = Turn(replica) if self._turn is None else self._turn.next()
        turn.take(effects)
        if self._settles(turn):
            turn.settle()
        self._turn, self._items = turn, turn.items()
        self._is_durable, self._left_beside = not turn.commits, False
        self._go_on(turn)

    def _settles(self, turn: Turn[None]) -> bool:
        """What was chosen is durable and told with this turn: it waited long enough, or is read for somebody."""
        waited = self._settle_at is not None and self._settle_at <= self._world.now
        return waited or not self.chosen_waits_ms or turn.shows

    def _go_on(self, turn: Turn[None]) -> None:
        """Does what is left of the turn, until its commit takes time or the process ends."""
        judged = False
        for item in self._items:
            match item:
                case Commit():
                    if not self._write(item.writes):
                        return
                    if self.disk_ms:
                        self._syncing = True
                        self._world.at(self._world.now + self.disk_ms, self._synced, self.process)
                        return
                    if not self._sync(turn):
                        return
                case Leave() if not self._is_durable:
                    self._truth.leaving_beside(self.index, item.messages)
                    self._left_beside = True
                    if not self._send(item.to, item.messages):
                        return
                case Leave():
                    if not judged:
                        self._judge(turn.late)
                        judged = True
                    if not self._send(item.to, item.messages):
                        return
                case Tell():
                    if turn.late and self.fuse and self._burns(CrashPoint.BEFORE_TELL):
                        return
                    if item.observations and not self._tell(item.observations):
                        return
                case End(why):
                    violate("R1", f"a site stopped itself: {why}", site=self.name)
        replica = self.replica
        assert replica is not None
        self._truth.passed(self.index)
        self._settle_at = turn.owed_by(self._settle_at, self._world.now + self.chosen_waits_ms)
        self._deadline = self._began + replica.deadline()
        if self._waiting:
            self._catch_up()
        else:
            self._set_alarm()

    def _judge(self, sends: Sequence[Send]) -> None:
        """What leaves after the commit."""
        self._truth.sending(self.index, self._passed_at, sends, self._used_before)

    def _write(self, writes: Sequence[Write]) -> bool:
        """The first half of a commit; False where the process is gone."""
        if self.fuse and self._burns(CrashPoint.BEFORE_COMMIT):
            return False
        try:
            self.disk.append(writes)
        except StoreFailed as failed:
            self._world.stopped(self.index, str(failed))
            return False
        self._written = writes
        return not (self.fuse and self._burns(CrashPoint.TORN_COMMIT))

    def _synced(self, process: int) -> None:
        if process != self.process or self.replica is None:
            return
        if self._pauses:
            self._synced_late = True
        else:
            self._sync_and_go_on()

    def _sync_and_go_on(self) -> None:
        turn = self._turn
        assert turn is not None, "a commit under way is a turn's"
        if self._sync(turn):
            self._go_on(turn)

    def _sync(self, turn: Turn[None]) -> bool:
        """The second half of a commit; False where the process is gone."""
        self._syncing = False
        try:
            commit = self.disk.sync()
        except StoreFailed as failed:
            self._world.stopped(self.index, str(failed))
            return False
        self._world.mark((Mark.COMMIT, self._world.now, commit))
        self._is_durable = True
        self._truth.durable(self.index, self._written)
        turn.committed(commit)
        return not (self.fuse and self._burns(CrashPoint.AFTER_COMMIT))

    def _send(self, to: SiteId, messages: list[Message]) -> bool:
        """False where the process is gone."""
        replica, world = self.replica, self._world
        assert replica is not None
        packet = replica.packet(to, tuple(messages))
        if len(packet.messages) > 1:
            self._truth.packed(packet.messages)
        for plaintext in encode_packet(packet, self._packet_bytes):
            for payload in self._cutter.cut(plaintext, self._packet_bytes):
                world.send(self.index, to, payload, packet.messages)
                if self.fuse and self._burns(CrashPoint.BETWEEN_SENDS):
                    return False
        return True

    def _tell(self, observations: Sequence[Observation]) -> bool:
        """False where the process is gone."""
        world = self._world
        for saw in observations:
            world.told(self.index, saw)
            if type(saw) not in _JUDGED:
                continue
            match saw:
                case SawOutcome():
                    assert self.replica is not None
                    self._truth.told(self.index, saw, self.replica.prefix)
                    if saw.token is not None:
                        self._was_told(saw.token, range(saw.offset, saw.offset + saw.count))
                    if self.fuse and self._burns(CrashPoint.BETWEEN_TELLS):
                        return False
                case SawRemoved(removed):
                    self._truth.removed(self.index, removed)
                case SawNumbered():
                    self._truth.numbered(self.index, saw)
                case SawAttempt(phase=AttemptPhase.WAITING):
                    self._truth.waits(self.index, self._passed_at, saw)
                case SawRecovery(phase=RecoveryPhase.DONE):
                    self._truth.recovered(self.index, saw.prefix)
                case SawReadConfirmed() | SawReadUnconfirmed():
                    assert self.replica is not None
                    self._truth.shows(self.index, self.replica.blocks())
                    self._truth.read_ends(self.index, saw)
                    self._was_told(saw.token, range(1))
        return True

    def _was_told(self, token: int, of: range) -> None:
        awaited = self.awaited.get(token, set())
        awaited.difference_update(of)
        if not awaited:
            self.awaited.pop(token, None)

    def _burns(self, point: CrashPoint) -> bool:
        """The process may end here; True where it does."""
        fuse = self.fuse
        assert fuse is not None
        if fuse.only is not None and fuse.only is not point:
            return False
        fuse.points -= 1
        if fuse.points > 0:
            return False
        self._world.crashed(self.index, point, fuse)
        return True

    def _set_alarm(self) -> None:
        """The world wakes this site when its replica's next deadline has come, or a little later."""
        at = self._deadline + self.tick_late_ms
        if self._settle_at is not None:
            at = min(at, self._settle_at)
        at = max(at, self._world.now)
        if self._alarm is None or at < self._alarm:
            self._alarm = at
            self._world.at(at, self.wake, at)
