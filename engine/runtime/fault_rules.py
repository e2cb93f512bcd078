"""What a fault rule says, and what the rules together do to one message.

Rules that hold here:
- Pure: no clock, no timer, no global chance. The caller hands in a seeded Random.
- A rule is one line: what it matches (`to=`, `from=`, `type=`, `slot=`), then what it does (`drop`, `hold`, `dup=`,
  `delay=`, `pass`); or `partition GROUP | GROUP`, which drops both ways between the groups.
- `*` is every peer; beside the other of `to=` and `from=` it is anyone. Without both, a rule acts both ways.
- Rules act in the order of their numbers, together: one drop drops, delays add up, each copy has its own delay. What
  a `pass` meets no rule before it holds.
- A rule that names neither type nor slot meets everything, greetings and heartbeats too.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

from engine.contract.answers import MessageFate
from engine.core.ids import NUMBER_MAX, SiteId, Slot, Tick
from engine.core.messages import WORDS, Message

DELAY_MS_MAX: Final = 600_000
RULE_CHARACTERS_MAX: Final = 500

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%\Z")
_DELAY: Final = re.compile(r"([0-9]{1,6})(?:ms)?(?:(?:±|~|\+-|\+/-)([0-9]{1,6})(?:ms)?)?\Z")
_SLOTS: Final = re.compile(r"([0-9]{1,16})(?:-([0-9]{1,16}))?\Z")
_EXAMPLE: Final = "write for example: to=bob type=accept drop=50%"


class BadRule(ValueError):
    """A rule that cannot be read. The message says what to write."""


@dataclass(frozen=True, slots=True)
class Everyone:
    """`*`: whoever belongs to the cluster by then; but for this site, where a rule is of one direction."""

    but: SiteId | None

    def __contains__(self, site: object) -> bool:
        return site != self.but


@dataclass(frozen=True, slots=True)
class Match:
    """Which messages a rule meets; None is "any"."""

    to: Container[SiteId] | None
    sender: Container[SiteId] | None
    types: frozenset[str] | None
    slots: tuple[Slot, Slot] | None

    def meets(self, sender: SiteId, to: SiteId, message: Message) -> bool:
        return (
            (self.to is None or to in self.to)
            and (self.sender is None or sender in self.sender)
            and (self.types is None or message.word() in self.types)
            and (self.slots is None or message.covers(*self.slots))
        )


@dataclass(frozen=True, slots=True)
class Partition:
    """Messages between two of these groups are dropped; a site in no group talks to all."""

    group_of: dict[SiteId, int]

    def meets(self, sender: SiteId, to: SiteId) -> bool:
        ours, theirs = self.group_of.get(sender), self.group_of.get(to)
        return ours is not None and theirs is not None and ours != theirs


@dataclass(frozen=True, slots=True)
class Actions:
    drop: float  # probability, 0 to 1
    duplicate: float  # probability, 0 to 1
    delay_ms: int
    jitter_ms: int
    hold: bool
    passes: bool


@dataclass(frozen=True, slots=True)
class Rule:
    number: int
    text: str
    where: Match | Partition
    actions: Actions


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one message: a delay for each copy that goes on (none: it was dropped).

    `held_by` is the rule that holds it (its copies wait to be released), `late_by` the first that delays it, `acted`
    the rules that did something.
    """

    delays: tuple[Tick, ...]
    held_by: int | None
    late_by: int | None
    note: str | None
    acted: tuple[int, ...]

    @property
    def in_a_word(self) -> MessageFate | None:
        if not self.acted:
            return None
        if self.held_by is not None:
            return MessageFate.HELD
        return MessageFate.CHANGED if self.delays else MessageFate.DROPPED


UNTOUCHED: Final = Fate((Tick(0),), None, None, None, ())


def unsent(why: str) -> Fate:
    """Of a message that no rule touched, and that could not leave."""
    return Fate((), None, None, f"NOT SENT ({why})", ())


def judge(rules: Iterable[Rule], sender: SiteId, to: SiteId, message: Message, random: Random) -> Fate:
    """The fate of one message under the rules that are on."""
    met = [rule for rule in rules if _meets(rule, sender, to, message)]
    if not met:
        return UNTOUCHED
    for rule in met:
        if rule.actions.drop > 0 and random.random() < rule.actions.drop:
            return Fate((), None, None, f"DROP (rule {rule.number})", (rule.number,))
    delays = [0]
    notes: list[str] = []
    acted: list[int] = []
    held_by: int | None = None
    late_by: int | None = None
    passed = max((rule.number for rule in met if rule.actions.passes), default=0)
    for rule in met:
        actions = rule.actions
        did: list[str] = []
        if actions.duplicate > 0 and random.random() < actions.duplicate:
            delays.append(0)
            did.append("DUP")
        if actions.delay_ms or actions.jitter_ms:
            drawn = [_delay_ms(actions, random) for _ in delays]
            delays = [before + more for before, more in zip(delays, drawn, strict=True)]
            late_by = late_by or rule.number
            did.append("delay " + " and ".join(f"{ms} ms" for ms in drawn))
        if actions.hold and held_by is None and rule.number > passed:
            held_by = rule.number
            did.append("HOLD")
        if did:
            acted.append(rule.number)
            notes.append(f"{', '.join(did)} (rule {rule.number})")
    return Fate(tuple(Tick(ms) for ms in delays), held_by, late_by, ", ".join(notes) or None, tuple(acted))


def _meets(rule: Rule, sender: SiteId, to: SiteId, message: Message) -> bool:
    if isinstance(rule.where, Partition):
        return rule.where.meets(sender, to)
    return rule.where.meets(sender, to, message)


