"""Under which cluster key the others are heard, and in whose name comes what opens under none of this site's keys.

Rules that hold here:
- What opened is known to be of who had the key; a name on what does not open may be anybody's. So that is told only of
  peers that are not heard besides, and only while it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from engine.contract.status import KeyFiles
from engine.core.ids import SiteId, Tick, named
from engine.core.views import PeerView
from engine.seal import OpenedUnder
from engine.senders import PerSender

UNOPENED_FOR: Final = Tick(10_000)
"""What does not open is told so long after it came, or for as many heartbeats as a peer that is heard counts as up."""

_BEATS: Final = 4


@dataclass(slots=True)
class _Unopened:
    latest: Tick | None = None


@dataclass(slots=True)
class KeysHeard:
    """`files` are the names of this site's key files, none without a key; `heartbeat` is its own."""

    files: tuple[str, ...]
    opened_under: PerSender[OpenedUnder]
    heartbeat: Tick
    _unopened: PerSender[_Unopened] = field(default_factory=lambda: PerSender(_Unopened))

    def unopened(self, now: Tick, claimed: SiteId) -> None:
        """A datagram came in this name and opened under no key."""
        self._unopened.of(claimed).latest = now

    @property
    def told(self) -> KeyFiles | None:
        if not self.files:
            return None
        first, *rest = self.files
        return KeyFiles(first, rest[0] if rest else None)

    def of(self, peer: SiteId) -> str | None:
        """Under which key its latest datagram opened: `first`, `second`; None before any did, and without keys."""
        opened = self.opened_under.get(peer)
        return opened.latest if self.files and opened is not None else None

    @property
    def second(self) -> dict[str, int]:
        """How many datagrams of each peer opened under the second key."""
        return {site: opened.second for site, opened in self.opened_under if opened.second}

    def mismatch(self, now: Tick, peers: Iterable[PeerView]) -> str | None:
        """Whose datagrams do not open, and what to do, in words."""
        since = now - max(UNOPENED_FOR, _BEATS * self.heartbeat)
        recent = {site for site, unopened in self._unopened if (unopened.latest or since) > since}
        names = [peer.site for peer in peers if not peer.up and peer.site in recent]
        if not names:
            return None
        keys = " or ".join(self.files)
        under = f"with {keys} here" if keys else "without a key here"
        return (
            f"datagrams in the name of {named(names)} cannot be opened {under}: make the key and the cluster name the"
            " same in both sites files, then restart the site whose file was changed"
        )
