"""One step of a replica: the moment, and the effects gathered so far.

Rules that hold here:
- D5: whether the site votes is asked once, where the step is made; only the lives, which decide it, change it within
  a step.
- What a site sends to itself is looped back within the step, so that its own vote is in the same commit as what it
  answers, and leaves no later than that (D1).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from engine.core.effects import Effects, Observation, Send
from engine.core.ids import SiteId, Tick
from engine.core.messages import Message
from engine.core.storage import Write


class Step(Struct, gc=False):
    now: Tick
    site: SiteId
    voting: bool
    effects: Effects = field(default_factory=Effects)
    looped: list[Message] = field(default_factory=list)

    def write(self, write: Write) -> None:
        """Is durable before anything of this step leaves or is told (D1)."""
        self.effects.writes.append(write)
        self.effects.claims = True

    def write_along(self, write: Write) -> None:
        """Becomes durable with the next commit: nothing that leaves or is told rests on this disk for it. What was
        chosen, and what follows from that: a majority has it on its disks, and a site that dies before learns it again.
        The commit numbers heard of peers, which D5 wants as new as they can be had."""
        self.effects.writes.append(write)

    def send(self, to: SiteId, message: Message) -> None:
        if to == self.site:
            self.looped.append(message)
        else:
            self.effects.sends.append(Send(to, message))

    def send_along(self, to: SiteId, message: Message) -> None:
        """Leaves with whatever leaves for that site next: that a slot was chosen, where no event of that site was."""
        self.effects.sends.append(Send(to, message, along=True))

    def cast(self, sites: Iterable[SiteId], message: Message) -> None:
        for site in sites:
            self.send(site, message)

    def cast_beside(self, sites: Iterable[SiteId], message: Message) -> None:
        """As `cast`, of what may leave beside the commit: an elected leader's accepts alone (L3)."""
        for site in sites:
            if site == self.site:
                self.looped.append(message)
            else:
                self.effects.sends.append(Send(site, message, beside=True))

    def send_all(self, to: SiteId, messages: Iterable[Message]) -> None:
        for message in messages:
            self.send(to, message)

    def tell(self, observation: Observation) -> None:
        self.effects.observations.append(observation)
