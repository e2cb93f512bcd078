"""The sentences of the lab's screen: its title, what the step brought about and why, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tui.lab.acceptors import value
from tui.lab.ballots import lab_ballots
from tui.lab.bench import Bench, in_words
from tui.lab.flights import in_words as flight_words
from tui.lab.seen import Said
from tui.rows import BLANK, Part, Role, Row, fitted, row, width_of, wrapped

WHY_LINES: Final = 3
_LINES: Final = {
    "hold": "from here on messages wait until they are delivered, dropped or let go",
    "release": "what waited arrives, and nothing waits any more",
    "deliver": "what waited arrives",
    "drop": "what waited is lost",
    "duplicate": "what waited arrives, and waits once more",
    "run": "time passes, and what does not wait arrives",
    "expect": "it is true",
}
"""What a line of a scenario means, where nothing else is to be seen of it; by its first word."""
_UNTOLD: Final = "The result is not shown while you are being asked."
ABOUT_FROM: Final = 130
"""From this width on the title says what the scenario shows."""


def title(bench: Bench, flags: Sequence[tuple[str, Role]], width: int) -> Row:
    """The run, its step, the time and the branch, as far as there is room; `flags` stand at the right, always."""
    frame = bench.frame
    tape = bench.exhibit.tape
    said = [
        (f" Lab: {bench.reel.title}", Role.STRONG),
        (f"  {bench.steps_words()}", Role.PLAIN),
        (f"  {'' if tape is None else 'virtual '}{frame.at_ms / 1_000:.3f} s", Role.PLAIN),
    ]
    if tape is not None and len(tape.branches) > 1:
        said.append((f"  branch {tape.branch + 1} of {len(tape.branches)}", Role.NOTE))
    if width >= ABOUT_FROM and (about := _about(bench)):
        said.append((f"  {about}", Role.DIM))
    right = [part for flag, role in flags for part in ((" ", Role.PLAIN), (f" {flag} ", role))]
    room = width - sum(width_of(text) for text, _ in right)
    parts: list[Part] = []
    for text, role in said:
        shown = text if width_of(text) <= room else fitted(text, room).rstrip()
        parts.append(Part(shown, role))
        room -= width_of(shown)
    return (*parts, Part(" " * room), *row(*right))


def _about(bench: Bench) -> str:
    """What the run shows; of a branch, how it came to be: what a scenario comes to need not be so there."""
    tape = bench.exhibit.tape
    if tape is None:
        return bench.exhibit.about
    branch = tape.branches[tape.branch]
    if branch.parent is not None:
        return f"left branch {branch.parent + 1} after step {branch.forked_at}: {branch.began_with}"
    if not bench.exhibit.about:
        return ""
    return f"plan: {bench.exhibit.about}" if bench.tells_plan else f"{bench.exhibit.mistake} {_UNTOLD}".strip()


def why_rows(bench: Bench, width: int) -> list[Row]:
    """What the step brought about, and why; what breaks a rule is an alarm. Always of the same height."""
    frame = bench.frame
    said: list[Row] = []
    if frame.broken is not None:
        broken = lab_ballots(bench.names).words(frame.broken)
        said += wrapped(row((" BROKEN ", Role.ALARM), (f" {broken}", Role.BAD)), width, indent=7)
    label = "  why: " if bench.reel.position or not _about(bench) else " "
    said += wrapped(row((label, Role.DIM), *_decided(bench), why(bench)), width, 7)
    if len(said) > WHY_LINES:
        said = [*said[: WHY_LINES - 1], row((" " * 7, Role.DIM), ("… enter shows all of it", Role.DIM))]
    said += [BLANK] * (WHY_LINES - len(said))
    return [*said, row((" next: ", Role.DIM), bench.next_words())]


def _decided(bench: Bench) -> Row:
    """What this step chose."""
    known = {} if bench.before is None else bench.before.chosen
    new = [slot for slot in bench.frame.chosen if slot not in known] if bench.frame.decided else []
    told = ", ".join(f"{value(bench.frame.chosen[slot])} in slot {slot}" for slot in new[:3])
    return row(("CHOSEN", Role.GOOD), f" {told}. ") if new else ()


def why(bench: Bench) -> str:
    """What tells most of the step, and its rule; before the first one, what the run shows."""
    if not bench.reel.position:
        begins = "nothing has happened yet: n is a step" if bench.exhibit.is_planned else "nothing has happened yet"
        return _about(bench) or begins
    said = f"{_speaker(bench)}{bench.why.step(bench.frame)}"
    lines = [seen for seen in bench.frame.seen if isinstance(seen, Said) and not seen.is_wrong]
    if len(lines) < len(bench.frame.seen):
        return said
    meaning = next((_LINES[word] for seen in lines if (word := seen.words.partition(" ")[0]) in _LINES), "")
    return f"{said}: {meaning}" if meaning else said


def _speaker(bench: Bench) -> str:
    """Whose reason it is, where a site has just broken a rule on purpose: it says what it believes."""
    is_told = any(isinstance(seen, Said) and seen.is_wrong for seen in bench.frame.seen)
    speaks = bench.exhibit.mistake != "" and bench.frame.broken is not None and not is_told
    return "the mistake speaks: " if speaks else ""


def in_full(bench: Bench, width: int) -> list[Row]:
    """All that there is to say of the step and of the message that is picked."""
    frame = bench.frame
    lines = wrapped(row((f"Step {frame.step}", Role.STRONG), f", at {frame.at_ms:g} ms"), width)
    if frame.broken is not None:
        lines += wrapped(row((lab_ballots(bench.names).words(frame.broken), Role.BAD)), width)
    if bench.exhibit.mistake and bench.reel.position:
        lines += wrapped(row((bench.exhibit.mistake, Role.WARN)), width)
    lines.append(BLANK)
    if not bench.reel.position:
        lines += [*wrapped(row(why(bench)), width), BLANK]
    for seen in frame.seen:
        reason = "" if isinstance(seen, Said) else f": {_speaker(bench)}{bench.why.of(seen)}"
        lines += wrapped(row("· ", in_words(seen, bench.names), (reason, Role.DIM)), width, 2)
    flight = bench.flight
    if flight is not None:
        notes = "; ".join(lab_ballots(bench.names).words(line.note) for line in flight.lines)
        when = "held" if flight.arrives_at_ms is None else f"arrives at {flight.arrives_at_ms:g} ms"
        lines += [
            BLANK,
            *wrapped(row(("Picked", Role.STRONG), f": {flight_words(flight, bench.names)}, {when}"), width),
        ]
        lines += wrapped(row("  ", (notes, Role.DIM)), width, 2)
    return lines
