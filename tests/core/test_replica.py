"""The facade: what one step returns (D1), how a site stops (A2, R1), and what it does when nothing is going on."""

from __future__ import annotations

from collections import Counter

from engine.core.effects import Effects, SawOutcome, SawPeer
from engine.core.entry import NOOP
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    Ask,
    AskHighest,
    Heartbeat,
    Hello,
    Message,
    Prepare,
    Promise,
)
from engine.core.peers.heartbeats import UP_BEATS
from engine.core.settings import Leadership
from engine.core.storage import (
    EventState,
    WriteApplied,
    WriteEvents,
    WriteEvidence,
    WriteLearned,
    WriteRound,
    WriteVote,
)
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    MINUTE,
    Stage,
    accept,
    accepted,
    ballot,
    beat,
    chosen,
    prepare,
    promise,
    sent,
    told,
    tweet,
    written,
)

# D1: one step, one commit


def test_d1_what_a_site_says_to_itself_is_in_the_same_effects_and_on_no_wire() -> None:
    """Its promise, its acceptance and what it learns of them are durable when the messages that rest on them leave."""
    stage = Stage(3).ready()
    asked = stage.submit(1)
    number = sent(asked, Prepare)[0][1].ballot
    assert [write.vote.promised for write in written(asked, WriteVote)] == [number]
    assert {site for site, _ in sent(asked, Prepare)} == {BOB, CAROL}
    proposed = stage.hear(BOB, promise(number, 1))
    assert [write.vote.accepted for write in written(proposed, WriteVote)] == [number]
    assert {site for site, _ in sent(proposed, Accept)} == {BOB, CAROL}
    for effects in (asked, proposed):
        assert ALICE not in {send.to for send in effects.sends}
        assert not sent(effects, Promise)
        assert not sent(effects, Accepted)


def test_d1_its_own_vote_counts_as_one() -> None:
    """Of three, itself and one other are a majority; of five they are not."""
    for size, majority in ((3, True), (5, False)):
        stage = Stage(size).ready()
        number = sent(stage.submit(1), Prepare)[0][1].ballot
        assert bool(sent(stage.hear(BOB, promise(number, 1)), Accept)) == majority


def test_d1_a_whole_synod_of_one_site_is_one_commit() -> None:
    stage = Stage(1)
    stage.start()
    stage.tick()
    commits = stage.store.commits
    effects = stage.submit(1)
    assert [type(write) for write in effects.writes] == [
        WriteRound,
        WriteEvents,
        WriteVote,
        WriteEvents,
        WriteVote,
        WriteLearned,
        WriteApplied,
        WriteEvents,
    ]
    assert stage.store.commits == commits + 1


def test_d1_a_learned_entry_is_applied_in_the_same_commit() -> None:
    effects = Stage(3).vote().hear(BOB, chosen(1, tweet(BOB, 1)))
    assert [type(write) for write in effects.writes] == [WriteLearned, WriteApplied]


def test_d5_packets_tell_the_commit_number_after_the_commit() -> None:
    stage = Stage(3).vote()
    before = stage.replica.packet(BOB, (beat(),)).commit
    stage.hear(BOB, prepare(ballot(1, BOB), 1))
    assert stage.replica.packet(BOB, (beat(),)).commit == before + 1 == stage.store.commits


# Stopping


def broken(stage: Stage) -> Effects:
    """Bob proposes two entries at one ballot."""
    stage.hear(BOB, accept(ballot(1, BOB), 1, tweet(BOB, 1)))
    return stage.hear(BOB, accept(ballot(1, BOB), 1, NOOP))


def test_a2_a_broken_proposer_stops_the_site_with_the_evidence_and_no_word() -> None:
    stage = Stage(3).ready()
    effects = broken(stage)
    assert effects.stop is not None
    assert not effects.sends
    (evidence,) = written(effects, WriteEvidence)
    assert evidence.rule == "A2"
    assert effects.writes == [evidence]
    assert stage.replica.vote(Slot(1)).entry == tweet(BOB, 1)


