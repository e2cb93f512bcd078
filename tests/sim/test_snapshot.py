"""The value of an object of the core: what it holds counts, what it said to people does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.synod.proposer import Rounds
from engine.sim.proving.exhaustive.snapshot import frozen


@dataclass(slots=True)
class _Held:
    slots: dict[Slot, set[SiteId]] = field(default_factory=dict)
    why: str = ""
    chance: Random = field(default_factory=Random)


def test_what_an_object_holds_counts_in_any_order_of_sets_and_dicts() -> None:
    one = _Held({Slot(1): {SiteId("x"), SiteId("y")}, Slot(2): set()})
    other = _Held({Slot(2): set(), Slot(1): {SiteId("y"), SiteId("x")}})
    assert frozen(one) == frozen(other)
    other.slots[Slot(2)].add(SiteId("x"))
    assert frozen(one) != frozen(other)


def test_words_for_people_and_chance_do_not_count() -> None:
    assert frozen(_Held(why="refused", chance=Random(1))) == frozen(_Held(why="asks", chance=Random(2)))


def test_an_object_of_a_plain_class_is_what_its_attributes_are() -> None:
    rounds = Rounds(SiteId("p"), Round(1))
    assert frozen(rounds) == frozen(Rounds(SiteId("p"), Round(1)))
    rounds.saw(Ballot(Round(2), SiteId("q")))
    assert frozen(rounds) != frozen(Rounds(SiteId("p"), Round(1)))
