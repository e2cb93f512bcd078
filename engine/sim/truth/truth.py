"""What is true in the world, checked at every step: against the disks, not against what sites say of themselves.

Rules that hold here:
- The world says what became durable, what is about to leave and what was told; each is checked when it happens, at a
  cost that does not grow with the run. The first violation ends it.
- Each subject has a room of its own: votes (`ballots`), rounds, stores, the chosen log (`replay`) and what sites apply
  of it (`prefixes`), events (`outcomes`), recovery, linearizable reads (`reads`), leaders (`elections`), duels. `Truth`
  hands each thing that happens to the rooms that check it, and checks what concerns several of them, or none. To which
  ends runs of several slots come is counted (`runs`), not checked.
- D1: what a message says is learned or applied is so on its sender's disk.
- L3: an elected leader's accept at its range ballot may leave before the commit of its pass, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from engine.core.effects import SawAttempt, SawNumbered, SawOutcome, SawReadConfirmed, SawReadUnconfirmed, Send
from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot, StoreId, Tick, quorum_size
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
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    SlotState,
    Welcome,
)
from engine.core.roster import Removed
from engine.core.run import Run, slots_of
from engine.core.settings import Leadership, Settings
from engine.core.storage import (
    EventState,
    Standing,
    Stored,
    Write,
    WriteApplied,
    WriteBlock,
    WriteChange,
    WriteEvents,
    WriteEvidence,
    WriteLearned,
    WriteNumbers,
    WritePeer,
    WriteRanges,
    WriteRound,
    WriteStanding,
    WriteVote,
    cut_vote,
)
from engine.sim.image import Disk, Image
from engine.sim.sometimes import VOTES_AGAIN, Reached
from engine.sim.truth.ballots import Ballots
from engine.sim.truth.duels import Duels
from engine.sim.truth.elections import Elections
from engine.sim.truth.electorates import Electorates
from engine.sim.truth.outcomes import FINAL, Outcomes
from engine.sim.truth.prefixes import Prefixes
from engine.sim.truth.reads import Begun, Reads
from engine.sim.truth.recovery import Recovery
from engine.sim.truth.replay import Pair, Replay
from engine.sim.truth.rounds import Rounds
from engine.sim.truth.runs import Runs
from engine.sim.truth.stores import Stores
from engine.sim.violation import Judge, violate


class Truth:
    def __init__(self, settings: Sequence[Settings], disks: Sequence[Disk], reached: Reached, judge: Judge) -> None:
        names = tuple(each.site for each in settings)
        self.replay = Replay(settings[0].sites, settings[0].change_lag)
        self._electorates = electorates = Electorates(names, disks, self.replay, judge)
        self.ballots = Ballots(electorates, judge)
        self.outcomes = Outcomes(judge)
        self.reads = Reads(self.replay)
        self._stores = Stores(names, disks, self.replay, reached, judge)
        self._rounds = Rounds(names, disks, electorates, self.ballots, judge)
        self._prefixes = Prefixes(names, self.replay, judge)
        self._recovery = Recovery(names, judge)
        self._elections = Elections(settings, disks, self.replay)
        self._elects = [each.leadership is Leadership.ELECTED for each in settings]
        self._runs = Runs(disks, reached)
        self._duels = [Duels(name, judge) for name in names]
        self._reached_slot: dict[SiteId, Slot] = {}
        self._names = names
        self._judge = judge
        self._disks = disks
        self._reached = reached

    def chosen(self, slot: Slot) -> Entry | None:
        book = self.ballots.books.get(slot)
        return None if book is None else book.chosen

    def barred(self, index: int) -> bool:
        """Whether the site's store is not the one that it voted with (D5)."""
        return self._stores.barred(index)

    def contradicting(self, name: SiteId, life: StoreId, commit: int) -> set[SiteId]:
        """The other sites that durably remember another store of `name`, or a later commit of this one (D5)."""
        return self._stores.contradicting(name, life, commit)

    def started(self, index: int, stored: Stored) -> None:
        """A process begins on what its store holds."""
        self._stores.started(index, stored)
        self._rounds.started(index, stored)
        self._recovery.started(index)
        self._prefixes.started(index, stored)
        self._elections.started(index)
        self.outcomes.started(self._names[index], stored)
        self._duels[index] = Duels(self._names[index], self._judge)

    def ended(self, index: int) -> None:
        """A process is gone, and what its disk holds is settled."""
        self._runs.ended(index)

    def replaced(self, index: int, image: Image) -> None:
        """A site's store was wiped, or an old copy was put back."""
        self._stores.replaced(index, image)
        self._prefixes.replaced(index, image)
        self.outcomes.reopened(self._names[index], image.open_events.values())

    # What becomes durable

    def durable(self, index: int, writes: Iterable[Write]) -> None:
        """These writes, whole commits, are on the site's disk now."""
        name = self._names[index]
        for write in writes:
            match write:
                case WritePeer():
                    self._stores.remembered(index, write.memory)
                case WriteVote():
                    self._stores.may_vote(index, "votes")
                    self._voted(index, write)
                case WriteRound() | WriteNumbers():
                    pass
                case WriteRanges():
                    self._stores.may_vote(index, "promises")
                    self._electorates.promises(index, write.ranges)
                    number = self._electorates.number(index)
                    self.ballots.ranged(number, write.ranges, self._disks[index].image.prefix)
                case WriteLearned(run):
                    self._learned(index, run)
                case WriteApplied():
                    self._prefixes.applied(index, write, self._disks[index].image)
                case WriteChange(change):
                    self._prefixes.changed(index, change)
                    ballot = self._elections.leads(index)
                    if ballot is not None and self._electorates.votes_again(index, change, ballot):
                        self._reached(VOTES_AGAIN)
                case WriteBlock():
                    self._prefixes.block(index, write)
                case WriteEvents():
                    self._recorded(index, write)
                case WriteStanding():
                    self._stores.stands(index, write)
                    if write.standing is Standing.ADMITTED:
                        self._electorates.stands(index)
                case WriteEvidence():
                    violate(write.rule, write.text, site=name)
                case _:
                    assert_never(write)
        self._prefixes.committed(index)

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

    def _voted(self, index: int, write: WriteVote) -> None:
        name, vote, number = self._names[index], write.vote, self._electorates.number(index)
        for slot in slots_of(write.first, write.last):
            of_slot = vote if write.first == write.last else cut_vote(vote, slot - write.first, 1)
            self._electorates.votes(index, slot)
            self.ballots.voted(number, slot, of_slot)
            if of_slot.entry is not None and of_slot.entry.author == name:
                self.outcomes.voted_for_its_own(of_slot.entry)
        if self.ballots.newly_chosen:
            self._advance()
        self._runs.voted(index, write)

    def _learned(self, index: int, run: Run) -> None:
        for slot, entry in run:
            if not self._stores.was_replaced(index):
                self.ballots.learned(self._electorates.number(index), slot, entry)
            elif self.chosen(slot) != entry:
                violate("R1", f"learned {entry}", slot=slot, site=self._names[index])
        self._runs.learned(index, run)

    def _recorded(self, index: int, write: WriteEvents) -> None:
        name, image = self._names[index], self._disks[index].image
        for row in write.events.rows():
            if row.state is EventState.QUEUED or self.outcomes.is_unsaid(row.body):
                self._stores.may_not_be_barred(index, "gives out a number")
            before = self.outcomes.recorded(name, row, image)
            if before is EventState.PROPOSED and row.state is EventState.QUEUED:
                self._reached("event goes to the next slot")
            if before is EventState.UNKNOWN and row.state in FINAL:
                self._reached(f"unknown settled: {row.state.value}")

    # What leaves

    def leaving_beside(self, index: int, messages: Sequence[Message]) -> None:
        """These leave before the commit of the pass that made them."""
        name, image = self._names[index], self._disks[index].image
        for message in messages:
            if isinstance(message, Chosen):
                self.ballots.chosen_sent(self._electorates.number(index), message)
                continue
            if not isinstance(message, Accept):
                violate(
                    "D1", f"{message.word()} leaves before the commit that it rests on", slot=message.slot, site=name
                )
            if not self._elects[index] or not self._rounds.is_of_the_whole_log(index, message.ballot):
                told = f"an accept of {message.ballot}, which is not a leader's, leaves before the commit of its pass"
                violate("L3", told, slot=message.slot, site=name)
            self._proposed(index, message)
            for slot, entry in message.run:
                if entry.author is not None:
                    self.outcomes.pushed_beside(name, slot, entry, image)

    def packed(self, messages: Sequence[Message]) -> None:
        """These leave for one site together."""
        self._runs.packed(messages)

    def sending(self, index: int, now: Tick, sends: Sequence[Send], used_before: Slot) -> None:
        """These messages are about to leave. `now` is the process's clock in the pass that made them; `used_before` is
        what the disk said before its commit."""
        name, image, number = self._names[index], self._disks[index].image, self._electorates.number(index)
        for send in sends:
            message = send.message
            match message:
                case Heartbeat():
                    self._reached_slot[name] = max(message.prefix, self._reached_slot.get(name, Slot(0)))
                    if message.prefix >= self.replay.next:
                        told = f"claims a prefix of {message.prefix}, but slot {self.replay.next} is not chosen"
                        self._judge.breaks("D1", told, slot=message.prefix, site=name)
                    if message.voting:
                        self._stores.may_vote(index, "says that it votes")
                case Hello():
                    self._stores.asks(index, message.nonce)
                case Welcome():
                    self._stores.welcomes(index, message)
                case AskHighest():
                    self._recovery.asks(index, self.ballots.chosen_max)
                    self.reads.asked(message.nonce)
                case Highest():
                    self._reached_slot[name] = max(message.prefix, self._reached_slot.get(name, Slot(0)))
                    self._stores.may_vote(index, "says how far the log goes")
                    self._recovery.answers(index, message, used_before)
                    self.reads.answered(send.to, name, message.nonce)
                case Ask() | AskSlot():
                    pass
                case Prepare():
                    self._stores.may_vote(index, "proposes")
                    self._rounds.prepares(index, message)
                    self._electorates.prepares(index, message)
                case Promise():
                    self._stores.may_vote(index, "promises")
                    self._are_chosen(name, message.learned)
                    self.ballots.promise_sent(number, message, image.prefix)
                    self._runs.promises(index, message)
                case Accept():
                    self._proposed(index, message)
                    for slot, entry in message.run:
                        if entry.author is not None:
                            self.outcomes.pushed(name, slot, entry)
                case Accepted():
                    self._stores.may_vote(index, "says that it accepted")
                    self.ballots.accepted_sent(number, message)
                case Refused():
                    self.ballots.refused_sent(number, message, image.prefix)
                    self._runs.refuses(index, send.to, message)
                case Chosen():
                    self.ballots.chosen_sent(number, message)
                case Known():
                    self._are_chosen(name, message.learned)
                case HandOn():
                    self.outcomes.handed_on(name, message)
                case SlotState():
                    if message.learned and self.chosen(message.slot) is None:
                        told = "says that it has learned this slot, but no majority has one entry on its disks"
                        self._judge.breaks("D1", told, slot=message.slot, site=name)
                case _:
                    assert_never(message)
        self._elections.sending(index, now, sends)

    def passed(self, index: int) -> None:
        """The site has done all that a pass left to be done."""
        self._stores.passed(index)

    def _proposed(self, index: int, message: Accept) -> None:
        self._stores.may_vote(index, "proposes")
        self._elections.proposes(index, message.ballot)
        for slot, entry in message.run:
            self._electorates.proposes(index, slot)
            self._rounds.proposes(index, slot, message.ballot, entry)
            self.ballots.proposed(slot, message.ballot, entry)

    def _are_chosen(self, name: SiteId, learned: Iterable[Run]) -> None:
        for slot, entry in (each for run in learned for each in run):
            if self.chosen(slot) != entry:
                told = f"says that {entry} is chosen, but no majority has it on its disks"
                self._judge.breaks("D1", told, slot=slot, site=name)

    # What arrives, and what is told

    def received(self, index: int, now: Tick, packet: Packet) -> None:
        """A process takes a packet in; `now` is its own clock."""
        self._elections.received(index, now, packet)
        for message in packet.messages:
            if type(message) is Accept:
                self._runs.asked(index, packet.sender, message)

    def waits(self, index: int, now: Tick, saw: SawAttempt) -> None:
        """A site tells that it was defeated (B4)."""
        self._duels[index].waits(now, saw)

    def submitted(self, index: int, token: int, bodies: Sequence[str]) -> None:
        self.outcomes.submitted(self._names[index], token, bodies)

    def recovered(self, index: int, prefix: Slot) -> None:
        """A site says that it has recovered, up to here."""
        self._recovery.ends(index, prefix)

    def numbered(self, index: int, saw: SawNumbered) -> None:
        """The numbers of events are told to who submitted them."""
        self.outcomes.numbered(self._names[index], saw, self._disks[index].image)

    def told(self, index: int, saw: SawOutcome, prefix: Slot) -> None:
        """Outcomes are told to whoever waits at this site, whose process has learned the log through `prefix`."""
        for event in self.outcomes.told(self._names[index], saw, self._disks[index].image, prefix):
            if event.told is EventState.UNKNOWN and saw.outcome in FINAL:
                self._reached("unknown settled later")
            event.told = saw.outcome

    def removed(self, index: int, removed: Removed) -> None:
        """M5: a site tells that it was removed, and perhaps that nobody needs it."""
        name = self._names[index]
        if removed.slot >= self.replay.next:
            violate("M5", "says that it was removed, but nobody can know that yet", slot=removed.slot, site=name)
        have = {site for site, prefix in self._reached_slot.items() if prefix >= removed.first - 1}
        later = [lives for first, lives in self.replay.lists if first >= removed.first]
        if not removed.needed and not any(len(have & lives.keys()) >= quorum_size(len(lives)) for lives in later):
            told = f"says that nobody needs it, but the slots before are only at {', '.join(sorted(have))}"
            violate("M5", told, slot=removed.first, site=name)

    def shows(self, index: int, blocks: dict[Pair, Slot]) -> None:
        """A site shows this block table for its prefix."""
        self._prefixes.shows(index, blocks)

    # Linearizable reads

    def read_begins(self, index: int, token: int, now: Tick) -> None:
        """A site takes up a read (R5), at `now` of its process's clock."""
        prefix, questions = self._disks[index].image.prefix, self.reads.questions
        self.reads.began(token, Begun(now, self.ballots.chosen_max, self.outcomes.acknowledged, prefix, questions))

    def read_ends(self, index: int, saw: SawReadConfirmed | SawReadUnconfirmed) -> None:
        """A site tells what became of a read, after the commit that this rests on."""
        name = self._names[index]
        if isinstance(saw, SawReadUnconfirmed):
            self.reads.ended(name, saw.token)
            return
        begun = self.reads.confirmed(name, saw, self._disks[index].image.prefix)
        if saw.bound > begun.prefix:
            self._reached("read waits for its prefix")
        if name in saw.voters and not self._stores.votes(index):
            violate("D5", "counts itself in a read, but does not vote", site=name)