def test_a2_what_the_same_packet_caused_before_is_not_sent_either() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, accept(ballot(1, BOB), 1, tweet(BOB, 1)))
    effects = stage.hear(BOB, prepare(ballot(4, BOB), 2), accept(ballot(1, BOB), 1, NOOP))
    assert effects.stop is not None
    assert not effects.sends


def test_a2_another_entry_in_one_slot_of_a_run_is_a_broken_proposer() -> None:
    """However the slots were cut into runs before: nothing of the accept is kept, nor told."""
    stage = Stage(3).ready()
    first, second, third = (tweet(BOB, number) for number in (1, 2, 3))
    stage.hear(BOB, accept(ballot(1, BOB), 1, first, second), accept(ballot(1, BOB), 4, NOOP))
    effects = stage.hear(BOB, accept(ballot(1, BOB), 1, first, second, third, third))
    assert effects.stop is not None
    assert [type(write) for write in effects.writes] == [WriteEvidence]
    assert not effects.sends
    assert stage.store.votes[Slot(4)].entry == NOOP
    assert Slot(3) not in stage.store.votes


def test_a_stopped_site_does_nothing_more() -> None:
    stage = Stage(3).ready()
    stop = broken(stage).stop
    later = [
        stage.hear(BOB, prepare(ballot(9, BOB), 3)),
        stage.submit(1),
        stage.give_up(1),
        stage.fill(1),
        stage.replica.tick(Tick(MINUTE)),
    ]
    for effects in later:
        assert effects.stop == stop
        assert not effects.writes
        assert not effects.sends
        assert not effects.observations


# Duplicates


def test_w1_what_comes_twice_is_written_once() -> None:
    stage = Stage(3).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    messages: list[Message] = [
        prepare(ballot(1, BOB), 2),
        accept(ballot(1, BOB), 2, tweet(BOB, 1)),
        promise(number, 1),
        accepted(number, 1),
        chosen(2, tweet(BOB, 1)),
    ]
    for message in messages:
        assert stage.hear(BOB, message).writes
        again = stage.hear(BOB, message)
        assert not again.writes
        assert not told(again, SawOutcome)


# Peers


def test_a_peer_is_up_while_it_is_heard_and_not_long_after() -> None:
    stage = Stage(3).vote()
    beats = UP_BEATS * stage.settings.timings.heartbeat
    stage.wait(1_000)
    stage.hear(CAROL, beat())
    effects = stage.wait(beats)
    assert told(effects, SawPeer) == [SawPeer(BOB, up=False)]
    assert stage.replica.view(0).quorum.reachable == 2
    assert told(stage.hear(BOB, beat()), SawPeer) == [SawPeer(BOB, up=True)]


def test_l4_a_peer_of_a_longer_heartbeat_interval_is_up_while_it_beats_in_its_own() -> None:
    """Both ways: it is no less reached for answering that seldom."""
    stage = Stage(3).vote()
    slow = Tick(4 * UP_BEATS * stage.settings.timings.heartbeat)
    stage.hear(BOB, beat(every=slow))
    effects = Effects()
    for _ in range(3):
        effects.extend(stage.wait(slow))
        effects.extend(stage.hear(BOB, beat(every=slow)))
    effects.extend(stage.wait(UP_BEATS * slow))
    assert SawPeer(BOB, up=False) not in told(effects, SawPeer)
    assert SawPeer(BOB, up=False) in told(stage.wait(stage.settings.timings.heartbeat), SawPeer), "not for ever"


def test_a_peer_of_a_shorter_heartbeat_interval_is_given_this_sites_own() -> None:
    stage = Stage(3).vote()
    stage.hear(BOB, beat(every=Tick(1)))
    assert SawPeer(BOB, up=False) not in told(stage.wait(UP_BEATS * stage.settings.timings.heartbeat), SawPeer)


