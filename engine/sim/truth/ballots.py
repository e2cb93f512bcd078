"""The truth about votes: what the acceptors durably promised and accepted, and so which entry is chosen for a slot.

Rules that hold here:
- A slot's entry is chosen once a majority has durably accepted it at one ballot, whoever knows of it; for ever, also
  when some of those disks are lost later. Two entries are never chosen for a slot.
- A ballot carries one entry a slot. P2c: when it is first seen proposed there is a majority whose members, as each was
  when it promised that ballot, had all accepted nothing, or whose highest accepted ballot carries that entry (B2).
- A1, A2: what a site durably promised and accepted never goes back, nor does what it claims in its messages.
- A3: a range promise, of some slots or of all from one on, counts for each slot that it covers, with the votes that the
  site had when it made it.
- L2: ballot 0 needs no promises; what it carries is durable at its proposer before it leaves.
- D1: what a message claims is durable when it leaves.
- Everything is kept by slot and looked up, so that a vote costs the same however long the run of the world is. What is
  written and said of runs of slots is checked slot by slot.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from engine.core.entry import Entry, in_words
from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import Accepted, Cause, Chosen, Promise, Refused
from engine.core.run import AcceptedRun, slots_of
from engine.core.storage import NO_VOTE, RangePromise, Vote
from engine.sim.truth.electorates import Electorates
from engine.sim.violation import Judge


class _Votes(dict[int, Vote]):
    """By the numbers of stores; nothing is kept of those that did not vote."""

    def __missing__(self, _: int) -> Vote:
        return NO_VOTE


class SlotBook:
    """All that is known of a slot. Stores are numbers (`engine.sim.truth.electorates`); sets of them are bit masks."""

    __slots__ = (
        "accept_claimed",
        "acceptors",
        "chosen",
        "mistaken",
        "promise_claimed",
        "promises",
        "proposals",
        "votes",
    )

    def __init__(self) -> None:
        self.chosen: Entry | None = None
        self.mistaken: tuple[SiteId, Entry] | None = None
        """Who learned what before anything was chosen, where that is borne."""
        self.votes = _Votes()
        """The durable vote of each store, also after it learned the slot."""
        self.proposals: dict[Ballot, Entry] = {}
        self.acceptors: dict[Ballot, int] = {}
        self.promises: dict[Ballot, dict[int, Vote]] = {}
        """Ballot -> site -> the vote that the site had when it promised that ballot."""
        self.promise_claimed: dict[int, Ballot] = {}
        """The highest ballot that each store said, in a message, to have promised or accepted."""
        self.accept_claimed: dict[int, Ballot] = {}


class RangeBook(NamedTuple):
    """A site's promise of the slots from `first` to `last` (None: and all after it), and its votes there then."""

    first: Slot
    last: Slot | None
    votes: dict[Slot, Vote]

    def covers(self, first: Slot, last: Slot | None) -> bool:
        return self.first <= first and (self.last is None or (last is not None and last <= self.last))

    def vote(self, slot: Slot, ballot: Ballot) -> Vote | None:
        """What it had at a slot that it promised; None where the slot was left out."""
        vote = self.votes.get(slot, NO_VOTE)
        return None if vote.promised is not None and vote.promised > ballot else vote


