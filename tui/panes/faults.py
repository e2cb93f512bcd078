"""Pane 6: rules that make this site's network bad on purpose, and what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeVar

from textual.binding import BindingType
from textual.message import Message

from engine.contract.answers import Direction, Held, Removed, Rule
from engine.contract.errors import RequestFailed
from engine.contract.params import Params
from engine.contract.requests import FaultsAdd, FaultsClear, FaultsDrop, FaultsRelease, FaultsRemove, FaultsSet
from tui import keys
from tui.counted import plural
from tui.panes.page import Page
from tui.rows import BLANK, Role, Row, row, wrapped
from tui.site.model import Change, SiteModel
from tui.site.notices import always
from tui.times import clock

_A = TypeVar("_A")
Selected = TypeVar("Selected", Rule, Held)

RULE_INDENT: Final = 18

EXAMPLES = (
    "to=bob type=accept drop=50%",
    "from=* delay=200ms±50",
    "partition alice,bob | carol,dave,erin",
    "to=carol hold",
)


class FaultsPane(Page):
    """Rows: a header, the rules, then what is held; the keys act on the row that is selected."""

    ASPECTS: ClassVar = Change.FAULTS | Change.CONNECTION
    SELECTS: ClassVar = True
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.FAULTS)

    class Answered(Message):
        """What came of an action, in words, which are true for as long as they hold."""

        def __init__(self, words: str, refused: bool, holds: Callable[[], bool] = always) -> None:
            super().__init__()
            self.words = words
            self.refused = refused
            self.holds = holds

    class NotConnected(Message):
        """Nothing can be done about rules now."""

    def __init__(self, model: SiteModel, ask_rule: Callable[[str], None], ask_partition: Callable[[str], None]) -> None:
        """`ask_rule` lets somebody type a rule that begins as it says, and hands it to `add`; `ask_partition` asks
        first which sites are meant."""
        super().__init__(model, id="faults")
        self._ask_rule = ask_rule
        self._ask_partition = ask_partition
        self._meaning: list[Rule | Held | None] = []

    def title(self) -> str:
        on = 0 if self.model.over else sum(rule.on for rule in self.model.faults.rules)
        title = f"6 Faults at {self.model.site}" + (f" · {on} on" if on else "")
        return self.fitting(f"{title} · never saved", title)

    def write(self, width: int) -> Sequence[Row]:
        faults = self.model.faults
        self._meaning = []
        if self.model.over:
            return []  # rules end with the engine, and whether that has ended is not known
        lines: list[Row] = []

        def say(said: Row, meaning: Rule | Held | None = None) -> None:
            lines.append(said)
            self._meaning.append(meaning)

        if faults.rules:
            say(row((f"{'':<8} {'hits':>7}  rule", Role.DIM)))
        for rule in faults.rules:
            until = "" if rule.expires_at is None else f"  until {clock(rule.expires_at)}"
            box = ("[x] on ", Role.BAD) if rule.on else ("[ ] off", Role.DIM)
            said = row(f"{rule.number:>2} ", box, f" {rule.hits:>5,}  {rule.text}", (until, Role.DIM))
            first, *more = wrapped(said, width, indent=RULE_INDENT)
            say(first, rule)
            for line in more:
                say(line)
        if faults.held:
            say(BLANK)
            say(row((f"held: {len(faults.held)}", Role.WARN), ("   r release · d drop", Role.DIM)))
        for held in faults.held:
            arrow = "→" if held.dir == Direction.OUT else "←"
            slot = "" if held.slot is None else f" #{held.slot}"
            say(row(f"{clock(held.at)} {arrow} {held.peer} {held.type}{slot}"), held)
        return lines

    def measure(self) -> None:
        """Headings are not selected: the next row below, or above, is."""
        here = min(self.cursor, len(self._meaning) - 1)
        order = [*range(here, len(self._meaning)), *range(here, -1, -1)] if self._meaning else []
        self.cursor = next((index for index in order if self._meaning[index] is not None), 0)
        super().measure()

    def action_move(self, by: int) -> None:
        index = self.cursor + by
        while 0 <= index < len(self._meaning) and self._meaning[index] is None:
            index += by
        if 0 <= index < len(self._meaning):
            self.go(index)

    def empty(self) -> Sequence[Row]:
        if self.model.over:
            said = row(("No engine is connected. Fault rules end with their engine.", Role.WARN))
            return [BLANK, *wrapped(said, self.rows_width)]
        said = row("There are no fault rules. ", ("a", Role.KEY), " adds a rule, ", ("p", Role.KEY), " partitions:")
        examples = [row((f"  {example}", Role.DIM)) for example in EXAMPLES]
        return [BLANK, *wrapped(said, self.rows_width), *examples]

    @property
    def vain(self) -> set[str]:
        """Actions that nothing would come of now: there is no rule that they could be about, or nothing is held."""
        faults = self.model.faults
        vain = set() if self._selected(Rule) is not None else {"switch", "remove"}
        if not faults.held:
            vain |= {"release", "drop"}
        return vain if faults.rules or faults.held else vain | {"clear"}

    # Actions.

    def action_add(self) -> None:
        if self.model.live:
            self._ask_rule("")
        else:
            self.post_message(self.NotConnected())

    def action_partition(self) -> None:
        sites = self.model.sites
        half = (len(sites) + 1) // 2
        self._ask_partition(f"partition {','.join(sites[:half])} | {','.join(sites[half:])}")

    async def add(self, rule: str) -> str | None:
        """Returns why the engine refuses the rule; that it is on is told as every answer is."""
        try:
            added = await self.model.link.ask(FaultsAdd(rule=rule))
            await self.model.read_faults()
        except RequestFailed as refused:
            return str(refused)
        number = added.number
        self.post_message(self.Answered(f"rule {number} is on", False, lambda: self._is_on(number)))
        return None

    def _is_on(self, number: int) -> bool:
        return not self.model.over and any(rule.on for rule in self.model.faults.rules if rule.number == number)

    def _has_rules(self) -> bool:
        return bool(self.model.faults.rules)

    def _holds_messages(self) -> bool:
        return bool(self.model.faults.held)

    def action_switch(self) -> None:
        rule = self._selected(Rule)
        if rule is None:
            self._refuse_without_rule()
        else:
            self._do(FaultsSet(number=rule.number, on=not rule.on), lambda _: "")

    def action_remove(self) -> None:
        rule = self._selected(Rule)
        if rule is None:
            self._refuse_without_rule()
        else:
            before = len(self.model.faults.held)

            def told(_: Removed) -> str:
                gone = before - len(self.model.faults.held)
                goes_on = (
                    f"; {plural(gone, 'message')} that it held {'goes' if gone == 1 else 'go'} on" if gone > 0 else ""
                )
                return f"rule {rule.number} is removed{goes_on}"

            self._do(FaultsRemove(number=rule.number), told)

    def _refuse_without_rule(self) -> None:
        if not self.model.live:
            self.post_message(self.NotConnected())
        elif self.model.faults.rules:
            self._refuse("select the row of a rule first", lambda: self._selected(Rule) is None)
        else:
            self._refuse("there are no rules: a adds one", lambda: not self._has_rules())

    def action_clear(self) -> None:
        if not self.model.live:
            self.post_message(self.NotConnected())
            return
        faults = self.model.faults
        goes_on = "; what was held goes on its way" if faults.held else ""
        if faults.rules or faults.held:
            self._do(
                FaultsClear(),
                lambda gone: f"{gone.removed} removed, no rule is left{goes_on}",
                lambda: not self._has_rules(),
            )
        else:
            none = "there is no rule to remove and no held message"
            self._refuse(none, lambda: not (self._has_rules() or self._holds_messages()))

    def action_release(self) -> None:
        self._do_held(
            "release", lambda held: self._do(FaultsRelease(held=held), lambda free: f"{free.released} released")
        )

    def action_drop(self) -> None:
        self._do_held("drop", lambda held: self._do(FaultsDrop(held=held), lambda lost: f"{lost.dropped} dropped"))

    def _do_held(self, what: str, do: Callable[[tuple[int, ...] | None], None]) -> None:
        if not self.model.live:
            self.post_message(self.NotConnected())
            return
        if not self.model.faults.held:
            none = f"no message is held to {what}: a rule such as `to=carol hold` holds some"
            self._refuse(none, lambda: not self._holds_messages())
            return
        held = self._selected(Held)
        do(None if held is None else (held.number,))

    def _selected(self, kind: type[Selected]) -> Selected | None:
        meaning = self._meaning[self.cursor] if self.cursor < len(self._meaning) else None
        return meaning if isinstance(meaning, kind) else None

    def _refuse(self, why: str, holds: Callable[[], bool] = always) -> None:
        self.post_message(self.Answered(why, True, holds))

    def _do(self, asked: Params[_A], told: Callable[[_A], str], holds: Callable[[], bool] = always) -> None:
        self.run_worker(self._ask(asked, told, holds), group="faults")

    async def _ask(self, asked: Params[_A], told: Callable[[_A], str], holds: Callable[[], bool]) -> None:
        try:
            answer = await self.model.link.ask(asked)
            await self.model.read_faults()
        except RequestFailed as refused:
            self.post_message(self.Answered(str(refused), True))
            return
        if words := told(answer):
            self.post_message(self.Answered(words, False, holds))
