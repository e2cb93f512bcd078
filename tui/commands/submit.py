"""`tweet`, `block`, `unblock`: events handed to the engine, and what became of them.

Rules that hold here:
- Where the engine is lost, the event's id is told if the engine told it: with it the outcome is found later.
- The exit status is the outcome's; interrupted, it is never 0 (docs/commands.md).
- Whether the timeline takes an event is the engine's to say; lines of standard input are held against its rule first.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from engine.contract.answers import Outcome
from engine.contract.errors import NoAnswer
from engine.contract.requests import EventKind, Submit
from tui.client import Client, failures_as_exits
from tui.commands.event_stream import EventStream
from tui.commands.outcomes import print_outcome, status_of_outcome
from tui.commands.patient_call import ask_patiently, status_of_loss
from tui.exits import CommandFailed, ExitStatus, status_of_many
from tui.interrupts import Interrupts
from tui.line_reader import LineReader
from tui.output import Account, complain
from tui.selection import select_site

_STDIN: Final = 0


def tweet(arguments: Namespace) -> int:
    if arguments.stdin == (arguments.text is not None):
        raise CommandFailed(ExitStatus.BAD_INPUT, "write either the TEXT of one tweet, or --stdin for one a line")
    if arguments.stdin:
        return _stream(arguments)
    text, timeout_s, retry = arguments.text, arguments.timeout, arguments.retry
    return _one(arguments, Submit(kind=EventKind.TWEET, text=text, timeout_s=timeout_s, retry=retry, acknowledge=True))


def block(arguments: Namespace) -> int:
    return _one_of(arguments, EventKind.BLOCK)


def unblock(arguments: Namespace) -> int:
    return _one_of(arguments, EventKind.UNBLOCK)


def _one_of(arguments: Namespace, kind: EventKind) -> int:
    event = Submit(kind=kind, target=arguments.other, timeout_s=arguments.timeout, acknowledge=True)
    return _one(arguments, event)


def _one(arguments: Namespace, event: Submit) -> int:
    with Interrupts() as interrupts:
        local = select_site(arguments)
        out = Account(arguments.json)
        with failures_as_exits(local), Client.connect(local.socket_path) as client:
            if interrupts.caught:
                raise CommandFailed(ExitStatus.NOT_IN_LOG, "interrupted: nothing was submitted")
            ids: list[str] = []
            try:
                answered = ask_patiently(client, interrupts, event, event.timeout_s, ids.append)
            except NoAnswer as lost:
                print_outcome(out, Outcome.unknown(str(lost), next(iter(ids), None)))
                return status_of_loss(lost)
        print_outcome(out, answered.value)
        status = status_of_outcome(answered.value.outcome)
        return ExitStatus.NOT_KNOWN if answered.interrupted and status == ExitStatus.DONE else status


def _stream(arguments: Namespace) -> int:
    with Interrupts() as interrupts:
        local = select_site(arguments)
        out = Account(arguments.json)
        with failures_as_exits(local), Client.connect(local.socket_path) as client:
            stream = EventStream(client, LineReader(_STDIN), lambda told: print_outcome(out, told), out.flush)
            try:
                stream.run(interrupts, arguments.timeout, arguments.retry)
            except BrokenPipeError:
                # Nobody reads the outcomes any more; what is under way is settled all the same.
                return ExitStatus.NOT_KNOWN
    return _status_of_stream(stream, local.site)


def _status_of_stream(stream: EventStream, site: str) -> int:
    """The exit status; what the outcomes alone do not say is said on stderr."""
    if stream.lost is not None:
        complain(f"the engine of {site} was lost: {stream.lost}")
    if not stream.interrupted:
        return status_of_many(stream.statuses)
    some = "" if stream.input_ended else "at least "
    complain(f"interrupted: {some}{stream.not_submitted} more lines were not submitted; none of them is in the log")
    if stream.not_submitted or not stream.input_ended:
        return status_of_many(stream.statuses | {ExitStatus.NOT_IN_LOG})
    return status_of_many(stream.statuses) or ExitStatus.NOT_KNOWN
