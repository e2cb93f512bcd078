"""One site's part of the protocol: the facade that the node, the simulator and the lab drive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from engine.core.effects import Effects
from engine.core.entry import Entry
from engine.core.ids import SiteId, Slot, Tick
from engine.core.messages import Message, Packet
from engine.core.settings import Settings
from engine.core.storage import LogReader, Stored, Vote
from engine.core.views import AttemptView, ReplicaView


@dataclass(frozen=True, slots=True)
class Submission:
    """An event to be placed. `token` comes back in its SawOutcome; `body` is `entry.encode(...)`."""

    token: int
    body: str
    timeout: Tick
    retry: bool


class Replica:
    def __init__(self, settings: Settings, stored: Stored, log: LogReader, random: Random) -> None: ...

    def start(self, now: Tick) -> Effects:
        """Call once, first."""
        raise NotImplementedError

    def receive(self, now: Tick, packet: Packet) -> Effects:
        """A packet that opened under the cluster's key and was addressed to this site."""
        raise NotImplementedError

    def submit(self, now: Tick, submission: Submission) -> Effects:
        raise NotImplementedError

    def give_up(self, now: Tick, token: int) -> Effects:
        """As if the event's time had passed; the SawOutcome is in the effects. An unknown token does nothing."""
        raise NotImplementedError

    def fill(self, now: Tick, slots: Iterable[Slot]) -> Effects:
        """On demand (R3). Each slot that is a hole ends in one SawFilled or more (`no-quorum` is not the end)."""
        raise NotImplementedError

    def tick(self, now: Tick) -> Effects:
        """Does what is due at `now`."""
        raise NotImplementedError

    def deadline(self) -> Tick:
        """When `tick` is next needed."""
        raise NotImplementedError

    def committed(self, commit: int) -> None:
        """The store's commit number after the commit of the effects so far; packets tell it (D5)."""

    def packet(self, to: SiteId, messages: tuple[Message, ...]) -> Packet:
        """Wraps messages for a peer. Call after `committed`."""
        raise NotImplementedError

    def view(self, attempts_max: int) -> ReplicaView:
        raise NotImplementedError

    def attempt(self, slot: Slot) -> AttemptView | None:
        raise NotImplementedError

    def vote(self, slot: Slot) -> Vote:
        """The acceptor's state of an unlearned slot (range promises included); NO_VOTE where there is none."""
        raise NotImplementedError

    def learned_ahead(self, slot: Slot) -> Entry | None:
        """A learned entry above the prefix; at or below the prefix, ask the store."""
        raise NotImplementedError

    def blocks(self) -> dict[tuple[SiteId, SiteId], Slot]:
        """(blocker, blocked) -> the slot since which it stands, of the prefix (R2)."""
        raise NotImplementedError
