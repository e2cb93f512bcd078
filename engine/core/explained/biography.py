"""A slot's biography: what the sites' answers say of it, put together; no more than they prove.

Rules that hold here:
- Facts alone: who accepted which ballot (an acceptance once made is a fact for ever), who has learned, who remembers
  when. What no answer tells is None.
- `chosen` is said where somebody has learned the slot, or a majority of those who vote there accepted one ballot.
- "Not chosen" is said only where those that accepted anything, those that did not answer and those that do not vote
  (their disk may have lost an acceptance, D5) are together no majority: an acceptor's variables name its highest
  ballot alone, so whoever accepted anything may have accepted any lower ballot too.
- Times are ticks of the clock of the site that asked, by how long ago the answers say it was: no clocks are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import assert_never

from engine.core.entry import Entry
from engine.core.ids import Ballot, SiteId, Slot, Tick, named, quorum_size
from engine.core.messages import Act, How, SlotState
from engine.core.value import Value


class Progress(StrEnum):
    """How far a slot got, as far as the answers show."""

    EMPTY = "empty"
    PROMISED = "promised"
    ACCEPTED = "accepted"  # by a minority, or at several ballots of which none is known to have a majority
    CHOSEN = "chosen"  # and not learned at the site that asks
    LEARNED = "learned"  # at the site that asks


class Answer(Value):
    """What a site said of the slot, and when that was heard."""

    state: SlotState
    heard: Tick


class SiteAccount(Value):
    """One site's part. Everything but `site` and `answered` is None where it is not known."""

    site: SiteId
    answered: bool
    voting: bool | None = None
    promised: Ballot | None = None
    accepted: Ballot | None = None
    entry: Entry | None = None
    learned: bool | None = None
    learned_at: Tick | None = None
    learned_how: How | None = None
    learned_from: SiteId | None = None


class BallotAccount(Value):
    """Who is known to have promised and accepted this ballot; `chosen`: a majority did, or somebody who counted it."""

    ballot: Ballot
    promised: tuple[SiteId, ...]
    accepted: tuple[SiteId, ...]
    entry: Entry | None
    chosen: bool


class Quorum(Value):
    """A majority that accepted `ballot`. `counted_by` remembers that it decided on these votes; None: the sites' own
    variables tell it."""

    ballot: Ballot
    sites: tuple[SiteId, ...]
    counted_by: SiteId | None


class Biography(Value):
    """`entry` is what is chosen, or accepted at the highest ballot known; `sites` are all, sorted; `ballots` ascend."""

    slot: Slot
    progress: Progress
    may_be_chosen: bool
    sentence: str
    entry: Entry | None
    quorum: Quorum | None
    sites: tuple[SiteAccount, ...]
    ballots: tuple[BallotAccount, ...]


class _Evidence(Value):
    """What the answers say together. `accepted`: who is known to have accepted which ballot; `proved`: ballots that a
    majority accepted, ascending."""

    asker: SiteId
    sites: tuple[SiteId, ...]
    voters: tuple[SiteId, ...]
    states: Mapping[SiteId, SlotState]
    entries: Mapping[str, Entry]  # by digest
    accepted: Mapping[Ballot, Set[SiteId]]
    proved: tuple[Ballot, ...]

    @property
    def learners(self) -> set[SiteId]:
        return {site for site, state in self.states.items() if state.learned}

    @property
    def silent(self) -> set[SiteId]:
        return {site for site in self.sites if site not in self.states}

    @property
    def voteless(self) -> set[SiteId]:
        return {site for site, state in self.states.items() if not state.voting}

    @property
    def may_be_chosen(self) -> bool:
        acceptors = {site for by in self.accepted.values() for site in by}
        doubtful = (self.silent | self.voteless | acceptors).intersection(self.voters)
        return len(doubtful) >= quorum_size(len(self.voters))


def tell(
    slot: Slot,
    asker: SiteId,
    sites: tuple[SiteId, ...],
    voters: tuple[SiteId, ...],
    answers: Mapping[SiteId, Answer],
) -> Biography:
    """The biography that `answers` prove. `asker`'s own is among them; who did not answer has none. `voters` are
    those of the slot, as far as the asker knows (M1)."""
    states = {site: answer.state for site, answer in sorted(answers.items())}
    accepted = _acceptances(states)
    majority = quorum_size(len(voters))
    evidence = _Evidence(
        asker,
        sites,
        voters,
        states,
        {state.entry.digest: state.entry for state in states.values() if state.entry is not None},
        accepted,
        tuple(ballot for ballot, by in sorted(accepted.items()) if len(by.intersection(voters)) >= majority),
    )
    progress = _progress(evidence)
    quorum = _quorum(evidence)
    return Biography(
        slot,
        progress,
        progress in (Progress.CHOSEN, Progress.LEARNED) or evidence.may_be_chosen,
        _sentence(progress, evidence, quorum),
        _entry(evidence),
        quorum,
        tuple(_account(site, answers.get(site), evidence.entries) for site in sites),
        _ballots(evidence),
    )


