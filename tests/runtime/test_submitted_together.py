"""Events that are submitted many at once, in one call or in many that come together (docs/control.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.contract.limits import SUBMITTED_MAX
from engine.core.effects import Effects
from engine.core.events.submissions import Submission
from engine.core.ids import Tick
from engine.core.replica import Replica
from engine.runtime import node, pending_calls
from tests.runtime.sites import Client, RpcFailed, cluster

TEXTS = [f"text {number}" for number in range(1, 8)]


def events_of(answered: Any) -> list[tuple[str, str, int]]:
    """Outcome, id and slot of each event, from the spans of an answer."""
    told: list[tuple[str, str, int]] = []
    for span in answered["spans"]:
        author, number = span["first"].split("/")
        assert span["last"] == f"{author}/{int(number) + span['count'] - 1}"
        assert span["last_slot"] == span["slot"] + span["count"] - 1
        told += [
            (span["outcome"], f"{author}/{int(number) + skip}", span["slot"] + skip) for skip in range(span["count"])
        ]
    return told


async def lines_of(client: Client) -> list[tuple[str, str, int]]:
    """The log, as `events_of` tells it."""
    log = (await client.call("log", limit=1_000))["lines"]
    return [("created", line["id"], line["slot"]) for line in log]


async def test_e3_texts_of_a_call_become_events_in_their_order(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        told = events_of(await client.call("submit_many", texts=TEXTS))
        assert told == await lines_of(client)
        assert [line["text"] for line in (await client.call("view"))["lines"]] == TEXTS


async def test_e3_calls_that_come_together_keep_their_order_whatever_they_are(tmp_path: Path) -> None:
    """One line each, of several lengths and terms, two of them with a mistake in between."""
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        calls: list[dict[str, Any]] = [
            {"method": "submit", "params": {"kind": "tweet", "text": "one", "timeout_s": 60}},
            {"method": "submit_many", "params": {"texts": ["two", "three"], "timeout_s": 60}},
            {"method": "submit", "params": {"kind": "tweet", "text": "", "timeout_s": 60}},
            {"method": "submit", "params": {"kind": "tweet", "text": "four", "timeout_s": 50}},
            {"method": "submit_many", "params": {"texts": ["five", "x" * 281], "timeout_s": 50}},
            {"method": "submit_many", "params": {"texts": ["six"], "timeout_s": 50, "retry": True}},
            {"method": "submit", "params": {"kind": "block", "target": "bob", "timeout_s": 60}},
            {"method": "submit", "params": {"kind": "tweet", "text": "seven", "timeout_s": 60}},
        ]
        await client.write(*({"jsonrpc": "2.0", "id": f"n{at}", **call} for at, call in enumerate(calls)))
        for refused in ("n2", "n4", "n6"):
            with pytest.raises(RpcFailed):
                await client.answer(refused)
        answers = [await client.answer(f"n{at}") for at in (0, 1, 3, 5, 7)]
        told = [
            each
            for answer in answers
            for each in (
                events_of(answer) if "spans" in answer else [(answer["outcome"], answer["id"], answer["slot"])]
            )
        ]
        assert told == await lines_of(client)
        texts = [line["text"] for line in (await client.call("view"))["lines"]]
        assert texts == ["one", "two", "three", "four", "six", "seven"]


async def test_a_pass_submits_a_bounded_number_of_events_and_the_next_one_those_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "EVENTS_PER_PASS", 10)
    sizes: list[int] = []

    def submitted(self: Replica, now: Tick, submission: Submission) -> Effects:
        sizes.append(len(submission.bodies))
        return submit(self, now, submission)

    submit = Replica.submit
    monkeypatch.setattr(Replica, "submit", submitted)
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        params = {"texts": ["x"] * 7, "timeout_s": 60}
        calls = [{"jsonrpc": "2.0", "id": f"n{at}", "method": "submit_many", "params": params} for at in range(100)]
        await client.write(*calls)
        told = [each for at in range(100) for each in events_of(await client.answer(f"n{at}"))]
        assert told == await lines_of(client)
        assert sum(sizes) == 700
        assert max(sizes) < 10 + 8 * 7, "some requests are taken between two looks at how many there are"


async def test_where_one_text_is_refused_nothing_is_submitted_and_its_place_is_named(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        with pytest.raises(RpcFailed, match=r"text 3 of 7: a tweet is at most 280 characters.*nothing was submitted"):
            await client.call("submit_many", texts=[*TEXTS[:2], "x" * 281, *TEXTS[3:]])
        assert (await client.call("events"))["lines"] == []


@pytest.mark.parametrize("texts", [[], ["x"] * (SUBMITTED_MAX + 1), ["x", 3], "x", None])
async def test_what_is_no_list_of_so_many_texts_is_refused(tmp_path: Path, texts: object) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        with pytest.raises(RpcFailed, match=f"'texts' is needed, a list of 1 to {SUBMITTED_MAX} strings") as refused:
            await client.call("submit_many", texts=texts)
        assert refused.value.code == -32602


async def test_e1_who_asks_for_it_is_told_the_ids_of_all_before_their_outcomes(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        client = await (await sites.start("alice")).client()
        await client.call("submit", kind="tweet", text="first")
        request = await client.send("submit_many", texts=TEXTS, acknowledge=True)
        assert [id_ for _, id_, _ in events_of(await client.answer(request))] == [f"alice/{n}" for n in range(2, 9)]
        told = {"method": "acknowledged", "params": {"request": request, "id": "alice/2", "count": 7}}
        assert [said for said in client.said if "method" in said] == [{"jsonrpc": "2.0", **told}]
        assert client.said[-2]["method"] == "acknowledged"


async def test_what_came_together_is_given_up_by_call_and_no_other_with_it(tmp_path: Path) -> None:
    """Without bob nothing leaves alice: all of it waits in one submission."""
    async with cluster(tmp_path, "alice", "bob") as sites:
        alice = await sites.start("alice")
        client, other = await alice.client(), await alice.client()
        await client.send("submit", kind="tweet", text="kept")
        request = await client.send("submit_many", texts=TEXTS)
        await other.send("submit_many", texts=["kept too"])
        assert await client.call("give_up", requests=[request, "nothing of it"]) == {"given_up": 1}
        (span,) = (await client.answer(request))["spans"]
        assert (span["outcome"], span["count"], span["first"], span["slot"]) == ("not-created", 7, None, None)
        await sites.start("bob")
        assert (await client.answer(1))["outcome"] == "created"
        assert [outcome for outcome, _, _ in events_of(await other.answer(1))] == ["created"]
        assert {line["text"] for line in (await client.call("view"))["lines"]} == {"kept", "kept too"}


async def test_when_the_time_of_a_call_has_passed_its_events_are_told_in_one_span(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        client = await (await sites.start("alice")).client()
        (span,) = (await client.call("submit_many", texts=TEXTS, timeout_s=0.05))["spans"]
        assert (span["outcome"], span["count"]) == ("not-created", 7)
        assert span["reason"].startswith("alice does not vote")


async def test_events_that_were_submitted_many_at_once_and_wait_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending_calls, "MANY_EVENTS_MAX", 10)
    async with cluster(tmp_path, "alice", "bob") as sites:
        alice = await sites.start("alice")
        client = await alice.client()
        request = await client.send("submit_many", texts=TEXTS)
        with pytest.raises(RpcFailed, match="7 events of batches have no outcome yet, and the limit is 10"):
            await client.call("submit_many", texts=TEXTS)
        await client.call("give_up", requests=[request])
        again = await client.send("submit_many", texts=TEXTS)
        await client.call("give_up", requests=[again])
        assert (await client.answer(again))["spans"]


async def test_an_engine_that_stops_answers_all_that_it_was_asked(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob") as sites:
        alice = await sites.start("alice")
        client = await alice.client()
        requests = [await client.send("submit_many", texts=TEXTS), await client.send("submit", kind="tweet", text="x")]
        await client.call("status")
        await alice.stop()
        for request in requests:
            with pytest.raises(RpcFailed) as failed:
                await client.answer(request)
            assert failed.value.code == 2
