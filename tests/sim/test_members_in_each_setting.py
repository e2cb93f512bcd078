"""M1 to M6: members change in the same way in all three leadership settings, and where they are mixed.

Every event has an outcome in the end, and the truth holds at each step.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from engine.core.entry import Membership, decode
from engine.core.settings import Leadership
from engine.sim.scenario.parse import parse
from engine.sim.scenario.play import Play
from engine.sim.truth.outcomes import FINAL, Event

NONE, LAST_AUTHOR, ELECTED = Leadership.NONE, Leadership.LAST_AUTHOR, Leadership.ELECTED
SETTINGS: Final = {
    "none": (NONE,) * 5,
    "last-author": (LAST_AUTHOR,) * 5,
    "elected": (ELECTED,) * 5,
    "mixed": (ELECTED, NONE, LAST_AUTHOR, ELECTED, NONE),
}
settings = pytest.mark.parametrize("leadership", SETTINGS.values(), ids=SETTINGS)

END: Final = "run 2 s\nrun until quiet\n"


def changes_in(leadership: tuple[Leadership, ...], text: str) -> list[Event]:
    """Plays it; returns the changes that were asked for."""
    schedule = parse(text + END, "changes.scenario")
    setup = replace(schedule.setup, leadership=leadership[: len(schedule.setup.names)])
    play = Play(replace(schedule, setup=setup))
    play.complete()
    events = play.world.truth.outcomes.by_body.values()
    assert all(event.said in FINAL for event in events)
    return [event for event in events if isinstance(decode(event.body).operation, Membership)]


@settings
def test_m3_a_change_whose_author_dies_takes_effect_whole_or_never(leadership: tuple[Leadership, ...]) -> None:
    """Bob, who asks, and alice, who may lead."""
    (change,) = changes_in(
        leadership,
        "sites alice bob carol dave erin\nchanges wait 4 slots\nalice tweets 'one'\nrun until quiet\n"
        "remove bob carol\nrun 5 ms\ncrash alice\ncrash bob\ndave tweets 'two'\nrun 2 s\n"
        "restart alice\nrestart bob\nrun 3 s\nremove dave erin\nrun 3 s\nexpect not voting erin\n".replace("'", '"'),
    )[:1]
    assert (change.slot is None) == (change.said != "created")


@settings
def test_m3_of_two_changes_at_once_one_has_no_effect(
    leadership: tuple[Leadership, ...],
) -> None:
    both = changes_in(
        leadership,
        "sites alice bob carol dave erin\nchanges wait 4 slots\nremove alice erin\nremove bob dave\n",
    )
    assert [event.slot is None for event in both].count(True) == 1


@settings
def test_m5_who_is_removed_with_events_under_way_hears_what_became_of_them(leadership: tuple[Leadership, ...]) -> None:
    changes_in(
        leadership,
        "sites alice bob carol\nchanges wait 1 slots\nalice tweets 'one'\nrun until quiet\n"
        "hold hand-on accept prepare from carol\ncarol tweets 'too late'\nremove bob carol\nrun 50 ms\nrelease\n"
        "run 4 s\nexpect not voting carol\nbob tweets 'two'\nrun 3 s\nexpect outcome bob/2 created\n".replace("'", '"'),
    )


@settings
def test_m4_m6_a_readmitted_store_may_be_lost_again_and_an_old_one_that_comes_back_votes_no_more(
    leadership: tuple[Leadership, ...],
) -> None:
    both = changes_in(
        leadership,
        "sites alice bob carol\nchanges wait 4 slots\ncarol tweets 'one'\nrun until quiet\n"
        "wipe carol down 100 ms\nrun 3 s\nexpect not voting carol\nreadmit alice carol\nrun 3 s\nexpect voting carol\n"
        "copy carol\nwipe carol down 100 ms\nrun 3 s\nreadmit bob carol\nrun 3 s\nexpect voting carol\n"
        "crash bob\ncarol tweets 'two'\nrun 3 s\nexpect outcome carol/4000001 created\nrestart bob\n"
        "put back carol down 100 ms\nrun 3 s\nexpect not voting carol\n"
        "crash bob\nalice tweets 'three'\nrun 3 s\nexpect outcome alice/2 open\nrestart bob\n".replace("'", '"'),
    )
    assert all(event.slot is not None for event in both)


@settings
def test_m5_two_of_three_are_no_majority_once_five_vote(leadership: tuple[Leadership, ...]) -> None:
    changes_in(
        leadership,
        "sites alice bob carol dave erin\nlater dave erin\nchanges wait 2 slots\nadd carol dave\nrun 4 s\n"
        "add carol erin\nrun 4 s\nexpect voting dave\nexpect voting erin\ncut alice bob | carol dave erin\n"
        "alice tweets 'of the old majority'\ncarol tweets 'of the new one'\nrun 3 s\nexpect outcome carol/5 created\n"
        "expect outcome alice/1 open\nmend\n".replace("'", '"'),
    )
