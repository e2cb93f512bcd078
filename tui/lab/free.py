"""A new run without a plan: so many sites, and who leads them."""

from __future__ import annotations

from typing import Final

from engine.core.ids import SITES_MAX
from engine.core.settings import Leadership
from engine.sim.scenario.schedule import Schedule
from tui.counted import plural
from tui.lab.tape import free

HINT: Final = "how many sites (1 to 9), then their leadership: 5 none   3 elected   3 none last-author elected"
BEGUN: Final = "5 none"
SEED: Final = 1
_MODES: Final = ", ".join(Leadership)


class BadChoice(ValueError):
    """The message says what to write instead."""


def free_lab(typed: str) -> tuple[str, Schedule]:
    """Its title, and a schedule that does nothing. Raises BadChoice."""
    number, *modes = typed.replace(",", " ").split() or [""]
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= SITES_MAX):
        raise BadChoice(f"first the number of sites, 1 to {SITES_MAX}, as in: {BEGUN}")
    count = int(number)
    modes = modes or [Leadership.NONE.value]
    wrong = next((mode for mode in modes if mode not in set(Leadership)), None)
    if wrong is not None:
        raise BadChoice(f"{wrong!r} is not a leadership: {_MODES}")
    if len(modes) not in {1, count}:
        raise BadChoice(f"one leadership for all, or one for each of the {count} sites, not {len(modes)}")
    leadership = [Leadership(mode) for mode in modes] * (count if len(modes) == 1 else 1)
    return f"free, {plural(count, 'site')}, {' '.join(modes)}", free(leadership, SEED)
