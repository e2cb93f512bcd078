"""What is true in every state of a small cluster in which the log changes who votes, whoever knows of it.

Rules that hold here:
- Who votes at a slot is what a replay of the log says (M1): of all that is chosen, where the truth of a slot is asked
  for; of what a store itself has learned, where it is asked whether that store may vote or propose there. The replay
  is that of the simulator's truth, and shares nothing with the core.
- M2, by what comes of it: what anybody learned, a majority of those who vote on its slot accepted, and none but them.
- D1: what a vote claims is durable. D5: a store that the log has to admit does nothing before. M4, M5: nobody votes or
  proposes for a store of its name that was before, or comes after; nor once it is removed. A3: so it is of every slot
  that a promise of a range covers.
- M6, E5: after a prefix each author's last number in effect is what the replay says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot, StoreId
from engine.core.messages import Accept, Accepted, Message, Prepare, Promise, RefusedSpan
from engine.core.run import slots_of
from engine.core.storage import Vote
from engine.sim.proving.exhaustive import invariants, logs
from engine.sim.proving.exhaustive.acceptors import Promises
from engine.sim.proving.exhaustive.invariants import Proposal, Witness
from engine.sim.proving.exhaustive.numbers import Answers
from engine.sim.truth.replay import Lives, Replay
from engine.sim.violation import violate

X, Y, Z = SITES = (SiteId("x"), SiteId("y"), SiteId("z"))


class Store(NamedTuple):
    """A store of a site; D5 admitted the first one, the log has to admit any other."""

    site: SiteId
    life: StoreId = logs.FIRST_STORE

    @property
    def is_first(self) -> bool:
        return self.life == logs.FIRST_STORE

    @property
    def name(self) -> str:
        return self.site if self.is_first else f"{self.site} on store {self.life[0]}"

    def votes(self, lives: Lives) -> bool:
        """It is the one that these lives say votes for its site."""
        return self.site in lives and (lives[self.site] or logs.FIRST_STORE) == self.life


class Electors:
    """`stores`: those of all who vote. Who else proposes is on a site of its own, and may propose at every slot."""

    def __init__(self, founders: tuple[SiteId, ...], lag: int, stores: tuple[Store, ...]) -> None:
        self._founders = founders
        self._lag = lag
        self._stores = stores
        self._sites = {store.site for store in stores}
        self._replays = Answers[logs.Log, Replay](self._replayed)

    def check(self, proposers: list[Witness], acceptors: list[Witness]) -> None:
        """Raises Violated."""
        everybody = [*proposers, *acceptors]
        proposed = frozenset[Proposal]().union(*(each.proposed | each.accepted for each in everybody))
        invariants.one_entry_a_ballot(proposed)
        replay, log = Replay(self._founders, self._lag), dict[Slot, Entry]()
        for slot in sorted({slot for slot, _, _ in proposed}):
            lives = replay.lives(slot)
            if lives is None:
                break
            voting = (store.votes(lives) for store in self._stores)
            accepted = tuple(each.accepted for each, votes in zip(acceptors, voting, strict=True) if votes)
            for proposal in sorted((each for each in proposed if each[0] == slot), key=invariants.slot_and_ballot):
                invariants.p2c(accepted, proposal)
            entry = invariants.chosen(accepted, slot)
            if entry is not None:
                log[slot] = entry
                if slot == replay.next:
                    replay.apply(entry)
        for slot, learned in sorted(frozenset[logs.Placed]().union(*(each.learned for each in everybody)), key=repr):
            invariants.is_chosen(slot, learned, log.get(slot))

    def judge(self, store: Store, learned: logs.Log, disk: Promises | None, sent: Iterable[Message]) -> None:
        """What a store says, which has learned this, and has these promises on its disk. Raises Violated."""
        if store.site not in self._sites:
            return
        replay, acceptor = self._replays[learned], None if disk is None else disk.acceptor()
        for message in sorted(sent, key=repr):
            for slot in _slots(store, message, learned, replay):
                lives = _lives(replay, slot)
                if not store.votes(lives):
                    rule = "M5" if store.site not in lives else "M4"
                    if not store.is_first and store.life not in replay.admitted:
                        rule = "D5"
                    said = f"{store.name} says {message.word()}, and does not vote here"
                    violate(rule, said, slot=slot, site=store.site)
                if acceptor is not None:
                    _is_durable(store, slot, acceptor.vote(slot), message)

    def judge_prefix(self, learned: logs.Log, last_in_effect: Callable[[SiteId], int]) -> None:
        """What the core made of these entries. Raises Violated."""
        replay = self._replays[learned]
        authors = {entry.author for _, entry in learned if entry.author is not None}
        for author in sorted(authors | self._sites):
            was, truth = last_in_effect(author), replay.last_in_effect(author)
            if was != truth:
                rule = "M6" if any(applied.taken and applied.taken[0] == author for applied in replay.applied) else "E5"
                said = f"{author}'s last number in effect is {was}; by the log it is {truth}"
                violate(rule, said, slot=Slot(replay.next - 1))

    def _replayed(self, learned: logs.Log) -> Replay:
        """Of the prefix."""
        replay = Replay(self._founders, self._lag)
        while (entry := logs.at(learned, replay.next)) is not None:
            replay.apply(entry)
        return replay


def _lives(replay: Replay, slot: Slot) -> Lives:
    """Who votes there, as far as this log says."""
    return next(lives for first, lives in reversed(replay.lists) if first <= slot)


def _slots(store: Store, message: Message, learned: logs.Log, replay: Replay) -> list[Slot]:
    """Where it votes or proposes: not where it tells what it has learned, nor what it leaves out. Of slots without an
    end, the first one of the newest list stands for all that follow; who asks for promises of them means those where it
    votes: there has to be one."""
    left_out: tuple[RefusedSpan, ...] = ()
    match message:
        case Prepare(first=first, last=last) | Promise(first=first, last=last):
            spans: tuple[tuple[Slot, Slot], ...] = ((first, last or max(first, replay.lists[-1][0])),)
            left_out = message.left_out if isinstance(message, Promise) else ()
        case Accept(run=run):
            spans = ((run.first, run.last),)
        case Accepted(spans=spans):
            pass
        case _:
            raise AssertionError(f"a {message.word()} is no vote, and proposes nothing")
    slots = [slot for span in spans for slot in slots_of(*span) if logs.at(learned, slot) is None]
    if isinstance(message, Prepare) and message.last is None:
        return [slot for slot in slots if store.votes(_lives(replay, slot))] or slots
    return [slot for slot in slots if not any(out.first <= slot <= (out.last or slot) for out in left_out)]


def _is_durable(store: Store, slot: Slot, vote: Vote, message: Message) -> None:
    match message:
        case Promise() if vote.promised is None or vote.promised < message.ballot:
            violate("D1", f"promised {message.ballot}; on disk is {vote.promised}", slot=slot, site=store.site)
        case Accepted() if vote.accepted != message.ballot:
            violate("D1", f"accepted {message.ballot}; on disk is {vote.accepted}", slot=slot, site=store.site)
        case _:
            pass
