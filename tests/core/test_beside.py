"""What may leave beside the commit of its turn, and what must wait for it (L3, D1, E1, E2)."""

from __future__ import annotations

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.effects import Effects, SawOutcome, Send
from engine.core.entry import NOOP, Entry, Kind, Stamped, Tweet, encode, kind_of
from engine.core.events.submissions import Submission
from engine.core.ids import Ballot, Slot
from engine.core.messages import Accept, Cause, Chosen, HandOn, Message, Packet, Prepare, Refused, RefusedSpan
from engine.core.run import slots_of
from engine.core.storage import EventState
from engine.core.turn import Commit, Leave, Turn
from tests.core.led import among_all, elected, leading, led, proposed, range_promise, settle, standing
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    MINUTE,
    Stage,
    accepted,
    ballot,
    chosen,
    life_of,
    promise,
    sent,
    told,
    tweet,
)

ONE_BOB, NINE_CAROL = ballot(1, BOB), ballot(9, CAROL)


def accepts(effects: Effects) -> dict[bool, list[Entry]]:
    """What the accepts to bob carry: beside the commit, and after it."""
    return {
        beside: [entry for send in effects.sends if send.to == BOB and send.beside is beside for entry in carried(send)]
        for beside in (True, False)
    }


def carried(send: Send) -> list[Entry]:
    return list(send.message.run.entries) if isinstance(send.message, Accept) else []


def handed_on(*numbers: int) -> HandOn:
    return HandOn(tuple(tweet(BOB, number) for number in numbers), False)


def waiting(stage: Stage, *texts: str) -> list[Entry]:
    """Events that are durably queued, for nobody leads."""
    stage.submit_many(1, *texts)
    assert {row.state for row in stage.store.events.values()} == {EventState.QUEUED}
    return [tweet(ALICE, number, text=text) for number, text in enumerate(texts, start=1)]


# Whose accepts


def test_l3_an_elected_leaders_accepts_leave_beside_whoever_wrote_the_events() -> None:
    stage, _ = leading()
    assert accepts(stage.submit(1, "one")) == {True: [tweet(ALICE, 1, text="one")], False: []}
    assert accepts(stage.hear(BOB, handed_on(1, 2))) == {True: [tweet(BOB, 1), tweet(BOB, 2)], False: []}


def test_l3_what_a_new_leader_found_leaves_beside_and_its_prepare_did_not() -> None:
    """B1: the round is durable before the prepare leaves, so it is before an accept can."""
    stage = elected()
    prepares: list[Send] = []
    while not prepares:
        prepares = [send for send in among_all(stage, 500).sends if isinstance(send.message, Prepare)]
    assert not any(send.beside for send in prepares)
    assert isinstance(prepares[0].message, Prepare)
    number = prepares[0].message.ballot
    assert stage.store.round == number.round
    effects = stage.hear(BOB, range_promise(number, 1, found=[(2, ONE_BOB, tweet(CAROL, 1))]))
    assert [send.beside for send in effects.sends if isinstance(send.message, Accept)] == [True] * 4
    assert len(proposed(effects)) == 2


def test_l3_the_accepts_of_a_synod_wait_for_the_commit_at_a_leader_too() -> None:
    """Their round is durable as well, but the rule is for the range of an elected leader alone."""
    stage, number = leading()
    stage.hear(BOB, handed_on(1))
    refusal = Refused(number, "accept", (RefusedSpan(Slot(1), Slot(1), NINE_CAROL, Cause.SLOT),))
    synod = next(message for peer in (BOB, CAROL) for _, message in sent(stage.hear(peer, refusal), Prepare))
    assert accepts(stage.hear(BOB, promise(synod.ballot, 1))) == {True: [], False: [tweet(BOB, 1)]}


def test_l2_ballot_0_and_synods_wait_for_the_commit() -> None:
    stage = Stage().ready()
    (synod, *_) = [message for _, message in sent(stage.submit(1, "one"), Prepare)]
    effects = stage.hear(BOB, promise(synod.ballot, 1))
    assert accepts(effects) == {True: [], False: [tweet(ALICE, 1, text="one")]}


