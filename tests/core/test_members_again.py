"""Names that come back: with another store beside the old one, or with the store that they had (M3, M4, M6)."""

from __future__ import annotations

import pytest

from engine.core.effects import SawNumbered, SawOutcome
from engine.core.entry import NOOP, Add, AddLearner, Entry, Membership, Promote, Readmit, Remove, Stamped, encode
from engine.core.ids import SITES_MAX, Nonce, SiteId, Slot, StoreId
from engine.core.log.members import Members
from engine.core.messages import Accept, Hello, Message, Packet, Prepare, Promise, Verdict, Welcome
from engine.core.settings import Leadership, Settings
from engine.core.storage import EventState, Loss, Standing, WriteEvents, WriteStanding
from tests.core.led import proposed, range_promise, standing
from tests.core.stage import (
    ALICE,
    BOB,
    CAROL,
    ERIN,
    SITES,
    Stage,
    accept,
    ballot,
    beat,
    chosen,
    life_of,
    prepare,
    promise,
    sent,
    told,
    written,
)
from tests.core.test_members_change import DAVE, LAG, NEW, OTHER, answer_hellos, change, staged


def test_m6_a_store_that_was_replaced_and_is_back_gives_out_no_number_that_the_next_one_may_have() -> None:
    stage = staged(CAROL).ready()
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW))))
    assert stage.replica.view(0).voting, "it votes up to slot 4"
    effects = stage.submit(1)
    assert not told(effects, SawNumbered)
    assert not written(effects, WriteEvents)
    effects = stage.hear(BOB, chosen(2, NOOP, NOOP, NOOP))
    effects.extend(stage.wait(100))
    assert [(saw.outcome, saw.id) for saw in told(effects, SawOutcome)] == [(EventState.NOT_CREATED, None)]


def test_m6_numbers_that_came_when_they_may_not_be_given_out_any_more_keep_no_site_busy() -> None:
    stage = staged(CAROL).ready()
    stage.submit_many(1, *["hello"] * 3_000)
    assert stage.replica.deadline() <= stage.now, "the numbers that they lacked are durable"
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW))))
    stage.tick()
    assert stage.replica.deadline() > stage.now


def test_m6_a_voter_that_the_log_names_numbers_on() -> None:
    stage = staged(CAROL).ready()
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, life_of(CAROL)))))
    effects = stage.submit(1)
    assert [saw.first.number for saw in told(effects, SawNumbered)] == [2_000_001]


def test_e2_what_is_under_way_where_the_log_names_the_store_ends_there() -> None:
    """Also where the packet that says so brings the promise that its event waits for."""
    stage = staged(CAROL).ready()
    named = change(BOB, 1, Readmit(CAROL, life_of(CAROL)))
    stage.hear(BOB, accept(ballot(1, BOB), 1, named))
    ((_, asked), *_) = sent(stage.submit(1), Prepare)
    assert asked.first == 2
    effects = stage.hear(BOB, chosen(1, named), promise(asked.ballot, 2))
    assert [saw.outcome for saw in told(effects, SawOutcome)] == [EventState.NOT_CREATED]
    assert not sent(effects, Accept)


def test_m5_who_learns_of_its_removal_once_it_is_added_again_was_removed() -> None:
    """It does not run on an old copy: what it submitted has ended, and its promotion lets it vote."""
    stage = staged(CAROL).ready()
    stage.submit(1, retry=True)
    away = (change(BOB, 1, Remove(CAROL)), *(NOOP,) * (LAG - 1), change(BOB, 2, Add(CAROL, "carol:1")))
    effects = stage.hear(BOB, chosen(1, *away))
    assert [saw.outcome for saw in told(effects, SawOutcome)] == [EventState.NOT_CREATED]
    assert [write.loss for write in written(effects, WriteStanding)] == [Loss.REMOVED]
    promoted = change(BOB, 3, Promote(CAROL, life_of(CAROL)))
    effects = stage.hear(BOB, chosen(LAG + 2, *(NOOP,) * (LAG - 1), promoted))
    assert [write.standing for write in written(effects, WriteStanding)] == [Standing.READMITTED]


def test_m5_who_learns_at_once_that_its_store_was_replaced_and_it_was_removed_was_removed() -> None:
    stage = staged(CAROL).ready()
    pause = (NOOP,) * (LAG - 1)
    removed = change(BOB, 2, Remove(CAROL))
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW)), *pause, removed, *pause))
    assert stage.replica.view(0).voting_why.startswith("slot 5 removed carol, from slot ")


