"""A network of real network namespaces: each site has an interface of its own, and cuts are cuts of the kernel's.

Rules that hold here:
- Needs Linux, root, and the tools of iproute2 and util-linux.
- No namespace has a name: each lives as long as its holder, a process that ends with the pipe that the campaign holds.
  However the campaign ends, nothing is left.
- Sites hang on the bridges of one more namespace, the switch; those on the same bridge hear each other. Overlapping
  partitions are the meet of all: who is apart in one of them is apart.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.engines import Engines
from tests.chaos.network import Cut
from tests.chaos.schedule import Deafness, Partition, Unplugged

_NETWORK: Final = "10.77.0"
_NOBODY: Final = "02:00:00:00:00:fe"
"""The address of no interface: what is sent there is lost."""

_TOOLS: Final = ("ip", "unshare", "nsenter")


@dataclass(frozen=True, slots=True)
class SiteState:
    """How a site is connected: `misled` are the peers that nothing it sends reaches."""

    bridge: int
    port_up: bool
    interface_up: bool
    misled: frozenset[str]


class NamespacesUnavailable(Exception):
    """This machine or this user cannot have them; the message says why."""


class Namespace:
    """A network namespace without a name."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo made && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != b"made\n":
            said = self._holder.stderr.read().decode(errors="replace").strip()
            self.close()
            raise NamespacesUnavailable(f"no network namespace can be made here: {said}")

    @property
    def holder(self) -> int:
        return self._holder.pid

    @property
    def enter(self) -> list[str]:
        """What runs a command in it, put before the command."""
        return ["nsenter", f"--net=/proc/{self.holder}/ns/net", "--"]

    def ip(self, *words: str) -> None:
        """Runs an `ip` command in it. Raises NamespacesUnavailable."""
        done = subprocess.run([*self.enter, "ip", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NamespacesUnavailable(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def close(self) -> None:
        for pipe in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            if pipe is not None:
                pipe.close()
        self._holder.wait()


class NamespaceNetwork:
    """Cuts act on interfaces; engines keep running, and see what they would see of a real network."""

    name = "network namespaces"

    def __init__(self, names: Sequence[str]) -> None:
        """Raises NamespacesUnavailable."""
        missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
        if os.geteuid() != 0 or missing:
            why = f"{', '.join(missing)} is not installed" if missing else "they need root"
            raise NamespacesUnavailable(f"network namespaces cannot be used: {why}")
        self._names = tuple(names)
        self._cuts: list[Cut] = []
        self._made: list[Namespace] = []
        try:
            self._switch = self._make()
            self._sites = {name: self._make() for name in names}
            self._state = self._wanted()
            for number in range(len(names)):
                self._switch.ip("link", "add", _bridge(number), "type", "bridge")
                self._switch.ip("link", "set", _bridge(number), "up")
            for name in names:
                self._plug_in(name)
        except NamespacesUnavailable:
            self.close()
            raise

    def wrap(self, site: str) -> list[str]:
        return self._sites[site].enter

    def host(self, site: str) -> str:
        return f"{_NETWORK}.{self._names.index(site) + 1}"

    def begin(self, _engines: Engines, cut: Cut, _lasts_s: float) -> None:
        self._cuts.append(cut)
        self._settle()

    def end(self, cut: Cut) -> None:
        self._cuts.remove(cut)
        self._settle()

    def close(self) -> None:
        for namespace in self._made:
            namespace.close()

    def _make(self) -> Namespace:
        namespace = Namespace()
        self._made.append(namespace)
        return namespace

    def _plug_in(self, site: str) -> None:
        inside = self._sites[site]
        inside.ip("link", "add", "eth0", "type", "veth", "peer", "name", site, "netns", str(self._switch.holder))
        inside.ip("address", "add", f"{self.host(site)}/24", "dev", "eth0")
        inside.ip("link", "set", "lo", "up")
        inside.ip("link", "set", "eth0", "up")
        self._switch.ip("link", "set", site, "master", _bridge(0))
        self._switch.ip("link", "set", site, "up")

    def _wanted(self) -> dict[str, SiteState]:
        """What the cuts that stand make of each site."""
        partitions = [cut for cut in self._cuts if isinstance(cut, Partition)]
        sides = {site: tuple(cut.side_of(site) for cut in partitions) for site in self._names}
        bridges = {side: number for number, side in enumerate(sorted(set(sides.values())))}
        return {
            site: SiteState(
                bridge=bridges[sides[site]],
                port_up=Unplugged(site, locally=False) not in self._cuts,
                interface_up=Unplugged(site, locally=True) not in self._cuts,
                misled=frozenset(cut.peer for cut in self._cuts if isinstance(cut, Deafness) and cut.site == site),
            )
            for site in self._names
        }

    def _settle(self) -> None:
        """Makes of each site what is wanted, command by command where something differs."""
        wanted = self._wanted()
        for site, new in wanted.items():
            old, inside = self._state[site], self._sites[site]
            if new.bridge != old.bridge:
                self._switch.ip("link", "set", site, "master", _bridge(new.bridge))
            if new.port_up != old.port_up:
                self._switch.ip("link", "set", site, "up" if new.port_up else "down")
            if new.interface_up != old.interface_up:
                inside.ip("link", "set", "eth0", "up" if new.interface_up else "down")
            if not new.interface_up:
                continue
            # An interface that was down has forgotten its neighbours.
            kept = old.misled if old.interface_up else frozenset()
            for peer in new.misled - kept:
                inside.ip("neigh", "replace", self.host(peer), "lladdr", _NOBODY, "dev", "eth0", "nud", "permanent")
            for peer in kept - new.misled:
                inside.ip("neigh", "del", self.host(peer), "dev", "eth0")
        self._state = wanted


def _bridge(number: int) -> str:
    return f"bridge{number}"
