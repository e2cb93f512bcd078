"""`python -m tests.chaos.overheard_engine FILE MUTANT ...`: the program, with what it says to other sites written down.

Rules that hold here:
- Nothing is said that is not in the file: a message is written down after its commit and before it can leave, from the
  first one on; one that a fault rule drops afterwards was said too. What a process wrote outlives its `kill -9`; a line
  that was cut short there belongs to what never left.
- MUTANT names a rule of the core that is broken on purpose, or is `-`: a campaign over such engines must find it, which
  is how its verdict is tried.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from operator import itemgetter
from typing import Any, Final
from unittest.mock import patch

import orjson

from engine.core.ids import SiteId, Slot
from engine.core.messages import Accepted, Message, Packet, Prepare, Promise
from engine.core.replica import Replica
from engine.sim.mutants.catalogue import broken_by
from tui.cli import main

MODULE: Final = "tests.chaos.overheard_engine"
NO_MUTANT: Final = "-"

_BROKEN: Final = ExitStack()
"""As long as the process."""

Json = dict[str, Any]


def claims(messages: Iterable[Message]) -> Iterator[Json]:
    """What is said that the sender's store must hold, a line each; `spans` are of the slots that it is said of one by
    one: of more than one slot a promise is kept as one of a range."""
    for message in messages:
        match message:
            case Promise(ballot, first, last) if (lowest := _lowest(message)) is not None:
                spans = [(first, last)] if first == last else []
                yield {"said": "promised", "ballot": str(ballot), "first": lowest, "spans": spans}
            case Accepted(ballot, spans):
                yield {"said": "accepted", "ballot": str(ballot), "first": spans[0][0], "spans": spans}
            case Prepare(ballot, first, last):
                spans = [] if last is None else [(first, last)]
                yield {"said": "prepared", "ballot": str(ballot), "first": first, "spans": spans}
            case _:
                pass


def _lowest(promise: Promise) -> Slot | None:
    """The lowest slot that is promised: a range is so without what is left out of it, or was learned before."""
    lowest = promise.first
    without = [*((out.first, out.last) for out in promise.left_out), *promise.decided()]
    for first, last in sorted(without, key=itemgetter(0)):
        if first <= lowest:
            if last is None:
                return None
            lowest = max(lowest, Slot(last + 1))
    return lowest if promise.last is None or lowest <= promise.last else None


def overhear(path: str) -> None:
    """Has everything that this process says written to a new file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    os.write(descriptor, orjson.dumps({"since_s": time.monotonic()}) + b"\n")
    packet = Replica.packet

    def overheard(replica: Replica, to: SiteId, messages: tuple[Message, ...]) -> Packet:
        made = packet(replica, to, messages)
        if lines := b"".join(orjson.dumps(claim) + b"\n" for claim in claims(made.messages)):
            os.write(descriptor, lines)
        return made

    patch.object(Replica, "packet", overheard).start()


def prepare(file: str, mutant: str) -> None:
    """What is done in the process before the program begins."""
    if mutant != NO_MUTANT:
        _BROKEN.enter_context(broken_by(mutant))
    overhear(file)


if __name__ == "__main__":
    prepare(*sys.argv[1:3])
    del sys.argv[1:3]
    raise SystemExit(main())
