"""Spans, held against a dict that says of each slot by itself what is so of it."""

from __future__ import annotations

from copy import copy
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.core.ids import Slot
from engine.core.run import joined, spans_of
from engine.core.spans import Part, Spans

TOP = 24
SLOTS = st.integers(1, TOP)


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    first = draw(SLOTS)
    return first, draw(st.integers(first, TOP))


def cut(value: tuple[str, ...], skip: int, count: int) -> tuple[str, ...]:
    assert skip >= 0
    assert 0 < count < len(value) - skip + 1, "no part is empty, or longer than what it is of"
    return value[skip : skip + count]


def by_slot(parts: list[Part[tuple[str, ...]]]) -> dict[int, str]:
    """What parts say, slot by slot. They are disjoint and ascending."""
    assert all(one.last < other.first for one, other in pairwise(parts))
    assert all(len(part.value) == part.last - part.first + 1 for part in parts)
    return {slot: value for part in parts for slot, value in enumerate(part.value, part.first)}


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.spans: Spans[tuple[str, ...]] = Spans(cut)
        self.model: dict[int, str] = {}
        self.put_count = 0

    def within(self, first: int, last: int) -> dict[int, str]:
        return {slot: value for slot, value in self.model.items() if first <= slot <= last}

    @rule(span=spans())
    def put(self, span: tuple[int, int]) -> None:
        self.put_count += 1
        values = {slot: f"{self.put_count}.{slot}" for slot in range(span[0], span[1] + 1)}
        self.spans.put(*span, tuple(values.values()))
        self.model |= values

    @rule(span=spans())
    def remove(self, span: tuple[int, int]) -> None:
        assert by_slot(self.spans.remove(*span)) == self.within(*span)
        for slot in range(span[0], span[1] + 1):
            self.model.pop(slot, None)

    @rule(span=spans())
    def put_back(self, span: tuple[int, int]) -> None:
        """As it is done while one walks through what `over` returned."""
        for part in self.spans.over(*span):
            self.spans.put(*part)

    @rule(span=spans())
    def over(self, span: tuple[int, int]) -> None:
        assert by_slot(self.spans.over(*span)) == self.within(*span)
        assert by_slot(self.spans.over(span[0], None)) == self.within(span[0], TOP)

    @rule(span=spans())
    def parts(self, span: tuple[int, int]) -> None:
        """They cover it all; None is what is so of slots that are in no span."""
        first, last = Slot(span[0]), Slot(span[1])
        parts = list(self.spans.parts(first, last))
        assert [slot for part in parts for slot in range(part.first, part.last + 1)] == list(range(first, last + 1))
        held = [Part(part.first, part.last, part.value) for part in parts if part.value is not None]
        assert by_slot(held) == self.within(*span)

    @rule(slot=SLOTS)
    def at(self, slot: int) -> None:
        part = self.spans.at(slot)
        assert (part is None) == (slot not in self.model)
        value = self.spans.get(slot)
        assert value == (None if part is None else (self.model[slot],))
        if part is not None:
            assert by_slot([part])[slot] == self.model[slot]

    @invariant()
    def is_what_the_model_says(self) -> None:
        parts = list(self.spans)
        assert by_slot(parts) == self.model
        assert list(reversed(self.spans)) == parts[::-1]
        assert len(self.spans) == len(parts)
        assert self.spans.slots_count == len(self.model)
        assert self.spans.last == max(self.model, default=None)

    @invariant()
    def a_copy_goes_its_own_way(self) -> None:
        other = copy(self.spans)
        other.put(1, TOP, ("other",) * TOP)
        assert by_slot(list(self.spans)) == self.model


TestSpans = Model.TestCase
TestSpans.settings = settings(max_examples=60, stateful_step_count=25)


@given(st.sets(st.integers(1, 40)))
def test_spans_are_the_slots_in_as_few_pairs_as_possible(slots: set[int]) -> None:
    pairs = spans_of(Slot(slot) for slot in sorted(slots))
    assert [slot for first, last in pairs for slot in range(first, last + 1)] == sorted(slots)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(pairs))
    assert joined(pairs) == pairs
