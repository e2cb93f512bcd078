"""What is said when the engine is gone: why, what that means, and what one can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tui.hops import Leaving
from tui.panes.paint import Painted
from tui.rows import BLANK, Role, Row, row, wrapped
from tui.site.connected import Gone, Stopped
from tui.site.ending import exit_status
from tui.site.model import SiteModel

HEIGHT_WITHOUT_LOG: Final = 18
"""What the other panes and this one's sentences take: a screen that is higher has room for the end of the log."""


class EnginePanel(Painted):
    """Shown only while no engine is connected."""

    def __init__(self, model: SiteModel, leaving: Leaving) -> None:
        super().__init__(id="engine")
        self.model = model
        self._leaving = leaving

    def learn(self) -> None:
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
                shown = max(0, (self.screen.size.height - HEIGHT_WITHOUT_LOG) // 3)
                lines += [row((f"   {line}", Role.DIM)) for line in log_tail[-shown:] if shown]
            case _:
                return []
        said = "The command below starts the engine again; this screen then attaches to it"
        status = exit_status(self.model, self._leaving)
        quits = f" quits (exit {status})" if status else " quits"
        keys = row(" ", ("q", Role.KEY), f"{quits}. {said} (", ("y", Role.KEY), " copies it):")
        start = [row((line, Role.STRONG)) for line in shell_lines(self.model.hop.command("serve"), width)]
        return [*lines, *wrapped(keys, width, indent=1), *start, BLANK]


def shell_lines(command: str, width: int) -> list[str]:
    """A command in lines of at most `width` cells that a shell takes together, as they are copied."""
    room = width - len(" \\")
    lines = ["  "]
    for word in command.split(" "):
        if len(lines[-1]) + 1 + len(word) > room and lines[-1].strip():
            lines[-1] += " \\"
            lines.append(word)
        else:
            lines[-1] += f" {word}"
        while len(lines[-1]) > room:  # one word is longer than a line: it goes on in the next
            lines[-1:] = [f"{lines[-1][:room]}\\", lines[-1][room:]]
    return lines
