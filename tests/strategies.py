"""Hypothesis strategies for the core's types: every value that they draw is one that the wire accepts (W2).

The cluster is `SITES`, three of them; numbers reach up to 2**53, with the small ones that collide drawn often.
"""

from __future__ import annotations

from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec.structs import replace

from engine.core.entry import (
    NOOP,
    TEXT_MAX,
    Block,
    Entry,
    Operation,
    Stamped,
    Tweet,
    Unblock,
    Withdrawal,
    encode,
)
from engine.core.ids import NUMBER_MAX, Ballot, Nonce, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    Act,
    Ask,
    AskHighest,
    AskSlot,
    Cause,
    Chosen,
    Deed,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    Learning,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    SlotState,
    Verdict,
    Welcome,
)
from engine.core.run import AcceptedRun, Run
from engine.core.settings import HEARTBEAT_MAX, Leadership

Item = TypeVar("Item")

SITES: Final = (SiteId("alice"), SiteId("bob"), SiteId("carol"))


def _numbers(least: int) -> SearchStrategy[int]:
    return st.integers(least, least + 5) | st.integers(least, NUMBER_MAX)


site_ids: Final = st.sampled_from(SITES)
slots: Final[SearchStrategy[Slot]] = _numbers(1).map(Slot)
slots_or_none_yet: Final[SearchStrategy[Slot]] = _numbers(0).map(Slot)
"""A prefix or a highest slot: 0 says that there is none."""
ballots: Final = st.builds(Ballot, _numbers(0).map(Round), site_ids)
nonces: Final[SearchStrategy[Nonce]] = _numbers(0).map(Nonce)
ticks: Final[SearchStrategy[Tick]] = _numbers(0).map(Tick)
store_ids: Final[SearchStrategy[StoreId]] = st.text("0123456789abcdef", min_size=16, max_size=16).map(StoreId)

texts: Final = (
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=TEXT_MAX)
    .map(str.strip)
    .filter(bool)
)
operations: Final[SearchStrategy[Operation]] = (
    st.builds(Tweet, texts) | st.builds(Block, site_ids) | st.builds(Unblock, site_ids) | st.just(Withdrawal())
)
bodies: Final = st.builds(Stamped, operations, _numbers(0)).map(encode)


@st.composite
def _authored(draw: st.DrawFn) -> Entry:
    number = draw(_numbers(1))
    return Entry(draw(site_ids), number, draw(st.integers(0, number - 1)), draw(bodies))


entries: Final[SearchStrategy[Entry]] = st.just(NOOP) | _authored()


@st.composite
def spans(draw: st.DrawFn) -> tuple[Slot, Slot]:
    """An inclusive, closed span."""
    first = draw(slots)
    return first, draw(st.integers(first, NUMBER_MAX).map(Slot))


@st.composite
def open_spans(draw: st.DrawFn) -> tuple[Slot, Slot | None]:
    """An inclusive span; `last` None means all after it (A3)."""
    first, last = draw(spans())
    return first, draw(st.sampled_from([last, None]))


refused_spans: Final = st.builds(
    lambda span, ballot, cause: RefusedSpan(span[0], span[1], ballot, cause),
    open_spans(),
    st.none() | ballots,
    st.sampled_from(Cause),
)


def _few(items: SearchStrategy[Item]) -> SearchStrategy[tuple[Item, ...]]:
    return st.lists(items, max_size=3).map(tuple)


def _some(items: SearchStrategy[Item]) -> SearchStrategy[tuple[Item, ...]]:
    """At least one: a message about nothing is none (W2)."""
    return st.lists(items, min_size=1, max_size=3).map(tuple)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    entries_of_run = draw(_some(entries))
    first = draw(slots)
    return Run(Slot(min(first, NUMBER_MAX + 1 - len(entries_of_run))), entries_of_run)


accepted_runs: Final = st.builds(lambda run, ballot: AcceptedRun(run.first, ballot, run.entries), runs(), ballots)


prepares: Final = st.builds(lambda ballot, span: Prepare(ballot, *span), ballots, open_spans())
promises: Final = st.builds(
    lambda ballot, span, accepted, learned, left_out: Promise(ballot, span[0], span[1], accepted, learned, left_out),
    ballots,
    open_spans(),
    _few(accepted_runs),
    _few(runs()),
    _few(refused_spans),
)
accepts: Final = st.builds(Accept, ballots, runs())
acceptances: Final = st.builds(Accepted, ballots, _some(spans()))
refusals: Final = st.builds(Refused, ballots, st.sampled_from(["prepare", "accept"]), _some(refused_spans))
choices: Final = st.builds(
    lambda run, ballot: Chosen(run.first, run.last, ballot, run.entries), runs(), st.none() | ballots
) | st.builds(lambda span, ballot: Chosen(span[0], span[1], ballot, ()), spans(), ballots)
questions: Final = st.builds(Ask, nonces, _some(spans()))
answers: Final = st.builds(
    lambda nonce, span, learned: Known(nonce, span[0], span[1], learned), nonces, spans(), _few(runs())
)
highest_questions: Final = st.builds(AskHighest, nonces)
highest_answers: Final = st.builds(Highest, nonces, slots_or_none_yet, slots_or_none_yet)
digests: Final = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")
hellos: Final = st.builds(Hello, nonces, st.none() | nonces, digests)
welcomes: Final = st.builds(Welcome, nonces, st.sampled_from(Verdict), st.none() | nonces, texts)
heartbeats: Final = st.builds(
    Heartbeat,
    st.sampled_from([leadership.value for leadership in Leadership]),
    st.booleans(),
    slots_or_none_yet,
    slots_or_none_yet,
    ticks,
    st.none() | ticks,
    _numbers(0),
    st.integers(1, HEARTBEAT_MAX).map(Tick),
    st.none() | ballots,
    st.booleans(),
    st.none() | ballots,
)
handings: Final = st.builds(
    lambda author, events, relayed: HandOn(tuple(replace(event, author=author) for event in events), relayed),
    site_ids,
    _some(_authored()),
    st.booleans(),
)
slot_questions: Final = st.builds(AskSlot, nonces, slots)
learnings: Final = st.builds(
    Learning, st.sampled_from(["votes", "chosen", "known"]), st.none() | ballots, site_ids, _few(site_ids), _numbers(0)
)
deeds: Final = st.builds(Deed, st.sampled_from(Act), ballots, _numbers(0))
slot_states: Final = st.builds(
    lambda nonce, slot, voting, promised, vote, entry, learned, learning, acts: SlotState(
        nonce, slot, voting, promised, vote[0], vote[1], entry, learned, learning, acts
    ),
    nonces,
    slots,
    st.booleans(),
    st.none() | ballots,
    st.just((None, None)) | st.tuples(ballots, entries.map(lambda entry: entry.digest)),
    st.none() | entries,
    st.booleans(),
    st.none() | learnings,
    _few(deeds),
)

KINDS: Final[tuple[SearchStrategy[Message], ...]] = (
    prepares,
    promises,
    accepts,
    acceptances,
    refusals,
    choices,
    questions,
    answers,
    highest_questions,
    highest_answers,
    hellos,
    welcomes,
    heartbeats,
    handings,
    slot_questions,
    slot_states,
)
"""One a kind of message."""

messages: Final[SearchStrategy[Message]] = st.one_of(*KINDS)


def packets(sender: SiteId) -> SearchStrategy[Packet]:
    """Packets of one to four messages."""
    return st.builds(
        Packet,
        st.just(sender),
        store_ids,
        _numbers(0),
        st.none() | store_ids,
        st.lists(messages, min_size=1, max_size=4).map(tuple),
    )
