"""Golden lines: what the trace, the logs and the scenarios say of each message and each conclusion.

A line reads `type slot ballot | note`, with `-` where there is none.
"""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from msgspec.structs import replace

from engine.core.effects import (
    FillResult,
    Observation,
    RecoveryPhase,
    RejectedFor,
    SawApplied,
    SawAttempt,
    SawBiography,
    SawFilled,
    SawHanded,
    SawHoles,
    SawLearned,
    SawMembers,
    SawNumbered,
    SawOutcome,
    SawPeer,
    SawProof,
    SawReadConfirmed,
    SawReadUnconfirmed,
    SawRecovery,
    SawRejected,
    SawRemoved,
    SawStanding,
)
from engine.core.entry import NOOP, Block, Entry, Kind, Operation, Stamped, Unblock, Withdrawal, encode
from engine.core.explained import describe
from engine.core.explained.biography import Answer, tell
from engine.core.ids import EventId, Nonce, SiteId, Slot, Tick
from engine.core.messages import (
    Ask,
    AskHighest,
    AskSlot,
    Cause,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    How,
    Known,
    Message,
    Phase,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.roster import Member, Removed, roster
from engine.core.said import Role
from engine.core.settings import Leadership
from engine.core.storage import EventState
from engine.core.views import AttemptPhase
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    SITES,
    accept,
    accepted,
    accepted_run,
    already_chosen,
    ballot,
    beat,
    chosen,
    chosen_at,
    prepare,
    promise,
    run,
    tweet,
)
from tests.strategies import messages

FOUR = roster(Slot(9), (*(Member(site, votes=True) for site in SITES[:3]), Member(SITES[3], votes=False)))

LUNCH = tweet(ALICE, 17, text="lunch at noon?")
TWO = ballot(2, ALICE)


def made(author: SiteId, number: int, operation: Operation) -> Entry:
    return Entry(author, number, number - 1, encode(Stamped(operation, 5)))


def shown(line: describe.Line | None) -> str:
    if line is None:
        return "nothing"
    return f"{line.type} {line.slot or '-'} {line.ballot or '-'} | {line.note}"


def unused(slot: int) -> SlotState:
    return SlotState(Nonce(1), Slot(slot), True, None, None, None, None, False, None, ())


def refused(ballot_held: bool, cause: Cause, phase: Phase = "prepare") -> Refused:
    held = ballot(3, CAROL) if ballot_held else None
    last = None if cause is Cause.RANGE else Slot(43)
    return Refused(TWO, phase, (RefusedSpan(Slot(43), last, held, cause),))


