"""Simulated clusters end at some moment, and some of their disks are left: what a rescue says of the log is true.

Rules that hold here:
- What is called certain is what was chosen. Where nothing is called missing, everything is there that anybody was told
  is created; where something may be, everything that was below.
- What is certain, and in effect where the whole log is known, is in effect in the new log.
- The disks are those of seeds, with their crashes, cuts and wiped disks; they are written into stores as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from engine.core.effects import Observation, SawOutcome
from engine.core.ids import EventId, SiteId, Slot, StoreId
from engine.core.log.microblog import Microblog
from engine.core.run import run_of
from engine.core.storage import EventState, Write
from engine.sim.image import Image
from engine.sim.proving.swarm import draw
from engine.sim.scenario.acts import FlipBit, PutBack, TakeCopy
from engine.sim.scenario.play import Play
from engine.sim.world.network import Datagram
from storage.audit.replays import members_of
from storage.audit.run import audit
from storage.rescue.founding import found
from storage.rescue.survey import Survey, runs, survey
from storage.rescue.witnesses import Witnesses, read_witnesses
from storage.schema import Identity, ensure_store, make_folder
from storage.sqlite import open_store
from tests.storage.planting import Planter
from tests.storage.samples import AT_MS

OF_OLD_STORES = (FlipBit, PutBack, TakeCopy)


@dataclass
class Disk:
    """What was committed on one life of a site, each commit with the place in the order of all that happened."""

    site: SiteId
    life: StoreId
    commits: list[tuple[int, Sequence[Write]]] = field(default_factory=list)


class History:
    """A seed, from its first event to its last."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place = 0
        self.disks: dict[int, Disk] = {}
        self.created: list[tuple[int, EventId, Slot]] = []
        """What was told, the place in the order of all that happened first."""
        self._images: list[Image] = []  # kept, so that no other gets the identity of one
        plan = draw(seed)
        lines = tuple(line for line in plan.lines if not isinstance(line.command, OF_OLD_STORES))
        self.play = Play(replace(plan, lines=lines), watchers=[self])
        self.names = plan.setup.names
        self.founders = tuple(name for name in self.names if name not in plan.setup.later)
        take = Image.take

        def taken(image: Image, writes: Sequence[Write]) -> None:
            take(image, writes)
            self.place += 1
            self._disk(image).commits.append((self.place, tuple(writes)))

        with monkeypatch.context() as patch:
            patch.setattr(Image, "take", taken)
            self.play.complete()

    def _disk(self, image: Image) -> Disk:
        if id(image) not in self.disks:
            [site] = (site.name for site in self.play.world.sites if site.disk.image is image)
            self.disks[id(image)] = Disk(site, image.life)
            self._images.append(image)
        return self.disks[id(image)]

    def told(self, _now: int, _site: SiteId, saw: Observation) -> None:
        if isinstance(saw, SawOutcome) and saw.outcome is EventState.CREATED and saw.id is not None:
            assert saw.slot is not None
            self.place += 1
            for at in range(saw.count):
                id_ = EventId(saw.id.author, saw.id.number + at)
                self.created.append((self.place, id_, Slot(saw.slot + at)))

    def sent(self, now: int, datagram: Datagram, *, lost: bool) -> None:
        """Nobody asks."""

    def arrived(self, now: int, datagram: Datagram, *, taken: bool) -> None:
        """Nobody asks."""

    def happened(self, now: int, site: SiteId | None, what: str, why: str) -> None:
        """Nobody asks."""

    def left(self, at: int, data: Path, sites: Sequence[SiteId]) -> list[Path]:
        """The stores of these sites, as they were then; each on the life that it had last."""
        newest = {disk.site: disk for disk in self.disks.values() if disk.commits and disk.commits[0][0] <= at}
        return [self._store(newest[site], at, data / site) for site in sites if site in newest]

    def _store(self, disk: Disk, at: int, folder: Path) -> Path:
        commits = [writes for place, writes in disk.commits if place <= at]
        identity = Identity("paxos-island", disk.site, self.founders)
        make_folder(folder)
        ensure_store(folder / "site.db", identity, disk.life)
        with closing(open_store(folder, identity)) as store:
            store.commit([write for writes in commits for write in writes])
        with Planter(folder) as planter:
            planter.change_meta(commit_number=len(commits))
        return folder

    def in_effect(self) -> dict[EventId, Slot]:
        """The events of the log that the cluster came to."""
        found_at: dict[EventId, Slot] = {}
        microblog, slot = Microblog({}, {}, members_of(self.founders)), Slot(1)
        while (entry := self.play.world.truth.chosen(slot)) is not None:
            if not microblog.apply(run_of(slot, entry)).void and entry.id is not None:
                found_at[entry.id] = slot
            slot = Slot(slot + 1)
        return found_at


def in_effect(witnesses: Witnesses, findings: Survey) -> dict[EventId, Slot]:
    """The events of the new log."""
    found_at: dict[EventId, Slot] = {}
    microblog = Microblog({}, {}, members_of(findings.founders))
    for run in runs(witnesses, findings):
        void = set(microblog.apply(run).void)
        found_at.update({entry.id: slot for slot, entry in run if entry.id is not None and slot not in void})
    return found_at


@pytest.mark.parametrize("seed", [3, 28, 36, 64, 83, 132])
def test_what_a_rescue_says_of_the_log_is_true(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history, random = History(seed, monkeypatch), Random(seed)
    lag = history.play.schedule.setup.change_lag  # a cluster of a seed waits fewer slots
    for module in ("storage.audit.lists", "storage.audit.replays"):
        monkeypatch.setattr(f"{module}.CHANGE_LAG", lag)
    for time in range(3):
        at = random.randint(1, history.place)
        sites = random.sample(history.names, random.randint(1, len(history.names)))
        places = history.left(at, tmp_path / str(time), sites)
        if places:
            check(history, at, places, tmp_path / f"new-{time}")


def check(history: History, at: int, places: Sequence[Path], new: Path) -> None:
    truth = history.play.world.truth
    with read_witnesses(places) as witnesses:
        findings = survey(witnesses, AT_MS, lambda *_: None)
        assert findings.remarks == ()
        log = in_effect(witnesses, findings)
        doubtful = {each.slot for each in findings.taken if not each.chosen}
        unknown = {slot for first, last in findings.unknown for slot in range(first, last + 1)}
        for run in runs(witnesses, findings):
            for slot, entry in run:
                if slot <= findings.slots - findings.filled and slot not in doubtful and slot not in unknown:
                    assert truth.chosen(slot) == entry, slot
        for id_, slot in history.in_effect().items():
            if slot <= findings.slots - findings.filled and slot not in doubtful and slot not in unknown:
                assert log.get(id_) == slot, f"{id_} is certain, and void"
        for place, id_, slot in history.created:
            if place <= at and (findings.missing_from is None or slot < findings.missing_from):
                assert log.get(id_) == slot, f"{id_} was told to be created at slot {slot}"
        new.mkdir()
        found(new, "island-two", witnesses, findings, lambda *_: None)
    assert audit([new]).violations == ()
