"""`lab`: the lab's scenarios, and what real sites recorded, in text.

Rules that hold here:
- No engine is asked and no store is read: everything happens in the simulated world, or is in files. `--live` alone
  plays on real sites.
- This module alone imports the lab's room, so that no other command loads the simulator.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from signal import SIGINT

from engine.contract import answers
from engine.core.entry import NOOP, Block, Entry, Tweet, Unblock, decode, kind_of
from engine.core.storage import EventState
from engine.site_files import sites_file
from tui.client import Json
from tui.commands.open import glyphs_of, is_dumb, need_terminal, prepare_screen
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupted
from tui.lab import opening
from tui.lab.catalogue import NAMES, shipped
from tui.lab.live import Verdict, Where, play_live
from tui.lab.notation import FIRST_PORT
from tui.lab.opening import STDIN, BadRequest, Opened, Run, lines, mistakes, opened, with_mistake
from tui.lab.recording import BadRecording, recordings_of
from tui.lab.recording_reel import RecordedReel
from tui.lab.recording_text import recorded
from tui.lab.text import NONE, AtSite, Ending, ToldTo, known, played, told, value
from tui.output import Account, Cells, Output
from tui.parts import Part, Role


def run(arguments: Namespace) -> int:
    if arguments.list:
        return _list(Output(arguments.json))
    if arguments.mistakes:
        return _list_mistakes(Output(arguments.json))
    if arguments.live:
        if _recorded(arguments.what) is not None:
            raise CommandFailed(ExitStatus.BAD_INPUT, "a recording can be viewed, not played: leave out --live")
        return _play_live(arguments)
    if not (arguments.text or arguments.json):
        return _show(arguments)
    out = Account(arguments.json)
    reel = _recorded(arguments.what)
    if reel is not None and arguments.broken is not None:
        raise CommandFailed(ExitStatus.BAD_INPUT, opening.NO_MISTAKE_HERE)
    if reel is not None:
        return _tell(out, reel)
    plays = _asked(arguments)
    status = ExitStatus.DONE
    for play in plays:
        for run in play.runs():
            if not _play(out, play, run).as_expected:
                status = ExitStatus.VIOLATION
    return status


def scenario_names() -> Sequence[str]:
    return NAMES


def mistake_names() -> list[str]:
    return [mistake.name for mistake in mistakes()]


def _show(arguments: Namespace) -> int:
    """The screen, until it is left. Raises CommandFailed."""
    if STDIN in arguments.what:
        raise CommandFailed(ExitStatus.BAD_INPUT, "a scenario from standard input is played as text: add --text")
    need_terminal("--text prints lines instead")
    if is_dumb():
        said = "this terminal (TERM) cannot draw the screen: --text prints lines instead"
        raise CommandFailed(ExitStatus.BAD_INPUT, said)
    prepare_screen()
    from tui.lab.app import run_lab  # noqa: PLC0415  (Textual takes longer to load than a plain command takes in all)

    try:
        return run_lab(arguments.what, arguments.size, arguments.broken, glyphs_of(arguments))
    except ValueError as bad:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(bad)) from None


def _list(out: Output) -> int:
    rows: list[Cells] = []
    for scenario in shipped():
        schedule = scenario.schedule()
        if out.as_json:
            broken = None if schedule.broken is None else schedule.broken.mutant
            sites = list(schedule.setup.names)
            out.json({"name": scenario.name, "about": scenario.about, "sites": sites, "broken": broken})
        rows.append((Part(scenario.name, Role.STRONG), scenario.summary))
    if not out.as_json:
        out.table(rows)
    return ExitStatus.DONE


def _list_mistakes(out: Output) -> int:
    if out.as_json:
        out.json_lines({"name": each.name, "rule": each.rule, "what": each.what} for each in mistakes())
    else:
        out.table([(Part(each.name, Role.STRONG), f"{each.what} ({each.rule})") for each in mistakes()])
    return ExitStatus.DONE


def _asked(arguments: Namespace) -> list[Opened]:
    """What is to be played. Raises CommandFailed."""
    asked: list[str] = arguments.what
    if not asked:
        raise CommandFailed(ExitStatus.BAD_INPUT, "name a scenario: `loggos lab --list` lists them")
    try:
        plays = lines(sys.stdin.read(), arguments.size) if asked == [STDIN] else opened(asked, arguments.size)
        return plays if arguments.broken is None else [with_mistake(play, arguments.broken) for play in plays]
    except UnicodeDecodeError:
        raise CommandFailed(ExitStatus.BAD_INPUT, "standard input is not UTF-8 text: write it in UTF-8") from None
    except BadRequest as bad:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(bad)) from None


def _recorded(asked: list[str]) -> RecordedReel | None:
    """What real sites recorded, where files of that were named. Raises CommandFailed."""
    try:
        recordings = recordings_of(asked)
        return None if recordings is None else RecordedReel(recordings)
    except BadRecording as bad:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(bad)) from None


def _tell(out: Account, reel: RecordedReel) -> int:
    ending = recorded(reel)
    if out.as_json:
        out.json({**_shape(reel.title, None, ending), "findings": list(reel.findings)})
    else:
        _print(out, reel.title, reel.findings, ending)
    out.flush()
    return ExitStatus.DONE if ending.as_expected else ExitStatus.VIOLATION


def _play(out: Account, play: Opened, run: Run) -> Ending:
    ending = played(run.schedule)
    if out.as_json:
        out.json(_shape(play.title, run.broken, ending))
    else:
        _print(out, play.title, [said for said in (play.about, _ports(ending), run.heading) if said], ending)
    out.flush()
    return ending


def _play_live(arguments: Namespace) -> int:
    """On real sites: those of the sites file that was named, else some that are made for it."""
    out = Output(arguments.json)
    where = Where(None if arguments.sites is None else sites_file(arguments.sites).absolute(), arguments.data)
    verdicts = [_played_live(out, play, where) for play in _asked(arguments)]
    return ExitStatus.DONE if all(verdict.as_expected for verdict in verdicts) else ExitStatus.VIOLATION


def _played_live(out: Output, play: Opened, where: Where) -> Verdict:
    def say(words: str) -> None:
        if not out.as_json:
            out.line(words)
            out.flush()

    try:
        verdict = play_live(play.title, play.schedule, where, say)
    except Interrupted:
        raise CommandFailed(128 + SIGINT, "interrupted; the run's changes to the sites are undone") from None
    if out.as_json:
        out.json({"title": play.title, **asdict(verdict)})
    else:
        for difference in verdict.differences:
            out.line(Part(difference, Role.BAD))
        out.line(Part(f"= {verdict.verdict}", Role.GOOD if verdict.as_expected else Role.BAD))
    out.flush()
    return verdict


def _ports(ending: Ending) -> str:
    """Which site is which port in a course's notation."""
    return "sites: " + ", ".join(f"{name} ({FIRST_PORT + place})" for place, name in enumerate(ending.names))


