"""A slot's biography as the engine tells it (docs/control.md)."""

from __future__ import annotations

from dataclasses import dataclass

from tui.site.shapes import EntryShape, Json, entry_shape, key


@dataclass(frozen=True, slots=True)
class SiteAccount:
    """A site's part in a biography; None is what is not known."""

    site: str
    answered: bool
    voting: bool | None
    max_prepare: str | None
    acc_num: str | None
    learned: bool | None
    learned_at: str | None
    learned_how: str | None
    learned_from: str | None


@dataclass(frozen=True, slots=True)
class BallotAccount:
    ballot: str
    promised: tuple[str, ...]
    accepted: tuple[str, ...]
    chosen: bool
    entry: EntryShape | None


@dataclass(frozen=True, slots=True)
class SlotQuorum:
    """The sites that chose at `ballot`; `counted_by` is who counted them, None where their own variables tell it."""

    ballot: str
    sites: tuple[str, ...]
    counted_by: str | None


@dataclass(frozen=True, slots=True)
class Biography:
    """What the sites that answered know of a slot."""

    state: str
    may_be_chosen: bool
    sentence: str
    quorum: SlotQuorum | None
    sites: tuple[SiteAccount, ...]
    ballots: tuple[BallotAccount, ...]


def biography(raw: Json) -> Biography:
    quorum = key(raw, "quorum")
    return Biography(
        state=key(raw, "state"),
        may_be_chosen=key(raw, "may_be_chosen"),
        sentence=key(raw, "sentence"),
        quorum=None
        if quorum is None
        else SlotQuorum(key(quorum, "ballot"), tuple(key(quorum, "sites")), key(quorum, "counted_by")),
        sites=tuple(map(_site_account, key(raw, "sites"))),
        ballots=tuple(
            BallotAccount(
                key(ballot, "ballot"),
                tuple(key(ballot, "promised")),
                tuple(key(ballot, "accepted")),
                key(ballot, "chosen"),
                entry_shape(key(ballot, "entry")),
            )
            for ballot in key(raw, "ballots")
        ),
    )


def _site_account(raw: Json) -> SiteAccount:
    return SiteAccount(
        site=key(raw, "site"),
        answered=key(raw, "answered"),
        voting=key(raw, "voting"),
        max_prepare=key(raw, "maxPrepare"),
        acc_num=key(raw, "accNum"),
        learned=key(raw, "learned"),
        learned_at=key(raw, "learned_at"),
        learned_how=key(raw, "learned_how"),
        learned_from=key(raw, "learned_from"),
    )
