"""What may take longest begins first, at half of the workers."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dealing import dealt


class Worker:
    """As xdist's scheduler sees one."""

    shutting_down = False

    def __init__(self, number: int) -> None:
        self.gateway = SimpleNamespace(id=f"gw{number}")
        self.given: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given += indices


def given_by_xdist(tests: list[str], workers: int) -> list[list[str]]:
    """What each worker is given at the start, in its order."""
    config = SimpleNamespace(getvalue=lambda _name: ["popen"] * workers)
    nodes = [Worker(number) for number in range(workers)]
    schedule: Any = import_module("xdist.scheduler").WorkStealingScheduling(config)  # xdist has no types
    for node in nodes:
        schedule.add_node(node)
        schedule.add_node_collection(node, tests)
    schedule.schedule()
    return [[tests[index] for index in node.given] for node in nodes]


@pytest.mark.parametrize("workers", [2, 5, 6])
def test_half_of_the_workers_begin_with_what_takes_longest(workers: int) -> None:
    longest = [f"long {number}" for number in range(40)]
    others = [f"other {number}" for number in range(400)]
    hands = workers // 2
    for worker, tests in enumerate(given_by_xdist(dealt(longest, others, workers), workers)):
        expected = longest[worker::hands] if worker < hands else []
        assert [test for test in tests if test in longest] == tests[: len(expected)] == expected


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12))
def test_each_test_is_there_once(longest: int, others: int, workers: int) -> None:
    numbers = range(longest + others)
    assert sorted(dealt(numbers[:longest], numbers[longest:], workers)) == list(numbers)
