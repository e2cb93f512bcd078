"""What events cost this site: what it sends, takes and syncs for them, from the start of the process.

Rules that hold here:
- What flows without any event too is left out: the messages of `Housekeeping`, datagrams of nothing else, and commits
  that only keep what peers' stores are called (D5). So an idle cluster adds nothing.
- The figures of one event are of what this site sent and synced, over the events that took effect here (E5), whoever
  wrote them: those of all sites add up to what the cluster spends on an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, get_args

from engine.contract import status
from engine.core.effects import SawApplied
from engine.core.messages import Housekeeping, Message
from engine.core.storage import Write, WritePeer, WriteStanding

_HOUSEKEEPING: Final = frozenset(get_args(Housekeeping))
_OF_PEERS: Final = frozenset((WritePeer, WriteStanding))
_DIGITS: Final = 4
"""Many events go in one message, and are durable in one sync."""


@dataclass(slots=True)
class Costs:
    """`events`: the entries of any author that took effect here."""

    events: int = 0
    messages_in: int = 0
    messages_out: int = 0
    datagrams_in: int = 0
    datagrams_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    commits: int = 0

    def took(self, messages: Iterable[Message], size_bytes: int) -> None:
        """A datagram came, and opened. Of a packet in parts it is the last one."""
        counted = _of_events(messages)
        if counted:
            self.messages_in += counted
            self.datagrams_in += 1
            self.bytes_in += size_bytes

    def sent(self, messages: Iterable[Message], sizes_bytes: Sequence[int]) -> None:
        """A packet left in datagrams of these sizes."""
        counted = _of_events(messages)
        if counted:
            self.messages_out += counted
            self.datagrams_out += len(sizes_bytes)
            self.bytes_out += sum(sizes_bytes)

    def committed(self, writes: Iterable[Write]) -> None:
        self.commits += not _OF_PEERS.issuperset(map(type, writes))

    def applied(self, saw: SawApplied) -> None:
        """The prefix reached entries."""
        self.events += sum([entry.author is not None for entry in saw.run.entries]) - len(saw.void)

    def told(self) -> status.Costs:
        per_event = status.PerEvent(
            messages=self._per_event(self.messages_out),
            datagrams=self._per_event(self.datagrams_out),
            bytes=self._per_event(self.bytes_out),
            syncs=self._per_event(self.commits),
        )
        return status.Costs(**asdict(self), per_event=per_event)

    def _per_event(self, count: int) -> float | None:
        return round(count / self.events, _DIGITS) if self.events else None


def _of_events(messages: Iterable[Message]) -> int:
    counted = 0
    for message in messages:
        counted += type(message) not in _HOUSEKEEPING
    return counted
