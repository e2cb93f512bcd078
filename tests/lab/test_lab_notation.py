"""A course's notation: any sites, any values, in any case; and what is wrong is answered with what to write."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.entry import BadOperation, clean_text
from engine.sim.scenario.words import quote
from tui.lab import notation
from tui.lab.notation import BadNotation
from tui.lab.opening import BadRequest, Opened, lines, opened
from tui.lab.text import Ending, known, played, told

DUELS = ("A_wins", "B_wins", "BB_wins")


def _is_value(text: str) -> bool:
    try:
        clean_text(text)
    except BadOperation:
        return False
    return True


VALUES = st.one_of(
    st.text(min_size=1, max_size=30).filter(_is_value),
    st.sampled_from(
        [
            "7",
            "it's",
            '"',
            "\\",
            '\\"',
            "3.s1",
            "s1/1 tweet 4.s5",
            "# no comment",
            "sites",
            "X",
            "Y",
            "\u202e",
            "é😀",
            "😀" * 280,
        ]
    ),
)
SITES = st.sampled_from([(a, b, size) for size in (3, 5) for a, b in permutations(range(size), 2)])


def _played(play: Opened) -> Ending:
    ending = played(play.schedule)
    assert ending.as_expected, ending.verdict
    return ending


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(DUELS), sites=SITES, a_value=VALUES, b_value=VALUES)
def test_any_two_sites_and_any_two_values_go_as_the_line_says(
    name: str, sites: tuple[int, int, int], a_value: str, b_value: str
) -> None:
    a, b, size = sites
    line = f"{name} {8000 + a} s{b + 1} {quote(a_value)} {quote(b_value)}"
    ending = _played(opened([line], size)[0])
    wins, loses = (b, a) if name == "BB_wins" else (a, b)
    values = {a: clean_text(a_value), b: clean_text(b_value)}
    assert [known(ending, each) for each in ending.acceptors] == [
        f"s{number}: Value '{values[wins]}' is chosen" for number in range(1, size + 1)
    ]
    assert {told(each) for each in ending.told} == {
        f"s{wins + 1} told its user that '{values[wins]}' is created at slot 1",
        f"s{loses + 1} told its user that '{values[loses]}' is lost at slot 1, to s{wins + 1}'s '{values[wins]}'",
    }


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, 4), value=VALUES)
def test_any_site_sets_any_value(at: int, value: str) -> None:
    ending = _played(opened(["set", "Value", value, "ON", f"{8000 + at}"], 5)[0])
    assert {known(ending, each) for each in ending.acceptors} == {
        f"s{number}: Value '{clean_text(value)}' is chosen" for number in range(1, 6)
    }
    assert [told(each) for each in ending.told] == [
        f"s{at + 1} told its user that '{clean_text(value)}' is created at slot 1"
    ]


def test_the_livelock_lasts_as_long_as_one_likes_and_the_waits_resolve_it() -> None:
    """B4: without the random waits nothing is chosen, however often it goes round; with them B's value is."""
    (play,) = opened(["LIVELOCK 8003 8001 123 456 9"], 5)
    without, waits = (_played(replace(play, schedule=run.schedule)) for run in play.runs())
    assert {known(without, each) for each in without.acceptors} == {
        f"s{n}: knows of nothing chosen" for n in range(1, 6)
    }
    assert sum(line.startswith("> deliver prepare from s4") for line in without.trace) == 10
    assert {known(waits, each) for each in waits.acceptors} == {f"s{n}: Value '456' is chosen" for n in range(1, 6)}


@pytest.mark.parametrize("line", ["A_wins 8000 8004 123 456", "a-WINS s1 S5 123 456", 'a_wins 8000 8004 "123" "456"'])
def test_case_names_and_ports_are_alike(line: str) -> None:
    """S1 is A at 3.1, S5 is B at 4.5, and they are written so."""
    ending = _played(opened([line], 5)[0])
    assert {known(ending, each) for each in ending.acceptors} == {f"s{n}: Value '123' is chosen" for n in range(1, 6)}
    assert [ending.ballot(each.vote.accepted) for each in ending.acceptors[2:]] == ["4.5", "4.5", "4.5"]
    trace = "\n".join(ending.trace)
    assert "asks for promises of 3.1" in trace
    assert "promised, accepted at 3.1 before: s1/1 tweet 123" in trace
    assert ".s1 " not in trace


