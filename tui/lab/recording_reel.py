"""A run that real sites recorded, as frames that one steps through. Nothing in it can be done otherwise.

Rules that hold here:
- A frame is a step that shows something. What a step without anything to see changed is in the next frame.
- The table of the acceptors is what their commits made durable, as far as the files tell; it begins with what each site
  had of unlearned slots when its recording began.
- A slot counts as chosen once a majority is known to have accepted it at one ballot, or once a site learned it (B4).
- A message under way is one that arrives later in the files, one that left after all that arrived of its way, or one
  that a fault rule keeps. One that is overtaken and never arrives is lost; of one whose addressee was not recorded
  then, nothing is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from engine.contract.notifications import RecordFate
from engine.core.effects import RejectedFor
from engine.core.entry import Entry, in_words
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, SiteId, Slot, quorum_size
from engine.core.storage import RangePromise
from tui.lab.frame import Acceptor, Flight, Frame, SiteState
from tui.lab.recording import Began, Came, Kept, Left, Recording, Told
from tui.lab.recording_merge import Arrival, Course, Place, Step, merge
from tui.lab.recording_times import times_ms
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said, Seen
from tui.lab.versions import Versions
from tui.recording import End, Gap

UPKEEP: Final = frozenset({"hello", "welcome", "heartbeat"})
"""Messages that say the same all the time: what follows from them is told."""

_STALE: Final = f"{RejectedFor.STALE_ANSWER} "
_NOTHING: Final = Acceptor(None, None, None, None)


@dataclass(slots=True)
class _Site:
    """What is known of a site so far."""

    state: SiteState
    votes: Versions[Acceptor] = field(default_factory=Versions)
    own: dict[Slot, Acceptor] = field(default_factory=dict)
    """As its commits said: range promises are not folded in."""
    ranges: tuple[RangePromise, ...] = ()


class RecordedReel:
    """A `Reel`. Raises BadRecording where the recordings are not of one run."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self._course = merge(recordings)
        self._play = _Play(self._course)
        self._frames = [self._play.first()]
        self._coming = self._play.frames()
        self._position = 0

    @property
    def title(self) -> str:
        names = ", ".join(recording.name for recording in self._course.recordings.values())
        return f"{self._course.cluster}, recorded: {names}"

    @property
    def names(self) -> tuple[SiteId, ...]:
        return self._course.names

    @property
    def findings(self) -> tuple[str, ...]:
        """What the files lack, a sentence each."""
        return self._course.findings

    @property
    def frames(self) -> Sequence[Frame]:
        return self._frames

    @property
    def position(self) -> int:
        return self._position

    def forward(self) -> bool:
        if self._position + 1 == len(self._frames):
            frame = next(self._coming, None)
            if frame is None:
                return False
            self._frames.append(frame)
        self._position += 1
        return True

    def go(self, position: int) -> None:
        assert 0 <= position < len(self._frames), "a frame that was seen"
        self._position = position


