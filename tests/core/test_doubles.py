"""Two engines under one name displace each other (W1): people are told, on both sides, and nothing else changes."""

from __future__ import annotations

from engine.core.ids import Nonce, StoreId
from engine.core.messages import Hello, Packet, Verdict, Welcome
from tests.core.stage import ALICE, BOB, Stage, life_of, sent_to

TRUE, OTHER = life_of(ALICE), StoreId("f" * 16)


def greet(stage: Stage, nonce: int, life: StoreId) -> tuple[Welcome, Welcome]:
    """A store of alice proves itself: what it is told before it is known, and then."""

    def hello(number: int, proof: Nonce | None) -> Welcome:
        said = Hello(Nonce(number), proof, stage.settings.founders)
        (welcome,) = sent_to(stage.hear_packet(Packet(ALICE, life, 1, stage.store.life, (said,))), ALICE, Welcome)
        return welcome

    first = hello(nonce, None)
    return first, hello(nonce + 1, first.challenge)


def mismatch(stage: Stage) -> str:
    return stage.replica.view(0).mismatch or ""


def test_who_hears_two_stores_in_turn_says_so_to_both_and_here_and_forgets_it_once_one_stays_away() -> None:
    stage = Stage(3, site=BOB).vote()
    for nonce, life in enumerate((TRUE, OTHER, TRUE)):
        assert greet(stage, 10 * nonce + 1, life)[0].reason == ""
        assert mismatch(stage) == "", "a lost disk, and one that was found again, are no two engines"
    greet(stage, 41, OTHER)
    view = stage.replica.view(0)
    assert mismatch(stage).startswith("two engines run as alice, each with a store of its own")
    assert (view.doubled, view.replaced) == ((ALICE,), ()), "nobody is advised to readmit the other one"
    for nonce, life, verdict in ((51, TRUE, Verdict.RECORDED), (61, OTHER, Verdict.LOST_DISK)):
        before, judged = greet(stage, nonce, life)
        assert before.reason.startswith("bob hears two engines as alice"), "whichever it is"
        assert judged.verdict is verdict, "nothing else changes"
    stage.wait(61 * stage.settings.timings.heartbeat)
    assert mismatch(stage) == ""
    assert stage.replica.view(0).replaced == (ALICE,)


def test_whose_name_it_is_tells_it_while_it_is_said() -> None:
    stage = Stage(3)
    (hello,) = sent_to(stage.start(), BOB, Hello)
    what = "bob hears two engines as alice, each with a store of its own: stop the one that does not vote"
    effects = stage.hear(BOB, Welcome(hello.nonce, Verdict.UNPROVEN, Nonce(5), what))
    assert mismatch(stage) == what
    (again,) = sent_to(effects, BOB, Hello)
    stage.hear(BOB, Welcome(again.nonce, Verdict.UNPROVEN, Nonce(6), ""))
    assert mismatch(stage) == ""
