"""The fault layer: what is under way, what is held, and when it goes on."""

from __future__ import annotations

import pytest

from engine.contract.answers import Direction
from engine.core.ids import Ballot, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import Packet, Prepare
from engine.runtime import faults
from engine.runtime.fault_rules import BadRule
from engine.runtime.faults import FaultLayer, NoSuchNumber, Transit
from engine.runtime.taken import KEPT_MAX, RECENTLY

ALICE, BOB, CAROL = SiteId("alice"), SiteId("bob"), SiteId("carol")
NOW = Tick(1_000)


def layer(seed: int = 7) -> FaultLayer:
    return FaultLayer(ALICE, (ALICE, BOB, CAROL), seed)


def transit(slot: int = 1, peer: SiteId = BOB) -> Transit:
    message = Prepare(Ballot(Round(1), ALICE), Slot(slot), Slot(slot))
    return Transit(Direction.OUT, peer, Packet(ALICE, StoreId("0" * 16), 1, None, (message,)), None)


def carry(made: FaultLayer, what: Transit, now: Tick = NOW) -> int:
    return made.carry(now, 0, what, made.judge(what.direction, what.peer, what.message))


def slots(transits: list[Transit]) -> list[int]:
    return [each.message.first for each in transits if isinstance(each.message, Prepare)]


def test_without_rules_the_layer_is_idle_and_touches_nothing() -> None:
    made = layer()
    assert made.idle
    assert made.deadline() is None
    assert carry(made, transit()) == 1
    rule = made.add("to=bob drop", None)
    assert not made.idle
    made.switch(rule.rule.number, on=False)
    assert made.idle


def test_a_delayed_message_is_due_at_its_time_in_the_order_of_times() -> None:
    made = layer()
    slow = made.add("slot=1 delay=200ms", None)
    made.add("slot=2 delay=100ms", None)
    assert [carry(made, transit(slot)) for slot in (1, 2, 3)] == [0, 0, 1]
    assert made.deadline() == NOW + 100
    assert list(made.due(Tick(NOW + 99))) == []
    assert slots(list(made.due(Tick(NOW + 100)))) == [2]
    made.remove(NOW, slow.rule.number)
    assert slots(list(made.due(Tick(NOW + 200)))) == [1], "a delay that began goes on without its rule"
    assert made.deadline() is None


def test_held_messages_wait_until_released_or_dropped_by_number() -> None:
    made = layer()
    made.add("to=bob hold", None)
    assert [carry(made, transit(slot)) for slot in (1, 2, 3)] == [0, 0, 0]
    assert list(made.held) == [1, 2, 3]
    assert made.release(NOW, [2]) == 1
    assert made.drop([1]) == 1
    assert slots(list(made.due(NOW))) == [2]
    assert list(made.held) == [3]
    with pytest.raises(NoSuchNumber, match="no message 9 is held: there are 3"):
        made.release(NOW, [3, 9])
    assert list(made.held) == [3], "a request that is refused changes nothing"


def test_a_copy_of_what_is_held_goes_on_and_it_is_held_once_more() -> None:
    made = layer()
    made.add("to=bob hold", None)
    carry(made, transit(1))
    carry(made, transit(2))
    assert made.release_a_copy(NOW, [1]) == 1
    assert slots(list(made.due(NOW))) == [1]
    assert made.release(NOW, None) == 2
    assert slots(list(made.due(NOW))) == [1, 2]


def test_a_rule_goes_with_its_owner_and_releases_what_it_holds() -> None:
    class Connection:
        closed = False

    made, connection = layer(), Connection()
    made.add("slot=1 hold", None, connection)
    made.add("slot=2 hold", None)
    carry(made, transit(1))
    carry(made, transit(2))
    assert list(made.due(NOW)) == []
    connection.closed = True
    assert slots(list(made.due(NOW))) == [1]
    assert list(made.rules) == [2]


def test_clearing_releases_what_is_held_in_its_order() -> None:
    made = layer()
    made.add("hold", None)
    for slot in (1, 2, 3):
        carry(made, transit(slot))
    assert made.clear(NOW) == 1
    assert made.idle
    assert slots(list(made.due(NOW))) == [1, 2, 3]


def test_removing_one_rule_releases_what_that_rule_holds_alone() -> None:
    made = layer()
    first = made.add("to=bob hold", None)
    made.add("to=carol hold", None)
    carry(made, transit(1, BOB))
    carry(made, transit(2, CAROL))
    made.remove(NOW, first.rule.number)
    assert slots(list(made.due(NOW))) == [1]
    assert list(made.held) == [2]


