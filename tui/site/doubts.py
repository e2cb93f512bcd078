"""This site's tweets of which nobody can tell yet what becomes of them: they stand in the timeline where they would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.contract.answers import Attempt, Outcome
from engine.core.entry import Tweet
from tui.site.pending import Pending

SENT: Final = "sent"
DOUBT: Final = "doubt"
CHOSEN: Final = "chosen"


@dataclass(frozen=True, slots=True)
class Doubt:
    """`slot` is where it stands or is tried, None while that is not known; `word` says how far it has come: it is on
    its way (SENT), nobody can tell (DOUBT), or chosen and not in effect yet (CHOSEN)."""

    text: str
    slot: int | None
    word: str
    number: int
    """Its place among those that were sent, so that two of the same words are two."""

    @property
    def place(self) -> tuple[bool, int, int]:
        """Those whose slot is not known come after all others."""
        return self.slot is None, self.slot or 0, self.number


def doubts(
    created: Iterable[tuple[str, int]],
    unknown: Iterable[Pending],
    pending: Iterable[Pending],
    outcomes: Mapping[str, Outcome],
    attempts: Sequence[Attempt],
) -> tuple[Doubt, ...]:
    """In the order in which they would stand in the timeline. `created` are the newest that are in the log, with their
    slots: whoever shows the timeline leaves out those that it has reached."""

    def each() -> Iterator[tuple[str, int | None, str]]:
        for text, slot in created:
            yield text, slot, SENT
        for among, word in ((unknown, DOUBT), (pending, SENT)):
            for one in among:
                if isinstance(one.operation, Tweet):
                    outcome = outcomes.get(one.id or "")
                    yield one.operation.text, _slot(one, outcome, attempts), _word(one, outcome, word)

    return tuple(sorted((Doubt(*one, number) for number, one in enumerate(each())), key=lambda doubt: doubt.place))


def _slot(pending: Pending, outcome: Outcome | None, attempts: Sequence[Attempt]) -> int | None:
    if outcome is not None and outcome.slot is not None:
        return outcome.slot
    attempt = own_attempt(pending, attempts)
    return None if attempt is None else attempt.slot


def _word(pending: Pending, outcome: Outcome | None, word: str) -> str:
    if outcome is not None and outcome.waits_for is not None:
        return CHOSEN
    return DOUBT if pending.orphaned else word


def own_attempt(pending: Pending, attempts: Iterable[Attempt]) -> Attempt | None:
    """What this site does for that event."""
    entries = ((each, each.entry) for each in attempts)
    return next((each for each, entry in entries if entry is not None and pending.id == entry.id is not None), None)
