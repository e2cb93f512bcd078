"""Whether a live run and the simulated one say the same: types of messages, ballots, order on each link, outcomes.

Rules that hold here (docs/decisions has why):
- Of each link (one way, between two sites) the messages count in the order in which they were sent, each the first
  time. What is said again, for an answer takes longer on real machines, says nothing new.
- What all simulated runs say must be said live, of each slot in the order that all of them have; what users do takes
  time on real machines, and so the slots overlap in another way. What only some runs say is left to chance.
- While a scenario still has messages in its hands, nothing is said live that no simulated run says; but a ballot that
  comes after a random wait (B4) is chance. After that the sites run as they like, and what they say besides is counted
  and told. Where then another site is quicker to settle a slot than in the simulated runs, with a ballot that those do
  not have, nothing more is asked of that slot's messages: what stands in it is compared.
- Questions of sites that lack something, and their answers, come from timers: who asks first, whom, and whether that is
  needed at all is chance. Those that a scenario names are waited for where it does.
- Ballots have one order in both, whoever used them; what stands in a slot, and what became of an event, is the same
  where all simulated runs say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.core.ids import Ballot, SiteId, Slot
from engine.core.storage import EventState
from engine.sim.scenario.schedule import Deliver, Drop, Duplicate, Hold, Release, Schedule
from tui.lab.live_sayings import REPAIR, Saying
from tui.lab.live_score import Nth, Run, Score

Link = tuple[SiteId, SiteId]
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class LiveRun:
    """As `live_score.Run`: `steps` has what was sent while each line was done, `ballots` the ranks in their order,
    `retries` those of them that came after a random wait (B4)."""

    steps: tuple[tuple[Saying, ...], ...]
    ballots: tuple[Ballot, ...]
    retries: frozenset[Ballot]
    outcomes: Mapping[Nth, tuple[EventState, Slot | None]]
    learned: Mapping[Slot, Nth | None]


@dataclass(frozen=True, slots=True)
class Compared:
    """`wrong`: what does not agree, a sentence each; the rest is how much was compared, and what was not."""

    wrong: tuple[str, ...]
    messages: int
    links: int
    ballots: int
    besides: int


def compare(schedule: Schedule, score: Score, live: LiveRun) -> Compared:
    said = _by_link([each for step in live.steps for each in step])
    simulated = [_by_link([each for step in run.steps for each in step.sent]) for run in score.runs]
    excused = _excused(_last_handling(schedule), score, live)
    wrong: list[str] = []
    messages = links = 0
    for link in sorted(simulated[0]):
        everywhere = [each for each in simulated[0][link] if all(each in run.get(link, ()) for run in simulated[1:])]
        needed = [each for each in everywhere if each not in excused]
        wrong += _lacks(needed, said.get(link, []))
        wrong += _disordered(needed, [run[link] for run in simulated], said.get(link, []))
        messages += len(needed)
        links += bool(needed)
    wrong += _strangers(schedule, score, live)
    wrong += _ballots(score.runs, live.ballots)
    wrong += _results(score.runs, live)
    in_all = set.intersection(*({each for link in run.values() for each in link} for run in simulated))
    besides = sum(each not in in_all for link in said.values() for each in link)
    return Compared(tuple(wrong), messages, links, len(_common_ballots(score.runs)), besides)


def _by_link(sayings: Sequence[Saying]) -> dict[Link, list[Saying]]:
    """Each the first time, without questions and their answers."""
    links: dict[Link, dict[Saying, None]] = {}
    for each in sayings:
        if each.word not in REPAIR:
            links.setdefault((each.sender, each.to), {}).setdefault(each)
    return {link: list(said) for link, said in links.items()}


def _lacks(needed: Sequence[Saying], said: Sequence[Saying]) -> Iterator[str]:
    return (f"live there is no {each}" for each in needed if each not in said)


def _disordered(needed: Sequence[Saying], runs: Sequence[Sequence[Saying]], said: Sequence[Saying]) -> Iterator[str]:
    """Pairs that have one order in all runs, and the other one live."""
    there = [each for each in needed if each in said]
    for place, one in enumerate(there):
        for other in there[place + 1 :]:
            if one.slot != other.slot or said.index(one) < said.index(other):
                continue
            if all(run.index(one) < run.index(other) for run in runs):
                yield f"live {other} comes before {one}"


def _last_handling(schedule: Schedule) -> int:
    """The last line that holds messages or lets them go; 0 where none does."""
    handling = Hold | Release | Deliver | Drop | Duplicate
    return max((number for number, line in enumerate(schedule.lines) if isinstance(line.command, handling)), default=0)


def _excused(last: int, score: Score, live: LiveRun) -> set[Saying]:
    """What the simulated runs say of slots, after the last handling, for which a site is quicker live."""
    common = _common_ballots(score.runs)
    quicker = {
        each.slot
        for step in live.steps
        for each in step
        if each.ballot is not None and each.ballot.round and each.ballot not in common
    }
    steps = score.as_written.steps
    before = {each for step in steps[:last] for each in step.sent}
    return {each for step in steps[last:] for each in step.sent if each.slot in quicker} - before


def _strangers(schedule: Schedule, score: Score, live: LiveRun) -> Iterator[str]:
    """What no simulated run says, while the scenario still handles messages."""
    told: set[Saying] = set()
    for step in live.steps[: _last_handling(schedule)]:
        for each in step:
            if each.word in REPAIR or each in score.heard_of or each.ballot in live.retries:
                continue
            if each not in told:
                told.add(each)
                yield f"only live there is {each}"


def _common_ballots(runs: Sequence[Run]) -> list[Ballot]:
    """Those that all runs use."""
    ascending = [run.ranks.ascending() for run in runs]
    return [ballot for ballot in ascending[0] if all(ballot in other for other in ascending[1:])]


def _ballots(runs: Sequence[Run], live: Sequence[Ballot]) -> Iterator[str]:
    orders = [run.ranks.ascending() for run in runs]
    common = [ballot for ballot in _common_ballots(runs) if ballot in live]
    for place, one in enumerate(common):
        for other in common[place + 1 :]:
            if all(order.index(one) < order.index(other) for order in orders) and live.index(one) > live.index(other):
                yield f"live the ballot {_named(other)} is below {_named(one)}"


def _named(ballot: Ballot) -> str:
    return f"number {ballot.round} of {ballot.site}"


def _results(runs: Sequence[Run], live: LiveRun) -> Iterator[str]:
    for nth, (outcome, slot) in _agreed([run.outcomes for run in runs]).items():
        told = live.outcomes.get(nth)
        if told != (outcome, slot):
            said = "nothing was told" if told is None else f"{told[0].value}{_at(told[1])}"
            yield f"event {nth[1]} of {nth[0]} is {outcome.value}{_at(slot)} in the simulated world; live: {said}"
    for slot, whose in _agreed([run.learned for run in runs]).items():
        if slot in live.learned and live.learned[slot] != whose:
            yield f"slot {slot} has {_event(whose)} in the simulated world; live: {_event(live.learned[slot])}"
        elif slot not in live.learned:
            yield f"slot {slot} has {_event(whose)} in the simulated world; live it is not learned"


def _agreed(runs: Sequence[Mapping[_K, _V]]) -> dict[_K, _V]:
    return {key: value for key, value in runs[0].items() if all(run.get(key, None) == value for run in runs[1:])}


def _at(slot: Slot | None) -> str:
    return "" if slot is None else f" at {slot}"


def _event(nth: Nth | None) -> str:
    return "the no-op" if nth is None else f"event {nth[1]} of {nth[0]}"
