"""What a site does at which slot, by the newest word of its engine, whichever answer or notification that was."""

from __future__ import annotations

from collections.abc import Mapping

from engine.contract.answers import Attempt


class Attempts(dict[int, Attempt]):
    def take(self, told: Mapping[int, Attempt | None]) -> set[int]:
        """Of each slot that is told of, what is done there now; returns those where that is another than before."""
        changed = {slot for slot, attempt in told.items() if self.get(slot) != attempt}
        for slot in changed:
            attempt = told[slot]
            if attempt is None:
                del self[slot]
            else:
                self[slot] = attempt
        return changed

    def take_all(self, told: tuple[Attempt, ...]) -> set[int]:
        """As `take`; there are no others."""
        ended: dict[int, Attempt | None] = dict.fromkeys(self)
        return self.take(ended | {attempt.slot: attempt for attempt in told})