def _print(out: Output, title: str, about: Sequence[str], ending: Ending) -> None:
    out.line(Part(title, Role.STRONG))
    for said in about:
        out.line(said)
    for part, printed in (("trace", ending.trace), ("diagram", ending.diagram)):
        _title(out, part)
        for line in printed:
            out.line(line)
    for slot in ending.slots:
        _title(out, f"acceptors, slot {slot}")
        heads = ("site", "maxPrepare", "accNum", "learned", "accVal")
        rows = [_acceptor(ending, each) for each in ending.acceptors if each.slot == slot]
        out.table([[Part(head, Role.STRONG) for head in heads], *rows])
    if ending.broke:
        _title(out, "the step that broke the rule")
        for line in ending.broke:
            out.line(line)
    _title(out, "what is chosen, and who was told what")
    for each in ending.acceptors:
        out.line(known(ending, each))
    for outcome in ending.told:
        out.line(told(outcome))
    out.line(Part(f"= {ending.verdict}", Role.GOOD if ending.as_expected else Role.BAD))


def _title(out: Output, title: str) -> None:
    out.line()
    out.line(Part(title, Role.STRONG))


def _acceptor(ending: Ending, each: AtSite) -> Cells:
    vote, learned = each.vote, each.learned
    of = NONE if learned is None else "no-op" if learned.id is None else str(learned.id)
    accepted = NONE if vote.entry is None else value(vote.entry)
    return (str(each.site), ending.ballot(vote.promised), ending.ballot(vote.accepted), of, accepted)


def _shape(title: str, broken: str | None, ending: Ending) -> Json:
    """One object a run; the keys are documented in docs/commands.md."""
    return {
        "title": title,
        "broken": broken,
        "as_expected": ending.as_expected,
        "verdict": ending.verdict,
        "acceptors": list(_acceptor_shapes(ending)),
        "told": [_told_shape(each) for each in ending.told],
        "trace": list(ending.trace),
        "diagram": list(ending.diagram),
    }


def _acceptor_shapes(ending: Ending) -> Iterator[Json]:
    for each in ending.acceptors:
        vote = each.vote
        yield {
            "slot": each.slot,
            "site": each.site,
            "maxPrepare": None if vote.promised is None else ending.ballot(vote.promised),
            "accNum": None if vote.accepted is None else ending.ballot(vote.accepted),
            "accVal": _entry(vote.entry),
            "chosen": _entry(each.learned),
        }


def _told_shape(each: ToldTo) -> Json:
    return {
        "site": each.site,
        "id": None if each.id is None else str(each.id),
        "text": each.what,
        "outcome": each.outcome.value,
        "slot": each.slot,
        "to": _entry(each.winner) if each.outcome is EventState.LOST else None,
        "reason": each.reason,
    }


def _entry(entry: Entry | None) -> answers.Entry | None:
    """As every command prints an entry."""
    if entry is None:
        return None
    kind, id_ = kind_of(entry), None if entry.id is None else str(entry.id)
    operation = None if entry == NOOP else decode(entry.body).operation
    text = operation.text if isinstance(operation, Tweet) else None
    target = operation.target if isinstance(operation, Block | Unblock) else None
    return answers.Entry(kind=kind, author=entry.author, id=id_, text=text, target=target)
