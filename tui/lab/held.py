"""Which messages were held after each step, kept once: a message is held from one step to another.

Rules that hold here:
- Steps are told in ascending order. What is held stands in the order in which it came to be.
- Of all steps, the list of the one that was looked at last is kept: one frame is shown at a time. It is made anew when
  more is told of that step: what is done where nothing happens any more takes the place of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from tui.lab.frame import Flight


@dataclass(slots=True)
class _Stay:
    flight: Flight
    since: int
    until: int | None = None

    def is_over(self, step: int) -> bool:
        return self.until is not None and self.until <= step


class HeldFlights:
    def __init__(self) -> None:
        self._stays: list[_Stay] = []
        self._open: dict[int, _Stay] = {}
        self._shown: tuple[int, tuple[Flight, ...]] = (-1, ())

    @property
    def count(self) -> int:
        """How many are held now."""
        return len(self._open)

    def begins(self, step: int, key: int, flight: Flight) -> None:
        """Without effect where it is held already."""
        if key not in self._open:
            stay = self._open[key] = _Stay(flight, step)
            self._stays.append(stay)
            self._look_again(step)

    def ends(self, step: int, key: int) -> None:
        """Without effect where it is not held."""
        stay = self._open.pop(key, None)
        if stay is not None:
            stay.until = step
            self._look_again(step)

    def _look_again(self, step: int) -> None:
        if self._shown[0] >= step:
            self._shown = (-1, ())

    def after(self, step: int) -> tuple[Flight, ...]:
        shown, flights = self._shown
        if shown != step:
            stays = self._stays
            flights = tuple(each.flight for each in stays if each.since <= step and not each.is_over(step))
            self._shown = (step, flights)
        return flights


class Flights(Sequence[Flight]):
    """What is under way after a step: what arrives by itself first, then what is held."""

    __slots__ = ("_count", "_flying", "_held", "_step")

    def __init__(self, flying: tuple[Flight, ...], held: HeldFlights, step: int) -> None:
        self._flying = flying
        self._held = held
        self._count = len(flying) + held.count
        self._step = step

    def _all(self) -> tuple[Flight, ...]:
        return self._flying + self._held.after(self._step)

    @overload
    def __getitem__(self, index: int) -> Flight: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Flight, ...]: ...

    def __getitem__(self, index: int | slice) -> Flight | tuple[Flight, ...]:
        if isinstance(index, int) and 0 <= index < self._count:
            own = len(self._flying)
            return self._flying[index] if index < own else self._held.after(self._step)[index - own]
        return self._all()[index]

    def __iter__(self) -> Iterator[Flight]:
        return iter(self._all())

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flights) and self._all() == other._all()

    __hash__ = None  # type: ignore[assignment]
