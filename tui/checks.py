"""What is looked at before it hurts: a site's machine, files, ports and peers, each with what to do about it.

Rules that hold here:
- Nothing is changed: what is looked at is as it was. A port is tried for the moment that binding it takes.
- Advice is for a site that may have run before: nobody is told to make a store anew.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

from engine.addresses import Address
from engine.config import Cluster
from engine.contract.status import Status
from engine.core.ids import SiteId, named
from tui import standing
from tui.counted import plural
from tui.exits import ExitStatus
from tui.selection import LocalSite
from tui.standing import Trouble

DESCRIPTORS_USUAL: Final = 1_024
DISK_FREE_MIN_BYTES: Final = 1_000_000_000
CLOCK_OFF_MS_MAX: Final = 1_000
ROUND_TRIP_MS_SLOW: Final = 500

_NETWORK_FILES: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs"})
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class Level(Enum):
    GOOD = "ok"
    WARN = "warning"
    BAD = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """`status` is what a command that met it would end with."""

    level: Level
    about: str
    says: str
    status: ExitStatus = ExitStatus.DONE


def good(about: str, says: str) -> Finding:
    return Finding(Level.GOOD, about, says)


def warn(about: str, says: str) -> Finding:
    return Finding(Level.WARN, about, says)


def bad(about: str, says: str, status: ExitStatus = ExitStatus.BAD_INPUT) -> Finding:
    return Finding(Level.BAD, about, says, status)


# Of the machine and the cluster


def of_files(cluster: Cluster) -> Iterator[Finding]:
    """The sites file holds, and the key with it: whoever has a cluster knows that."""
    count = len(cluster.sites)
    yield good(
        "sites file", f"{cluster.path}: {cluster.name}, {plural(count, 'site')}, leadership {cluster.leadership}"
    )
    if cluster.path.stat().st_mode & _OTHERS_WRITE:
        yield warn(
            "sites file", f"other users may write {cluster.path} and redirect sites: `chmod go-w {cluster.path}`"
        )
    if count % 2 == 0 and cluster.added is None:  # else they are whom it asks
        yield warn(
            "sites file",
            f"{count} sites tolerate no more failures than {count - 1} do: an odd number is better",
        )
    if cluster.key is None:
        yield good("key", "none: all hosts are loopback")
    elif cluster.second_key is None:
        yield good("key", f"only its owner may read {cluster.key_files[0]}")
    else:
        first, second = cluster.key_files
        yield warn("key", f"a change of the key is under way ({first}, {second}): complete it")


def of_machine() -> Iterator[Finding]:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != allowed < DESCRIPTORS_USUAL:
        yield warn(
            "open files", f"a process here may open only {allowed} files: allow {DESCRIPTORS_USUAL} (`ulimit -n`)"
        )
    else:
        yield good("open files", f"a process here may open {allowed}")
    synchronised = clock_is_synchronised()
    if synchronised is False:
        yield warn(
            "clock",
            "the system says that no time service sets this machine's clock: the times of tweets may be wrong (their"
            " order never is). Run a time service, such as systemd-timesyncd or chrony",
        )
    elif synchronised:
        yield good("clock", "a time service keeps it right")


def clock_is_synchronised() -> bool | None:
    """As the kernel has it, from whatever time service there is (adjtimex(2)); None where that cannot be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def of_names(cluster: Cluster) -> Iterator[Finding]:
    """Host names that have no address are waited for, and nothing reaches that site meanwhile."""
    for site, address in cluster.addresses.items():
        if address.family is None:
            try:
                socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
            except OSError as error:
                yield warn(
                    site,
                    f"its host name {address.host} has no address here ({error.strerror}): correct it, or DNS",
                )


def of_machines(cluster: Cluster) -> Iterator[Finding]:
    """Sites that share a machine are lost together. A cluster on loopback is a try."""
    if all(address.is_loopback for address in cluster.addresses.values()):
        return
    hosts = sorted({address.host for address in cluster.addresses.values()})
    for host in hosts:
        together = [site for site, address in cluster.addresses.items() if address.host == host]
        if len(together) > 1:
            yield warn("sites file", f"{named(together)} are on one machine, {host}: they fail together")


# Of a site on this machine


def of_own_name(cluster: Cluster, site: SiteId) -> Iterator[Finding]:
    """Many systems write their own name beside 127.0.1.1 into /etc/hosts."""
    address = cluster.addresses[site]
    if address.family is not None or address.is_loopback:
        return
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    except OSError:
        return  # of which `of_names` tells
    own = str(found[0][4][0])
    if ipaddress.ip_address(own.partition("%")[0]).is_loopback:
        yield bad(
            f"{site} address",
            f"on this machine {address.host} is {own}, which no other machine reaches: remove that from /etc/hosts,"
            f" or write the IP address of {site} in its own sites file",
        )


