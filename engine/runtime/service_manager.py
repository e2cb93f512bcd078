"""What a service manager is told: that the site serves, that it is alive, and how it stands (sd_notify(3)).

Rules that hold here:
- Where nobody asked to be told (no NOTIFY_SOCKET), or nobody is there, nothing happens: a site serves all the same.
- That it is alive is said by the loop that runs the node: where a pass hangs, nothing is said.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import trio

from engine.contract.status import Status

TOLD_EVERY_S: Final = 10.0
"""How often it is told how the site stands, if that it is alive need not be said more often."""

_MICROSECONDS: Final = 1_000_000


class ServiceManager:
    """`address`: its socket's path, or `@` and a name; None where there is none."""

    def __init__(self, address: str | None, watchdog_s: float | None) -> None:
        self._address = address
        self._every_s = min(TOLD_EVERY_S, TOLD_EVERY_S if watchdog_s is None else watchdog_s / 2)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ServiceManager:
        """As the environment of this process says."""
        watchdog = environment.get("WATCHDOG_USEC", "")
        asked = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
        watchdog_s = int(watchdog) / _MICROSECONDS if asked and watchdog.isdecimal() and int(watchdog) else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    def waits(self, why: str) -> None:
        self._tell(f"STATUS={_one_line(why)}")

    def ready(self) -> None:
        self._tell("READY=1")

    def stops(self, why: str) -> None:
        self._tell("STOPPING=1", f"STATUS={_one_line(why)}")

    async def follow(self, status: Callable[[], Status]) -> None:
        """Tells of a site that serves, until it is cancelled."""
        while self._address is not None:
            self._tell("WATCHDOG=1", f"STATUS={in_words(status())}")
            await trio.sleep(self._every_s)

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.setblocking(False)
            to.sendto("\n".join(lines).encode(), address)


def in_words(status: Status) -> str:
    """`3 of 3 voters reachable, bob leads, learned through slot 41`"""
    said = [f"{status.quorum.reachable} of {status.quorum.size} voters reachable"]
    if status.leader is not None:
        said.append(f"{status.leader} leads")
    if not status.voting:
        said.append("does not vote")
    return ", ".join([*said, f"learned through slot {status.chosen_through}"])


def _one_line(text: str) -> str:
    return " ".join(text.split())
