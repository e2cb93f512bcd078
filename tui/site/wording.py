"""What happened, in sentences that are true (docs/protocol.md E2).

Rules that hold here:
- "Failed" and "lost" are said only of what can never be in the log; else it is unknown, and that is said.
- A sentence says what was done or not done, then why; user text comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from engine.contract.answers import Attempt, Filled, LogLine, Outcome, OutcomeWord, PlanLine, SlotQuorum
from engine.contract.status import Status
from engine.contract.words import entry_words
from engine.core.effects import UNSETTLED, FillResult
from engine.core.entry import (
    Add,
    AddLearner,
    Block,
    Move,
    Operation,
    Promote,
    Readmit,
    Remove,
    Tweet,
    Unblock,
    Withdrawal,
)
from engine.core.views import AttemptPhase
from tui import entries
from tui.counted import listed, plural
from tui.rows import Role, Row, fitted, row, width_of
from tui.standing import Remedy

SHORT: Final = 24
PLANNED_MAX: Final = 6

_RESULTS: Final[Mapping[str, str]] = {
    FillResult.RECOVERED: "recovered: an entry accepted there was completed",
    FillResult.NOOP: "filled with a no-op",
    FillResult.LEARNED: "learned from a peer that had it",
    FillResult.CHOSEN: "was chosen already",
    FillResult.NO_QUORUM: "not settled yet",
    FillResult.HINDERED: "not settled yet",
}

_COUNTED: Final[Mapping[str, str]] = {AttemptPhase.PREPARING: "promises", AttemptPhase.ASKING: "answers"}
"""What an attempt counts that counts no votes."""


def operation_words(operation: Operation, author: str) -> str:
    """A tweet in quotes, so that it is no part of the sentence that it ends."""
    match operation:
        case Tweet(text):
            return f"“{text}”"
        case Block(target):
            return f"{author} blocks {target}"
        case Unblock(target):
            return f"{author} unblocks {target}"
        case Withdrawal():
            return f"{author} withdraws an event"
        case Readmit(site):
            return f"{author} readmits {site}"
        case Add(site, address):
            return f"{author} adds {site} at {address}"
        case AddLearner(site, address):
            return f"{author} adds {site} at {address} as a learner"
        case Promote(site):
            return f"{author} promotes {site}"
        case Remove(site):
            return f"{author} removes {site}"
        case Move(site, address):
            return f"{author} moves {site} to {address}"
        case _:
            assert_never(operation)


def shortened(text: str) -> str:
    """`text` in at most SHORT cells."""
    return fitted(text, SHORT).rstrip() if width_of(text) > SHORT else text


def line_words(line: LogLine) -> str:
    """What the entry in a slot says."""
    return entry_words(line.kind, line.author, entries.content(line))


def attempt_count(attempt: Attempt) -> str:
    """`1 of 3 votes`; nothing while nobody is asked for any."""
    if attempt.phase in {AttemptPhase.WAITING, AttemptPhase.YIELDING}:
        return ""
    return f"{len(attempt.votes)} of {attempt.needed} {_COUNTED.get(attempt.phase, 'votes')}"


def attempt_words(attempt: Attempt) -> str:
    """`accepting: 1 of 3 votes, waiting for bob carol`."""
    count = attempt_count(attempt)
    silent = [site for site in attempt.asked if site not in attempt.votes]
    waiting = f", waiting for {' '.join(silent)}" if silent else ""
    match attempt.phase:
        case AttemptPhase.WAITING:
            return f"backing off: {attempt.why}"
        case AttemptPhase.YIELDING:
            return f"yielding: {attempt.why}"
        case AttemptPhase.ADOPTING:
            return f"adopting another's value: {count}{waiting}"
        case phase:
            return f"{phase}: {count}{waiting}"


def created(words: str, outcome: Outcome, quorum: SlotQuorum | None) -> Row:
    """`quorum` is None while nobody has told who chose it."""
    how = []
    if quorum is not None:
        how += [f"ballot {quorum.ballot}", f"votes {' '.join(quorum.sites)}"]
    if outcome.took_ms is not None:
        how.append(f"{outcome.took_ms:,} ms")
    details = f" ({', '.join(how)})" if how else ""
    return row(("✓ ", Role.GOOD), (f"created at slot {outcome.slot}", Role.GOOD), (f"{details}: ", Role.DIM), words)


def lost(words: str, outcome: Outcome) -> Row:
    to = entries.whose(outcome.to)
    if outcome.to is None or outcome.to.author is None:
        to += " that fills the hole"
    elif outcome.to.text is not None:
        to += f" “{shortened(outcome.to.text)}”"
    said = f": slot {outcome.slot} went to {to}. Yours is not in the log: "
    return row(("✗ ", Role.BAD), ("lost", Role.BAD), said, (words, Role.DIM))


def not_created(words: str, outcome: Outcome) -> Row:
    why = _sentence(outcome.reason or "it was given up before anything left this site")
    return row(("✗ ", Role.BAD), ("not created", Role.BAD), f": {why} It is not in the log: ", (words, Role.DIM))


def unknown(words: str, outcome: Outcome) -> Row:
    if outcome.waits_for is not None:
        why = _sentence(outcome.reason or f"chosen at slot {outcome.slot}")
        risk = "Sending it again would post it twice. "
        return row(("? ", Role.WARN), ("not in effect yet", Role.WARN), f": {why} {risk}", (words, Role.DIM))
    where = "" if outcome.slot is None else f" of slot {outcome.slot}"
    why = _sentence(outcome.reason or "no majority answered in time")
    risk = "It may still be chosen: sending it again now could post it twice. "
    return row(("? ", Role.WARN), ("outcome unknown", Role.WARN), f"{where}: {why} {risk}", (words, Role.DIM))


def settled(words: str, outcome: Outcome) -> Row:
    """An outcome that was unknown is known now."""
    what = f"{outcome.id or 'the event'}, unknown until now, "
    match outcome.outcome:
        case OutcomeWord.CREATED:
            return row(("✓ ", Role.GOOD), what, (f"is created at slot {outcome.slot}", Role.GOOD), ": ", words)
        case OutcomeWord.LOST:
            return row(("✗ ", Role.BAD), what, ("is lost", Role.BAD), f": slot {outcome.slot} holds another. ", words)
        case _:
            return row(("✗ ", Role.BAD), what, ("is not created", Role.BAD), ". It is not in the log. ", words)


def refused(reason: str) -> Row:
    return row(("✗ ", Role.BAD), ("refused", Role.BAD), f": {reason}")


def kept_out(what: str, reason: str, words: str) -> Row:
    """`what` became of an event that never reached the log: refused, or not sent."""
    return row(("✗ ", Role.BAD), (what, Role.BAD), f": {_sentence(reason)} It is not in the log: ", (words, Role.DIM))


def untold(pending: Sequence[tuple[Operation, str]], author: str) -> Row:
    """Of events whose outcome nobody can tell now, the oldest first, each with what came before it was told."""
    operation, lost = pending[0]
    more = f" · {len(pending) - 1} more wait" if len(pending) > 1 else ""
    said = f"{lost} before the outcome was told; it is asked again once the engine is back{more}: "
    return row(("? ", Role.WARN), said, (operation_words(operation, author), Role.DIM))


def not_posted(words: str) -> Row:
    """Of an event that was in no log when the screen was left."""
    said = " when this screen was left. It is not in the log: "
    return row(("✗ ", Role.BAD), ("not posted", Role.BAD), said, (words, Role.DIM))


def planned(lines: Sequence[PlanLine], starts: str) -> Row:
    """What a fill would do; the key that `starts` it comes first, for a long plan is cut."""
    slots_of: dict[str, list[int]] = {}
    for line in lines:
        slots_of.setdefault(line.action, []).append(line.slot)
    said = " ".join(
        f"Slot{'s' if len(slots) > 1 else ''} {listed(slots, PLANNED_MAX)}: {_sentence(action)}"
        for action, slots in slots_of.items()
    )
    return row(("· ", Role.NOTE), (starts, Role.KEY), f" again starts this. {said}")


def filled(told: Filled) -> Row:
    """The result of a fill, slot by slot while they are few, and what keeps the lowest that is not settled."""
    lines = told.lines
    if not lines:
        return row(("✓ ", Role.GOOD), "there was no hole left to fill")
    results = {line.result for line in lines}
    glyph, role = ("? ", Role.WARN) if results & UNSETTLED else ("✓ ", Role.GOOD)
    because = f". The engine keeps trying: {told.why}" if told.why else ""
    if FillResult.HINDERED in results:
        because += ". Fault rules are in pane 6: del removes one, x all"
    if len(lines) <= 3:
        said = "; ".join(f"slot {line.slot} {_RESULTS.get(line.result, line.result)}" for line in lines)
        return row((glyph, role), f"{said}{because}")
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.result] = counts.get(line.result, 0) + 1
    said = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    return row((glyph, role), f"{plural(len(lines), 'slot')}: {said}{because}")


def no_hole(status: Status | None) -> str:
    """That there is none, as far as this site knows: without a quorum slots may be used that nobody told it of."""
    if status is None:
        return "it is not known yet whether there are holes"
    last = status.next - 1
    learned = f"all slots up to #{last:,} are learned" if last else "no slot is used yet"
    if status.quorum.reachable < status.quorum.needed:
        return f"no hole is known here ({learned}); without a quorum it is not known whether more slots are used"
    if status.recovering:
        return f"no hole is known here ({learned}); still asking how far the log goes"
    return f"there is no hole: {learned}"


def quorum_after(reachable: int, needed: int, size: int, voting_here: bool) -> str:
    """What stopping this site's engine does to the others; those that it does not reach may have a quorum."""
    left = reachable - 1 if voting_here else reachable
    if size == 1:
        return "this is the only site: nothing can be created while it is stopped"
    if reachable < needed:
        return f"it reaches {reachable} of {size} voters, {needed} needed: what the others can do is not known here"
    if left >= needed:
        return f"{left} of {size} voters remain, {needed} needed: the others continue"
    return (
        f"only {left} of {size} voters remain, {needed} needed: nothing new can be created until"
        f" {'one returns' if needed - left == 1 else f'{needed - left} return'}"
    )


def remedied(status: Status, remedy: Remedy) -> str:
    """Which key changes the members so, and where."""
    where = "" if remedy.by == status.site else f" at {remedy.by}'s screen"
    return f"M{where} {remedy.kind}s {remedy.site}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
