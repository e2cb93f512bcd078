"""What is asked before a site is blocked or unblocked: which, and whether that is meant.

Rules that hold here:
- What changes everybody's log is confirmed by a key of its own.
- Who is blocked is told when it was read, not before; what would change nothing is said before it is sent.
"""

from __future__ import annotations

from typing import Final

from engine.contract.errors import RequestFailed
from engine.contract.requests import EventKind
from tui.rows import Role, Row, row
from tui.screens.dialogs import Choice, Confirmation, NameDialog
from tui.site.model import SiteModel

_MEANS: Final = {
    EventKind.BLOCK: "A blocked site sees none of this site's tweets, old ones included, until it is unblocked.",
    EventKind.UNBLOCK: "An unblocked site sees this site's tweets again, including those written meanwhile.",
}


class BlockDialog(NameDialog):
    """`kind` is block or unblock; it ends with a site."""

    def __init__(self, kind: EventKind, model: SiteModel) -> None:
        others = [site for site in model.sites if site != model.site]
        super().__init__(f"{kind.capitalize()} as {model.site}", [row(_MEANS[kind])], others)
        self._model = model

    def about(self, choice: Choice[str]) -> Row:
        if self._model.blocks is None:
            return row("  …")
        slot = self._model.blocked_since(choice.value)
        return row(("  not blocked" if slot is None else f"  blocked since #{slot:,}", Role.DIM))

    def on_mount(self) -> None:
        if self._model.blocks is None:
            self.run_worker(self._read(), group="blocks")

    async def _read(self) -> None:
        try:
            await self._model.read_blocks()
        except RequestFailed as failed:
            self._model.complain(failed)
        else:
            self.tell()


def block_question(kind: EventKind, site: str, model: SiteModel) -> Confirmation:
    said = row(_MEANS[kind])
    slot = model.blocked_since(site)
    if kind is EventKind.BLOCK and slot is not None:
        said = row((f"{site} has been blocked since #{slot:,}: blocking again changes nothing.", Role.WARN))
    if kind is EventKind.UNBLOCK and slot is None and model.blocks is not None:
        said = row((f"{site} is not blocked: this changes nothing.", Role.WARN))
    yes = row(f"{kind} {site}: an event in the log of all sites")
    return Confirmation(f"{kind.capitalize()} {site}?", [said], yes)
