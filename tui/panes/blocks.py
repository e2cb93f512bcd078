"""Pane 2: the block table as a matrix, the row's site blocks the column's (docs/protocol.md R2: of the prefix)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.contract.errors import RequestFailed
from tui.panes.page import Page
from tui.rows import BLANK, Part, Role, Row, fitted, row, wrapped
from tui.site.model import Change, SiteModel


class BlocksPane(Page):
    ASPECTS: ClassVar = Change.BLOCKS | Change.STATUS | Change.CONNECTION

    def __init__(self, model: SiteModel) -> None:
        super().__init__(model, id="blocks")
        self._reading = False

    def title(self) -> str:
        blocks = self.model.blocks
        return f"2 Blocks · {len(blocks)}" if blocks else "2 Blocks"

    def write(self, width: int) -> Sequence[Row]:
        blocks = self.model.blocks
        if blocks is None:
            return [BLANK, row(("Not read: no engine is connected." if self.model.over else "reading …", Role.DIM))]
        if not blocks and self.model.over:
            said = row(("Nobody blocked anybody before the engine was lost.", Role.WARN))
            return [BLANK, *wrapped(said, width)]
        if not blocks:
            said = row(
                "Nobody blocks anybody. ", ("b", Role.KEY), " blocks a site: it no longer sees this site's tweets."
            )
            return [BLANK, *wrapped(said, width)]
        sites = self.model.sites
        names = max(map(len, sites))
        column = max(2, min(names, (width - names - 1) // len(sites) - 1))
        since = {(line.blocker, line.blocked): line.slot for line in blocks}
        before = wrapped(row(("as read before the engine was lost", Role.WARN)), width) if self.model.over else []
        lines = [*before, row((" " * (names + 1) + "".join(f"{fitted(site, column)} " for site in sites), Role.DIM))]
        for blocker in sites:
            parts = [Part(f"{blocker:<{names}} ", Role.STRONG if blocker == self.model.site else Role.PLAIN)]
            for blocked in sites:
                slot = since.get((blocker, blocked))
                glyph = "-" if blocker == blocked else "·" if slot is None else "✗"
                parts.append(Part(f"{glyph:<{column}} ", Role.DIM if slot is None else Role.BAD))
            lines.append(tuple(parts))
        lines += [BLANK, *wrapped(row(("✗ the row blocks the column:", Role.DIM)), width)]
        for line in sorted(blocks, key=lambda line: line.slot):
            lines.append(row(f"{line.blocker} blocks {line.blocked}", (f" since #{line.slot}", Role.DIM)))
        return lines

    def learn(self, change: Change) -> None:
        super().learn(change)
        if self.display and self.model.live and self.model.blocks is None and not self._reading:
            self._reading = True
            self.run_worker(self._read(), group="blocks")

    async def _read(self) -> None:
        try:
            while self.model.blocks is None:
                await self.model.read_blocks()
        except RequestFailed as failed:
            self.model.complain(failed)
        finally:
            self._reading = False
