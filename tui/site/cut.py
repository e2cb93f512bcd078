"""A cut of the whole cluster, for the demo, where one person is every site: a partition rule at each of them.

Rules that hold here:
- One's own site is asked first: what it refuses, no other is asked, so that a mistyped cut changes nothing anywhere.
- A new cut takes the place of the old one. Other fault rules stay.
- A site that cannot be asked is named. Toward it the rules of the others hold, both ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.contract.answers import Rule
from engine.contract.errors import NoAnswer, NoEngine
from engine.contract.requests import Faults, FaultsAdd, FaultsRemove
from tui.client import Client
from tui.counted import plural
from tui.hops import Hop

PARTITION: Final = "partition"
ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Reached:
    """At which sites it was done, how many rules that took away there, and why not at the others: sentences by site."""

    sites: tuple[str, ...]
    removed: int
    missed: dict[str, str]


async def cut(here: Hop, cluster: Sequence[Hop], rule: str) -> Reached:
    """Puts the partition `rule` at every site, in the place of partitions that are there. Raises RequestRefused."""
    first = await _at([here], lambda client: _cut(client, rule))
    others = await _at([hop for hop in cluster if hop != here], lambda client: _cut(client, rule))
    return Reached((*first.sites, *others.sites), first.removed + others.removed, first.missed | others.missed)


async def mend(cluster: Sequence[Hop]) -> Reached:
    """Takes the partitions away at every site."""
    return await _at(cluster, lambda client: _remove(client, _partitions(client)))


def cut_words(reached: Reached) -> str:
    if not reached.sites:
        return f"the cluster is not cut: {_missed(reached)}"
    if reached.missed:
        return f"the cluster is cut at {', '.join(reached.sites)}; {_missed(reached)}"
    return f"the cluster is cut at all {plural(len(reached.sites), 'site')}; p, then m, mends it"


def mended_words(reached: Reached) -> str:
    if not reached.sites:
        return f"nothing is mended: {_missed(reached)}"
    if reached.missed:
        return f"mended: no partition left at {', '.join(reached.sites)}; {_missed(reached)}"
    if not reached.removed:
        return f"there was no partition to mend: all {plural(len(reached.sites), 'site')} were asked"
    return f"mended: no partition left at all {plural(len(reached.sites), 'site')}; other rules stay"


def _missed(reached: Reached) -> str:
    return "; ".join(f"{site} was not asked: {why}" for site, why in reached.missed.items())


async def _at(hops: Sequence[Hop], do: Callable[[Client], int]) -> Reached:
    said = await asyncio.gather(*(asyncio.to_thread(_ask, hop, do) for hop in hops))
    told = {str(hop.site): words for hop, words in zip(hops, said, strict=True)}
    missed = {site: words for site, words in told.items() if isinstance(words, str)}
    removed = sum(words for words in told.values() if isinstance(words, int))
    return Reached(tuple(site for site in told if site not in missed), removed, missed)


def _ask(hop: Hop, do: Callable[[Client], int]) -> int | str:
    """How many rules were taken away there, or why the site could not be asked. Raises RequestRefused."""
    try:
        with Client.connect(hop.socket_path) as client:
            return do(client)
    except NoEngine:
        return "no engine is running"
    except NoAnswer as failed:
        return str(failed)


def _cut(client: Client, rule: str) -> int:
    before = _partitions(client)
    client.ask(FaultsAdd(rule=rule), ANSWER_S)
    return _remove(client, before)


def _partitions(client: Client) -> list[int]:
    rules = client.ask(Faults(), ANSWER_S).rules
    return [rule.number for rule in rules if is_partition(rule)]


def is_partition(rule: Rule) -> bool:
    return rule.text.split()[:1] == [PARTITION]


def _remove(client: Client, numbers: Sequence[int]) -> int:
    for number in numbers:
        client.ask(FaultsRemove(number=number), ANSWER_S)
    return len(numbers)
