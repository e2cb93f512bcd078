"""What an acceptor, bob, is told and answers, step by step: a replica of the code, driven as the node drives it."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from engine.core.effects import Effects, SawRejected
from engine.core.entry import NOOP
from engine.core.ids import Nonce, SiteId, StoreId, Tick
from engine.core.messages import (
    AskHighest,
    Hello,
    Message,
    Packet,
    Verdict,
    Welcome,
)
from engine.core.replica import Replica
from engine.core.settings import ROUND_LEAP_MAX, WINDOW_SLOTS, Leadership, Settings
from engine.core.storage import Standing, Write, WriteNumbers
from engine.core.turn import Commit, Leave, Turn
from tests.core.memory_store import MemoryStore
from tests.engine.vectors.said import (
    ALICE,
    BLOCK,
    BOB,
    CAFE,
    CAROL,
    LIVES,
    LOST,
    LUNCH,
    SITES,
    TAKEN_BACK,
    Sayings,
    accept,
    ask,
    ballot,
    chosen,
    chosen_at,
    heartbeat,
    hello,
    plaintext_of,
    prepare,
    welcome,
)

Json = Any


class Draws(Random):
    """Counts up instead, and remembers what was drawn."""

    def __init__(self) -> None:
        super().__init__(0)
        self.drawn: list[int] = []
        self._next = 1_000

    def getrandbits(self, _bits: int) -> int:
        self._next += 1
        self.drawn.append(self._next)
        return self._next - 1  # a nonce is one more


class Conversation:
    """Bob, whom the others talk to."""

    def __init__(self) -> None:
        self.store = MemoryStore(LIVES[BOB], Standing.NEW)
        self.sayings = Sayings()
        self.steps: list[dict[str, Json]] = []
        self._draws = Draws()
        self._durable = self.durable()
        self._replica = self._process()
        self.nonces: dict[SiteId, int] = {}
        self.challenges: dict[SiteId, int] = {}
        """The newest of bob's nonces and challenges."""

    def starts(self, what: str) -> None:
        self._replica = self._process()
        self._step({"what": what, "does": "starts"}, self._replica.start(Tick(0)))

    def hears(
        self,
        what: str,
        sender: SiteId,
        *messages: Message,
        life: StoreId | None = None,
        to: StoreId | None = LIVES[BOB],
        commit: int = 41,
    ) -> None:
        first = isinstance(messages[0], Hello) and messages[0].proof is None
        said = Packet(sender, life or LIVES[sender], commit, None if first else to, messages)
        self._hears(self.sayings.datagram(what, sender, BOB, plaintext_of(said)), said)

    def hears_again(self, what: str) -> None:
        """The last datagram, byte by byte."""
        last = next(step for step in reversed(self.steps) if "sealed" in step)
        again = {name: last[name] for name in ("from", "to", "counter", "header", "open", "sealed")}
        self._hears({"what": what, **again}, self._last)

    def durable(self) -> Json:
        store = self.store
        return {
            "commit": store.commits,
            "standing": store.standing.value,
            "peers": {site: [memory.life, memory.commit] for site, memory in sorted(store.peers.items())},
            "votes": {
                str(slot): json.loads(_json((vote.promised, vote.accepted, vote.entry)))
                for slot, vote in sorted(store.votes.items())
            },
            "ranges": json.loads(_json(store.ranges)),
            "learned": {str(slot): json.loads(_json(entry)) for slot, entry in sorted(store.log.items())},
        }

    def _process(self) -> Replica:
        settings = Settings(BOB, SITES, Leadership.NONE)
        return Replica(settings, self.store.load(), self.store, self._draws)

    def _hears(self, step: dict[str, Json], said: Packet) -> None:
        self._last = said
        self._step(step, self._replica.receive(Tick(0), said))

    def _step(self, step: dict[str, Json], effects: Effects) -> None:
        turn: Turn[None] = Turn(self._replica, effects)
        turn.settle()
        answers: list[Json] = []
        for item in turn.items():
            match item:
                case Commit(writes):
                    turn.committed(self._commit([write for write in writes if type(write) is not WriteNumbers]))
                case Leave(to, messages, _):
                    for message in messages:
                        self._note(to, message)
                        alone = self._replica.packet(to, (message,))
                        answers.append({"to": to, "packet": json.loads(plaintext_of(alone))})
                case _:
                    pass
        drawn, self._draws.drawn = self._draws.drawn, []
        step |= {"draws": drawn} if drawn else {}
        dropped = [saw.reason for saw in effects.observations if isinstance(saw, SawRejected)]
        step |= {"dropped": dropped[0]} if dropped else {}
        step |= {"stops": True} if effects.stop else {"answers": answers}
        if not effects.stop and self.durable() != self._durable:
            self._durable = step["durable"] = self.durable()
        self.steps.append(step)

    def _commit(self, writes: list[Write]) -> int:
        """Who only votes gives no event a number, and so reserves none (E1)."""
        return self.store.commit(writes) if writes else self.store.commits

    def _note(self, to: SiteId, message: Message) -> None:
        if isinstance(message, Hello):
            self.nonces[to] = message.nonce
        if isinstance(message, Welcome) and message.challenge is not None:
            self.challenges[to] = message.challenge


