"""W5: whatever a site lets in at a door can be read at its next start, and by its peers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codec import decode_packet, encode_packet
from engine.contract.lines import iso
from engine.contract.requests import Submit
from engine.core.entry import (
    BadOperation,
    Block,
    Entry,
    Operation,
    Tweet,
    Unblock,
    Withdrawal,
    clean_text,
    encode,
    stamped,
)
from engine.core.ids import NUMBER_MAX, Ballot, Round, SiteId, Slot, StoreId
from engine.core.messages import Accept, Packet
from engine.core.run import run_of
from engine.core.storage import EventRun, EventState
from engine.datagram import Reason, Rejected
from engine.runtime.jsonrpc import Call, CallFailed
from storage import rows
from tests.runtime.sites import RpcFailed, cluster

ALICE, BOB = SiteId("alice"), SiteId("bob")
CLOCKS = [-(2**62), -86_400_000, -1, 0, 253_402_300_800_000, 2**53, 2**62]
"""Milliseconds since 1970, as a broken clock may say them."""

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def operations() -> st.SearchStrategy[Operation]:
    texts = st.text(st.characters(exclude_categories=()), max_size=300).map(_tweet).filter(bool)
    return texts.map(lambda text: Tweet(str(text))) | st.sampled_from([Block(BOB), Unblock(BOB), Withdrawal()])


def _tweet(text: str) -> str | None:
    try:
        return clean_text(text)
    except BadOperation:
        return None


@given(operations(), st.integers(-(2**70), 2**70) | st.sampled_from(CLOCKS))
def test_w5_what_any_clock_stamps_and_the_timeline_takes_is_read_by_peer_store_and_screen(
    operation: Operation, at_ms: int
) -> None:
    body = encode(stamped(operation, at_ms))
    entry = Entry(ALICE, 1, 0, body)
    accept = Accept(Ballot(Round(1), ALICE), run_of(Slot(1), entry))
    life = StoreId("0" * 16)
    packet = Packet(ALICE, life, 1, life, (accept,))
    [plaintext] = encode_packet(packet, 60_000)
    assert decode_packet(ALICE, plaintext) == packet
    events = EventRun(1, (body,), EventState.UNKNOWN)
    assert rows.events_of(rows.events_values(events)).run() == events
    assert iso(stamped(operation, at_ms).at_ms).endswith("Z")


@given(
    st.dictionaries(
        st.sampled_from(["kind", "text", "target", "timeout_s", "retry", "slot", "slots", "limit"]),
        anything,
        max_size=5,
    )
)
def test_w5_params_are_taken_in_their_ranges_or_refused(params: dict[str, Any]) -> None:
    for method in ("submit", "fill", "explain", "view", "log", "data", "events", "trace", "faults.add", "subscribe"):
        try:
            request = Call(1, method, params).request()
        except CallFailed:
            continue
        if isinstance(request, Submit):
            assert 0 < request.timeout <= 31_536_000_000
        for name in ("slot", "first", "last", "before"):
            assert 1 <= (getattr(request, name, None) or 1) <= NUMBER_MAX


@pytest.mark.parametrize("start", [b"", b'["0123456789abcdef",1,null,[["chosen",', b'["0123456789abcdef",1,null,'])
def test_w2_depth_without_end_is_rejected(start: bytes) -> None:
    with pytest.raises(Rejected) as rejected:
        decode_packet(BOB, start + b"[" * 50_000)
    assert rejected.value.reason in {Reason.NOT_JSON, Reason.MESSAGE}


@pytest.mark.parametrize("at_ms", CLOCKS)
async def test_w5_a_site_whose_clock_is_wrong_takes_a_tweet_and_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_ms: int
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: at_ms * 1_000_000)
    async with cluster(tmp_path, "alice", "bob") as sites:
        await sites.start_all()
        created = await sites.running["alice"].call("submit", kind="tweet", text="what year is it?", timeout_s=60)
        assert created["outcome"] == "created"
        await sites.stop_all()
        for name in ("alice", "bob"):
            await sites.start(name)
        for running in sites.running.values():
            view = await running.call("view", fresh=True, timeout_s=60)
            assert [line["text"] for line in view["lines"]] == ["what year is it?"]


async def test_w5_text_that_no_peer_reads_is_refused_and_the_engine_goes_on(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice") as sites:
        alice = await sites.start("alice")
        client = await alice.client()
        raw = b'{"jsonrpc":"2.0","id":1,"method":"submit","params":{"kind":"tweet","text":"\\ud800"}}\n'
        await client.stream.send_all(raw)
        with pytest.raises(RpcFailed):
            await client.answer(None)
        for text in ("a\x00b", "a\u2028b", "x" * 281, ""):
            with pytest.raises(RpcFailed):
                await alice.call("submit", kind="tweet", text=text)
        assert (await alice.call("events"))["lines"] == []
