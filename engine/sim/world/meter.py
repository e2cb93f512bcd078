"""What all sites of a world send and sync, counted.

Rules that hold here:
- A datagram counts as it leaves, sealed, whether or not it arrives, with the messages that are in it. What flows
  without any event too (`Housekeeping`) does not count, and neither does a datagram of nothing else.
- A sync is a commit of any site.
"""

from __future__ import annotations

from engine.codec import decode_packet
from engine.core.effects import Observation, SawOutcome
from engine.core.ids import SiteId
from engine.core.messages import Housekeeping
from engine.core.storage import EventState
from engine.datagram import SEAL_BYTES
from engine.sim.world.network import Datagram
from engine.sim.world.world import World


class Meter:
    """A `Watcher` that counts from now on, in a world where every event is created."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages = self.datagrams = self.bytes = 0
        self.submitted_at: dict[int, int] = {}
        self.created_at: dict[int, int] = {}
        self._syncs_before = self._commits()

    @property
    def syncs(self) -> int:
        return self._commits() - self._syncs_before

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        sender = self._world.names[datagram.sender]
        messages = decode_packet(sender, datagram.payload).messages
        counted = sum(not isinstance(message, Housekeeping) for message in messages)
        if counted:
            self.messages += counted
            self.datagrams += 1
            self.bytes += len(datagram.payload) + SEAL_BYTES

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        """It was counted when it was sent."""

    def told(self, now: int, site: SiteId, saw: Observation) -> None:
        if isinstance(saw, SawOutcome) and saw.token is not None:
            assert saw.outcome is EventState.CREATED, f"{saw.id} is {saw.outcome}: {saw.reason}"
            self.created_at[saw.token] = now

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        """Nothing to count: a metered world has no faults, and its processes do not end."""

    def _commits(self) -> int:
        return sum(site.disk.image.commit for site in self._world.sites)
