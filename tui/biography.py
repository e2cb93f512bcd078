"""When and how a site came to know what was chosen, in words: of a slot's biography."""

from __future__ import annotations

from collections.abc import Callable

from engine.contract.answers import SiteAccount
from engine.core.messages import How
from tui.parts import Part, Role


def learned(site: SiteAccount, here: str, clock: Callable[[str], str]) -> Part:
    """`12:00:01.250 by bob`, who told it, or `counted` of its own; `clock` says a time as there is room for it. What
    another site than `here` says of a time is as old as its answer was on its way: that is about then."""
    if not site.answered:
        return Part("did not answer", Role.WARN)
    voteless = "" if site.voting else "; does not vote"
    if not site.learned:
        return Part(f"not yet{voteless}", Role.NOTE)
    if site.learned_at is None:
        return Part(f"yes, time unknown{voteless}", Role.GOOD)
    about = "" if site.site == here else "~"
    return Part(f"{about}{clock(site.learned_at)} {_how(site)}{voteless}", Role.GOOD)


def _how(site: SiteAccount) -> str:
    match site.learned_how:
        case How.VOTES:
            return "counted"
        case How.CHOSEN:
            return f"by {site.learned_from}"
        case _:
            return f"from {site.learned_from}"
