"""Why each thing happens, in one sentence that names the rule it follows (docs/protocol.md).

Rules that hold here:
- A sentence is made of what the line itself says (`engine.core.explained.describe`), with ballots as the lab prints
  them: it is true of real sites too, and claims nothing that the line does not.
- The rule stands in brackets at the end, or before what users wrote, which stands last. Where no rule is behind it
  (what a person does, what is asked for people alone), there is none.
- Every type of message and every type of conclusion has a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from engine.core.explained.describe import Line
from engine.core.ids import SiteId
from tui.lab.ballots import LabBallots
from tui.lab.frame import Frame
from tui.lab.said import for_people
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said, Seen

_UNSAID: Final = re.compile(r".*", re.DOTALL)
"""What the sentence says already of a line's note: all of it."""
_HANDED: Final = re.compile("asks the leader to propose: |passes on, for the leader to propose: ")
_WHOLE: Final = re.compile(r"")
"""None of it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`rules` are those that it follows; `said` is what the beginning of the line's note need not say again."""

    sentence: str
    rules: str
    said: re.Pattern[str] = _WHOLE


SENT: Final = {
    "prepare": Reason(
        "{who} asks {other} to promise {ballot}, a ballot it has never used",
        "B1",
        re.compile("asks for a promise(?: of )?"),
    ),
    "promise": Reason("{who} promises {other} {ballot}", "A1, A4", re.compile("promised, ")),
    "accept": Reason("{who} asks {other} to accept at {ballot}", "B2", re.compile("asks to accept:? ")),
    "accepted": Reason("{who} accepts {ballot} of {other}", "A2"),
    "refused": Reason("{who} refuses, and tells {other} why", "A5"),
    "chosen": Reason("{who} tells {other} what is chosen", "R0"),
    "ask": Reason("{who} has holes, and first asks {other} about them", "R3"),
    "known": Reason("{who} tells {other} what it has learned", "R3", re.compile("learned here: ")),
    "ask-highest": Reason("{who} asks {other}: a majority's answers cover everything that was chosen", "R4"),
    "highest": Reason("{who} tells {other} how far it knows the log to go", "R4"),
    "hello": Reason(
        "{who} shows {other} its store: a site votes only once enough others know its store", "D5", _UNSAID
    ),
    "welcome": Reason("{who} tells {other} what it remembers of its store", "D5"),
    "heartbeat": Reason("{who} tells {other} that it is alive, and which leader it hears", "L3"),
    "hand-on": Reason("{who} hands events to {other}, in the order in which they were submitted", "L3, E3", _HANDED),
    "ask-slot": Reason("{who} asks {other} what happened at a slot, only to show it", "", _UNSAID),
    "slot-state": Reason("{who} tells {other} what it knows of a slot, only to show it", ""),
}
"""What is behind a message that leaves; by its type."""

TAKEN: Final = {
    "prepare": Reason(
        "{who} may promise {ballot} if it is above every ballot it promised or accepted there", "A1", _UNSAID
    ),
    "promise": Reason("{who} counts {other}, once, for {ballot}", "B3", re.compile("promised, ")),
    "accept": Reason(
        "{who} must accept {ballot} unless it has promised a higher one", "A2", re.compile("asks to accept:? ")
    ),
    "accepted": Reason(
        "{who} counts {other}, once, for {ballot}: what a majority accepts at one ballot is chosen", "B3", _UNSAID
    ),
    "refused": Reason("{who} gives up {ballot} once no majority is left for it", "B4", re.compile("refused ")),
    "chosen": Reason("{who} learns the choice, which never changes", "R1"),
    "ask": Reason("{who} answers {other} with what it has learned of those slots", "R3", _UNSAID),
    "known": Reason(
        "{who} takes over what {other} has learned: a choice never changes", "R1", re.compile("learned here: ")
    ),
    "ask-highest": Reason("{who} says how far it knows the log to go, if it votes", "R4", _UNSAID),
    "highest": Reason("{who} counts {other}: the highest answer of a majority is the bound", "R4"),
    "hello": Reason("{who} checks which store of {other} it remembers", "D5", _UNSAID),
    "welcome": Reason("{who} counts {other} as one that knows its store", "D5"),
    "heartbeat": Reason("{who} hears that {other} is alive", "L3"),
    "hand-on": Reason("{who} proposes them, if it leads", "L3", _HANDED),
    "ask-slot": Reason("{who} answers, only to show it", "", _UNSAID),
    "slot-state": Reason("{who} has the answer, only to show it", ""),
}
"""What its addressee makes of a message that arrives."""