class _Play:
    """Goes through the course once."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._times = times_ms(course)
        self._arrives_ms = _arrival_times(course, self._times)
        self._quorum = quorum_size(len(course.names))
        self._sites = {name: _Site(_at_first(name, course.recordings.get(name))) for name in course.names}
        self._chosen: Versions[Entry] = Versions()
        self._slots: set[Slot] = set()
        """Those of which any site has told."""
        self._accepted: dict[tuple[Slot, Ballot], set[SiteId]] = {}
        self._flights: dict[int, Flight] = {}
        self._left: dict[int, float] = {}
        self._numbers: dict[Place, int] = {}
        self._kept_back: dict[tuple[SiteId, int], int] = {}
        """Messages that a fault rule keeps at a site, by their flight there."""
        self._count = 0
        self._step = 0
        self._decided = False
        self._broken: str | None = None

    def first(self) -> Frame:
        """What each site had when its recording began."""
        for site, recording in self._course.recordings.items():
            for line in recording.lines:
                if not isinstance(line.event, Kept):
                    break
                self._keep(site, line.event)
        self._step, self._decided = 1, False
        return self._frame(0, 0.0, ())

    def frames(self) -> Iterator[Frame]:
        for step, at_ms in zip(self._course.steps, self._times, strict=True):
            seen = [each for index in range(step.first, step.beyond) for each in self._line(step, index, at_ms)]
            if seen:
                yield self._frame(self._step, at_ms, tuple(seen))
                self._step += 1
                self._decided, self._broken = False, None

    def _frame(self, step: int, at_ms: float, seen: tuple[Seen, ...]) -> Frame:
        return Frame(
            step=step,
            at_ms=at_ms,
            sites=tuple(replace(site.state, acceptors=site.votes.view(step)) for site in self._sites.values()),
            flights=tuple(self._flights.values()),
            seen=seen,
            chosen=self._chosen.view(step),
            decided=self._decided,
            broken=self._broken,
        )

    def _line(self, step: Step, index: int, at_ms: float) -> Iterator[Seen]:
        place = Place(step.site, index)
        event = self._course.recordings[step.site].lines[index].event
        match event:
            case Kept():
                self._keep(step.site, event)
            case Left():
                yield from self._leave(place, event, at_ms)
            case Came():
                yield from self._come(place, event, at_ms)
            case Told(line):
                if not (line.type == "rejected" and line.note.startswith(_STALE)):
                    self._note_leader(step.site, line)
                    yield Concluded(at_ms, step.site, line)
            case Gap(count):
                words = f"{count} lines are left out of the recording of {step.site}: its recorder was too slow"
                yield Said(at_ms, words, is_wrong=True)
            case End(why, stopped):
                site = self._sites[step.site]
                kept_from = "down" if stopped else "recording ended"
                site.state = replace(site.state, is_up=not stopped, why=kept_from)
                yield Happened(at_ms, step.site, "end" if stopped else "recording ended", why)
            case Began(header):
                site = self._sites[step.site]
                leader = None if header.leader is None else SiteId(header.leader)
                site.state = replace(site.state, is_up=True, why="", leader=leader)
                yield Happened(at_ms, step.site, "start", "another process of it is recorded from here on")
            case _:
                assert_never(event)

    # Messages

    def _leave(self, place: Place, left: Left, at_ms: float) -> Iterator[Seen]:
        lines = _shown(left.lines)
        if not lines:
            return
        flight = None if left.flight is None else (place.site, left.flight)
        number = None if flight is None else self._kept_back.get(flight)
        if number is None:
            number = self._next_number(at_ms)
            yield Flown(at_ms, at_ms, number, place.site, left.to, Fate.LEAVES, lines)
        self._numbers[place] = number
        if left.fate in {RecordFate.HELD, RecordFate.CHANGED}:
            assert flight is not None, "what a rule keeps has a flight"
            self._kept_back[flight] = number
            self._flights[number] = Flight(number, place.site, left.to, None, lines)
            return
        arrival = Arrival.LOST if left.fate is not None else self._course.arrivals[place]
        match arrival:
            case Arrival.ARRIVES | Arrival.UNDER_WAY:
                arrives_ms = self._arrives_ms.get(place, self._times[-1])
                self._flights[number] = Flight(number, place.site, left.to, arrives_ms, lines)
            case Arrival.LOST:
                self._flights.pop(number, None)
                yield Flown(at_ms, self._left[number], number, place.site, left.to, Fate.LOST, lines)
            case Arrival.NOT_TOLD:
                self._flights.pop(number, None)
            case _:
                assert_never(arrival)

    def _come(self, place: Place, came: Came, at_ms: float) -> Iterator[Seen]:
        lines = _shown(came.lines)
        if not lines:
            return
        number = self._number_of(place, came, at_ms)
        if came.fate in {RecordFate.HELD, RecordFate.CHANGED}:
            self._flights[number] = Flight(number, came.sender, place.site, None, lines)
            return
        flight = self._flights.pop(number, None)
        rest = () if flight is None else _without(flight.lines, lines)
        if flight is not None and rest:
            self._flights[number] = replace(flight, lines=rest)
        fate = Fate.ARRIVES if came.fate is None else Fate.LOST
        yield Flown(at_ms, self._left[number], number, came.sender, place.site, fate, lines)

    def _number_of(self, place: Place, came: Came, at_ms: float) -> int:
        """That of the message that left; where nobody in the files sent it, one of its own."""
        flight = None if came.flight is None else (place.site, came.flight)
        number = None if flight is None else self._kept_back.get(flight)
        if number is None:
            sent = self._course.sent_at.get(place)
            number = None if sent is None else self._numbers.get(sent)
        if number is None:
            number = self._next_number(at_ms)
        if flight is not None:
            self._kept_back[flight] = number
        return number

    def _next_number(self, at_ms: float) -> int:
        self._count += 1
        self._left[self._count] = at_ms
        return self._count

    # What sites have

    def _keep(self, name: SiteId, kept: Kept) -> None:
        site = self._sites[name]
        for slot, acceptor in kept.slots:
            site.own[slot] = acceptor
            if slot not in self._slots:
                self._slots.add(slot)
                for other in self._sites:
                    self._put(other, slot)
            self._put(name, slot)
        if kept.ranges is not None and kept.ranges != site.ranges:
            site.ranges = kept.ranges
            for slot in self._slots:
                self._put(name, slot)

    def _put(self, name: SiteId, slot: Slot) -> None:
        """What the site has of the slot may be something else than before."""
        site = self._sites[name]
        acceptor = _raised(site.own.get(slot, _NOTHING), _ranged(site.ranges, slot))
        if acceptor != (site.votes.newest(slot) or _NOTHING):
            site.votes.put(self._step, slot, acceptor)
            self._count_vote(name, slot, acceptor)

    def _count_vote(self, name: SiteId, slot: Slot, acceptor: Acceptor) -> None:
        if acceptor.acc_num is not None and acceptor.acc_val is not None:
            voters = self._accepted.setdefault((slot, acceptor.acc_num), set())
            voters.add(name)
            if len(voters) >= self._quorum:
                self._choose(slot, acceptor.acc_val)
        if acceptor.learned is not None:
            self._choose(slot, acceptor.learned)

    def _choose(self, slot: Slot, entry: Entry) -> None:
        before = self._chosen.newest(slot)
        if before is None:
            self._chosen.put(self._step, slot, entry)
            self._decided = True
        elif before != entry:
            both = f"{in_words(before)}, and {in_words(entry)}"
            self._broken = f"R1: two entries are chosen in slot {slot}: {both}"

    def _note_leader(self, name: SiteId, line: Line) -> None:
        """A site leads from `leads` on until it `steps down`; another one is followed where events are handed to it."""
        if line.ballot is None:
            return
        site = self._sites[name]
        match line.type:
            case "leads" | "hand-on":
                site.state = replace(site.state, leader=line.ballot.site)
            case "steps down":
                site.state = replace(site.state, leader=None)
            case _:
                pass


def _at_first(name: SiteId, recording: Recording | None) -> SiteState:
    if recording is None:
        return SiteState(name, True, "not recorded", None, {})
    leader = recording.header.leader
    return SiteState(name, True, "", None if leader is None else SiteId(leader), {})


def _arrival_times(course: Course, times: Sequence[float]) -> dict[Place, float]:
    """When what was sent first arrives."""
    arrives: dict[Place, float] = {}
    for step, at_ms in zip(course.steps, times, strict=True):
        for index in range(step.first, step.beyond):
            sent = course.sent_at.get(Place(step.site, index))
            if sent is not None:
                arrives.setdefault(sent, at_ms)
    return arrives


def _shown(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(line for line in lines if line.type not in UPKEEP)


def _without(lines: Sequence[Line], gone: Iterable[Line]) -> tuple[Line, ...]:
    """What of one packet is still to come: its datagrams arrive one by one. What a fault rule did to a message stands
    in its note at one end alone."""
    arrived = Counter((line.type, line.slot, line.ballot) for line in gone)
    left: list[Line] = []
    for line in lines:
        key = line.type, line.slot, line.ballot
        if arrived[key]:
            arrived[key] -= 1
        else:
            left.append(line)
    return tuple(left)


def _ranged(ranges: Iterable[RangePromise], slot: Slot) -> Ballot | None:
    return next((r.ballot for r in ranges if r.first <= slot and (r.last is None or slot <= r.last)), None)


def _raised(acceptor: Acceptor, ranged: Ballot | None) -> Acceptor:
    """A3: what holds for a slot is the higher of its own promise and of the one that covers it."""
    own = acceptor.max_prepare
    if ranged is None or acceptor.learned is not None or (own is not None and own >= ranged):
        return acceptor
    return replace(acceptor, max_prepare=ranged)
