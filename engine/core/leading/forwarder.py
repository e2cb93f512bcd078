"""The forwarder: hands the events of this site to the leader, until they are settled (L3).

Rules that hold here:
- E3, E5: events leave in the order of their numbers, each naming the one before it in the chain.
- What is not settled is handed on again, from the start of the chain: to a new leader at once, to the same one after a
  growing time without progress. Repeats are harmless (E1, E5). Perhaps it was chosen, and the word of it was lost: so
  this site asks for what it is missing too.
- D1: an event is durable before it leaves; that it may have left is part of the same write (E2).
- One hop: what was relayed is not relayed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.core.effects import SawHanded
from engine.core.entry import Entry
from engine.core.events.sessions import Sessions
from engine.core.ids import NEVER, EventId, SiteId, Tick
from engine.core.leading.election import Heard
from engine.core.log.pages import entry_pages
from engine.core.messages import HandOn
from engine.core.settings import Settings
from engine.core.step import Step
from engine.core.synod.proposer import RESEND_MAX

HANDED_MAX: Final = 4_096
"""How many events of this site may be on their way to a leader."""

AGAIN_MAX: Final = 256
"""How many of them are handed on again at a time."""


class Forwarder:
    """`offer(step, entries)` gives entries, one at least, to this site's own leader; `ask(step)` asks the others for
    what is missing here."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        offer: Callable[[Step, Sequence[Entry]], None],
        ask: Callable[[Step], None],
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._offer = offer
        self._ask = ask
        self._to: Heard | None = None
        self._again_at = Tick(0)
        self._again_every = settings.timings.retransmit
        self._settled_through = 0

    def push(self, step: Step, to: Heard | None, last_in_effect: int) -> None:
        """Hands on what is new, and all of it where the leader is new; `to` is None while no leader is heard."""
        changed, self._to = to != self._to, to
        if to is None:
            return
        new = self._sessions.hand(step, last_in_effect, HANDED_MAX)
        is_first = bool(new) and new[0].follows == last_in_effect  # nothing else is on its way
        if is_first or last_in_effect != self._settled_through:
            self._settled_through = last_in_effect
            self._again_every = self._settings.timings.retransmit
            self._again_at = Tick(step.now + 2 * self._again_every)
        if changed or step.now >= self._again_at:
            self._again_every = Tick(min(RESEND_MAX, self._again_every * 2))
            self._again_at = Tick(step.now + self._again_every)
            new = self._sessions.chain(last_in_effect, HANDED_MAX if changed else AGAIN_MAX)
            if new and not changed:
                self._ask(step)
        if new:
            self._hand(step, to, new)

    def hold(self) -> None:
        """Nothing is handed on any more; once it is again, that is to a new leader."""
        self._to = None

    def deadline(self) -> Tick:
        waits = self._to is not None and self._sessions.outstanding(self._settled_through)
        return self._again_at if waits else NEVER

    def _hand(self, step: Step, to: Heard, entries: list[Entry]) -> None:
        if to.ballot.site == self._settings.site:
            self._offer(step, entries)
            return
        for page in entry_pages(tuple(entries), self._settings.page_bytes):
            step.send(to.via, HandOn(page, relayed=False))
        step.tell(SawHanded(EventId(self._settings.site, entries[0].number), len(entries), to.ballot, to.via))


def relayed(message: HandOn, leader: SiteId, step: Step) -> None:
    """Passes a peer's events to the leader that this site hears, the one hop."""
    if not message.relayed:
        step.send(leader, HandOn(message.entries, relayed=True))
