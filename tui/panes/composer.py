"""The composer: a mode in which letters are text; outside of it, a line that says how to begin.

Rules that hold here:
- Nothing typed is lost: Esc, a refusal, a lost quorum and leaving the screen keep the draft.
- What the rules of the timeline refuse is refused here, with their reason, before anything is sent.
- Text that was sent before and is looked at again (up) leaves the draft as it was, unless it is changed or sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer

from engine.core.entry import TEXT_MAX, BadOperation, clean_text
from tui.panes.editing import Edit
from tui.panes.field import Field
from tui.panes.paint import Painted
from tui.panes.writing import Writing
from tui.rows import Part, Role, Row, row, wrapped
from tui.site.draft import DraftFile, WrittenFile

SAVE_AFTER_S: Final = 1.0
NEARLY_FULL: Final = 260
"""From so many characters on, the count says how many are left."""
UNSENT: Final = row(("esc", Role.KEY), (" keeps the draft; without an engine nothing can be sent", Role.DIM))
USUAL: Final = row(("enter", Role.KEY), (" sends · ", Role.DIM), ("esc", Role.KEY), (" keeps the draft", Role.DIM))


class Hint(Painted):
    """A sentence below what is typed."""

    def __init__(self, said: Row, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._sentence = said

    def tell(self, said: Row) -> None:
        self._sentence = said
        self.say()

    def rows(self, width: int) -> Sequence[Row]:
        return wrapped(self._sentence, width)


class Invitation(Hint):
    """What stands in the composer's place while it is closed: one line, of however long a draft."""

    def rows(self, width: int) -> Sequence[Row]:  # noqa: ARG002
        return (self._sentence,)


class Composer(Vertical):
    class Kept(Message):
        """What came together with an Enter is in the draft."""

    class Written(Message):
        """A tweet that the rules allow, stripped."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, site: str, folder: Path, done: Callable[[], None]) -> None:
        """What is written is kept in `folder`; `done` is called when the composer no longer needs the focus."""
        super().__init__(id="composer")
        self._done = done
        self._site = site
        self._drafts = DraftFile(folder)
        self._written = WrittenFile(folder)
        self._saving: Timer | None = None
        self._kept = self._drafts.load()
        self._kept_written = self._written.load()
        self._sends = True
        self.field = Field(self._kept, self._kept_written, id="draft")
        self._hint = Hint(USUAL, id="composer-hint")
        self._invitation = Invitation(self._invites(), id="invitation")

    def compose(self) -> ComposeResult:
        yield self._invitation
        yield self.field
        yield self._hint

    def on_mount(self) -> None:
        self.remove_class("-open")
        self._show_count()

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def open(self) -> None:
        self.add_class("-open")
        self._hint.tell(self._usual())
        self.screen.set_focus(self.field)

    def close(self) -> None:
        self.field.do(Writing.put_back)
        self._save()
        self.remove_class("-open")
        self._invitation.tell(self._invites())
        self._done()
        self.field.let_go()

    def take(self, text: str) -> None:
        """Puts a text back to be edited; a draft that is there goes below it in the line, nothing is lost."""
        draft = self.field.text.strip()
        joined = text if not draft or draft == text else f"{text} {draft}"
        self.field.put(Edit(joined, len(text)))
        self.open()

    def take_rest(self, key: events.Key) -> None:
        """A key that came together with an Enter: the rest of a paste, which waits here to be looked at."""
        self.field.add(key)

    def keep(self) -> None:
        """Makes the draft durable before the screen is left."""
        self._save()

    def invite(self, sends: bool) -> None:
        """Says what the composer is for now: to write a tweet, and where there is an engine (`sends`) to send it."""
        self._sends = sends
        self._hint.tell(self._usual())
        self._invitation.tell(self._invites())

    def _usual(self) -> Row:
        return USUAL if self._sends else UNSENT

    def _invites(self) -> Row:
        draft = self.field.text
        others = (Part("b", Role.KEY), Part(" block · ", Role.DIM), Part("u", Role.KEY), Part(" unblock", Role.DIM))
        if draft.strip():
            return row(" ", ("c", Role.KEY), (" goes on with the draft: ", Role.DIM), draft)
        if not self._sends:
            return row(" ", ("c", Role.KEY), (" write a draft: without an engine nothing can be sent", Role.DIM))
        return (*row(" ", ("c", Role.KEY), (" write a tweet · ", Role.DIM)), *others)

    def _show_count(self) -> None:
        count = len(self.field.text.strip())
        left = TEXT_MAX - count
        said = f", {-left} too many" if left < 0 else f", {left} left" if count >= NEARLY_FULL else ""
        self.border_title = Content(f"tweet as {self._site} · {count}/{TEXT_MAX}{said}")
        self.set_class(0 <= left <= TEXT_MAX - NEARLY_FULL, "-nearly-full")
        self.set_class(left < 0, "-too-long")

    def on_click(self) -> None:
        """On what invites to write, or goes on with the draft."""
        if not self.is_open:
            self.open()

    def on_field_edited(self, event: Field.Edited) -> None:
        event.stop()
        self._show_count()
        if not self.is_open:
            self._invitation.tell(self._invites())
        self._hint.tell(self._usual())
        if self._saving is None:
            self._saving = self.set_timer(SAVE_AFTER_S, self._save)

    def on_field_extended(self, event: Field.Extended) -> None:
        event.stop()
        if not self.is_open:
            self.post_message(self.Kept())

    def on_field_pasted(self, event: Field.Pasted) -> None:
        event.stop()
        said = "the paste has several lines, but a tweet has one: replace each line break (shown as \\n) before sending"
        self._hint.tell(row((said, Role.WARN)))

    def on_field_overfull(self, event: Field.Overfull) -> None:
        event.stop()
        said = f"the paste is too long, so only its beginning is kept: a tweet has at most {TEXT_MAX} characters"
        self._hint.tell(row((said, Role.WARN)))

    def on_field_sent(self, event: Field.Sent) -> None:
        event.stop()
        try:
            text = clean_text(self.field.text)
        except BadOperation as refused:
            self._hint.tell(row(("✗ ", Role.BAD), (f"not sent: {refused}", Role.BAD)))
            event.field.go_on()
            return
        self.field.do(lambda writing: writing.sent(text))
        self.close()
        self.post_message(self.Written(text))

    def on_field_left(self, event: Field.Left) -> None:
        event.stop()
        self.close()

    def _save(self) -> None:
        if self._saving is not None:
            self._saving.stop()
            self._saving = None
        draft, written = self.field.writing.draft, self.field.writing.before
        try:
            if written != self._kept_written:
                self._written.save(written)
                self._kept_written = list(written)
            if draft != self._kept:
                self._drafts.save(draft)
                self._kept = draft
        except OSError as failed:
            said = f"the draft cannot be saved, so only this screen keeps it: {failed.strerror}"
            self._hint.tell(row((said, Role.WARN)))