def _delay_ms(actions: Actions, random: Random) -> int:
    return max(0, actions.delay_ms + random.randint(-actions.jitter_ms, actions.jitter_ms))


def parse(number: int, text: str, site: SiteId, sites: tuple[SiteId, ...]) -> Rule:
    """The rule that `text` states at `site`, one of `sites`. Raises BadRule."""
    if len(text) > RULE_CHARACTERS_MAX:
        raise BadRule(
            f"a rule is at most {RULE_CHARACTERS_MAX} characters, this one has {len(text)}: add several rules"
        )
    words = text.split()
    if not words:
        raise BadRule(f"the rule is empty; {_EXAMPLE}")
    tidy = " ".join(words)
    if words[0] == "partition":
        dropped = Actions(drop=1.0, duplicate=0.0, delay_ms=0, jitter_ms=0, hold=False, passes=False)
        return Rule(number, tidy, _partition(" ".join(words[1:]), sites), dropped)
    given: dict[str, str | None] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if name in given:
            raise BadRule(f"'{name}' appears twice in the rule: write each word once, with values separated by commas")
        if name not in _WORDS:
            raise BadRule(f"'{name}' is not a word of a rule: use {', '.join(_WORDS)} or partition; {_EXAMPLE}")
        given[name] = value if separator else None
    return Rule(number, tidy, _match(given, site, sites), _actions(given))


_WORDS: Final = ("to", "from", "type", "slot", "drop", "dup", "delay", "hold", "pass")


def _match(given: dict[str, str | None], site: SiteId, sites: tuple[SiteId, ...]) -> Match:
    both = "to" in given and "from" in given
    everyone = Everyone(None if both else site)
    return Match(
        to=_names("to", given["to"], sites, everyone) if "to" in given else None,
        sender=_names("from", given["from"], sites, everyone) if "from" in given else None,
        types=_types(given["type"]) if "type" in given else None,
        slots=_slots(given["slot"]) if "slot" in given else None,
    )


def _names(word: str, value: str | None, sites: tuple[SiteId, ...], everyone: Everyone) -> Container[SiteId]:
    if value == "*":
        return everyone
    return frozenset(_site(name, word, sites) for name in (value or "").split(","))


def _site(name: str, word: str, sites: tuple[SiteId, ...]) -> SiteId:
    if name not in sites:
        raise BadRule(f"'{name}' in '{word}' is not a site of this cluster: use {', '.join(sites)}")
    return SiteId(name)


def _types(value: str | None) -> frozenset[str] | None:
    if value == "*":
        return None
    types = frozenset((value or "").split(","))
    unknown = sorted(types - frozenset(WORDS))
    if unknown:
        raise BadRule(f"'{unknown[0]}' is not a message type: use {', '.join(WORDS)}")
    return types


def _slots(value: str | None) -> tuple[Slot, Slot]:
    found = _SLOTS.match(value or "")
    if not found:
        raise BadRule("'slot' is a slot or a range: write slot=43 or slot=40-50")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= NUMBER_MAX:
        raise BadRule("slots count from 1, and a range ascends: write slot=43 or slot=40-50")
    return Slot(first), Slot(last)


def _actions(given: dict[str, str | None]) -> Actions:
    if not given.keys() & {"drop", "dup", "delay", "hold", "pass"}:
        raise BadRule(
            "a rule needs something to do: drop, drop=50%, dup=10%, delay=200ms, delay=200ms±50, hold or pass"
        )
    if given.get("hold") is not None:
        raise BadRule("'hold' takes no value: write hold, then release or drop held messages by number")
    if given.get("pass") is not None:
        raise BadRule("'pass' takes no value: write pass; earlier rules then do not hold the messages that match")
    if "hold" in given and "pass" in given:
        raise BadRule("a rule either holds or passes: write two rules")
    delay_ms, jitter_ms = _delay(given["delay"]) if "delay" in given else (0, 0)
    return Actions(
        drop=_probability("drop", given["drop"] or "100%") if "drop" in given else 0.0,
        duplicate=_probability("dup", given["dup"] or "100%") if "dup" in given else 0.0,
        delay_ms=delay_ms,
        jitter_ms=jitter_ms,
        hold="hold" in given,
        passes="pass" in given,
    )


def _probability(word: str, value: str) -> float:
    found = _PERCENT.match(value)
    if not found or not 0 < float(found[1]) <= 100:
        raise BadRule(f"'{word}' takes a percentage above 0% and up to 100%: write {word}=50%")
    return float(found[1]) / 100


def _delay(value: str | None) -> tuple[int, int]:
    found = _DELAY.match(value or "")
    if not found:
        raise BadRule("'delay' takes milliseconds: write delay=200ms, delay=200ms±50 or delay=200ms+-50")
    delay_ms, jitter_ms = int(found[1]), int(found[2] or 0)
    if delay_ms + jitter_ms > DELAY_MS_MAX:
        raise BadRule(f"a delay is at most {DELAY_MS_MAX} ms: use hold for longer")
    if delay_ms + jitter_ms == 0:
        raise BadRule("a delay of 0 ms does nothing: write delay=200ms, or leave it out")
    return delay_ms, jitter_ms


def _partition(text: str, sites: tuple[SiteId, ...]) -> Partition:
    groups = [[name for name in re.split(r"[,\s]+", group) if name] for group in text.split("|")]
    if len(groups) < 2 or not all(groups):
        raise BadRule("a partition names two groups or more: write partition alice,bob | carol,dave,erin")
    group_of: dict[SiteId, int] = {}
    for number, group in enumerate(groups):
        for name in group:
            if group_of.setdefault(_site(name, "partition", sites), number) != number:
                raise BadRule(f"'{name}' is in two groups of the partition: name each site once")
    return Partition(group_of)