def test_l3_events_that_are_handed_on_wait_for_the_commit() -> None:
    effects = led(ballot(3, BOB)).submit(1, "one")
    assert [send.beside for send in effects.sends if isinstance(send.message, HandOn)] == [False]


# Whose events (E2)


def test_e2_what_is_durably_queued_waits_for_the_commit_that_says_it_is_proposed() -> None:
    stage = elected()
    own = waiting(stage, "one", "two")
    number, _ = standing(stage)
    effects = stage.hear(BOB, range_promise(number, 1, found=[(1, ONE_BOB, tweet(BOB, 1))]))
    assert accepts(effects) == {True: [tweet(BOB, 1)], False: own}
    assert {row.state for row in stage.store.events.values()} == {EventState.PROPOSED}


def test_e2_what_was_queued_leaves_beside_once_it_is_durable_that_it_is_proposed() -> None:
    """It is said again, or a later one of this site is said for the first time."""
    stage = elected()
    own = waiting(stage, "one", "two")
    number, _ = standing(stage)
    stage.hear(BOB, range_promise(number, 1))
    assert accepts(stage.submit(2, "three")) == {True: [tweet(ALICE, 3, text="three")], False: []}
    again = accepts(stage.wait(stage.settings.timings.retransmit))
    assert again[False] == []
    assert again[True][:2] == own


def test_e2_a_message_with_one_event_that_waits_waits_whole() -> None:
    """Bob's were taken in the same step, after it, and are in flight with it."""
    stage = elected()
    own = waiting(stage, "one")
    number, _ = standing(stage)
    turn: Turn[None] = Turn(stage.replica)
    for message in (range_promise(number, 1), handed_on(1)):
        turn.take(stage.replica.receive(stage.now, Packet(BOB, life_of(BOB), 1, stage.store.life, (message,))))
    assert accepts(Effects(sends=turn.sends)) == {True: [tweet(BOB, 1)], False: own}


def test_e2_who_dies_before_the_commit_says_nothing_of_what_left_beside_it() -> None:
    """No row is on the disk, and nobody was told a number. What comes next has another number (E1)."""
    stage, number = leading()
    body = encode(Stamped(Tweet("one"), 1_000))
    effects = stage.replica.submit(stage.now, Submission(1, (body,), MINUTE, False))
    (gone,) = accepts(effects)[True]
    assert gone.number <= stage.store.number_max, "reserved by an earlier commit"
    again = stage.restarted()
    assert not told(again.start(), SawOutcome)
    again = stage.restarted().ready()
    later, first = standing(again)
    again.hear(BOB, range_promise(later, first, found=[(1, number, gone)]))
    again.submit(1, "two")
    effects = settle(again, later, 1)
    effects.extend(again.wait(4 * again.settings.timings.retransmit))
    (own, *_) = accepts(effects)[True]
    assert (own.number > gone.number, own.follows) == (True, gone.number)
    settle(again, later, 2)
    assert again.store.events[own.number].state is EventState.CREATED


# By rule

ACTS = st.sampled_from(["submit", "submit", "hand on", "take over", "take over", "accept", "depose"])
PASSES = st.lists(st.tuples(st.lists(ACTS, min_size=1, max_size=4), st.booleans()), min_size=1, max_size=6)


