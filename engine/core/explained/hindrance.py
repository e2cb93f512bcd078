"""What people here make this site's own network do (fault rules), said wherever the site waits for something.

Rules that hold here:
- The fault rules are the runtime's. The core is told which of this site's messages they keep from their way, and says
  it first of all reasons, in words that are made here and nowhere else.
- Nothing is decided by it: no vote, no message, no timer. Only what people are told changes.
- Who has a slot is what a message that was taken says, or a heartbeat: shown, never believed (R6).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.core.ids import NUMBER_MAX, SiteId, Slot, Tick, named
from engine.core.messages import AskHighest, Highest, Message
from engine.core.peers.heartbeats import Peers
from engine.core.said import Role
from engine.core.value import Value


class Verb(StrEnum):
    """What a fault rule does to a message that it keeps from its way."""

    DROP = "drop"
    HOLD = "hold"
    DELAY = "delay"


class Taken(Value):
    """A message that a fault rule keeps from its way."""

    rule: int
    verb: Verb
    outgoing: bool
    peer: SiteId
    message: Message


Meddling = Callable[[Tick], Iterable[Taken]]
"""The messages that are taken lately, as things stand at a moment: not those of a rule that is gone, nor what was let
go since."""


def nobody_meddles(_: Tick) -> Iterable[Taken]:
    """Of a site without fault rules."""
    return ()


class _Kind(Value):
    """How a sentence calls messages that a rule takes, by their role and whether they leave: `of` is filled with the
    sites at the other end, `their` is said where these have just been named."""

    roles: tuple[Role, ...]
    outgoing: bool
    of: str
    their: str


_ANSWERS: Final = _Kind((Role.ANSWER, Role.VOTE), False, "the answers from {}", "their answers")
_NEWS: Final = _Kind((Role.NEWS,), False, "the news from {} that it is chosen", "their news that it is chosen")
_QUESTIONS: Final = _Kind((Role.QUESTION,), True, "the questions to {}", "the questions to them")
_PROPOSALS: Final = _Kind((Role.PROPOSAL,), True, "the proposals to {}", "the proposals to them")
_HANDED: Final = _Kind((Role.EVENTS,), True, "the events handed to {}", "the events handed to them")
_ASKED: Final = _Kind((Role.PROPOSAL,), False, "the proposals from {}", "their proposals")
_VOTES: Final = _Kind((Role.VOTE,), True, "this site's votes for {}", "this site's votes for them")
_SIGNS_IN: Final = _Kind((Role.SIGN,), False, "the heartbeats from {}", "their heartbeats")
_SIGNS_OUT: Final = _Kind((Role.SIGN,), True, "the heartbeats to {}", "the heartbeats to them")

_OF_A_SLOT: Final = (_ANSWERS, _NEWS, _PROPOSALS, _QUESTIONS, _ASKED, _VOTES)
_OF_EVENTS: Final = (_HANDED, *_OF_A_SLOT)
_OF_READS: Final = (_ANSWERS, _QUESTIONS)
_OF_VOTERS: Final = (_SIGNS_IN, _SIGNS_OUT)


@dataclass(frozen=True, slots=True)
class Hindrances:
    """Each sentence is None where no rule is in the way."""

    peers: Peers
    meddling: Meddling

    def of_slots(self, now: Tick, slots: Collection[Slot]) -> dict[Slot, str]:
        """Of unlearned slots that should be settled: `alice and bob have it; fault rule 1 drops their answers`. Those
        that no rule keeps are left out."""
        if not slots:
            return {}
        first, last = min(slots), max(slots)
        taken = [each for each in self.meddling(now) if each.message.covers(first, last)]
        said = {slot: self._of_slot(slot, taken) for slot in slots} if taken else {}
        return {slot: sentence for slot, sentence in said.items() if sentence is not None}

    def of_slot(self, now: Tick, slot: Slot) -> str | None:
        return self.of_slots(now, (slot,)).get(slot)

    def _of_slot(self, slot: Slot, lately: list[Taken]) -> str | None:
        taken = [each for each in lately if each.message.covers(slot, slot)]
        told = [each for each in taken if not each.outgoing]
        have = self.have(slot) | {each.peer for each in told if each.message.decides(slot)}
        from_them = [each for each in taken if each.peer in have]
        return _sentence(from_them, _OF_A_SLOT, have) or _sentence(taken, _OF_A_SLOT)

    def of_events(self, now: Tick, prefix: Slot) -> str | None:
        """Of events that should be in the log: they stand above the prefix, wherever that is."""
        first, last = Slot(prefix + 1), Slot(NUMBER_MAX)
        taken = self.meddling(now)
        return _sentence([each for each in taken if _moves_events(each.message, first, last)], _OF_EVENTS)

    def of_question(self, now: Tick) -> str | None:
        """Of the question how far the log goes."""
        asked = [each for each in self.meddling(now) if isinstance(each.message, AskHighest | Highest)]
        return _sentence(asked, _OF_READS)

    def of_voters(self, now: Tick) -> str | None:
        """Of voters that should be reached."""
        unheard = {peer.site for peer in self.peers.views() if not (peer.up and peer.voting)}
        return _sentence([each for each in self.meddling(now) if each.peer in unheard], _OF_VOTERS)

    def have(self, slot: Slot) -> set[SiteId]:
        """Who said in a heartbeat that the slot is learned there."""
        return {peer.site for peer in self.peers.views() if peer.prefix is not None and peer.prefix >= slot}


def _moves_events(message: Message, first: Slot, last: Slot) -> bool:
    return message.role is Role.EVENTS or message.covers(first, last)


def _sentence(taken: Iterable[Taken], kinds: tuple[_Kind, ...], have: Iterable[SiteId] = ()) -> str | None:
    """Each rule once, with the first of `kinds` that it takes. `have`: who has the slot in question."""
    left = list(taken)
    holders = set(have)
    said: list[str] = []
    for kind in kinds:
        for verb in Verb:
            met = [each for each in left if each.verb is verb and _is(kind, each)]
            if not met:
                continue
            rules = {each.rule for each in met}
            left = [each for each in left if each.rule not in rules]
            whose = {each.peer for each in met}
            what = kind.their if holders and whose == holders else kind.of.format(named(whose))
            said.append(f"fault {_rules(rules)} {verb}{'s' if len(rules) == 1 else ''} {what}")
    if said and holders:
        said.insert(0, f"{named(holders)} {'has' if len(holders) == 1 else 'have'} it")
    return "; ".join(said) or None


def _is(kind: _Kind, taken: Taken) -> bool:
    return taken.outgoing == kind.outgoing and taken.message.role in kind.roles


def _rules(numbers: set[int]) -> str:
    if len(numbers) == 1:
        return f"rule {min(numbers)}"
    *others, last = map(str, sorted(numbers))
    return f"rules {', '.join(others)} and {last}"
