"""Reads patterns of messages, and what a scenario expects.

Rules that hold here:
- An expectation names the slot, site or event first, then what is to be true of it.
"""

from __future__ import annotations

from typing import Final

from engine.core.ids import Ballot, SiteId, Slot
from engine.core.messages import WORDS
from engine.core.storage import EventState
from engine.sim.scenario.expected import (
    AcceptedIs,
    Checkable,
    Expectation,
    ExpectChosen,
    ExpectElections,
    ExpectFollowing,
    ExpectHeld,
    ExpectHole,
    ExpectLearned,
    ExpectOutcome,
    ExpectRead,
    ExpectSlot,
    ExpectState,
    ExpectStopped,
    ExpectViolation,
    Fact,
    LearnedIs,
    NotLearned,
    Promised,
    ReadState,
    State,
)
from engine.sim.scenario.patterns import Pattern, Which
from engine.sim.scenario.words import BadLine, Words

_OUTCOMES: Final = (EventState.CREATED, EventState.LOST, EventState.NOT_CREATED, EventState.UNKNOWN)
_ELECTIONS: Final = ("election", "elections")

EXPECT_USAGE: Final = (
    "expect slot N at SITE: [promised BALLOT|nothing] [accepted BALLOT [ENTRY]|nothing] [learned [ENTRY] | not learned]"
    " | expect outcome EVENT created|lost|not-created|unknown|open [at N] | expect all|SITE... learned N = ENTRY"
    " | expect read of SITE confirmed|unconfirmed|open [at N] | expect chosen N = ENTRY|nothing | expect hole N at SITE"
    " | expect up|down|voting|leading|not voting|not leading SITE | expect stopped SITE by RULE"
    " | expect all|SITE... follow SITE|nobody | expect N|no elections"
    ' | expect N|no|any held [PATTERN] | expect violation RULE; an ENTRY is SITE/NUMBER, "TEXT" or no-op'
)


def pattern(words: Words) -> Pattern:
    """To the end of the line. Raises BadLine."""
    which = Which.ALL
    types: set[str] = set()
    senders: tuple[SiteId, ...] = ()
    addressees: tuple[SiteId, ...] = ()
    slot: Slot | None = None
    ballot: Ballot | None = None
    numbers: set[int] = set()
    while not words.done:
        word = words.peek().rstrip(",")
        if words.takes("from"):
            senders = words.sites_needed()
        elif words.takes("to"):
            addressees = words.sites_needed()
        elif words.takes("slot"):
            slot = words.slot()
        elif words.takes("ballot"):
            ballot = words.ballot()
        elif word in WORDS:
            types.add(words.take().rstrip(","))
        elif word.startswith("#"):
            numbers.add(words.message())
        elif word in tuple(Which):
            which = Which(words.take())
        else:
            raise BadLine(f"{word!r} is not a type of message: write one of {', '.join(WORDS)}")
    return Pattern(which, frozenset(types), frozenset(senders), frozenset(addressees), slot, ballot, frozenset(numbers))


def expectation(words: Words) -> Expectation:
    """To the end of the line. Raises BadLine."""
    if words.takes("no", "held"):
        return ExpectHeld(pattern(words), 0)
    if words.takes("any", "held"):
        return ExpectHeld(pattern(words), None)
    if words.peek().isdigit() and words.peek(1) not in _ELECTIONS:
        count = words.number()
        words.need("held")
        return ExpectHeld(pattern(words), count)
    return checkable(words)


def checkable(words: Words) -> Checkable:
    """What can be told from the world alone; other words may follow it. Raises BadLine."""
    if words.takes("slot"):
        return _slot(words)
    if words.takes("outcome"):
        return _outcome(words)
    if words.takes("read", "of"):
        site, became = words.site(), words.one_of({each: each.value for each in ReadState}, "state of a read")
        return ExpectRead(site, became, words.slot() if words.takes("at") else None)
    if words.takes("chosen"):
        slot = words.slot()
        words.need("=")
        return ExpectChosen(slot, None if words.takes("nothing") else words.what())
    if words.takes("hole"):
        slot = words.slot()
        words.need("at")
        return ExpectHole(slot, words.site())
    if words.takes("stopped"):
        site = words.site()
        words.need("by")
        return ExpectStopped(site, words.take("a rule"))
    if words.takes("no", "elections"):
        return ExpectElections(0)
    if words.peek().isdigit() and words.peek(1) in _ELECTIONS:
        count = words.number()
        words.take()
        return ExpectElections(count)
    if words.takes("violation"):
        return ExpectViolation(words.take("a rule"))
    for state in State:
        if words.takes(*state.value.split()):
            return ExpectState(words.site(), state)
    sites = words.some_sites()
    if not sites and not words.takes("all"):
        raise BadLine(f"{words.peek()!r} is not something to expect")
    if words.takes("follow") or words.takes("follows"):
        return ExpectFollowing(sites, None if words.takes("nobody") else words.site())
    words.need("learned")
    slot = words.slot()
    words.need("=")
    return ExpectLearned(sites, slot, words.what())


def _slot(words: Words) -> ExpectSlot:
    slot = words.slot()
    words.need("at")
    name = words.take("a site")
    site = SiteId(name.removesuffix(":"))
    if site not in words.sites:
        raise BadLine(f"{site!r} is not a site: write one of {', '.join(words.sites)}, with a colon after it")
    if not name.endswith(":"):
        words.need(":")
    facts: list[Fact] = []
    while not words.done and words.peek() != "within":
        facts.append(_fact(words))
    if not facts:
        raise BadLine("nothing is expected of the slot")
    return ExpectSlot(slot, site, tuple(facts))


def _fact(words: Words) -> Fact:
    if words.takes("promised"):
        return Promised(None if words.takes("nothing") else words.ballot())
    if words.takes("accepted"):
        if words.takes("nothing"):
            return AcceptedIs(None, None)
        ballot = words.ballot()
        return AcceptedIs(ballot, words.what() if _at_entry(words) else None)
    if words.takes("not", "learned"):
        return NotLearned()
    words.need("learned")
    return LearnedIs(words.what() if _at_entry(words) else None)


def _at_entry(words: Words) -> bool:
    return words.at_quote() or words.peek() == "no-op" or "/" in words.peek()


def _outcome(words: Words) -> ExpectOutcome:
    event = words.event()
    word = words.take("an outcome")
    if word == "open":
        return ExpectOutcome(event, None, None)
    if word not in _OUTCOMES:
        raise BadLine(f"{word!r} is not an outcome: write created, lost, not-created, unknown, or open for none yet")
    return ExpectOutcome(event, EventState(word), words.slot() if words.takes("at") else None)
