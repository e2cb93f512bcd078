"""A run in text, for `loggos lab --text`: its trace, its diagram, the acceptors at the end, and what everybody knows.

Rules that hold here:
- Ballots are shown as the lab shows them (`tui.lab.ballots`).
- What a site promised, accepted and learned is what its disk holds at the end, whether it runs or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.core.effects import SawLearned, SawOutcome
from engine.core.entry import NOOP, Entry, Tweet, decode, in_words
from engine.core.ids import Ballot, EventId, SiteId, Slot
from engine.core.storage import EventState, Vote
from engine.sim.scenario.onlookers import singly
from engine.sim.scenario.play import Play
from engine.sim.scenario.schedule import Schedule
from engine.sim.scenario.transcript import VIOLATES, Transcript
from tui.lab.ballots import LabBallots

NONE: Final = "--"


@dataclass(frozen=True, slots=True)
class AtSite:
    """What a site's disk holds of a slot at the end."""

    slot: Slot
    site: SiteId
    vote: Vote
    learned: Entry | None


@dataclass(frozen=True, slots=True)
class ToldTo:
    """An outcome that a site told its user. `id` is None where the event got none; `what`: the text of a tweet, None
    where it is none, or the disk has lost it; `winner`: what is at the slot instead."""

    site: SiteId
    id: EventId | None
    what: str | None
    outcome: EventState
    slot: Slot | None
    reason: str | None
    winner: Entry | None


@dataclass(frozen=True, slots=True)
class Ending:
    """A run that was played to its end, in the terms of the lab."""

    names: tuple[SiteId, ...]
    trace: tuple[str, ...]
    diagram: tuple[str, ...]
    as_expected: bool
    verdict: str
    acceptors: tuple[AtSite, ...]
    told: tuple[ToldTo, ...]
    broke: tuple[str, ...] = ()
    """Where a rule is broken, the last thing that was seen before, and which rule it is."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(sorted({each.slot for each in self.acceptors}))

    def ballot(self, value: Ballot | None) -> str:
        return NONE if value is None else LabBallots(self.names).ballot(value)


def played(schedule: Schedule) -> Ending:
    """Plays it to its end. Raises ScenarioError."""
    names = schedule.setup.names
    transcript = Transcript(schedule, reword=LabBallots(names).words)
    play = transcript.play
    acceptors = () if play is None else tuple(_acceptors(play))
    told = () if play is None else tuple(_told(play))
    trace, verdict = tuple(transcript.trace), transcript.verdict
    broke = tuple(line for line in (*_last_seen(trace), verdict)) if verdict.startswith(VIOLATES) else ()
    return Ending(names, trace, tuple(transcript.diagram), transcript.as_expected, verdict, acceptors, told, broke)


def _last_seen(trace: Sequence[str]) -> Sequence[str]:
    """The last line of the trace that was not said by the scenario."""
    return [line for line in trace if not line.startswith("> ")][-1:]


def known(ending: Ending, each: AtSite) -> str:
    """What a site knows of a slot, in a sentence."""
    where = "" if len(ending.slots) == 1 else f"slot {each.slot}: "
    match each.learned:
        case None:
            return f"{each.site}: {where}knows of nothing chosen"
        case _ if each.learned == NOOP:
            return f"{each.site}: {where}the no-op is chosen"
        case entry if _is_tweet(entry):
            return f"{each.site}: {where}Value '{value(entry)}' is chosen"
        case entry:
            return f"{each.site}: {where}{value(entry)} is chosen"


def told(each: ToldTo) -> str:
    """What was told to a site's user, in a sentence."""
    at = "" if each.slot is None else f" at slot {each.slot}"
    what = f"'{each.what}'" if each.what is not None else "the event" if each.id is None else str(each.id)
    user = f"{each.site} told its user that {what} is"
    match each.outcome, each.winner:
        case EventState.CREATED, _:
            return f"{user} created{at}"
        case EventState.LOST, Entry(author=str()) as winner:
            return f"{user} lost{at}, to {_of(winner)}"
        case EventState.LOST, _:
            return f"{user} lost{at}, to the no-op"
        case _:
            why = f": {each.reason}" if each.reason else ""
            return f"{user} {each.outcome.replace('-', ' ')}{at}{why}"


def value(entry: Entry) -> str:
    """What an entry says: the text of a tweet, or who did what."""
    if entry == NOOP:
        return "no-op"
    operation = decode(entry.body).operation
    return operation.text if isinstance(operation, Tweet) else in_words(entry)


def _is_tweet(entry: Entry) -> bool:
    return entry != NOOP and isinstance(decode(entry.body).operation, Tweet)


def _of(entry: Entry) -> str:
    """`s1's 'X'`, or `s1/2 withdrawal`."""
    return f"{entry.author}'s '{value(entry)}'" if _is_tweet(entry) else value(entry)


def _acceptors(play: Play) -> Iterator[AtSite]:
    """Of each slot that a site has used."""
    world = play.world
    used_max = max(max(site.disk.image.used_max, site.disk.image.votes.last or 0) for site in world.sites)
    for number in range(1, used_max + 1):
        slot = Slot(number)
        for site in world.sites:
            yield AtSite(slot, site.name, play.checker.vote(slot, site.name), site.disk.image.entry(slot))


def _told(play: Play) -> Iterator[ToldTo]:
    """What sites told their users, in that order."""
    learned: dict[tuple[SiteId, Slot], Entry] = {}
    for site, saw in play.onlookers.learned_and_told:
        match saw:
            case SawLearned(run):
                learned.update(((site, slot), entry) for slot, entry in run)
            case SawOutcome():
                for each in singly(saw):
                    there = None if each.slot is None else learned.get((site, each.slot))
                    is_own = there is not None and there.id == each.id and _is_tweet(there)
                    text = value(there) if there is not None and is_own else None
                    outcome = ToldTo(site, each.id, text, each.outcome, each.slot, each.reason, there)
                    yield _with_text(play, outcome)


def _with_text(play: Play, each: ToldTo) -> ToldTo:
    """With what its author's disk says at the end of an event that nobody learned."""
    if each.what is not None or each.id is None:
        return each
    row = play.world.sites[play.world.index[each.site]].disk.image.events.get(each.id.number)
    operation = None if row is None else decode(row.body).operation
    return replace(each, what=operation.text) if isinstance(operation, Tweet) else each
