"""A slot's biography as rows: the sentence, a line for each site, the ballots in order, the quorum that chose.

Rules that hold here:
- What nobody knows any more, and what a site that did not answer knows, is `--` or said to be unknown.
- Of a ballot those promises and acceptances are told that are known of: a site's variables tell its highest ballot
  alone, and accepting a ballot hides whether it was promised before.
- No text of a user stands here: an entry is told by its id and kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.contract.answers import Biography, SiteAccount
from engine.core.explained.biography import Progress
from tui import biography, entries
from tui.rows import Part, Role, Row, fitted, row, wrapped
from tui.times import clock_ms

BLANK: Final = "--"
NAME_MAX: Final = 16
BALLOT_MAX: Final = 12

_GOOD: Final[frozenset[str]] = frozenset({Progress.LEARNED, Progress.CHOSEN})


def biography_rows(told: Biography, here: str, width: int) -> list[Row]:
    role = Role.GOOD if told.state in _GOOD else Role.WARN if told.may_be_chosen else Role.NOTE
    return [
        *wrapped(row((told.sentence, role)), width, indent=2),
        *_sites(told.sites, here, width),
        *_ballots(told, width),
        *_quorum(told, width),
    ]


def _sites(sites: Sequence[SiteAccount], here: str, width: int) -> list[Row]:
    names = min(NAME_MAX, max(len(site.site) for site in sites))
    ballots = [each or BLANK for site in sites for each in (site.max_prepare, site.acc_num)]
    numbers = max(len("maxPrepare"), min(BALLOT_MAX, max(map(len, ballots))))
    head = f"{fitted('site', names)} {fitted('maxPrepare', numbers)} {fitted('accNum', numbers)} learned"
    lines = [row((fitted(head, width), Role.DIM))]
    for site in sites:
        said = (
            (f"{fitted(site.site, names)} ", Role.STRONG if site.answered else Role.DIM),
            f"{fitted(site.max_prepare or BLANK, numbers)} {fitted(site.acc_num or BLANK, numbers)} ",
            biography.learned(site, here, clock_ms),
        )
        lines += wrapped(row(*said), width, indent=names + 1)
    return lines


def _ballots(told: Biography, width: int) -> list[Row]:
    lines: list[Row] = []
    for ballot in told.ballots:
        parts = [Part(f"ballot {ballot.ballot}  ", Role.STRONG)]
        if ballot.promised:
            parts += [Part("known promises: ", Role.DIM), Part(f"{' '.join(ballot.promised)}  ")]
        if ballot.accepted:
            parts += [Part("accepted: ", Role.DIM), Part(f"{' '.join(ballot.accepted)}  ")]
        if ballot.entry is not None:
            parts.append(Part(f"{entries.name(ballot.entry)}  ", Role.NOTE))
        if ballot.chosen:
            parts.append(Part("chosen", Role.GOOD))
        lines += wrapped(tuple(parts), width, indent=2)
    return lines


def _quorum(told: Biography, width: int) -> list[Row]:
    quorum = told.quorum
    if quorum is None:
        return []
    parts = [Part(f"quorum of {quorum.ballot}  ", Role.DIM)]
    for site in told.sites:
        voted = site.site in quorum.sites
        parts += [Part(f"{site.site} "), Part("✓  ", Role.GOOD) if voted else Part("-  ", Role.DIM)]
    parts.append(Part(f" {len(quorum.sites)} of {len(told.sites)}", Role.STRONG))
    if quorum.counted_by is not None:
        parts.append(Part(f", counted by {quorum.counted_by}", Role.DIM))
    return wrapped(tuple(parts), width, indent=2)
