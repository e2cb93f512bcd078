"""A campaign: real engines, users at each, faults by schedule; then peace, an audit, and the verdict.

Rules that hold here:
- Everything that a campaign starts ends with it, and it touches nothing else.
- It waits for conditions, bounded; that one does not come is a violation too.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from random import Random
from typing import Any, Final

from engine.addresses import Address
from engine.core.ids import SiteId
from engine.core.settings import CHANGE_LAG, Leadership
from engine.template import DEFAULT_NAMES, write_files
from tests.chaos.agreement import hold_against_logs, unrest
from tests.chaos.changer import Changer, addition, readmission
from tests.chaos.disks import Disks, stored_votes, unsettled
from tests.chaos.engines import Engines
from tests.chaos.namespaces import NamespaceNetwork
from tests.chaos.network import Cut, Network, RuledNetwork, add_rule
from tests.chaos.report import NO_STALL, Report, Stall, count_told, longest_stall
from tests.chaos.schedule import (
    Deafness,
    Fault,
    Frozen,
    Killed,
    LongPause,
    Partition,
    PutBack,
    Rule,
    Stopped,
    Unplugged,
    Wiped,
    describe,
    draw,
    majority_spans,
)
from tests.chaos.users import Submission, User
from tests.chaos.witness import hold_against_stores
from tests.ports import free_addresses
from tests.real_cluster import PROGRAM, environment, with_leadership
from tui.exits import ExitStatus

Json = dict[str, Any]

READY_MAX_S: Final = 60.0
CONVERGED_MAX_S: Final = 90.0
USERS_PER_SITE: Final = 2
_AUDIT_EVERY_S: Final = 8.0
_LEADER_EVERY_S: Final = 0.3
_PAUSE_MIN_S: Final = 45.0
_PORT: Final = 7_001
_READMITS: Final = 0.7
_ADDS: Final = 0.4
NEWCOMER: Final = "zoe"
_ADDED_AFTER: Final = 0.25
"""Of the time of the schedule."""
_JOINED_EVERY_S: Final = 0.3
_TIMINGS: Final = "heartbeat_ms: 100\nretransmit_ms: 50\nfill_every_s: 0.3\nscan_every_s: 1\n"


@dataclass(frozen=True, slots=True)
class Setup:
    seed: int
    seconds: float
    sites: int = 5
    leadership: Leadership = Leadership.NONE
    namespaces: bool = False
    mutant: str | None = None
    """The rule that all engines break, to see whether the campaign finds it."""

    @property
    def names(self) -> tuple[str, ...]:
        return DEFAULT_NAMES[: self.sites]

    @property
    def readmits(self) -> bool:
        """Whether a site whose disk is wiped is to vote again (M4)."""
        return Random(f"{self.seed} readmits").random() < _READMITS

    @property
    def adds(self) -> bool:
        """Whether one more site comes while faults go on (M1)."""
        return not self.namespaces and Random(f"{self.seed} adds").random() < _ADDS


def run(setup: Setup, folder: Path, say: Callable[[str], None]) -> Report:
    """Runs a campaign in an empty folder; `say` gets a line now and then. Raises NamespacesUnavailable."""
    network: Network = NamespaceNetwork(setup.names) if setup.namespaces else RuledNetwork()
    with contextlib.closing(network):
        engines = Engines(
            _write_sites(setup, folder, network), folder / "data", setup.names, network.wrap, setup.mutant
        )
        with contextlib.closing(engines):
            return _Campaign(setup, network, engines, say).run()


def _write_sites(setup: Setup, folder: Path, network: Network) -> Path:
    path = folder / "sites.yaml"
    if setup.namespaces:
        addresses = {SiteId(name): Address(network.host(name), _PORT) for name in setup.names}
    else:
        addresses = free_addresses(setup.names)
    write_files(path, "chaos-island", addresses)
    path.write_text(with_leadership(path.read_text(), setup.leadership) + _TIMINGS)
    return path


class _Campaign:
    def __init__(self, setup: Setup, network: Network, engines: Engines, say: Callable[[str], None]) -> None:
        self._setup = setup
        self._network = network
        self._engines = engines
        self._disks = Disks(engines)
        self._say = say
        self._report = Report(setup.seed, setup.seconds, setup.sites, setup.leadership, network.name)
        self._faults = draw(Random(setup.seed), engines.names, setup.seconds)
        self._actions: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._cuts: list[Cut] = []
        self._closing = threading.Event()
        self._audit_process: subprocess.Popen[bytes] | None = None
        self._readmitter: Changer | None = None
        self._adder: Changer | None = None
        self._over_s = 0.0
        self._begins: dict[str, int] = {}
        """The first slot at which a readmitted site votes with its new store."""

    def run(self) -> Report:
        report, engines = self._report, self._engines
        for name in engines.names:
            engines.start(name)
        engines.until_ready(READY_MAX_S)
        users = self._users()
        begun = time.monotonic()
        try:
            self._trouble(begun)
            over = time.monotonic()
            self._heal()
        finally:
            self._closing.set()
        self._say("healed; waiting for all to agree")
        report.converged_s = self._converge(users, over)
        for changer in filter(None, (self._readmitter, self._adder)):
            changer.close()
        if report.converged_s is not None:
            self._hold_against_logs([each for user in users for each in user.submissions])
            self._audit_running(wait=True)
        self._audit_stopped()
        self._hold_against_stores()
        report.wrong = list(dict.fromkeys([*report.wrong, *engines.ended]))
        for user in users:
            user.join()
        submissions = [each for user in users for each in user.submissions]
        lasted_s = over - begun
        whole = [(a, min(b, lasted_s)) for a, b in majority_spans(self._faults, self._setup.names) if a < lasted_s]
        report.stalled = self._longest_stall(submissions, begun, [(0.0, lasted_s)])
        report.stalled_whole = self._longest_stall(submissions, begun, whole)
        report.told = count_told(submissions)
        return report

    def _longest_stall(self, submissions: list[Submission], begun: float, spans: list[tuple[float, float]]) -> Stall:
        """Of those within these spans of the schedule's time, with the faults that stood meanwhile."""
        found = [longest_stall(submissions, begun + first, begun + last) for first, last in spans]
        longest = max(found, key=lambda stall: stall.seconds, default=NO_STALL)
        begins_s, ends_s = longest.begins_s - begun, longest.ends_s - begun
        standing = [fault for fault in self._faults if fault.begins_s < ends_s and fault.ends_s > begins_s]
        return Stall(begins_s, ends_s, tuple(describe(fault) for fault in standing))

    def _users(self) -> list[User]:
        names = self._engines.names
        users = [
            User(
                site,
                [name for name in names if name != site],
                self._engines.sockets[site],
                name=f"{site}-{number}",
                seed=f"{self._setup.seed} {site} {number}",
                closing=self._closing,
            )
            for site in names
            for number in range(USERS_PER_SITE)
        ]
        for user in users:
            user.start()
        return users

    # While it lasts

    def _trouble(self, begun: float) -> None:
        """Runs the schedule; ends early only where an engine ended by itself or an audit found something."""
        for fault in self._faults:
            self._at(begun + fault.begins_s, self._beginning(fault))
            self._at(begun + fault.ends_s, self._ending(fault))
        over = self._over_s = begun + self._setup.seconds
        if self._setup.adds:
            self._at(begun + _ADDED_AFTER * self._setup.seconds, self._add)
        for at in takewhile(lambda at: at < over, count(begun + _AUDIT_EVERY_S / 2, _AUDIT_EVERY_S)):
            self._at(at, self._audit_in_between)
        self._at(over, lambda: None)
        idle = threading.Event()
        while self._actions:
            at, _, act = heapq.heappop(self._actions)
            idle.wait(max(0.0, at - time.monotonic()))
            self._engines.notice_ends()
            act()
            if self._engines.ended or self._report.wrong:
                self._say("a violation: the campaign ends early")
                return

    def _at(self, at: float, act: Callable[[], None]) -> None:
        """Has this done at that time; what is to be done at one time is done in this order."""
        heapq.heappush(self._actions, (at, next(self._order), act))

    def _beginning(self, fault: Fault) -> Callable[[], None]:
        lasts_s = fault.ends_s - fault.begins_s
        trouble, report, engines = fault.trouble, self._report, self._engines

        def begin() -> None:
            report.faults[_kind(fault)] += 1
            match trouble:
                case Rule(_, sites, text):
                    add_rule(engines, sites, text, lasts_s)
                case Partition() | Deafness() | Unplugged():
                    self._cuts.append(trouble)
                    self._network.begin(engines, trouble, lasts_s)
                case Killed(sites):
                    report.hits["killed"] += engines.kill(sites)
                case Frozen(sites):
                    report.hits["frozen"] += engines.freeze(sites)
                case Stopped(site):
                    report.hits["stopped"] += engines.stop(site)
                case LongPause(otherwise):
                    self._pause(otherwise, time.monotonic() + lasts_s)
                case Wiped(site):
                    self._finish_audit()
                    report.hits["wiped"] += self._disks.wipe(site)
                case PutBack(site):
                    self._finish_audit()
                    self._disks.copy(site)

        return begin

    def _ending(self, fault: Fault) -> Callable[[], None]:
        trouble = fault.trouble

        def end() -> None:
            match trouble:
                case Rule():
                    pass  # it was given its time
                case Partition() | Deafness() | Unplugged():
                    self._cuts.remove(trouble)
                    self._network.end(trouble)
                case Killed(sites):
                    for site in sites:
                        self._engines.start(site)
                case Frozen(sites):
                    self._engines.thaw(sites)
                case Stopped(site):
                    self._engines.start(site)
                case LongPause():
                    self._resume()
                case Wiped(site):
                    self._engines.start(site)
                    if self._setup.readmits and site in self._disks.lost_s:
                        self._readmit(site)
                case PutBack(site):
                    self._finish_audit()
                    self._report.hits["put back"] += self._disks.put_back(site)

        return end

    def _readmit(self, site: str) -> None:
        others = [name for name in self._engines.names if name not in (site, NEWCOMER)]
        self._readmitter = Changer(readmission(site), others, self._engines.sockets)
        self._readmitter.start()

    def _add(self) -> None:
        engines = self._engines
        address = free_addresses([NEWCOMER])[SiteId(NEWCOMER)]
        path = engines.sites_path.with_name(f"{NEWCOMER}.yaml")
        path.write_text(f"{engines.sites_path.read_text()}added:\n  {NEWCOMER}: {address}\n")
        self._adder = Changer(addition(NEWCOMER, str(address)), engines.names, engines.sockets)
        self._adder.start()
        self._joins()

    def _joins(self) -> None:
        """Looks again and again, while the schedule lasts."""
        if not self._join() and time.monotonic() + _JOINED_EVERY_S < self._over_s:
            self._at(time.monotonic() + _JOINED_EVERY_S, self._joins)

    def _join(self) -> bool:
        """Starts who was added, once the log has it; True where nobody is still to come."""
        engines = self._engines
        if self._adder is None or NEWCOMER in engines.names:
            return True
        if self._adder.done:
            engines.join(NEWCOMER, engines.sites_path.with_name(f"{NEWCOMER}.yaml"))
            engines.start(NEWCOMER)
            self._report.hits["added"] += 1
        return self._adder.done

    @property
    def _readmitted(self) -> set[str]:
        """Who lost its disk, and is to vote again."""
        return set() if self._readmitter is None else {self._readmitter.asked.site}

    def _pause(self, otherwise: str, ends: float) -> None:
        """Of the leader; where there is to be one, it is waited for, as long as a long pause is left."""
        leader = self._leader()
        lasts_s = ends - time.monotonic()
        if leader is None and self._setup.leadership is Leadership.ELECTED and lasts_s > _PAUSE_MIN_S:
            self._at(time.monotonic() + _LEADER_EVERY_S, lambda: self._pause(otherwise, ends))
            return
        site = leader or otherwise
        if self._engines.pause(site):
            self._report.hits["paused"] += 1
            self._report.pause = f"{site}, {'who led' if leader else 'as nobody led'}, stood still for {lasts_s:.0f} s"

    def _resume(self) -> None:
        if self._engines.pausing is not None:
            self._report.pause = f"{self._report.pause}; when it went on, {self._leader() or 'nobody'} led"
            self._engines.resume()

    def _leader(self) -> str | None:
        """Whom most sites that answer follow."""
        statuses = [self._engines.ask(site, "status") for site in self._engines.responsive]
        leaders = Counter(status["leader"] for status in statuses if status is not None)
        return leaders.most_common(1)[0][0] if leaders else None

    def _audit_running(self, *, wait: bool) -> None:
        """Takes the result of the last audit, and begins another one."""
        self._finish_audit()
        self._audit_process = self._start_audit()
        if wait:
            self._finish_audit()

    def _audit_in_between(self) -> None:
        """Not before who runs on an old copy was told so, which takes as long as a start does."""
        if self._disks.all_noticed():
            self._audit_running(wait=False)

    def _finish_audit(self) -> None:
        if self._audit_process is not None:
            self._take_audit(self._audit_process)
            self._audit_process = None

    def _start_audit(self) -> subprocess.Popen[bytes]:
        command = [*PROGRAM, "audit", str(self._engines.data), "--json"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())

    def _take_audit(self, process: subprocess.Popen[bytes]) -> Json | None:
        out, err = process.communicate()
        self._report.audits += 1
        if process.returncode not in {ExitStatus.DONE, ExitStatus.VIOLATION}:
            said = err.decode(errors="replace").strip()
            self._report.wrong.append(f"an audit ended with status {process.returncode}: {said}")
            return None
        audit: Json = json.loads(out)
        for each in audit["violations"]:
            where = f"slot {each['slot']} " if each["slot"] is not None else ""
            self._report.wrong.append(f"audit: {each['rule']} {where}at {each['site']}: {each['sentence']}")
        return audit

    # When it is over

    def _heal(self) -> None:
        for cut in self._cuts:
            self._network.end(cut)
        self._resume()
        self._engines.thaw(self._engines.names)
        for name in self._engines.names:
            self._engines.start(name)
            self._engines.ask(name, "faults.clear")

    def _converge(self, users: list[User], since: float) -> float | None:
        """How long it took until every user has its answers and all sites are alike; None: too long."""
        deadline = since + CONVERGED_MAX_S
        report, engines = self._report, self._engines
        poll = threading.Event()
        while True:
            engines.notice_ends()
            all_came = self._join()
            statuses = {name: engines.ask(name, "status") for name in engines.names}
            waiting = [user.name for user in users if user.is_alive()]
            lost = self._disks.lost_s.keys() - self._readmitted
            differs = unrest(statuses, lost)
            if not waiting and differs is None and all_came:
                return time.monotonic() - since
            if engines.ended:
                return None
            if risen := [name for name in sorted(lost) if (statuses[name] or {}).get("voting")]:
                report.wrong.append(f"D5: {', '.join(risen)} lost the disk, and says that it votes")
                return None
            if time.monotonic() > deadline:
                break
            poll.wait(0.1)
        why = differs or f"{', '.join(waiting)} still wait for answers"
        for changer in filter(None, (self._readmitter, self._adder)):
            if not changer.done:
                why += f"; {changer.name} is not in the log: {changer.said}"
        report.wrong.append(f"liveness: not converged {time.monotonic() - since:.1f} s after all faults ended: {why}")
        return None

    def _hold_against_logs(self, submissions: list[Submission]) -> None:
        judgement = hold_against_logs(self._engines.sockets, submissions, self._disks.lost_s)
        self._report.slots = len(judgement.log.lines)
        self._report.settled = judgement.settled
        for slot, line in judgement.log.lines.items():
            if line["kind"] == "readmit" and line["target"] in self._readmitted:
                self._begins.setdefault(line["target"], slot + CHANGE_LAG)
        self._report.hits["readmitted"] += len(self._begins)
        self._report.wrong += judgement.wrong

    def _hold_against_stores(self) -> None:
        sayings = self._engines.sayings()
        self._report.claims = sum(len(each.promised) + len(each.accepted) for each in sayings)
        stores = {name: stored_votes(self._engines.data / name) for name in self._engines.names}
        self._report.wrong += hold_against_stores(sayings, stores, self._disks.lost_s, self._begins)
        for name in self._engines.names if self._report.converged_s is not None else ():
            if name not in self._disks.lost_s.keys() - self._readmitted:
                self._report.wrong += unsettled(self._engines.data / name)

    def _audit_stopped(self) -> None:
        self._finish_audit()
        for name in self._engines.names:
            self._engines.stop(name)
        running = self._report.audits
        self._report.audited = self._take_audit(self._start_audit())
        self._report.audits = running


def _kind(fault: Fault) -> str:
    trouble = fault.trouble
    match trouble:
        case Rule(kind):
            return kind
        case LongPause():
            return "long pause"
        case _:
            return type(trouble).__name__.lower()
