"""Which keys came together, as the thread that reads the terminal tells."""

from __future__ import annotations

from textual import events

from tui.bursts import APART_S, KEYS_MAX, Bursts, burst_of


class Reading:
    """A terminal's input, with a clock that is set."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.more = False
        self.bursts = Bursts(lambda: self.more, lambda: self.now_s)

    def key(self, after_s: float = 0.0) -> int | None:
        self.now_s += after_s
        key = events.Key("a", "a")
        taken = self.bursts.take(key)
        self.bursts.taken()
        return burst_of(key) if taken else None


def test_keys_that_follow_at_once_are_of_one_burst_and_later_ones_are_not() -> None:
    reading = Reading()
    together = [reading.key(), reading.key(), reading.key(APART_S / 2)]
    assert len(set(together)) == 1
    assert reading.key(APART_S) not in together


def test_what_waits_to_be_read_goes_on_however_long_the_reader_was_kept_from_it() -> None:
    reading = Reading()
    reading.more = True
    first = reading.key()
    reading.more = False
    assert reading.key(60.0) == first
    assert reading.key(60.0) != first


def test_a_burst_is_bounded_and_the_next_one_is_taken_again() -> None:
    reading = Reading()
    taken = [reading.key() for _ in range(KEYS_MAX + 500)]
    assert sum(burst is not None for burst in taken) == KEYS_MAX
    assert reading.key(APART_S) is not None