def test_m4_a_store_that_was_removed_may_vote_again() -> None:
    made = Members(SITES[:3], 1)
    added, promoted = AddLearner(DAVE, "dave:1"), Promote(DAVE, NEW)
    changes: list[Membership] = [added, promoted, Remove(DAVE), added, promoted]
    for slot, operation in enumerate(changes, 1):
        assert made.apply(Slot(slot), operation) is None
    assert [made.counts(Slot(slot), DAVE, NEW) for slot in range(2, 7)] == [False, True, False, False, True]
    assert made.of(DAVE, NEW) == (6, None)
    assert made.apply(Slot(6), Readmit(DAVE, OTHER)) is None
    assert made.apply(Slot(7), Readmit(DAVE, NEW)) == "the log has already admitted that store of dave"


def test_m4_a_store_that_votes_again_is_confirmed_as_at_each_start() -> None:
    stage = staged(DAVE)
    answer_hellos(stage, Verdict.NOTED)
    pause = (NOOP,) * (LAG - 1)
    added, promoted = AddLearner(DAVE, "dave:1"), Promote(DAVE, life_of(DAVE))
    changes: list[Membership] = [added, promoted, Remove(DAVE), added, promoted]
    for slot, operation in enumerate(changes):
        stage.hear(BOB, chosen(1 + LAG * slot, change(BOB, 1 + slot, operation), *pause))
    assert stage.replica.prefix == 5 * LAG
    effects = stage.wait(1_000)
    stage.welcome(SITES[:3], effects)
    assert stage.replica.view(0).voting


def test_d5_an_old_copy_that_somebody_has_readmitted_all_the_same_never_votes() -> None:
    """Who asked for it never heard of the later commit, and confirms it. The promises that it forgot would count."""
    stage = staged(CAROL)
    answer_hellos(stage, Verdict.LOST_DISK)
    effects = stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, life_of(CAROL))), *(NOOP,) * LAG))
    effects.extend(stage.wait(10_000))
    stage.welcome([BOB], effects)
    assert not stage.replica.view(0).voting
    assert stage.store.load().standing is Standing.LEARNER
    assert stage.replica.view(0).voting_why.startswith("old-store: ")
    stage.welcome([BOB], stage.restarted().start())
    assert not stage.replica.view(0).voting


def test_m4_a_first_store_that_the_log_replaced_and_readmits_votes_again() -> None:
    """It has forgotten nothing."""
    stage = staged(CAROL).ready()
    pause = (NOOP,) * (LAG - 1)
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW)), *pause))
    assert stage.replica.view(0).voting_why.startswith("old-store: the log replaced")
    effects = stage.hear(BOB, chosen(1 + LAG, change(BOB, 2, Readmit(CAROL, life_of(CAROL))), *pause))
    stage.welcome([BOB], effects)
    assert stage.replica.view(0).voting


def test_m4_of_a_first_store_that_the_log_replaced_the_others_say_what_it_says_itself() -> None:
    """That it votes once it is readmitted: the log, which does not name it, may do so."""
    itself, other = staged(CAROL).ready(), staged().ready()
    for stage in (itself, other):
        stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW)), *(NOOP,) * (LAG - 1)))
        view = stage.replica.view(0)
        assert (view.replaced, view.outdated) == ((CAROL,), ())


def test_m4_a_store_that_was_replaced_is_called_lost_once_it_is_not_needed_any_more() -> None:
    """Of two voters, both have to vote until the change is in effect: the old store must not be barred before."""
    stage = staged().ready()
    verdicts: list[Verdict] = []
    for prefix in (1, LAG - 1):
        entries = (change(BOB, 1, Readmit(CAROL, NEW)),) if prefix == 1 else (NOOP,) * (LAG - 1)
        stage.hear(BOB, chosen(stage.replica.prefix + 1, *entries))
        proof = None
        for number in (7, 8):
            hello = Hello(Nonce(number), proof, stage.settings.founders)
            (_, welcome), *_ = sent(stage.hear(CAROL, hello), Welcome)
            proof = welcome.challenge
        verdicts.append(welcome.verdict)
    assert verdicts == [Verdict.STRANGER, Verdict.LOST_DISK]


