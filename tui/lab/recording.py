"""Recordings of real sites, read: one file each, as values of the core.

Rules that hold here:
- A file is read to its last whole line. What follows that, and an end that is missing, is said and is no error.
- A line that is none of a recording, anywhere before the last one, refuses the file: nothing after it could be
  believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.contract import answers, notifications
from engine.contract.answers import Direction
from engine.contract.notifications import DatagramName, RecordFate, RecordLine, SaidLine, SlotLine
from engine.core.entry import (
    MEMBERSHIP,
    NOOP,
    BadOperation,
    Block,
    Entry,
    Kind,
    Operation,
    Tweet,
    Unblock,
    Withdrawal,
    decode,
    encode,
    stamped,
)
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.storage import RangePromise
from tui import recording
from tui.lab.frame import Acceptor
from tui.recording import End, Gap, Header, NotARecording, RecordedLine
from tui.typed_words import typed_path

_HEADER_BYTES_MAX: Final = 65_536


class BadRecording(ValueError):
    """A file, or files together, that cannot be shown. The message names the file, and says what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a commit made durable; `ranges` None: as before."""

    slots: tuple[tuple[Slot, Acceptor], ...]
    ranges: tuple[RangePromise, ...] | None


@dataclass(frozen=True, slots=True)
class Left:
    """A datagram, or several with the messages of one packet, left for `to`; with a `fate` not at all, or not yet.

    `first` and `last` name the datagrams, None where none left.
    """

    to: SiteId
    first: DatagramName | None
    last: DatagramName | None
    flight: int | None
    fate: RecordFate | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Came:
    """A datagram came from `sender`; where `fate` is set it was not taken, or not yet."""

    sender: SiteId
    name: DatagramName
    flight: int | None
    fate: RecordFate | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A conclusion."""

    line: Line


@dataclass(frozen=True, slots=True)
class Began:
    """The recording of another process of the site begins, after that of an earlier one."""

    header: Header


Event = Kept | Left | Came | Told | Gap | End | Began


