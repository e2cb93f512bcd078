"""Processes that are not children of this one: whether they have ended."""

from __future__ import annotations

import os
import select
import time
from typing import Final

_LOOK_S: Final = 0.05


def ends_within(process_id: int, timeout_s: float) -> bool:
    """Waits until the process has ended."""
    if not hasattr(os, "pidfd_open"):
        return _looks(process_id, timeout_s)
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(descriptor)


def _looks(process_id: int, timeout_s: float) -> bool:
    """Where nothing tells that a process ends."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        time.sleep(_LOOK_S)
    return False
