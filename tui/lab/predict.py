"""What will happen? Asked before a step that the core decides, with the answer that its next frame gives.

Rules that hold here:
- The right answer is read from the acceptors' variables and from what is chosen, as they are after the step; never from
  words. Words, the core's own, say why.
- Asked is only what that step decides: an answer that another step brings or none does (a sync that takes time, a site
  that stands still or ends, a message that is dropped), or that was given before (a repeat, a learned slot), is not
  asked for.
- A replica that is broken on purpose answers as it does; the explanation says that the rule is broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.core.entry import NOOP, Entry
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, SiteId, Slot, named, quorum_size
from engine.core.views import AttemptPhase
from tui.lab.ballots import LabBallots
from tui.lab.frame import Acceptor, Frame, SiteState
from tui.lab.seen import Concluded, Fate, Flown
from tui.lab.text import value
from tui.lab.why import Why

NOTHING: Final = Acceptor(None, None, None, None)
YES_NO: Final = ("yes", "no")

LOOK_AGAIN: Final = {"A1": "livelock", "A2": "bb-wins", "B2": "b-wins", "B3": "single", "D5": "wiped-disk"}
"""For each rule that is asked about, the scenario in which one sees it best."""

WORST: Final = 2
"""So many of the rules that were missed most often are named."""


@dataclass(frozen=True, slots=True)
class Question:
    """`right` is the place of the right answer among `options`; `because` says why, and names `rule`."""

    rule: str
    words: str
    options: tuple[str, ...]
    right: int
    because: str


def questions(before: Frame, after: Frame) -> tuple[Question, ...]:
    """What can be asked before the step from one frame to the next one; nothing where that step decides nothing."""
    return tuple(_Asked(before, after).all())


class _Asked:
    def __init__(self, before: Frame, after: Frame) -> None:
        self._before = before
        self._after = after
        self._names = tuple(site.site for site in before.sites)
        self._index = {name: index for index, name in enumerate(self._names)}
        self._quorum = quorum_size(len(self._names))
        self._ballots = LabBallots(self._names)

    def all(self) -> Iterator[Question]:
        for seen in self._after.seen:
            if isinstance(seen, Flown) and seen.fate is Fate.ARRIVES and len(seen.lines) == 1:
                yield from self._arrival(seen, seen.lines[0])

    def _arrival(self, seen: Flown, line: Line) -> Iterator[Question]:
        slot, ballot = line.slot, line.ballot
        if slot is None or ballot is None:
            return
        match line.type:
            case "prepare":
                yield from self._promised(seen, slot, ballot)
            case "accept":
                yield from self._accepted(seen, slot, ballot)
            case "promise":
                yield from self._proposed(seen.to)
            case _:
                return

    # A1

    def _promised(self, seen: Flown, slot: Slot, ballot: Ballot) -> Iterator[Question]:
        state, was, now = self._at(seen.to, slot)
        if (
            was.learned is not None
            or was.max_prepare == ballot
            or not self._answers(seen, slot, {"promise", "refused"})
        ):
            return
        asked, promised = self._said(ballot), self._promise(seen.to, was)
        because = {
            (True, False): f"{promised}, and {asked} is lower: it refuses (A1)",
            (True, True): f"{promised}, and {asked} is lower: it promises anyway, A1 is broken",
            (False, True): f"{promised}{self._not_lower(was, ballot)}: it promises (A1)",
        }
        words = f"Slot {slot}: {seen.sender} asks {seen.to} to promise {asked}. Will it?"
        is_lower = was.max_prepare is not None and ballot < was.max_prepare
        yield from _yes_or_no("A1", words, because, state, is_lower=is_lower, does=now.max_prepare == ballot)

    # A2, B3

    def _accepted(self, seen: Flown, slot: Slot, ballot: Ballot) -> Iterator[Question]:
        state, was, now = self._at(seen.to, slot)
        if was.learned is not None or was.acc_num == ballot or not self._answers(seen, slot, {"accepted", "refused"}):
            return
        asked, promised = self._said(ballot), self._promise(seen.to, was)
        because = {
            (True, False): f"{promised}, and {asked} is lower: it refuses (A2)",
            (True, True): f"{promised}, and {asked} is lower: it accepts anyway, A2 is broken",
            (False, True): f"{promised}{self._not_lower(was, ballot)}: it accepts (A2)",
        }
        words = f"Slot {slot}: {seen.sender} asks {seen.to} to accept at {asked}. Will it?"
        is_lower = was.max_prepare is not None and ballot < was.max_prepare
        found = tuple(_yes_or_no("A2", words, because, state, is_lower=is_lower, does=now.acc_num == ballot))
        yield from found
        if found and slot not in self._before.chosen:
            yield self._chosen(slot, ballot)

    def _chosen(self, slot: Slot, ballot: Ballot) -> Question:
        words = f"Slot {slot}: is anything chosen after that?"
        found = [self._acceptor(state, slot) for state in self._after.sites]
        entries = {each.acc_val for each in found if each.acc_val is not None}
        options = ("nothing", *sorted(f"yes: {self._entry(entry)}" for entry in entries))
        entry = self._after.chosen.get(slot)
        right = 0 if entry is None else options.index(f"yes: {self._entry(entry)}")
        voters = [state.site for state in self._after.sites if self._acceptor(state, slot).acc_num == ballot]
        count = (
            f"{named(voters)} accepted at {self._said(ballot)}"
            if voters
            else f"nobody accepted at {self._said(ballot)}"
        )
        enough = f"{self._quorum} of {len(self._names)} at one ballot make a choice (B3)"
        return Question("B3", words, options, right, f"{count}; {enough}")

    # B2

    def _proposed(self, site: SiteId) -> Iterator[Question]:
        """Its own acceptor takes its proposal in the step in which it is made."""
        before, after = self._before.sites[self._index[site]], self._after.sites[self._index[site]]
        own = [
            (slot, now.acc_num, now.acc_val)
            for slot, now in _changed(before, after)
            if now.acc_num is not None and now.acc_num.site == site and now.acc_num.round and now.acc_val is not None
        ]
        reasons = [
            seen
            for seen in self._after.seen
            if isinstance(seen, Concluded) and seen.site == site and seen.line.type in _PROPOSING
        ]
        if len(own) != 1 or len(reasons) != 1:
            return
        slot, ballot, entry = own[0]
        if self._acceptor(before, slot).acc_num == ballot or reasons[0].line.slot != slot:
            return
        known = {self._acceptor(state, slot).acc_val for state in self._before.sites} - {None}
        options = tuple(sorted({_OWN, _NOOP} | {_whose(each, site) for each in (*known, entry) if each is not None}))
        words = f"Slot {slot}: a majority has promised {self._said(ballot)} to {site}. Which value does it propose?"
        because = Why(self._names).of(reasons[0])
        yield Question("B2", words, options, options.index(_whose(entry, site)), because)

    # What is there

    def _answers(self, asked: Flown, slot: Slot, types: set[str]) -> bool:
        """Whether its addressee answers in this step."""
        answers = (
            line
            for seen in self._after.seen
            if isinstance(seen, Flown)
            and seen.fate is Fate.LEAVES
            and (seen.sender, seen.to) == (asked.to, asked.sender)
            for line in seen.lines
        )
        return any(line.type in types and line.slot == slot for line in answers)

    def _at(self, site: SiteId, slot: Slot) -> tuple[SiteState, Acceptor, Acceptor]:
        before, after = self._before.sites[self._index[site]], self._after.sites[self._index[site]]
        return before, self._acceptor(before, slot), self._acceptor(after, slot)

    def _acceptor(self, state: SiteState, slot: Slot) -> Acceptor:
        return state.acceptors.get(slot, NOTHING)

    def _said(self, ballot: Ballot) -> str:
        return self._ballots.ballot(ballot)

    def _not_lower(self, acceptor: Acceptor, asked: Ballot) -> str:
        """Why what it promised is not in the way."""
        if acceptor.max_prepare is None:
            return ""
        return ", and nothing higher" if acceptor.max_prepare == asked else f", and {self._said(asked)} is higher"

    def _promise(self, site: SiteId, acceptor: Acceptor) -> str:
        promised = acceptor.max_prepare
        return f"{site} has promised " + ("nothing" if promised is None else self._said(promised))

    def _entry(self, entry: Entry) -> str:
        return _NOOP if entry == NOOP else f"{entry.author}'s '{value(entry)}'"


def _yes_or_no(
    rule: str, words: str, because: Mapping[tuple[bool, bool], str], state: SiteState, *, is_lower: bool, does: bool
) -> Iterator[Question]:
    """`because` says why, for (whether the ballot is lower, whether it does). Not asked where what is to be seen of the
    site does not say why."""
    why = because.get((is_lower, does))
    if why is None and state.why == _NO_VOTER:
        rule, why = "D5", f"{state.site} does not vote: the others remember another store of it (D5)"
    if why is not None:
        yield Question(rule, words, YES_NO, YES_NO.index("yes" if does else "no"), why)


def _changed(before: SiteState, after: SiteState) -> Iterator[tuple[Slot, Acceptor]]:
    for slot, acceptor in after.acceptors.items():
        if before.acceptors.get(slot) is not acceptor:
            yield slot, acceptor


def _whose(entry: Entry, site: SiteId) -> str:
    if entry == NOOP:
        return _NOOP
    return _OWN if entry.author == site else f"{entry.author}'s '{value(entry)}'"


_NO_VOTER: Final = "does not vote"
_OWN: Final = "its own value"
_NOOP: Final = "the no-op"
_PROPOSING: Final = frozenset({AttemptPhase.ACCEPTING, AttemptPhase.ADOPTING})


# The score


@dataclass(frozen=True, slots=True)
class Answers:
    """To the questions about one rule."""

    rule: str
    asked: int
    right: int

    @property
    def missed(self) -> int:
        return self.asked - self.right


@dataclass(frozen=True, slots=True)
class Score:
    """`rules` in the order in which they were first asked about."""

    rules: tuple[Answers, ...] = ()

    @property
    def asked(self) -> int:
        return sum(each.asked for each in self.rules)

    @property
    def right(self) -> int:
        return sum(each.right for each in self.rules)

    def answered(self, question: Question, option: int) -> Score:
        is_right = option == question.right
        rules = {each.rule: each for each in self.rules}
        before = rules.get(question.rule, Answers(question.rule, 0, 0))
        rules[question.rule] = replace(before, asked=before.asked + 1, right=before.right + is_right)
        return Score(tuple(rules.values()))

    def worst(self) -> tuple[tuple[Answers, str], ...]:
        """The rules that were missed most often, each with the scenario to look at again."""
        missed = sorted((each for each in self.rules if each.missed), key=lambda each: each.missed, reverse=True)
        return tuple((each, LOOK_AGAIN[each.rule]) for each in missed[:WORST])
