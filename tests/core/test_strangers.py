"""M1, M2: who is in no list above the prefix is served, may tell what is learned, and counts nowhere."""

from __future__ import annotations

from engine.core.effects import RejectedFor, SawRejected
from engine.core.entry import NOOP, AddLearner, Remove
from engine.core.ids import Nonce, SiteId, Slot
from engine.core.messages import Accept, Accepted, Ask, Hello, Known, Packet, Prepare, Promise, Verdict, Welcome
from engine.core.peers.company import STRANGERS_MAX
from engine.core.storage import WritePeer
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    Stage,
    accepted,
    ballot,
    beat,
    chosen,
    life_of,
    prepare,
    promise,
    sent,
    sent_to,
    told,
    tweet,
    written,
)
from tests.core.test_members_change import LAG, change, staged


def hello(stage: Stage, nonce: int, proof: Nonce | None = None) -> Hello:
    return Hello(Nonce(nonce), proof, stage.settings.founders)


def met(site: SiteId = DAVE) -> Stage:
    """A voter of three, and a site of no list that has proved itself to it."""
    stage = Stage(3).ready()
    (challenged,) = sent_to(stage.hear(site, hello(stage, 1)), site, Welcome)
    assert challenged.verdict is Verdict.UNPROVEN
    effects = stage.hear(site, hello(stage, 2, challenged.challenge))
    assert [answer.verdict for answer in sent_to(effects, site, Welcome)] == [Verdict.STRANGER]
    assert written(effects, WritePeer) == [], "nothing of it is remembered"
    return stage


def test_m1_a_stranger_is_served_what_is_learned() -> None:
    stage = met()
    entry = tweet(BOB, 1)
    stage.hear(BOB, chosen(1, entry))
    (known,) = sent_to(stage.hear(DAVE, Ask(Nonce(3), ((Slot(1), Slot(1)),))), DAVE, Known)
    assert [*known.carried()] == [entry]


def test_m1_what_a_stranger_has_learned_is_believed() -> None:
    stage = met()
    entry = tweet(BOB, 1)
    stage.hear(DAVE, chosen(1, entry))
    assert stage.replica.learned(Slot(1)) == entry


def test_m2_a_stranger_proposes_nothing_and_its_votes_are_not_taken() -> None:
    stage = met()
    for message in (prepare(ballot(1, DAVE), 1), accepted(ballot(1, ALICE), 1), promise(ballot(1, ALICE), 1)):
        effects = stage.hear(DAVE, message)
        assert told(effects, SawRejected) == [SawRejected(RejectedFor.STRANGER, DAVE)], message
        assert (sent(effects, Promise), sent(effects, Accepted), effects.writes) == ([], [], [])
    assert told(stage.hear(BOB, prepare(ballot(1, BOB), 1)), SawRejected) == []


def test_m2_a_stranger_counts_in_no_quorum_whatever_it_says_of_itself() -> None:
    stage = met()
    stage.hear(DAVE, beat(voting=True))
    assert stage.replica.view(0).quorum.reachable == 1
    asked, *_ = [message for _, message in sent(stage.submit(1), Prepare)]
    for _ in range(2):
        effects = stage.hear(DAVE, Promise(asked.ballot, asked.first, asked.last, (), (), ()))
        assert sent(effects, Accept) == []
    effects = stage.hear(BOB, Promise(asked.ballot, asked.first, asked.last, (), (), ()))
    assert {site for site, _ in sent(effects, Accept)} == {BOB, CAROL}, "a majority; nobody else is asked"


def test_r6_of_a_bounded_number_of_strangers_anything_is_kept() -> None:
    stage = Stage(3).vote()
    names = [SiteId(f"site-{number}") for number in range(STRANGERS_MAX + 1)]
    answered = [
        bool(sent_to(stage.hear_packet(Packet(name, life_of(CAROL), 1, None, (hello(stage, 1),))), name, Welcome))
        for name in names
    ]
    assert answered == [True] * STRANGERS_MAX + [False]
    assert sent_to(stage.hear(BOB, hello(stage, 5)), BOB, Welcome), "a peer has its place"


def test_r6_who_was_in_the_lists_and_left_takes_no_room_of_strangers() -> None:
    stage = staged().vote()
    slot = 1
    for number in range(STRANGERS_MAX + 1):
        site = SiteId(f"site-{number}")
        for operation in (AddLearner(site, f"{site}:1"), Remove(site)):
            stage.hear(BOB, chosen(slot, change(BOB, slot, operation, max(0, slot - LAG)), *(NOOP,) * (LAG - 1)))
            slot += LAG
    assert [each.names for each in stage.replica.members()] == [stage.settings.sites]
    assert sent_to(stage.hear(DAVE, hello(stage, 1)), DAVE, Welcome)
