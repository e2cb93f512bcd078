"""`view --follow` and `log --follow`: what is shown there, as it comes, until a signal or as long as it is read.

Rules that hold here:
- Every line is printed once, in the order of the slots, when the prefix has reached its slot: then it stays as it is.
- What is told by the subscription says that there is something; what there is, is asked for. So a slow reader misses
  nothing, and holds up nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.contract.answers import LogLine, TimelineLine, TimelinePage, Topic
from engine.contract.notifications import LogSpan
from engine.contract.requests import Log, Subscribe, View
from engine.core.ids import Slot
from tui.client import Client
from tui.commands.pages import PAGE_LINES, newest_timeline
from tui.connection import Told
from tui.interrupts import Interrupts
from tui.output import Output, told_when_unread


def follow_log(client: Client, out: Output, newest: Callable[[int], range], show: Callable[[range], None]) -> None:
    """The newest slots of the prefix, and then all that come. `newest` says which those are, by where it ends."""
    _subscribe(client)
    due = newest(client.ask(Log(limit=1)).prefix).start

    def print_new() -> None:
        nonlocal due
        prefix = client.ask(Log(limit=1)).prefix
        show(range(due, prefix + 1))
        due = max(due, prefix + 1)

    _until_a_signal(client, out, print_new)


def follow_timeline(client: Client, out: Output, limit: int, show: Callable[[Sequence[TimelineLine]], None]) -> None:
    """The newest `limit` tweets, and then all that come."""
    _subscribe(client)
    page = newest_timeline(client, limit)
    show(page.lines)
    shown = page.prefix

    def print_new() -> None:
        nonlocal shown
        newest, prefix = _above(client, shown)
        show(newest)
        shown = prefix

    _until_a_signal(client, out, print_new)


def _above(client: Client, slot: int) -> tuple[list[TimelineLine], int]:
    """The tweets above a slot, ascending, and how far the prefix went when that was asked."""
    page: TimelinePage = client.ask(View(limit=PAGE_LINES))
    prefix, pages = page.prefix, [page]
    while page.lines and page.lines[0].slot > slot + 1:
        page = client.ask(View(limit=PAGE_LINES, before=Slot(page.lines[0].slot)))
        pages.append(page)
    return [line for page in reversed(pages) for line in page.lines if line.slot > slot], prefix


def _subscribe(client: Client) -> None:
    client.ask(Subscribe(topics=frozenset({Topic.LOG})))


def _until_a_signal(client: Client, out: Output, print_new: Callable[[], None]) -> None:
    with Interrupts() as interrupts:
        print_new()
        while True:
            out.flush()
            arrived, ready = client.wait(None, {interrupts.fileno(), *told_when_unread()})
            if ready:
                return
            told = [one for one in arrived if isinstance(one, Told)]
            if any(isinstance(item, LogLine | LogSpan) for one in told for item in one.items):
                print_new()
