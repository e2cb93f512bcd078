"""Sites come and go by entries of the log: what one site does by them (M1 to M6, and D5, R4, R5 with lists)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.core.effects import Effects, SawMembers, SawOutcome, SawReadConfirmed, SawRejected, SawRemoved
from engine.core.entry import (
    NOOP,
    Add,
    AddLearner,
    Entry,
    Membership,
    Move,
    Promote,
    Readmit,
    Remove,
    Stamped,
    decode,
    encode,
)
from engine.core.ids import Ballot, Nonce, SiteId, Slot, StoreId
from engine.core.log.members import Members
from engine.core.log.microblog import Applied, Microblog
from engine.core.messages import (
    Accepted,
    AskHighest,
    Chosen,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Packet,
    Prepare,
    Promise,
    Verdict,
    Welcome,
)
from engine.core.roster import Member, Removed
from engine.core.run import Run
from engine.core.settings import Leadership, Settings
from engine.core.storage import EventState, Standing, WriteEvents
from tests.core.memory_store import MemoryStore
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    MINUTE,
    SITES,
    Stage,
    accept,
    accepted,
    ballot,
    beat,
    chosen,
    life_of,
    new_store,
    prepare,
    promise,
    run,
    sent,
    sent_to,
    told,
    tweet,
    written,
)

DAVE = SITES[3]
LAG = 4
NEW, OTHER = StoreId("2" * 16), StoreId("3" * 16)
NOBODY = SiteId("mallory")


def change(author: SiteId, number: int, operation: Membership, follows: int | None = None) -> Entry:
    body = encode(Stamped(operation, 5))
    return Entry(author, number, number - 1 if follows is None else follows, body)


def members(*changes: tuple[int, Membership]) -> Members:
    made = Members(SITES[:3], LAG)
    for slot, operation in changes:
        assert made.apply(Slot(slot), operation) is None
    return made


def staged(site: SiteId = ALICE, store: MemoryStore | None = None, founders: int = 3) -> Stage:
    return Stage(store=store, settings=Settings(site, SITES[:founders], Leadership.NONE, change_lag=LAG))


# The lists


def test_m1_who_is_added_learns_and_who_is_promoted_votes() -> None:
    made = members((1, Add(DAVE, "dave:7001")))
    assert made.newest.first == 5
    assert made.newest.of(DAVE) == Member(DAVE, votes=False, address="dave:7001", wanted_since=Slot(1))
    assert (made.newest.sites, made.newest.quorum) == ((ALICE, BOB, CAROL), 2)
    assert made.apply(Slot(5), Promote(DAVE, NEW)) is None
    assert made.newest.of(DAVE) == Member(DAVE, votes=True, life=NEW, address="dave:7001")
    assert (made.newest.sites, made.newest.quorum) == (SITES[:4], 3)
    assert [made.counts(Slot(slot), DAVE, NEW) for slot in (8, 9)] == [False, True]
    assert not made.counts(Slot(9), DAVE, OTHER)
    assert made.of(DAVE, NEW) == (9, None)


def test_m5_who_is_removed_votes_with_no_store_and_may_come_back_with_any() -> None:
    made = members((1, Remove(CAROL)))
    assert (made.newest.names, made.newest.quorum) == ((ALICE, BOB), 2)
    assert [made.counts(Slot(slot), CAROL, NEW) for slot in (4, 5)] == [True, False]
    assert (made.removed_at(CAROL), made.of(CAROL, NEW)) == (1, (1, 4))
    assert made.apply(Slot(5), AddLearner(CAROL, "carol:7001")) is None
    assert made.removed_at(CAROL) is None
    assert made.apply(Slot(9), Promote(CAROL, NEW)) is None
    assert (made.of(CAROL, NEW), made.of(CAROL, OTHER)) == ((13, None), (1, 4))


def test_m1_an_address_is_what_the_log_says() -> None:
    made = members((1, Move(BOB, "bob:7009")))
    assert made.newest.of(BOB) == Member(BOB, votes=True, address="bob:7009")
    assert made.newest.sites == SITES[:3]


@pytest.mark.parametrize(
    ("operation", "told_why"),
    [
        (Add(BOB, "bob:1"), "there is already a site bob"),
        (AddLearner(DAVE, "dave:1"), "there is already a site dave"),
        (Promote(BOB, NEW), "bob already votes"),
        (Promote(NOBODY, NEW), "there is no site mallory"),
        (Remove(NOBODY), "there is no site mallory"),
        (Move(NOBODY, "x:1"), "there is no site mallory"),
        (Readmit(DAVE, NEW), "dave is a learner, not a voter that lost its disk: promote it instead"),
    ],
)
def test_m3_what_does_not_fit_the_list_is_void(operation: Membership, told_why: str) -> None:
    made = members((1, Add(DAVE, "dave:1")))
    assert made.apply(Slot(4), Remove(BOB)) == "the change before it takes effect only at slot 5"
    assert made.apply(Slot(5), operation) == told_why
    assert made.newest.first == 5


def test_m3_nine_vote_nine_learn_and_one_is_left_at_least() -> None:
    nine = tuple(SiteId(f"s{number}") for number in range(1, 10))
    made, slot = Members(nine, 1), 0
    for number in range(9):
        slot += 1
        assert made.apply(Slot(slot), AddLearner(SiteId(f"l{number}"), "l:1")) is None
    assert made.after(Slot(slot + 1), AddLearner(DAVE, "d:1")) == "there are already 9 learners"
    assert made.after(Slot(slot + 1), Promote(SiteId("l0"), NEW)) == "there are already 9 voters"
    for site in nine[1:]:
        slot += 1
        assert made.apply(Slot(slot), Remove(site)) is None
    assert made.after(Slot(slot + 1), Remove(nine[0])) == "s1 is the only voter"


def applied(made: Members, *entries: Entry) -> Applied:
    return Microblog({}, {}, made).apply(Run(Slot(1), entries))


def test_m5_what_a_site_wrote_takes_effect_where_it_votes_alone() -> None:
    did = applied(
        Members(SITES[:3], LAG),
        change(ALICE, 1, Remove(CAROL)),
        tweet(CAROL, 1),
        NOOP,
        tweet(CAROL, 2),
        tweet(CAROL, 3),
        tweet(BOB, 1),
    )
    assert did.void == (5,)
    assert did.numbers == {ALICE: 1, CAROL: 2, BOB: 1}


def test_m6_a_name_that_voted_before_goes_on_above_and_a_new_one_begins_at_1() -> None:
    made = Members(SITES[:3], 1)
    did = applied(
        made,
        tweet(CAROL, 1),
        change(ALICE, 1, Remove(CAROL)),
        change(ALICE, 2, AddLearner(CAROL, "carol:1")),
        change(ALICE, 3, Promote(CAROL, NEW)),
        tweet(CAROL, 2),
        change(ALICE, 4, AddLearner(DAVE, "dave:1")),
        change(ALICE, 5, Promote(DAVE, OTHER)),
        tweet(DAVE, 1),
    )
    assert did.void == (5,)
    assert did.numbers == {ALICE: 5, CAROL: 2_000_000, DAVE: 1}


@pytest.mark.parametrize(
    "operation", [Add(DAVE, "[::1]:7001"), AddLearner(DAVE, "d.example:1"), Move(DAVE, "10.0.0.1:65000")]
)
def test_w5_an_address_is_one_word(operation: Membership) -> None:
    body = encode(Stamped(operation, 5))
    assert decode(body).operation == operation
    for bad in ("x y:1", "x", ":1", "x:0", "X:1"):
        with pytest.raises(ValueError, match="names a site and its address"):
            decode(body.rpartition(" ")[0] + f" {bad}")


# Whom a site speaks with


def test_m1_who_is_added_is_greeted_and_told_what_is_chosen() -> None:
    stage = staged().ready()
    effects = stage.hear(BOB, chosen(1, change(BOB, 1, AddLearner(DAVE, "dave:1"))))
    (saw,) = told(effects, SawMembers)
    assert [each.names for each in saw.lists] == [SITES[:3], SITES[:4]]
    effects = stage.wait(10)
    assert [to for to, _ in sent(effects, Hello)] == [DAVE]
    assert not sent_to(stage.submit(1), DAVE, Prepare), "a learner is asked for nothing"


def test_m5_what_a_removed_site_proposes_nobody_takes() -> None:
    stage = staged().ready()
    stage.hear(BOB, chosen(1, change(BOB, 1, Remove(CAROL)), NOOP, NOOP))
    assert sent(stage.hear(CAROL, prepare(ballot(5, CAROL), 4)), Promise), "there it votes yet"
    stage.hear(BOB, chosen(4, NOOP))
    effects = stage.hear(CAROL, prepare(ballot(6, CAROL), 5), accept(ballot(6, CAROL), 5, NOOP))
    assert not sent(effects, Promise)
    assert not sent(effects, Accepted)
    assert len(told(effects, SawRejected)) == 2
    stage.hear(CAROL, Known(Nonce(1), Slot(5), Slot(5), (run(5, tweet(BOB, 2)),)))
    assert stage.replica.prefix == 5, "what it has learned is learned"


def test_m5_who_is_removed_learns_it_settles_what_is_open_and_is_told_when_nobody_needs_it() -> None:
    stage = staged(CAROL).ready()
    stage.submit(1, retry=True)
    effects = stage.hear(BOB, chosen(1, change(BOB, 1, Remove(CAROL)), NOOP, NOOP))
    assert [saw.removed for saw in told(effects, SawRemoved)] == [Removed(Slot(1), Slot(5), needed=True)]
    assert stage.replica.view(0).voting
    effects = stage.hear(BOB, chosen(4, NOOP))
    assert not stage.replica.view(0).voting
    assert stage.replica.view(0).voting_why.startswith("slot 1 removed carol, from slot 5 on.")
    assert [saw.outcome for saw in told(effects, SawOutcome)] == [EventState.NOT_CREATED]
    assert not told(stage.hear(BOB, beat(prefix=4)), SawRemoved), "alice, the other one, may lack what it has"
    effects = stage.hear(ALICE, beat(prefix=4))
    assert [saw.removed for saw in told(effects, SawRemoved)] == [Removed(Slot(1), Slot(5), needed=False)]


# Counting


def counted(stage: Stage, slot: int, *votes: tuple[SiteId, StoreId]) -> bool:
    """These stores promise, and accept, what the stage proposes at a slot, and by that it is chosen."""
    (first, *_) = sent(stage.submit(slot), Prepare)
    number = first[1].ballot
    effects = stage.hear_packet(Packet(votes[0][0], votes[0][1], 1, stage.store.life, (promise(number, slot),)))
    for site, life in votes[1:]:
        effects.extend(stage.hear_packet(Packet(site, life, 1, stage.store.life, (promise(number, slot),))))
    for site, life in votes:
        effects.extend(stage.hear_packet(Packet(site, life, 1, stage.store.life, (accepted(number, slot),))))
    return bool(sent(effects, Chosen))


def test_m2_a_list_that_grew_needs_its_own_majority() -> None:
    stage = staged().ready()
    grown = (change(BOB, 1, AddLearner(DAVE, "dave:1")), NOOP, NOOP, NOOP, change(BOB, 2, Promote(DAVE, life_of(DAVE))))
    stage.hear(BOB, chosen(1, *grown, NOOP, NOOP, NOOP))
    assert stage.replica.members()[-1].quorum == 3
    assert not counted(stage, 9, (BOB, life_of(BOB))), "2 of 4"


def test_m4_of_two_stores_of_a_name_each_counts_at_its_own_slots() -> None:
    """Carol's disk was lost and replaced; the old one comes back from the repair shop, and both run at once."""
    stage = staged().ready()
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW)), NOOP, NOOP, NOOP))
    old = life_of(CAROL)
    assert not counted(stage, 5, (CAROL, old)), "there the new one votes"