class Passes:
    """A site of three, several steps to a commit. It may die after what leaves beside the commit, before that; or with
    what was chosen told, and not committed."""

    def __init__(self) -> None:
        self.stage = elected()
        self.number: Ballot | None = None
        self.bodies: dict[int, str] = {}
        """Of this site's events that left."""
        self.sent: dict[int, Entry] = {}
        self.chosen: dict[int, Entry] = {}
        self._submitted = count(1)
        self._turn: Turn[None] | None = None

    def run(self, acts: list[str], *, dies: bool) -> None:
        if "take over" in acts and not self._leads:
            self.sent.clear()
            if self._turn is not None:
                self._turn = self._turn.next()
                self._turn.settle()
                self._do(self._turn, dies=False)
            self.number, _ = standing(self.stage)
        turn: Turn[None] = Turn(self.stage.replica) if self._turn is None else self._turn.next()
        for act in acts:
            turn.take(self._act(act))
        self._turn = turn
        self._do(turn, dies=dies)

    def _do(self, turn: Turn[None], *, dies: bool) -> None:
        due = self.stage.store.commits + turn.commits
        for item in turn.items():
            match item:
                case Leave(_, messages, _):
                    self._left(messages, beside=self.stage.store.commits < due)
                case Commit() if dies:
                    self._die()
                    return
                case Commit(writes):
                    turn.committed(self.stage.store.commit(writes))
                case _:
                    pass
        if dies:
            self._die()

    def _act(self, act: str) -> Effects:
        replica, now, number = self.stage.replica, self.stage.now, self.number
        if act == "submit":
            token = next(self._submitted)
            body = encode(Stamped(Tweet(f"number {token}"), 1_000))
            return replica.submit(now, Submission(token, (body, body), MINUTE, False))
        if act == "hand on":
            return self._hear(handed_on(1, 2, 3))
        if number is None:
            return Effects()
        if act == "take over":
            return self._hear(range_promise(number, replica.prefix + 1))
        if act == "accept":
            self.chosen.update(self.sent)
            return self._hear(accepted(number, *sorted(self.sent))) if self.sent else Effects()
        higher = ballot(number.round + 1, BOB)
        return self._hear(Refused(number, "accept", (RefusedSpan(Slot(1), None, higher, Cause.RANGE),)))

    def _hear(self, message: Message) -> Effects:
        return self.stage.replica.receive(
            self.stage.now, Packet(BOB, life_of(BOB), 1, self.stage.store.life, (message,))
        )

    @property
    def _leads(self) -> bool:
        return self.stage.replica.view(0).leader == ALICE

    def _left(self, messages: list[Message], *, beside: bool) -> None:
        store = self.stage.store
        for message in messages:
            if beside and isinstance(message, Chosen):
                voted = {**store.voted_at, **store.votes}
                slots = slots_of(message.first, message.last)
                assert {voted[slot].accepted for slot in slots} == {message.ballot}, "this site's vote is durable (D1)"
                continue
            assert isinstance(message, Accept) or not beside, "an elected leader's accepts alone (L3)"
            if not isinstance(message, Accept):
                continue
            assert 1 <= message.ballot.round <= store.round, "its round is durable (B1)"
            self.sent.update(message.run)
            for entry in message.run.entries:
                if entry.author != ALICE:
                    continue
                assert entry.number <= store.number_max, "its number is durably reserved (E1)"
                if kind_of(entry) is Kind.TWEET:
                    assert self.bodies.setdefault(entry.number, entry.body) == entry.body, "one event a number (E1)"
                row = store.events.get(entry.number)
                assert beside or row is not None, "its row is durable (E1)"
                assert row is None or row.state is not EventState.QUEUED, "a start would say `not-created` (E2)"

    def _die(self) -> None:
        """What its next start says of its events is so: what left is not `not-created` (E2)."""
        self._turn = None
        said = told(self.stage.restarted().start(), SawOutcome)
        for saw in said:
            assert saw.id is not None
            numbers = range(saw.id.number, saw.id.number + saw.count)
            assert saw.outcome is not EventState.NOT_CREATED or not self.bodies.keys() & set(numbers)
        self.stage, self.number = self.stage.restarted().vote(), None
        self.sent.clear()
        self.stage.answer_scan(self.stage.tick())
        for slot in range(self.stage.replica.prefix + 1, self.stage.replica.used_max + 1):
            self.stage.hear(CAROL, chosen(slot, self.chosen.get(slot, NOOP)))


@given(PASSES)
@settings(max_examples=100)
def test_e1_e2_whatever_left_and_whenever_the_site_died_it_never_says_that_it_was_nowhere(
    passes: list[tuple[list[str], bool]],
) -> None:
    site = Passes()
    for acts, dies in passes:
        site.run(acts, dies=dies)
