"""The truth about events: what was submitted, what its author says became of it, and what did.

Rules that hold here:
- Every event has a body of its own, so that an entry in the log names its event. Some are submitted together.
- E1: a number names one event, and an event is in effect at most once. A number is one of a block that was durably
  reserved, by this process: none that an earlier process may have given out is given out again.
- M6: where a site has no numbers left, it withdraws the last one, which is no event's, or one's that certainly takes no
  effect: so nothing is durable of that but the number.
- E2: `created` names the slot at which the event is in effect, within its author's durable prefix; an event that was
  said to be lost or not created is never in effect, before or after. A final outcome is told once and never changes,
  over restarts too.
- E3: an author's events are in effect in the order in which they were submitted.
- E4: an event stands above all that were said to be created before it was submitted, anywhere.
- D1: what is told, and what leaves in an accept, is durable at its author: `created` at a majority, for it may be told
  before its author's disk says so. If the process dies between, that event is told of anew, as `created` again. Of an
  elected leader's own event that leaves beside the commit (L3) the number's block is, and the rest may be lost with the
  process: then nobody is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core.effects import SawNumbered, SawOutcome
from engine.core.entry import BadOperation, Entry, Kind, decode
from engine.core.ids import EventId, SiteId, Slot
from engine.core.messages import HandOn
from engine.core.storage import EventRow, EventState, Stored
from engine.sim.image import Image
from engine.sim.violation import Judge, violate

_OWN: Final = -1
"""The token of what a site submits itself."""

_PROMOTE: Final = f"{Kind.PROMOTE} "

FINAL: Final = frozenset({EventState.CREATED, EventState.LOST, EventState.NOT_CREATED})


@dataclass(slots=True)
class Event:
    """`order` counts all events in the order of submission; `above` is the highest slot acknowledged before it."""

    site: SiteId
    token: int
    body: str
    order: int
    above: Slot
    number: int | None = None
    said: EventState | None = None  # durably
    told: EventState | None = None
    slot: Slot | None = None  # at which it is in effect
    proposed: list[Slot] = field(default_factory=list)  # the slots at which it durably was
    handed_on: bool = False  # durably
    left_beside: bool = False  # its author led, and proposed it beside the commit that says so (L3)
    follows: set[int] = field(default_factory=set)  # the numbers that its author said it follows (E5)
    withdrawn: Slot | None = None  # at which its withdrawal is in effect
    reopened: bool = False  # its author runs on an old copy, on which it was open
    gone: bool = False  # its author's process ended before it had a number


class Outcomes:
    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.by_body: dict[str, Event] = {}
        self.by_token: dict[int, list[Event]] = {}
        self.by_id: dict[EventId, Event] = {}
        self.acknowledged: Slot = Slot(0)
        self._last_in_effect: dict[SiteId, Event] = {}

        self._used_before: dict[SiteId, int] = {}  # what was reserved for each site when its process began

    def started(self, site: SiteId, stored: Stored) -> None:
        self._used_before[site] = stored.number_max
        for event in self.by_body.values():
            if event.site != site:
                continue
            event.gone = event.number is None
            if event.told is EventState.CREATED and event.said not in FINAL:
                event.told = None

    def submitted(self, site: SiteId, token: int, bodies: Sequence[str]) -> None:
        """These events are submitted together, in this order."""
        events = self.by_token[token] = []
        for body in bodies:
            assert body not in self.by_body, "every event has a body of its own"
            event = Event(site, token, body, len(self.by_body), self.acknowledged)
            self.by_body[body] = event
            events.append(event)

    def _event(self, id_: EventId, body: str) -> Event:
        """That of a number. A promotion that nobody submitted is the site's own (M3), and may be spelt like one that it
        began, or that was submitted, before, and has its number or is gone."""
        event = self.by_body.get(body)
        if event is not None and not event.gone and event.number in (None, id_.number):
            return event
        known = self.by_id.get(id_)
        if known is not None and known.body == body:
            return known
        if body.startswith(_PROMOTE):
            self.by_body[body] = Event(id_.author, _OWN, body, order=-1, above=Slot(0))
        return self.by_body[body]

    def is_unsaid(self, body: str) -> bool:
        """Its author's disk has said nothing of it so far."""
        event = self.by_body.get(body)
        return event is None or event.said is None

    def reopened(self, site: SiteId, rows: Iterable[EventRow]) -> None:
        """An old copy was put back, and these events are open on it: it cannot know what was said of them since."""
        for row in rows:
            event = self.by_id[EventId(site, row.number)]
            event.reopened = True

    def recorded(self, site: SiteId, row: EventRow, image: Image) -> EventState | None:
        """An event's row became durable at its author; returns what it said before."""
        id_ = EventId(site, row.number)
        event = self._event(id_, row.body)
        if event.said is None:
            _is_read(site, row)
        self._numbers(id_, event, image)
        before, event.said = event.said, row.state
        if event.reopened:
            return before
        if before in FINAL and row.state is not before:
            violate("E2", f"{id_} was {before}, and its row says {row.state} now", slot=row.slot, site=site)
        match row.state:
            case EventState.CREATED:
                self._created(id_, event, row.slot, image.prefix)
            case EventState.LOST | EventState.NOT_CREATED:
                if event.slot is not None:
                    violate("E2", f"{id_} is {row.state}, but it is in effect", slot=event.slot, site=site)
            case EventState.PROPOSED | EventState.UNKNOWN:
                if row.slot is None:  # it was void at its slot (E5): from there on it is as one that was handed on
                    event.handed_on = True
                else:
                    event.proposed.append(row.slot)
            case EventState.QUEUED:
                pass
        return before

    def _numbers(self, id_: EventId, event: Event, image: Image) -> None:
        """The event has this number from here on, if it had none. `image`: its author's disk."""
        site, number = id_.author, id_.number
        if self.by_id.setdefault(id_, event) is not event or event.number not in (None, number):
            violate("E1", f"{id_} names two events, or has two numbers", site=site)
        if event.number is None:
            if number > image.number_max:
                violate("E1", f"{id_} is given out, but reserved is up to {image.number_max}", site=site)
            if number <= self._used_before.get(site, 0):
                before = f"up to {self._used_before[site]} numbers were reserved before its process began"
                violate("E1", f"{id_} is given out, but {before}", site=site)
            event.number = number

    def _created(self, id_: EventId, event: Event, slot: Slot | None, prefix: Slot) -> None:
        if event.slot is None or event.slot != slot:
            told = f"{id_} is created at {slot}, but it is in effect at {event.slot or 'no slot'}"
            self._judge.breaks("E2", told, slot=slot, site=event.site)
        elif prefix < event.slot:
            violate("E4", f"{id_} is created, but the prefix ends at {prefix}", slot=slot, site=event.site)

    def pushed(self, site: SiteId, slot: Slot, entry: Entry) -> None:
        """An accept of an author's entry leaves: it is durable there that it is proposed at this slot, or that it was
        handed on (E1, E2); or it had left beside that commit, and was found (B2)."""
        event = self._event_of(entry)
        known = slot in event.proposed or event.handed_on or event.left_beside
        if not known and not _goes_on(event, entry):
            told = f"sends an accept of {entry}, but its author's disk does not say that it is proposed here"
            violate("D1", told, slot=slot, site=site)
        self._as_its_author_said(site, event, entry)

    def pushed_beside(self, site: SiteId, slot: Slot, entry: Entry, image: Image) -> None:
        """As `pushed`, of an accept that leaves beside its commit (L3). Of the leader's own events the rows are in that
        commit; `image` is its disk before."""
        own = entry.author == site and not _withdraws(entry)
        event = self._event(EventId(site, entry.number), entry.body) if own else None
        if event is None or event.said is not None:
            self.pushed(site, slot, entry)
            return
        self._numbers(EventId(site, entry.number), event, image)
        event.left_beside = True
        self._as_its_author_said(site, event, entry)

    def handed_on(self, site: SiteId, message: HandOn) -> None:
        """Events leave for the leader: that they do is durable at their author (E1, E2); a peer's have one hop (L3)."""
        for entry in message.entries:
            event = self._event_of(entry)
            if not event.handed_on and not _goes_on(event, entry):
                violate("D1", f"hands on {entry}, but its author's disk does not say so", site=site)
            if entry.author != site and not message.relayed:
                violate("L3", f"hands on {entry}, an event of a peer, as if it were its own", site=site)
            self._as_its_author_said(site, event, entry)

    def voted_for_its_own(self, entry: Entry) -> None:
        """The author's own vote for its event is durable, and may be found there before an accept ever leaves."""
        event = self._known(entry)
        if event is not None:
            event.follows.add(entry.follows)

    def _as_its_author_said(self, site: SiteId, event: Event, entry: Entry) -> None:
        """E5: which number an event follows is for its author to say."""
        if entry.author == site:
            event.follows.add(entry.follows)
        elif entry.follows not in event.follows:
            told = f"says that {entry.id} follows {entry.follows}, but its author said {sorted(event.follows)}"
            violate("E5", told, site=site)

    def _known(self, entry: Entry) -> Event | None:
        """The event that has this number. Where none has, and an earlier process reserved it, its author may withdraw
        it all the same (M6)."""
        id_ = entry.id
        if id_ is None:
            return None
        if id_ not in self.by_id and _withdraws(entry) and id_.number <= self._used_before[id_.author]:
            unused = Event(id_.author, _OWN, entry.body, -1, Slot(0), id_.number, EventState.NOT_CREATED)
            self.by_id[id_] = unused
        return self.by_id.get(id_)

    def _event_of(self, entry: Entry) -> Event:
        """E1: the event that an entry carries, or withdraws (E5), has this number durably."""
        event = self._known(entry)
        if event is None or (event.body != entry.body and not _withdraws(entry)):
            violate("E1", f"{entry} is not an event of its author", site=entry.author)
        if _withdraws(entry) and event.said is None:
            violate("E1", f"{entry} withdraws an event that was never recorded", site=entry.author)
        return event

    def in_effect(self, slot: Slot, entry: Entry) -> None:
        """The chosen log reached a slot, and its entry takes effect."""
        event = self._event_of(entry)
        if event.slot is not None or event.withdrawn is not None:
            violate("E1", f"{entry.id} takes effect, but did so already at {event.slot or event.withdrawn}", slot=slot)
        if slot <= event.above:
            told = f"{entry.id} takes effect, but was submitted only after slot {event.above} was acknowledged"
            violate("E4", told, slot=slot, site=event.site)
        last = self._last_in_effect.get(event.site)
        if last is not None and last.order > event.order and event.token != _OWN:
            violate("E3", f"{entry.id} takes effect after one that was submitted later", slot=slot, site=event.site)
        if event.token != _OWN:
            self._last_in_effect[event.site] = event
        if _withdraws(entry):
            event.withdrawn = slot
            return
        for said in () if event.reopened else (event.said, event.told):
            if said in (EventState.LOST, EventState.NOT_CREATED):
                violate("E2", f"{entry.id} takes effect, but was said to be {said}", slot=slot, site=event.site)
        event.slot = slot

    def numbered(self, site: SiteId, saw: SawNumbered, image: Image) -> None:
        """The numbers of events are told to who submitted them, after the commit that they rest on."""
        for number, event in enumerate(self.by_token[saw.token], start=saw.first.number):
            row = image.events.get(number)
            if row is None or row.body != event.body:
                told = f"{saw.first.author}/{number} is reported as given out, but its author's disk has no such event"
                violate("D1", told, site=site)

    def told(self, site: SiteId, saw: SawOutcome, image: Image, prefix: Slot) -> list[Event]:
        """Outcomes are told, after the commit that they rest on, by a process that has learned the log through
        `prefix`. Returns the events, with what was told of them before."""
        if saw.token is not None:
            events = self.by_token[saw.token][saw.offset : saw.offset + saw.count]
        else:
            numbers = () if saw.id is None else range(saw.id.number, saw.id.number + saw.count)
            known = (self.by_id.get(EventId(site, number)) for number in numbers)
            events = [event for event in known if event is not None]
        if not events or len(events) != saw.count:
            violate("E2", f"an outcome is reported that is of no known event: {saw}", slot=saw.slot, site=site)
        for place, event in enumerate(events):
            slot = None if saw.slot is None else Slot(saw.slot + place)
            if saw.id is not None:
                id_ = EventId(site, saw.id.number + place)
                self._is_durable(id_, event, saw.outcome, image)
            else:
                id_ = None
            self._told(id_, event, saw.outcome, slot, prefix)
        return events

    def _is_durable(self, id_: EventId, event: Event, outcome: EventState, image: Image) -> None:
        row = image.events.get(id_.number)
        is_of_it = row is not None and row.body == event.body
        must_say = outcome in (EventState.LOST, EventState.NOT_CREATED)
        if row is None or not is_of_it or (must_say and row.state is not outcome):
            told = f"{id_} is reported {outcome}, but its author's disk says {row or 'nothing'}"
            violate("D1", told, slot=None if row is None else row.slot, site=id_.author)

    def _told(self, id_: EventId | None, event: Event, outcome: EventState, slot: Slot | None, prefix: Slot) -> None:
        site = event.site
        if event.reopened:
            return
        if event.told in FINAL:
            violate("E2", f"{id_} was reported {event.told}, and is now reported {outcome}", slot=slot, site=site)
        if event.told is EventState.UNKNOWN and outcome is EventState.UNKNOWN:
            violate("E2", f"{id_} is reported unknown twice", slot=slot, site=site)
        match outcome:
            case EventState.CREATED:
                assert id_ is not None
                self._created(id_, event, slot, prefix)
                self.acknowledged = max(self.acknowledged, slot or Slot(0))
            case EventState.LOST | EventState.NOT_CREATED:
                if event.slot is not None:
                    violate("E2", f"{id_} is reported {outcome}, but it is in effect", slot=event.slot, site=site)
            case EventState.UNKNOWN:
                pass
            case EventState.QUEUED | EventState.PROPOSED:
                violate("E2", f"{id_} is reported {outcome}, which is not an outcome", slot=slot, site=site)


def _is_read(site: SiteId, row: EventRow) -> None:
    """W5: what becomes durable can be read at the next start."""
    try:
        decode(row.body)
    except BadOperation as bad:
        violate("W5", f"{site}/{row.number} becomes durable, but no site can read it: {bad}", slot=row.slot, site=site)


def _goes_on(event: Event, entry: Entry) -> bool:
    """M6: it takes the number of an event that is nowhere, so that the numbers go on above."""
    return _withdraws(entry) and event.said in (EventState.LOST, EventState.NOT_CREATED)


def _withdraws(entry: Entry) -> bool:
    return entry.body.startswith("withdrawal ")