# Bounds


def test_r4_who_counted_by_a_list_that_has_changed_since_asks_again() -> None:
    stage = staged()
    stage.vote()
    questions = sent(stage.tick(), AskHighest)
    stage.hear(BOB, Highest(questions[0][1].nonce, Slot(1), Slot(0)))
    assert stage.replica.view(0).recovering
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW))))
    effects = stage.wait(3_000)
    (nonce,) = {question.nonce for _, question in sent(effects, AskHighest)}
    assert nonce != questions[0][1].nonce
    assert stage.replica.view(0).recovering, "carol's new store may have used more"
    stage.hear(BOB, Highest(nonce, Slot(1), Slot(1)))
    stage.tick()
    assert not stage.replica.view(0).recovering


def test_r5_a_read_that_was_counted_by_a_list_that_has_changed_since_asks_again() -> None:
    stage = staged().ready()
    (question, *_) = sent(stage.read(7), AskHighest)
    stage.hear(BOB, Highest(question[1].nonce, Slot(1), Slot(0)))
    effects = stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW))))
    assert not told(effects, SawReadConfirmed)
    (again, *_) = sent(effects, AskHighest)
    assert told(stage.hear(BOB, Highest(again[1].nonce, Slot(1), Slot(1))), SawReadConfirmed)


