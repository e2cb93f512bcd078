"""How ballots print in the lab: `3.1`, the round and the site's number in file order.

Rules that hold here:
- Elsewhere a ballot prints as `3.alice`. Sentences that came from there are brought in line, what users wrote is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from engine.core.ids import Ballot, SiteId

_USERS: Final = re.compile(r"(?<=[0-9]) tweet ")
"""What stands after it is a user's, to the end (`engine.core.entry.in_words`)."""


class LabBallots:
    """`names` are all sites, in file order."""

    def __init__(self, names: Sequence[SiteId]) -> None:
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        longest_first = sorted(names, key=len, reverse=True)
        self._printed = re.compile(rf"(?<![\w.-])([0-9]+)\.({'|'.join(map(re.escape, longest_first))})(?![\w-])")

    def ballot(self, ballot: Ballot) -> str:
        return f"{ballot.round}.{self._numbers[ballot.site]}"

    def words(self, sentence: str) -> str:
        """The sentence with its ballots as the lab prints them."""
        users = _USERS.search(sentence)
        own = len(sentence) if users is None else users.start()
        return self._printed.sub(self._number, sentence[:own]) + sentence[own:]

    def _number(self, found: re.Match[str]) -> str:
        return f"{found[1]}.{self._numbers[SiteId(found[2])]}"
