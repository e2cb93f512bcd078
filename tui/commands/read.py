"""`view`, `log`, `events`, `blocks`, `data`: what a site knows, printed.

Rules that hold here:
- Nothing is submitted and nothing changes; an engine is needed all the same, for it owns the store. With --store it is
  a backup that answers, or the store of a site, without its engine (`tui.commands.stored`).
- A range is printed part by part, so that `| head` ends it early.
- R5: `view --fresh` shows what is here in any case, and ends with 11 where nothing confirmed that it is all.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.contract.answers import AcceptorLine, LinearizableRead, LogLine, NoOps, TimelineLine, TimelinePage
from engine.contract.errors import NoAnswer
from engine.contract.requests import Blocks, LinearizableView
from engine.core.entry import Kind
from tui import entries, slots
from tui.arguments import LINES_DEFAULT, TIMEOUT_DEFAULT_S
from tui.client import Client, failures_as_exits
from tui.commands.following import follow_log, follow_timeline
from tui.commands.outcomes import explained, outcome_cell
from tui.commands.pages import (
    Asked,
    data_pages,
    events_pages,
    folded_begin,
    folded_pages,
    log_pages,
    log_slots,
    newest_lines,
    newest_timeline,
    with_older,
)
from tui.commands.patient_call import ask_patiently, status_of_loss
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupts
from tui.output import Cells, Output, Unwritten, complain
from tui.parts import Part, Role
from tui.selection import select_site
from tui.times import clock, local_time

_ACCEPTOR_HEADER: Final = [Part(name, Role.STRONG) for name in ("slot", "state", "maxPrepare", "accNum", "accVal")]
_NOTHING: Final = "-"


def view(arguments: Namespace) -> int:
    limit = arguments.limit or LINES_DEFAULT
    if arguments.fresh:
        if arguments.follow:
            raise CommandFailed(
                ExitStatus.BAD_INPUT, "--fresh confirms one moment, but --follow goes on: leave out one of them"
            )
        if arguments.store is not None:
            raise CommandFailed(
                ExitStatus.BAD_INPUT, "--fresh asks other sites, but a store alone has none to ask: leave out --fresh"
            )
        return _linearizable_view(arguments, limit)
    if arguments.timeout is not None:
        raise CommandFailed(ExitStatus.BAD_INPUT, "--timeout goes with --fresh: leave it out, or add --fresh")
    if arguments.follow:
        _must_run(arguments)
        with asking(arguments) as (client, out):
            follow_timeline(client, out, limit, lambda lines: _print_tweets(out, lines))
        return ExitStatus.DONE
    with _reading(arguments) as (asked, out):
        _print_timeline(out, newest_timeline(asked, limit))
    return ExitStatus.DONE


def _linearizable_view(arguments: Namespace, limit: int) -> ExitStatus:
    with Interrupts() as interrupts, asking(arguments) as (client, out):
        timeout_s = TIMEOUT_DEFAULT_S if arguments.timeout is None else arguments.timeout
        asked = LinearizableView(fresh=True, limit=newest_lines(limit), timeout_s=timeout_s)
        try:
            answer = ask_patiently(client, interrupts, asked, timeout_s)
        except NoAnswer as lost:
            raise CommandFailed(status_of_loss(lost), f"nothing was confirmed: {lost}") from lost
        page = with_older(client, answer.value, limit)
        with suppress(BrokenPipeError, Unwritten):  # whether it is confirmed has a status of its own
            _print_timeline(out, page)
            _print_confirmation(out, page.fresh)
            out.flush()
    if not page.fresh.confirmed:
        complain(f"not confirmed that nothing is missing: {page.fresh.reason}")
        return ExitStatus.NOT_KNOWN
    return ExitStatus.NOT_KNOWN if answer.interrupted else ExitStatus.DONE


def _print_timeline(out: Output, page: TimelinePage) -> None:
    if out.as_json:
        out.json_lines(page.lines)
        return
    out.table([tweet_row(line) for line in page.lines])
    if not page.lines:
        out.line(Part("no tweets to show yet", Role.DIM))
    if page.hidden:
        out.line(Part(f"hidden by blocks: {page.hidden}", Role.DIM))
    if page.waiting is not None:
        later = f"{page.waiting.later} learned after it, not shown yet"
        out.line(Part(f"waiting for slot {page.waiting.slot}; {later}", Role.WARN))


def _print_tweets(out: Output, lines: Sequence[TimelineLine]) -> None:
    if out.as_json:
        out.json_lines(lines)
        return
    for line in lines:  # each stands for itself: nobody knows how wide the next one is
        out.line(*tweet_row(line))


def tweet_row(line: TimelineLine) -> Cells:
    return (f"#{line.slot}", _local_time(line.at), line.author, line.text)


def _print_confirmation(out: Output, read: LinearizableRead) -> None:
    if out.as_json:
        return
    if read.at is not None:
        said = f"confirmed by {', '.join(read.voters)}: nothing chosen before {clock(read.at)} is missing"
        out.line(Part(said, Role.GOOD))
    else:
        out.line(Part("perhaps stale: what is known here; it is not confirmed that this is all", Role.WARN))


def log(arguments: Namespace) -> int:
    first, last, limit = arguments.first, arguments.last, arguments.limit
    if first is not None and last is not None and first > last:
        raise CommandFailed(ExitStatus.BAD_INPUT, f"--from {first} is above --to {last}: swap them")
    if first is None and last is None and limit is None:
        limit = LINES_DEFAULT
    if arguments.follow:
        _must_run(arguments)
        if last is not None:
            raise CommandFailed(ExitStatus.BAD_INPUT, "--follow has no end: leave out --to")
        with asking(arguments) as (client, out):
            follow_log(
                client,
                out,
                lambda prefix: _newest(client, out, range(first or 1, prefix + 1), limit),
                lambda wanted: _print_log(client, out, wanted),
            )
        return ExitStatus.DONE
    with _reading(arguments) as (asked, out):
        wanted = _newest(asked, out, log_slots(asked, first, last), limit)
        _print_log(asked, out, wanted)
        if not wanted and not out.as_json:
            out.line(Part("no slot of the log is used there yet", Role.DIM))
    return ExitStatus.DONE


def _newest(asked: Asked, out: Output, wanted: range, limit: int | None) -> range:
    """The newest of these slots that make so many lines; all of them without a limit."""
    if limit is None:
        return wanted
    return wanted[-limit:] if out.as_json else folded_begin(asked, wanted, limit)


def _print_log(asked: Asked, out: Output, wanted: range) -> None:
    if out.as_json:
        for page in log_pages(asked, wanted):
            out.json_lines(page)
            out.flush()
        return
    for rows in folded_pages(asked, wanted):
        out.table([log_row(row) for row in rows])
        out.flush()


def _must_run(arguments: Namespace) -> None:
    if arguments.store is not None:
        said = "a store that is read without its engine does not change: leave out --follow"
        raise CommandFailed(ExitStatus.BAD_INPUT, said)


def events(arguments: Namespace) -> int:
    with asking(arguments) as (client, out):
        pages = events_pages(client, arguments.ids, arguments.limit)
        told = [outcome for page in pages for outcome in page]
        if out.as_json:
            out.json_lines(told)
            return ExitStatus.DONE
        out.table([(outcome.id or _NOTHING, outcome_cell(outcome), explained(outcome)) for outcome in told])
        if not told:
            out.line(Part("no events", Role.DIM))
    return ExitStatus.DONE


def blocks(arguments: Namespace) -> int:
    with _reading(arguments) as (asked, out):
        table = asked.ask(Blocks()).lines
        if out.as_json:
            out.json_lines(table)
            return ExitStatus.DONE
        out.table([(line.blocker, "blocks", line.blocked, f"since slot {line.slot}") for line in table])
        if not table:
            out.line(Part("nobody blocks anybody", Role.DIM))
    return ExitStatus.DONE


def data(arguments: Namespace) -> int:
    with asking(arguments) as (client, out):
        lines = [line for page in data_pages(client, arguments.slots) for line in page]
        if out.as_json:
            out.json_lines(lines)
            return ExitStatus.DONE
        if lines:
            out.table([_ACCEPTOR_HEADER, *(_acceptor_row(line) for line in lines)])
        else:
            out.line(Part("every slot known to be used is learned", Role.DIM))
    return ExitStatus.DONE


@contextmanager
def asking(arguments: Namespace) -> Iterator[tuple[Client, Output]]:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        yield client, Output(arguments.json)


@contextmanager
def _reading(arguments: Namespace) -> Iterator[tuple[Asked, Output]]:
    if arguments.store is None:
        with asking(arguments) as (client, out):
            yield client, out
        return
    from tui.commands.stored import stored  # noqa: PLC0415  (it loads SQLite, which no engine's client needs)

    with stored(Path(arguments.store)) as asked:
        yield asked, Output(arguments.json)


def log_row(line: LogLine | NoOps) -> Cells:
    if isinstance(line, NoOps):
        said = slots.no_ops_words(line)
        return f"{line.first:>5}-{line.last}", _state(slots.NO_OP), Kind.NOOP, _NOTHING, _NOTHING, said
    kind = line.kind or _NOTHING
    return (
        f"{line.slot:>5}",
        _state(slots.word(line)),
        kind,
        line.author or _NOTHING,
        line.id or _NOTHING,
        entries.content(line),
    )


def _acceptor_row(line: AcceptorLine) -> Cells:
    entry = line.acc_val
    value = _NOTHING if entry is None else entries.in_words(entry)
    state = Part("unused", Role.DIM) if line.state is None else _state(line.state)
    return (f"{line.slot:>5}", state, line.max_prepare or _NOTHING, line.acc_num or _NOTHING, value)


def _state(word: str) -> Part:
    glyph, role = slots.mark(word)
    return Part(f"{glyph} {word}", role)


def _local_time(at: str) -> str:
    return f"{local_time(at):%Y-%m-%d %H:%M}"