# Stores


def answer_hellos(stage: Stage, verdict: Verdict) -> None:
    for peer, hello in sent(stage.start(), Hello):
        stage.hear(peer, Welcome(hello.nonce, verdict, None, ""))


def test_d5_what_is_noted_admits_no_new_store_and_confirms_a_known_one() -> None:
    new = staged(store=new_store(ALICE))
    answer_hellos(new, Verdict.NOTED)
    assert not new.replica.view(0).voting
    known = staged()
    answer_hellos(known, Verdict.NOTED)
    assert known.replica.view(0).voting


def test_d5_a_store_of_a_site_that_is_no_founder_is_never_admitted_and_no_disk_of_its_is_lost() -> None:
    stage = staged(DAVE, new_store(DAVE))
    answer_hellos(stage, Verdict.RECORDED)
    assert not stage.replica.view(0).voting
    assert stage.replica.view(0).voting_why.startswith("as far as dave knows, it does not belong to the cluster yet")
    stage = staged(DAVE, new_store(DAVE))
    answer_hellos(stage, Verdict.LOST_DISK)
    assert stage.store.load().standing is Standing.NEW


def test_m4_the_log_admits_the_store_that_a_promotion_names() -> None:
    stage = staged(DAVE, new_store(DAVE))
    answer_hellos(stage, Verdict.NOTED)
    stage.hear(BOB, chosen(1, change(BOB, 1, AddLearner(DAVE, "dave:1")), NOOP, NOOP, NOOP))
    assert stage.replica.view(0).voting_why == "a learner, as the log says; it votes once it is promoted"
    effects = stage.hear(BOB, chosen(5, change(BOB, 2, Promote(DAVE, life_of(DAVE)))))
    assert stage.store.load().standing is Standing.READMITTED
    stage.welcome(SITES[:3], effects)
    assert stage.replica.view(0).voting
    assert not sent(stage.hear(BOB, prepare(ballot(3, BOB), 8)), Promise), "it votes from slot 9 on"
    assert sent(stage.hear(BOB, prepare(ballot(3, BOB), 9)), Promise)


