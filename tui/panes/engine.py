"""What is said when the engine is gone: why, what that means, and what one can do."""

from __future__ import annotations

from collections.abc import Sequence

from tui.panes.paint import Painted
from tui.rows import BLANK, Role, Row, row, wrapped
from tui.site.model import Gone, SiteModel, Stopped

NO_ENGINE_STATUS = 5


def exit_status(model: SiteModel) -> int:
    """What leaving now returns: the engine's own status if it stopped by itself, 5 if none is there, else 0."""
    match model.connection:
        case Stopped(_, status):
            return status
        case Gone():
            return NO_ENGINE_STATUS
        case _:
            return 0


class EnginePanel(Painted):
    """Shown only while no engine is connected."""

    def __init__(self, model: SiteModel) -> None:
        super().__init__(id="engine")
        self.model = model

    def learn(self) -> None:
        self.display = isinstance(self.model.connection, Stopped | Gone)
        self.say()

    def rows(self, width: int) -> Sequence[Row]:
        lines: list[Row] = [BLANK]
        match self.model.connection:
            case Stopped(reason, status):
                lines += wrapped(row(" ", ("ENGINE STOPPED  ", Role.BAD), reason), width, indent=1)
                kept = "This site no longer votes." if status else "It was asked to stop: this site no longer votes."
                lines += wrapped(row(f" {kept} Acknowledged entries are on disk."), width, indent=1)
            case Gone(why, log_tail):
                lines += wrapped(row(" ", ("NO ENGINE  ", Role.BAD), why), width, indent=1)
                said = " This site does not vote now. Acknowledged entries are on disk."
                lines += wrapped(row(said), width, indent=1)
                lines += [row((f"   {line}", Role.DIM)) for line in log_tail]
            case _:
                return []
        quits = f" quits (exit {exit_status(self.model)}) · "
        back = f" tries again now. `loggos serve {self.model.site}` starts it; once it is back, it is attached"
        keys = row(" ", ("q", Role.KEY), quits, ("r", Role.KEY), back)
        return [*lines, *wrapped(keys, width, indent=1), BLANK]
