"""What is true in the world, checked at every step: against the disks, not against what sites say of themselves.

Rules that hold here:
- The world says what became durable, what is about to leave and what was told; each is checked when it happens, at a
  cost that does not grow with the run. The first violation ends it.
- Votes are judged by `Ballots`, the log by `Replay`, events by `Outcomes`, certain reads by `Reads`; here are the rules
  that tie them together:
- L2: ballot 0 is used by the author of the slot before alone, and once.
- R1, R2: what a site applies is what a replay of the chosen log gives, void entries and block table included.
- B1: a round is durable before its prepare leaves, names one attempt at one slot, and is above all used before a start.
- R4: `highest` covers all that its sender had durably accepted or learned; who says for the first time since its start
  that it has recovered has all that was chosen before it first asked.
- D5: only a store that enough peers recorded votes, proposes or counts; one that was wiped or put back never does, if
  it ever voted; nobody else is called a lost disk; and a peer's store that is remembered is not replaced by another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, assert_never

from engine.core.effects import SawFresh, SawOutcome, SawUnconfirmed, Send
from engine.core.entry import Entry
from engine.core.ids import Ballot, Nonce, Round, SiteId, Slot, StoreId, Tick, quorum_size
from engine.core.messages import (
    Accept,
    Accepted,
    Ask,
    AskHighest,
    AskSlot,
    Chosen,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    LearnedSlot,
    Prepare,
    Promise,
    Refused,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.storage import (
    EventState,
    Standing,
    Stored,
    Write,
    WriteApplied,
    WriteBlock,
    WriteEvent,
    WriteEvidence,
    WriteLearned,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
)
from engine.sim.image import Disk, Image
from engine.sim.sometimes import Reached
from engine.sim.truth.ballots import Ballots
from engine.sim.truth.outcomes import FINAL, Event, Outcomes
from engine.sim.truth.reads import Begun, Reads
from engine.sim.truth.replay import Pair, Replay
from engine.sim.violation import OutOfModel, violate

_NO_ROUND: Final = Round(0)

_WHOLE_LOG: Final = Slot(0)
"""The purpose of a leader's range ballot."""


@dataclass(slots=True)
class _Site:
    """What is known of one site over all its lives."""

    name: SiteId
    disk: Disk
    process: int = 0
    round_at_start: Round = _NO_ROUND
    commit_at_start: int = 0
    confirmed: int = 0  # who recorded this store since the process began, as a mask
    to_recover: Slot | None = None  # what was chosen when the process first asked how far the log goes
    recovered: bool = False  # ... and it said that it has all that
    remembers: dict[SiteId, StoreId] = field(default_factory=dict)
    standing: Standing = Standing.NEW  # on its disk before the pass that is looked at
    ever_voted: bool = False
    replaced: bool = False  # wiped or put back, ever
    barred: bool = False  # ... after it had voted: never again (D5)
    contradicted_by: set[SiteId] = field(default_factory=set)  # who remembers another store than the process began on
    blocks: dict[Pair, Slot] = field(default_factory=dict)
    block_due: tuple[Pair, Slot | None] | None = None


class _Asked(NamedTuple):
    """Who sent a hello."""

    site: _Site
    life: StoreId
    process: int


