"""What a site's screen does about fault rules: they are typed, and in a demo a partition is put at all sites.

Rules that hold here:
- What a site refuses is said in the line in which it was typed, where that is still open.
- A rule at one site and the same at all are two questions: which is meant is asked first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from engine.contract.errors import RequestFailed, RequestRefused
from tui.panes.faults import EXAMPLES, FaultsPane
from tui.screens.partition import Partition, partition_dialog
from tui.screens.reading import ReadingScreen
from tui.site.cut import PARTITION, Reached, cut, cut_words, is_partition, mend, mended_words
from tui.site.notices import always


class FaultsScreen(ReadingScreen):
    def ask_rule(self, begun: str) -> None:
        """Lets a fault rule be typed."""
        hint = f"e.g. {'   '.join(EXAMPLES[:2])}"
        self.prompt.ask(f"add a fault rule at {self.model.site}", hint, self._add_rule, begun, f"rule {begun}")

    async def _add_rule(self, rule: str) -> str | None:
        if not rule:
            return "a rule names messages and what happens to them, e.g. to=bob drop=50%"
        return await self.faults.add(rule)

    def ask_partition(self, begun: str) -> None:
        """Lets a partition be typed: in a demo for all sites, unless this one alone is meant."""
        if not self.is_everybody:
            self.ask_rule(begun)
            return

        def chosen(what: Partition | None) -> None:
            match what:
                case Partition.EVERYWHERE:
                    question = f"cut the cluster, at {everywhere}"
                    self.prompt.ask(question, "groups of sites", self._cut, begun, f"cut {begun}")
                case Partition.MEND:
                    self.run_worker(self._mend(), group="faults")
                case Partition.HERE:
                    self.ask_rule(begun)
                case None:
                    pass

        everywhere = f"all {len(self.cluster)} sites"
        self.app.push_screen(partition_dialog(self.model.site, everywhere), chosen)

    async def _cut(self, rule: str) -> str | None:
        if rule.split()[:1] != [PARTITION]:
            return "a cut of the cluster is a partition, e.g. partition alice,bob | carol,dave,erin"
        try:
            reached = await cut(self.model.hop, self.cluster, rule)
        except RequestRefused as refused:
            return str(refused)
        await self._tell_reached(cut_words(reached), reached, self._is_cut)
        return None

    async def _mend(self) -> None:
        try:
            reached = await mend(self.cluster)
        except RequestRefused as refused:
            self.complain(str(refused))
        else:
            await self._tell_reached(mended_words(reached), reached, lambda: not self._is_cut())

    async def _tell_reached(self, words: str, reached: Reached, is_so: Callable[[], bool]) -> None:
        """Told for as long as it `is_so` here, where that is known: other connections were used to do it."""
        here = str(self.model.hop.site) in reached.sites
        if here:
            with suppress(RequestFailed):
                await self.model.read_faults()
        holds = is_so if here else always
        if reached.missed:
            self.complain(words, holds)
        else:
            self.report(words, holds)

    def _is_cut(self) -> bool:
        return not self.model.over and any(rule.on and is_partition(rule) for rule in self.model.faults.rules)

    def on_faults_pane_not_connected(self) -> None:
        self.lacks_engine("rules need a running engine")

    def on_faults_pane_answered(self, event: FaultsPane.Answered) -> None:
        if event.refused:
            self.complain(event.words, event.holds)
        else:
            self.report(event.words, event.holds)
