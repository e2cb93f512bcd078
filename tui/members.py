"""Who belongs to the cluster, and what a change of that would do, in words; commands and screen say the same.

Rules that hold here:
- What a change does to the quorum is said before it is asked for, in numbers of voters that are heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from engine.contract.answers import Outcome, OutcomeWord
from engine.contract.members import ChangePlan, Member, Members
from engine.contract.requests import ChangeKind
from engine.contract.status import Coming, MemberStanding, Quorum
from engine.contract.words import entry_words
from tui import entries, times
from tui.counted import plural
from tui.parts import Part, Role

_STANDINGS: Final[Mapping[str, tuple[str, Role]]] = {
    MemberStanding.VOTER: ("voter", Role.GOOD),
    MemberStanding.NO_VOTE: ("does not vote now", Role.WARN),
    MemberStanding.NEW_STORE: ("new store: its disk was lost or replaced", Role.WARN),
    MemberStanding.OLD_STORE: ("old store, which never votes again", Role.WARN),
    MemberStanding.LEARNER: ("learner", Role.PLAIN),
    MemberStanding.NOT_HEARD: ("not heard", Role.BAD),
    MemberStanding.REMOVED: ("removed", Role.WARN),
    MemberStanding.STRANGER: ("not in the cluster", Role.WARN),
}

_MEANS: Final[Mapping[str, str]] = {
    ChangeKind.READMIT: "{site} votes with its present store, in place of the lost one, which never votes again",
    ChangeKind.ADD: "{site}, at {address}, joins the cluster; it votes once it has copied the log",
    ChangeKind.ADD_LEARNER: "{site}, at {address}, joins the cluster as a learner: it copies the log and does not vote",
    ChangeKind.PROMOTE: "{site} votes, with its present store",
    ChangeKind.REMOVE: "{site} leaves the cluster: it no longer votes or writes; what it wrote stays",
    ChangeKind.MOVE: "the others expect {site} at {address}",
}

_DONE: Final[Mapping[str, str]] = {
    ChangeKind.READMIT: "{site} votes from slot {first} on, as soon as no-ops have filled the log up to there",
    ChangeKind.ADD: "{site} can be started now: it copies the log, then votes",
    ChangeKind.ADD_LEARNER: "{site} can be started now: it copies the log",
    ChangeKind.PROMOTE: "{site} votes from slot {first} on, as soon as no-ops have filled the log up to there",
    ChangeKind.REMOVE: "{site} does not vote from slot {first} on; its engine ends when its screen is closed",
    ChangeKind.MOVE: "the others expect {site} at {address}, unless they hear it elsewhere",
}


def standing_word(standing: str) -> Part:
    return Part(*_STANDINGS.get(standing, (standing, Role.PLAIN)))


def standing(told: Members, member: Member) -> Part:
    words, role = standing_word(member.standing)
    if member.standing == MemberStanding.LEARNER and member.wanted_by is not None:
        by_hand = by_hand_because(member.wanted_by, told.standing_of(member.wanted_by)) is not None
        words += ", to be promoted by hand" if by_hand else ", votes once it has the log"
    if member.standing == MemberStanding.NOT_HEARD:
        since = None if member.heard_s is None else times.now() - timedelta(seconds=member.heard_s)
        words += " by this engine yet" if since is None else f" since {since:%d %b %H:%M:%S}"
    return Part(words, role)


def by_hand_because(added_by: str, standing: str | None) -> str | None:
    """Why the site that added a learner to vote does not promote it by itself; None where it does. `standing`: of that
    site, None where it belongs to the cluster no more."""
    match standing:
        case MemberStanding.VOTER | MemberStanding.NO_VOTE:
            return None
        case MemberStanding.NOT_HEARD:
            why = "is not heard"
        case None | MemberStanding.STRANGER | MemberStanding.REMOVED:
            why = "was removed"
        case _:
            why = "does not vote"
    return f"{added_by}, which added it, {why}"


def plan(planned: ChangePlan) -> Iterator[tuple[str, str]]:
    """A name and words for each thing that there is to know before it is done."""
    what = f"{planned.kind} {planned.site}"
    yield "what", f"{what}: {_MEANS.get(planned.kind, '').format(site=planned.site, address=planned.address)}"
    yield "now", f"{_needed(planned.now, 'are')}; {_heard(planned.now)}"
    yield "then", f"{_needed(planned.then, 'will be')}; {_heard(planned.then)} now"
    yield "when", f"{planned.waits:,} slots after its own; no-ops fill those at once"


def done(planned: ChangePlan, outcome: Outcome) -> str | None:
    """What comes of it, once it is in the log."""
    if outcome.outcome != OutcomeWord.CREATED or outcome.slot is None:
        return None
    first = f"{outcome.slot + planned.waits:,}"
    return _DONE.get(planned.kind, "").format(site=planned.site, address=planned.address, first=first)


def coming(change: Coming) -> str:
    """A change that is in the log, and not in effect yet."""
    entry = change.entry
    what = "a change of the members"
    if entry is not None:
        what = entry_words(entry.kind, entry.author, entries.content(entry))
    return f"{what}: chosen at slot {change.slot:,}, in effect from slot {change.since:,} on"


def quorum(counted: Quorum) -> str:
    return f"{_needed(counted, 'are')}; {_heard(counted)}"


def _needed(counted: Quorum, are: str) -> str:
    are = "is" if are == "are" and counted.needed == 1 else are
    return f"{counted.needed} of {plural(counted.size, 'voter')} {are} needed"


def _heard(counted: Quorum) -> str:
    return f"{counted.reachable} {'is' if counted.reachable == 1 else 'are'} heard"