class Truth:
    def __init__(self, names: tuple[SiteId, ...], disks: Sequence[Disk], reached: Reached) -> None:
        self.ballots = Ballots(names)
        self.replay = Replay()
        self.outcomes = Outcomes()
        self.reads = Reads(quorum_size(len(names)))
        self._sites = [_Site(name, disk) for name, disk in zip(names, disks, strict=True)]
        self._index = {name: index for index, name in enumerate(names)}
        self._rounds: dict[Ballot, Slot] = {}
        self._recorded: dict[StoreId, int] = {}  # life -> who ever recorded it durably, as a mask
        self._hellos: dict[Nonce, _Asked] = {}
        self._reached = reached
        others = len(names) - 1
        self._to_admit = (others + others // 2 + 1) // 2  # ceil((N-1+f)/2), f = floor((N-1)/2)
        self._to_confirm = (others + 1) // 2  # floor(N/2)

    def chosen(self, slot: Slot) -> Entry | None:
        book = self.ballots.books.get(slot)
        return None if book is None else book.chosen

    def started(self, index: int, stored: Stored) -> None:
        """A process begins on what its store holds."""
        site = self._sites[index]
        site.process += 1
        site.round_at_start = stored.round
        site.confirmed, site.commit_at_start = 0, stored.commit
        site.standing = stored.standing
        site.to_recover = None
        site.recovered = False
        site.contradicted_by = self.contradicting(site.name, stored.life, stored.commit)
        if stored.blocks != site.blocks:
            violate("R2", f"starts with the block table {stored.blocks}, a replay gives {site.blocks}", site=site.name)

    def replaced(self, index: int, image: Image) -> None:
        """A site's store was wiped, or an old copy was put back."""
        site = self._sites[index]
        site.replaced = True
        for other in self._sites:
            other.contradicted_by.discard(site.name)
        site.barred = site.barred or site.ever_voted
        site.blocks = dict(image.blocks)
        site.block_due = None
        site.remembers = {peer: memory.life for peer, memory in image.peers.items()}
        self.outcomes.reopened(site.name, image.open_events.values())

    def shows(self, index: int, blocks: dict[Pair, Slot]) -> None:
        """A site shows this block table for its prefix."""
        site = self._sites[index]
        if blocks != site.blocks:
            violate("R2", f"shows the block table {blocks}, a replay gives {site.blocks}", site=site.name)

    def barred(self, index: int) -> bool:
        return self._sites[index].barred

    # What becomes durable

    def durable(self, index: int, writes: Iterable[Write]) -> None:
        """These writes, whole commits, are on the site's disk now."""
        site = self._sites[index]
        for write in writes:
            match write:
                case WritePeer():
                    peer, life = write.memory.site, write.memory.life
                    if site.remembers.setdefault(peer, life) != life:
                        told = f"remembers {peer}'s store as {life}, and knew another: {site.remembers[peer]}"
                        violate("D5", told, site=site.name)
                    self._recorded[life] = self._recorded.get(life, 0) | 1 << index
                case WriteVote():
                    self._may_vote(site, "votes")
                    self.ballots.voted(index, write.slot, write.vote)
                    if write.vote.entry is not None and write.vote.entry.author == site.name:
                        self.outcomes.voted_for_its_own(write.vote.entry)
                    if self.ballots.newly_chosen:
                        self._advance()
                case WriteRound():
                    pass
                case WriteRanges():
                    self._may_vote(site, "promises")
                    self.ballots.ranged(index, write.ranges, site.disk.image.prefix)
                case WriteLearned():
                    if site.replaced:
                        self._learned_again(site, write)
                    else:
                        self.ballots.learned(index, write.slot, write.entry, write.vote)
                case WriteApplied():
                    self._applied(site, write)
                case WriteBlock():
                    self._block(site, write)
                case WriteEvent():
                    self._event(site, write)
                case WriteStanding():
                    self._standing(site, write)
                case WriteEvidence():
                    violate(write.rule, write.text, site=site.name)
                case _:
                    assert_never(write)
        if site.block_due is not None:
            violate("R2", f"keeps no change of the block table, a replay has {site.block_due}", site=site.name)

    def _advance(self) -> None:
        """The replay goes as far as slots are chosen without a gap."""
        self.ballots.newly_chosen.clear()
        while (entry := self.chosen(self.replay.next)) is not None:
            slot = self.replay.next
            applied = self.replay.apply(entry)
            if applied.void:
                self._reached("void entry")
            elif entry.author is not None:
                self.outcomes.in_effect(slot, entry)

    def _learned_again(self, site: _Site, write: WriteLearned) -> None:
        if self.chosen(write.slot) != write.entry:
            violate("R1", f"learned {write.entry}", slot=write.slot, site=site.name)

    def _applied(self, site: _Site, write: WriteApplied) -> None:
        slot = write.slot
        if slot >= self.replay.next:
            violate("R2", f"applies what is not chosen up to here: {write.entry}", slot=slot, site=site.name)
        applied = self.replay.applied[slot - 1]
        if write.entry != applied.entry or write.void != applied.void or write.shown != applied.shown:
            violate("R2", f"applies {write}, a replay gives {applied}", slot=slot, site=site.name)
        if site.block_due is not None:
            violate("R2", f"keeps no change of the block table, a replay has {site.block_due}", site=site.name)
        site.block_due = applied.table

    def _block(self, site: _Site, write: WriteBlock) -> None:
        pair = (write.blocker, write.blocked)
        if site.block_due != (pair, write.slot):
            violate("R2", f"keeps {write}, a replay gives {site.block_due}", site=site.name)
        site.block_due = None
        if write.slot is None:
            del site.blocks[pair]
        else:
            site.blocks[pair] = write.slot

    def _event(self, site: _Site, write: WriteEvent) -> None:
        row = write.event
        if row.state is EventState.QUEUED:
            self._may_not_be_barred(site, "gives out a number")
        before = self.outcomes.recorded(site.name, row, site.disk.image)
        if before is EventState.PROPOSED and row.state is EventState.QUEUED:
            self._reached("event goes to the next slot")
        if before is EventState.UNKNOWN and row.state in FINAL:
            self._reached(f"unknown settled: {row.state.value}")

    # D5

    def _standing(self, site: _Site, write: WriteStanding) -> None:
        match write.standing:
            case Standing.ADMITTED:
                recorded = self._recorded.get(site.disk.image.life, 0) & ~(1 << self._index[site.name])
                if recorded.bit_count() < self._to_admit:
                    told = f"admitted, recorded by {recorded.bit_count()} peers, {self._to_admit} are needed"
                    violate("D5", told, site=site.name)
                self._may_not_be_barred(site, "is admitted")
                site.ever_voted = True
            case Standing.LEARNER:
                self._reached("lost disk detected")
                if not site.replaced:
                    violate("D5", f"called a lost disk, which it is not: {write.why}", site=site.name)
            case Standing.NEW:
                violate("D5", "becomes new again", site=site.name)
            case _:
                assert_never(write.standing)

    def _may_vote(self, site: _Site, does: str) -> None:
        self._may_not_be_barred(site, does)
        # A pass may learn that the disk is lost after it voted as a voter.
        admitted = Standing.ADMITTED in (site.standing, site.disk.image.standing)
        if not admitted or site.confirmed.bit_count() < self._to_confirm:
            told = f"{does}, but only {site.confirmed.bit_count()} peers confirmed its store since it started"
            violate("D5", told, site=site.name)

    def _may_not_be_barred(self, site: _Site, does: str) -> None:
        if not site.barred:
            return
        if len(self._sites) - 1 - len(site.contradicted_by) >= self._to_confirm:
            raise OutOfModel(f"{site.name} {does} on an old copy that enough peers cannot contradict any more")
        violate("D5", f"{does} on a store that is not the one it voted with", site=site.name)

    def contradicting(self, name: SiteId, life: StoreId, commit: int) -> set[SiteId]:
        """The other sites that durably remember another store of `name`, or a later commit of this one."""
        return {site.name for site in self._sites if site.disk.image.contradicts(name, life, commit)}

    # What leaves

    def sending(self, index: int, sends: Sequence[Send], used_before: Slot) -> None:
        """These messages are about to leave. `used_before`: what the disk said before this pass's commit."""
        site = self._sites[index]
        for send in sends:
            message = send.message
            match message:
                case Heartbeat():
                    if message.prefix > site.disk.image.prefix:
                        violate("D1", f"claims a prefix of {message.prefix}", slot=message.prefix, site=site.name)
                    if message.voting:
                        self._may_vote(site, "says that it votes")
                case Hello():
                    self._hellos[message.nonce] = _Asked(site, site.disk.image.life, site.process)
                case Welcome():
                    self._welcome(site, index, message)
                case AskHighest():
                    if site.to_recover is None:
                        site.to_recover = self.ballots.chosen_max
                    self.reads.asked(message.nonce)
                case Highest():
                    self._may_vote(site, "says how far the log goes")
                    if message.used_max < used_before:
                        told = f"says that it used no more than {message.used_max}; its disk says {used_before}"
                        violate("R4", told, slot=used_before, site=site.name)
                    self.reads.answered(send.to, site.name, message.nonce)
                case Ask() | AskSlot():
                    pass
                case Prepare():
                    self._prepare(site, message)
                case Promise():
                    self._may_vote(site, "promises")
                    self._knows(site, message.learned)
                    if self._rounds.get(message.ballot) == _WHOLE_LOG:
                        self.ballots.range_promise_sent(index, message, site.disk.image.prefix)
                    elif not message.learned:
                        self.ballots.promise_sent(index, message)
                case Accept():
                    self._accept(site, message)
                case Accepted():
                    self._may_vote(site, "says that it accepted")
                    self.ballots.accepted_sent(index, message)
                case Refused():
                    self.ballots.refused_sent(index, message)
                case Chosen():
                    for item in message.slots:
                        if site.disk.image.entry(item.slot) is None:
                            violate("D1", "says chosen; its disk has not learned it", slot=item.slot, site=site.name)
                        self.ballots.chosen_sent(index, item)
                case Known():
                    self._knows(site, message.learned)
                case HandOn():
                    self.outcomes.handed_on(site.name, message)
                case SlotState():
                    if message.learned and site.disk.image.entry(message.slot) is None:
                        violate(
                            "D1", "says that it has learned it; its disk has not", slot=message.slot, site=site.name
                        )
                case _:
                    assert_never(message)
        site.standing = site.disk.image.standing

    def _welcome(self, site: _Site, index: int, message: Welcome) -> None:
        """D5: who says that it recorded a store has its life on disk. The nonce tells which store is meant."""
        if message.verdict is not Verdict.RECORDED:
            return
        peer = (asked := self._hellos[message.nonce]).site
        memory = site.disk.image.peers.get(peer.name)
        if memory is None or memory.life != asked.life:
            told = f"says that it recorded {peer.name}'s store {asked.life}; its disk has {memory}"
            violate("D1", told, site=site.name)
        elif asked.process == peer.process and not peer.confirmed >> index & 1:
            peer.confirmed |= 1 << index
            if memory.commit > peer.commit_at_start:
                peer.contradicted_by.add(site.name)

    def _prepare(self, site: _Site, message: Prepare) -> None:
        self._may_vote(site, "proposes")
        self._round(site, message.ballot, message.first, _WHOLE_LOG if message.last is None else message.first)

    def _round(self, site: _Site, ballot: Ballot, slot: Slot, purpose: Slot) -> None:
        """B1: a ballot has one purpose, a slot or the whole log, and its round is durable and was never used before."""
        if ballot.site != site.name or ballot.round > site.disk.image.round:
            told = f"uses {ballot}; the highest round on its disk is {site.disk.image.round}"
            violate("B1", told, slot=slot, site=site.name)
        if ballot.round <= site.round_at_start:
            told = f"uses {ballot}, though round {site.round_at_start} was used before it started"
            violate("B1", told, slot=slot, site=site.name)
        if self._rounds.setdefault(ballot, purpose) != purpose:
            violate("B1", f"uses {ballot} at slot {self._rounds[ballot]} too", slot=slot, site=site.name)

    def _accept(self, site: _Site, message: Accept) -> None:
        self._may_vote(site, "proposes")
        for item in message.entries:
            slot, entry, ballot = item.slot, item.entry, message.ballot
            if ballot.round == 0:
                self._ballot_zero(site, slot, ballot, entry)
            else:
                whole_log = self._rounds.get(ballot) == _WHOLE_LOG
                self._round(site, ballot, slot, _WHOLE_LOG if whole_log else slot)
            self.ballots.proposed(slot, ballot, entry)
            if entry.author is not None:
                self.outcomes.pushed(site.name, slot, entry)

    def _ballot_zero(self, site: _Site, slot: Slot, ballot: Ballot, entry: Entry) -> None:
        """L2: only the author of what is learned at the slot before, with an entry of its own that is durable first."""
        before = None if slot == 1 else site.disk.image.entry(Slot(slot - 1))
        if ballot.site != site.name or before is None or before.author != site.name:
            violate("L2", f"uses {ballot} after {before}", slot=slot, site=site.name)
        if entry.author != site.name:
            violate("L2", f"uses {ballot} for {entry}", slot=slot, site=site.name)
        if not self.ballots.book(slot).acceptors.get(ballot, 0) >> self._index[site.name] & 1:
            violate("L2", f"an accept of {ballot} leaves, which its disk does not have", slot=slot, site=site.name)

    def _knows(self, site: _Site, learned: Iterable[LearnedSlot]) -> None:
        for item in learned:
            if site.disk.image.entry(item.slot) != item.entry:
                told = f"says that {item.entry} is chosen; its disk has not learned it"
                violate("D1", told, slot=item.slot, site=site.name)

    # What is told

    def submitted(self, index: int, token: int, body: str) -> None:
        self.outcomes.submitted(self._sites[index].name, token, body)

    def recovered(self, index: int, prefix: Slot) -> None:
        """A site says that it has recovered, up to here."""
        site = self._sites[index]
        if not site.recovered and site.to_recover is not None and prefix < site.to_recover:
            told = f"recovered {prefix} slots; {site.to_recover} were chosen before it asked"
            violate("R4", told, slot=site.to_recover, site=site.name)
        site.recovered = True

    def told(self, index: int, saw: SawOutcome) -> Event:
        """An outcome is told to whoever waits at this site."""
        site = self._sites[index]
        event = self.outcomes.told(site.name, saw, site.disk.image)
        if event.told is EventState.UNKNOWN and saw.outcome in FINAL:
            self._reached("unknown settled later")
        event.told = saw.outcome
        return event

    # Certain reads

    def read_begins(self, index: int, token: int, now: Tick) -> None:
        """A site takes up a read (R5), at `now` of its process's clock."""
        prefix, questions = self._sites[index].disk.image.prefix, self.reads.questions
        self.reads.began(token, Begun(now, self.ballots.chosen_max, self.outcomes.acknowledged, prefix, questions))

    def read_ends(self, index: int, saw: SawFresh | SawUnconfirmed) -> None:
        """A site tells what became of a read, after the commit that this rests on."""
        site = self._sites[index]
        if isinstance(saw, SawUnconfirmed):
            self.reads.ended(site.name, saw.token)
            return
        begun = self.reads.confirmed(site.name, saw, site.disk.image.prefix)
        if saw.bound > begun.prefix:
            self._reached("read waits for its prefix")
        if site.name in saw.voters and not (site.ever_voted and site.confirmed.bit_count() >= self._to_confirm):
            violate("D5", "counts itself in a read, and does not vote", site=site.name)
