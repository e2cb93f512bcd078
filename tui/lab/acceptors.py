"""The acceptors' variables as a table: of one slot at all sites, or of the log, a row for each slot.

Rules that hold here:
- The names are the paper's: maxPrepare, accNum, accVal; what is not there is `--`.
- What the step that is shown changed stands out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.entry import (
    Add,
    AddLearner,
    Block,
    Entry,
    Move,
    Promote,
    Readmit,
    Remove,
    Tweet,
    Unblock,
    Withdrawal,
    decode,
)
from engine.core.ids import Ballot, SiteId, Slot
from tui.lab.ballots import lab_ballots
from tui.lab.frame import Acceptor, Frame, SiteState
from tui.rows import Part, Role, Row, fitted, width_of

NOTHING: Final = "--"
EMPTY: Final = Acceptor(None, None, None, None)
_NAME_MAX: Final = 10
_BALLOT_WIDTH: Final = 10
_NUMBER_WIDTH: Final = 7
_VALUE_MIN: Final = 5
_VALUE_MAX: Final = 30
_STATE_MIN: Final = 7
_STATE_MAX: Final = 18
_VARIABLES: Final = ("maxPrepare", "accNum", "accVal", "learned")
_SHORT: Final = {"does not vote": "no vote"}
_USUAL: Final = (Role.PLAIN, Role.PLAIN, Role.PLAIN, Role.GOOD)
_SLOT_WIDTH: Final = 6


def slots_of(frame: Frame) -> list[Slot]:
    """Every slot of which a site holds anything."""
    return sorted({slot for site in frame.sites for slot in site.acceptors} | set(frame.chosen))


def value(entry: Entry | None) -> str:
    """What an entry says, as short as can be: `"X"`, `block s2`, `no-op`."""
    if entry is None:
        return NOTHING
    if entry.author is None:
        return "no-op"
    match decode(entry.body).operation:
        case Tweet(text):
            return f'"{text}"'
        case Block(target):
            return f"block {target}"
        case Unblock(target):
            return f"unblock {target}"
        case Withdrawal():
            return "withdrawal"
        case Readmit(site):
            return f"readmit {site}"
        case Add(site) | AddLearner(site):
            return f"add {site}"
        case Promote(site):
            return f"promote {site}"
        case Remove(site):
            return f"remove {site}"
        case Move(site):
            return f"move {site}"


@dataclass(frozen=True, slots=True)
class _Columns:
    """Of the table of a slot: the cells of a name, of what is said of the site, and of each variable."""

    name: int
    state: int
    variables: tuple[int, ...]


def _columns(names: tuple[SiteId, ...], width: int) -> _Columns:
    name = max(len("site"), min(max(map(len, names)), _NAME_MAX))
    left = width - name - _BALLOT_WIDTH - _NUMBER_WIDTH - 5
    state = max(_STATE_MIN, min(_STATE_MAX, left - 2 * _VALUE_MIN - 2 * _STATE_MIN))
    accepted = max(_VALUE_MIN, min(_VALUE_MAX, (left - state) // 2))
    learned = max(_VALUE_MIN, min(_VALUE_MAX, left - state - accepted))
    return _Columns(name, state, (_BALLOT_WIDTH, _NUMBER_WIDTH, accepted, learned))


def slot_table(
    frame: Frame, before: Frame | None, names: tuple[SiteId, ...], slot: Slot, width: int
) -> tuple[Row, list[Row]]:
    """The head, and a row for each site."""
    columns = _columns(names, width)
    head = " ".join(fitted(word, cells) for word, cells in zip(_VARIABLES, columns.variables, strict=True))
    top = (Part(f"{'site':<{columns.name + 1}}{'':<{columns.state}}{head}", Role.DIM),)
    was = {} if before is None else {site.site: site.acceptors.get(slot, EMPTY) for site in before.sites}
    rows = []
    for site in frame.sites:
        now = site.acceptors.get(slot, EMPTY)
        rows.append(_site_row(site, now, was.get(site.site, now), names, columns))
    return top, rows


def _site_row(site: SiteState, now: Acceptor, was: Acceptor, names: tuple[SiteId, ...], columns: _Columns) -> Row:
    said, role = state_words(site)
    if len(said) > columns.state:
        said = _SHORT.get(said, said)
    parts = [Part(f"{fitted(site.site, columns.name)} ", Role.STRONG), Part(fitted(said, columns.state), role)]
    shown = zip(_variables(now, names), _variables(was, names), columns.variables, _USUAL, strict=True)
    for text, before, cells, usual in shown:
        role = Role.HIT if text != before else Role.DIM if text == NOTHING else usual
        cut_text = fitted(text, cells).rstrip()
        parts += [Part(cut_text, role), Part(" " * (cells - width_of(cut_text) + 1))]
    return tuple(parts[:-1])


def _variables(acceptor: Acceptor, names: tuple[SiteId, ...]) -> tuple[str, ...]:
    numbers = (_number(each, names) for each in (acceptor.max_prepare, acceptor.acc_num))
    return (*numbers, value(acceptor.acc_val), value(acceptor.learned))


def _number(ballot: Ballot | None, names: tuple[SiteId, ...]) -> str:
    return NOTHING if ballot is None else lab_ballots(names).ballot(ballot)


def state_words(site: SiteState) -> tuple[str, Role]:
    """What is to be said of a site, beside its name."""
    if site.why:
        return site.why, Role.BAD if not site.is_up else Role.WARN
    if not site.is_up:
        return "down", Role.BAD
    return ("leads", Role.NOTE) if site.leader == site.site else ("", Role.DIM)


def log_head(names: tuple[SiteId, ...], width: int) -> Row:
    chosen, cells = _log_columns(names, width)
    head = "".join(fitted(name, cells) for name in names)
    return (Part(f"{'slot':<{_SLOT_WIDTH}}{'chosen':<{chosen}} {head}", Role.DIM),)


def log_row(frame: Frame, names: tuple[SiteId, ...], slot: Slot, width: int) -> Row:
    """What each site holds of a slot."""
    chosen, cells = _log_columns(names, width)
    said = value(frame.chosen.get(slot))
    parts = [
        Part(f"{slot:<{_SLOT_WIDTH}}"),
        Part(fitted(said, chosen), Role.DIM if said == NOTHING else Role.GOOD),
        Part(" "),
    ]
    for site in frame.sites:
        text, role = _cell(site.acceptors.get(slot, EMPTY), names)
        parts.append(Part(f"{fitted(text, cells - 1)} ", role))
    return tuple(parts)


def _log_columns(names: tuple[SiteId, ...], width: int) -> tuple[int, int]:
    """The cells of what is chosen, and of each site."""
    chosen = max(10, min(24, width // 4))
    return chosen, max(6, min(16, (width - _SLOT_WIDTH - chosen - 1) // max(1, len(names))))


def _cell(acceptor: Acceptor, names: tuple[SiteId, ...]) -> tuple[str, Role]:
    """The furthest that a site has come with a slot."""
    if acceptor.learned is not None:
        return f"■ {value(acceptor.learned)}", Role.GOOD
    if acceptor.acc_num is not None:
        return f"◧ {_number(acceptor.acc_num, names)}", Role.NOTE
    if acceptor.max_prepare is not None:
        return f"◇ {_number(acceptor.max_prepare, names)}", Role.PLAIN
    return "·", Role.DIM
