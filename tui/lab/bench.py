"""What a person looks at in a run, and has picked: the step, a message in flight, a site, a slot; and what can be done.

Rules that hold here:
- Nothing here knows a screen. What cannot be done is Refused, with the reason, and then nothing has changed.
- What is done is a line of a scenario file: the same words that are saved, and that are read again.
- Where a scenario ends, its frames are seen ahead, up to AHEAD_MAX: so that a step is one of so many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.core.ids import SiteId, Slot
from engine.sim.scenario.parse_lines import line as parse_line
from engine.sim.scenario.words import BadLine, Words, quote
from tui.lab import acceptors, flights
from tui.lab.ballots import lab_ballots
from tui.lab.diagram import label
from tui.lab.frame import Flight, Frame, Reel, SiteState, Tape
from tui.lab.said import for_people
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said, Seen
from tui.lab.why import Why

AHEAD_MAX: Final = 300
LEAP_MAX: Final = 2_000
"""So many steps at most are taken by one key that looks for a decision."""
FAR_MAX: Final = 20_000
"""So far it is played at once, to a step that somebody names, or in a plan to the one that broke a rule."""
BACK_MAX: Final = 10
LOOK_BACK: Final = 50


class Refused(Exception):
    """Why something is not done, in words."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A run to be looked at."""

    reel: Reel
    tape: Tape | None
    """The same, where it can be changed."""
    about: str
    """What it shows."""
    is_planned: bool = True
    """Something happens in it by itself."""
    is_plan: bool = False
    """It is what a campaign drew, or found."""
    mistake: str = ""
    """Which rule its replicas break on purpose, and how; empty: none."""
    other: Callable[[], Exhibit] | None = None
    """Makes the run without that mistake; and of that one the run with it."""


