"""A site in lines: what is new is printed, what is typed is a tweet or a command. Nothing is ever drawn over.

Rules that hold here:
- What is asked of the site, and what is told of it, is what the screen asks and tells (tui.site): no sentence here says
  less, and what ended in no log is kept and offered as there.
- Each line stands for itself, and says in words what the screen says with signs, places and colours.
- Lines are taken in the order in which they were typed. Whoever leaves has heard what became of them, unless he leaves
  by a signal.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from engine.contract.errors import RequestFailed
from engine.core.entry import BadOperation, Operation, Tweet, clean_text
from tui import standing
from tui.counted import plural
from tui.hops import Hop, Leaving
from tui.line_reader import Line, LineReader, text_of
from tui.parser import Command
from tui.plain import words
from tui.rows import Role, row
from tui.site.connected import Gone, Stopped
from tui.site.ending import exit_status
from tui.site.model import Change, SiteModel
from tui.site.notices import Mood, Notice, NoticeBoard, Offer
from tui.site.submissions import TIMEOUT_S, Submissions
from tui.site.timeline_window import PAGE_LINES
from tui.standing import Trouble

NEWEST: Final = 10
"""So many tweets are told at the beginning."""
PATIENCE_S: Final = TIMEOUT_S + 5
"""How long the outcome of what was sent may take, when the session ends."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]
"""Prints one line."""
RunCommand = Callable[[Command, str], None]
"""Runs a command of `loggos` of this site, with the rest of the line that was typed."""


class SpokenBoard(NoticeBoard):
    """Notices that are said once, when they come."""

    def __init__(self, say: Callable[[Notice], None]) -> None:
        super().__init__(lambda: None)
        self._say = say

    def add(self, notice: Notice) -> None:
        super().add(notice)
        self._say(notice)

    def remark(self, notice: Notice) -> None:
        super().remark(notice)
        self._say(notice)

    def take_offered(self, offer: Offer) -> Operation | None:
        """What the newest notice with this offer is about; it is offered no more."""
        told = next((told for told in reversed(self._bad) if offer in told.offers), None)
        if told is None:
            return None
        self.take(told)
        return told.operation