def test_d5_a_store_is_not_judged_by_what_was_remembered_of_the_one_before() -> None:
    """Its hello was on its way when the log admitted it here: there the challenge was given out before."""
    stage = staged().ready()
    hello = Packet(CAROL, NEW, 0, None, (Hello(Nonce(7), None, stage.settings.founders),))
    (_, welcome), *_ = sent(stage.hear_packet(hello), Welcome)
    stage.hear(BOB, chosen(1, change(BOB, 1, Readmit(CAROL, NEW))))
    verdicts: list[Verdict] = []
    for number in (8, 9):
        again = Hello(Nonce(number), welcome.challenge, stage.settings.founders)
        effects = stage.hear_packet(Packet(CAROL, NEW, 0, stage.store.life, (again,)))
        (_, welcome), *_ = sent(effects, Welcome)
        verdicts.append(welcome.verdict)
    assert verdicts == [Verdict.UNPROVEN, Verdict.NOTED]


# Promotions


def greets(stage: Stage, site: SiteId) -> None:
    """It says that it runs on the store NEW."""
    hello = next(hello for to, hello in reversed(sent(stage.wait(5_000), Hello)) if to == site)
    says(stage, site, Welcome(hello.nonce, Verdict.NOTED, None, ""))


def says(stage: Stage, site: SiteId, message: Message) -> None:
    stage.hear_packet(Packet(site, NEW, 1, stage.store.life, (message,)))


def proves(stage: Stage, site: SiteId, life: StoreId, nonce: int) -> None:
    """It runs on this store now, and greets with it."""
    proof = None
    for number in (nonce, nonce + 1):
        hello = Packet(site, life, 1, None, (Hello(Nonce(number), proof, stage.settings.founders),))
        (_, welcome), *_ = sent(stage.hear_packet(hello), Welcome)
        proof = welcome.challenge


def asked_for(stage: Stage) -> set[str]:
    """The changes that it submits in some seconds."""
    return {body for write in written(stage.live(4_000), WriteEvents) for body in write.events.bodies}


def test_m3_who_is_wanted_and_is_not_heard_any_more_waits() -> None:
    stage = staged().ready()
    stage.hear(BOB, chosen(1, change(ALICE, 1, Add(DAVE, "dave:1"))))
    greets(stage, DAVE)
    says(stage, DAVE, beat(prefix=LAG, voting=False))
    stage.wait(3_000)
    stage.hear(BOB, chosen(2, *(NOOP,) * (LAG - 1)))
    assert asked_for(stage) == set()
    says(stage, DAVE, beat(prefix=LAG, voting=False))
    assert asked_for(stage) == {encode(Stamped(Promote(DAVE, NEW), 5))}


def test_m3_no_promotion_is_asked_for_while_it_does_not_fit() -> None:
    """It would be void, and asked for again every few seconds."""
    stage = Stage(settings=Settings(ALICE, (ALICE, BOB), Leadership.NONE, change_lag=1)).ready()
    others = tuple(SiteId(f"s{number}") for number in range(3, SITES_MAX + 1))
    changes: list[Membership] = []
    for site in others:
        changes += [AddLearner(site, "x:1"), Promote(site, NEW)]
    entries = (change(BOB, number, operation) for number, operation in enumerate(changes, 1))
    stage.hear(BOB, chosen(1, *entries, change(ALICE, 1, Add(DAVE, "dave:1"))))
    assert len(stage.replica.members()[-1].voters) == SITES_MAX
    greets(stage, DAVE)
    says(stage, DAVE, beat(prefix=stage.replica.prefix, voting=False))
    assert asked_for(stage) == set()
    removed = change(BOB, len(changes) + 1, Remove(others[0]))
    stage.hear(BOB, chosen(len(changes) + 2, removed))
    says(stage, DAVE, beat(prefix=stage.replica.prefix, voting=False))
    assert asked_for(stage) == {encode(Stamped(Promote(DAVE, NEW), 5))}


def test_m3_who_runs_on_another_store_is_not_promoted_by_what_the_one_before_had() -> None:
    stage = staged().ready()
    stage.hear(BOB, chosen(1, change(ALICE, 1, Add(DAVE, "dave:1")), *(NOOP,) * (LAG - 2)))
    greets(stage, DAVE)
    says(stage, DAVE, beat(prefix=LAG, voting=False))
    proves(stage, DAVE, OTHER, 7)
    stage.hear(BOB, chosen(LAG, NOOP))
    assert asked_for(stage) == set()
    stage.hear_packet(Packet(DAVE, OTHER, 1, stage.store.life, (beat(prefix=LAG, voting=False),)))
    assert asked_for(stage) == {encode(Stamped(Promote(DAVE, OTHER), 5))}