MISSED: Final = {
    "prepare": Reason("any majority's promises suffice", "B2"),
    "promise": Reason("any majority's promises suffice", "B2"),
    "accept": Reason("it is chosen once any majority accepts", "B3"),
    "accepted": Reason("it is accepted anyway; {other} just does not know", "B3"),
    "refused": Reason("{other} asks again, and is refused again", "A5"),
    "chosen": Reason("it is chosen anyway; a site that misses it asks", "R3"),
    "ask": Reason("a hole is settled by a full synod if nobody answers", "R3"),
    "known": Reason("a hole is settled by a full synod if nobody answers", "R3"),
    "ask-highest": Reason("any majority's answers suffice", "R4"),
    "highest": Reason("any majority's answers suffice", "R4"),
    "hello": Reason("it is shown again until enough know it", "D5"),
    "welcome": Reason("it is shown again until enough know it", "D5"),
    "heartbeat": Reason("a leader that is silent for too long is no longer followed", "L3"),
    "hand-on": Reason("they are handed on again, and take effect at most once", "E1, E5"),
    "ask-slot": Reason("nothing depends on it", ""),
    "slot-state": Reason("nothing depends on it", ""),
}
"""What becomes of it where a message does not arrive."""

CONCLUDED: Final = {
    "chosen": Reason("{who} knows the choice, which never changes", "R1"),
    "void": Reason("{who} skips an entry without effect", "E5"),
    "created": Reason("{who} tells its user: created", "E2, E4"),
    "lost": Reason("{who} tells its user: lost; it can never be in the log", "E2"),
    "not-created": Reason("{who} tells its user: not created; it can never be in the log", "E2"),
    "unknown": Reason("{who} tells its user: unknown; it may still be chosen", "E2"),
    "preparing": Reason("{who} takes a ballot it has never used", "B1"),
    "fallback": Reason("{who} continues with a full synod", "L2"),
    "accepting": Reason("{who} proposes", "B2"),
    "adopting": Reason("{who} must propose what it found, not its own", "B2"),
    "waiting": Reason("{who} waits for a random time, so that a duel ends", "B4"),
    "standing": Reason("{who} stands for election, and asks for all slots at once", "L3"),
    "leads": Reason("{who} leads", "L3"),
    "steps down": Reason("{who} no longer leads", "L3"),
    "asking": Reason("{who} has a hole", "R3"),
    "yielding": Reason("{who} has a hole, and lets others go first", "R3"),
    "hole": Reason("{who} has holes", "R3"),
    "filled": Reason("{who} is done with a hole", "R3"),
    "recovery": Reason("{who} finds out what it missed", "R4"),
    "fresh": Reason("{who} answers a read", "R5"),
    "voter": Reason("{who} votes", "D5"),
    "learner": Reason("{who} learns, and does not vote", "D5"),
    "members": Reason("{who} counts votes by the list in effect from that slot on", "M2"),
    "removed": Reason("{who} was removed, and stops once nobody needs it", "M5"),
    "peer": Reason("{who}", "L3"),
    "hand-on": Reason("{who} hands events to the leader", "L3"),
    "rejected": Reason("{who} drops a message that is not meant for its present store", "W1"),
}
"""What is behind a conclusion; by its type."""

HAPPENED: Final = {
    "start": Reason("{who} begins with what its disk holds, and knows nothing else", "D1"),
    "end": Reason("{who} ends: whatever it has said is on its disk, the rest is gone", "D1"),
    "refused": Reason("{who} stays down: a damaged row is refused by name", "D3"),
    "pause": Reason("{who} stands still; sites that no longer hear it follow another leader", "L3"),
    "clock": Reason("{who} has a wrong clock; safety does not depend on clocks", "L3"),
    "replaced": Reason("{who} has another store, and votes once enough others know it", "D5"),
    "cleared": Reason("nobody remembers anything, and what was chosen is lost: no real site may do this", "D5"),
    "cut": Reason("links carry nothing: a side with a majority continues", "B2"),
    "limit": Reason("links lose longer datagrams", "W4"),
    "mend": Reason("links work again: a site that missed something asks for it", "R3"),
    "calm": Reason("no faults any more: everything must settle", "R3, R4"),
    "breaks": Reason("a rule is broken", ""),
}
"""What is behind what happens to sites and links; by its word."""

