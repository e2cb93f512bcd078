"""Hosts of their own on one machine: network namespaces on one switch, whose cables may be narrow; one host behind NAT.

Rules that hold here:
- Every name carries this process's number; whatever was made is taken away again, also after a failure.
- Nothing leaves the machine: the addresses are of the ranges for documentation and of private use, in namespaces that
  have no way out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

MISSING = None if os.geteuid() == 0 and shutil.which("ip") and shutil.which("nft") else "needs root, ip and nft"
"""Why these hosts cannot be made here."""


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=30)


class Hosts:
    """`public` names to addresses on the switch."""

    def __init__(self, public: dict[str, str]) -> None:
        self._public = public
        self._made: list[str] = []

    def namespace(self, host: str) -> str:
        return f"loggos-{os.getpid()}-{host}"

    def command(self, host: str) -> tuple[str, ...]:
        """What a command line begins with to run on that host."""
        return ("ip", "netns", "exec", self.namespace(host))

    def __enter__(self) -> Self:
        try:
            self._make("switch")
            self._in("switch", "ip", "link", "add", "bridge", "type", "bridge")
            self._in("switch", "ip", "link", "set", "bridge", "up")
            for host, address in self._public.items():
                self._make(host)
                self._plug(host, address)
            self._connect_more()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _connect_more(self) -> None:
        """Hosts of another kind."""

    def narrow(self, host: str, packet_bytes_max: int) -> None:
        """Longer packets to and from a host, and fragments of any, are lost on its cable without a word."""
        self._in("switch", "nft", f"add table bridge narrow-{host}")
        self._in("switch", "nft", f"add chain bridge narrow-{host} forward {{ type filter hook forward priority 0 ; }}")
        for way in ("iifname", "oifname"):
            begin = f"add rule bridge narrow-{host} forward {way} {host}"
            self._in("switch", "nft", f"{begin} ip length > {packet_bytes_max} drop")
            self._in("switch", "nft", f"{begin} ip frag-off & 0x3fff != 0 drop")

    def __exit__(self, *_: object) -> None:
        for host in self._made:
            subprocess.run(("ip", "netns", "del", self.namespace(host)), check=False, capture_output=True, timeout=30)

    def _make(self, host: str) -> None:
        _run("ip", "netns", "add", self.namespace(host))
        self._made.append(host)
        self._in(host, "ip", "link", "set", "lo", "up")

    def _in(self, host: str, *words: str) -> None:
        _run(*self.command(host), *words)

    def _plug(self, host: str, address: str) -> None:
        """A cable from the host to the switch."""
        self._cable(("switch", host), (host, "eth0"))
        self._in("switch", "ip", "link", "set", host, "up", "master", "bridge")
        self._address(host, "eth0", address)

    def _cable(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        """Between two devices, each named by its host and its own name."""
        _run(
            *("ip", "link", "add", left[1], "netns", self.namespace(left[0]), "type", "veth"),
            *("peer", "name", right[1], "netns", self.namespace(right[0])),
        )

    def _address(self, host: str, device: str, address: str) -> None:
        self._in(host, "ip", "address", "add", f"{address}/24", "dev", device)
        self._in(host, "ip", "link", "set", device, "up")


class HostsBehindNat(Hosts):
    """`hidden` is behind a router that masquerades as `router`."""

    def __init__(self, public: dict[str, str], hidden: tuple[str, str], router: str) -> None:
        super().__init__(public)
        self._hidden, self._hidden_address = hidden
        self._router_address = router

    def _connect_more(self) -> None:
        self._make("router")
        self._plug("router", self._router_address)
        self._make(self._hidden)
        network, _, _ = self._hidden_address.rpartition(".")
        self._cable(("router", "inside"), (self._hidden, "eth0"))
        self._address("router", "inside", f"{network}.1")
        self._address(self._hidden, "eth0", self._hidden_address)
        self._in(self._hidden, "ip", "route", "add", "default", "via", f"{network}.1")
        self._in("router", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self._in("router", "nft", "add table ip nat")
        self._in("router", "nft", "add chain ip nat out { type nat hook postrouting priority 100 ; }")
        self._in("router", "nft", "add rule ip nat out oifname eth0 masquerade random")
