"""Fault rules: what a rule's text means, and what rules do to a message."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from engine.core.entry import NOOP
from engine.core.ids import Ballot, Nonce, Round, SiteId, Slot, Tick
from engine.core.messages import (
    WORDS,
    Accept,
    Accepted,
    Ask,
    AskHighest,
    AskSlot,
    Chosen,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Message,
    Prepare,
    Promise,
    Refused,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.run import run_of
from engine.core.settings import Leadership
from engine.runtime.fault_rules import DELAY_MS_MAX, UNTOUCHED, BadRule, Fate, judge, parse

ALICE, BOB, CAROL, DAVE, ERIN = (SiteId(name) for name in ("alice", "bob", "carol", "dave", "erin"))
SITES = (ALICE, BOB, CAROL, DAVE, ERIN)
BALLOT = Ballot(Round(2), ALICE)
PREPARE = Prepare(BALLOT, Slot(43), Slot(43))
ACCEPT = Accept(BALLOT, run_of(Slot(43), NOOP))
HEARTBEAT = Heartbeat(Leadership.NONE, True, Slot(3), Slot(4), Tick(5), None, 0, Tick(500), None, False, None)

ONE_OF_EACH: tuple[Message, ...] = (
    PREPARE,
    Promise(BALLOT, Slot(1), None, (), (), ()),
    ACCEPT,
    Accepted(BALLOT, ((Slot(43), Slot(43)),)),
    Refused(BALLOT, "accept", ()),
    Chosen(Slot(43), Slot(43), BALLOT, ()),
    Ask(Nonce(1), ((Slot(1), Slot(2)),)),
    Known(Nonce(1), Slot(1), Slot(2), ()),
    AskHighest(Nonce(1)),
    Highest(Nonce(1), Slot(4), Slot(3)),
    Hello(Nonce(1), None, "0" * 16),
    Welcome(Nonce(1), Verdict.RECORDED, None, ""),
    HEARTBEAT,
    HandOn((NOOP,), relayed=False),
    AskSlot(Nonce(1), Slot(43)),
    SlotState(Nonce(1), Slot(43), True, None, None, None, None, False, None, ()),
)


def fate(texts: list[str], sender: SiteId, to: SiteId, message: Message = PREPARE, seed: int = 1) -> Fate:
    """What these rules, at alice, do to a message."""
    rules = [parse(number, text, ALICE, SITES) for number, text in enumerate(texts, 1)]
    return judge(rules, sender, to, message, Random(seed))


def test_every_message_type_has_a_name_in_rules() -> None:
    assert sorted(message.word() for message in ONE_OF_EACH) == sorted(WORDS)


@pytest.mark.parametrize(
    ("rule", "out_to_bob", "out_to_carol", "in_from_bob", "in_from_carol"),
    [
        ("to=bob drop", True, False, False, False),
        ("from=bob drop", False, False, True, False),
        ("to=* drop", True, True, False, False),
        ("from=* drop", False, False, True, True),
        ("to=bob,carol drop", True, True, False, False),
        ("drop", True, True, True, True),
        ("from=* to=* drop", True, True, True, True),
        ("from=alice to=bob drop", True, False, False, False),
        ("from=bob to=alice drop", False, False, True, False),
        ("to=alice drop", False, False, True, True),
        ("from=bob to=carol drop", False, False, False, False),
    ],
)
def test_to_and_from_name_directions(
    rule: str, out_to_bob: bool, out_to_carol: bool, in_from_bob: bool, in_from_carol: bool
) -> None:
    met = [not fate([rule], *link).delays for link in ((ALICE, BOB), (ALICE, CAROL), (BOB, ALICE), (CAROL, ALICE))]
    assert met == [out_to_bob, out_to_carol, in_from_bob, in_from_carol]


def test_a_type_is_matched_by_its_name() -> None:
    assert fate(["type=accept drop"], ALICE, BOB, ACCEPT).delays == ()
    assert fate(["type=accept drop"], ALICE, BOB, PREPARE) == UNTOUCHED
    assert fate(["type=accept,prepare drop"], ALICE, BOB, PREPARE).delays == ()


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda message: message.word())
def test_without_type_and_slot_everything_is_met_greetings_and_heartbeats_too(message: Message) -> None:
    assert fate(["drop"], ALICE, BOB, message).delays == ()


def test_a_slot_is_matched_within_what_the_message_covers() -> None:
    assert fate(["slot=43 drop"], ALICE, BOB, PREPARE).delays == ()
    assert fate(["slot=40-50 drop"], ALICE, BOB, ACCEPT).delays == ()
    assert fate(["slot=44 drop"], ALICE, BOB, PREPARE) == UNTOUCHED
    everything_after = Prepare(BALLOT, Slot(40), None)
    assert fate(["slot=99 drop"], ALICE, BOB, everything_after).delays == ()
    assert fate(["slot=43 drop"], ALICE, BOB, HEARTBEAT) == UNTOUCHED


def test_a_partition_drops_both_ways_between_its_groups_alone() -> None:
    rule = ["partition alice,bob | carol,dave"]
    assert fate(rule, ALICE, CAROL).delays == ()
    assert fate(rule, CAROL, ALICE).delays == ()
    assert fate(rule, ALICE, BOB) == UNTOUCHED
    assert fate(rule, ALICE, ERIN) == UNTOUCHED


def test_a_share_is_a_probability() -> None:
    dropped = sum(not fate(["drop=30%"], ALICE, BOB, seed=seed).delays for seed in range(2_000))
    assert 500 < dropped < 700
    copies = sum(len(fate(["dup=10%"], ALICE, BOB, seed=seed).delays) for seed in range(2_000))
    assert 2_140 < copies < 2_260


@pytest.mark.parametrize(
    "spelled", ["200ms±50", "200ms±50ms", "200±50", "200+-50", "200ms+-50ms", "200+/-50", "200ms~50"]
)
def test_a_delay_is_drawn_around_its_middle(spelled: str) -> None:
    delays = [fate([f"delay={spelled}"], ALICE, BOB, seed=seed).delays[0] for seed in range(500)]
    assert min(delays) >= 150
    assert max(delays) <= 250
    assert len(set(delays)) > 50


def test_notes_name_the_rules_that_acted() -> None:
    assert fate(["type=chosen drop", "drop"], ALICE, BOB).note == "DROP (rule 2)"
    assert fate(["delay=200ms"], ALICE, BOB).note == "delay 200 ms (rule 1)"
    words = [fate([rule], ALICE, BOB).in_a_word for rule in ("drop", "hold", "delay=200ms", "dup", "type=chosen drop")]
    assert words == ["dropped", "held", "changed", "changed", None]
    assert fate(["dup", "delay=5ms"], ALICE, BOB).note == "DUP (rule 1), delay 5 ms and 5 ms (rule 2)"
    held = fate(["delay=5ms hold"], ALICE, BOB)
    assert (held.note, held.held_by) == ("delay 5 ms, HOLD (rule 1)", 1)


def test_rules_act_together_and_one_drop_is_enough() -> None:
    assert fate(["delay=100ms", "delay=50ms"], ALICE, BOB).delays == (150,)
    assert fate(["dup", "dup"], ALICE, BOB).delays == (0, 0, 0)
    dropped = fate(["delay=100ms", "drop"], ALICE, BOB)
    assert (dropped.delays, dropped.acted) == ((), (2,))


def test_what_a_rule_lets_pass_no_rule_before_it_holds() -> None:
    assert fate(["hold", "type=prepare pass"], ALICE, BOB).held_by is None
    assert fate(["hold", "type=prepare pass"], ALICE, BOB, ACCEPT).held_by == 1
    assert fate(["hold", "pass", "to=bob hold"], ALICE, BOB).held_by == 3
    assert fate(["pass", "hold"], ALICE, BOB).held_by == 2
    assert fate(["drop", "pass"], ALICE, BOB).delays == (), "a cut stays one"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "the rule is empty"),
        ("to=bob", "a rule needs something to do"),
        ("to=zoe drop", "'zoe' in 'to' is not a site of this cluster"),
        ("from= drop", "'' in 'from' is not a site"),
        ("type=acept drop", "'acept' is not a message type"),
        ("slot=0 drop", "slots count from 1"),
        ("slot=9-3 drop", "a range ascends"),
        ("slot=x drop", "write slot=43 or slot=40-50"),
        ("slot=٤ drop", "write slot=43 or slot=40-50"),
        ("drop=120%", "write drop=50%"),
        ("drop=0%", "write drop=50%"),
        ("drop=0.5", "write drop=50%"),
        ("dup=x", "write dup=50%"),
        ("delay", "write delay=200ms"),
        ("delay=2s", "write delay=200ms"),
        ("delay=0ms", "does nothing"),
        (f"delay={DELAY_MS_MAX + 1}", "use hold for longer"),
        ("hold=3", "'hold' takes no value"),
        ("pass=3", "'pass' takes no value"),
        ("hold pass", "write two rules"),
        ("drop drop", "appears twice"),
        ("delay=3 delay=4", "appears twice"),
        ("explode", "'explode' is not a word of a rule"),
        ("partition alice,bob", "write partition alice,bob | carol"),
        ("partition alice | ", "write partition alice,bob | carol"),
        ("partition alice | alice,bob", "'alice' is in two groups"),
        ("partition alice | zoe", "'zoe' in 'partition' is not a site"),
        ("x" * 501, "at most 500 characters"),
    ],
)
def test_a_bad_rule_says_what_to_write(rule: str, says: str) -> None:
    with pytest.raises(BadRule) as bad:
        parse(1, rule, ALICE, SITES)
    assert says in str(bad.value)


def test_the_words_that_the_docs_name_can_be_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    matching, acting = (
        re.findall(r"`([^`]+)`", "".join(line.split(" | ")[0] for line in table.splitlines()))
        for table in re.findall(r"^\| word \| w.*?\n\n", page.replace("\\|", "/"), re.MULTILINE | re.DOTALL)[:2]
    )
    assert len(matching) >= 8
    assert len(acting) >= 7
    for words in [f"{word} drop" for word in matching] + [word.replace("/", "|") for word in acting]:
        parse(1, words, ALICE, SITES)
