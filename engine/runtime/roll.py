"""Who belongs to the cluster and where each is: what the log says, beside what the sites file says.

Rules that hold here:
- M1: the log knows better than the sites file, with which the site was born, who belongs to the cluster; and where
  somebody is, if it says anything of that. Else the file does: behind NAT it may have an address of its own.
- A site that is in no list, for it was added just now or removed, looks for all whom its file names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.addresses import Address, BadAddress, parse_address
from engine.contract.errors import ErrorCode
from engine.core.ids import SiteId, named
from engine.core.roster import Removed, Roster
from engine.runtime.ending import Ending, EndStatus
from engine.runtime.faults import FaultLayer
from engine.runtime.peer_addresses import HostPort, PeerAddresses, show
from engine.runtime.sizes import Sizes

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Roll:
    """`file` is where the sites file says that sites are, `site`, this one, among them; `lists` those that hold above
    the prefix, the newest last."""

    site: SiteId
    file: Mapping[SiteId, HostPort]
    lists: tuple[Roster, ...]

    @property
    def names(self) -> tuple[SiteId, ...]:
        """All who belong to one of the lists, and this site; sorted."""
        return tuple(sorted({self.site, *(name for each in self.lists for name in each.names)}))

    @property
    def peers(self) -> tuple[SiteId, ...]:
        return tuple(name for name in self.names if name != self.site)

    @property
    def places(self) -> dict[SiteId, HostPort]:
        """Where each site but this one is looked for: those of the lists, and while this site is in none of them all
        that its file names."""
        written: dict[SiteId, HostPort] = {**self.file, **self._logged()}
        belongs = any(self.site in each.names for each in self.lists)
        return {
            site: place for site, place in written.items() if site != self.site and (site in self.peers or not belongs)
        }

    def in_the_file(self, site: SiteId) -> str | None:
        """Where the sites file says that it is."""
        place = self.file.get(site)
        return None if place is None else show(place)

    def elsewhere(self, site: SiteId, shown: str) -> str | None:
        """Where the sites file says that it is, if it is reached at another address. Of a host name nobody knows."""
        said, place = self.in_the_file(site), self.file.get(site)
        return None if place is None or said == shown or Address(*place).family is None else said

    @property
    def differs(self) -> str | None:
        """What the log says otherwise than the sites file, in words; None where both agree."""
        newest, logged = self.lists[-1], self._logged()
        added = [name for name in newest.names if name not in self.file]
        gone = [name for name in sorted(self.file) if name not in newest.names]
        moved = [name for name, place in sorted(logged.items()) if self.file.get(name, place) != place]
        said = [f"{name} was added{f' at {logged[name]}' if name in logged else ''}" for name in added]
        said += [f"{named(gone)} {'is' if len(gone) == 1 else 'are'} not in the cluster"] if gone else []
        said += [f"{name} is at {logged[name]}, not at {self.in_the_file(name)}" for name in moved]
        return "; ".join(said) or None

    def _logged(self) -> dict[SiteId, Address]:
        """The addresses that the log names; of those of a list that is to come, the newer ones."""
        places: dict[SiteId, Address] = {}
        for member in (member for each in self.lists for member in each.members):
            if member.address is not None:
                try:
                    places[member.site] = parse_address(member.address)
                except BadAddress as error:
                    _log.warning("the address of %s in the log is not valid: %s", member.site, error)
        return places


@dataclass(slots=True)
class Following:
    """Has the parts of a running site follow the roll. `resolve` looks a peer's address up, without waiting."""

    roll: Roll
    peer_addresses: PeerAddresses
    sizes: Sizes
    faults: FaultLayer
    resolve: Callable[[SiteId], None]
    _removed: Removed | None = None
    _was_watched: bool = False

    def follow(self, lists: tuple[Roster, ...]) -> None:
        """These lists hold above the prefix now."""
        before, self.roll.lists = self.roll.peers, lists
        if self.roll.site in lists[-1].names:
            self._removed = None  # it was added again
        peers = self.roll.peers
        self.sizes.follow(peers)
        self.faults.sites = self.roll.names
        for peer in self.peer_addresses.follow(self.roll.places):
            self.resolve(peer)
        for change, names in (("joined", set(peers) - set(before)), ("left", set(before) - set(peers))):
            if names:
                _log.info("%s %s the cluster", named(names), change)

    def leave(self, removed: Removed) -> None:
        """This site was removed (M5)."""
        self._removed = removed
        rest = (
            "; the others still need it for earlier slots" if removed.needed else ", and the others no longer need it"
        )
        _log.warning(
            "this site was removed in slot %d: it does not vote from slot %d on%s", removed.slot, removed.first, rest
        )

    def ending(self, *, watched: bool) -> Ending | None:
        """The site ends by itself where it was removed, nobody needs it, and nobody looks at it any more who did."""
        if self._removed is None:
            return None
        self._was_watched |= watched
        if watched or not self._was_watched or self._removed.needed:
            return None
        why = f"it was removed from the cluster in slot {self._removed.slot}, and its screen was closed"
        return Ending(why, EndStatus.CLEAN, ErrorCode.STOPPING)