def test_the_words_of_a_line_may_stand_apart_on_the_command_line() -> None:
    together, apart = (
        opened(['B_wins 8000 8004 "my value" it\'s'], 5),
        opened(["B_wins", "8000", "8004", "my value", "it's"], 5),
    )
    assert together[0].schedule == apart[0].schedule


def test_a_bare_name_is_the_scenario() -> None:
    assert opened(["A_wins"], 5) == opened(["a-wins"], 5)
    assert opened(["Restart"], 5) == opened(["restart"], 5)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("A_wins 8000 8000 1 2", "both proposers are s1, but they must differ; write: A_wins 8000 8004 1"),
        ("A_wins 8000 8005 1 2", "'8005' is not a site here: write 8000 to 8004, or s1 to s5"),
        ("B_wins s0 s5 1 2", "'s0' is not a site here"),
        ("BB_wins 8000 8004 1", "this needs two sites and two values; write: BB_wins 8000 8004 123 456"),
        ("A_wins 8000 8004 two words 456", "put a value of several words in double quotes"),
        ("livelock 8000 8004 1 2 0", "'0' is not a number of rounds: write one of 1 to 1000"),
        ("livelok 8000 8004 1 2", 'did you mean "livelock 8000 8004 123 456"?'),
        ("restrat", "did you mean restart?"),
        ("set value 7 at 8000", "write: set value 7 on 8000"),
        ("set 7 on 8000", "write: set value 7 on 8000"),
        ("set value \u0007 on 8000", "cannot be a value"),
        (f"set value {'x' * 281} on 8000", "at most 280 characters"),
        ('set value "\\q" on 8000', "write it in double quotes"),
        ("A_win 8000 8004 1 2", 'did you mean "A_wins 8000 8004 123 456"?'),
        ("b-winz", "did you mean b-wins?"),
        ("no-such.scenario", "no-such.scenario cannot be read (No such file or directory)"),
        ("", "`loggos lab --list` lists the scenarios"),
    ],
)
def test_what_is_wrong_is_answered_with_what_to_write(line: str, instead: str) -> None:
    with pytest.raises(BadRequest) as refused:
        opened([line], 5)
    assert instead in str(refused.value)


def test_with_three_sites_there_are_no_more() -> None:
    with pytest.raises(BadRequest, match="write 8000 to 8002, or s1 to s3"):
        opened(["A_wins 8000 8004 1 2"], 3)


def test_standard_input_has_a_line_for_each_run() -> None:
    text = "# a lesson\n\nset value 7 on 8000\n  b-wins\n"
    assert [each.title for each in lines(text, 5)] == ["set value 7 on 8000", "b-wins"]


def test_standard_input_may_be_a_whole_file() -> None:
    whole = lines("# hello\nsites a b c\na tweets hello\nrun until quiet", 5)
    assert [(each.title, each.about) for each in whole] == [("standard input", "hello")]


def test_each_bad_line_of_standard_input_is_named() -> None:
    with pytest.raises(BadRequest) as refused:
        lines("set value 7 on 9\nsingle\nfrob\n", 5)
    assert [line[:8] for line in str(refused.value).splitlines()] == ["line 1: ", "line 3: "]


def test_standard_input_without_a_line_says_what_to_write() -> None:
    with pytest.raises(BadRequest, match="lines such as A_wins 8000 8004 123 456"):
        lines("# nothing\n\n", 5)


def test_every_example_can_be_read() -> None:
    for first in ("set", "a-wins", "b-wins", "bb-wins", "livelock"):
        assert notation.read(notation.split(notation.usage(first)), 5).schedule.lines


def test_a_text_that_is_not_closed_is_named() -> None:
    with pytest.raises(BadNotation):
        notation.split('"abc def')
