"""Which store a site runs on: who may vote after a lost disk (D5), and whose packets count at all (W1, its lives)."""

from __future__ import annotations

import pytest

from engine.core.effects import Effects, RejectedFor, SawOutcome, SawPeer, SawProof, SawRejected, SawStanding
from engine.core.ids import Nonce, SiteId, Slot, StoreId, Tick
from engine.core.messages import (
    Accepted,
    Ask,
    AskHighest,
    Cause,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    Verdict,
    Welcome,
)
from engine.core.settings import Leadership, founders_digest
from engine.core.storage import (
    NO_VOTE,
    EventState,
    PeerMemory,
    Standing,
    WriteEvents,
    WriteNumbers,
    WritePeer,
    WriteStanding,
)
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ERIN,
    SITES,
    Stage,
    accept,
    ballot,
    chosen,
    life_of,
    new_store,
    prepare,
    run,
    sent,
    sent_to,
    told,
    tweet,
    written,
)

OTHER_LIFE = StoreId("f" * 16)


def packet(stage: Stage, sender: SiteId, *messages: Message, life: StoreId | None = None, commit: int = 1) -> Packet:
    return Packet(sender, life or life_of(sender), commit, stage.store.life, messages)


def hello(stage: Stage, nonce: int, proof: Nonce | None = None) -> Hello:
    return Hello(Nonce(nonce), proof, stage.settings.founders)


def greet(stage: Stage, nonce: int, *, life: StoreId | None = None, commit: int = 1, sender: SiteId = ALICE) -> Welcome:
    """A whole greeting by another site's store: a hello, and once more with the challenge as proof."""
    first = stage.hear_packet(packet(stage, sender, hello(stage, nonce), life=life, commit=commit))
    (challenged,) = sent_to(first, sender, Welcome)
    assert challenged.verdict is Verdict.UNPROVEN
    proof = hello(stage, nonce + 1, challenged.challenge)
    (answer,) = sent_to(stage.hear_packet(packet(stage, sender, proof, life=life, commit=commit)), sender, Welcome)
    assert answer.nonce == nonce + 1
    return answer


def beat(prefix: int = 0) -> Heartbeat:
    return Heartbeat(Leadership.NONE, True, Slot(prefix), Slot(prefix), Tick(0), None, 0, Tick(500), None, False, None)


# Becoming a voter


