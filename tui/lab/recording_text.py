"""A recorded run in text, for `loggos lab FILE... --text`: its trace, its diagram, and the acceptors at the end.

Rules that hold here:
- The lines are those of a scenario's trace, and the diagram is drawn as a scenario's.
- What was heard of other sites is in the trace alone, as it is of a scenario: the diagram is about the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

from engine.core.explained.spacetime import End, Head
from engine.core.storage import Vote
from engine.sim.scenario.diagram import Diagram
from engine.sim.scenario.trace import in_columns
from tui.lab.ballots import LabBallots
from tui.lab.frame import Frame
from tui.lab.recording_reel import RecordedReel
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said, Seen
from tui.lab.text import AtSite, Ending

WHOLE: Final = "no broken rule was seen in it"

_ENDS: Final = {Fate.ARRIVES: End.REACHED, Fate.LOST: End.LOST, Fate.NOBODY_THERE: End.NOBODY}
_FATES: Final = {Fate.LOST: "✗ lost ", Fate.NOBODY_THERE: "✗ nobody there "}


def recorded(reel: RecordedReel) -> Ending:
    """The whole run."""
    while reel.forward():
        pass
    text = _Text(reel)
    broken = next((frame.broken for frame in reel.frames if frame.broken is not None), None)
    verdict = WHOLE if broken is None else f"violates {LabBallots(reel.names).words(broken)}"
    return Ending(
        names=reel.names,
        trace=tuple(text.trace),
        diagram=tuple(text.diagram.lines),
        as_expected=broken is None,
        verdict=verdict,
        acceptors=tuple(_acceptors(reel.frames[-1])),
        told=(),
    )


class _Text:
    def __init__(self, reel: RecordedReel) -> None:
        self._names = reel.names
        self._reword = LabBallots(reel.names).words
        self.diagram = Diagram(reel.names, running=True, reword=self._reword)
        self.trace: list[str] = []
        for frame in reel.frames:
            for seen in frame.seen:
                if not _is_lost_at_once(seen, frame):
                    self.trace += [line.rstrip() for line in self._lines(seen)]
                self._draw(seen)
            if frame.broken is not None:
                self.diagram.says(f"violates {self._reword(frame.broken)}")

    def _lines(self, seen: Seen) -> Iterable[str]:
        now = round(seen.at_ms)
        match seen:
            case Flown(_, _, number, sender, to, fate, lines):
                at, arrow, other = (to, "<-", sender) if fate is Fate.ARRIVES else (sender, "->", to)
                mark = f"{_FATES.get(fate, '')}(#{number})"
                return [
                    f"{now:>8} {at:>8} {arrow} {other:<8} {in_columns(line, self._reword)} {mark}" for line in lines
                ]
            case Concluded(_, site, line):
                return [f"{now:>8} {site:>8} -- {'':<8} {in_columns(line, self._reword)}"]
            case Happened(_, site, what, why):
                return [f"{now:>8} {site or '':>8} ** {what} {why}"]
            case Said(_, words, _):
                return [f"> {self._reword(words)}"]
            case _:
                assert_never(seen)

    def _draw(self, seen: Seen) -> None:
        now, diagram = round(seen.at_ms), self.diagram
        match seen:
            case Flown(_, left_at_ms, _, sender, to, fate, lines):
                if fate is not Fate.LEAVES:
                    head = Head(self._names.index(to), _ENDS[fate])
                    diagram.arrow(now, round(left_at_ms), self._names.index(sender), head, lines)
            case Concluded(_, site, line):
                if line.type != "peer":
                    diagram.concluded(now, site, line)
            case Happened(_, site, what, why):
                diagram.happened(now, site, what, why)
            case Said(_, words, _):
                diagram.says(self._reword(words))
            case _:
                assert_never(seen)


def _is_lost_at_once(seen: Seen, frame: Frame) -> bool:
    """Whether a message leaves that is lost in the same step, which is one line."""
    if not isinstance(seen, Flown) or seen.fate is not Fate.LEAVES:
        return False
    return any(
        isinstance(other, Flown) and (other.number, other.fate) == (seen.number, Fate.LOST) for other in frame.seen
    )


def _acceptors(last: Frame) -> Iterator[AtSite]:
    """Of each slot that the recording tells of; a site that is not recorded has none."""
    slots = sorted({slot for site in last.sites for slot in site.acceptors})
    for slot in slots:
        for site in last.sites:
            at = site.acceptors.get(slot)
            if at is not None:
                entries = () if at.acc_val is None else (at.acc_val,)
                yield AtSite(slot, site.site, Vote(at.max_prepare, at.acc_num, entries), at.learned)