def test_a_rule_ends_when_it_expires_and_releases_what_it_holds() -> None:
    made = layer()
    made.add("hold", Tick(NOW + 500))
    carry(made, transit(1))
    assert made.deadline() == NOW + 500
    assert list(made.due(Tick(NOW + 499))) == []
    assert slots(list(made.due(Tick(NOW + 500)))) == [1]
    assert made.idle
    assert not made.rules


def test_a_duplicate_of_a_held_message_goes_on_twice() -> None:
    made = layer()
    made.add("dup hold", None)
    carry(made, transit(1))
    made.release(NOW, None)
    assert slots(list(made.due(NOW))) == [1, 1]


def test_what_is_held_and_under_way_is_bounded_and_the_loss_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "HELD_MAX", 3)
    monkeypatch.setattr(faults, "UNDER_WAY_MAX", 2)
    made = layer()
    hold = made.add("hold", None)
    for slot in range(1, 6):
        carry(made, transit(slot))
    assert slots([each.transit for each in made.held.values()]) == [3, 4, 5], "the oldest goes"
    assert made.counts.overflowed == 2
    made.drop(None)
    made.remove(NOW, hold.rule.number)
    made.add("delay=10ms", None)
    for slot in range(1, 5):
        carry(made, transit(slot))
    assert slots(list(made.due(Tick(NOW + 10)))) == [1, 2]
    assert made.counts.overflowed == 4


def test_hits_count_what_a_rule_did_and_the_same_seed_does_the_same() -> None:
    def dropped(made: FaultLayer) -> list[bool]:
        rule = made.add("drop=50%", None)
        fates = [not made.judge(Direction.OUT, BOB, transit().message).delays for _ in range(50)]
        assert rule.hits == sum(fates) == made.counts.dropped
        return fates

    assert dropped(layer(7)) == dropped(layer(7))
    assert dropped(layer(7)) != dropped(layer(8))


def test_the_number_of_rules_is_bounded_and_numbers_are_not_used_again() -> None:
    made = layer()
    for _ in range(faults.RULES_MAX):
        made.add("drop", None)
    with pytest.raises(BadRule, match="clear all"):
        made.add("drop", None)
    made.clear(NOW)
    assert made.add("drop", None).rule.number == faults.RULES_MAX + 1
    with pytest.raises(NoSuchNumber, match=f"there is no rule 1: there are {faults.RULES_MAX + 1}"):
        made.switch(1, on=False)


def test_the_hits_of_a_rule_on_one_type_leave_others_alone() -> None:
    made = layer()
    made.add("type=accept drop", None)
    assert transit().message.word() == "prepare"
    assert carry(made, transit()) == 1
    assert made.counts.dropped == 0


def taken(made: FaultLayer, now: int = NOW) -> list[tuple[int, str, int]]:
    """The rules that are in the way, what they do, and to which slots."""
    found = list(made.taken(Tick(now)))
    return [(each.rule, each.verb, each.message.first) for each in found if isinstance(each.message, Prepare)]


def test_what_a_drop_took_counts_for_a_while_and_only_while_its_rule_is_on() -> None:
    made = layer()
    rule = made.add("slot=1 drop", None).rule.number
    carry(made, transit(1))
    carry(made, transit(2))
    assert taken(made) == [(rule, "drop", 1)]
    made.switch(rule, on=False)
    assert taken(made) == []
    made.switch(rule, on=True)
    assert taken(made, NOW + RECENTLY - 1) == [(rule, "drop", 1)]
    assert taken(made, NOW + RECENTLY) == []
    carry(made, transit(1), Tick(NOW + RECENTLY))
    made.clear(Tick(NOW + RECENTLY))
    assert taken(made, NOW + RECENTLY) == []


def test_what_is_held_is_in_the_way_until_it_is_let_go_and_what_is_delayed_until_it_is_due() -> None:
    made = layer()
    holds = made.add("slot=1 hold", None).rule.number
    delays = made.add("slot=2 delay=200ms", None).rule.number
    for slot in (1, 2):
        carry(made, transit(slot))
    made.switch(holds, on=False)
    made.switch(delays, on=False)
    assert taken(made) == [(holds, "hold", 1), (delays, "delay", 2)]
    assert taken(made, NOW + 200) == [(holds, "hold", 1)]
    made.release(NOW, None)
    assert taken(made, NOW + 200) == []


def test_of_each_kind_of_message_the_newest_that_were_taken_are_kept() -> None:
    made = layer()
    made.add("drop", None)
    for slot in range(1, KEPT_MAX + 3):
        carry(made, transit(slot))
    assert [slot for _, _, slot in taken(made)] == list(range(3, KEPT_MAX + 3))
