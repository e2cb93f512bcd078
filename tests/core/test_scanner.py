"""The recovery scanner (R4): how far the log goes, where it stops, and copying in bulk."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

from msgspec.structs import replace

from engine.core.effects import Effects, RecoveryPhase, SawRecovery
from engine.core.ids import Nonce, Slot, Tick
from engine.core.log.pages import PAGES_PER_ANSWER
from engine.core.log.scanner import QUESTION_SLOTS, QUESTION_SLOTS_MAX, QUESTIONS_MAX
from engine.core.messages import Ask, AskHighest, Highest, Known
from engine.core.run import Run
from engine.core.settings import WINDOW_SLOTS, Leadership, Settings
from engine.core.storage import Vote
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
    beat,
    chosen,
    new_store,
    run,
    sent,
    sent_to,
    shorter,
    told,
    tweet,
)


def question(effects: Effects) -> Nonce:
    """The nonce of the one question how far the log goes."""
    (nonce,) = {message.nonce for _, message in sent(effects, AskHighest)}
    return nonce


def highest(nonce: Nonce, used_max: int, prefix: int | None = None) -> Highest:
    return Highest(nonce, Slot(used_max), Slot(used_max if prefix is None else prefix))


def learned(stage: Stage, through: int) -> Stage:
    """Slots 1 to `through` are chosen, and this site knows it."""
    stage.hear(CAROL, *(chosen(slot, tweet(CAROL, slot)) for slot in range(1, through + 1)))
    return stage


def known(asked: Ask, page: Run) -> Known:
    """A page of an answer."""
    return Known(asked.nonce, page.first, page.last, (page,))


def copy_from(stage: Stage, source: Stage, effects: Effects) -> int:
    """Carries questions and answers between the two until no more is asked; returns how many questions it took."""
    questions, waiting = 0, sent_to(effects, source.site, Ask)
    while waiting:
        assert len(waiting) <= QUESTIONS_MAX, "it is paced by the answers"
        questions += 1
        for known in sent_to(source.hear(stage.site, waiting.pop(0)), stage.site, Known):
            waiting += sent_to(stage.hear(source.site, known), source.site, Ask)
    return questions


# The bound


def test_r4_at_start_all_are_asked_how_far_the_log_goes() -> None:
    effects = Stage(5).vote().tick()
    assert {site for site, _ in sent(effects, AskHighest)} == {BOB, CAROL, DAVE, ERIN}
    assert [saw.phase for saw in told(effects, SawRecovery)] == ["scanning"]


def test_r4_who_knows_this_store_only_after_the_question_is_asked_again_at_once() -> None:
    """Nothing but greetings goes to whom it has not met (W1): the retransmit would be the first that is heard."""
    stage = Stage(3)
    hellos = stage.start()
    assert not sent(stage.tick(), AskHighest)
    nonce = question(stage.welcome([BOB], hellos))
    assert {site for site, _ in sent(stage.welcome([CAROL], hellos), AskHighest)} == {CAROL}
    for site in (BOB, CAROL):
        stage.hear(site, highest(nonce, 0))
    assert not stage.replica.view(0).recovering


def test_r4_one_peers_maximum_is_no_bound() -> None:
    """Trap: bob says that nothing is used; what alice, carol and dave chose is not known to him."""
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    for _ in range(3):
        assert not told(stage.hear(BOB, highest(nonce, 0)), SawRecovery), "a repeat counts once"
    assert stage.replica.view(0).recovering
    effects = stage.hear(CAROL, highest(nonce, 0))
    assert [saw.phase for saw in told(effects, SawRecovery)] == ["done"], "with itself, three of five"


def test_r4_the_bound_is_the_highest_of_a_majority() -> None:
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    stage.hear(BOB, highest(nonce, 7, prefix=0))
    stage.hear(CAROL, highest(nonce, 3, prefix=0))
    view = stage.replica.view(0)
    assert view.recovering
    assert view.holes == (1, 2, 3, 4, 5, 6, 7), "what no peer has learned is left to the hole filler"
    learned(stage, 6)
    stage.wait(500)
    assert stage.replica.view(0).recovering
    stage.hear(DAVE, chosen(7, tweet(CAROL, 7)))
    assert [saw.phase for saw in told(stage.wait(500), SawRecovery)] == ["done"]
    assert not stage.replica.view(0).recovering


def test_r4_what_this_site_accepted_itself_bounds_too() -> None:
    stage = Stage(3)
    stage.store.votes[Slot(4)] = Vote(ballot(1, BOB), ballot(1, BOB), (tweet(BOB, 1),))
    again = stage.restarted().vote()
    again.answer_scan(again.tick(), used_max=0)
    assert again.replica.view(0).recovering
    assert again.replica.view(0).holes == (1, 2, 3, 4)


def test_r4_a_promise_does_not_bound_the_log() -> None:
    """A promise uses nothing: else each scan would be led on by attempts that never wrote anything."""
    stage = Stage(3).vote()
    stage.hear(BOB, accept(ballot(1, BOB), 2, tweet(BOB, 1)))
    nonce = question(stage.tick())
    (answer,) = sent_to(stage.hear(BOB, AskHighest(nonce)), BOB, Highest)
    assert answer == highest(nonce, 2, prefix=0)


def test_d5_a_site_that_does_not_vote_needs_a_majority_of_the_others() -> None:
    stage = Stage(5, store=new_store(ALICE))
    stage.welcome([BOB, CAROL], stage.start())
    nonce = question(stage.tick())
    for peer in (BOB, CAROL):
        assert not told(stage.hear(peer, highest(nonce, 0)), SawRecovery)
    stage.welcome([DAVE], stage.wait(300))
    assert stage.replica.view(0).voting
    effects = stage.wait(3_000)
    assert [saw.phase for saw in told(effects, SawRecovery)] == ["done"], "its own word counts as well now"


def test_w1_an_answer_to_another_question_does_not_count() -> None:
    stage = Stage(3).vote()
    nonce = question(stage.tick())
    stage.hear(BOB, highest(Nonce(nonce + 1), 0))
    assert stage.replica.view(0).recovering
    stage.hear(BOB, highest(nonce, 0))
    assert not stage.replica.view(0).recovering


def test_r4_only_those_who_have_not_answered_are_asked_again() -> None:
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    stage.hear(BOB, highest(nonce, 0))
    effects = stage.wait(1_000)
    assert question(effects) == nonce
    assert {site for site, _ in sent(effects, AskHighest)} == {CAROL, DAVE, ERIN}


def test_r4_when_it_is_done_it_stops_until_the_next_time() -> None:
    stage = Stage(3).ready()
    assert not sent(stage.live(stage.settings.timings.scan_every - 1_000), AskHighest)
    assert question(stage.live(1_100))


def test_r4_a_peer_that_claims_more_is_a_reason_to_ask() -> None:
    stage = Stage(3).ready()
    stage.hear(BOB, beat(used_max=9))
    effects = stage.wait(stage.settings.timings.fill_every)
    assert question(effects)


# Copying


def test_r4_learned_slots_are_copied_in_bulk_from_a_peer_that_has_them() -> None:
    """More slots than one question covers: two questions at least, and far fewer than there are slots."""
    through = QUESTION_SLOTS_MAX + 500
    bob = learned(Stage(3, site=BOB).vote(), through)
    alice = Stage(3).vote()
    effects = alice.answer_scan(alice.tick(), used_max=through)
    questions = copy_from(alice, bob, effects)
    assert alice.store.log == bob.store.log
    assert not alice.replica.view(0).recovering
    assert 2 <= questions < through / 50


def test_r4_where_the_log_goes_on_meanwhile_it_is_copied_until_there_is_little_left() -> None:
    """Else a site that is far behind would never come to the end of a busy log: it would wait for the next scan as long
    as it had copied, and be as far behind again."""
    bob = Stage(3, site=BOB).vote()
    alice = Stage(3).vote()
    end, effects = 0, alice.tick()
    for more in (3 * QUESTION_SLOTS, QUESTION_SLOTS + 1, QUESTION_SLOTS):
        assert not alice.replica.view(0).recovering or end == 0, "what was there at first is learned"
        bob.hear(CAROL, *(chosen(slot, tweet(CAROL, slot)) for slot in range(end + 1, end + more + 1)))
        end += more
        effects = alice.answer_scan(effects, used_max=end)
        asked = sent_to(effects, BOB, Ask)
        while asked:
            for known in sent_to(bob.hear(ALICE, asked.pop(0)), ALICE, Known):
                effects = alice.hear(BOB, known)
                asked += sent_to(effects, BOB, Ask)
        assert alice.replica.prefix == end
    assert not sent(effects, AskHighest)
    assert [saw.phase for saw in told(effects, SawRecovery)] == [RecoveryPhase.DONE]


def test_r4_what_was_chosen_and_its_word_was_lost_is_copied_from_who_claims_it() -> None:
    """Holes are looked for every few seconds, and filled one by one: of thousands of events a second some are always
    lost, and nobody would ever come to the end of that."""
    stage = Stage(3).ready()
    later = stage.settings.timings.retransmit + 1
    stage.hear(BOB, chosen(2, tweet(CAROL, 2)))
    assert not sent(stage.hear(BOB, beat(3)), Ask), "the word of it may be on its way"
    stage.wait(later)
    effects = stage.hear(BOB, beat(3))
    assert [(to, asked.spans) for to, asked in sent(effects, Ask)] == [(BOB, ((1, 3),))]


def test_r4_a_peer_that_claims_more_and_answers_nothing_is_asked_ever_more_rarely() -> None:
    """Who is heard may not hear this site; and a site that copies does not stand for election (L3)."""
    stage = Stage(3).ready()
    asked: list[Tick] = []
    while stage.now < 30_000:
        asked += [stage.now for _ in sent_to(stage.hear(BOB, beat(3)), BOB, Ask)]
        stage.wait(100)
    waits = [after - before for before, after in pairwise(asked)]
    assert len(asked) < 10
    assert waits == sorted(waits)


def test_r4_a_voter_that_too_few_answer_copies_what_is_learned_and_is_not_done() -> None:
    """Of five, erin alone answers alice, and has learned a slot: it may say who else votes now."""
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    assert not sent(stage.hear(ERIN, highest(nonce, 1, prefix=1)), Ask)
    effects = Effects()
    while stage.now < 4 * stage.settings.timings.fill_every:
        effects.extend(stage.hear(ERIN, beat(1)))
        effects.extend(stage.wait(100))
    assert {site for site, _ in sent(effects, Ask)} == {ERIN}
    assert {site for site, _ in sent(effects, AskHighest)} >= {BOB, CAROL, DAVE}, "what is copied is no bound"
    assert stage.replica.view(0).recovering


def test_r4_whose_prefix_goes_on_copies_nothing() -> None:
    """Who works hard is always some slots behind what the others claimed last."""
    stage = Stage(3).ready()
    for slot in range(1, 6):
        assert not sent(stage.hear(BOB, beat(slot + 2)), Ask)
        stage.wait(stage.settings.timings.retransmit + 1)
        stage.hear(BOB, chosen(slot, tweet(CAROL, slot)))


def test_r4_what_a_page_skips_is_lost_and_asked_for_anew_at_once() -> None:
    stage = Stage(3).vote()
    (asked,) = sent_to(stage.answer_scan(stage.tick(), used_max=9), BOB, Ask)
    pages = [run(first, *(tweet(CAROL, slot) for slot in range(first, first + 3))) for first in (1, 4, 7)]
    stage.hear(BOB, known(asked, pages[0]))
    (anew,) = sent_to(stage.hear(BOB, known(asked, pages[2])), BOB, Ask)
    assert anew.spans == ((4, 6),)
    stage.hear(BOB, known(anew, pages[1]))
    assert stage.replica.prefix == 9


def test_r4_what_was_asked_earlier_than_what_is_answered_is_lost_and_asked_for_anew_at_once() -> None:
    """The source answers in turn."""
    through = 2 * QUESTION_SLOTS
    stage = Stage(3).vote()
    first, second = sent_to(stage.answer_scan(stage.tick(), used_max=through), BOB, Ask)
    page = run(1, *(tweet(CAROL, slot) for slot in range(1, 101)))
    stage.hear(BOB, known(first, page))
    page = run(QUESTION_SLOTS + 1, *(tweet(CAROL, slot) for slot in range(QUESTION_SLOTS + 1, through + 1)))
    (anew,) = sent_to(stage.hear(BOB, known(second, page)), BOB, Ask)
    assert anew.spans == ((101, QUESTION_SLOTS),)
    page = run(101, *(tweet(CAROL, slot) for slot in range(101, QUESTION_SLOTS + 1)))
    stage.hear(BOB, known(anew, page))
    assert stage.replica.prefix == through


def test_r6_a_source_that_skips_again_and_again_brings_out_a_bounded_number_of_questions() -> None:
    stage = Stage(3).vote()
    (asked,) = sent_to(stage.answer_scan(stage.tick(), used_max=QUESTION_SLOTS), BOB, Ask)
    anew = 0
    for slot in range(2, QUESTION_SLOTS, 2):
        anew += len(sent(stage.hear(BOB, known(asked, run(slot, tweet(CAROL, slot)))), Ask))
    assert anew <= QUESTIONS_MAX * PAGES_PER_ANSWER
    far = Known(asked.nonce, Slot(2**50), Slot(2**50), ())
    assert not sent(stage.hear(BOB, far), Ask), "it is no page of this answer"


def test_r4_a_page_that_comes_twice_or_late_brings_out_no_question() -> None:
    stage = Stage(3).vote()
    (asked,) = sent_to(stage.answer_scan(stage.tick(), used_max=9), BOB, Ask)
    pages = [run(first, *(tweet(CAROL, slot) for slot in range(first, first + 3))) for first in (1, 4, 7)]
    stage.hear(BOB, known(asked, pages[1]))
    for page in (pages[1], pages[0], pages[0]):
        assert not sent(stage.hear(BOB, known(asked, page)), Ask)
    stage.hear(BOB, known(asked, pages[2]))
    assert stage.replica.prefix == 9


def test_r4_the_peer_that_is_furthest_along_is_asked_alone() -> None:
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    stage.hear(BOB, highest(nonce, 9, prefix=4))
    effects = stage.hear(CAROL, highest(nonce, 9, prefix=9))
    assert [(site, message.spans) for site, message in sent(effects, Ask)] == [(CAROL, ((1, 9),))]
    assert told(effects, SawRecovery) == [SawRecovery(RecoveryPhase.COPYING, Slot(9), Slot(0), CAROL)]


def test_r4_a_source_that_is_silent_is_replaced_by_another() -> None:
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    stage.hear(BOB, highest(nonce, 9, prefix=4))
    stage.hear(CAROL, highest(nonce, 9, prefix=9))
    effects = stage.wait(3 * stage.settings.timings.retransmit)
    assert [site for site, _ in sent(effects, Ask)] == [BOB]


def test_w1_a_page_of_another_question_or_site_turns_no_page() -> None:
    """Bob is asked; carol is next once bob himself says, to this very question, that he has nothing."""
    stage = Stage(3).vote()
    effects = stage.answer_scan(stage.tick(), used_max=3)
    stage.hear(CAROL, beat(used_max=3))
    (asked,) = sent_to(effects, BOB, Ask)
    for sender, nonce in ((BOB, Nonce(asked.nonce + 1)), (CAROL, asked.nonce)):
        assert not sent(stage.hear(sender, Known(nonce, Slot(1), Slot(3), ())), Ask)
    assert sent_to(stage.hear(BOB, Known(asked.nonce, Slot(1), Slot(3), ())), CAROL, Ask)


def test_r4_what_a_page_holds_is_learned_whoever_sent_it() -> None:
    """Learned is learned: a late page, or one of an earlier question, is as good."""
    stage = Stage(3).ready()
    stage.hear(BOB, Known(Nonce(5), Slot(1), Slot(1), (run(1, tweet(BOB, 1)),)))
    assert stage.replica.prefix == 1


def test_r4_who_leads_is_spared_while_another_has_nearly_as_much() -> None:
    stage = Stage(5).vote()
    nonce = question(stage.tick())
    stage.hear(BOB, replace(beat(9), leads=ballot(1, BOB)))
    stage.hear(BOB, highest(nonce, 9, prefix=9))
    effects = stage.hear(CAROL, highest(nonce, 9, prefix=8))
    assert {site for site, _ in sent(effects, Ask)} == {CAROL}


def test_r4_an_answer_that_is_cut_is_gone_on_with_where_it_ended() -> None:
    """A page holds two short entries, or one of the long ones that follow: half of what is asked of these comes."""
    short, through = 64, 64 + 5 * PAGES_PER_ANSWER
    texts = ["x" * (150 if slot > short else 1) for slot in range(1, through + 1)]
    bob = Stage(settings=shorter(Settings(BOB, SITES[:3], Leadership.NONE), 300)).vote()
    bob.hear(CAROL, *(chosen(slot, tweet(CAROL, slot, text=text)) for slot, text in enumerate(texts, 1)))
    alice = Stage(3).vote()
    questions = copy_from(alice, bob, alice.answer_scan(alice.tick(), used_max=through))
    assert alice.store.log == bob.store.log
    assert questions <= 3 + 5 + QUESTIONS_MAX, "what is asked for becomes as much as fits again"


def test_r4_no_more_is_asked_for_at_a_time_than_may_be_in_flight() -> None:
    """What it lacks in a buffer is lost: the larger a page, the fewer are asked for."""
    paged, fit, through = 2_000, 4, 2_000
    bob = learned(Stage(settings=shorter(Settings(BOB, SITES[:3], Leadership.NONE), paged)).vote(), through)
    settings = shorter(Settings(ALICE, SITES[:3], Leadership.NONE), paged)
    alice = Stage(settings=dataclasses.replace(settings, flight_bytes=fit * paged)).vote()
    waiting = sent_to(alice.answer_scan(alice.tick(), used_max=through), BOB, Ask)
    pages: list[int] = []
    while waiting:
        answer = sent_to(bob.hear(ALICE, waiting.pop(0)), ALICE, Known)
        pages.append(len(answer))
        for known in answer:
            waiting += sent_to(alice.hear(BOB, known), BOB, Ask)
    assert alice.store.log == bob.store.log
    assert max(pages) > fit, "the first question is asked before anybody knows how long the entries are"
    assert max(pages[-10:]) <= fit


FAR = WINDOW_SLOTS + 30_000


def behind_the_window() -> tuple[Stage, Effects]:
    stage = Stage(3).vote()
    effects = stage.answer_scan(stage.tick(), used_max=FAR)
    assert sent(effects, Ask)
    return stage, effects


def test_r4_a_bound_beyond_the_window_stands_while_its_sources_are_silent() -> None:
    """One lost datagram must not make a site that is far behind believe that it knows the whole log."""
    stage, _ = behind_the_window()
    effects = stage.wait(30_000)
    assert stage.replica.view(0).recovering
    assert not [saw for saw in told(effects, SawRecovery) if saw.phase == "done"]
    assert sent(effects, AskHighest), "it asks again"


def test_r4_a_bound_beyond_the_window_is_copied_towards() -> None:
    stage, effects = behind_the_window()
    (source, asked), (_, after) = sent(effects, Ask)
    for first in range(1, asked.spans[0][1], 16):
        page = run(first, *(tweet(CAROL, slot) for slot in range(first, first + 16)))
        effects = stage.hear(source, Known(asked.nonce, page.first, page.last, (page,)))
    ((_, following),) = sent(effects, Ask)
    assert following.spans[0][0] == after.spans[0][1] + 1
    assert stage.replica.view(0).holes_count == 0, "it is not filled towards (R6)"


def test_r6_a_bound_beyond_the_window_that_nobody_has_is_given_up() -> None:
    """Each peer that claims to be ahead says that it lacks the very next slot: the claim was absurd."""
    stage, effects = behind_the_window()
    stage.hear(CAROL, beat(used_max=FAR))
    for peer in (BOB, CAROL):
        asked, _ = sent_to(effects, peer, Ask)
        effects = stage.hear(peer, Known(asked.nonce, *asked.spans[0], ()))
    assert [saw.phase for saw in told(effects, SawRecovery)] == ["done"]
    assert stage.replica.view(0).holes_count == 0


def test_r4_a_site_that_was_away_catches_up_and_proposes_after_all_that_it_missed() -> None:
    """The prefix that it comes to is the one of its source, and its next slot is the one after."""
    bob = learned(Stage(3, site=BOB).vote(), 300)
    alice = learned(Stage(3).vote(), 20).restarted().vote()
    copy_from(alice, bob, alice.answer_scan(alice.tick(), used_max=300))
    view = alice.replica.view(0)
    assert (view.prefix, view.next, view.recovering) == (300, 301, False)