MESSAGES: list[tuple[Message, str]] = [
    (prepare(TWO, 43), "prepare 43 2.alice | asks for a promise"),
    (Prepare(TWO, Slot(43), Slot(50)), "prepare 43 2.alice | asks for a promise of 43-50"),
    (Prepare(TWO, Slot(43), None), "prepare 43 2.alice | asks for a promise of 43 and all after"),
    (promise(TWO, 43), "promise 43 2.alice | promised, nothing accepted before"),
    (
        promise(TWO, 43, (ballot(0, BOB), LUNCH)),
        "promise 43 2.alice | promised, accepted at 0.bob before: alice/17 tweet lunch at noon?",
    ),
    (already_chosen(TWO, 43, NOOP), "promise 43 2.alice | already chosen: no-op"),
    (
        Promise(TWO, Slot(43), None, (), (), (RefusedSpan(Slot(44), Slot(44), ballot(3, BOB), Cause.SLOT),)),
        "promise 43 2.alice | promised 43 and all after except 44, where it promised 3.bob, nothing accepted before",
    ),
    (
        Promise(TWO, Slot(43), Slot(49), (accepted_run(44, ballot(1, BOB), NOOP, NOOP, NOOP),), (), ()),
        "promise 43 2.alice | promised 43-49, accepted at 1.bob before: no-op (and 2 more)",
    ),
    (
        Promise(
            TWO,
            Slot(43),
            None,
            (accepted_run(46, ballot(1, BOB), LUNCH),),
            (run(45, NOOP),),
            (RefusedSpan(Slot(44), Slot(44), ballot(3, BOB), Cause.SLOT),) * 2,
        ),
        "promise 43 2.alice | promised 43 and all after except 44, where it promised 3.bob (and 1 more), "
        "already chosen: no-op, accepted at 1.bob before: alice/17 tweet lunch at noon?",
    ),
    (accept(ballot(0, ALICE), 43, NOOP), "accept 43 0.alice | asks to accept without a prepare (L2): no-op"),
    (accept(TWO, 43, LUNCH), "accept 43 2.alice | asks to accept: alice/17 tweet lunch at noon?"),
    (
        accept(TWO, 43, made(BOB, 4, Block(CAROL)), NOOP),
        "accept 43 2.alice | asks to accept: bob/4 block carol (and 1 more)",
    ),
    (accepted(TWO, 43), "accepted 43 2.alice | nothing higher was promised"),
    (accepted(TWO, 43, 44), "accepted 43 2.alice | 2 slots, nothing higher was promised"),
    (refused(True, Cause.SLOT), "refused 43 2.alice | refused prepare 2.alice: promised 3.carol"),
    (
        refused(True, Cause.RANGE, "accept"),
        "refused 43 2.alice | refused accept 2.alice: promised 3.carol for 43 and all after",
    ),
    (
        Refused(TWO, "accept", tuple(RefusedSpan(Slot(s), Slot(s), ballot(4, BOB), Cause.SLOT) for s in (43, 44))),
        "refused 43 2.alice | refused accept 2.alice: promised 4.bob (and 1 more)",
    ),
    (refused(False, Cause.NOT_VOTING), "refused 43 2.alice | refused prepare 2.alice: does not vote (D5)"),
    (
        refused(False, Cause.FAR),
        "refused 43 2.alice | refused prepare 2.alice: too far ahead of what is known here (R6)",
    ),
    (
        chosen(43, made(BOB, 5, Unblock(CAROL)), at=TWO),
        "chosen 43 2.alice | a majority accepted it: bob/5 unblock carol",
    ),
    (chosen(43, NOOP), "chosen 43 - | learned here: no-op"),
    (
        chosen_at(TWO, 43),
        "chosen 43 2.alice | the entry of ballot 2.alice is chosen: a site that accepted it already has it (R0)",
    ),
    (Ask(Nonce(1), ((Slot(3), Slot(3)), (Slot(7), Slot(9)))), "ask 3 - | are they chosen? 3, 7-9"),
    (
        Ask(Nonce(1), tuple((Slot(slot), Slot(slot)) for slot in range(1, 20, 2))),
        "ask 1 - | are they chosen? 1, 3, 5, 7, 9, 11, 13, 15 and 2 more",
    ),
    (Known(Nonce(1), Slot(3), Slot(3), ()), "known 3 - | 3: not learned here"),
    (
        Known(Nonce(1), Slot(3), Slot(9), (run(3, made(ALICE, 6, Withdrawal())),)),
        "known 3 - | learned here: alice/6 withdrawal",
    ),
    (AskHighest(Nonce(1)), "ask-highest - - | how far does the log go?"),
    (Highest(Nonce(1), Slot(43), Slot(40)), "highest 43 - | used up to 43, learned without a gap up to 40"),
    (Highest(Nonce(1), Slot(0), Slot(0)), "highest - - | used up to 0, learned without a gap up to 0"),
    (Hello(Nonce(1), None, "0" * 16), "hello - - | do you remember this store?"),
    (Hello(Nonce(1), Nonce(2), "0" * 16), "hello - - | the proof you asked for"),
    (Welcome(Nonce(1), Verdict.UNPROVEN, Nonce(2), ""), "welcome - - | who are you? repeat this challenge"),
    (Welcome(Nonce(1), Verdict.RECORDED, None, ""), "welcome - - | recorded"),
    (Welcome(Nonce(1), Verdict.LOST_DISK, None, "its disk was lost"), "welcome - - | lost disk: its disk was lost"),
    (beat(used_max=43, prefix=40), "heartbeat - - | none, voter, learned to 40, used to 43"),
    (beat(voting=False), "heartbeat - - | none, not a voter, learned to 0, used to 0"),
    (
        Heartbeat(Leadership.ELECTED, True, Slot(0), Slot(0), Tick(0), None, 0, Tick(500), TWO, True, None),
        "heartbeat - 2.alice | elected, voter, learned to 0, used to 0, leads with 2.alice",
    ),
    (
        Heartbeat(Leadership.ELECTED, True, Slot(0), Slot(0), Tick(0), None, 0, Tick(500), None, False, TWO),
        "heartbeat - - | elected, voter, learned to 0, used to 0, hears alice lead with 2.alice",
    ),
    (AskSlot(Nonce(1), Slot(43)), "ask-slot 43 - | what happened there, as far as you know?"),
    (unused(43), "slot-state 43 - | nothing promised, nothing accepted"),
    (replace(unused(43), promised=TWO), "slot-state 43 2.alice | promised, nothing accepted"),
    (
        replace(unused(43), promised=TWO, accepted=ballot(1, BOB), digest=NOOP.digest, entry=NOOP),
        "slot-state 43 1.bob | accepted: no-op",
    ),
    (
        replace(unused(43), promised=TWO, accepted=TWO, digest=LUNCH.digest, entry=LUNCH, learned=True),
        "slot-state 43 2.alice | learned: alice/17 tweet lunch at noon?",
    ),
    (HandOn((LUNCH,), relayed=False), "hand-on - - | asks the leader to propose: alice/17 tweet lunch at noon?"),
    (
        HandOn((LUNCH, LUNCH), relayed=True),
        "hand-on - - | passes on, for the leader to propose: alice/17 tweet lunch at noon? (and 1 more)",
    ),
]

