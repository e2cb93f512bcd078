"""The inspector: one slot's acceptor variables, votes and attempt here, its biography, and the messages about it.

Rules that hold here:
- What this site has is read at once, and again whenever the slot changes. The other sites are asked when the slot is
  opened, and on a key; where the slot changed since, that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual.message import Message

from engine.contract.answers import Attempt, Biography, Direction, Entry, SlotView
from engine.contract.errors import RequestFailed
from engine.core.views import AttemptPhase
from tui import entries
from tui.panes.biography import biography_rows
from tui.panes.diagram import diagram, lane_width
from tui.panes.page import Page
from tui.rows import BLANK, Part, Role, Row, row, wrapped
from tui.site.model import Change, SiteModel
from tui.site.wording import attempt_words
from tui.times import clock_ms


class InspectorPane(Page):
    ASPECTS: ClassVar = Change.LOG | Change.ATTEMPTS | Change.STATUS | Change.CONNECTION

    class AskedAgain(Message):
        """What came of asking all sites once more, in words."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    def __init__(self, model: SiteModel) -> None:
        super().__init__(model, id="inspector")
        self.inspected: int | None = None
        self._view: SlotView | None = None
        self._told: Biography | None = None
        self._outdated = False
        self._asking = False
        self._stale = False
        self._reading = False

    def title(self) -> str:
        if self.inspected is None:
            return "Slot"
        view = self._view
        if view is None:
            return f"Slot {self.inspected}"
        attempt = self._attempt(view)
        if attempt is not None and attempt.phase == AttemptPhase.ADOPTING:
            return f"Slot {view.slot} · adopting: proposing another's value, not its own"
        return f"Slot {view.slot} · {view.state if attempt is None else attempt.phase}"

    def inspect(self, slot: int) -> None:
        self.inspected = slot
        self._view = None
        self._told = None
        self._ask()
        self.ask_sites()
        self.rewrite()

    def ask_sites(self) -> None:
        """Asks all sites what they know of the slot."""
        if self.inspected is not None and self.model.live:
            self._asking = True
            self.run_worker(self._explain(self.inspected), group="biography", exclusive=True)
            self.rewrite()

    def slot(self) -> int | None:
        return self.inspected

    def write(self, width: int) -> Sequence[Row]:
        view = self._view
        if self.inspected is None:
            return wrapped(row(("enter on a row of another pane shows its slot here", Role.DIM)), width)
        if view is None:
            if self.model.over:
                return wrapped(row((f"slot {self.inspected} was not read: no engine is connected", Role.WARN)), width)
            return [row((f"reading slot {self.inspected} …", Role.DIM))]
        if self.model.over:
            before = wrapped(row(("as read before the engine was lost", Role.WARN)), width)
            lines = [*before, *self._variables(view, width), *self._biography(width)]
        else:
            hindered = [] if view.hindered is None else wrapped(row((view.hindered, Role.WARN)), width, indent=2)
            lines = [*self._variables(view, width), *hindered, *self._votes(view, width), *self._biography(width)]
        if not view.trace:
            return [*lines, BLANK, row(("no message about this slot is remembered", Role.DIM))]
        sites = self.model.sites
        if lane_width(width, len(sites)):
            return [*lines, BLANK, *diagram(view.trace, self.model.site, sites, width)]
        return [*lines, BLANK, *self._messages(view, width)]

    def _variables(self, view: SlotView, width: int) -> list[Row]:
        acceptor = row(
            ("acceptor ", Role.DIM),
            (f"{self.model.site}   ", Role.STRONG),
            ("maxPrepare ", Role.DIM),
            f"{view.max_prepare or '--'}   ",
            ("accNum ", Role.DIM),
            view.acc_num or "--",
        )
        lines = [
            *wrapped(acceptor, width, indent=9),
            *_entry("accVal ", view.acc_val, width),
        ]
        if view.learned is not None:
            lines += _entry("learned", view.learned, width)
            if view.void:
                lines.append(row(("void: an earlier event of its author is missing, so it has no effect", Role.WARN)))
        else:
            lines.append(row(("learned  ", Role.DIM), ("not yet", Role.WARN)))
        return lines

    def _votes(self, view: SlotView, width: int) -> list[Row]:
        attempt = self._attempt(view)
        if attempt is None:
            return []
        words = attempt_words(attempt)
        if attempt.phase in {AttemptPhase.WAITING, AttemptPhase.YIELDING}:  # nobody is asked for anything meanwhile
            return wrapped(row((words, Role.NOTE)), width)
        said = wrapped(row((f"{words}. {attempt.why[:1].upper()}{attempt.why[1:]}", Role.NOTE)), width)
        asked_for = "answers" if attempt.ballot is None else f"votes for {attempt.ballot}"
        parts = [Part(f"{asked_for}  ", Role.DIM)]
        for site in self.model.sites:
            parts += _vote(site, attempt)
        parts.append(Part(f" {len(attempt.votes)} of {attempt.needed}", Role.STRONG))
        return [*wrapped(tuple(parts), width, indent=2), *said]

    def _attempt(self, view: SlotView) -> Attempt | None:
        """What this site does there, while there is an engine to do it and something is left to do."""
        return None if self.model.over or view.learned is not None else self.model.attempts.get(view.slot)

    def _biography(self, width: int) -> list[Row]:
        if self._told is None:
            return [row(("the other sites are asked …", Role.DIM))] if self._asking else []
        lines = biography_rows(self._told, self.model.site, width)
        if self._asking:
            lines.append(row(("all sites are asked again …", Role.DIM)))
        elif self._outdated and self.model.live:
            lines.append(row(("the slot has changed since: ", Role.NOTE), ("a", Role.KEY), " asks all sites again"))
        return lines

    def _messages(self, view: SlotView, width: int) -> list[Row]:
        arrows: Mapping[str, str] = {Direction.OUT: "→", Direction.IN: "←", Direction.SELF: "*"}
        lines: list[Row] = []
        for line in view.trace:
            said = row(
                (f"{clock_ms(line.at)} ", Role.DIM),
                f"{arrows.get(line.dir, '·')} {line.peer or ''} {line.type} ",
                (f"{line.ballot or ''} {line.note or ''}", Role.DIM),
            )
            lines += wrapped(said, width, indent=2)
        return lines

    # What is read, and when.

    def learn(self, change: Change) -> None:
        if not self.display or self.inspected is None:
            return
        new = self.model.changed_slots
        if change & Change.CONNECTION or (change & Change.LOG and (new is None or self.inspected in new)):
            self._outdated = True
            self._ask()
        if change & (Change.CONNECTION | Change.ATTEMPTS):
            self.rewrite()

    def _ask(self) -> None:
        self._stale = True
        if not self._reading and self.model.live:
            self._reading = True
            self.run_worker(self._read(), group="inspector")

    async def _explain(self, slot: int) -> None:
        try:
            told = await self.model.explain(slot)
        except RequestFailed as failed:
            self.model.complain(failed)
        else:
            if slot == self.inspected:
                if self._told is not None:
                    self.post_message(self.AskedAgain(_asked_again(self._told, told)))
                self._told, self._outdated = told, False
        self._asking = False
        self.rewrite()

    async def _read(self) -> None:
        try:
            while self._stale and self.inspected is not None:
                self._stale = False
                slot = self.inspected
                view = await self.model.read_slot(slot)
                if slot == self.inspected:
                    self._view = view
                    self.rewrite()
        except RequestFailed as failed:
            self.model.complain(failed)
        finally:
            self._reading = False


def _asked_again(before: Biography, now: Biography) -> str:
    """The screen reads as before where nothing is new, so that it is said."""
    answered = sum(site.answered for site in now.sites)
    found = "nothing is new" if _known(before) == _known(now) else "what they know has changed"
    return f"asked again: {answered} of {len(now.sites)} sites answered; {found}"


def _known(told: Biography) -> Biography:
    """Without the times, which each answer tells a little otherwise."""
    return replace(told, sites=tuple(replace(site, learned_at=None) for site in told.sites))


def _entry(label: str, entry: Entry | None, width: int) -> list[Row]:
    if entry is None:
        return [row((f"{label}  ", Role.DIM), "--")]
    said = row((f"{label}  ", Role.DIM), (f"{entries.name(entry)} ", Role.NOTE), entries.content(entry))
    return wrapped(said, width, indent=9)


def _vote(site: str, attempt: Attempt) -> list[Part]:
    if site in attempt.votes:
        return [Part(f"{site} "), Part("✓  ", Role.GOOD)]
    if site in attempt.asked:
        return [Part(f"{site} "), Part("…  ", Role.NOTE)]
    return [Part(f"{site} -  ", Role.DIM)]
