"""Recordings of simulated runs: merged by causes, with the tables that the disks had, whatever the clocks say."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.entry import Entry, Tweet
from engine.core.ids import EventId, SiteId, Slot, Tick
from engine.core.settings import Leadership
from engine.core.storage import NO_VOTE
from engine.sim.world.setup import CLEAR, Weather
from tests.lab.recorded_world import RecordedWorld, Table
from tui.lab.frame import Acceptor
from tui.lab.recording import Came, Left, Recording
from tui.lab.recording_merge import Course, merge
from tui.lab.recording_reel import RecordedReel

NAMES: Final = tuple(SiteId(name) for name in ("s1", "s2", "s3"))
READY_MS: Final = 2_500
HOURS_MS: Final = st.integers(-12, 12).map(lambda hours: hours * 3_600_000)
WEATHERS: Final = st.sampled_from([CLEAR, Weather(loss=0.2), Weather(duplicate=0.2, delay_spread=40)])


@st.composite
def worlds(draw: st.DrawFn) -> RecordedWorld:
    """After some tweets of any site, some of them while a site is cut off."""
    recorded = RecordedWorld(draw(st.integers(0, 2**16)), NAMES, draw(st.sampled_from(Leadership)), draw(WEATHERS))
    recorded.run(READY_MS)
    world = recorded.world
    cut = draw(st.none() | st.integers(0, 2))
    links = [] if cut is None else [(cut, other) for other in range(3) if other != cut]
    for number in range(draw(st.integers(1, 3))):
        world.submit(draw(st.integers(0, 2)), (Tweet(f"tweet {number}"),), Tick(5_000), retry=draw(st.booleans()))
        recorded.run(draw(st.integers(0, 60)))
        if number == 0:
            world.network.cut(links)
    recorded.run(draw(st.integers(0, 400)))
    world.network.mend(links)
    recorded.run(draw(st.integers(0, 900)))
    return recorded


@settings(max_examples=25)
@given(worlds(), st.fixed_dictionaries(dict.fromkeys(NAMES, HOURS_MS)))
def test_a_merged_run_keeps_causes_and_tables(recorded: RecordedWorld, clocks_ms: dict[SiteId, int]) -> None:
    right = recorded.recordings({})
    course = merge(right)
    keeps_causes(course)
    shows_the_tables(recorded, right)
    wrong = recorded.recordings(clocks_ms)
    for files in permutations(wrong):
        assert merge(files).steps == course.steps, "neither clocks nor the order of the files change anything"


def keeps_causes(course: Course) -> None:
    """Each site's lines in their order, and nothing received that was not sent before."""
    done = dict.fromkeys(course.recordings, 0)
    left: set[tuple[str, int]] = set()
    for step in course.steps:
        assert step.first == done[step.site]
        done[step.site] = step.beyond
        for line in course.recordings[step.site].lines[step.first : step.beyond]:
            match line.event:
                case Left(first=first, last=last) if first is not None and last is not None:
                    left.add((first.salt, first.number))
                case Came(name=name):
                    assert (name.salt, name.number) in left
                case _:
                    pass
    assert done == {site: len(recording.lines) for site, recording in course.recordings.items()}
    assert course.findings == ()


def shows_the_tables(recorded: RecordedWorld, recordings: list[Recording]) -> None:
    """Each frame's tables are what the disks held, one after the other, and the last ones are what they hold."""
    reel = RecordedReel(recordings)
    while reel.forward():
        pass
    for place, name in enumerate(NAMES):
        held = iter([Table({}, {}, ()), *recorded.sites[name].tables])
        table = next(held)
        for frame in reel.frames:
            shown = frame.sites[place].acceptors
            while not _is_same(shown, table):
                table = next(held)
        assert _is_same(reel.frames[-1].sites[place].acceptors, recorded.sites[name].tables[-1])
    last = reel.frames[-1].chosen
    assert {slot: entry.id for slot, entry in last.items()} == {
        slot: entry.id for slot in last if (entry := recorded.world.truth.chosen(slot)) is not None
    }
    assert not any(frame.broken for frame in reel.frames)


def _is_same(shown: Mapping[Slot, Acceptor], held: Table) -> bool:
    """What is shown beyond what the disk has of slots is what a promise of a range says of them."""
    told = held.votes.keys() | held.learned.keys()
    return shown.keys() >= told and all(_agrees(slot, shown[slot], held) for slot in shown)


def _agrees(slot: Slot, shown: Acceptor, held: Table) -> bool:
    vote = held.votes.get(slot, NO_VOTE)
    return (shown.max_prepare, shown.acc_num, _id(shown.acc_val), _id(shown.learned)) == (
        *(held.promised(slot), vote.accepted, _id(vote.entry), _id(held.learned.get(slot))),
    )


def _id(entry: Entry | None) -> EventId | str | None:
    return None if entry is None else entry.id or "no-op"
