"""One replica on stage: the test speaks for every other site, and reads what the replica does.

Rules that hold here:
- Effects are performed as the node does: committed, then told to the replica; what was sent is returned to the test.
- Nothing moves by itself: a test names the moment, the sender and the message of every step.
- `SITES` number 1 to 5 in the order of their names; a test of fewer sites takes the first ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Final, TypeVar

from engine.core.effects import Effects, Observation
from engine.core.entry import Entry, Operation, Stamped, Tweet, encode
from engine.core.events.submissions import Submission
from engine.core.explained.hindrance import Meddling, nobody_meddles
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    AskHighest,
    Chosen,
    Heartbeat,
    Hello,
    Highest,
    Message,
    Packet,
    Prepare,
    Promise,
    Verdict,
    Welcome,
)
from engine.core.replica import Replica
from engine.core.run import AcceptedRun, Run, spans_of
from engine.core.settings import Leadership, Settings, Timings
from engine.core.storage import Standing, Write
from engine.core.turn import Commit, Turn
from tests.core.memory_store import MemoryStore

ALICE: Final = SiteId("alice")
BOB: Final = SiteId("bob")
CAROL: Final = SiteId("carol")
DAVE: Final = SiteId("dave")
ERIN: Final = SiteId("erin")
SITES: Final = (ALICE, BOB, CAROL, DAVE, ERIN)

MINUTE: Final = Tick(60_000)

AnyMessage = TypeVar("AnyMessage", bound=Message)
AnyObservation = TypeVar("AnyObservation", bound=Observation)
AnyWrite = TypeVar("AnyWrite", bound=Write)


def life_of(site: SiteId) -> StoreId:
    return StoreId(f"{SITES.index(site) + 1:016x}")


def ballot(number: int, site: SiteId) -> Ballot:
    return Ballot(Round(number), site)


def tweet(author: SiteId, number: int, follows: int | None = None, text: str | None = None) -> Entry:
    """An entry of `author`; by default it follows the number before its own (E5)."""
    body = encode(Stamped(Tweet(text or f"{author} says {number}"), 1_000))
    return Entry(author, number, number - 1 if follows is None else follows, body)


def prepare(number: Ballot, slot: int) -> Prepare:
    return Prepare(number, Slot(slot), Slot(slot))


def run(slot: int, *entries: Entry) -> Run:
    """Entries of the slots from `slot` on."""
    return Run(Slot(slot), entries)


def accepted_run(slot: int, number: Ballot, *entries: Entry) -> AcceptedRun:
    return AcceptedRun(Slot(slot), number, entries)


def promise(number: Ballot, slot: int, found: tuple[Ballot, Entry] | None = None) -> Promise:
    """The promise of one slot, with what its sender had accepted there."""
    reports = () if found is None else (accepted_run(slot, *found),)
    return Promise(number, Slot(slot), Slot(slot), reports, (), ())


def already_chosen(number: Ballot, slot: int, entry: Entry) -> Promise:
    """The answer to a prepare of a slot that its sender learned."""
    return Promise(number, Slot(slot), Slot(slot), (), (run(slot, entry),), ())


def accept(number: Ballot, slot: int, *entries: Entry) -> Accept:
    return Accept(number, run(slot, *entries))


def accepted(number: Ballot, *slots: int) -> Accepted:
    return Accepted(number, spans_of(map(Slot, slots)))


def chosen(slot: int, *entries: Entry, at: Ballot | None = None) -> Chosen:
    """With what was chosen, in the slots from `slot` on."""
    return Chosen(Slot(slot), Slot(slot + len(entries) - 1), at, entries)


def chosen_at(number: Ballot, slot: int, last: int | None = None) -> Chosen:
    """With the ballot alone (R0)."""
    return Chosen(Slot(slot), Slot(slot if last is None else last), number, ())


def beat(
    used_max: int = 0, prefix: int | None = None, *, voting: bool = True, every: Tick = Timings().heartbeat
) -> Heartbeat:
    """The sign of life of a site that learned everything up to `used_max`, or only up to `prefix`."""
    through = Slot(used_max if prefix is None else prefix)
    return Heartbeat(Leadership.NONE, voting, through, Slot(used_max), Tick(0), None, 0, every, None, False, None)


def sent(effects: Effects, kind: type[AnyMessage]) -> list[tuple[SiteId, AnyMessage]]:
    """The messages of one type, with their addressees."""
    return [(send.to, send.message) for send in effects.sends if isinstance(send.message, kind)]


def sent_to(effects: Effects, to: SiteId, kind: type[AnyMessage]) -> list[AnyMessage]:
    return [message for site, message in sent(effects, kind) if site == to]


def told(effects: Effects, kind: type[AnyObservation]) -> list[AnyObservation]:
    return [saw for saw in effects.observations if isinstance(saw, kind)]


def written(effects: Effects, kind: type[AnyWrite]) -> list[AnyWrite]:
    return [write for write in effects.writes if isinstance(write, kind)]


class Stage:
    def __init__(
        self,
        size: int = 3,
        site: SiteId = ALICE,
        store: MemoryStore | None = None,
        random: Random | None = None,
        settings: Settings | None = None,
        *,
        meddling: Meddling = nobody_meddles,
    ) -> None:
        self.settings = settings or Settings(site, SITES[:size], Leadership.NONE)
        self.site = self.settings.site
        self.store = store or MemoryStore(life_of(self.site))
        self.random = random or Random(1)
        self.now = Tick(0)
        self.replica = Replica(self.settings, self.store.load(), self.store, self.random, meddling)

    # Steps

    def start(self) -> Effects:
        return self._perform(self.replica.start(self.now))

    def hear(self, sender: SiteId, *messages: Message) -> Effects:
        """The messages come in one packet of the sender's store, as it was when it greeted."""
        return self.hear_packet(Packet(sender, life_of(sender), 1, self.store.life, messages))

    def hear_packet(self, packet: Packet) -> Effects:
        return self._perform(self.replica.receive(self.now, packet))

    def tick(self, until: int | None = None) -> Effects:
        """Does all that is due up to `until` (default: now), each at its time, and nothing once the site ended."""
        until = self.now if until is None else until
        effects = Effects()
        at_once = 0
        while (due := self.replica.deadline()) <= until:
            at_once = at_once + 1 if due <= self.now else 0
            assert at_once < 10, "ticks are due again and again at one moment"
            self.now = max(self.now, due)
            effects.extend(self._perform(self.replica.tick(self.now)))
            if effects.stop is not None:
                return effects
        self.now = Tick(max(self.now, until))
        return effects

    def wait(self, ticks: int) -> Effects:
        return self.tick(self.now + ticks)

    def live(self, ticks: int) -> Effects:
        """As `wait`, while all peers are heard, twice a second."""
        until = self.now + ticks
        effects = Effects()
        while self.now < until:
            for peer in self.settings.peers:
                effects.extend(self.hear(peer, beat()))
            effects.extend(self.tick(min(until, self.now + 500)))
        return effects

    def submit(self, token: int, text: str = "hello", timeout: int = MINUTE, *, retry: bool = False) -> Effects:
        return self.submit_many(token, text, timeout=timeout, retry=retry)

    def submit_many(self, token: int, *texts: str, timeout: int = MINUTE, retry: bool = False) -> Effects:
        """Events that are submitted together."""
        return self.submit_all(token, [Tweet(text) for text in texts], timeout=timeout, retry=retry)

    def submit_all(
        self, token: int, operations: Iterable[Operation], timeout: int = MINUTE, *, retry: bool = False
    ) -> Effects:
        """The same, of any kind."""
        bodies = tuple(encode(Stamped(operation, 1_000)) for operation in operations)
        return self._perform(self.replica.submit(self.now, Submission(token, bodies, Tick(timeout), retry)))

    def give_up(self, token: int, offset: int = 0, count: int | None = None) -> Effects:
        return self._perform(self.replica.give_up(self.now, token, offset, count))

    def read(self, token: int, timeout: int = MINUTE) -> Effects:
        """A linearizable read begins (R5)."""
        return self._perform(self.replica.read(self.now, token, Tick(timeout)))

    def explain(self, token: int, slot: int, timeout: int = 1_000) -> Effects:
        """Somebody asks what happened at a slot."""
        return self._perform(self.replica.explain(self.now, token, Slot(slot), Tick(timeout)))

    def fill(self, *slots: int) -> Effects:
        return self._perform(self.replica.fill(self.now, map(Slot, slots)))

    # What the other sites say when a store starts

    def welcome(self, peers: Iterable[SiteId], effects: Effects) -> Effects:
        """These peers answer the hellos in `effects`: they remember this store."""
        answers = Effects()
        for peer, hello in sent(effects, Hello):
            if peer in peers:
                answers.extend(self.hear(peer, Welcome(hello.nonce, Verdict.RECORDED, None, "")))
        return answers

    def answer_scan(self, effects: Effects, used_max: int = 0, prefix: int | None = None) -> Effects:
        """All peers that are asked in `effects` say that the log goes to `used_max`, and what their prefix is."""
        answers = Effects()
        through = Slot(used_max if prefix is None else prefix)
        for peer, question in sent(effects, AskHighest):
            answers.extend(self.hear(peer, Highest(question.nonce, Slot(used_max), through)))
        return answers

    def vote(self) -> Stage:
        """Starts, and is confirmed by all peers: from here on this site votes."""
        self.welcome(self.settings.peers, self.start())
        assert self.replica.view(0).voting
        return self

    def ready(self) -> Stage:
        """Votes, and knows from all peers that the log is empty: from here on it proposes."""
        self.vote()
        self.answer_scan(self.tick())
        assert not self.replica.view(0).recovering
        return self

    # Restarts

    def restarted(self) -> Stage:
        """The same store under a new process."""
        return Stage(store=self.store, random=self.random, settings=self.settings)

    def _perform(self, effects: Effects) -> Effects:
        turn: Turn[None] = Turn(self.replica, effects)
        turn.settle()
        for item in turn.items():
            if isinstance(item, Commit):
                turn.committed(self.store.commit(item.writes))
        assert effects.stop is None or not effects.sends, "a site that stops sends nothing"
        return effects


def new_store(site: SiteId, life: StoreId | None = None) -> MemoryStore:
    """A store that never voted (D5)."""
    return MemoryStore(life or life_of(site), standing=Standing.NEW)


def shorter(settings: Settings, page_bytes: int) -> Settings:
    """The same settings with smaller messages."""
    return replace(settings, page_bytes=page_bytes)
