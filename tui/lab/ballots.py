"""How ballots print in the lab: `3.1`, the round and the site's number in file order.

Rules that hold here:
- Elsewhere a ballot prints as `3.alice`. Sentences that came from there are brought in line, what users wrote is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from engine.core.ids import Ballot, SiteId

_USERS: Final = r'"(?:[^"\\]|\\.)*"|(?<=[0-9]) tweet .*'
"""What users wrote: in quotes in a scenario's lines, and to the end of a sentence (`engine.core.entry.in_words`)."""


class LabBallots:
    """`names` are all sites, in file order."""

    def __init__(self, names: Sequence[SiteId]) -> None:
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        longest_first = sorted(names, key=len, reverse=True)
        sites = "|".join(map(re.escape, longest_first))
        self._printed = re.compile(rf"{_USERS}|(?<![\w.-])([0-9]+)\.({sites})(?![\w-])", re.DOTALL)

    def ballot(self, ballot: Ballot) -> str:
        return f"{ballot.round}.{self._numbers[ballot.site]}"

    def words(self, sentence: str) -> str:
        """The sentence with its ballots as the lab prints them."""
        return self._printed.sub(self._number, sentence)

    def _number(self, found: re.Match[str]) -> str:
        return found[0] if found[2] is None else f"{found[1]}.{self._numbers[SiteId(found[2])]}"


@lru_cache(maxsize=8)
def lab_ballots(names: tuple[SiteId, ...]) -> LabBallots:
    """Those of these sites, made once."""
    return LabBallots(names)