_REFUSED: Final = re.compile(r"refused (prepare|accept) (\S+): (.*)", re.DOTALL)
_RULE: Final = re.compile(r"\(([A-Z][0-9](?:, [A-Z][0-9])*)\)")
_USERS: Final = re.compile(r"(?<=[0-9]) tweet ")


class Why:
    """`names` are all sites, in file order."""

    def __init__(self, names: Sequence[SiteId]) -> None:
        self._ballots = LabBallots(names)

    def step(self, frame: Frame) -> str:
        """The sentence that tells most of a step; empty before the first."""
        best = max(frame.seen, key=_tells, default=None)
        return "" if best is None else self.of(best)

    def of(self, seen: Seen) -> str:
        match seen:
            case Flown(lines=lines):
                return "; ".join(self._flown(seen, line) for line in lines)
            case Concluded(_, site, line):
                return self._sentence(CONCLUDED.get(line.type) or _strange(line.type), line.note, who=site)
            case Happened(_, site, what, why):
                reason = HAPPENED.get(what) or _strange(what)
                return self._sentence(reason, why, who=site or "")
            case Said(_, words):
                return self._ballots.words(for_people(words))
            case _:
                assert_never(seen)

    def _flown(self, seen: Flown, line: Line) -> str:
        refusal = _REFUSED.match(line.note) if line.type == "refused" and seen.fate is Fate.LEAVES else None
        if refusal is not None:
            return self._refusal(seen, *refusal.groups())
        ballot = "" if line.ballot is None else self._ballots.ballot(line.ballot)
        match seen.fate:
            case Fate.LEAVES:
                return self._sentence(
                    SENT.get(line.type) or _strange(line.type), line.note, who=seen.sender, other=seen.to, ballot=ballot
                )
            case Fate.ARRIVES:
                return self._sentence(
                    TAKEN.get(line.type) or _strange(line.type),
                    line.note,
                    who=seen.to,
                    other=seen.sender,
                    ballot=ballot,
                )
            case Fate.LOST | Fate.NOBODY_THERE:
                gone = "is lost" if seen.fate is Fate.LOST else f"finds nobody at {seen.to}"
                reason = MISSED.get(line.type) or Reason("it is not known what depends on it", "")
                said = f"{line.type} {ballot}".rstrip()
                gone = f"{said} of {seen.sender} {gone}: {reason.sentence}"
                return self._sentence(replace(reason, sentence=gone), "", other=seen.to)
            case _:
                assert_never(seen.fate)

    def _refusal(self, seen: Flown, phase: str, asked: str, because: str) -> str:
        """`s3 refuses s1's accept 3.1: it promised 4.5, and 3.1 is lower (A2)`"""
        ballot = self._ballots.words(asked)
        head = f"{seen.sender} refuses {seen.to}'s {phase} {ballot}"
        if not because.startswith("promised"):
            return self._sentence(Reason(head, "A5"), f"it {because}")
        return self._sentence(
            Reason(head, "A1" if phase == "prepare" else "A2"), f"it {because}, and {ballot} is lower"
        )

    def _sentence(self, reason: Reason, note: str, **words: str) -> str:
        head = reason.sentence.format(**words)
        said = self._ballots.words(note[found.end() :] if (found := reason.said.match(note)) else note)
        cited = {rule for found in _RULE.findall(said) for rule in found.split(", ")}
        rules = ", ".join(rule for rule in reason.rules.split(", ") if rule and rule not in cited)
        brackets = f" ({rules})" if rules else ""
        if not said:
            return head + brackets
        return f"{head}{brackets}: {said}" if _USERS.search(f"0{said}") else f"{head}: {said}{brackets}"


def _strange(what: str) -> Reason:
    """Of what a later version recorded."""
    return Reason(f"{{who}}: {what}", "")


def _tells(seen: Seen) -> int:
    """How much of a step it tells: what a site concludes or answers more than what it is asked."""
    match seen:
        case Said(is_wrong=True):
            return 6
        case Concluded(line=line):
            return 5 if line.type != "peer" else 1
        case Flown(fate=Fate.LEAVES, lines=lines):
            return 4 if any(line.type in _ANSWERS for line in lines) else 2
        case Flown():
            return 3
        case Happened():
            return 3
        case Said():
            return 0
        case _:
            assert_never(seen)


_ANSWERS: Final = frozenset({"promise", "accepted", "refused"})