def test_m3_while_two_engines_run_under_the_name_neither_is_promoted() -> None:
    """Chance would say which of both votes."""
    stage = staged().ready()
    stage.hear(BOB, chosen(1, change(ALICE, 1, Add(DAVE, "dave:1")), *(NOOP,) * (LAG - 1)))
    greets(stage, DAVE)
    for number, life in enumerate((OTHER, NEW, OTHER)):
        proves(stage, DAVE, life, 10 * number + 1)
    stage.hear_packet(Packet(DAVE, OTHER, 1, stage.store.life, (beat(prefix=LAG, voting=False),)))
    assert stage.replica.view(0).doubled == (DAVE,)
    assert asked_for(stage) == set()
    stage.wait(61 * stage.settings.timings.heartbeat)
    assert stage.replica.view(0).doubled == ()
    stage.hear_packet(Packet(DAVE, OTHER, 1, stage.store.life, (beat(prefix=LAG, voting=False),)))
    assert asked_for(stage) == {encode(Stamped(Promote(DAVE, OTHER), 5))}


# Leading


@pytest.mark.parametrize(
    "changes",
    [
        (Remove(ERIN), AddLearner(ERIN, "erin:1"), Promote(ERIN, life_of(ERIN))),
        (Readmit(ERIN, NEW), Readmit(ERIN, life_of(ERIN))),
    ],
)
def test_m4_where_a_store_votes_again_a_leader_counts_nothing_that_it_promised_before(
    changes: tuple[Membership, ...],
) -> None:
    """Erin promised the slots up to her last one. Of those who vote in the end alone the leader itself promised."""
    stage = Stage(settings=Settings(ALICE, SITES[:5], Leadership.ELECTED, change_lag=LAG)).ready()
    stage.hear(BOB, chosen(1, change(BOB, 1, changes[0])))
    number, first = standing(stage)
    for site, last in ((BOB, None), (ERIN, LAG), (DAVE, None)):
        stage.hear(site, range_promise(number, first, last))
    assert stage.replica.view(0).leader == ALICE
    pause = (NOOP,) * (LAG - 1)
    stage.hear(CAROL, chosen(2, *pause))
    for done, operation in enumerate((*changes[1:], Remove(DAVE), Remove(BOB)), 1):
        stage.hear(CAROL, chosen(1 + LAG * done, change(BOB, 1 + done, operation), *pause))
    assert stage.replica.members()[-1].sites == (ALICE, CAROL, ERIN)
    assert proposed(stage.submit(1), CAROL) == []


def test_m2_a_leader_proposes_at_no_slot_of_a_list_that_came_while_it_heard_nothing_and_goes_again() -> None:
    """Carol promised all slots, then another store of hers votes at 5 to 8, and her first one again from 9 on."""
    stage = Stage(settings=Settings(ALICE, SITES[:3], Leadership.ELECTED, change_lag=LAG)).ready()
    number, first = standing(stage)
    stage.hear(CAROL, range_promise(number, first))
    assert stage.replica.view(0).leader == ALICE
    stage.hear(BOB, chosen(1, *_replaced_and_back()))
    assert [list_.first for list_ in stage.replica.members()] == [1 + LAG, 1 + 2 * LAG]
    assert proposed(stage.submit(1), BOB) == []


def test_m4_a_store_that_was_replaced_and_is_back_votes_at_no_slot_of_the_one_between() -> None:
    stage = staged(CAROL).ready()
    stage.hear(BOB, chosen(1, *_replaced_and_back()))
    effects = stage.wait(100)
    stage.welcome(SITES[:3], effects)
    answers = [stage.hear(BOB, prepare(ballot(9, BOB), slot)) for slot in (2 * LAG, 1 + 2 * LAG)]
    assert [len(sent(effects, Promise)) for effects in answers] == [0, 1]


def _replaced_and_back() -> tuple[Entry, ...]:
    """Slots 1 to 5: the log puts another store of Carol in the place of hers, and then hers again."""
    replaced, back = Readmit(CAROL, NEW), Readmit(CAROL, life_of(CAROL))
    return (change(BOB, 1, replaced), *(NOOP,) * (LAG - 1), change(BOB, 2, back))
