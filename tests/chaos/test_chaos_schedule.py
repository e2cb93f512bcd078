"""A campaign's schedule: one seed draws one, every fault ends, and no engine has two troubles at once."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from random import Random

import pytest

from engine.core.ids import SiteId
from engine.runtime.fault_rules import parse
from tests.chaos.network import cut_rules
from tests.chaos.schedule import (
    DEAD_MAX_S,
    GAP_MAX_S,
    LONG_PAUSE_S,
    Deafness,
    Fault,
    Frozen,
    Killed,
    LongPause,
    LostDisk,
    Partition,
    PutBack,
    Rule,
    Stopped,
    Unplugged,
    Wiped,
    draw,
    majority_spans,
)

NAMES = ("alice", "bob", "carol", "dave", "erin")
SEEDS = range(40)
SECONDS = 60.0


@cache
def schedule(seed: int, names: tuple[str, ...] = NAMES) -> list[Fault]:
    return draw(Random(seed), names, SECONDS)


def test_a_seed_draws_the_same_schedule_again_and_others_draw_others() -> None:
    assert all(schedule(seed) == draw(Random(seed), NAMES, SECONDS) for seed in SEEDS)
    assert len({str(schedule(seed)) for seed in SEEDS}) == len(SEEDS)


def test_every_fault_ends_with_the_schedule_at_the_latest_and_they_follow_each_other_closely() -> None:
    for faults in map(schedule, SEEDS):
        assert all(0 < fault.begins_s < fault.ends_s <= SECONDS for fault in faults)
        begins = [0.0, *(fault.begins_s for fault in faults), SECONDS]
        assert all(0 <= after - before <= 3 * GAP_MAX_S for before, after in pairwise(begins))


def test_a_process_has_one_trouble_at_a_time() -> None:
    for faults in map(schedule, SEEDS):
        free_at = dict.fromkeys(NAMES, 0.0)
        for fault in faults:
            match fault.trouble:
                case Killed(sites) | Frozen(sites):
                    pass
                case Stopped(site) | Wiped(site) | PutBack(site):
                    sites = (site,)
                case _:
                    continue
            assert sites
            for site in sites:
                assert free_at[site] <= fault.begins_s
                free_at[site] = fault.ends_s


def test_the_times_when_a_majority_can_talk_are_known() -> None:
    faults = [
        Fault(1, 4, Killed(("alice",))),
        Fault(2, 3, Deafness("bob", "carol")),
        Fault(5, 9, Partition((("alice", "bob"), ("carol", "dave", "erin")))),
        Fault(6, 7, Unplugged("erin", locally=True)),
        Fault(8, 12, Frozen(("dave",))),
        Fault(9, 10, Stopped("carol")),
        Fault(10, 11, Deafness("bob", "carol")),
        Fault(11, 12, Rule("loss", ("alice",), "from=* drop=50%")),
    ]
    assert majority_spans(faults, NAMES) == [(0, 6), (7, 8), (9, 12)]
    assert majority_spans(faults[:2], NAMES[:3]) == [(0, 2), (3, 4)]


def test_a_long_pause_may_hit_any_site_and_a_majority_is_one_without_it() -> None:
    pause = Fault(0, 10, LongPause("alice"))
    assert majority_spans([pause, Fault(2, 3, Killed(("bob",)))], NAMES) == [(0, 10)]
    assert majority_spans([pause, Fault(2, 3, Killed(("bob", "carol")))], NAMES) == [(0, 2), (3, 10)]


def test_a_site_that_lost_its_disk_is_in_no_majority_any_more_d5() -> None:
    for lost in (Wiped("alice"), PutBack("alice")):
        faults = [Fault(1, 2, lost), Fault(3, 5, Killed(("bob", "carol"))), Fault(6, 7, Killed(("bob",)))]
        assert majority_spans(faults, NAMES) == [(0, 3), (5, 7)]


def test_one_disk_is_lost_after_the_long_pause_and_before_the_end_d5() -> None:
    for seconds in (9.0, 90.0):
        kinds = set()
        for seed in SEEDS[:10]:
            faults = draw(Random(seed), NAMES, seconds)
            [lost] = [fault for fault in faults if isinstance(fault.trouble, LostDisk)]
            kinds.add(type(lost.trouble))
            assert seconds / 3 <= lost.begins_s < lost.ends_s < seconds - 2.9
            assert all(fault.ends_s <= lost.begins_s for fault in faults if isinstance(fault.trouble, LongPause))
        assert kinds == {Wiped, PutBack}


def test_a_long_schedule_has_one_long_pause() -> None:
    for seed in SEEDS:
        [pause] = [fault for fault in draw(Random(seed), NAMES, 90) if isinstance(fault.trouble, LongPause)]
        assert pause.ends_s - pause.begins_s == pytest.approx(LONG_PAUSE_S)
        assert 0 < pause.begins_s < pause.ends_s < 90
        assert not [fault for fault in schedule(seed) if isinstance(fault.trouble, LongPause)]


def test_a_majority_can_talk_most_of_the_time_and_not_always() -> None:
    spans = {seed: majority_spans(schedule(seed), NAMES) for seed in SEEDS}
    whole = sum(end - begin for each in spans.values() for begin, end in each)
    assert 0.5 < whole / (SECONDS * len(SEEDS)) < 0.9
    for each in spans.values():
        ends, begins = [end for _, end in each], [begin for begin, _ in each[1:]]
        assert all(begin - end <= DEAD_MAX_S for end, begin in zip(ends, begins, strict=False))


@pytest.mark.parametrize("names", [NAMES[:3], NAMES])
def test_every_kind_of_trouble_is_drawn_and_every_rule_is_one(names: tuple[str, ...]) -> None:
    """The engines' own parser takes each rule; a partition names all sites, each once."""
    sites = tuple(map(SiteId, names))
    seen: set[str] = set()
    for faults in (schedule(seed, names) for seed in SEEDS):
        for fault in faults:
            trouble = fault.trouble
            seen.add(trouble.kind if isinstance(trouble, Rule) else type(trouble).__name__)
            rules: list[Rule] = []
            if isinstance(trouble, Rule):
                rules = [trouble]
            elif isinstance(trouble, Partition | Deafness | Unplugged):
                rules = cut_rules(trouble, names)
            for rule in rules:
                for site in rule.sites:
                    if f"to={site} " not in rule.text:
                        parse(1, rule.text, SiteId(site), sites)
            if isinstance(trouble, Partition):
                assert sorted(name for group in trouble.groups for name in group) == sorted(names)
    assert {"Partition", "Deafness", "Unplugged", "Killed", "Frozen", "Stopped", "Wiped", "PutBack"} < seen
    assert {"loss", "duplication", "delay", "drop of some types", "hold of some types"} < seen
