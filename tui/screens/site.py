"""What the keys of a site's screen ask the site to do: write, fill, go somewhere, and what follows an outcome.

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
from engine.contract.requests import EventKind
from engine.core.entry import Operation, Tweet
from tui.exact_painting import paint_exactly
from tui.hops import Hop
from tui.panes.composer import Composer
from tui.panes.faults import FaultsPane
from tui.panes.leaping import leap
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
from tui.site.notices import COMPLAINT, Mood, Notice, NoticeBoard, Offer, always
from tui.site.submissions import Submissions
from tui.site.unsent import operation_of
from tui.textual_inside import OncePainted


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
    panes: Mapping[str, Lines]
    timeline: TimelinePane
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
        self._planned: Planned | None = None

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

    def complain(self, words: str, holds: Callable[[], bool] = always) -> None:
        shown = self.board.shown
        said = row(("✗ ", Role.BAD), words)
        notice = Notice(said, Mood.BAD, about=COMPLAINT, ends=frozenset({COMPLAINT}), holds=holds)
        if shown is None or shown.said != notice.said:
            self.board.add(notice)

    def remark(self, words: str, holds: Callable[[], bool] = always) -> None:
        """Says something that is no outcome; the next word replaces it, and it goes when it no longer `holds`."""
        self.board.remark(_noted(words, holds))

    def report(self, words: str, holds: Callable[[], bool] = always) -> None:
        """Remarks what came of something that was done or asked: all outcomes have it too."""
        self.board.report(_noted(words, holds))

    def hint(self, words: str) -> None:
        """Says what a key needs before it does anything here. It goes when its reader goes to another row or pane."""
        pane, row_of_it = self.pane, self.pane.cursor
        self.remark(words, lambda: self.pane is pane and pane.cursor == row_of_it)

    def lacks_engine(self, so: str) -> bool:
        """Whether nothing can be asked now; then that is said, and what comes of it, until an engine is there."""
        if self.model.live:
            return False
        self.remark(f"no engine is connected: {so}", lambda: not self.model.live)
        return True

    @property
    def nothing_read(self) -> bool:
        """No engine was ever there to read anything from."""
        return self.model.over and not self.model.was_read

    # Writing.

    def action_compose(self) -> None:
        self.composer.open()
        self.board.review()

    def on_composer_kept(self) -> None:
        self.remark(
            "text that came with Enter is not taken as keys: it is in the draft, c continues it",
            lambda: bool(self.composer.field.text) and not self.composer.is_open,
        )

    def on_composer_written(self, event: Composer.Written) -> None:
        self._submit(Tweet(event.text))

    def action_block(self) -> None:
        self._choose_site(EventKind.BLOCK)

    def action_unblock(self) -> None:
        self._choose_site(EventKind.UNBLOCK)

    def _choose_site(self, kind: EventKind) -> None:
        if self.lacks_engine("nothing can be sent"):
            return

        def chosen(site: str | None) -> None:
            if site is not None:
                self.app.push_screen(block_question(kind, site, self.model), partial(confirmed, site))

        def confirmed(site: str, yes: bool | None) -> None:
            if yes:
                self._submit(operation_of(kind, site))

        self.app.push_screen(BlockDialog(kind, self.model), chosen)

    def _submit(self, operation: Operation) -> None:
        self.run_worker(self.submissions.submit(operation), group="submit")

    # After an outcome.

    def action_retry(self) -> None:
        notice = self.board.seen
        if notice is not None and Offer.RETRY in notice.offers and notice.operation is not None:
            self.board.take(notice)
            self._submit(notice.operation)
        else:
            self._nothing_offered(Offer.RETRY, "send again", "r is for an event that is certainly not in the log")

    def action_edit(self) -> None:
        """What was dismissed is in no log either: its text can still be had."""
        notice = self.board.seen
        if notice is None or Offer.EDIT not in notice.offers:
            notice = None if self.board.offers_below(Offer.EDIT) else self.board.put_away(Offer.EDIT)
        if notice is not None and isinstance(notice.operation, Tweet):
            self.board.take(notice)
            self.composer.take(notice.operation.text)
        else:
            self._nothing_offered(Offer.EDIT, "edit", "e is for a tweet that is not in the log")

    def action_wait(self) -> None:
        notice = self.board.seen
        if notice is not None and Offer.WAIT in notice.offers:
            self.board.take(notice)
            told = "its outcome appears here once it is known; the status bar counts unknown ones"
            self.remark(told, self._waits_for_outcomes)
        elif self._waits_for_outcomes():
            told = "the outcome appears here once it is known; you need not do anything"
            self.remark(told, self._waits_for_outcomes)
        else:
            self._nothing_offered(Offer.WAIT, "wait for", "w is for an event whose outcome is unknown")

    def _waits_for_outcomes(self) -> bool:
        return self.model.status is not None and self.model.status.unknown > 0

    def _nothing_offered(self, offer: Offer, what: str, when: str) -> None:
        """What an older outcome offers, which waits beneath the one that is shown, is not done unseen."""
        if not self.board.offers_below(offer):
            self.hint(f"there is nothing to {what}: {when}")
        elif self.board.is_busy:
            self.remark(f"{when}; one reappears when what is under way has ended", self._is_busy)
        else:
            self.remark(f"x first: {when}, and one waits below", lambda: self.board.offers_below(offer))

    def action_dismiss_outcome(self) -> None:
        if not self.board.dismiss() and self.board.is_busy:
            self.remark("nothing to dismiss: what is under way ends by itself", self._is_busy)

    def _is_busy(self) -> bool:
        return self.board.is_busy

    def action_outcomes(self) -> None:
        self.app.push_screen(
            outcomes_dialog([*self.submissions.each(), *self.board.others_doing()], self.board.history)
        )

    # Filling.

    def fills_here(self) -> int | None:
        """The slot that a fill is about now: the selected hole, else the one that the outcome line offers to settle."""
        slot, notice = self.pane.slot(), self.board.seen
        if slot in self.model.holes:
            return slot
        return notice.slot if notice is not None and Offer.SETTLE in notice.offers else None

    def action_fill(self) -> None:
        if self.lacks_engine("it is not known whether there are holes"):
            return
        holes = self.model.holes
        slot, fills = self.pane.slot(), self.fills_here()
        if fills is not None:
            self._fill(Filling((fills,), "f"))
        elif not holes:
            self.submissions.tell_no_hole()
        else:
            here = "this pane has no holes" if slot is None else f"#{slot:,} is no hole"
            self.remark(f"{here}: H goes to the next one, F fills all of them", lambda: slot not in self.model.holes)

    def action_fill_all(self) -> None:
        if not self.lacks_engine("it is not known whether there are holes"):
            self._fill(Filling(None, "F"))

    def _fill(self, wanted: Filling) -> None:
        """First shows the plan. The same key again starts it while that stands there, unless both came in one burst."""
        burst: int | None = getattr(self.app, "burst", None)
        planned = self._planned
        if planned is None or planned.filling != wanted or planned.told is not self.board.seen:
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
            told = "a majority is being asked already: the timeline's title says when it has answered"
            self.remark(told, lambda: isinstance(self.model.read_state, Confirming))
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
            self.report(sentence(read))

    # Going somewhere.

    def action_go_to(self) -> None:
        if not self.nothing_read:
            self.prompt.ask("go to slot", self._slots(), self._go_to, kept_as="slot")
        else:
            self.lacks_engine("no slot has been read yet")

    async def _go_to(self, typed: str) -> str | None:
        number = typed.lstrip("#").replace(",", "")
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= self.model.log.last):
            return self._slots()
        self.go_to_slot(int(number))
        return None

    def _slots(self) -> str:
        match self.model.log.last:
            case 0:
                return "the log is empty: there is no slot to go to"
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
            leap(pane, row)
        elif not self.lacks_engine(f"#{slot:,} was not read before"):
            pane.go_to_slot(slot)

    def action_next_hole(self) -> None:
        if self.lacks_engine("it is not known whether there are holes"):
            return
        holes = self.model.holes
        if not holes:
            self.submissions.tell_no_hole()
            return
        self.action_show("log")
        here = self.pane.slot() or 0
        self.go_to_slot(next((hole for hole in holes if hole > here), holes[0]))

    def on_prompt_late_refusal(self, event: Prompt.LateRefusal) -> None:
        self.complain(event.words)


def _noted(words: str, holds: Callable[[], bool]) -> Notice:
    return Notice(row(("· ", Role.NOTE), words), Mood.GOOD, holds=holds)
