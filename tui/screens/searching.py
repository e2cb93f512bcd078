"""What a site's screen does about words: timeline and log are searched for them, the trace is filtered by them.

Rules that hold here:
- One search at a time; what is looked for next ends the one before. Esc stops it, and takes its marks away.
- One goes to the first hit at once; how many there are is told when all was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.contract.errors import RequestFailed
from tui.hops import Hop
from tui.panes.log import LogPane
from tui.panes.timeline import TimelinePane
from tui.panes.trace import TracePane
from tui.rows import Role, row
from tui.screens.site import SiteScreen
from tui.site.notices import SEARCH
from tui.site.search import Search
from tui.sought import HELP, NotSought

Step = Callable[[Search, int], int | None]
"""From a slot to the next hit."""


class SearchScreen(SiteScreen):
    def __init__(self, hop: Hop, cluster: Sequence[Hop]) -> None:
        super().__init__(hop, cluster)
        self._search = Search("", "")
        self._searching: Search | None = None

    def action_search(self) -> None:
        if self.nothing_read:
            self.lacks_engine("there is nothing to search yet")
            return
        prompt = self.prompt
        if isinstance(self.pane, TracePane):
            shown = " ".join(self.model.trace.words)
            hint = "words that a line must contain, e.g. accept #43 bob; -word: must not; empty: all lines"
            prompt.ask("filter the trace", hint, self._filter, shown, "filter")
            return
        if not isinstance(self.pane, TimelinePane | LogPane):
            self.action_show("log")
        where = "timeline" if isinstance(self.pane, TimelinePane) else "log"
        hint = f"{HELP}; then n goes up, N down, esc removes the marks"
        prompt.ask(f"search the {where}", hint, self._find, self._search.typed, "search")

    async def _filter(self, words: str) -> str | None:
        self.trace.filter(words)
        return None

    async def _find(self, typed: str) -> str | None:
        try:
            search = Search(typed, self.pane.id or "")
        except NotSought as refused:
            return str(refused)
        self.stop_marking()
        self._search = search
        if typed:
            self._look(None)
        return None

    def action_next_match(self) -> None:
        self._look(Search.above)

    def action_match_below(self) -> None:
        self._look(Search.below)

    def _look(self, step: Step | None) -> None:
        """Goes a step from the selected row; with none, to the first hit at that row or above it."""
        if not isinstance(self.pane, TimelinePane | LogPane):
            self.action_show("log")
        pane = self.pane
        if not self._search.typed:
            self.action_search()
        elif isinstance(pane, TimelinePane | LogPane):
            if self._search.place != pane.id:
                self._search = Search(self._search.typed, pane.id or "")
            if self._searching is self._search:
                return  # it says so, and that esc stops it
            self.workers.cancel_group(self, "search")
            self._searching = self._search
            pane.mark(self._search.sought.marked)
            self.run_worker(self._look_for(pane, self._search, step), group="search")

    async def _look_for(self, pane: TimelinePane | LogPane, search: Search, step: Step | None) -> None:
        here = (pane.slot() or 0) + (1 if step is None else 0)
        if pane.following and step is None:
            here = self.model.log.last + 1
        gone = False

        def progress(slot: int) -> None:
            said = row(("… ", Role.NOTE), f"searching above #{slot:,}; esc stops · {search.typed}")
            self.board.begin(SEARCH, lambda: said)

        try:
            if not search.whole or search.seen_to < self.model.log.last:
                async for slot in search.look(self.model, progress):
                    if step is None and not gone and slot < here:
                        pane.go_to_slot(slot)
                        gone = True
        except RequestFailed as failed:
            self.complain(f"not searched to the end: {failed}")
            return
        finally:
            if self._searching is search:
                self._searching = None
                self.board.end(SEARCH)
        found = (step or Search.above)(search, here)
        if found is None:
            self.report(f"no match in the {search.place} up to #{search.seen_to:,}: {search.typed}")
            return
        if not gone:
            pane.go_to_slot(found)
        around = ""
        if step is Search.below and found <= here:
            around = "on from the oldest, "
        elif step is not Search.below and found >= here:
            around = "on from the newest, "
        words = f"{around}match {search.which(found)} · n above, N below, esc unmarks · {search.typed}"
        self.remark(words, self._while_at(pane, found))

    def _while_at(self, pane: TimelinePane | LogPane, slot: int) -> Callable[[], bool]:
        """Until its reader has been at `slot` and gone on: rows may have to be read before one gets there."""
        been = False

        def holds() -> bool:
            nonlocal been
            here = pane.slot()
            been = been or here == slot
            return self.pane is pane and (not been or here in {slot, None})

        return holds

    @property
    def searching(self) -> bool:
        """Whether a search is under way, which Esc stops. Nothing else that is under way can be stopped."""
        return self._searching is not None

    @property
    def marks(self) -> bool:
        """Whether a search was made in the pane that is used, which Esc ends."""
        return self.pane.marked is not None

    def stop_marking(self) -> None:
        for pane in self.panes.values():
            pane.mark(None)
