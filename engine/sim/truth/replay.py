"""The truth about the log: what a replay of the chosen entries makes of it, in slot order.

Rules that hold here:
- This is written anew, and shares nothing with the core's state machine: the two must come to the same.
- E5: an entry takes effect iff the number that it follows is its author's last number in effect.
- An entry that takes effect changes at most one line of the block table.
- M1: who votes at slot s is what the replay through s - w says. M3: a change that an earlier one has not taken effect
  at, or that does not fit the list, is void, and takes its number. M5: what an author wrote is void where it does not
  vote. M6: where a site votes with another store than before, its last number goes to the second multiple of a million
  above it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.core.entry import Entry, Kind
from engine.core.ids import SiteId, Slot, StoreId

Pair = tuple[SiteId, SiteId]

Lives = dict[SiteId, StoreId | None]
"""Who votes, each with which store; None: the one that D5 admitted."""

VOTERS_MAX: Final = 9
LEARNERS_MAX: Final = 9

MILLION: Final = 1_000_000
_CHANGES: Final = {Kind.READMIT, Kind.ADD, Kind.ADD_LEARNER, Kind.PROMOTE, Kind.REMOVE, Kind.MOVE}


@dataclass(frozen=True, slots=True)
class Applied:
    """What the entry of a slot did. `table`: the pair that it changed, and since when it stands, None: no longer.
    `numbered`: it took its number, though it is void. `taken`: another last number in effect that it set, and whose.
    `change`: it changed who votes."""

    entry: Entry
    void: bool
    shown: bool
    table: tuple[Pair, Slot | None] | None
    numbered: bool = False
    taken: tuple[SiteId, int] | None = None
    change: bool = False


class Replay:
    def __init__(self, founders: Iterable[SiteId], lag: int) -> None:
        self.lists: list[tuple[Slot, Lives]] = [(Slot(1), dict.fromkeys(founders))]
        """From which slot on who votes; the newest last."""
        self.learners: list[frozenset[SiteId]] = [frozenset()]
        """Who belongs to each list beside."""
        self.ever_voted = set(self.lists[0][1])
        self.lag = lag
        self.admitted: dict[StoreId, Slot] = {}
        """The stores that the log names, and from which slot on each votes."""
        self.promoted = set[StoreId]()
        """Those of them whose site did not vote before."""
        self.applied: list[Applied] = []  # slot 1 first
        self._last: dict[SiteId, int] = {}
        self._blocks: dict[Pair, Slot] = {}

    @property
    def next(self) -> Slot:
        return Slot(len(self.applied) + 1)

    def lives(self, slot: Slot) -> Lives | None:
        """Who votes at a slot; None where nobody can know yet (M2)."""
        number = self.list_number(slot)
        return None if number is None else self.lists[number][1]

    def list_number(self, slot: Slot) -> int | None:
        """Which of the lists holds there; None where nobody can know yet."""
        if slot > len(self.applied) + self.lag:
            return None
        number = len(self.lists) - 1
        while self.lists[number][0] > slot:
            number -= 1
        return number

    def holding(self, prefix: Slot) -> list[Lives]:
        """The lists of slots above a prefix, as far as it says: one, or two."""
        known = [(first, lives) for first, lives in self.lists if first - self.lag <= prefix or first == 1]
        return [lives for at, (_, lives) in enumerate(known) if at + 1 == len(known) or known[at + 1][0] > prefix + 1]

    def about(self, prefix: Slot) -> list[Lives]:
        """As `holding`, and the list before: what a pass did before it learned as much as its commit holds."""
        lists = self.holding(prefix)
        before = [lives for _, lives in self.lists]
        return [*before[: before.index(lists[0])][-1:], *lists]

    def company(self, prefix: Slot) -> set[SiteId]:
        """Who belongs to these lists, learners too."""
        first = len(self.lists) - 1
        while first and self.lists[first][0] > prefix + 1:
            first -= 1
        lists = zip(self.lists[first:], self.learners[first:], strict=True)
        known = ((lives, learners) for (since, lives), learners in lists if since - self.lag <= prefix)
        return {name for lives, learners in known for name in (*lives, *learners)}

    def members(self) -> set[SiteId]:
        """Who belongs to the newest list."""
        return {*self.lists[-1][1], *self.learners[-1]}

    def votes(self, slot: Slot, site: SiteId, life: StoreId) -> bool:
        """Whether a store is the one that votes there."""
        lives = self.lives(slot)
        if lives is None or site not in lives:
            return False
        return life not in self.admitted if lives[site] is None else lives[site] == life

    def last_in_effect(self, author: SiteId) -> int:
        """The author's last number in effect, 0 before the first."""
        return self._last.get(author, 0)

    def apply(self, entry: Entry) -> Applied:
        """The entry of the next slot."""
        applied = self._applied(self.next, entry)
        self.applied.append(applied)
        return applied

    def _applied(self, slot: Slot, entry: Entry) -> Applied:
        author = entry.author
        if author is None:
            return Applied(entry, void=False, shown=False, table=None)
        lives = self.lives(slot)
        barred = len(self.lists) > 1 and (lives is None or author not in lives)
        if self.last_in_effect(author) != entry.follows or entry.number <= entry.follows or barred:
            return Applied(entry, void=True, shown=False, table=None)
        self._last[author] = entry.number
        kind, _, argument = entry.body.split(" ", 2)
        if kind in _CHANGES:
            return self._change(slot, entry, kind, *argument.split(" "))
        pair = (author, SiteId(argument))
        table: tuple[Pair, Slot | None] | None = None
        if kind == Kind.BLOCK and pair not in self._blocks and author != argument:
            self._blocks[pair] = slot
            table = (pair, slot)
        elif kind == Kind.UNBLOCK and self._blocks.pop(pair, None) is not None:
            table = (pair, None)
        return Applied(entry, void=False, shown=kind == Kind.TWEET, table=table)

    def _change(self, slot: Slot, entry: Entry, kind: str, name: str, argument: str = "") -> Applied:
        site, life = SiteId(name), StoreId(argument)
        since, lives = self.lists[-1]
        learners = self.learners[-1]
        voting, learning = site in lives, site in learners
        fits = slot >= since
        match kind:
            case Kind.ADD | Kind.ADD_LEARNER:
                fits = fits and not voting and not learning and len(learners) < LEARNERS_MAX
                learners |= {site}
            case Kind.READMIT:
                fits = fits and voting and life not in self.admitted
                lives = lives | {site: life}
            case Kind.PROMOTE:
                fits = fits and learning and len(lives) < VOTERS_MAX
                lives, learners = lives | {site: life}, learners - {site}
            case Kind.REMOVE:
                fits = fits and (learning or (voting and len(lives) > 1))
                lives, learners = {each: lives[each] for each in lives if each != site}, learners - {site}
            case _:
                fits = fits and (voting or learning)
        if not fits:
            return Applied(entry, void=True, shown=False, table=None, numbered=True)
        first = Slot(slot + self.lag)
        self.lists.append((first, lives))
        self.learners.append(learners)
        if kind not in (Kind.READMIT, Kind.PROMOTE):
            return Applied(entry, void=False, shown=False, table=None, change=True)
        self.admitted[life] = first
        if kind == Kind.PROMOTE:
            self.promoted.add(life)
        if site not in self.ever_voted:
            self.ever_voted.add(site)
            return Applied(entry, void=False, shown=False, table=None, change=True)
        last = self.last_in_effect(site)
        self._last[site] = last - last % MILLION + 2 * MILLION
        return Applied(entry, void=False, shown=False, table=None, taken=(site, self._last[site]), change=True)
