"""What the keys of a site's screen ask the site to do: write, fill, search, and what follows an outcome.

Rules that hold here:
- Where panes stand is no concern of this file: it knows them by name, and which one is used.
- Whatever is asked ends in a sentence on the notice board.
- A fill says first what it will do; what a person has not seen he has not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from engine.contract.errors import RequestFailed
from engine.core.entry import Operation, Tweet
from tui.exact_painting import paint_exactly
from tui.hops import Hop
from tui.panes.composer import Composer
from tui.panes.faults import FaultsPane
from tui.panes.lines import Lines
from tui.panes.log import LogPane
from tui.panes.prompt import Prompt
from tui.panes.timeline import TimelinePane
from tui.panes.trace import TracePane
from tui.rows import Role, row
from tui.screens.blocking import BlockDialog, block_question
from tui.screens.help import outcomes_dialog
from tui.site.linearizable_read import Confirming, sentence
from tui.site.model import SiteModel
from tui.site.notices import COMPLAINT, Mood, Notice, NoticeBoard, Offer
from tui.site.search import Search
from tui.site.submissions import Submissions, site_operation
from tui.textual_inside import OncePainted

Step = Callable[[Search, int], int | None]
"""From a slot to the next hit."""


@dataclass(frozen=True, slots=True)
class Filling:
    """What `key` fills; no slots: all holes."""

    slots: tuple[int, ...] | None
    key: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A fill whose plan was told, and the burst of the key that asked for it."""

    filling: Filling
    told: Notice
    burst: int | None


