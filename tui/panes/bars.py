"""The one-line bars: tabs above the panes, the outcome line and the keys below them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from textual import events
from textual.message import Message
from textual.timer import Timer

from tui.keys import Key
from tui.panes.paint import Painted
from tui.rows import Part, Role, Row, row, wrapped
from tui.site.notices import Mood, Notice, NoticeBoard, Offer
from tui.site.submissions import Submissions

ELAPSED_EVERY_S: Final = 0.2
OUTCOME_LINES_MAX: Final = 3
FOOTER_KEYS_MAX: Final = 14
"""More than these nobody reads, however wide the screen is."""
KEPT: Final = 2
"""How many of the last keys of the footer are never left out."""

_OFFERS: Final = {
    Offer.RETRY: ("r", "retry"),
    Offer.EDIT: ("e", "edit"),
    Offer.SETTLE: ("f", "settle slot {slot}"),
    Offer.WAIT: ("w", "wait"),
}


class TabBar(Painted):
    """`1 Timeline  2 Blocks  [3 Log] …  follow ▼`"""

    class Picked(Message):
        """Somebody clicked a tab."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="tabs")
        self._names = names
        self._active = names[0]
        self._right: Row = ()

    def tell(self, active: str, right: Row) -> None:
        self._active = active
        self._right = right
        self.say()

    def _labels(self) -> list[str]:
        words = [f"{number} {name.capitalize()}" for number, name in enumerate(self._names, 1)]
        return [
            f"[{word}]" if name == self._active else f" {word} " for name, word in zip(self._names, words, strict=True)
        ]

    def rows(self, width: int) -> Sequence[Row]:
        parts = [
            Part(label, Role.STRONG if name == self._active else Role.DIM)
            for name, label in zip(self._names, self._labels(), strict=True)
        ]
        used = sum(len(part.text) for part in (*parts, *self._right))
        if used >= width:
            return [tuple(parts)]
        return [(*parts, Part(" " * max(1, width - used - 1)), *self._right)]

    def on_click(self, event: events.Click) -> None:
        x = event.x
        for name, label in zip(self._names, self._labels(), strict=True):
            if 0 <= x < len(label):
                self.post_message(self.Picked(name))
                return
            x -= len(label)


class OutcomeLine(Painted):
    """What came of the last event, until it is dismissed; before that, what is under way. While something lies over
    it, whose keys are others, it offers none; nothing moves then."""

    def __init__(
        self,
        board: NoticeBoard,
        submissions: Submissions,
        taken: Callable[[], Collection[str]],
        covered: Callable[[], bool],
    ) -> None:
        """`taken`: keys that mean something else in the pane that is used, so that they are not offered. `covered`:
        whether something lies over the screen."""
        super().__init__(id="outcome")
        self._board = board
        self._submissions = submissions
        self._taken = taken
        self._covered = covered
        self._elapsing: Timer | None = None

    def rows(self, width: int) -> Sequence[Row]:
        doing = self._board.doing()
        answer = self._board.answer
        beneath = [] if answer is None else self._few(answer.said, width)
        if doing is not None:
            return [*wrapped(row(" ", *doing), width, indent=3)[:OUTCOME_LINES_MAX], *beneath]
        notice = self._board.shown
        if notice is None:
            return beneath or [()]
        lines = self._few(notice.said, width)
        offers = [self._offers(notice)] if notice.mood is Mood.BAD or self._board.waiting else []
        return [*lines, *offers, *beneath]

    def _few(self, said: Row, width: int) -> list[Row]:
        """The sentence in a few lines; where it is longer the last one says who has it all."""
        lines = wrapped(row(" ", *said), width, indent=3)
        if len(lines) <= OUTCOME_LINES_MAX:
            return lines
        who = () if self._covered() else row(("o", Role.KEY), (" has all of it", Role.DIM))
        return [*lines[: OUTCOME_LINES_MAX - 1], row(("   … ", Role.DIM), *who)]

    def _offers(self, notice: Notice) -> Row:
        """The keys for what one can do next; a line of its own, because user text ends the sentence above."""
        if self._covered():
            return ()
        parts: list[Part] = [Part("   ")]
        taken = self._taken()
        for offer in notice.offers:
            key, words = _OFFERS[offer]
            if key not in taken and (offer is not Offer.SETTLE or notice.slot is not None):
                parts += [Part(key, Role.KEY), Part(f" {words.format(slot=notice.slot)} · ", Role.DIM)]
        more = f" ({self._board.waiting} more below)" if self._board.waiting else ""
        return (*parts, Part("esc" if "x" in taken else "x", Role.KEY), Part(f" dismiss{more}", Role.DIM))

    def learn(self) -> None:
        self.say()
        waiting = bool(self._submissions.pending)
        if waiting and self._elapsing is None:
            self._elapsing = self.set_interval(ELAPSED_EVERY_S, self.learn)
        elif not waiting and self._elapsing is not None:
            self._elapsing.stop()
            self._elapsing = None


class KeyBar(Painted):
    """As many keys of what has the focus as there is room for, in their order. Help and quit, the last, always stay."""

    def __init__(self, keys: Callable[[], Sequence[Key]]) -> None:
        super().__init__(id="keys")
        self._keys = keys

    def rows(self, width: int) -> Sequence[Row]:
        keys = list(self._keys())
        del keys[FOOTER_KEYS_MAX - KEPT : -KEPT]
        while len(keys) > KEPT and sum(len(key.cap) + len(key.name) + 3 for key in keys) > width + 1:
            del keys[-1 - KEPT]
        parts: list[Part] = []
        for key in keys:
            parts += [Part("  " if parts else " "), Part(key.cap, Role.KEY), Part(f" {key.name}", Role.DIM)]
        return [tuple(parts)]