ID = EventId(ALICE, 17)

OBSERVATIONS: list[tuple[Observation, str]] = [
    (
        SawLearned(run(43, LUNCH), How.VOTES, TWO, ALICE, frozenset({CAROL, BOB, ALICE})),
        "chosen 43 2.alice | alice, bob and carol accepted it: alice/17 tweet lunch at noon?",
    ),
    (SawLearned(run(43, NOOP), How.CHOSEN, TWO, BOB), "chosen 43 2.alice | bob counted a majority: no-op"),
    (SawLearned(run(43, NOOP), How.CHOSEN, None, BOB), "chosen 43 - | bob had learned it: no-op"),
    (SawLearned(run(43, NOOP), How.KNOWN, None, BOB), "chosen 43 - | bob had learned it: no-op"),
    (SawApplied(run(43, LUNCH), ()), "nothing"),
    (
        SawApplied(run(43, LUNCH), (Slot(43),)),
        "void 43 - | alice/17 tweet lunch at noon? follows number 16, which is not its author's last in effect (E5)",
    ),
    (SawNumbered(1, ID), "nothing"),
    (
        SawOutcome(1, ID, EventState.CREATED, Slot(43), None, None, None),
        "created 43 - | alice/17: learned here, and every slot before it",
    ),
    (SawOutcome(1, ID, EventState.LOST, Slot(43), None, BOB, Kind.BLOCK), "lost 43 - | alice/17 lost to bob's block"),
    (SawOutcome(1, ID, EventState.LOST, Slot(43), None, None, Kind.NOOP), "lost 43 - | alice/17 lost to a no-op"),
    (
        SawOutcome(1, None, EventState.NOT_CREATED, None, "no quorum: 2 of 5 reachable, 3 needed", None, None),
        "not-created - - | an event: no quorum: 2 of 5 reachable, 3 needed",
    ),
    (
        SawOutcome(1, ID, EventState.UNKNOWN, Slot(43), "given up", None, None),
        "unknown 43 - | alice/17: given up",
    ),
    (
        SawAttempt(Slot(43), AttemptPhase.PREPARING, TWO, "asks for promises of 2.alice"),
        "preparing 43 2.alice | asks for promises of 2.alice",
    ),
    (SawAttempt(Slot(43), AttemptPhase.WAITING, None, "refused", Tick(9)), "waiting 43 - | refused"),
    (SawAttempt(Slot(43), AttemptPhase.ENDED, None, "slot 43 is learned"), "nothing"),
    (SawHoles((Slot(3), Slot(5)), 2), "hole 3 - | used, not learned here: asks the others about 3, 5"),
    (
        SawHoles(tuple(Slot(slot) for slot in range(1, 11)), 30),
        "hole 1 - | used, not learned here: asks the others about 1, 2, 3, 4, 5, 6, 7, 8 and 22 more",
    ),
    (SawHanded(ID, 1, ballot(2, BOB), BOB), "hand-on - 2.bob | alice/17 handed to bob, who leads"),
    (
        SawBiography(1, tell(Slot(43), ALICE, SITES[:3], SITES[:3], {ALICE: Answer(unused(43), Tick(0))})),
        "nothing",
    ),
    (
        SawHanded(ID, 3, ballot(2, BOB), CAROL),
        "hand-on - 2.bob | alice/17 and 2 more handed to carol, who hears bob lead",
    ),
    (
        SawFilled(Slot(3), FillResult.RECOVERED, Kind.TWEET),
        "filled 3 - | recovered: the entry that was accepted there is now chosen (tweet)",
    ),
    (SawFilled(Slot(3), FillResult.NOOP, Kind.NOOP), "filled 3 - | no-op: no entry was found there"),
    (
        SawFilled(Slot(3), FillResult.NO_QUORUM, None),
        "filled 3 - | no-quorum: no majority answered; it will be tried again",
    ),
    (SawRecovery(RecoveryPhase.SCANNING, None, Slot(0), None), "recovery - - | asks a majority how far the log goes"),
    (
        SawRecovery(RecoveryPhase.COPYING, Slot(43), Slot(2), BOB),
        "recovery 43 - | copies from bob: has 2, the log goes to 43",
    ),
    (SawRecovery(RecoveryPhase.DONE, Slot(43), Slot(43), None), "recovery 43 - | done: everything up to 43 is learned"),
    (
        SawReadConfirmed(1, Slot(43), Tick(5_000), Tick(12), (ALICE, BOB)),
        "fresh 43 - | alice and bob confirm: everything chosen up to 12 ms ago is here, up to slot 43",
    ),
    (
        SawReadUnconfirmed(1, None, "2 of 5 answered, 3 needed", 2, None),
        "fresh - - | not confirmed: 2 of 5 answered, 3 needed",
    ),
    (SawRecovery(RecoveryPhase.DONE, Slot(0), Slot(0), None), "recovery - - | done: a majority knows of no used slot"),
    (SawStanding(True, "voter"), "voter - - | enough other sites know this store (D5)"),
    (SawStanding(False, "lost-disk: bob says so"), "learner - - | lost-disk: bob says so"),
    (SawMembers((FOUR,)), "members 9 - | from slot 9 on alice, bob and carol vote, 2 needed, dave learns"),
    (
        SawRemoved(Removed(Slot(5), Slot(9), needed=True)),
        "removed 5 - | slot 5 removed this site: it does not vote from slot 9 on; the others still need it for earlier"
        " slots",
    ),
    (
        SawRemoved(Removed(Slot(5), Slot(9), needed=False)),
        "removed 5 - | slot 5 removed this site: it does not vote from slot 9 on; nobody needs it any more",
    ),
    (SawPeer(BOB, up=True), "peer - - | bob is heard"),
    (SawPeer(BOB, up=False), "peer - - | bob was silent for too long"),
    (SawProof(BOB), "nothing"),
    (SawRejected(RejectedFor.OTHER_LIFE, BOB), "rejected - - | other-life from bob"),
]


@pytest.mark.parametrize(("value", "line"), MESSAGES, ids=[line for _, line in MESSAGES])
def test_messages(value: Message, line: str) -> None:
    assert shown(describe.message(value)) == line
    assert value.word() == line.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    ("value", "line"), OBSERVATIONS, ids=[f"{n} {line}" for n, (_, line) in enumerate(OBSERVATIONS)]
)
def test_observations(value: Observation, line: str) -> None:
    assert shown(describe.observation(value)) == line


def test_every_kind_of_message_and_observation_is_among_them() -> None:
    assert {type(value) for value, _ in MESSAGES} == set(get_args(Message))
    assert {type(value) for value, _ in OBSERVATIONS} == set(get_args(Observation))


def test_every_message_says_what_it_is_between_two_sites() -> None:
    """Else there is no reason to give where a fault rule takes it."""
    assert {kind.role for kind in get_args(Message)} == set(Role)


@given(messages)
def test_whatever_the_wire_lets_through_has_a_line(message: Message) -> None:
    line = describe.message(message)
    assert line.type == message.word()