def test_e2_who_only_learns_is_told_at_once_that_its_event_is_not_created_and_why() -> None:
    """What waited already is told too."""
    stage = staged(DAVE, new_store(DAVE))
    answer_hellos(stage, Verdict.NOTED)
    assert not told(stage.submit(1), SawOutcome), "as far as dave knows, somebody may have added it to vote"
    effects = stage.hear(BOB, chosen(1, change(BOB, 1, AddLearner(DAVE, "dave:1"))))
    effects.extend(stage.submit(2))
    outcomes = told(effects, SawOutcome)
    assert [(saw.token, saw.outcome) for saw in outcomes] == [(1, EventState.NOT_CREATED), (2, EventState.NOT_CREATED)]
    assert {saw.reason for saw in outcomes} == {
        "dave does not vote: a learner, as the log says; it votes once it is promoted"
    }


def test_an_event_at_a_site_that_is_to_vote_waits_while_it_copies_the_log() -> None:
    stage = staged(DAVE, new_store(DAVE))
    answer_hellos(stage, Verdict.NOTED)
    effects = stage.hear(BOB, chosen(1, change(BOB, 1, Add(DAVE, "dave:1"))))
    effects.extend(stage.submit(1))
    assert not told(effects, SawOutcome)
    (saw,) = told(stage.wait(MINUTE), SawOutcome)
    assert saw.reason == "dave does not vote: a learner, as the log says; it votes once it has the log and is promoted"