def _json(value: Json) -> bytes:
    return json.dumps(_plain(value)).encode()


def _plain(value: Json) -> Json:
    match value:
        case Struct():
            return [_plain(each) for each in astuple(value)]
        case tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _greeted(bob: Conversation, site: SiteId, nonce: int) -> None:
    """Site and bob prove themselves to each other."""
    bob.hears(f"{site} answers, and asks for a proof", site, welcome(bob.nonces[site], Verdict.UNPROVEN, nonce))
    bob.hears(f"{site} says hello", site, hello(nonce + 1, None))
    bob.hears(f"{site} proves itself: durable first", site, hello(nonce + 2, bob.challenges[site]))
    bob.hears(f"{site} has recorded bob's store", site, welcome(bob.nonces[site], Verdict.RECORDED))


def acceptor() -> list[dict[str, Json]]:
    bob = Conversation()
    one, two, three, four = ballot(1, ALICE), ballot(2, CAROL), ballot(3, ALICE), ballot(4, CAROL)
    bob.starts("bob's new store starts")
    bob.hears("no store of alice's is known: nothing of her is taken", ALICE, prepare(one, 1, 1))
    _greeted(bob, ALICE, 21)
    bob.hears_again("the same answer again: its nonce is used up")
    bob.hears("a new store of three sites votes when both others have recorded it", ALICE, prepare(one, 1, 1))
    bob.hears("so it answers no such question", ALICE, AskHighest(Nonce(24)))
    bob.hears("carol says hello", CAROL, hello(31, None))
    bob.hears_again("once more: the same challenge")
    bob.hears("carol proves itself", CAROL, hello(32, bob.challenges[CAROL]))
    bob.hears_again("an old proof proves nothing")
    bob.hears("no word of bob's store from carol yet: not even voters' refusals", CAROL, prepare(two, 1, 1))
    bob.hears("carol has recorded it: bob votes, durably", CAROL, welcome(bob.nonces[CAROL], Verdict.RECORDED))
    bob.hears("the first ballot is promised", ALICE, prepare(one, 1, 1))
    bob.hears_again("repeated: the same answer, and nothing to write")
    bob.hears("and accepted", ALICE, accept(one, 1, LUNCH))
    bob.hears_again("repeated: the same answer, and nothing to write")
    bob.hears("a higher ballot is promised, and told what was accepted: at 1.alice", CAROL, prepare(two, 1, 1))
    bob.hears("a lower one is refused", ALICE, accept(one, 1, LUNCH))
    bob.hears("so is its prepare", ALICE, prepare(one, 1, 1))
    bob.hears("accepted at the higher ballot", CAROL, accept(two, 1, LUNCH))
    bob.hears("an accept needs no promise, and raises it", CAROL, accept(four, 2, CAFE))
    bob.hears("a ballot between is refused", ALICE, prepare(three, 2, 2))
    bob.hears("ballot 0 is a ballot", ALICE, accept(ballot(0, ALICE), 3, TAKEN_BACK))
    bob.hears("and is told as one", CAROL, prepare(two, 3, 3))
    bob.hears("after a higher promise it is refused", ALICE, accept(ballot(0, ALICE), 3, TAKEN_BACK))
    bob.hears("rounds are numbers: 10 is above 4", ALICE, prepare(ballot(10, ALICE), 2, 2))
    bob.hears("a range: slot 2 is left out, for 10.alice is promised there", CAROL, prepare(ballot(6, CAROL), 2, None))
    bob.hears_again("repeated: the same answer, and nothing to write")
    bob.hears("what a range covers is refused to a lower ballot", ALICE, prepare(ballot(5, ALICE), 7, 7))
    bob.hears("to a range as well", ALICE, prepare(ballot(5, ALICE), 4, 9))
    bob.hears("of five slots one is refused", CAROL, accept(ballot(6, CAROL), 1, LUNCH, CAFE, TAKEN_BACK, NOOP, CAFE))
    bob.hears_again("repeated: the same answer, and nothing to write")
    bob.hears("a higher range takes the place of the lower one", ALICE, prepare(ballot(12, ALICE), 1, None))
    bob.hears("a run is accepted", ALICE, accept(ballot(12, ALICE), 20, LUNCH, CAFE, TAKEN_BACK, NOOP, BLOCK))
    bob.hears("a range may be promised of a part of it", CAROL, prepare(ballot(14, CAROL), 22, 23))
    bob.hears("and a slot", CAROL, prepare(ballot(15, CAROL), 20, 20))
    bob.hears(
        "the others accepted it before",
        ALICE,
        accept(ballot(12, ALICE), 20, LUNCH, CAFE, TAKEN_BACK, NOOP, BLOCK, CAFE),
    )
    bob.hears("all of it is told, but for what is left out", ALICE, prepare(ballot(13, ALICE), 19, None))
    bob.hears("chosen, told by the ballot alone", CAROL, chosen_at(ballot(6, CAROL), 4, 5))
    bob.hears("chosen, told with the entries", CAROL, chosen(1, LUNCH))
    bob.hears("part of it is known already", ALICE, chosen(3, TAKEN_BACK, NOOP, CAFE))
    bob.hears("chosen, told by a ballot at which nothing was accepted", ALICE, chosen_at(ballot(11, ALICE), 4, 5))
    bob.hears("what is learned is told to any prepare", CAROL, prepare(two, 1, 1))
    bob.hears("and to any accept", CAROL, accept(two, 1, CAFE, CAFE, CAFE))
    bob.hears("a range tells of both", CAROL, prepare(ballot(16, CAROL), 1, 5))
    bob.hears("which slots are learned", ALICE, ask(41, (1, 2), (3, 3)))
    bob.hears("how far the log goes", ALICE, AskHighest(Nonce(42)))
    bob.hears("slots that are too far", ALICE, accept(ballot(12, ALICE), 1 + WINDOW_SLOTS, NOOP, NOOP))
    bob.hears("a round that is too far", ALICE, prepare(ballot(16 + ROUND_LEAP_MAX + 1, ALICE), 6, 6))
    bob.hears("a sign of life is not answered", ALICE, heartbeat(None), commit=44)
    bob.hears("nor is what is said to another store of bob's", ALICE, AskHighest(Nonce(43)), to=LOST)
    bob.hears("or by another store of carol's", CAROL, AskHighest(Nonce(44)), life=LOST)
    bob.starts("bob starts again, with his store: what he heard of alice's commits is known in his memory alone")
    bob.hears("he votes once one of two others has recorded it", ALICE, prepare(ballot(17, ALICE), 6, 6))
    bob.hears("as alice has", ALICE, welcome(bob.nonces[ALICE], Verdict.RECORDED))
    bob.hears("all his promises still hold", ALICE, prepare(ballot(11, ALICE), 6, 6))
    bob.hears("he votes", ALICE, prepare(ballot(17, ALICE), 6, 6))
    bob.hears(
        "and for carol too, but no vote is told to who has not recorded it", CAROL, prepare(ballot(18, CAROL), 6, 6)
    )
    bob.hears("other messages are, with the commit number of the start", CAROL, ask(45, (1, 1)))
    bob.hears("carol says hello with another store", CAROL, hello(51, None), life=LOST)
    bob.hears("and proves it: it lost its disk", CAROL, hello(52, bob.challenges[CAROL]), life=LOST)
    bob.hears("alice says hello with an old copy of her store", ALICE, hello(53, None), commit=40)
    bob.hears("and proves it", ALICE, hello(54, bob.challenges[ALICE]), commit=40)
    bob.hears(
        "in one of its slots another entry at a ballot that was accepted: bob stops",
        CAROL,
        accept(ballot(12, ALICE), 23, NOOP, CAFE),
        life=LOST,
    )
    return bob.steps


def lost_disk() -> list[dict[str, Json]]:
    bob = Conversation()
    bob.starts("bob's new store starts, after another was lost")
    bob.hears("alice asks for a proof", ALICE, welcome(bob.nonces[ALICE], Verdict.UNPROVEN, 61))
    bob.hears("she remembers another store: bob is a learner", ALICE, welcome(bob.nonces[ALICE], Verdict.LOST_DISK))
    bob.hears("carol records it, in vain", CAROL, welcome(bob.nonces[CAROL], Verdict.RECORDED))
    bob.hears("he does not vote", ALICE, prepare(ballot(1, ALICE), 1, 1))
    bob.hears("he learns", ALICE, chosen(1, LUNCH, NOOP))
    bob.hears("and serves", ALICE, ask(62, (1, 3)))
    bob.starts("bob starts again: a learner for ever")
    bob.hears("whatever is recorded", ALICE, welcome(bob.nonces[ALICE], Verdict.RECORDED))
    bob.hears("he does not vote", ALICE, prepare(ballot(1, ALICE), 1, 1))
    return bob.steps