def test_round_trips_are_read_off_the_echo_of_a_heartbeat_which_is_never_answered() -> None:
    stage = Stage(3).vote()
    effects = stage.wait(1_000)
    (first, *_) = [message for site, message in sent(effects, Heartbeat) if site == BOB]
    stage.wait(40)
    held_ms = stage.now - first.sent - 30
    echo = Heartbeat(
        Leadership.NONE, True, Slot(0), Slot(0), Tick(77), first.sent, held_ms, Tick(500), None, False, None
    )
    answer = stage.hear(BOB, echo)
    assert not answer.sends
    (bob, _) = stage.replica.view(0).peers
    assert (bob.site, bob.rtt_ms, bob.heard) == (BOB, 30, stage.now)
    told_back = [message for site, message in sent(stage.wait(500), Heartbeat) if site == BOB]
    assert (told_back[0].echo, told_back[0].held_ms) == (77, told_back[0].sent - (stage.now - 500))


def test_an_absurd_echo_is_no_round_trip() -> None:
    stage = Stage(3).vote()
    stage.hear(
        BOB, Heartbeat(Leadership.NONE, True, Slot(0), Slot(0), Tick(5), Tick(10**9), 0, Tick(500), None, False, None)
    )
    assert stage.replica.view(0).peers[0].rtt_ms is None


# Idleness


def traffic(stage: Stage, minutes: int, *, alive: tuple[SiteId, ...]) -> Counter[tuple[SiteId, str]]:
    """What is sent to whom while those peers beat, and answer how far the log goes."""
    counts: Counter[tuple[SiteId, str]] = Counter()
    for _ in range(minutes * 120):
        effects = Effects()
        for peer in alive:
            effects.extend(stage.hear(peer, beat()))
        effects.extend(stage.wait(500))
        stage.answer_scan(Effects(sends=[send for send in effects.sends if send.to in alive]))
        counts.update((send.to, type(send.message).__name__) for send in effects.sends)
    return counts


def test_an_idle_site_says_that_it_lives_and_asks_now_and_then_how_far_the_log_goes() -> None:
    counts = traffic(Stage(3).ready(), 10, alive=(BOB, CAROL))
    assert set(counts) == {(peer, name) for peer in (BOB, CAROL) for name in (Heartbeat.__name__, AskHighest.__name__)}
    assert counts[BOB, Heartbeat.__name__] <= 10 * 121
    assert counts[BOB, AskHighest.__name__] <= 10 * 5


def test_a_site_that_is_down_costs_its_peers_next_to_nothing() -> None:
    counts = traffic(Stage(3).ready(), 10, alive=(BOB,))
    to_carol = sum(count for (peer, _), count in counts.items() if peer == CAROL)
    assert to_carol <= 10 * (121 + 21), "its heartbeats, a greeting every four seconds, a scan every fifteen"
    assert counts[CAROL, Hello.__name__] >= 100


def test_what_is_read_is_a_picture_and_not_the_thing() -> None:
    stage = Stage(3).ready()
    stage.submit(1)
    view = stage.replica.view(5)
    stage.replica.blocks()[ALICE, BOB] = Slot(1)
    assert stage.replica.blocks() == {}
    stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert view.prefix == 0
    assert [attempt.phase for attempt in view.attempts] == ["preparing"]
    assert stage.replica.view(0).attempts == ()


def test_an_attempt_shows_what_a_person_wants_to_know() -> None:
    stage = Stage(5).ready()
    number = sent(stage.submit(1), Prepare)[0][1].ballot
    stage.hear(BOB, promise(number, 1))
    attempt = stage.replica.attempt(Slot(1))
    assert attempt is not None
    assert (attempt.phase, attempt.ballot, attempt.votes, attempt.needed) == ("preparing", number, (ALICE, BOB), 3)
    assert attempt.why == "asks for promises of 1.alice, to propose its own tweet"
    stage.hear(CAROL, promise(number, 1))
    attempt = stage.replica.attempt(Slot(1))
    assert attempt is not None
    assert (attempt.phase, attempt.votes) == ("accepting", (ALICE,))
    assert attempt.why == "a majority promised 1.alice and had accepted nothing: proposes its own tweet"


def test_the_outcome_of_a_lost_event_needs_no_further_step() -> None:
    stage = Stage(3).ready()
    stage.submit(1)
    effects = stage.hear(BOB, chosen(1, tweet(BOB, 1)))
    assert [saw.outcome for saw in told(effects, SawOutcome)] == [EventState.LOST]
    assert not sent(effects, Ask)