class Ballots:
    def __init__(self, electorates: Electorates, judge: Judge) -> None:
        self._electorates = electorates
        self._names = electorates.names
        self._judge = judge
        self.books: dict[Slot, SlotBook] = {}
        self._ranges: defaultdict[int, tuple[RangePromise, ...]] = defaultdict(tuple)
        self._range_promises: dict[Ballot, dict[int, list[RangeBook]]] = {}
        self._range_claims: defaultdict[int, list[tuple[Slot, Ballot]]] = defaultdict(list)
        """The promises of all slots that each store said, in a message, to have made: from which slot on."""
        self.chosen_max = Slot(0)
        """The highest slot at which a majority has durably accepted one entry."""
        self.newly_chosen: list[Slot] = []
        """What was chosen since somebody emptied this list."""

    def book(self, slot: Slot) -> SlotBook:
        book = self.books.get(slot)
        if book is None:
            book = self.books[slot] = SlotBook()
        return book

    # What becomes durable

    def voted(self, site: int, slot: Slot, vote: Vote) -> None:
        """A vote became durable."""
        book = self.book(slot)
        before = book.votes[site]
        self._never_back(site, slot, before, vote)
        book.votes[site] = vote
        ballot = vote.accepted
        if ballot is not None and ballot != before.accepted:
            assert vote.entry is not None
            self._accepted(site, slot, book, ballot, vote.entry)
        elif vote.promised is not None and vote.promised != before.promised:
            self._above_ranges(site, slot, vote.promised)
            book.promises.setdefault(vote.promised, {})[site] = before

    def ranged(self, site: int, ranges: tuple[RangePromise, ...], prefix: Slot) -> None:
        """A site's range promises became durable. Those at or below its prefix may be forgotten."""
        before, self._ranges[site] = self._ranges[site], ranges
        edges = [new.first for new in ranges] + [Slot(new.last + 1) for new in ranges if new.last is not None]
        for held in before:
            spots = [held.first, *(edge for edge in edges if held.first < edge)]
            for slot in (max(spot, Slot(prefix + 1)) for spot in spots):
                now = _covering(ranges, slot)
                if (held.last is None or slot <= held.last) and (now is None or now < held.ballot):
                    told = f"its range promise went back from {held.ballot} to {now}"
                    self._judge.breaks("A1", told, slot=slot, site=self._names[site])
        for new in ranges:
            books = self._range_promises.setdefault(new.ballot, {}).setdefault(site, [])
            if not any(book.covers(new.first, new.last) for book in books):
                slots = self.books if new.last is None else slots_of(new.first, new.last)
                known = {
                    slot: self.books[slot].votes[site] for slot in slots if slot >= new.first and slot in self.books
                }
                books.append(RangeBook(new.first, new.last, known))

    def _above_ranges(self, site: int, slot: Slot, ballot: Ballot) -> None:
        covering = _covering(self._ranges[site], slot)
        if covering is not None and ballot < covering:
            told = f"votes for {ballot} after it promised {covering} for a range"
            self._judge.breaks("A3", told, slot=slot, site=self._names[site])

    def learned(self, site: int, slot: Slot, entry: Entry) -> None:
        """A learned entry became durable. The vote that the site had there stays beside it."""
        book = self.book(slot)
        if book.chosen is None:
            told = f"learned what no majority has accepted: {in_words(entry)}"
            self._judge.breaks("R0", told, slot=slot, site=self._names[site])
            book.mistaken = (self._names[site], entry)
        elif book.chosen != entry:
            told = f"learned {in_words(entry)}, but {in_words(book.chosen)} is chosen"
            self._judge.breaks("R1", told, slot=slot, site=self._names[site])

    def _never_back(self, site: int, slot: Slot, before: Vote, vote: Vote) -> None:
        if before.promised is not None and (vote.promised is None or vote.promised < before.promised):
            told = f"its promise went back from {before.promised} to {vote.promised}"
            self._judge.breaks("A1", told, slot=slot, site=self._names[site])
        if before.accepted is not None and (vote.accepted is None or vote.accepted < before.accepted):
            told = f"its accepted ballot went back from {before.accepted} to {vote.accepted}"
            self._judge.breaks("A2", told, slot=slot, site=self._names[site])

    def _accepted(self, site: int, slot: Slot, book: SlotBook, ballot: Ballot, entry: Entry) -> None:
        promised = book.votes[site].promised
        if promised is None or promised < ballot:
            told = f"accepted {ballot}, but its promise is still {promised}"
            self._judge.breaks("A2", told, slot=slot, site=self._names[site])
        self._above_ranges(site, slot, ballot)
        self.proposed(slot, ballot, entry)
        mask = book.acceptors[ballot] = book.acceptors.get(ballot, 0) | 1 << site
        if not self._are_majority(slot, mask):
            return
        if book.chosen is None:
            book.chosen = entry
            self.newly_chosen.append(slot)
            self.chosen_max = max(self.chosen_max, slot)
            if book.mistaken is not None and book.mistaken[1] != entry:
                learned_at, learned = book.mistaken
                told = f"{in_words(entry)} is chosen at {ballot}, but {learned_at} has learned {in_words(learned)}"
                self._judge.breaks("agreement", told, slot=slot)
        elif book.chosen != entry:
            before = next(each for each, known in book.proposals.items() if self._is_chosen(slot, book, each, known))
            told = (
                f"two entries are chosen, at {before} and at {ballot}: {in_words(book.chosen)}, and {in_words(entry)}"
            )
            self._judge.breaks("agreement", told, slot=slot)

    def _is_chosen(self, slot: Slot, book: SlotBook, ballot: Ballot, entry: Entry) -> bool:
        return entry == book.chosen and self._are_majority(slot, book.acceptors.get(ballot, 0))

    def _are_majority(self, slot: Slot, stores: int) -> bool:
        rule = self._electorates.rule(slot)
        return rule is not None and (stores & rule.voters).bit_count() >= rule.quorum

    def proposed(self, slot: Slot, ballot: Ballot, entry: Entry) -> None:
        """An entry is seen proposed at a ballot, in an accept that leaves or in a vote that is durable."""
        book = self.book(slot)
        known = book.proposals.get(ballot)
        if known is None:
            if ballot.round:
                self._p2c(slot, book, ballot, entry)
            book.proposals[ballot] = entry
        elif known is not entry and known != entry:
            told = f"{ballot} proposes two entries: {in_words(known)}, and {in_words(entry)}"
            self._judge.breaks("B1", told, slot=slot)

    def _p2c(self, slot: Slot, book: SlotBook, ballot: Ballot, entry: Entry) -> None:
        promises = dict(book.promises.get(ballot, {}))
        for site, ranged in self._range_promises.get(ballot, {}).items():
            held = next((each for each in ranged if each.covers(slot, slot)), None)
            vote = None if held is None else held.vote(slot, ballot)
            if vote is not None:
                promises[site] = vote
        rule = self._electorates.rule(slot)
        if rule is None:
            return  # that nobody can know yet who votes there is broken before (M2)
        votes = [vote for store, vote in promises.items() if rule.voters >> store & 1]
        if len(votes) < rule.quorum:
            few = f"{len(votes)} durable promises, though {rule.quorum} are needed"
            told = f"{ballot} proposes after {few}: {in_words(entry)}"
            self._judge.breaks("B2", told, slot=slot, site=ballot.site)
        empty = sum(vote.accepted is None for vote in votes)
        if empty >= rule.quorum:
            return
        for highest in votes:
            if highest.accepted is None or highest.entry != entry:
                continue
            below = sum(vote.accepted is not None and vote.accepted <= highest.accepted for vote in votes)
            if empty + below >= rule.quorum:
                return
        seen = (
            ", ".join(f"{vote.entry.id or 'no-op'} at {vote.accepted}" for vote in votes if vote.entry is not None)
            or "no votes"
        )
        told = f"{ballot} proposes what no majority of its promises allows ({seen}; {empty} empty): {in_words(entry)}"
        self._judge.breaks("B2", told, slot=slot, site=ballot.site)

    # What is claimed in messages, each before it leaves

    def promise_sent(self, site: int, message: Promise, prefix: Slot) -> None:
        """It covers `first` to `last` (None: all after), less those left out, those that it says are chosen, and those
        of `prefix`, where the site keeps no promise."""
        first, ballot, name = message.first, message.ballot, self._names[site]
        reported = {slot: run.ballot for run in message.accepted for slot in slots_of(run.first, run.last)}
        if message.last is None:
            slots = [slot for slot in self.books if slot >= first]
            begins = max(first, Slot(prefix + 1))
            for out in message.left_out:
                if out.first <= begins and out.last is not None:
                    begins = max(begins, Slot(out.last + 1))
            self._holds(site, begins, ballot)
            self._range_claims[site].append((begins, ballot))
        else:
            slots = list(slots_of(first, message.last))
        elsewhere = {slot for run in message.learned for slot in slots_of(run.first, run.last)}
        for out in message.left_out:
            elsewhere |= {slot for slot in slots if slot >= out.first and (out.last is None or slot <= out.last)}
        for slot in slots:
            if slot in elsewhere:
                continue
            book = self.book(slot)
            if message.last is not None:
                if slot > prefix:
                    self._holds(site, slot, ballot)
                self._claim(book, site, slot, ballot)
            before = book.accept_claimed.get(site)
            if before is not None and (slot not in reported or reported[slot] < before):
                told = (
                    f"promises {ballot} and reports {reported.get(slot, 'nothing')}, after it said it accepted {before}"
                )
                self._judge.breaks("A4", told, slot=slot, site=name)
        for run in message.accepted:
            self._reported(site, run)

    def _holds(self, site: int, slot: Slot, ballot: Ballot) -> None:
        """D1: a promise of this ballot, or of a higher one, is durable there."""
        both = self.book(slot).votes[site].promised, _covering(self._ranges[site], slot)
        held = max((promised for promised in both if promised is not None), default=None)
        if held is None or held < ballot:
            told = f"promises {ballot}, but its disk says {'nothing' if held is None else held}"
            self._judge.breaks("D1", told, slot=slot, site=self._names[site])

    def _reported(self, site: int, reported: AcceptedRun) -> None:
        """A promise reports this as accepted."""
        ballot = reported.ballot
        for slot, entry in reported.run:
            book = self.book(slot)
            if not book.acceptors.get(ballot, 0) >> site & 1 or book.proposals[ballot] != entry:
                told = f"reports that it accepted at {ballot} what it did not accept there: {in_words(entry)}"
                self._judge.breaks("A4", told, slot=slot, site=self._names[site])

    def accepted_sent(self, site: int, message: Accepted) -> None:
        for slot in (slot for span in message.spans for slot in slots_of(*span)):
            book = self.book(slot)
            if not book.acceptors.get(message.ballot, 0) >> site & 1:
                told = f"says that it accepted {message.ballot}, but its disk does not"
                self._judge.breaks("D1", told, slot=slot, site=self._names[site])
            self._claim(book, site, slot, message.ballot)
            before = book.accept_claimed.get(site)
            if before is None or before < message.ballot:
                book.accept_claimed[site] = message.ballot

    def _claim(self, book: SlotBook, site: int, slot: Slot, ballot: Ballot) -> None:
        before = book.promise_claimed.get(site)
        if before is not None and ballot < before:
            told = f"answers {ballot} with a vote after it answered {before}"
            self._judge.breaks("A1", told, slot=slot, site=self._names[site])
        for first, promised in self._range_claims[site]:
            if slot >= first and ballot < promised:
                told = f"answers {ballot} with a vote after it promised {promised} from slot {first} on"
                self._judge.breaks("A3", told, slot=slot, site=self._names[site])
        book.promise_claimed[site] = ballot

    def refused_sent(self, site: int, message: Refused, prefix: Slot) -> None:
        """A5: the ballot in the way is durable, and higher; it is the slot's, or a range's, as the refusal says. Of its
        `prefix` the site keeps no promise."""
        for span in message.spans:
            if span.ballot is None:
                continue
            if span.cause is Cause.RANGE:
                first = max(span.first, Slot(prefix + 1))
                gone = span.last is not None and span.last < first
                barring = [] if gone else [(first, _highest_from(self._ranges[site], first))]
            else:
                assert span.last is not None, "no single slot is in the way of all"
                slots = slots_of(span.first, span.last)
                barring = [(slot, self.book(slot).votes[site].promised) for slot in slots]
            for slot, promised in barring:
                if promised is None or promised < span.ballot or span.ballot <= message.ballot:
                    told = f"refuses {message.ballot} because of {span.ballot}, but its disk says {promised}"
                    self._judge.breaks("A5", told, slot=slot, site=self._names[site])

    def chosen_sent(self, site: int, message: Chosen) -> None:
        """R0: the entries are the chosen ones, or the ballot is one at which a majority accepted them."""
        ballot, name = message.ballot, self._names[site]
        for slot in slots_of(message.first, message.last):
            book = self.book(slot)
            entry = message.entries[slot - message.first] if message.entries else None
            if entry is not None and entry != book.chosen:
                chosen = "nothing" if book.chosen is None else in_words(book.chosen)
                told = f"says that {in_words(entry)} is chosen, but {chosen} is"
                self._judge.breaks("R0", told, slot=slot, site=name)
            if ballot is not None:
                accepted = book.acceptors.get(ballot, 0)
                if not self._are_majority(slot, accepted) or book.proposals[ballot] != book.chosen:
                    told = f"says that {ballot} is chosen, but {accepted.bit_count()} sites accepted it"
                    self._judge.breaks("R0", told, slot=slot, site=name)


def _covering(ranges: tuple[RangePromise, ...], slot: Slot) -> Ballot | None:
    """The ballot that a range promise holds a slot to."""
    for held in ranges:
        if held.first <= slot and (held.last is None or slot <= held.last):
            return held.ballot
    return None


def _highest_from(ranges: tuple[RangePromise, ...], slot: Slot) -> Ballot | None:
    """The highest ballot of the range promises that reach up to this slot or beyond: of a prefix none is kept."""
    return max((held.ballot for held in ranges if held.last is None or slot <= held.last), default=None)
