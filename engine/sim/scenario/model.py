"""How much a run may lose that must settle: the rest is outside of the model (D5).

Rules that hold here:
- Never are all disks cleared.
- At most f = floor((N-1)/2) of the N voters have lost their disk at a time (wiped, damaged, or an old copy put back).
  Whoever was readmitted since, and has learned all slots at which its new store does not vote, has one again (M4).
- An old copy is put back only where enough peers can contradict it, that is, fewer than floor(N/2) others cannot. No
  other disk is lost before the site with the old copy knows. A copy that may not be put back is thrown away.
"""

from __future__ import annotations

from engine.core.ids import SiteId
from engine.core.storage import Standing
from engine.sim.image import Image
from engine.sim.scenario.acts import Act, Clear, FlipBit, PutBack, Wipe
from engine.sim.truth.replay import Lives
from engine.sim.world.world import World


class Model:
    """`copies` are the old copies that there are."""

    def __init__(self, world: World, copies: dict[SiteId, Image]) -> None:
        self.put_back: set[SiteId] = set()
        self._world = world
        self._copies = copies
        self._lost: set[SiteId] = set()

    def allows(self, act: Act) -> bool:
        """Whether it may be done now; then a disk that it loses counts as lost."""
        match act:
            case FlipBit(site) | Wipe(site):
                return self._lose(site)
            case Clear():
                return False
            case PutBack(site):
                if self._puts_back(site):
                    return True
                self._copies.pop(site, None)
                return False
            case _:
                return True

    def _lose(self, site: SiteId) -> bool:
        """Counts a lost disk, if one more may be lost."""
        self._lost -= {each for each in self._lost if self._has_one_again(each)}
        unaware = [each for each in self.put_back if self._standing(each) is not Standing.LEARNER]
        if not any(site in lives for lives in self._lists()):
            return True  # nobody counts it
        if site in self._lost or unaware or len(self._lost) >= self._may_lose():
            return False
        self._lost.add(site)
        return True

    def _may_lose(self) -> int:
        return min((len(lives) - 1) // 2 for lives in self._lists())

    def _lists(self) -> list[Lives]:
        """Those that hold above what a majority of the newest one has: before, the others need who was removed (M5)."""
        world = self._world
        lists = world.truth.replay.lists
        prefixes = [[world.sites[world.index[site]].disk.image.prefix for site in lives] for _, lives in lists[-2:]]
        reached = min(sorted(each)[(len(each) - 1) // 2] for each in prefixes)
        return world.truth.replay.holding(reached)

    def _has_one_again(self, site: SiteId) -> bool:
        world = self._world
        image, replay = world.sites[world.index[site]].disk.image, world.truth.replay
        first = replay.admitted.get(image.life)
        is_newest = replay.lists[-1][1].get(site) == image.life
        return first is not None and is_newest and image.prefix >= first - 1

    def _standing(self, site: SiteId) -> Standing:
        return self._world.sites[self._world.index[site]].disk.image.standing

    def _puts_back(self, site: SiteId) -> bool:
        world, copy = self._world, self._copies.get(site)
        if copy is None or site in self._lost:
            return False
        contradicting = world.truth.contradicting(site, copy.life, copy.commit)
        for lives in world.truth.replay.holding(copy.prefix):  # those that the copy would ask
            voters = {*lives, site}
            believers = len(voters) - 1 - len(contradicting & voters) + len((self._lost & voters) - {site})
            if believers >= len(voters) // 2:
                return False
        if not self._lose(site):
            return False
        self.put_back.add(site)
        return True
