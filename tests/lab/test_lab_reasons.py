"""What the lab says of each step and asks before it, over all scenarios: sentences name rules that there are, questions
are answered by the acceptors' variables after the step, and asked only where that step decides.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from engine.core.effects import FillResult
from engine.core.entry import NOOP, Entry
from engine.core.explained import describe
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, Round, SiteId, Slot
from engine.core.messages import WORDS, Accept, Accepted, Cause, Phase, Promise, Refused, RefusedSpan
from engine.core.run import run_of
from engine.core.storage import EventState
from engine.core.views import AttemptPhase, ElectionPhase
from engine.sim.scenario.parse import parse
from tui.lab import catalogue, why
from tui.lab.frame import Acceptor, Frame
from tui.lab.predict import LOOK_AGAIN, NOTHING, Question, Score, questions
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said, Seen
from tui.lab.tape import SimulatedTape
from tui.lab.why import Why

ROOT: Final = Path(__file__).parents[2]
SCENARIOS: Final = sorted([*(ROOT / "tests/scenarios").glob("*.scenario"), *catalogue.FOLDER.glob("*.scenario")])
RULES: Final = set(re.findall(r"^- ([A-Z]\d)", (ROOT / "docs/protocol.md").read_text(encoding="utf-8"), re.MULTILINE))
STEPS_MAX: Final = 400
S1, S3, S5 = (SiteId(f"s{place}") for place in (1, 3, 5))
NAMES: Final = tuple(SiteId(f"s{place}") for place in range(1, 6))
X: Final = Entry(S1, 1, 0, "tweet 1 X at 4.s5")


def flown(fate: Fate, *lines: Line) -> Flown:
    return Flown(1, 0, 1, S3, S1, fate, lines)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_is_said_and_asked_at_each_step_of_a_scenario(path: Path) -> None:
    tape = SimulatedTape(parse(path.read_text(encoding="utf-8"), path.name), path.stem)
    reasons = Why(tape.names)
    while tape.position < STEPS_MAX and tape.forward():
        before, after = tape.frames[-2:]
        for seen in after.seen:
            sentence = reasons.of(seen)
            assert sentence
            assert "{" not in sentence.partition(": ")[0]
            assert cited(sentence) <= RULES
            if isinstance(seen, Flown):
                assert {line.type for line in seen.lines} <= set(WORDS)
            if isinstance(seen, Concluded):
                assert seen.line.type in why.CONCLUDED
            if isinstance(seen, Happened):
                assert seen.what in why.HAPPENED
        assert reasons.step(after)
        asked = questions(before, after)
        if asked:
            agrees(before, after, asked)


def cited(sentence: str) -> set[str]:
    return {rule for found in re.findall(r"\(([A-Z]\d(?:, [A-Z]\d)*)\)", sentence) for rule in found.split(", ")}


def agrees(before: Frame, after: Frame, asked: tuple[Question, ...]) -> None:
    """With the variables after the step; and the site whose answer is asked for gave it in this step."""
    came = [seen for seen in after.seen if isinstance(seen, Flown) and seen.fate is Fate.ARRIVES]
    left = [seen for seen in after.seen if isinstance(seen, Flown) and seen.fate is Fate.LEAVES]
    assert len(came) == 1
    (line,), to, sender = came[0].lines, came[0].to, came[0].sender
    assert line.slot is not None
    assert line.ballot is not None
    site = next(site for site in after.sites if site.site == to)
    now = site.acceptors.get(line.slot, NOTHING)
    answers = {one.type for seen in left if (seen.sender, seen.to) == (to, sender) for one in seen.lines}
    for question in asked:
        assert question.because
        assert cited(question.because) <= RULES
        assert len(set(question.options)) == len(question.options) > 1
        right = question.options[question.right]
        match question.rule:
            case "A1" | "D5" if line.type == "prepare":
                assert (right == "yes") == (now.max_prepare == line.ballot)
                assert answers & {"promise", "refused"}
            case "A2" | "D5":
                assert (right == "yes") == (now.acc_num == line.ballot)
                assert answers & {"accepted", "refused"}
            case "B3":
                assert (right == "nothing") == (line.slot not in after.chosen)
                assert line.slot not in before.chosen
                assert right == "nothing" or after.decided
            case _:
                proposed = [each for each in changed(before, after, to) if each.acc_num and each.acc_num.site == to]
                assert len(proposed) == 1
                entry = proposed[0].acc_val
                assert entry is not None
                own = "its own value" if entry.author == to else "the no-op" if entry == NOOP else f"{entry.author}'s '"
                assert right.startswith(own)
                assert any(one.type == "accept" for seen in left if seen.sender == to for one in seen.lines)


def changed(before: Frame, after: Frame, to: SiteId) -> list[Acceptor]:
    was, now = (next(site for site in frame.sites if site.site == to).acceptors for frame in (before, after))
    return [now[slot] for slot in now if was.get(slot) != now[slot]]


def test_what_was_asked_of_a_duel_is_of_every_kind() -> None:
    tape = SimulatedTape(catalogue.scenario("bb-wins").schedule(), "bb-wins")
    count: Counter[tuple[str, str]] = Counter()
    while tape.forward():
        for question in questions(tape.frames[-2], tape.frames[-1]):
            count[question.rule, question.options[question.right]] += 1
    assert set(count) >= {("A1", "yes"), ("A1", "no"), ("A2", "yes"), ("A2", "no"), ("B3", "nothing")}
    assert set(count) >= {("B3", "yes: s5's 'Y'"), ("B2", "its own value"), ("B2", "s5's 'Y'")}


def test_what_is_given_before_is_not_asked_again() -> None:
    """A repeat, and a message that finds a site that has learned the slot."""
    text = "sites s1 s2 s3\nhold prepare accept\ns1 tweets x\nduplicate prepare to s2\ndeliver prepare to s2\n"
    text += "duplicate accept to s2\ndeliver accept to s2\ndeliver accept to s3\nrun 20 ms"
    tape = SimulatedTape(parse(text, "repeats"), "repeats")
    asked = []
    while tape.forward():
        asked += [(each.rule, each.options[each.right]) for each in questions(tape.frames[-2], tape.frames[-1])]
    assert asked == [("A1", "yes"), ("B2", "its own value"), ("A2", "yes"), ("B3", "yes: s1's 'x'")]


def test_what_a_sync_decides_later_is_not_asked_when_the_message_comes() -> None:
    tape = SimulatedTape(parse("sites s1 s2 s3\ndisk 5 ms\ns1 tweets x\nrun 40 ms", "slow"), "slow")
    asked = []
    while tape.forward():
        asked += [each.rule for each in questions(tape.frames[-2], tape.frames[-1])]
    assert asked == []


def test_a_refusal_says_what_is_in_the_way() -> None:
    def refused(phase: Phase, cause: Cause, ballot: Ballot | None) -> str:
        message = Refused(Ballot(Round(3), S1), phase, (RefusedSpan(Slot(1), Slot(1), ballot, cause),))
        return Why(NAMES).of(flown(Fate.LEAVES, describe.message(message)))

    high = Ballot(Round(4), S5)
    assert refused("accept", Cause.SLOT, high) == "s3 refuses s1's accept 3.1: it promised 4.5, and 3.1 is lower (A2)"
    assert refused("prepare", Cause.SLOT, high) == "s3 refuses s1's prepare 3.1: it promised 4.5, and 3.1 is lower (A1)"
    for cause, rule in ((Cause.RANGE, "A2"), (Cause.NOT_VOTING, "D5"), (Cause.FAR, "R6")):
        said = refused("accept", cause, high if cause is Cause.RANGE else None)
        assert rule in cited(said)


def test_what_users_wrote_stands_last_and_as_it_is() -> None:
    accept = describe.message(Accept(Ballot(Round(3), S1), run_of(Slot(1), X)))
    zero = describe.message(Accept(Ballot(Round(0), S1), run_of(Slot(1), X)))
    ending = "s1/1 tweet X at 4.s5"
    assert Why(NAMES).of(flown(Fate.LEAVES, accept)) == f"s3 asks s1 to accept at 3.1 (B2): {ending}"
    assert Why(NAMES).of(flown(Fate.LEAVES, zero)).endswith(f"without a prepare (L2): {ending}")
    promise = describe.message(Promise(Ballot(Round(3), S1), Slot(1), Slot(1), (), (), ()))
    assert Why(NAMES).of(flown(Fate.LEAVES, promise)) == "s3 promises s1 3.1: nothing accepted before (A1, A4)"
    two = Why(NAMES).of(
        flown(Fate.LOST, describe.message(Accepted(Ballot(Round(3), S1), ((Slot(1), Slot(1)),))), promise)
    )
    assert two == (
        "accepted 3.1 of s3 is lost: it is accepted anyway; s1 just does not know (B3);"
        " promise 3.1 of s3 is lost: any majority's promises suffice (B2)"
    )


def test_every_kind_has_its_sentence() -> None:
    for table in (why.SENT, why.TAKEN, why.MISSED):
        assert set(table) == set(WORDS)
    outcomes = {EventState.CREATED, EventState.LOST, EventState.NOT_CREATED, EventState.UNKNOWN}
    phases = {*AttemptPhase, *ElectionPhase} - {AttemptPhase.ENDED}
    others = {
        "chosen",
        "void",
        "hole",
        "filled",
        "recovery",
        "fresh",
        "voter",
        "learner",
        "members",
        "removed",
        "peer",
        "hand-on",
        "rejected",
    }
    assert set(why.CONCLUDED) == {*outcomes, *phases, *others}
    every = (*why.SENT.values(), *why.TAKEN.values(), *why.MISSED.values())
    every += (*why.CONCLUDED.values(), *why.HAPPENED.values())
    named = {rule for reason in every for rule in reason.rules.split(", ") if rule}
    assert named <= RULES
    assert len(FillResult) == 6


def test_what_a_later_version_recorded_is_told_as_it_is() -> None:
    strange = Line("leap", None, None, "why not")
    every: list[Seen] = [Concluded(1, S1, strange), Happened(1, S1, "leap", "why not")]
    every += [flown(fate, strange) for fate in Fate]
    assert ["leap" in Why(NAMES).of(seen) for seen in every] == [True] * len(every)


def test_a_step_is_told_by_what_tells_most() -> None:
    said: list[Seen] = [Said(1, "run 20 ms", is_wrong=False), Concluded(1, S1, Line("peer", None, None, "s2 is heard"))]
    frame = Frame(1, 1, (), (), tuple(said), {}, decided=False, broken=None)
    assert Why(NAMES).step(frame) == "s1: s2 is heard (L3)"
    assert Why(NAMES).step(Frame(0, 0, (), (), (), {}, decided=False, broken=None)) == ""


# The score


def question(rule: str) -> Question:
    return Question(rule, "?", ("yes", "no"), 0, f"because ({rule})")


def test_the_two_rules_that_were_missed_most_often_are_named_with_a_scenario() -> None:
    score = Score()
    for rule, option in (
        ("A1", 0),
        ("A2", 1),
        ("A2", 1),
        ("A2", 0),
        ("B2", 1),
        ("B3", 0),
        ("B3", 1),
        ("B3", 1),
        ("B3", 1),
    ):
        score = score.answered(question(rule), option)
    assert (score.asked, score.right) == (9, 3)
    assert [(answers.rule, answers.missed, scenario) for answers, scenario in score.worst()] == [
        ("B3", 3, LOOK_AGAIN["B3"]),
        ("A2", 2, LOOK_AGAIN["A2"]),
    ]
    assert Score().answered(question("A1"), 0).worst() == ()


def test_a_scenario_to_look_at_again_is_there_and_asks_about_its_rule() -> None:
    assert set(LOOK_AGAIN.values()) <= set(catalogue.NAMES)
    for rule, name in LOOK_AGAIN.items():
        tape = SimulatedTape(catalogue.scenario(name).schedule(), name)
        asked: set[str] = set()
        while tape.position < STEPS_MAX and rule not in asked and tape.forward():
            asked |= {each.rule for each in questions(tape.frames[-2], tape.frames[-1])}
        assert rule in asked, name