class Bench:
    def __init__(self, exhibit: Exhibit) -> None:
        self.exhibit = exhibit
        self.reel = exhibit.reel
        self.names = exhibit.reel.names
        self.why = Why(self.names)
        self.tells_plan = True
        """Whether what the run comes to is told beforehand: not to somebody who is asked what will happen."""
        self.site: SiteId = self.names[0]
        self.is_log = False
        self.at_end = not exhibit.is_planned
        """Whether nothing comes any more after the last frame, as far as was tried."""
        self._unsaved: list[tuple[int, Frame]] = []  # what was done by hand: its branch, and the frame that shows it
        self._flight: int | None = None
        self._pinned: Slot | None = None
        self.look_ahead()
        if exhibit.is_plan and self.frame.broken is None:
            self._to_the_fault()

    # What is looked at.

    @property
    def frame(self) -> Frame:
        return self.reel.frames[self.reel.position]

    @property
    def before(self) -> Frame | None:
        return self.reel.frames[self.reel.position - 1] if self.reel.position else None

    @property
    def after(self) -> Frame | None:
        """The frame that comes next, where it was seen already."""
        ahead = self.reel.position + 1
        return self.reel.frames[ahead] if ahead < len(self.reel.frames) else None

    @property
    def is_last(self) -> bool:
        return self.reel.position == len(self.reel.frames) - 1

    @property
    def flight(self) -> Flight | None:
        """The message that is picked; the first where that one has arrived."""
        found = self.frame.flights
        return next((each for each in found if each.number == self._flight), found[0] if found else None)

    @property
    def state(self) -> SiteState:
        return next(each for each in self.frame.sites if each.site == self.site)

    @property
    def slot(self) -> Slot:
        """The slot of the table: the one that was asked for, else the one that the latest steps were about."""
        if self._pinned is not None:
            return self._pinned
        frames, here = self.reel.frames, self.reel.position
        for index in range(here, max(-1, here - LOOK_BACK), -1):
            about = [slot for seen in frames[index].seen if (slot := _slot_of(seen)) is not None]
            if about:
                return about[0]
        known = acceptors.slots_of(self.frame)
        return known[-1] if known else Slot(1)

    @property
    def follows_slot(self) -> bool:
        return self._pinned is None

    # Picking.

    def pick_flight(self, number: int) -> None:
        self._flight = number

    def next_flight(self, by: int) -> None:
        numbers = [each.number for each in self.frame.flights]
        if not numbers:
            raise Refused("no message is in flight: a step, or a tweet (t), sends some")
        here = numbers.index(self.flight.number) if self.flight is not None else 0
        self._flight = numbers[(here + by) % len(numbers)]

    def next_site(self, by: int) -> None:
        self.site = self.names[(self.names.index(self.site) + by) % len(self.names)]

    def pick_slot(self, by: int) -> None:
        wanted = self.slot + by
        last = max(acceptors.slots_of(self.frame), default=Slot(1))
        if not 1 <= wanted <= last:
            raise Refused("slot 1 is the only one so far" if last == 1 else f"slots are 1 to {last} so far")
        self._pinned = Slot(wanted)

    def show_slot(self, slot: Slot) -> None:
        self._pinned = slot

    def follow_slot(self) -> None:
        self._pinned = None

    # Moving in time.

    def look_ahead(self) -> None:
        """Sees what comes, so that it is known how many steps there are."""
        here = self.reel.position
        if not self.at_end and not self._leap(AHEAD_MAX, lambda _: False):
            self.at_end = True
        self.reel.go(here)

    def _to_the_fault(self) -> None:
        """To the step that broke a rule, if one did."""
        found = self._leap(FAR_MAX, lambda frame: frame.broken is not None)
        if not found or self.frame.broken is None:
            self.reel.go(0)

    def step(self) -> None:
        if not self._forward():
            raise Refused(self._end_words())

    def peek(self) -> Frame | None:
        """The frame that a step leads to; None where nothing comes any more."""
        here = self.reel.position
        if not self._forward():
            return None
        self.reel.go(here)
        return self.after

    def back(self) -> None:
        if not self.reel.position:
            raise Refused("this is the first step")
        self.reel.go(self.reel.position - 1)

    def next_decision(self) -> str:
        """Returns what there is to say of where it stopped."""
        began = self.reel.position
        if self._leap(LEAP_MAX, lambda frame: frame.decided or frame.broken is not None):
            frame = self.frame
            if frame.decided or frame.broken is not None:
                return ""
            return f"no value was chosen in {LEAP_MAX:,} steps: N goes on"
        if self.reel.position == began:
            raise Refused(self._end_words())
        return "no other value is chosen: this is the last step"

    def last_decision(self) -> None:
        here = self.reel.position
        if not here:
            raise Refused("this is the first step")
        earlier = range(here - 1, max(0, here - BACK_MAX), -1)
        decided = (index for index in earlier if self.reel.frames[index].decided)
        self.reel.go(next(decided, max(0, here - BACK_MAX)))

    def go(self, step: int) -> None:
        here = self.reel.position
        last = len(self.reel.frames) - 1
        if step > last:
            self.reel.go(last)
            self._leap(min(FAR_MAX, step - last), lambda _: False)
            last = len(self.reel.frames) - 1
        if not 0 <= step <= last:
            self.reel.go(here)
            raise Refused(f"steps are 0 to {last}" if self.at_end else f"steps are 0 to {last} so far")
        self.reel.go(step)

    def restart(self) -> None:
        if self.exhibit.tape is None:
            self.reel.go(0)
        else:
            self.exhibit.tape.restart()

    def _forward(self) -> bool:
        moved = self.reel.forward()
        if not moved:
            self.at_end = True
        return moved

    def _leap(self, steps: int, stops: Callable[[Frame], bool]) -> bool:
        """So many steps on, or to where it stops; False where nothing comes any more."""
        for _ in range(steps):
            if not self._forward():
                return False
            if stops(self.frame):
                return True
        return True

    def _end_words(self) -> str:
        if self.frame.broken is not None:
            out = "" if self.exhibit.other is None else ", k takes the mistake out"
            return f"the run ends where the rule is broken: b goes back{out}"
        more = "" if self.exhibit.tape is None else ": t tweets at a site, b goes back"
        return f"nothing more happens{more}"

    # Doing.

    @property
    def tape(self) -> Tape:
        """Raises Refused where nothing can be changed."""
        if self.exhibit.tape is None:
            raise Refused("this was recorded on real sites: it can be viewed, not changed")
        return self.exhibit.tape

    def do(self, words: str, told: str | None = None) -> str:
        """Does a line of a scenario at this step; returns what is to be told: the line, or `told`. Raises Refused."""
        tape = self.tape
        try:
            line = parse_line(Words(words, self.names), 0)
        except BadLine as bad:
            raise Refused(str(bad)) from None
        if line.at is not None:
            raise Refused("the line is run now: leave out `at` and the time")
        branch = tape.branch
        refused = tape.do(line.command)
        if refused is not None:
            raise Refused(lab_ballots(self.names).words(refused))
        self.at_end = False
        self._unsaved.append((tape.branch, self.frame))
        forked = "" if tape.branch == branch else f" · from here on this is branch {tape.branch + 1}: v lists all"
        return f"{told or words}{forked}"

    def to_flight(self, what: str) -> str:
        """Delivers, drops, duplicates or holds the message that is picked."""
        flight = self.flight
        if flight is None:
            raise Refused("no message is in flight: a step, or a tweet (t), sends some")
        if what == "hold" and flight.arrives_at_ms is None:
            what = "release"
        return self.do(f"{what} #{flight.number}", f"{what}: {flights.in_words(flight, self.names)}")

    def tweet(self, text: str) -> str:
        return self.do(f"{self.site} tweets {quote(text)}")

    @property
    def unsaved(self) -> str:
        """The step at which the latest was done by hand that no file has; empty: there is nothing such."""
        if not self._unsaved:
            return ""
        branch, frame = self._unsaved[-1]
        return f"step {frame.step}" + (f" of branch {branch + 1}" if len(self.tape.branches) > 1 else "")

    def was_saved(self) -> None:
        """A file has what was done up to here."""
        has = {id(frame) for frame in self.reel.frames[: self.reel.position + 1]}
        self._unsaved = [done for done in self._unsaved if id(done[1]) not in has]

    def switch(self, branch: int) -> None:
        self.tape.switch(branch)
        self.at_end = False

    # In words.

    def steps_words(self) -> str:
        """`step 6 of 14`; a `+` where more may come."""
        return f"step {self.reel.position} of {len(self.reel.frames) - 1}{'' if self.at_end else '+'}"

    def next_words(self) -> str:
        if self.after is not None:
            return _coming(self.after.seen, self.names)
        if self.at_end and self.frame.broken is not None:
            return "nothing: the run ends here"
        arriving = [each for each in self.frame.flights if each.arrives_at_ms is not None]
        if arriving and not self.at_end:
            first = min(arriving, key=lambda each: (each.arrives_at_ms or 0.0, each.number))
            return f"{flights.in_words(first, self.names)} arrives at {first.arrives_at_ms:g} ms"
        held = len(self.frame.flights) - len(arriving)
        if held:
            return f"nothing by itself: {held} held, d delivers, h lets go"
        return "nothing: t tweets at a site" if self.exhibit.tape is not None else "nothing: this is the end"


