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

from engine.contract.answers import Faults
from engine.contract.shape import BadAnswer, read
from tui.client import Client, EngineLost, EngineSilent, NoEngine
from tui.hops import Hop

PARTITION: Final = "partition"
ANSWER_S: Final = 5.0

_UNASKED: Final = (NoEngine, EngineLost, EngineSilent, BadAnswer)


@dataclass(frozen=True, slots=True)
class Reached:
    """At which sites it was done, and why not at the others: sentences by site."""

    sites: tuple[str, ...]
    missed: dict[str, str]


async def cut(here: Hop, cluster: Sequence[Hop], rule: str) -> Reached:
    """Puts the partition `rule` at every site, in the place of partitions that are there. Raises RequestRefused."""
    first = await _at([here], lambda client: _cut(client, rule))
    others = await _at([hop for hop in cluster if hop != here], lambda client: _cut(client, rule))
    return Reached((*first.sites, *others.sites), first.missed | others.missed)


async def mend(cluster: Sequence[Hop]) -> Reached:
    """Takes the partitions away at every site."""
    return await _at(cluster, lambda client: _remove(client, _partitions(client)))


async def _at(hops: Sequence[Hop], do: Callable[[Client], None]) -> Reached:
    said = await asyncio.gather(*(asyncio.to_thread(_ask, hop, do) for hop in hops))
    missed = {str(hop.site): why for hop, why in zip(hops, said, strict=True) if why is not None}
    return Reached(tuple(hop.site for hop in hops if hop.site not in missed), missed)


def _ask(hop: Hop, do: Callable[[Client], None]) -> str | None:
    """Why the site could not be asked; None where it was done. Raises RequestRefused."""
    try:
        with Client.connect(hop.socket_path) as client:
            do(client)
    except NoEngine:
        return "no engine is running"
    except _UNASKED as failed:
        return str(failed)
    return None


def _cut(client: Client, rule: str) -> None:
    before = _partitions(client)
    client.call("faults.add", {"rule": rule}, ANSWER_S)
    _remove(client, before)


def _partitions(client: Client) -> list[int]:
    rules = read(Faults, client.call("faults", timeout_s=ANSWER_S)).rules
    return [rule.number for rule in rules if rule.text.split()[:1] == [PARTITION]]


def _remove(client: Client, numbers: Sequence[int]) -> None:
    for number in numbers:
        client.call("faults.remove", {"number": number}, ANSWER_S)
