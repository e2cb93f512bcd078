"""An event on its way: what is known of it until its outcome is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from engine.contract.answers import TraceLine
from engine.core.entry import Operation
from tui import times
from tui.site.unsent import Unsent

LEFT: Final = "this screen was left"


@dataclass(eq=False, slots=True)
class Pending:
    """An event without an outcome yet. `number_before` is the newest event number known when it was sent to the engine
    that runs since `engine`; `idle` says why it changes nothing; `id` is None until the engine has acknowledged it.
    `orphaned` says what came before its outcome was told, and is empty while the engine may tell it. `sent` is what the
    wall's clock said then, as the engine's does on this machine."""

    operation: Operation
    number_before: int
    engine: str | None
    began: float
    idle: str
    id: str | None = None
    orphaned: str = ""
    sent: datetime = field(default_factory=times.now)

    @classmethod
    def restored(cls, event: Unsent) -> Self:
        """One that was kept when the screen was left."""
        began = time.monotonic()
        return cls(event.operation, event.number_before, event.engine, began, "", event.id, LEFT)

    def kept(self) -> Unsent:
        """What is kept of it when the screen is left."""
        return Unsent.of(
            self.operation, in_no_log=False, id=self.id, number_before=self.number_before, engine=self.engine
        )

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began

    def was_sent_before(self, told: TraceLine) -> bool:
        """Whether that happened when the event was sent, or later. The trace tells whole milliseconds."""
        return times.local_time(told.at) >= self.sent - timedelta(milliseconds=1)