def of_folder(local: LocalSite) -> Iterator[Finding]:
    folder, about = local.folder, f"{local.site} folder"
    if not folder.exists():
        yield warn(
            about,
            f"{folder} does not exist. If {local.site} has never run, its first start creates it. Otherwise its"
            " store is elsewhere: name that place with --data (a site must not start without its store)",
        )
    elif folder.stat().st_uid != os.geteuid():
        yield warn(about, f"{folder} belongs to another user: the engine must run as its owner")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield bad(about, f"{folder} cannot be written: make it, or its disk, writable for this user")
    elif folder.stat().st_mode & 0o077:
        yield warn(about, f"other users can read {folder}, which holds all tweets: `chmod 700 {folder}`")
    else:
        yield good(about, f"only its owner may read {folder}")
    yield from _of_disk(local.site, next(each for each in (folder, *folder.parents) if each.exists()))


def _of_disk(site: str, folder: Path) -> Iterator[Finding]:
    about, free = f"{site} disk", shutil.disk_usage(folder).free
    kind = file_system_of(folder, Path("/proc/self/mountinfo"))
    if kind in _NETWORK_FILES:
        yield bad(
            about,
            f"{folder} is on a network file system ({kind}), where locks and syncs are not reliable: stop"
            " the site and move its whole folder to a local disk",
        )
    elif kind in _IN_MEMORY:
        yield bad(
            about,
            f"{folder} is in memory ({kind}): the site's promises are forgotten when the machine stops. Stop"
            " the site and move its whole folder to a disk",
        )
    elif free < DISK_FREE_MIN_BYTES:
        yield warn(about, f"{free / 1e6:,.0f} MB are free: a site stops when its disk is full. Free some space")
    else:
        yield good(about, f"{free / 1e9:,.1f} GB are free" + (f" ({kind})" if kind else ""))


def file_system_of(folder: Path, mounts: Path) -> str | None:
    """Of the longest mount point above the folder; None where the system does not tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    found: tuple[int, str] | None = None
    for line in lines:
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].replace("\\040", " "))
        if folder.resolve().is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = len(point.parts), right.split()[0]
    return None if found is None else found[1]


def of_port(site: str, address: Address) -> Finding:
    """Whether an engine that is started now could have it: nobody runs there."""
    about = f"{site} port"
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        place = socket.getaddrinfo(address.host, address.port, family, socket.SOCK_DGRAM)[0][4]
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.bind(place)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                return bad(
                    about,
                    f"{address} is in use by another program: stop it, or give {site} another port in every"
                    " site's sites file",
                    ExitStatus.ALREADY_RUNNING,
                )
            case errno.EADDRNOTAVAIL:
                return bad(
                    about,
                    f"{address} is not an address of this machine: run {site} on its own machine, or correct"
                    " its address in the sites file",
                )
            case errno.EACCES:
                return bad(
                    about,
                    f"this user may not use {address}: use a port from 1024 on, or the unit of `loggos service`",
                )
            case _:
                return bad(about, f"{address} cannot be used ({error.strerror}): correct it in the sites file")
    return good(about, f"{address} is free")


def of_engine(status: Status, cluster: Cluster, version: str) -> Iterator[Finding]:
    """What the running engine knows."""
    site = status.site
    quorum = status.quorum
    yield good(
        f"{site} engine", f"{status.version}, pid {status.pid}, reaches {quorum.reachable} of {quorum.size} voters"
    )
    if status.version != version:
        yield warn(f"{site} engine", f"it runs {status.version}, but {version} is installed: restart it")
    began = datetime.fromisoformat(status.since)
    if datetime.fromtimestamp(cluster.path.stat().st_mtime, UTC) > began:
        yield warn(f"{site} engine", f"{cluster.path} has changed since it started: restart it")
    for trouble, sentence in standing.troubles(status).items():
        found = bad if trouble in {Trouble.NO_QUORUM, Trouble.NOT_VOTING, Trouble.HINDERED} else warn
        yield found(f"{site} engine", sentence)
    if status.counters.log_lines_lost:
        yield warn(f"{site} log", f"{status.counters.log_lines_lost} lines could not be written: is its disk full?")
    for name, peer in status.peers.items():
        yield _of_peer(site, SiteId(name), status)
        if peer.up and abs(peer.clock_ms or 0) > CLOCK_OFF_MS_MAX:
            yield warn(f"{site} to {name}", _clocks_differ(site, name, peer.clock_ms or 0))
        if peer.up and (peer.rtt_ms or 0) > ROUND_TRIP_MS_SLOW:
            yield warn(f"{site} to {name}", f"a round trip takes {peer.rtt_ms} ms, and events wait for them")


def _clocks_differ(site: str, name: str, ahead_ms: int) -> str:
    how = "ahead of" if ahead_ms > 0 else "behind"
    return (
        f"the clock of {name} is {abs(ahead_ms) / 1000:,.1f} s {how} that of {site}: the times of their tweets differ"
        " as much (their order never does). Run a time service on both machines"
    )


def _of_peer(site: str, name: SiteId, status: Status) -> Finding:
    peer, about = status.peers[name], f"{site} to {name}"
    if peer.up:
        known = "" if peer.rtt_ms is None else f", {peer.rtt_ms} ms there and back"
        return good(about, f"heard at {peer.address}{known}")
    since = "never" if peer.heard_s is None else f"for {peer.heard_s:.0f} s"
    said = "was never heard" if peer.heard_s is None else f"was not heard {since}"
    return warn(
        about,
        f"{name} {said}: does its engine run, is it at {peer.address}, and does UDP get through both ways"
        " (firewalls, NAT)?",
    )