def _slot_of(seen: Seen) -> Slot | None:
    match seen:
        case Flown(lines=lines):
            return next((line.slot for line in lines if line.slot is not None), None)
        case Concluded(line=line):
            return line.slot
        case _:
            return None


def in_words(seen: Seen, names: tuple[SiteId, ...]) -> str:
    """What was seen, as short as can be."""
    match seen:
        case Flown(sender=sender, to=to, fate=fate, lines=lines):
            said = ", ".join(label(line, names) for line in lines)
            match fate:
                case Fate.LEAVES:
                    return f"{sender} sends {said} to {to}"
                case Fate.ARRIVES:
                    return f"{said} of {sender} arrives at {to}"
                case Fate.LOST:
                    return f"{said} from {sender} to {to} is lost"
                case Fate.NOBODY_THERE:
                    return f"{said} of {sender} finds nobody at {to}"
        case Concluded(site=site, line=line):
            return f"{site}: {label(line, names)}"
        case Happened(site=site, what=what, why=why):
            return " ".join(part for part in (site or "", what, lab_ballots(names).words(why)) if part)
        case Said(words=words):
            return lab_ballots(names).words(for_people(words))


def _coming(seen: tuple[Seen, ...], names: tuple[SiteId, ...]) -> str:
    return in_words(seen[0], names) if seen else "a step"
