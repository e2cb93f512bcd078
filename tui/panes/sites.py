"""Pane 5: the sites as seen from here, this site's own standing, and its counters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, NamedTuple, Self

from engine.contract.status import Counters, Peer, Status
from tui import counters, members, standing
from tui.panes.page import Page
from tui.rows import BLANK, Part, Role, Row, fitted, row, wrapped
from tui.site import wording
from tui.site.model import Change, SiteModel

ROOMY: Final = 60
"""From this width on, the table says who votes, and where."""
RTT: Final = 7
STATE: Final = 10
PREFIX: Final = 10
LAST_KNOWN: Final = 20
NAMES: Final = 11


class Columns(NamedTuple):
    """Of the table, in cells; `rtt` is 0 where there is no room for it (the status bar has it too)."""

    name: int
    rtt: int
    address: bool

    @classmethod
    def fitting(cls, name: int, width: int) -> Self:
        return cls(name, RTT if name + STATE + RTT + PREFIX <= width else 0, width >= ROOMY)


class SitesPane(Page):
    ASPECTS: ClassVar = Change.STATUS | Change.CONNECTION

    def __init__(self, model: SiteModel) -> None:
        super().__init__(model, id="sites")

    def title(self) -> str:
        status = self.model.status
        return "5 Sites" if status is None else f"5 Sites · {status.cluster}"

    def write(self, width: int) -> Sequence[Row]:
        status = self.model.status
        if status is None:
            return [BLANK, row(("Nothing heard from the engine yet.", Role.DIM))]
        if self.model.over:
            return self._last_known(status, width)
        return [
            *self._table(status, width),
            BLANK,
            *_standing(status, width),
            BLANK,
            *_counters(status.counters, width),
        ]

    def _last_known(self, status: Status, width: int) -> list[Row]:
        """Nobody tells any more who is up, votes or leads; how far each was stays true as what was heard last."""
        said = f"No engine is connected: {status.site} does not vote, and who is up or leads is not known."
        names = max(map(len, status.sites)) + 1
        lines = [*wrapped(row((said, Role.WARN)), width), BLANK]
        lines.append(row((f"{'':<{names}}{'last known prefix':>{LAST_KNOWN}}", Role.DIM)))
        for site in status.sites:
            peer = status.peers.get(site)
            prefix = status.chosen_through if peer is None else peer.chosen_through
            name = fitted(site + ("*" if site == status.site else ""), names)
            lines.append(row((name, Role.STRONG if site == status.site else Role.PLAIN), _prefix(prefix, LAST_KNOWN)))
        return [*lines, BLANK, *_told(standing.where(status), width)]

    def _table(self, status: Status, width: int) -> list[Row]:
        columns = Columns.fitting(max(map(len, status.sites)) + 1, width)
        rtt, more = "rtt" if columns.rtt else "", "  votes  address" if columns.address else ""
        lines = [row((f"{'':<{columns.name + STATE}}{rtt:>{columns.rtt}}{'prefix':>{PREFIX}}{more}", Role.DIM))]
        for site in status.sites:
            peer = status.peers.get(site)
            if site == status.site or peer is None:
                told = status.chosen_through, None, status.voting, status.udp, 0, None, None, status.standing
                peer = Peer(True, None, *told, None, None)
            lines += self._site(site, peer, columns, site == status.site)
        return lines

    def _site(self, site: str, peer: Peer, columns: Columns, here: bool) -> list[Row]:
        glyph, word, role = ("●", "here", Role.GOOD) if here else standing.mark(peer)
        rtt = "" if peer.rtt_ms is None or not peer.up or not columns.rtt else f"{peer.rtt_ms} ms"
        votes = {True: "yes", False: "no", None: "?"}[peer.voting]
        more = f"  {votes:<5}  {peer.address or ''}" if columns.address else ""
        lines = [
            row(
                (fitted(site + ("*" if here else ""), columns.name) + " ", Role.STRONG if here else Role.PLAIN),
                (f"{glyph} {word:<7}", role),
                (f"{rtt:>{columns.rtt}}{_prefix(peer.chosen_through, PREFIX)}{more}", Role.PLAIN),
            )
        ]
        if peer.file_address is not None:
            lines.append(row((f"{'':<{columns.name}} {peer.file_address} in the sites file", Role.DIM)))
        if not peer.up and not here:
            lines.append(row((f"{'':<{columns.name}} {self._silence(site)}", Role.DIM)))
        return lines

    def _silence(self, site: str) -> str:
        since = self.model.silent_since.get(site)
        return "not heard by this engine yet" if since is None else f"last heard {since:%d %b %H:%M:%S}"


def _prefix(told: int | None, width: int) -> str:
    """A prefix in its column; `?` where the site has not told it since this engine started, for it may be any."""
    return f"{'?' if told is None else format(told, ',')}".rjust(width)


def _standing(status: Status, width: int) -> list[Row]:
    """This site in sentences."""
    lines = [row(f"{status.site} ", ("votes", Role.GOOD))] if status.voting else []
    remedies = standing.remedies(status)
    for trouble, sentence in standing.beside_the_bar(status).items():
        key = f". {wording.remedied(status, remedies[trouble])}" if trouble in remedies else ""
        lines += wrapped(row((f"{sentence}{key}", Role.WARN)), width)
    if status.coming is not None:
        lines += wrapped(row((members.coming(status.coming), Role.NOTE)), width)
    return [*lines, *_told(standing.facts(status), width)]


def _told(facts: Iterable[tuple[str, Part]], width: int) -> list[Row]:
    """A name in its column, and the words beside it."""
    rows = [row((name.ljust(NAMES), Role.DIM), part) for name, part in facts]
    return [line for each in rows for line in wrapped(each, width, indent=NAMES)]


def _counters(counted: Counters, width: int) -> list[Row]:
    """By name; the groups below (rejected datagrams by reason) with their sums."""
    single = counters.single(counted)
    column = max(map(len, single)) + 12
    across = max(1, width // (column + 2))
    cells = [f"{name} {count:,}".ljust(column) for name, count in single.items()]
    lines = [row(("  ".join(cells[at : at + across]).rstrip(), Role.DIM)) for at in range(0, len(cells), across)]
    for name, group in counters.grouped(counted).items():
        lines.append(row(f"{name} {sum(group.values()):,}", ("" if group else " (none)", Role.DIM)))
        lines += [row((f"  {count:>8,}  {reason}", Role.WARN)) for reason, count in group.items()]
    return lines