@dataclass(frozen=True, slots=True)
class Recorded:
    """Line `number` of a file. `at_ms` is the site's own clock; `heard` names, for other sites, a datagram that had
    come by then."""

    file: str
    number: int
    at_ms: int
    turn: int
    event: Event
    heard: tuple[tuple[SiteId, DatagramName], ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """What one site recorded; `name` is what its file is called, or its files. `cut_off`: it ends within a line."""

    name: str
    header: Header
    lines: tuple[Recorded, ...]
    cut_off: bool

    @property
    def site(self) -> SiteId:
        return SiteId(self.header.site)

    @property
    def process(self) -> tuple[str, int]:
        """What tells the processes of one site apart."""
        return self.header.since, self.header.pid

    @property
    def salts(self) -> frozenset[str]:
        """Under which its datagrams left."""
        sent = (line.event for line in self.lines if isinstance(line.event, Left))
        return frozenset(name.salt for left in sent for name in (left.first, left.last) if name is not None)

    def then(self, later: Recording) -> Recording:
        """This one, and that of a later process of the same site."""
        # What was kept for its recorder is older than the header.
        at_ms = later.lines[0].at_ms if later.lines else at_ms_of(later.header.at)
        began = Recorded(later.name, 1, at_ms, 0, Began(later.header), ())
        lines = (*self.lines, began, *later.lines)
        return Recording(f"{self.name}, {later.name}", self.header, lines, later.cut_off)


def recordings_of(words: Sequence[str]) -> list[Recording] | None:
    """The recordings in these files; None where none of them is one. Raises BadRecording."""
    paths = [typed_path(word) for word in words]
    others = [path for path in paths if not _is_recording(path)]
    if len(others) == len(paths):
        return None
    if others:
        raise BadRecording(f"{others[0]} is not a recording, but others here are: open only recordings together")
    try:
        called = Counter(path.name for path in paths)
        return [parsed(path.name if called[path.name] == 1 else str(path), path.read_bytes()) for path in paths]
    except OSError as error:
        raise BadRecording(f"{error.filename} cannot be read ({error.strerror})") from None


def _is_recording(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return recording.is_recording(file.readline(_HEADER_BYTES_MAX))
    except (OSError, ValueError):
        return False


def parsed(name: str, text: bytes) -> Recording:
    """The recording in a file's text. Raises BadRecording."""
    *whole, rest = text.split(b"\n")
    if not whole:
        raise BadRecording(f"{name} has no complete line: nothing was recorded in it")
    try:
        header = recording.header(whole[0])
    except NotARecording as wrong:
        raise BadRecording(f"{name}: {wrong}") from None
    if header.site not in header.sites:
        raise BadRecording(f"{name}: {header.site} is not one of its cluster's sites, {', '.join(header.sites)}")
    return Recording(name, header, tuple(_lines(name, whole[1:])), bool(rest))


def of_lines(name: str, header: Header, lines: Iterable[RecordedLine]) -> Recording:
    """The same of lines that are parsed already. Raises BadRecording."""
    return Recording(name, header, tuple(_values(name, lines)), cut_off=False)


def _lines(name: str, texts: list[bytes]) -> Iterable[Recorded]:
    return _values(name, (_parsed_line(name, number, text) for number, text in enumerate(texts, 2)))


def _parsed_line(name: str, number: int, text: bytes) -> RecordedLine:
    try:
        return recording.recorded_line(text)
    except NotARecording as wrong:
        raise BadRecording(
            f"{name}, line {number}, does not belong in a recording ({wrong}): the file was changed"
        ) from None


def _values(name: str, lines: Iterable[RecordedLine]) -> Iterable[Recorded]:
    at_ms = turn = 0
    for number, line in enumerate(lines, 2):
        match line:
            case RecordLine():
                try:
                    at_ms, turn = at_ms_of(line.at), line.turn
                    heard = tuple((SiteId(site), named) for site, named in line.heard.items())
                    yield Recorded(name, number, at_ms, turn, _event(line), heard)
                except (ValueError, KeyError) as wrong:
                    raise BadRecording(
                        f"{name}, line {number}: {wrong or 'a field of its kind is missing'}: the file was changed, or"
                        " is of a later version of loggos"
                    ) from None
            case Gap() | End():
                yield Recorded(name, number, at_ms, turn, line, ())


def _event(line: RecordLine) -> Event:
    match line.dir, line.peer:
        case Direction.OUT, str(peer):
            first, last = line.sent or (None, None)
            return Left(SiteId(peer), first, last, line.flight, _fate(line.fate), _said(line.lines))
        case Direction.IN, str(peer):
            if line.came is None:
                raise ValueError("a datagram that came has a name")
            return Came(SiteId(peer), line.came, line.flight, _fate(line.fate), _said(line.lines))
        case Direction.SELF, _:
            (told,) = _said(line.lines)
            return Told(told)
        case Direction.KEPT, _:
            ranges = line.ranges
            return Kept(
                tuple((Slot(slot.slot), _acceptor(slot)) for slot in line.slots),
                None if ranges is None else tuple(_range(each) for each in ranges),
            )
        case other, _:
            raise ValueError(f"nothing is known of {other!r}")


def _fate(word: str | None) -> RecordFate | None:
    return None if word is None else RecordFate(word)


def _said(lines: tuple[SaidLine, ...]) -> tuple[Line, ...]:
    return tuple(Line(one.type, _slot(one.slot), _ballot(one.ballot), one.note) for one in lines)


def _slot(number: int | None) -> Slot | None:
    return None if number is None else Slot(number)


def _ballot(text: str | None) -> Ballot | None:
    if text is None:
        return None
    number, dot, site = text.partition(".")
    if not dot or not number.isascii() or not number.isdigit():
        raise ValueError(f"{text!r} is no ballot")
    return Ballot(Round(int(number)), SiteId(site))


def _range(line: notifications.RangeLine) -> RangePromise:
    ballot = _ballot(line.ballot)
    assert ballot is not None, "it was a string"
    return RangePromise(Slot(line.first), _slot(line.last), ballot)


def _acceptor(line: SlotLine) -> Acceptor:
    return Acceptor(_ballot(line.max_prepare), _ballot(line.acc_num), _entry(line.acc_val), _entry(line.learned))


def _entry(told: answers.Entry | None) -> Entry | None:
    """As far as the contract tells of it: the clock of its author is not in it."""
    if told is None:
        return None
    if told.author is None:
        return NOOP
    number = int((told.id or "").rpartition("/")[2])
    try:
        return Entry(SiteId(told.author), number, max(0, number - 1), encode(stamped(_operation(told), 0)))
    except BadOperation as bad:
        raise ValueError(str(bad)) from None


def _operation(told: answers.Entry) -> Operation:
    match told.kind:
        case Kind.TWEET:
            return Tweet(told.text or "")
        case Kind.BLOCK:
            return Block(SiteId(told.target or ""))
        case Kind.UNBLOCK:
            return Unblock(SiteId(told.target or ""))
        case Kind.WITHDRAWAL:
            return Withdrawal()
        case kind if kind in MEMBERSHIP:
            return decode(" ".join(filter(None, (kind, "0", told.target, told.text)))).operation
        case other:
            raise ValueError(f"nothing is known of an entry of the kind {other!r}")


def at_ms_of(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)
