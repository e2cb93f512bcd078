"""`search`: which tweets of the timeline, or slots of the log, hold some words.

Rules that hold here:
- The engine looks, some slots a request, from the newest back; the lines of the hits are then asked for.
- What is printed ascends, as with `view` and `log`: the newest hits, up to `--limit`.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence

from engine.contract.answers import LogLine, TimelineLine
from engine.contract.requests import Log, View
from engine.core.ids import Slot
from tui.arguments import LINES_DEFAULT
from tui.client import Client
from tui.commands.read import asking, log_row, tweet_row
from tui.exits import CommandFailed, ExitStatus
from tui.output import Cells, Output
from tui.parts import Part, Role
from tui.sought import HELP, NotSought, Sought, sought

Line = LogLine | TimelineLine
Around = Callable[[int], Iterable[Line]]
"""A hit's line, and those around it that are wanted."""


def run(arguments: Namespace) -> int:
    context: int = arguments.context or 0
    if context and arguments.json:
        raise CommandFailed(ExitStatus.BAD_INPUT, "--context does not go with --json: leave out one of them")
    wanted = _sought(arguments.words)
    with asking(arguments) as (client, out):
        hits = _hits(client, wanted, in_timeline=not arguments.log, limit=arguments.limit or LINES_DEFAULT)
        lines = _with_lines(hits, _logged(client, context) if arguments.log else _tweeted(client, context))
        if out.as_json:
            out.json_lines(lines)
        elif not hits:
            out.line(Part("no match", Role.DIM))
        else:
            _print(out, lines, set(hits), apart=context > 0)
    return ExitStatus.DONE


def _sought(words: Sequence[str]) -> Sought:
    """What the shell took for one word belongs together."""
    typed = " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words)
    try:
        wanted = sought(typed)
    except NotSought as refused:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(refused)) from None
    if wanted == Sought():
        raise CommandFailed(ExitStatus.BAD_INPUT, f"nothing to search for: write {HELP}")
    return wanted


def _hits(client: Client, wanted: Sought, *, in_timeline: bool, limit: int) -> list[int]:
    """The newest `limit`, ascending."""
    found: list[int] = []
    below: int | None = None
    while len(found) < limit and (below is None or below > wanted.first):
        page = client.ask(wanted.asked(below, timeline=in_timeline))
        found += reversed(page.slots)
        below = page.reached
    return found[:limit][::-1]


def _with_lines(hits: Sequence[int], around: Around) -> list[Line]:
    lines = {line.slot: line for slot in hits for line in around(slot)}
    return [line for _, line in sorted(lines.items())]


def _logged(client: Client, context: int) -> Around:
    def around(slot: int) -> Iterable[Line]:
        first, last = Slot(max(1, slot - context)), Slot(slot + context)
        return client.ask(Log(first=first, last=last, limit=2 * context + 1)).lines

    return around


def _tweeted(client: Client, context: int) -> Around:
    def around(slot: int) -> Iterable[Line]:
        lines = client.ask(View(limit=2 * context + 1, before=Slot(slot + context + 1))).lines
        place = next((place for place, line in enumerate(lines) if line.slot == slot), None)
        return () if place is None else lines[max(0, place - context) : place + context + 1]

    return around


def _print(out: Output, lines: Sequence[Line], hits: set[int], *, apart: bool) -> None:
    """With others around them, hits are marked."""
    rows = [_cells(line) for line in lines]
    marks = [">" if line.slot in hits else " " for line in lines]
    out.table([(mark, *row) for mark, row in zip(marks, rows, strict=True)] if apart else rows)


def _cells(line: Line) -> Cells:
    return log_row(line) if isinstance(line, LogLine) else tweet_row(line)
