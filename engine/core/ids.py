"""The names and numbers of the protocol, as types that do not mix.

Rules that hold here:
- A slot counts from 1, a round from 0; both are integers of 0 to 2**53 (W2).
- Ballots are ordered by round as a number, then by site name. Ballot 0 of a site is a ballot, not "nothing" (B2, L2).
- A tick is a millisecond of a clock that somebody hands in; the core reads no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random
from typing import Annotated, Final, NewType, TypeVar

from msgspec import Meta

from engine.core.value import Row, Value

SiteId = NewType("SiteId", str)
Slot = NewType("Slot", int)
Round = NewType("Round", int)
Tick = NewType("Tick", int)
StoreId = NewType("StoreId", str)
Nonce = NewType("Nonce", int)

NUMBER_MAX: Final = 2**53
Kind = TypeVar("Kind")
From0 = Annotated[Kind, Meta(ge=0, le=NUMBER_MAX)]
From1 = Annotated[Kind, Meta(ge=1, le=NUMBER_MAX)]
"""A number in a row: what a decoder takes for it (W2)."""

SITES_MAX: Final = 9
LEARNERS_MAX: Final = 9
"""How many voters a cluster has at the most, and how many learners more."""

NEVER: Final = Tick(2**62)
"""The deadline of what waits for no time."""

SITE_NAME_MAX: Final = 16
SITE_NAME: Final = re.compile(rf"[a-z][a-z0-9-]{{0,{SITE_NAME_MAX - 1}}}\Z")
STORE_ID: Final = re.compile(r"[0-9a-f]{16}\Z")


class Ballot(Row, order=True):
    """One attempt's number: totally ordered, never used twice (B1). Prints as `2.alice`."""

    round: From0[Round]
    site: SiteId

    def __str__(self) -> str:
        return f"{self.round}.{self.site}"


class EventId(Value, order=True):
    """An author and the author's own sequence number, from 1. Prints as `alice/17`."""

    author: SiteId
    number: int

    def __str__(self) -> str:
        return f"{self.author}/{self.number}"


def new_nonce(random: Random) -> Nonce:
    """A number that was never used before, as far as chance can tell: 53 bits, and not 0."""
    return Nonce(1 + random.getrandbits(53))


def named(sites: Iterable[SiteId]) -> str:
    """`alice, bob and carol`; `nobody` where there is none."""
    *others, last = sorted(sites) or [SiteId("nobody")]
    return f"{', '.join(others)} and {last}" if others else last


def quorum_size(sites: int) -> int:
    """How many of `sites` make a majority: any two such sets share a site."""
    return sites // 2 + 1
