"""Whether a live run and simulated ones agree: what must be said, in which order, and what is left to chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.storage import EventState
from engine.sim.scenario.parse import parse
from tui.lab.live_agreement import LiveRun, compare
from tui.lab.live_sayings import Ranks, Saying
from tui.lab.live_score import Nth, Run, Score, Step

S1, S2, S3 = SiteId("s1"), SiteId("s2"), SiteId("s3")
SCHEDULE = parse('sites s1 s2 s3\nhold\ns1 tweets "X"\nrelease\nrun until quiet\n', "a test")
FIRST: Nth = (S1, 1)


def ballot(rank: int, site: SiteId = S1) -> Ballot:
    return Ballot(Round(rank), site)


def says(word: str, sender: SiteId = S1, to: SiteId = S2, rank: int | None = 1) -> Saying:
    return Saying(sender, to, word, Slot(1), None if rank is None else ballot(rank))


PREPARE, ACCEPT, CHOSEN = says("prepare"), says("accept"), says("chosen")


def simulated(*sayings: Saying, round_1: int = 1) -> Run:
    """A run that says all this in the scenario's last line."""
    ranks = Ranks()
    ranks.saw(ballot(round_1))
    ranks.saw(ballot(2, S2))
    steps = (*(Step(Counter(), (), 0) for _ in SCHEDULE.lines[1:]), Step(Counter(), sayings, 5))
    outcomes = {FIRST: (EventState.CREATED, Slot(1))}
    return Run(steps, ranks, {}, outcomes, {Slot(1): FIRST}, None, {})


def live(*sayings: Saying, early: tuple[Saying, ...] = ()) -> LiveRun:
    steps = (early, *(() for _ in SCHEDULE.lines[2:]), sayings)
    ballots = (ballot(1), ballot(1, S2))
    return LiveRun(steps, ballots, frozenset(), {FIRST: (EventState.CREATED, Slot(1))}, {Slot(1): FIRST})


def wrong(run: LiveRun, *others: Run) -> tuple[str, ...]:
    as_written = simulated(PREPARE, ACCEPT, CHOSEN)
    return compare(SCHEDULE, Score(as_written, others), run).wrong


def test_what_comes_once_more_and_what_comes_besides_in_the_end_is_no_difference() -> None:
    run = live(PREPARE, PREPARE, ACCEPT, says("accept", rank=2), ACCEPT, CHOSEN)
    assert wrong(run) == ()
    assert compare(SCHEDULE, Score(simulated(PREPARE, ACCEPT, CHOSEN), ()), run).besides == 1


def test_what_all_simulated_runs_say_must_be_said() -> None:
    assert wrong(live(PREPARE, CHOSEN)) == ("live there is no accept from s1 to s2 of slot 1, 1st ballot of s1",)
    assert wrong(live(PREPARE, CHOSEN), simulated(PREPARE, CHOSEN)) == (), "chance decides whether it is said"


def test_the_order_on_a_link_is_that_of_all_simulated_runs() -> None:
    assert wrong(live(PREPARE, CHOSEN, ACCEPT)) == (f"live {CHOSEN} comes before {ACCEPT}",)
    assert wrong(live(PREPARE, CHOSEN, ACCEPT), simulated(PREPARE, CHOSEN, ACCEPT)) == ()
    other_link = says("accept", to=S3)
    assert wrong(live(PREPARE, ACCEPT, CHOSEN, other_link), simulated(PREPARE, ACCEPT, CHOSEN)) == ()


def test_while_the_scenario_handles_messages_nothing_strange_is_said() -> None:
    strange = says("prepare", rank=2)
    [said] = wrong(live(PREPARE, ACCEPT, CHOSEN, early=(strange, strange)))
    assert said == "only live there is prepare from s1 to s2 of slot 1, 2nd ballot of s1"
    waited = replace(live(PREPARE, ACCEPT, CHOSEN, early=(strange,)), retries=frozenset({ballot(2)}))
    assert wrong(waited) == (), "a ballot after a random wait is chance (B4)"
    asks = says("ask", rank=None)
    assert wrong(live(PREPARE, ACCEPT, CHOSEN, early=(asks,))) == (), "timers ask"


def test_where_another_site_is_quicker_in_the_end_its_slot_is_compared_and_not_its_messages() -> None:
    quicker = replace(PREPARE, sender=S3, ballot=ballot(1, S3))
    assert wrong(live(PREPARE, quicker)) == ()
    lost = replace(live(PREPARE, quicker), outcomes={FIRST: (EventState.LOST, Slot(1))})
    assert wrong(lost) == ("event 1 of s1 is created at 1 in the simulated world; live: lost at 1",)
    elsewhere = replace(quicker, slot=Slot(2))
    assert len(wrong(live(PREPARE, elsewhere))) == 2, "that is another slot"


def test_ballots_have_one_order() -> None:
    run = replace(live(PREPARE, ACCEPT, CHOSEN), ballots=(ballot(1, S2), ballot(1)))
    assert wrong(run) == ("live the ballot number 1 of s2 is below number 1 of s1",)
    assert wrong(run, simulated(PREPARE, ACCEPT, CHOSEN, round_1=3)) == (), "chance decides which is higher"


def test_outcomes_and_what_stands_in_slots_are_the_same() -> None:
    lost = replace(live(PREPARE, ACCEPT, CHOSEN), outcomes={FIRST: (EventState.LOST, Slot(1))})
    assert wrong(lost) == ("event 1 of s1 is created at 1 in the simulated world; live: lost at 1",)
    other = replace(live(PREPARE, ACCEPT, CHOSEN), learned={Slot(1): None})
    assert wrong(other) == ("slot 1 has event 1 of s1 in the simulated world; live: the no-op",)
    nothing = replace(live(PREPARE, ACCEPT, CHOSEN), learned={})
    assert wrong(nothing) == ("slot 1 has event 1 of s1 in the simulated world; live it is not learned",)


def test_ballots_are_told_by_their_rank_and_ballot_0_is_a_ballot() -> None:
    ranks = Ranks()
    for round_ in (19, 17, 19, 0):
        ranks.saw(Ballot(Round(round_), S1))
    ranks.saw(Ballot(Round(18), S2))
    assert [ranks.rank(Ballot(Round(each), S1)) for each in (17, 19, 0, 18)] == [ballot(1), ballot(2), ballot(0), None]
    assert ranks.ascending() == [ballot(1), ballot(1, S2), ballot(2)]
