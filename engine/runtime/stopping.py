"""Who stops a site from outside its control socket: signals, and the end of the program that started it."""

from __future__ import annotations

import logging
import os
import signal
from typing import Final

import trio

from engine.runtime.inbox import Inbox

_LIFELINE_BYTES: Final = 4_096

_log = logging.getLogger(__name__)


async def watch_signals(inbox: Inbox, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            inbox.stop(f"{signal.Signals(number).name} was received")


async def watch_lifeline(descriptor: int, inbox: Inbox) -> None:
    """The stream stays as it is: made non-blocking, it would be so for all who have it, a terminal's shell too."""
    try:
        while True:
            # In a thread, which ends with the process: another reader of the same stream may be quicker, and a read
            # that waits would stop the site.
            if not await trio.to_thread.run_sync(os.read, descriptor, _LIFELINE_BYTES, abandon_on_cancel=True):
                break
    except OSError as error:
        _log.info("standard input cannot be read: %s", error.strerror)
    inbox.stop("the program that started this engine ended")