class SiteScreen(OncePainted):
    BLANK = True  # panes and bars cover it
    panes: Mapping[str, Lines]
    trace: TracePane
    faults: FaultsPane
    composer: Composer
    prompt: Prompt

    def __init__(self, hop: Hop, cluster: Sequence[Hop]) -> None:
        """`cluster`: the sites that this program shows: one, or all of a demo."""
        super().__init__()
        paint_exactly(self)
        self.cluster = cluster
        self.model = SiteModel(hop, lambda work: self.run_worker(work, group="site"))
        self.board = NoticeBoard(self.tell_outcome)
        self.submissions = Submissions(self.model, self.board, self.tell_outcome)
        self.model.on_complaint = self.complain
        self._search = Search("", "")
        self._searching: Search | None = None
        self._planned: Planned | None = None
        self._lacked: Notice | None = None

    @property
    def is_everybody(self) -> bool:
        """Whether the person here is every site: in a demo."""
        return len(self.cluster) > 1

    @property
    def pane(self) -> Lines:
        """The pane that is used."""
        raise NotImplementedError

    def action_show(self, name: str) -> None:
        """Goes to a pane."""
        raise NotImplementedError

    def tell_outcome(self) -> None:
        """The outcome line may have to say something else."""
        raise NotImplementedError

    def complain(self, words: str) -> None:
        shown = self.board.shown
        notice = Notice(row(("✗ ", Role.BAD), words), Mood.BAD, about=COMPLAINT, ends=frozenset({COMPLAINT}))
        if shown is None or shown.said != notice.said:
            self.board.add(notice)

    def remark(self, words: str) -> None:
        """Says something that is no outcome; the next word replaces it."""
        self.board.remark(Notice(row(("· ", Role.NOTE), words), Mood.GOOD))

    def lacks_engine(self, so: str) -> bool:
        """Whether nothing can be asked now; then that is said, and what comes of it, until an engine is there."""
        if self.model.live:
            return False
        self.remark(f"no engine is connected: {so}")
        self._lacked = self.board.shown
        return True

    def has_engine(self) -> None:
        """What was said of its lack is over."""
        if self._lacked is not None and self.board.shown is self._lacked:
            self.board.dismiss_remark()
        self._lacked = None

    # Writing.

    def action_compose(self) -> None:
        self.composer.open()

    def on_composer_kept(self) -> None:
        self.remark("what came together with Enter is no command: it waits in the draft, c goes on with it")

    def on_composer_written(self, event: Composer.Written) -> None:
        self._submit(Tweet(event.text))

    def action_block(self) -> None:
        self._choose_site("block")

    def action_unblock(self) -> None:
        self._choose_site("unblock")

    def _choose_site(self, kind: str) -> None:
        if self.lacks_engine("nothing can be sent"):
            return

        def chosen(site: str | None) -> None:
            if site is not None:
                self.app.push_screen(block_question(kind, site, self.model), partial(confirmed, site))

        def confirmed(site: str, yes: bool | None) -> None:
            if yes:
                self._submit(site_operation(kind, site))

        self.app.push_screen(BlockDialog(kind, self.model), chosen)

    def _submit(self, operation: Operation) -> None:
        self.run_worker(self.submissions.submit(operation), group="submit")

    # After an outcome.

    def action_retry(self) -> None:
        notice = self.board.shown
        if notice is not None and Offer.RETRY in notice.offers and notice.operation is not None:
            self.board.dismiss()
            self._submit(notice.operation)
        else:
            self._nothing_offered(Offer.RETRY, "send again", "r is offered after an event that is certainly in no log")

    def action_edit(self) -> None:
        notice = self.board.shown
        if notice is not None and Offer.EDIT in notice.offers and isinstance(notice.operation, Tweet):
            self.board.dismiss()
            self.composer.take(notice.operation.text)
        else:
            self._nothing_offered(Offer.EDIT, "edit", "e is offered after a tweet that is in no log")

    def action_wait(self) -> None:
        notice = self.board.shown
        if notice is not None and Offer.WAIT in notice.offers:
            self.board.dismiss()
            self.remark("its outcome is told here as soon as it is known; the status bar counts unknown ones")
        elif self.model.status is not None and self.model.status.unknown:
            self.remark("the outcome is told here as soon as it is known; nothing else need be done")
        else:
            self._nothing_offered(Offer.WAIT, "wait for", "w is offered after an event whose outcome is unknown")

    def _nothing_offered(self, offer: Offer, what: str, when: str) -> None:
        """What an older outcome offers, which waits beneath the one that is shown, is not done unseen."""
        beneath = self.board.offers_below(offer)
        self.remark(f"x first: {when}, and one waits below" if beneath else f"there is nothing to {what}: {when}")

    def action_dismiss_outcome(self) -> None:
        self.board.dismiss()

    def action_outcomes(self) -> None:
        self.app.push_screen(outcomes_dialog(self.board.history))

    # Filling.

    def action_fill(self) -> None:
        if self.lacks_engine("which slots are holes is not known"):
            return
        holes = set() if self.model.status is None else set(self.model.status.holes)
        slot = self.pane.slot()
        notice = self.board.shown
        if slot in holes and slot is not None:
            self._fill(Filling((slot,), "f"))
        elif notice is not None and Offer.SETTLE in notice.offers and notice.slot is not None:
            self._fill(Filling((notice.slot,), "f"))
        elif not holes:
            self.remark("there is no hole to fill: every used slot is learned")
        else:
            self.remark("this row is no hole: H goes to the next one, F fills all of them")

    def action_fill_all(self) -> None:
        if not self.lacks_engine("which slots are holes is not known"):
            self._fill(Filling(None, "F"))

    def _fill(self, wanted: Filling) -> None:
        """First shows the plan. The same key again starts it while that stands there, unless both came in one burst."""
        burst: int | None = getattr(self.app, "burst", None)
        planned = self._planned
        seen = self.board.doing is None and not self.submissions.pending  # the line tells of these first
        if planned is None or planned.filling != wanted or planned.told is not self.board.shown or not seen:
            self.run_worker(self._plan(wanted, burst), group="plan")
        elif burst is None or burst != planned.burst:
            self._planned = None
            self.run_worker(self.submissions.fill(wanted.slots), group="fill")

    async def _plan(self, wanted: Filling, burst: int | None) -> None:
        told = await self.submissions.plan(wanted.slots, wanted.key)
        self._planned = None if told is None else Planned(wanted, told, burst)

    # Linearizable reads.

    def action_confirm(self) -> None:
        """In the timeline: whether it lacks anything that was chosen by now (R5)."""
        if not isinstance(self.pane, TimelinePane):
            self.action_show("timeline")
        if self.lacks_engine("no majority can be asked"):
            return
        if isinstance(self.model.read_state, Confirming):
            self.remark("a majority is being asked already: the title of the timeline tells when it has answered")
        else:
            self.run_worker(self._confirm(), group="confirm")

    async def _confirm(self) -> None:
        try:
            read = await self.model.read_linearizably()
        except RequestFailed as failed:
            self.complain(f"not confirmed that nothing is missing: {failed}")
            return
        if read.at is None:
            self.complain(sentence(read))
        else:
            self.remark(sentence(read))

    # Going somewhere.

    def action_go_to(self) -> None:
        self.prompt.ask("go to slot", self._slots(), self._go_to)

    async def _go_to(self, typed: str) -> str | None:
        number = typed.lstrip("#").replace(",", "")
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= self.model.log.last):
            return self._slots()
        self.go_to_slot(int(number))
        return None

    def _slots(self) -> str:
        match self.model.log.last:
            case 0:
                return "the log is empty: there is no slot to go to yet"
            case 1:
                return "slot 1 is the only one"
            case last:
                return f"a slot is a number of 1 to {last:,}"

    def go_to_slot(self, slot: int) -> None:
        """Shows a slot, in the timeline if that is used, else in the log."""
        if not isinstance(self.pane, TimelinePane | LogPane):
            self.action_show("log")
        pane = self.pane
        if not isinstance(pane, TimelinePane | LogPane):
            return
        row = pane.held_at(slot)
        if row is not None and not self.model.live:
            pane.go(row)
        elif not self.lacks_engine(f"#{slot:,} was not read before"):
            pane.go_to_slot(slot)

    def action_next_hole(self) -> None:
        if self.lacks_engine("which slots are holes is not known"):
            return
        holes = () if self.model.status is None else self.model.status.holes
        if not holes:
            self.remark("there is no hole: every used slot is learned")
            return
        self.action_show("log")
        here = self.pane.slot() or 0
        self.go_to_slot(next((hole for hole in holes if hole > here), holes[0]))

    def action_search(self) -> None:
        prompt = self.prompt
        if isinstance(self.pane, TracePane):
            shown = " ".join(self.model.trace.words)
            hint = "words that a line must hold, e.g. accept #43 bob; -word: must not; nothing: all lines"
            prompt.ask("filter the trace", hint, self._filter, shown)
            return
        if not isinstance(self.pane, TimelinePane | LogPane):
            self.action_show("log")
        where = "timeline" if isinstance(self.pane, TimelinePane) else "log"
        hint = "from the selected row up; then n goes on above, N below, esc takes the marks away"
        prompt.ask(f"search the {where}", hint, self._find, self._search.words)

    async def _filter(self, words: str) -> str | None:
        self.trace.filter(words)
        return None

    async def _find(self, words: str) -> str | None:
        self.stop_marking()
        self._search = Search(words, self.pane.id or "")
        if words:
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
        if not self._search.words:
            self.action_search()
        elif isinstance(pane, TimelinePane | LogPane):
            if self._search.place != pane.id:
                self._search = Search(self._search.words, pane.id or "")
            if self._searching is self._search:
                return  # it says so, and that esc stops it
            self.workers.cancel_group(self, "search")
            self._searching = self._search
            pane.mark(self._search.words)
            self.run_worker(self._look_for(pane, self._search, step), group="search")

    async def _look_for(self, pane: TimelinePane | LogPane, search: Search, step: Step | None) -> None:
        here = (pane.slot() or 0) + (1 if step is None else 0)
        if pane.following and step is None:
            here = self.model.log.last + 1
        gone = False

        def progress(slot: int) -> None:
            self.board.doing = f"searching above #{slot:,}; esc stops · {search.words}"

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
                self.board.doing = None
        found = (step or Search.above)(search, here)
        if found is None:
            self.remark(f"no match in the {search.place}: {search.words}")
            return
        if not gone:
            pane.go_to_slot(found)
        around = ""
        if step is Search.below and found <= here:
            around = "on from the oldest, "
        elif step is not Search.below and found >= here:
            around = "on from the newest, "
        self.remark(f"{around}match {search.which(found)} · n above, N below, esc unmarks · {search.words}")

    @property
    def searching(self) -> bool:
        """Whether a search is under way, which Esc stops. Nothing else that is under way can be stopped."""
        return self._searching is not None

    @property
    def marks(self) -> bool:
        """Whether the pane that is used marks the hits of a search."""
        return self.pane.marked is not None

    def stop_marking(self) -> None:
        for pane in self.panes.values():
            pane.mark("")

    def on_prompt_late_refusal(self, event: Prompt.LateRefusal) -> None:
        self.complain(event.words)