# Promotions


def hears_dave(stage: Stage, asked_by: SiteId) -> list[str]:
    """`asked_by` had dave added. What this site submits after it heard that dave has the log, or not."""
    added = change(asked_by, 1, Add(DAVE, "dave:1"))
    stage.hear(BOB, chosen(1, added, NOOP, NOOP, NOOP))
    hello = sent(stage.wait(10), Hello)[0][1]
    stage.hear_packet(Packet(DAVE, NEW, 1, stage.store.life, (Welcome(hello.nonce, Verdict.NOTED, None, ""),)))
    assert not written(stage.live(3_000), WriteEvents), "it was not heard to have any of the log"
    stage.hear_packet(Packet(DAVE, NEW, 1, stage.store.life, (beat(prefix=4, voting=False),)))
    return [body for write in written(stage.live(4_000), WriteEvents) for body in write.events.bodies]


def test_m3_who_had_a_site_added_has_it_promoted_once_it_has_the_log() -> None:
    assert set(hears_dave(staged().ready(), ALICE)) == {encode(Stamped(Promote(DAVE, NEW), 5))}


def test_m3_whom_somebody_else_had_added_it_does_not_promote() -> None:
    assert hears_dave(staged().ready(), BOB) == []


# Leading


def standing_for_election() -> tuple[Stage, Ballot]:
    """And with which ballot."""
    settings = Settings(CAROL, SITES[:3], Leadership.ELECTED, change_lag=1)
    stage = Stage(settings=settings).ready()
    while not (stands := sent(echoed(stage, 100), Prepare)):
        assert stage.now < 10_000, "it never stands"
    return stage, stands[0][1].ballot


def echoed(stage: Stage, ticks: int) -> Effects:
    """Time passes while both others are heard, and hear this site."""
    effects = stage.tick(stage.now + ticks)
    for peer in stage.settings.peers:
        heard = replace(beat(), leadership=Leadership.ELECTED, echo=stage.now)
        effects.extend(stage.hear(peer, heard))
    return effects


def test_m5_who_stands_for_election_and_is_removed_meanwhile_stands_no_more() -> None:
    stage, _ = standing_for_election()
    stage.hear(BOB, chosen(1, change(BOB, 1, Remove(CAROL))))
    assert not stage.replica.view(0).voting
    for _ in range(20):
        assert not sent(echoed(stage, 100), Prepare)


def test_m5_a_leader_that_is_removed_gives_way() -> None:
    stage, number = standing_for_election()
    promised = Promise(number, Slot(1), None, (), (), ())
    stage.hear(BOB, promised)
    echoed(stage, 100)
    assert stage.replica.view(0).leader == CAROL
    stage.hear(BOB, chosen(1, change(BOB, 1, Remove(CAROL))))
    said = [each for _, each in sent(echoed(stage, 300), Heartbeat)]
    assert said
    assert {each.leads for each in said} == {None}
