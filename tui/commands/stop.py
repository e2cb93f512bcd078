"""`stop`: ends a site's engine, and returns once it has let go of its store and its address.

Rules that hold here:
- The engine is asked over its control socket; its process is watched, never signalled.
"""

from __future__ import annotations

import os
import select
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engine.contract.errors import EngineLost
from engine.contract.requests import Stop
from tui.client import Client, failures_as_exits
from tui.exits import CommandFailed, ExitStatus
from tui.output import Account
from tui.selection import select_site

STOP_TIMEOUT_S: Final = 30.0


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        deadline = time.monotonic() + STOP_TIMEOUT_S
        with _process(client.peer_process()) as process:
            client.send(Stop())
            closed = client.wait_closed(STOP_TIMEOUT_S)
            ended = closed and _ends(process, deadline)
    if not ended:
        raise CommandFailed(
            ExitStatus.NOT_KNOWN, f"the engine of {local.site} did not stop within {STOP_TIMEOUT_S:.0f} s: see its log"
        )
    out = Account(arguments.json)
    if out.as_json:
        out.json({"stopped": True, "site": local.site})
    else:
        out.line(f"the engine of {local.site} has stopped")
    return ExitStatus.DONE


@contextmanager
def _process(process_id: int | None) -> Iterator[int | None]:
    """A descriptor that gets readable when the process ends, None where the system has none."""
    if process_id is None or not hasattr(os, "pidfd_open"):
        yield None
        return
    try:
        descriptor = os.pidfd_open(process_id)
    except OSError as error:
        raise EngineLost("it was stopping already") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _ends(process: int | None, deadline: float) -> bool:
    if process is None:
        return True
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
