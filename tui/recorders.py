"""Records several sites at once, beside whatever else this process does.

Rules that hold here:
- Each site has a thread of its own, which shares nothing with another and ends with its engine, or when all are ended.
- What goes wrong with a recording ends that one alone, and is told at the end: a screen may be open meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final, Self

from engine.contract.errors import EngineLost
from tui.client import Client, failures_as_exits
from tui.exits import CommandFailed
from tui.output import complain
from tui.recorder import Recorder
from tui.selection import LocalSite

END_TIMEOUT_S: Final = 10.0
"""How long the last that engines told may take to be written."""


class Recorders:
    """A context: what `begin` began is whole when it ends."""

    def __init__(self, paths: Mapping[LocalSite, Path], sites: Sequence[str], *, overwrite: bool) -> None:
        """`paths`: into which file each site is to be recorded; `sites` are all of the cluster, in file order."""
        self.paths = paths
        self._sites = tuple(sites)
        self._overwrite = overwrite
        self._until, self._end = os.pipe()
        self._threads: list[Thread] = []
        self._accounts: list[str] = []
        self._failed: list[CommandFailed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Waits until what came is written. The engines have ended: a recorder that does not see that in time is
        ended."""
        deadline = time.monotonic() + END_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        os.close(self._end)
        for thread in self._threads:
            thread.join()
        os.close(self._until)

    def begin(self) -> None:
        """The engines run. Raises CommandFailed where one cannot be recorded."""
        for local, path in self.paths.items():
            recording = self._begin(local, path)
            thread = Thread(target=self._record, args=(local, *recording), name=f"recorder of {local.site}")
            thread.start()
            self._threads.append(thread)

    def told(self) -> int | None:
        """Says on stderr what became of the recordings; returns an exit status where one failed."""
        for words in (*self._accounts, *map(str, self._failed)):
            complain(words)
        return next((failed.status for failed in self._failed), None)

    def _begin(self, local: LocalSite, path: Path) -> tuple[Client, Recorder]:
        with failures_as_exits(local):
            client = Client.connect(local.socket_path)
            try:
                return client, Recorder.begin(local, client, self._sites, path, overwrite=self._overwrite)
            except BaseException:
                client.close()
                raise

    def _record(self, local: LocalSite, client: Client, recorder: Recorder) -> None:
        try:
            with client, recorder, failures_as_exits(local), suppress(EngineLost):
                recorder.run(self._until, "the demo ended")
        except CommandFailed as failed:
            self._failed.append(failed)
        self._accounts.append(recorder.account)
