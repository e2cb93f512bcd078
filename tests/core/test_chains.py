"""What a leader takes of an author's events (E1, E3, E5): in the order of their chain, each once at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.entry import NOOP, Entry
from engine.core.ids import SiteId
from engine.core.leading.chains import EARLY_MAX, Chains
from tests.core.stage import BOB, CAROL, tweet


class Log:
    """Which numbers took effect."""

    def __init__(self) -> None:
        self.last: dict[SiteId, int] = {}

    def last_in_effect(self, author: SiteId) -> int:
        return self.last.get(author, 0)

    def apply(self, chains: Chains, entry: Entry) -> bool:
        """Applies it as the state machine does; True where it takes effect."""
        assert entry.author is not None
        effective = entry.follows == self.last_in_effect(entry.author)
        if effective:
            self.last[entry.author] = entry.number
        chains.applied((entry,))
        return effective


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.number for entry in entries]


@given(st.lists(st.integers(1, 6), max_size=40), st.lists(st.booleans(), max_size=40))
def test_e3_e5_however_it_is_handed_on_a_chain_is_taken_in_order_and_each_entry_once(
    handed: list[int], applies: list[bool]
) -> None:
    """Entries come in any order, any number of times, and are applied at any time in between, in the order taken."""
    log = Log()
    chains = Chains(log.last_in_effect)
    taken: list[Entry] = []
    applied = 0
    for number in [*handed, 1, 2, 3, 4, 5, 6]:
        taken += chains.take([tweet(BOB, number)])
        if applies and applies.pop() and applied < len(taken):
            assert log.apply(chains, taken[applied])
            applied += 1
    assert numbers(taken) == [1, 2, 3, 4, 5, 6]


@given(st.data())
def test_e5_whatever_loses_its_slot_the_whole_chain_takes_effect_once_and_in_order(data: st.DataObject) -> None:
    """Some of what is taken is lost; its author hands all on that is not in effect, in order, again and again."""
    log = Log()
    chains = Chains(log.last_in_effect)
    effective: list[int] = []
    for attempt in range(9):
        taken: list[Entry] = []
        for number in range(log.last_in_effect(BOB) + 1, 6):
            taken += chains.take([tweet(BOB, number)])
        for entry in taken:
            if attempt < 8 and data.draw(st.booleans()):
                chains.lost(entry)
            elif log.apply(chains, entry):
                effective.append(entry.number)
    assert effective == [1, 2, 3, 4, 5]


def test_e1_what_was_found_in_flight_is_not_taken_a_second_time() -> None:
    log = Log()
    chains = Chains(log.last_in_effect)
    chains.found((tweet(BOB, 1), NOOP, tweet(BOB, 2), tweet(CAROL, 7)))
    assert numbers(chains.take([tweet(BOB, number) for number in (1, 2, 3)])) == [3]


def test_e5_what_was_found_and_will_be_void_is_taken_when_it_is_handed_on() -> None:
    """Bob's third was found without his second: it is void there, wherever his second comes."""
    log = Log()
    chains = Chains(log.last_in_effect)
    chains.found((tweet(BOB, 1), tweet(BOB, 3)))
    assert numbers(chains.take([tweet(BOB, number) for number in (1, 2, 3)])) == [2, 3]


def test_e5_an_entry_that_is_lost_is_taken_again_at_once_with_what_follows_it() -> None:
    """Though others of the author are in flight: an author that goes on without a pause is not kept waiting for one."""
    log = Log()
    chains = Chains(log.last_in_effect)
    chains.take([tweet(BOB, number) for number in (1, 2, 3)])
    chains.lost(tweet(BOB, 2))
    assert numbers(chains.take([tweet(BOB, 4)])) == [], "it waits for what it follows"
    assert numbers(chains.take([tweet(BOB, 1)])) == [], "still in flight"
    assert numbers(chains.take([tweet(BOB, 2)])) == [2]
    assert numbers(chains.take([tweet(BOB, 3)])) == [3, 4]


def test_e5_a_lost_copy_of_what_is_in_effect_changes_nothing() -> None:
    log = Log()
    chains = Chains(log.last_in_effect)
    chains.found((tweet(BOB, 1), tweet(BOB, 1)))
    log.apply(chains, tweet(BOB, 1))
    chains.take([tweet(BOB, 2)])
    chains.lost(tweet(BOB, 1))
    assert numbers(chains.take([tweet(BOB, 2), tweet(BOB, 3)])) == [3]


def test_r6_what_waits_for_what_it_follows_is_bounded() -> None:
    chains = Chains(Log().last_in_effect)
    for number in range(2, EARLY_MAX + 10):
        assert not chains.take([tweet(BOB, number)])
    assert len(chains.take([tweet(BOB, 1)])) == EARLY_MAX + 1


def test_authors_do_not_wait_for_each_other() -> None:
    chains = Chains(Log().last_in_effect)
    assert not chains.take([tweet(BOB, 2)])
    assert numbers(chains.take([tweet(CAROL, 1)])) == [1]