def _acceptances(states: Mapping[SiteId, SlotState]) -> dict[Ballot, set[SiteId]]:
    """By the sites' variables, by what they remember, and by the memory of who counted votes."""
    found: dict[Ballot, set[SiteId]] = {}
    for site, state in states.items():
        if state.accepted is not None:
            found.setdefault(state.accepted, set()).add(site)
        for deed in state.deeds:
            if deed.act is Act.ACCEPTED:
                found.setdefault(deed.ballot, set()).add(site)
        if state.learning is not None and state.learning.ballot is not None and state.learning.votes:
            found.setdefault(state.learning.ballot, set()).update(state.learning.votes)
    return found


def _progress(evidence: _Evidence) -> Progress:
    if evidence.asker in evidence.learners:
        return Progress.LEARNED
    if evidence.learners or evidence.proved:
        return Progress.CHOSEN
    if evidence.accepted:
        return Progress.ACCEPTED
    promised = any(state.promised is not None for state in evidence.states.values())
    return Progress.PROMISED if promised else Progress.EMPTY


def _quorum(evidence: _Evidence) -> Quorum | None:
    """The first ballot that is known to have had a majority, and who made it."""
    if not evidence.proved:
        return None
    first = evidence.proved[0]
    for site, state in evidence.states.items():
        learning = state.learning
        if learning is not None and learning.how is How.VOTES and learning.ballot == first:
            return Quorum(first, tuple(sorted(learning.votes)), site)
    return Quorum(first, tuple(sorted(evidence.accepted[first])), None)


def _ballots(evidence: _Evidence) -> tuple[BallotAccount, ...]:
    promised: dict[Ballot, set[SiteId]] = {}
    carried: dict[Ballot, Entry | None] = {}
    chosen = set(evidence.proved)
    for site, state in evidence.states.items():
        if state.promised is not None and state.promised != state.accepted:
            promised.setdefault(state.promised, set()).add(site)
        for deed in state.deeds:
            if deed.act is Act.PROMISED:
                promised.setdefault(deed.ballot, set()).add(site)
        if state.accepted is not None and state.digest is not None:
            carried.setdefault(state.accepted, evidence.entries.get(state.digest))
        if state.learning is not None and state.learning.ballot is not None:
            chosen.add(state.learning.ballot)
            carried[state.learning.ballot] = state.entry
    return tuple(
        BallotAccount(
            ballot,
            tuple(sorted(promised.get(ballot, ()))),
            tuple(sorted(evidence.accepted.get(ballot, ()))),
            carried.get(ballot),
            ballot in chosen,
        )
        for ballot in sorted({*promised, *evidence.accepted, *chosen})
    )


def _entry(evidence: _Evidence) -> Entry | None:
    """What is chosen; else what was accepted at the highest ballot, which is what is chosen if anything is (P2c)."""
    for state in evidence.states.values():
        if state.learned and state.entry is not None:
            return state.entry
    votes = [(state.accepted, state.digest) for state in evidence.states.values() if state.accepted is not None]
    if not votes or evidence.learners:
        return None
    _, digest = max(votes, key=lambda vote: vote[0])
    return None if digest is None else evidence.entries.get(digest)


def _account(site: SiteId, answer: Answer | None, entries: Mapping[str, Entry]) -> SiteAccount:
    if answer is None:
        return SiteAccount(site, answered=False)
    state, learning = answer.state, answer.state.learning
    return SiteAccount(
        site,
        True,
        state.voting,
        state.promised,
        state.accepted,
        None if state.digest is None else entries.get(state.digest),
        state.learned,
        None if learning is None else Tick(answer.heard - learning.ago_ms),
        None if learning is None else learning.how,
        None if learning is None else learning.source,
    )


def _sentence(progress: Progress, evidence: _Evidence, quorum: Quorum | None) -> str:
    """The state in one sentence, which claims nothing that the answers do not prove."""
    unheard = f"; {named(evidence.silent)} did not answer" if evidence.silent else ""
    doubts = f"{unheard}; {named(evidence.voteless)} may have lost a vote (D5)" if evidence.voteless else unheard
    verdict = "may be chosen" if evidence.may_be_chosen else "not chosen when they answered"
    match progress:
        case Progress.LEARNED | Progress.CHOSEN:
            start = "learned here" if progress is Progress.LEARNED else "chosen, not learned here yet"
            who = "no site that answered knows" if evidence.silent else "no site knows any more"
            how = f"{who} which quorum chose it"
            if quorum is not None:
                counts = f"{len(quorum.sites)} of {len(evidence.voters)}"
                how = f"{named(quorum.sites)} accepted it at {quorum.ballot}, {counts}"
            return f"{start}: {how}; learned by {named(evidence.learners)}{unheard}"
        case Progress.ACCEPTED:
            votes = ", ".join(f"by {named(by)} at {ballot}" for ballot, by in sorted(evidence.accepted.items()))
            return f"accepted {votes}: no majority is known{doubts}: {verdict}"
        case Progress.PROMISED:
            promisers = (site for site, state in evidence.states.items() if state.promised is not None)
            return f"promised by {named(promisers)}, nothing accepted{doubts}: {verdict}"
        case Progress.EMPTY:
            return f"empty: nothing promised, nothing accepted{doubts}: {verdict}"
        case _:
            assert_never(progress)