@pytest.mark.parametrize(("size", "needed"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_d5_a_new_store_votes_when_enough_others_have_recorded_it(size: int, needed: int) -> None:
    """ceil((N-1+f)/2) with f = floor((N-1)/2): so many that any majority of the others shares one of them."""
    stage = Stage(size, store=new_store(ALICE))
    effects = stage.start()
    for others, peer in enumerate(SITES[1 : needed + 1]):
        assert not stage.replica.view(0).voting, f"{others} others recorded it"
        stage.welcome([peer], effects)
    assert stage.replica.view(0).voting
    assert stage.store.standing is Standing.ADMITTED


@pytest.mark.parametrize(("size", "needed"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_d5_a_known_store_is_confirmed_at_each_start_by_half_of_the_sites(size: int, needed: int) -> None:
    stage = Stage(size)
    effects = stage.start()
    for peer in SITES[1 : needed + 1]:
        assert not stage.replica.view(0).voting
        stage.welcome([peer], effects)
    assert stage.replica.view(0).voting


def test_a_new_store_says_who_was_never_heard() -> None:
    stage = Stage(3, store=new_store(ALICE))
    hellos = stage.start()
    assert stage.replica.view(0).voting_why == (
        "new store: recorded by 0 other sites, 2 needed before it votes; bob and carol were never heard from: each site"
        " must be started once"
    )
    stage.welcome([BOB], hellos)
    assert stage.replica.view(0).voting_why.endswith(
        "recorded by 1 other site, 2 needed before it votes; carol was never heard from: each site must be started once"
    )


def test_d5_one_sites_answer_counts_once() -> None:
    stage = Stage(5, store=new_store(ALICE))
    effects = stage.start()
    for _ in range(4):
        stage.welcome([BOB], effects)
        effects = stage.wait(10_000)
    assert not stage.replica.view(0).voting


def test_d5_that_it_votes_is_durable_in_the_step_that_begins_it() -> None:
    stage = Stage(2, store=new_store(ALICE))
    effects = stage.welcome([BOB], stage.start())
    assert written(effects, WriteStanding) == [WriteStanding(Standing.ADMITTED, "")]
    assert [saw.voting for saw in told(effects, SawStanding)] == [True]


def test_d5_e1_what_waited_for_the_vote_goes_on_once_its_numbers_are_reserved() -> None:
    """They are, in the step that begins it; what is given out of them is in a later commit."""
    stage = Stage(2)
    hellos = stage.start()
    assert not written(stage.submit(1), WriteNumbers)
    effects = stage.welcome([BOB], hellos)
    assert written(effects, WriteNumbers)
    assert not written(effects, WriteEvents)
    (event,) = written(stage.tick(), WriteEvents)
    assert event.events.first == 1


def test_d5_hellos_are_repeated_until_they_are_answered_ever_more_rarely() -> None:
    stage = Stage(3)
    stage.welcome([BOB], stage.start())
    early, late = sent(stage.wait(8_000), Hello), sent(stage.wait(8_000), Hello)
    to_carol = [sum(site == CAROL for site, _ in hellos) for hellos in (early, late)]
    assert to_carol[0] > to_carol[1] >= 2
    nonces = [hello.nonce for _, hello in early + late]
    assert len(set(nonces)) == len(nonces), "a question's nonce is never used again (W1)"


# Until it votes


def test_d5_before_it_votes_a_site_answers_no_question_that_needs_a_voter_and_keeps_nothing() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.welcome([BOB], stage.start())
    promised = stage.hear(BOB, prepare(ballot(1, BOB), 1))
    taken = stage.hear(BOB, accept(ballot(1, BOB), 1, tweet(BOB, 1)))
    for effects in (promised, taken):
        (refused,) = sent_to(effects, BOB, Refused)
        assert {span.cause for span in refused.spans} == {Cause.NOT_VOTING}
        assert not sent(effects, Promise)
        assert not sent(effects, Accepted)
        assert not effects.writes
    assert stage.replica.vote(Slot(1)) == NO_VOTE
    assert not stage.hear(BOB, AskHighest(Nonce(5))).sends, "its answer would count toward a majority (R4)"


def test_d5_before_it_votes_a_site_learns_and_serves() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.welcome([BOB], stage.start())
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    (known,) = sent_to(stage.hear(BOB, Ask(Nonce(6), ((Slot(1), Slot(1)),))), BOB, Known)
    assert known.learned == (run(1, tweet(BOB, 1)),)


def test_d5_before_it_votes_a_site_gives_out_no_number_and_proposes_nothing() -> None:
    stage = Stage(3, store=new_store(ALICE))
    hellos = stage.start()
    effects = stage.submit(1)
    stage.hear(BOB, *[beat(prefix=3)])
    effects.extend(stage.wait(9_000))
    assert not written(effects, WriteEvents)
    assert not sent(effects, Prepare)
    stage.welcome([BOB], hellos)
    assert stage.store.events == {}
    stage.welcome([CAROL], stage.wait(10_000))
    assert [row.number for row in stage.store.events.values()] == [1], "it has its number once the site votes"


def test_d5_a_hole_is_not_filled_by_a_site_that_does_not_vote() -> None:
    stage = Stage(3, store=new_store(ALICE))
    stage.welcome([BOB], stage.start())
    stage.hear(BOB, chosen(2, tweet(BOB, 1)))
    effects = stage.wait(20_000)
    assert sent_to(effects, BOB, Ask)
    assert not sent(effects, Prepare)


def test_d5_only_voters_count_as_reachable() -> None:
    stage = Stage(3).vote()
    stage.hear(BOB, beat())
    assert stage.replica.view(0).quorum.reachable == 2
    stage.hear(BOB, Heartbeat(Leadership.NONE, False, Slot(0), Slot(0), Tick(0), None, 0, Tick(500), None, False, None))
    assert stage.replica.view(0).quorum.reachable == 1


def test_d5_a_new_store_does_not_count_as_reachable_by_what_the_one_before_said() -> None:
    stage = Stage(3).vote()
    stage.hear(BOB, beat(7))
    assert stage.replica.view(0).quorum.reachable == 2
    greet(stage, 7, life=OTHER_LIFE, sender=BOB)
    view = stage.replica.view(0)
    assert view.quorum.reachable == 1
    assert [(peer.up, peer.prefix) for peer in view.peers if peer.site == BOB] == [(True, None)]


# Lost disks


def test_d5_the_first_store_of_a_site_is_recorded_durably_before_that_is_said() -> None:
    stage = Stage(3, site=BOB).vote()
    (challenged,) = sent_to(stage.hear_packet(packet(stage, ALICE, hello(stage, 1))), ALICE, Welcome)
    effects = stage.hear_packet(packet(stage, ALICE, hello(stage, 2, challenged.challenge), commit=4))
    assert [answer.verdict for _, answer in sent(effects, Welcome)] == [Verdict.RECORDED]
    assert written(effects, WritePeer) == [WritePeer(PeerMemory(ALICE, life_of(ALICE), 4))]


def test_d5_a_fresh_disk_under_an_old_name_is_told_that_its_disk_is_lost() -> None:
    """Trap: a fresh disk that votes has forgotten its promises. Its peers remember, over their own restarts too."""
    stage = Stage(3, site=BOB).vote()
    assert greet(stage, 1).verdict is Verdict.RECORDED
    for now in (stage, stage.restarted().vote()):
        answer = greet(now, 11, life=OTHER_LIFE)
        assert answer.verdict is Verdict.LOST_DISK
        assert answer.reason == "bob remembers another store of alice: its disk was lost or replaced"


def test_d5_an_old_copy_of_a_store_is_told_that_its_disk_is_lost() -> None:
    stage = Stage(3, site=BOB).vote()
    greet(stage, 1, commit=5)
    stage.hear_packet(packet(stage, ALICE, beat(), commit=1_000))
    assert greet(stage, 11, commit=1_000).verdict is Verdict.RECORDED
    answer = greet(stage, 21, commit=999)
    assert answer.verdict is Verdict.LOST_DISK
    assert answer.reason.startswith("bob heard commit 1000 of alice's store, which is now at 999")
    view = stage.replica.view(0)
    assert (view.outdated, view.replaced) == ((ALICE,), ()), "it is not what a readmission is for"


def test_d5_a_peer_is_told_the_commit_of_the_start_until_it_has_recorded_the_store() -> None:
    """Trap: an old copy that learns what it lacked counts as many commits as the lost store did."""
    stage = Stage(3)
    hellos = stage.start()
    at_start = stage.store.load().commit
    stage.welcome([BOB], hellos)
    for slot in (1, 2, 3):
        stage.hear(BOB, chosen(slot, tweet(BOB, slot)))
    now = stage.store.load().commit
    assert now > at_start
    told_to = {peer: stage.replica.packet(peer, (beat(),)).commit for peer in (BOB, CAROL)}
    assert told_to == {BOB: now, CAROL: at_start}
    stage.welcome([CAROL], hellos)
    assert stage.replica.packet(CAROL, (beat(),)).commit == now
    assert stage.restarted().replica.packet(BOB, (beat(),)).commit == now, (
        "what was durable then is what it starts with"
    )


def test_d5_a_vote_goes_to_no_peer_that_has_not_recorded_the_store_since_the_start() -> None:
    """It would count the vote, and could not tell an old copy of this store from it later."""
    stage = Stage(3)
    hellos = stage.start()
    stage.welcome([BOB], hellos)
    greet(stage, 5, sender=CAROL)
    assert sent_to(stage.hear(BOB, prepare(ballot(1, BOB), 1)), BOB, Promise)
    asked = prepare(ballot(2, CAROL), 2)
    assert not sent_to(stage.hear(CAROL, asked), CAROL, Promise)
    stage.welcome([CAROL], hellos)
    assert sent_to(stage.hear(CAROL, asked), CAROL, Promise), "who asks again is answered"


def test_d5_a_peer_that_waits_for_a_vote_is_asked_at_once_to_record_the_store() -> None:
    """Hellos come ever more rarely while nobody answers; one who asks for a vote is there, and needs the answer."""
    stage = Stage(3)
    stage.welcome([BOB], stage.start())
    greet(stage, 5, sender=CAROL)
    stage.wait(20_000)
    asked = stage.hear(CAROL, prepare(ballot(1, CAROL), 1))
    assert not sent_to(asked, CAROL, Promise)
    assert len(sent_to(asked, CAROL, Hello)) == 1
    again = stage.hear(CAROL, prepare(ballot(1, CAROL), 1))
    assert not sent_to(again, CAROL, Hello), "no more often than any message is repeated"
    stage.welcome([CAROL], asked)
    assert sent_to(stage.hear(CAROL, prepare(ballot(1, CAROL), 1)), CAROL, Promise)


def test_d5_the_newest_commit_heard_is_durable_with_the_next_thing_that_is() -> None:
    stage = Stage(3, site=BOB).vote()
    greet(stage, 1, commit=5)
    assert not stage.hear_packet(packet(stage, ALICE, beat(), commit=70)).writes, "a heartbeat alone costs no commit"
    effects = stage.hear_packet(packet(stage, ALICE, prepare(ballot(1, ALICE), 1), commit=80))
    assert written(effects, WritePeer) == [WritePeer(PeerMemory(ALICE, life_of(ALICE), 80))]
    assert greet(stage.restarted().vote(), 11, commit=79).verdict is Verdict.LOST_DISK


def test_d5_a_challenge_brought_out_by_an_old_duplicate_proves_nothing_of_an_old_copy() -> None:
    """The copy of commit 6 greets with a nonce of its own: what bob heard since then counts against it."""
    stage = Stage(3, site=BOB).vote()
    greet(stage, 1, commit=5)
    stage.hear_packet(packet(stage, ALICE, hello(stage, 1), commit=5))
    stage.hear_packet(packet(stage, ALICE, beat(), commit=1_000))
    assert greet(stage, 21, commit=6).verdict is Verdict.LOST_DISK


def test_d5_commits_that_overtake_a_hello_do_not_count_against_it() -> None:
    """The proof left at commit 5; a later packet at commit 9 arrives before it. Nothing was lost."""
    stage = Stage(3, site=BOB).vote()
    greet(stage, 1, commit=4)
    (challenged,) = sent_to(
        stage.hear_packet(packet(stage, ALICE, hello(stage, 3), commit=5)),
        ALICE,
        Welcome,
    )
    stage.hear_packet(packet(stage, ALICE, beat(), commit=9))
    repeated = stage.hear_packet(packet(stage, ALICE, hello(stage, 3), commit=5))
    assert sent_to(repeated, ALICE, Welcome) == [challenged], "a repeated hello is the same hello"
    proof = stage.hear_packet(packet(stage, ALICE, hello(stage, 4, challenged.challenge), commit=5))
    assert [answer.verdict for _, answer in sent(proof, Welcome)] == [Verdict.RECORDED]


def answer_lost(stage: Stage, effects: Effects, peer: SiteId) -> Effects:
    (hello,) = sent_to(effects, peer, Hello)
    return stage.hear(peer, Welcome(hello.nonce, Verdict.LOST_DISK, None, "bob remembers another store of alice"))


def test_d5_a_site_that_lost_its_disk_never_votes_again_whatever_others_say() -> None:
    stage = Stage(5, store=new_store(ALICE))
    effects = stage.start()
    stage.welcome([CAROL, DAVE], effects)
    lost = answer_lost(stage, effects, BOB)
    stage.welcome([ERIN], effects)
    assert [write.standing for write in written(lost, WriteStanding)] == [Standing.LEARNER]
    for now in (stage, stage.restarted()):
        if now is not stage:
            now.welcome(now.settings.peers, now.start())
        view = now.replica.view(0)
        assert not view.voting
        assert view.voting_why.startswith("lost-disk: bob remembers another store of alice. This site learns")
        assert sent_to(now.hear(BOB, prepare(ballot(1, BOB), 1)), BOB, Refused)


def test_d5_a_voter_that_is_contradicted_later_stops_voting_and_proposing_at_once() -> None:
    stage = Stage(3)
    hellos = stage.start()
    stage.welcome([CAROL], hellos)
    stage.answer_scan(stage.tick(), 0)
    number = sent_to(stage.submit(1), CAROL, Prepare)[0].ballot
    (outcome,) = told(answer_lost(stage, hellos, BOB), SawOutcome)
    assert (outcome.token, outcome.outcome) == (1, EventState.NOT_CREATED), "its accept has not left"
    assert not stage.replica.view(5).attempts
    assert not sent(stage.hear(CAROL, Promise(number, Slot(1), Slot(1), (), (), ())), Accepted)
    assert stage.replica.vote(Slot(1)).accepted is None
    (outcome,) = told(stage.submit(2), SawOutcome)
    assert outcome.outcome is EventState.NOT_CREATED
    assert outcome.reason is not None
    assert "old-store" in outcome.reason


# W1, its lives


def test_w1_what_another_life_says_or_is_told_is_dropped_and_counted() -> None:
    stage = Stage(3).vote()
    question = prepare(ballot(1, BOB), 1)
    by_another = packet(stage, BOB, question, life=OTHER_LIFE)
    to_another = Packet(BOB, life_of(BOB), 1, OTHER_LIFE, (question,))
    to_anybody = Packet(BOB, life_of(BOB), 1, None, (question,))
    for stray in (by_another, to_another, to_anybody):
        effects = stage.hear_packet(stray)
        assert told(effects, SawRejected) == [SawRejected(RejectedFor.OTHER_LIFE, BOB)]
        assert not effects.sends
        assert not effects.writes
        assert not told(effects, SawPeer)


def test_w1_a_site_that_has_not_greeted_is_nobody() -> None:
    stage = Stage(3)
    stage.start()
    effects = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert told(effects, SawRejected) == [SawRejected(RejectedFor.OTHER_LIFE, BOB)]
    assert stage.replica.prefix == 0


def test_w1_a_hello_without_proof_changes_nothing_but_is_answered() -> None:
    """It may be a replay: the life that it names is taken over only once it proves that it is here now."""
    stage = Stage(3, site=BOB).vote()
    effects = stage.hear_packet(packet(stage, ALICE, hello(stage, 1), life=OTHER_LIFE))
    (answer,) = sent_to(effects, ALICE, Welcome)
    assert answer.verdict is Verdict.UNPROVEN
    assert not effects.writes
    assert not told(effects, SawProof)
    assert not told(stage.hear(ALICE, beat()), SawRejected), "the life of before is still the one that counts"
    guess = stage.hear_packet(packet(stage, ALICE, hello(stage, 2, Nonce(12_345)), life=OTHER_LIFE))
    assert [again.verdict for _, again in sent(guess, Welcome)] == [Verdict.UNPROVEN]
    assert not told(guess, SawProof)


def test_w1_a_replayed_proof_proves_nothing() -> None:
    stage = Stage(3, site=BOB).vote()
    (challenged,) = sent_to(stage.hear_packet(packet(stage, ALICE, hello(stage, 1))), ALICE, Welcome)
    proof = packet(stage, ALICE, hello(stage, 2, challenged.challenge))
    assert told(stage.hear_packet(proof), SawProof) == [SawProof(ALICE)]
    replayed = stage.hear_packet(proof)
    assert not told(replayed, SawProof)
    assert [answer.verdict for _, answer in sent(replayed, Welcome)] == [Verdict.UNPROVEN]


def test_w1_a_welcome_counts_once_and_only_for_a_nonce_of_ours() -> None:
    stage = Stage(3, store=new_store(ALICE))
    effects = stage.start()
    (hello,) = sent_to(effects, BOB, Hello)
    for nonce, to_life in ((Nonce(hello.nonce + 1), stage.store.life), (hello.nonce, OTHER_LIFE)):
        stray = Packet(BOB, life_of(BOB), 1, to_life, (Welcome(nonce, Verdict.LOST_DISK, None, "no"),))
        dropped = stage.hear_packet(stray)
        assert told(dropped, SawRejected) == [SawRejected(RejectedFor.STALE_ANSWER, BOB)]
        assert not dropped.writes
    stage.welcome([BOB], effects)
    again = stage.welcome([BOB], effects)
    assert told(again, SawRejected) == [SawRejected(RejectedFor.STALE_ANSWER, BOB)]


def test_w1_an_unproven_hello_is_repeated_with_the_challenge_at_once() -> None:
    stage = Stage(3)
    (hello,) = sent_to(stage.start(), BOB, Hello)
    assert hello.proof is None
    effects = stage.hear(BOB, Welcome(hello.nonce, Verdict.UNPROVEN, Nonce(77), ""))
    (again,) = sent_to(effects, BOB, Hello)
    assert again.proof == 77
    assert again.nonce != hello.nonce


def test_w1_every_packet_but_the_first_hello_names_both_lives() -> None:
    stage = Stage(3).vote()
    assert stage.replica.packet(BOB, (beat(),)) == Packet(
        ALICE, stage.store.life, stage.store.commits, life_of(BOB), (beat(),)
    )
    assert stage.replica.packet(BOB, (hello(stage, 1),)).to_life is None
    assert stage.replica.packet(BOB, (hello(stage, 1, Nonce(2)),)).to_life == life_of(BOB)
    stage.hear_packet(packet(stage, BOB, hello(stage, 1), life=OTHER_LIFE))
    answer = Welcome(Nonce(1), Verdict.UNPROVEN, Nonce(2), "")
    assert stage.replica.packet(BOB, (answer,)).to_life == OTHER_LIFE, "a welcome answers the life that said hello"


def test_w1_nothing_but_greetings_goes_to_a_peer_whose_life_is_not_known() -> None:
    stage = Stage(3)
    stage.welcome([BOB], stage.start())
    effects = stage.wait(5_000)
    assert {type(send.message) for send in effects.sends if send.to == CAROL} == {Hello}


def test_d5_a_peer_that_comes_back_on_another_disk_is_talked_to_as_what_it_is_now() -> None:
    stage = Stage(3, site=BOB).vote()
    greet(stage, 1)
    greet(stage, 11, life=OTHER_LIFE)
    effects = stage.hear_packet(packet(stage, ALICE, Ask(Nonce(3), ((Slot(1), Slot(1)),)), life=OTHER_LIFE))
    assert sent_to(effects, ALICE, Known), "it learns"
    assert stage.replica.packet(ALICE, (beat(),)).to_life == OTHER_LIFE


def test_a_silent_peer_is_greeted_anew_in_case_one_of_us_has_another_life() -> None:
    stage = Stage(3).vote()
    stage.hear(BOB, beat())
    stage.hear(CAROL, beat())
    assert not sent(stage.wait(1_500), Hello)
    effects = stage.wait(4_000)
    assert {site for site, _ in sent(effects, Hello)} == {BOB, CAROL}
    assert {saw.peer for saw in told(effects, SawPeer) if not saw.up} == {BOB, CAROL}
    assert stage.replica.view(0).voting, "silence takes no vote away"


def test_d5_highest_is_answered_by_voters() -> None:
    stage = Stage(3).vote()
    assert sent(stage.hear(BOB, AskHighest(Nonce(5))), Highest) == [(BOB, Highest(Nonce(5), Slot(0), Slot(0)))]


def test_m1_whose_cluster_began_with_other_sites_is_not_heard_until_that_is_mended() -> None:
    """Its lists are others, so it is in another cluster, whatever the name and the key. Neither records the other."""
    stage = Stage(3, site=BOB).vote()
    for proof in (None, Nonce(2)):
        foreign = stage.hear_packet(packet(stage, ALICE, Hello(Nonce(1), proof, founders_digest(SITES[:4]))))
        assert (sent(foreign, Welcome), written(foreign, WritePeer)) == ([], [])
        assert told(foreign, SawRejected) == [SawRejected(RejectedFor.OTHER_FOUNDERS, ALICE)]
        mismatch = stage.replica.view(0).mismatch
        assert mismatch is not None
        assert mismatch.startswith(
            "alice began with a different list of sites than this site, which began with alice, bob and carol"
        )
    assert greet(stage, 3).verdict is Verdict.RECORDED
    assert stage.replica.view(0).mismatch is None
