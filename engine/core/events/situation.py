"""Where this site's events stand, and why they do not get on: what `not-created` and `unknown` give as reason (E2).

Rules that hold here:
- An event that is learned above the prefix is chosen, and is never called withdrawn: it takes effect once the prefix
  covers it (E4), unless it is void there (E5). Only where that is certain it is said.
- What this site's own fault rules do comes first.
"""

from __future__ import annotations

from msgspec.structs import replace

from engine.core.entry import Entry
from engine.core.ids import Slot
from engine.core.storage import EventRow, EventState
from engine.core.value import Value


class Doubt(Value):
    """What is said of an event without an outcome. `slot`: where it is chosen or accepted, as far as is known here;
    `waits_for`: it is chosen there, and waits for this slot to be settled."""

    slot: Slot | None
    waits_for: Slot | None
    said: str

    def after(self, lead: str) -> Doubt:
        return replace(self, said=together(lead, self.said))


class Situation(Value):
    """`blocked`: what is in the way of any event; `missing`: the first unlearned slot, and `used` whether anything is
    known to be there. `chosen`: this site's entries that are learned above the prefix, by number, the lowest slot of
    each; `accepted`: the unlearned slots in which this site's acceptor has one. `last`: the last number in effect."""

    hindered: str | None
    blocked: str | None
    counts: str
    missing: Slot
    used: bool
    chosen: dict[int, tuple[Slot, Entry]]
    accepted: dict[int, Slot]
    last: int

    def reason(self, lead: str | None, earlier: str | None) -> str:
        """Of an event that is given up now. `lead` says by whom, `earlier` tells of an event before it without an
        outcome."""
        return together(self.hindered, earlier, lead, self._why())

    def doubt(self, row: EventRow, lead: str | None, earlier: str | None) -> Doubt:
        """As `reason`, of one that may have left; what is before it matters no more to one that is chosen."""
        where = self.left(row)
        if where.waits_for is not None:
            said = together(self.hindered, lead, where.said)
        elif where.slot is None or row.slot is not None:
            said = together(self.reason(lead, earlier), where.said)
        else:
            counts = self.counts if self.blocked is None else None
            said = together(self.hindered, earlier, lead, self.blocked, where.said, counts)
        return replace(where, said=said)

    def left(self, row: EventRow) -> Doubt:
        """Of an event that may have left: where it is, as far as this site knows."""
        found = self.standing(row)
        if found is not None:
            return found
        slot = row.slot
        if slot is None:
            return Doubt(None, None, "it was handed to a leader and is being withdrawn")
        return Doubt(slot, None, f"it may still be chosen at slot {slot}")

    def standing(self, row: EventRow) -> Doubt | None:
        """Where the log has an event that is not in effect yet; None where this site does not know, or proposes it at a
        slot of its own."""
        at, entry = self.chosen.get(row.number, (None, None))
        if at is not None and entry is not None and entry.body == row.body:
            certain = row.state is not EventState.UNKNOWN and self._continues(at, entry)
            then = "takes effect once" if certain else "whether it takes effect is known once"
            return Doubt(at, self.missing, f"chosen at slot {at}; {then} slot {self.missing} is settled")
        slot = self.accepted.get(row.number)
        if slot is None or row.slot is not None:
            return None
        before = None if slot == self.missing else f"slot {self.missing} before it is not settled yet"
        return Doubt(slot, None, together(f"accepted at slot {slot}, not chosen yet", before))

    def _continues(self, at: Slot, entry: Entry) -> bool:
        """Whether it will take effect (E5): what it follows is the last number in effect, or an entry that is chosen
        below it of which the same is true."""
        while entry.follows != self.last:
            before, followed = self.chosen.get(entry.follows, (at, entry))
            if before >= at:
                return False
            at, entry = before, followed
        return True

    def _why(self) -> str:
        if self.blocked is not None:
            return self.blocked
        if self.used:
            return f"slot {self.missing} before it is not settled yet; {self.counts}"
        return f"its turn did not come; {self.counts}"


def together(*parts: str | None) -> str:
    return "; ".join(part for part in parts if part is not None)
