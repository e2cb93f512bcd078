"""What is held at real sites, by fault rules, and how it is let go.

Rules that hold here:
- A message is held where it arrives: it has left its sender, whatever becomes of that one. While its addressee does not
  run, it is held where it leaves.
- Each `hold` and `release` of the scenario is one fault rule, in their order: the last one that a message meets counts.
- Before a line is done, what the simulated world holds there is awaited. A message that comes once more, for its sender
  had to wait longer than in the simulated world, is lost: it says nothing new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.contract import requests
from engine.contract.answers import Direction, Held
from engine.contract.requests import FaultsDrop, FaultsRelease
from engine.core.ids import Ballot, SiteId
from engine.sim.scenario.expected import ExpectHeld
from engine.sim.scenario.patterns import Pattern
from tui.lab.live_names import Names
from tui.lab.live_sayings import REPAIR, WORDS, Saying
from tui.lab.live_score import Score
from tui.lab.live_sites import Sites, Watched

HELD_WITHIN_S: Final = 20.0
"""How long what the simulated world holds may take to be held here, beside what the sites' own timers take."""


@dataclass(frozen=True, slots=True)
class HeldAt:
    """`site`: where; `sayings` have the real ballot."""

    site: SiteId
    sender: SiteId
    to: SiteId
    held: Held
    sayings: tuple[Saying, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """A `hold` or a `release` of the scenario."""

    verb: str
    pattern: Pattern


class Holding:
    def __init__(self, sites: Sites, names: Names, score: Score) -> None:
        self.repeats = 0
        """How many messages that came once more were lost."""
        self._sites = sites
        self._names = names
        self._score = score
        self._said: list[_Said] = []
        self._rules: dict[tuple[SiteId, SiteId | None], list[int]] = {}
        """The numbers at a site of the rules for what arrives there (None), or leaves for a site that is down."""
        self._cuts: dict[tuple[SiteId, SiteId], int] = {}
        """The number of the rule that cuts a link, at its receiver."""
        self._handled: set[Saying] = set()
        """What was let go or lost."""
        self._gone: set[Saying] = set()
        """What a process held that was killed."""

    # Holding and letting go

    def hold(self, pattern: Pattern) -> None:
        self._say(_Said("hold", pattern))

    def release(self, pattern: Pattern) -> None:
        if pattern == Pattern():
            self._said.clear()
            rules, self._rules = self._rules, {}
            for (site, _), numbers in rules.items():
                for number in numbers:
                    self._sites.remove_rule(self._sites[site], number)
            return
        self._say(_Said("pass", pattern))
        self._let_go(self.found(pattern), keep=False)

    def deliver(self, pattern: Pattern) -> str | None:
        """What is wrong, in words, if anything is."""
        found = self.found(pattern)
        self._let_go(found, keep=False)
        return None if found else self._nothing()

    def duplicate(self, pattern: Pattern) -> str | None:
        found = self.found(pattern)
        self._let_go(found, keep=True)
        return None if found else self._nothing()

    def drop(self, pattern: Pattern) -> str | None:
        found = self.found(pattern)
        self._lose(found)
        return None if found else self._nothing()

    def found(self, pattern: Pattern) -> list[HeldAt]:
        """Those held that match, in the order in which they came."""
        found = [each for each in self.held() if self._matches(pattern, each)]
        return pattern.which.of(found)

    def held(self) -> list[HeldAt]:
        held = [
            self._held_at(site.name, each)
            for site in self._sites.answering
            if self._rules_at(site.name)
            for each in self._sites.ask(site, requests.Faults()).held
        ]
        for each in held:
            self._names.ranks.saw(self._names.ballot(each.held.ballot))
        return sorted(held, key=lambda each: (each.held.at, each.site, each.held.number))

    def in_words(self) -> str:
        return "; ".join(str(saying) for each in self.held() for saying in self._ranked(each)) or "nothing"

    # Waiting for what is held

    def settle(self, line: int) -> str | None:
        """Waits until what the simulated world holds before this line is held. What is wrong, in words."""
        must = self._score.must_hold(line) - self._gone
        if not self._rules and not must:
            return None
        bound_s = HELD_WITHIN_S
        wrong = self._sites.until(lambda: self._missing(must), bound_s)
        if wrong is not None:
            return f"{bound_s:g} s later {wrong}"
        self._lose_repeats(self._score.may_hold(line))
        return None

    def _missing(self, must: Iterable[Saying]) -> str | None:
        held = self.held()
        missing = set(must) - {saying for each in held for saying in self._ranked(each)}
        if not missing:
            return None
        first = min(missing, key=str)
        return f"no {first} is held; held: {self.in_words()}"

    def _lose_repeats(self, may: Counter[Saying]) -> None:
        held = [(each, tuple(self._ranked(each))) for each in self.held()]
        count = Counter(saying for _, sayings in held for saying in sayings)
        lost = []
        for each, sayings in reversed(held):
            if all(self._is_repeat(saying, count[saying], may[saying]) for saying in sayings):
                count -= Counter(sayings)
                lost.append(each)
        self.repeats += len(lost)
        self._lose(lost)

    def _is_repeat(self, saying: Saying, count: int, may: int) -> bool:
        """It is held `count` times, and `may` be so often."""
        if saying.word in REPAIR and saying not in self._score.heard_of:
            return True
        return count > max(1, may) or (may == 0 and saying in self._handled)

    # What is expected

    def wrong(self, line: int, expected: ExpectHeld) -> str | None:
        """How many messages are held: what is held more than once, for its sender said it again, counts as one."""
        pattern, count = expected.pattern, expected.count
        kinds = {saying for each in self.found(pattern) for saying in each.sayings}
        if count == 0:
            kinds -= {each for each in kinds if each.ballot in self._retries()}
        wanted = count if count is None or count == 0 else self._kinds(line, expected)
        right = bool(kinds) if wanted is None else len(kinds) == wanted
        return None if right else f"{len(kinds)} are; held: {self.in_words()}"

    def _retries(self) -> set[Ballot]:
        """Ballots that came after a random wait (B4), which is over sooner than anybody can look."""
        for site in self._sites.answering:
            self._sites.catch_up(site)
        return {ballot for site in self._sites.watched.values() for ballot in self._names.retries(site.lines)}

    def _kinds(self, line: int, expected: ExpectHeld) -> int:
        """How many different ones the simulated world holds there."""
        ranks, pattern = self._score.as_written.ranks, expected.pattern
        ballot = None if pattern.ballot is None else ranks.rank(pattern.ballot)
        return sum(
            (not pattern.types or each.word in pattern.types)
            and (not pattern.senders or each.sender in pattern.senders)
            and (not pattern.addressees or each.to in pattern.addressees)
            and (pattern.slot is None or each.slot == pattern.slot)
            and (ballot is None or each.ballot == ballot)
            for each in self._score.as_written.steps[line].held
        )

    # Processes

    def goes_down(self, site: SiteId) -> None:
        """A process is about to be killed: what is for it is held where it leaves."""
        self._gone |= {saying for each in self.held() if each.site == site for saying in self._ranked(each)}
        self._rules = {key: numbers for key, numbers in self._rules.items() if key[0] != site}
        self._cuts = {link: number for link, number in self._cuts.items() if link[1] != site}
        for other in self._sites.answering:
            if other.name != site:
                for said in self._said:
                    self._add(other, said, site)

    def comes_up(self, site: SiteId, cut: Iterable[tuple[SiteId, SiteId]]) -> None:
        """It runs again, and is connected; nothing that the rules hold has reached it."""
        watched = self._sites[site]
        for down in self._sites.watched.values():
            for said in self._said:
                if down is watched:
                    self._add(watched, said, None)
                elif not down.up:
                    self._add(watched, said, down.name)
        self.cut([link for link in cut if link[1] == site])
        for other in self._sites.answering:
            for number in self._rules.pop((other.name, site), ()):
                self._sites.remove_rule(other, number)

    def cut(self, links: Iterable[tuple[SiteId, SiteId]]) -> None:
        """Nothing passes on these links, from and to, from now on."""
        for sender, to in links:
            site = self._sites[to]
            if site.up and (sender, to) not in self._cuts:
                text = f"from={self._names.real(sender)} to={self._names.real(to)} drop"
                self._cuts[sender, to] = self._sites.add_rule(site, text).number

    def mend(self, links: Iterable[tuple[SiteId, SiteId]]) -> None:
        for link in links:
            number = self._cuts.pop(link, None)
            if number is not None:
                self._sites.remove_rule(self._sites[link[1]], number)

    # Rules

    def _say(self, said: _Said) -> None:
        self._said.append(said)
        for site in self._sites.answering:
            self._add(site, said, None)
            for down in self._sites.watched.values():
                if not down.up:
                    self._add(site, said, down.name)

    def _add(self, site: Watched, said: _Said, down: SiteId | None) -> None:
        """Puts the rule on at a site, for what arrives there, or for what leaves for a site that is down."""
        text = self._rule(site.name, said, down)
        if text is not None:
            self._rules.setdefault((site.name, down), []).append(self._sites.add_rule(site, text).number)

    def _rule(self, at: SiteId, said: _Said, down: SiteId | None) -> str | None:
        """None where the pattern is about nothing there."""
        pattern = said.pattern
        to = at if down is None else down
        senders = pattern.senders or frozenset(self._sites.watched)
        senders = senders - {to} if down is None else senders & {at}
        if not senders or (pattern.addressees and to not in pattern.addressees):
            return None
        names = ",".join(sorted(self._names.real(sender) for sender in senders))
        words = [f"from={names}", f"to={self._names.real(to)}", f"type={','.join(sorted(pattern.types or WORDS))}"]
        if pattern.slot is not None:
            words.append(f"slot={self._names.real_slot(pattern.slot)}")
        return " ".join([*words, said.verb])

    def _rules_at(self, site: SiteId) -> bool:
        return any(at == site for at, _ in self._rules)

    # Messages

    def _held_at(self, at: SiteId, held: Held) -> HeldAt:
        peer = self._names.site(held.peer)
        sender, to = (peer, at) if held.dir == Direction.IN else (at, peer)
        return HeldAt(at, sender, to, held, tuple(self._names.sayings(sender, to, held)))

    def _ranked(self, held: HeldAt) -> Iterable[Saying]:
        return self._names.ranks.ranked(held.sayings)

    def _matches(self, pattern: Pattern, each: HeldAt) -> bool:
        held, ballot = each.held, self._names.ballot(each.held.ballot)
        if pattern.senders and each.sender not in pattern.senders:
            return False
        if pattern.addressees and each.to not in pattern.addressees:
            return False
        if held.type not in (pattern.types or WORDS):
            return False
        wanted = pattern.ballot
        if wanted is not None and (ballot is None or not self._names.is_ballot(wanted, ballot)):
            return False
        if pattern.slot is None:
            return True
        slot = self._names.real_slot(pattern.slot)
        return any(first <= slot and (last is None or slot <= last) for first, last in held.slots)

    def _let_go(self, found: Iterable[HeldAt], *, keep: bool) -> None:
        for site, numbers in self._by_site(found):
            self._sites.ask(site, FaultsRelease(held=numbers, keep=keep))

    def _lose(self, found: Iterable[HeldAt]) -> None:
        for site, numbers in self._by_site(found):
            self._sites.ask(site, FaultsDrop(held=numbers))

    def _by_site(self, found: Iterable[HeldAt]) -> Iterable[tuple[Watched, tuple[int, ...]]]:
        numbers: dict[SiteId, list[int]] = {}
        for each in found:
            self._handled.update(self._ranked(each))
            numbers.setdefault(each.site, []).append(each.held.number)
        return [(self._sites[site], tuple(held)) for site, held in numbers.items()]

    def _nothing(self) -> str:
        return f"nothing that is held matches; held: {self.in_words()}"
