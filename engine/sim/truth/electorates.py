"""The truth about who votes where: which stores make a majority at a slot, as the chosen log says (M1 to M5).

Rules that hold here:
- Votes are kept by stores: a site's first store has the site's index, each that the log admits a number of its own.
- M2: nobody can know who votes at a slot before all that is more than w before it is chosen.
- M4: a store that the log admits votes from its first slot on, and the one before it no more, once its own disk says
  so. Each proposes at its own slots alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.core.entry import Kind
from engine.core.ids import Ballot, SiteId, Slot, StoreId, quorum_size
from engine.core.messages import Prepare
from engine.core.settings import CHANGE_LAG
from engine.core.storage import Change, RangePromise
from engine.sim.image import Disk
from engine.sim.truth.replay import Lives, Replay
from engine.sim.violation import Judge


class Rule(NamedTuple):
    """The voters of a slot, as a mask of their numbers, and how many of them make a majority."""

    voters: int
    quorum: int


class Electorates:
    def __init__(self, names: Sequence[SiteId], disks: Sequence[Disk], replay: Replay, judge: Judge) -> None:
        self.names = [*names]
        """Of each number."""
        self._sites = tuple(names)
        self._disks = disks
        self._replay = replay
        self._judge = judge
        self._numbers: dict[StoreId, int] = {}
        self._first_stores = set[StoreId]()
        self._promised = set[tuple[int, Ballot]]()
        self._rules: dict[int, Rule] = {}  # by the number of the list

    def stands(self, index: int) -> None:
        """A site's store is admitted by D5: it votes from slot 1 on, also where the log names it."""
        self._first_stores.add(self._disks[index].image.life)

    def number(self, index: int) -> int:
        """Of the store that a site has now."""
        return self._number(index, self._disks[index].image.life)

    def rule(self, slot: Slot) -> Rule | None:
        """None where nobody can know yet."""
        number = self._replay.list_number(slot)
        if number is None:
            return None
        rule = self._rules.get(number)
        if rule is None:
            rule = self._rules[number] = self._rule(self._replay.lists[number][1])
        return rule

    def votes(self, index: int, slot: Slot) -> None:
        """A vote of this site becomes durable."""
        name, first = self._sites[index], self._first(index)
        if slot < first:
            told = f"votes here, but its store may vote only from slot {first} on"
            self._judge.breaks("M4", told, slot=slot, site=name)
        end = self._end(index, first)
        if end is not None and slot >= end:
            told = f"votes here, but its own disk says that it does not vote from slot {end} on"
            self._judge.breaks("M4", told, slot=slot, site=name)

    def promises(self, index: int, ranges: Sequence[RangePromise]) -> None:
        """Range promises of this site become durable."""
        image, first, number = self._disks[index].image, self._first(index), self.number(index)
        for promised in ranges:
            lowest = max(promised.first, Slot(image.prefix + 1))
            if (number, promised.ballot) in self._promised:
                continue  # it stood before, perhaps in another term of the same store
            self._promised.add((number, promised.ballot))
            if lowest < first and (promised.last is None or promised.last >= lowest):
                told = f"promises {promised.ballot} for a range, but its store may vote only from slot {first} on"
                self._judge.breaks("M4", told, slot=lowest, site=self._sites[index])

    def votes_again(self, index: int, change: Change, ballot: Ballot) -> bool:
        """By this change, which a site's disk says, a store votes in another term than that in which it promised the
        ballot."""
        kind, _, site, *rest = change.body.split(" ")
        if kind not in (Kind.READMIT, Kind.PROMOTE):
            return False
        name, life = SiteId(site), StoreId(rest[0])
        before = (each for each in self._disks[index].image.changes if each.slot < change.slot)
        number = self._number(self._sites.index(name), life)
        return (number, ballot) in self._promised and any(_ends(each, name, life) for each in before)

    def prepares(self, index: int, message: Prepare) -> None:
        """A prepare of this site leaves."""
        if message.last is not None and self.rule(message.last) is None:
            told = "asks for a promise of slots of which nobody can know yet who votes"
            self._judge.breaks("M2", told, slot=message.last, site=self._sites[index])

    def proposes(self, index: int, slot: Slot) -> None:
        """An accept of this site leaves."""
        name, life = self._sites[index], self._disks[index].image.life
        if self.rule(slot) is None:
            self._judge.breaks("M2", "proposes at a slot of which nobody can know yet who votes", slot=slot, site=name)
        elif slot < self._first(index) or not (life in self._first_stores or self._replay.votes(slot, name, life)):
            self._judge.breaks(
                "M4", f"proposes here, but its store {life} does not vote at this slot", slot=slot, site=name
            )

    def _first(self, index: int) -> Slot:
        """From where on a site's present store votes, as its own disk says: it may be behind in the log, and vote yet
        in a term that it had before."""
        name, image = self._sites[index], self._disks[index].image
        named = [change for change in image.changes if change.body.split(" ")[2:] == [name, image.life]]
        first_store = image.life in self._first_stores
        if named:
            newest = named[-1]
            ended = any(each.slot < newest.slot and _ends(each, name, image.life) for each in image.changes)
            if ended or not first_store or not newest.body.startswith(f"{Kind.READMIT} "):
                return Slot(newest.slot + self._replay.lag)
        return Slot(1) if first_store else self._replay.admitted.get(image.life, Slot(1))

    def _end(self, index: int, first: Slot) -> Slot | None:
        """From where on another store votes in its place, as its own disk says."""
        name, image = self._sites[index], self._disks[index].image
        ends = (Slot(each.slot + self._replay.lag) for each in image.changes if _ends(each, name, image.life))
        return min((each for each in ends if each > first), default=None)

    def _rule(self, lives: Lives) -> Rule:
        voters = 0
        for site, life in lives.items():
            index = self._sites.index(site)
            voters |= 1 << (index if life is None else self._number(index, life))
        return Rule(voters, quorum_size(len(lives)))

    def _number(self, index: int, life: StoreId) -> int:
        if life not in self._replay.admitted or life in self._first_stores:
            return index
        if life not in self._numbers:
            self._numbers[life] = len(self.names)
            self.names.append(self._sites[index])
        return self._numbers[life]


def _ends(change: Change, name: SiteId, life: StoreId) -> bool:
    """By this change, the store of a site votes no more, if it did."""
    kind, _, site, *rest = change.body.split(" ")
    return site == name and (kind == Kind.REMOVE or (kind in (Kind.READMIT, Kind.PROMOTE) and rest != [life]))


def never_changing(names: Sequence[SiteId], judge: Judge) -> Electorates:
    """All vote at all slots, on the stores that they have."""
    return Electorates(names, (), Replay(names, CHANGE_LAG), judge)