class PlainSession:
    def __init__(
        self, hop: Hop, reader: LineReader, commands: Sequence[Command], say: Say, run_command: RunCommand
    ) -> None:
        self._reader = reader
        self._commands = {name: command for command in commands for name in (command.name, *command.aliases)}
        self._say = say
        self._run_command = run_command
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: set[asyncio.Task[Any]] = set()
        self._began = asyncio.Event()
        """What there is to tell at the beginning is told."""
        self._ends = asyncio.Event()
        self._hurried = asyncio.Event()
        self._failed: BaseException | None = None
        self._seen: int | None = None
        """The slot up to which the timeline was told."""
        self._reading = False
        self._stale = False
        self._troubles: dict[Trouble, str] = {}
        self._lost = False
        """It was told that no engine is there."""
        self.model = SiteModel(hop, self._spawn)
        self.board = SpokenBoard(self._tell_notice)
        self.submissions = Submissions(self.model, self.board, self._keep)
        self.model.on_complaint = self._complain
        self.model.watch(self._learn)

    async def run(self, leaving: Leaving) -> int:
        """Until it is left; returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._hurry)
        self._spawn(self.model.link.run())
        try:
            await self._until(self._began)
            self._say(words.BEGINNING)
            self._listen()
            await self._until(self._ends)
            await self._until_told()
        finally:
            loop.remove_reader(self._reader.fileno())
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for number in SIGNALS:
                loop.remove_signal_handler(number)
            self.submissions.keep()
        if self._failed is not None:
            raise self._failed
        return exit_status(self.model, leaving)

    async def _until(self, comes: asyncio.Event) -> None:
        """Or until somebody is in a hurry."""
        waits = [asyncio.ensure_future(event.wait()) for event in (comes, self._hurried)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()

    async def _until_told(self) -> None:
        """Until what was sent has its outcomes, and they are told."""
        waiting = {task for task in self._sending if not task.done()}
        if not waiting or self._hurried.is_set():
            return
        self._say(f"Waiting for the outcome of {plural(len(waiting), 'event')} that you sent; Ctrl+C leaves at once.")
        told = asyncio.Event()
        self._spawn(_then(asyncio.wait(waiting, timeout=PATIENCE_S), told.set))
        await self._until(told)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._sending.discard(task)
        if not task.cancelled() and (failed := task.exception()) is not None:
            self._fail(failed)

    def _fail(self, failed: BaseException) -> None:
        """Ends the session with what went wrong: a reader that left, or a bug."""
        self._failed = self._failed or failed
        self._hurry()

    def _hurry(self) -> None:
        self._hurried.set()

    # What is typed.

    def _listen(self) -> None:
        try:
            asyncio.get_running_loop().add_reader(self._reader.fileno(), self._take_what_came)
        except PermissionError:  # a file: all of it is there
            self._spawn(self._take_all())

    async def _take_all(self) -> None:
        while not self._reader.ended:
            self._take_what_came()
            await asyncio.sleep(0)

    def _take_what_came(self) -> None:
        try:
            for line in self._reader.read():
                if not self._ends.is_set():
                    self._take(line)
        except Exception as failed:
            self._fail(failed)
        if self._reader.ended:
            asyncio.get_running_loop().remove_reader(self._reader.fileno())
            self._ends.set()

    def _take(self, line: Line) -> None:
        try:
            typed = text_of(line).strip()
            if typed.startswith("/") and not typed.startswith("//"):
                self._obey(typed[1:])
            else:
                self._send(Tweet(clean_text(typed.removeprefix("/"))))
        except BadOperation as refused:
            self._say(f"Not sent: {refused}.")

    def _send(self, operation: Operation) -> None:
        self._sending.add(self._spawn(self.submissions.submit(operation)))

    def _obey(self, typed: str) -> None:
        name, _, rest = typed.partition(" ")
        match name:
            case "quit":
                self._ends.set()
            case "help":
                for line in words.help_lines([*dict.fromkeys(self._commands.values())]):
                    self._say(line)
            case "again":
                operation = self.board.take_offered(Offer.RETRY)
                if operation is None:
                    self._say("There is nothing to send again: everything sent is in the log, or may be.")
                else:
                    self._send(operation)
            case _ if (command := self._commands.get(name)) is not None:
                self._run_command(command, rest)
            case _:
                self._say(f"There is no /{name}: /help lists the commands. Type // to begin a tweet with /.")

    # What is told.

    def _keep(self) -> None:
        self.submissions.keep()

    def _tell_notice(self, told: Notice) -> None:
        self._say(words.notice(told))
        for offer in words.offers(told):
            self._say(offer)
        self._keep()

    def _complain(self, why: str) -> None:
        self.board.remark(Notice(row(("✗ ", Role.BAD), why), Mood.BAD))

    def _learn(self, change: Change) -> None:
        if change & Change.CONNECTION:
            self._tell_connection()
        if change & Change.STATUS and self.model.live and self._seen is not None:
            self._tell_troubles()
        if change & (Change.TIMELINE | Change.CONNECTION) and self.model.live:
            self._stale = True
            if not self._reading:
                self._reading = True
                self._spawn(self._tell_new())

    def _tell_connection(self) -> None:
        match self.model.connection:
            case Stopped(reason, _):
                self._tell_lost(f"The engine has stopped: {reason}.")
            case Gone(why, _):
                self._tell_lost(f"No engine: {why}.")
            case _:
                if self._lost:
                    self._lost = False
                    self._say("The engine is connected again.")
                self._spawn(self.submissions.reconcile())

    def _tell_lost(self, why: str) -> None:
        if not self._lost:
            self._lost = True
            self._say(f"{why} {self._starts()}")
            self._troubles.clear()
            self._began.set()

    def _starts(self) -> str:
        command = self.model.hop.command("serve")
        return f"This site does not vote now; acknowledged entries are on disk. `{command}` starts it again."

    def _tell_troubles(self) -> None:
        """Each when it comes, and when it is over; what it says meanwhile `/status` has."""
        assert self.model.status is not None
        now = standing.troubles(self.model.status)
        for trouble, sentence in now.items():
            if trouble not in self._troubles:
                self._say(f"Trouble: {sentence}.")
        for trouble, sentence in self._troubles.items():
            if trouble not in now:
                self._say(f"Over: {sentence}.")
        self._troubles = dict(now)

    async def _tell_new(self) -> None:
        try:
            while self._stale:
                self._stale = False
                await self._tell_tweets()
        except RequestFailed as failed:
            self.model.complain(failed)
        finally:
            self._reading = False

    async def _tell_tweets(self) -> None:
        if self._seen is None:
            await self.model.read_status()
            page = await self.model.read_timeline(NEWEST, None)
            assert self.model.status is not None, "it was read"
            self._say(words.site(self.model.status))
            self._say(f"The newest {len(page.lines)} of {page.shown:,} tweets:" if page.lines else "No tweets yet.")
            lines = list(page.lines)
        else:
            page = await self.model.read_timeline(PAGE_LINES, None)
            lines = [line for line in page.lines if line.slot > self._seen]
            while len(lines) % PAGE_LINES == 0 and lines:  # all of a page is new: there may be more above what was told
                older = await self.model.read_timeline(PAGE_LINES, lines[0].slot)
                newer = [line for line in older.lines if line.slot > self._seen]
                if not newer:
                    break
                lines[:0] = newer
        self._seen = page.prefix
        for line in lines:
            self._say(words.tweet(line, self.model.site))
        self._tell_troubles()
        self._began.set()


async def _then(waits: Coroutine[Any, Any, Any], call: Callable[[], None]) -> None:
    await waits
    call()
