"""A turn: what leaves beside a commit, what waits for it, and that nothing leaves once a rule is broken (D1, L3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.effects import Effects, Observation, Send
from engine.core.entry import Stamped, Tweet, encode
from engine.core.events.submissions import Submission
from engine.core.ids import Nonce, Round, SiteId
from engine.core.messages import Accept, Accepted, Chosen, HandOn, Hello, Message, Packet, Promise
from engine.core.storage import EventState, WriteRound
from engine.core.turn import Commit, End, Item, Leave, Tell, Turn
from tests.core.led import leading, outcomes
from tests.core.stage import (
    BOB,
    CAROL,
    MINUTE,
    Stage,
    accept,
    accepted,
    ballot,
    chosen,
    life_of,
    prepare,
    tweet,
)

SEVEN_BOB = ballot(7, BOB)


def submitted(stage: Stage, token: int, *texts: str) -> Effects:
    """Steps of this kind are taken into a turn: nothing is committed yet."""
    bodies = tuple(encode(Stamped(Tweet(text), 1_000)) for text in texts)
    return stage.replica.submit(stage.now, Submission(token, bodies, MINUTE, False))


def heard(stage: Stage, *messages: Message) -> Effects:
    return stage.replica.receive(stage.now, Packet(BOB, life_of(BOB), 1, stage.store.life, messages))


def handed_on(*numbers: int) -> HandOn:
    return HandOn(tuple(tweet(BOB, number) for number in numbers), False)


def turn_of(stage: Stage, *steps: Effects) -> Turn[None]:
    turn: Turn[None] = Turn(stage.replica)
    for step in steps:
        turn.take(step)
    return turn


def done(stage: Stage, turn: Turn[None]) -> Iterator[Item[None]]:
    """Each item, performed before the next one is asked for."""
    for item in turn.items():
        yield item
        if isinstance(item, Commit):
            turn.committed(stage.store.commit(item.writes))


def halves(stage: Stage, turn: Turn[None]) -> tuple[list[Message], list[Message], list[Observation]]:
    """What leaves before the one commit, what leaves after it, and what is told, last."""
    items = list(done(stage, turn))
    (commit,) = [at for at, item in enumerate(items) if isinstance(item, Commit)]
    assert isinstance(items[-1], Tell)
    parts = [
        [message for item in part if isinstance(item, Leave) for message in item.messages]
        for part in (items[:commit], items[commit + 1 :])
    ]
    return parts[0], parts[1], items[-1].observations


def test_l3_a_leaders_accepts_leave_before_the_commit_of_its_own_vote() -> None:
    stage, number = leading()
    turn = turn_of(stage, submitted(stage, 1, "one", "two"))
    first = next(items := done(stage, turn))
    assert isinstance(first, Leave)
    assert not stage.store.votes, "its own vote is not durable yet"
    rest = list(items)
    assert [type(item) for item in rest] == [Leave, Commit, Tell], "to carol, too"
    assert {slot for slot, vote in stage.store.votes.items() if vote.accepted == number} == {1, 2}


def test_l3_nothing_else_leaves_before_the_commit_and_nothing_is_told() -> None:
    """A promise, an acceptance, answers about what is learned, a choice: all of one pass with the accepts."""
    stage, number = leading(5)
    stage.hear(BOB, handed_on(1))
    stage.hear(BOB, accepted(number, 1))
    turn = turn_of(
        stage,
        heard(stage, prepare(SEVEN_BOB, 40), accept(SEVEN_BOB, 41, tweet(CAROL, 1))),
        heard(stage, handed_on(2, 3)),
        stage.replica.receive(stage.now, Packet(CAROL, life_of(CAROL), 1, stage.store.life, (accepted(number, 1),))),
        submitted(stage, 1, "one"),
    )
    beside, after, seen = halves(stage, turn)
    assert {type(message) for message in beside} == {Accept}
    assert {message.ballot for message in beside if isinstance(message, Accept)} == {number}
    assert {slot for message in beside if isinstance(message, Accept) for slot, _ in message.run} == {2, 3, 4}
    assert {Promise, Accepted, Chosen} <= {type(message) for message in after}
    assert not [message for message in after if isinstance(message, Accept) and message.ballot == number]
    assert seen


def test_l3_outcomes_wait_for_the_commit_that_holds_what_they_say() -> None:
    stage, number = leading()
    stage.submit(1, "one")
    turn = turn_of(stage, heard(stage, accepted(number, 1)), submitted(stage, 2, "two"))
    items = list(done(stage, turn))
    kinds = [type(item) for item in items]
    assert kinds.index(Leave) < kinds.index(Commit) < kinds.index(Tell) == len(kinds) - 1
    (tell,) = [item for item in items if isinstance(item, Tell)]
    assert outcomes(Effects(observations=tell.observations)) == [(1, EventState.CREATED, 1)]


def test_d1_what_is_chosen_is_told_at_once_and_is_in_the_next_commit() -> None:
    """A majority has the votes on its disks. What rests on this disk alone waits for it, and takes the rest along."""
    stage, number = leading()
    stage.submit(1, "one")
    stage.hear(BOB, handed_on(1))
    turn = turn_of(stage, heard(stage, accepted(number, 1, 2)))
    items = list(done(stage, turn))
    assert [type(item) for item in items] == [Tell, Leave], "who waits here, then bob, who waits too"
    assert isinstance(items[0], Tell)
    assert outcomes(Effects(observations=items[0].observations)) == [(1, EventState.CREATED, 1)]
    assert not stage.store.log, "not on its own disk"
    assert turn.next().owes
    turn = turn.next()
    turn.take(heard(stage, prepare(SEVEN_BOB, 40)))
    items = list(done(stage, turn))
    assert [type(item) for item in items] == [Commit, Leave, Tell]
    assert stage.store.prefix == 2
    assert stage.store.events[1].state is EventState.CREATED


def test_d1_who_does_not_wait_is_told_what_was_chosen_with_what_leaves_next() -> None:
    """Beside the next accepts, since it is durable by then; or when the time has come."""
    stage, number = leading()
    stage.submit(1, "one")
    turn = turn_of(stage, heard(stage, accepted(number, 1)))
    assert [type(item) for item in done(stage, turn)] == [Tell]
    assert turn.owed_by(None, 7) == 7
    turn = turn.next()
    turn.take(heard(stage, prepare(SEVEN_BOB, 40)))
    _, leave, _ = done(stage, turn)
    assert isinstance(leave, Leave)
    assert leave.to == BOB
    assert [type(message) for message in leave.messages] == [Chosen, Promise]
    assert turn.owed_by(7, 9) == 7, "carol is not told yet"
    turn = turn.next()
    turn.take(submitted(stage, 2, "two"))
    before, _, _ = halves(stage, turn)
    assert [type(message) for message in before] == [Chosen, Accept, Accept], "to carol, and bob"
    assert turn.owed_by(7, 9) is None
    stage.submit(3, "three")
    turn = turn_of(stage, heard(stage, accepted(number, 2)))
    assert [type(item) for item in done(stage, turn)] == [Tell]
    turn = turn.next()
    turn.settle()
    assert [item.to for item in done(stage, turn) if isinstance(item, Leave)] == [BOB, CAROL]


def test_d1_a_turn_that_is_told_to_settle_commits_first() -> None:
    stage, number = leading()
    stage.submit(1, "one")
    turn = turn_of(stage, heard(stage, accepted(number, 1)))
    turn.settle()
    assert [type(item) for item in done(stage, turn)] == [Commit, Leave, Leave, Tell], "and both are told"
    nothing = turn.next()
    nothing.settle()
    assert not list(done(stage, nothing)), "nothing is owed"


def test_e2_what_is_lost_is_durable_before_it_is_told() -> None:
    """No other disk says so."""
    stage = Stage().ready()
    stage.submit(1, "one")
    turn = turn_of(stage, heard(stage, chosen(1, tweet(BOB, 1))))
    *_, commit, tell = done(stage, turn)
    assert isinstance(commit, Commit)
    assert isinstance(tell, Tell)
    assert outcomes(Effects(observations=tell.observations)) == [(1, EventState.LOST, 1)]


def test_a2_r1_once_a_rule_is_broken_nothing_leaves_and_nothing_is_told() -> None:
    """Not even what a step before that had beside the commit: this site or a peer is broken."""
    stage, number = leading()
    stage.hear(BOB, handed_on(1))
    stage.hear(BOB, accepted(number, 1))
    before = submitted(stage, 1, "one")
    assert any(send.beside for send in before.sends)
    turn = turn_of(stage, before, heard(stage, chosen(1, tweet(CAROL, 1))))
    assert turn.ends
    assert [type(item) for item in done(stage, turn)] == [Commit, End]
    assert [write.rule for write in stage.store.evidence] == ["R1"]


@given(st.lists(st.tuples(st.sampled_from([BOB, CAROL]), st.booleans()), max_size=12), st.booleans())
def test_a1_whatever_was_said_leaves_once_and_to_each_in_its_order(
    said: list[tuple[SiteId, bool]], writes: bool
) -> None:
    """What is beside the commit, and what waits for it: one packet to each peer, before and after."""
    stage = Stage()
    sends = [Send(to, prepare(SEVEN_BOB, slot), beside) for slot, (to, beside) in enumerate(said, start=1)]
    turn = turn_of(stage, Effects(writes=[WriteRound(Round(7))] if writes else [], sends=sends, claims=writes))
    left: list[list[Leave[None]]] = [[], []]
    for item in done(stage, turn):
        if isinstance(item, Leave):
            left[stage.store.commits].append(item)
    before, after = left if writes else (list[Leave[None]](), left[0])
    for leaves, due in (
        (before, [send for send in sends if send.beside and writes]),
        (after, [send for send in sends if not (send.beside and writes)]),
    ):
        assert [item.to for item in leaves] == list(dict.fromkeys(send.to for send in due))
        for item in leaves:
            assert item.messages == [send.message for send in due if send.to == item.to]


def test_d1_d2_nothing_is_handed_out_after_a_commit_that_is_not_reported() -> None:
    turn: Turn[None] = Turn(Stage().replica, Effects([WriteRound(Round(1))], [Send(BOB, an_acceptance())], claims=True))
    items = turn.items()
    assert isinstance(next(items), Commit)
    with pytest.raises(AssertionError, match="D1"):
        next(items)


def test_w1_a_greeting_leaves_alone_and_first() -> None:
    """It addresses another life than the rest may (D5)."""
    hello = Hello(Nonce(5), None, "0" * 16)
    items = [*Turn[None](Stage().replica, Effects(sends=[Send(BOB, an_acceptance()), Send(BOB, hello)])).items()]
    assert items[:-1] == [Leave(BOB, [hello], None), Leave(BOB, [an_acceptance()], None)]


def an_acceptance() -> Message:
    return accepted(SEVEN_BOB, 7)
