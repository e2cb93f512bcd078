"""W5, end to end: whatever the doors of a site let in, its next start reads, its readers show and a peer learns.

Rules that hold here:
- The doors are the real ones: a request's line, the wall's clock, a peer's bytes, the store's file. Behind them is what
  serves: pending calls, replica and store, committed as a node does. The test speaks for the peers.
- A peer may say anything that the wire takes, but for events of this site: it authors none of them (nobody lies).
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.codec import decode_packet, encode_packet
from engine.contract.limits import LINE_BYTES_MAX
from engine.contract.params import CallId
from engine.contract.requests import Blocks, Data, Events, Inspect, Log, Query, Submit, View
from engine.contract.shape import Shape
from engine.core.effects import Effects, SawOutcome
from engine.core.entry import AT_MS_MAX, Entry, Stamped, Tweet, encode
from engine.core.ids import NUMBER_MAX, SiteId, Slot, StoreId, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    AskHighest,
    Chosen,
    Hello,
    Highest,
    Message,
    Packet,
    Prepare,
    Promise,
    Verdict,
    Welcome,
)
from engine.core.replica import Replica
from engine.core.settings import Leadership, Settings
from engine.core.storage import LogRow
from engine.datagram import Rejected
from engine.runtime import jsonrpc
from engine.runtime.clock import Clock
from engine.runtime.faults import FaultLayer
from engine.runtime.inbox import Asked
from engine.runtime.jsonrpc import CallFailed, CallRefused
from engine.runtime.pending_calls import PendingCalls
from engine.runtime.queries import Queries
from engine.runtime.searching import NoWords, Searching
from engine.runtime.shapes import outcome_of
from engine.runtime.status import StatusBoard
from engine.runtime.trace import Trace
from storage.audit.run import audit
from storage.schema import Identity
from storage.sqlite import open_store
from tests.core.stage import life_of
from tests.strategies import SITES, accepts, choices, messages
from tui.commands import audit as audit_command
from tui.times import clock_ms, day_or_clock

ALICE, BOB, CAROL = SITES
PLAINTEXT_BYTES_MAX: Final = 60_000
TEXTS: Final = (
    *("\ud800", "a\x00b", "a\u2028b", "\N{GRINNING FACE}" * 280, "\uffff" * 280, "\u202e\u0301 \ufeff"),
    "x" * 281,
)
TIMES_MS: Final = (
    *(-(2**62), -86_400_000, -1, 0, AT_MS_MAX, AT_MS_MAX + 1, 2**53, 2**53 + 1, 2**62),
    1_795_262_400_123,
)
BODIES: Final = (
    "tweet -86400000 hello",
    f"tweet {NUMBER_MAX + 1} hello",
    "tweet 1 \x00",
    "toot 1 hello",
    "block 1 Bob",
    "",
)
"""What a peer may write that no site reads."""
NUMBERS: Final = (*(-1, 0, 1, 2, 65_537, NUMBER_MAX, NUMBER_MAX + 1, 2**64, 2**70), 0.5, True, None, "1")


class WallClock(Clock):
    """Says what the test says: it is set wrong, and set anew at any moment."""

    def __init__(self) -> None:
        self.tick = Tick(0)
        self.says_ms = 0
        self._began_wall_ms = 0

    def now(self) -> Tick:
        return self.tick

    def wall_ms(self) -> int:
        return self.says_ms


class Asker:
    """A client: whatever it is answered is one line."""

    closed = False
    queued_bytes = 0

    def answer(self, call_id: CallId, value: Shape) -> None:
        assert len(jsonrpc.result(call_id, value)) <= LINE_BYTES_MAX

    def answer_all(self, answers: Sequence[tuple[CallId, Shape]]) -> None:
        for call_id, value in answers:
            self.answer(call_id, value)

    def fail(self, failed: CallFailed) -> None:
        self.notify(jsonrpc.failure(failed))

    def notify(self, line: bytes) -> None:
        assert len(line) <= LINE_BYTES_MAX

    def taken(self, size_bytes: int) -> None:
        pass


class Process:
    """One process of a site, on the store in its folder."""

    def __init__(self, site: SiteId, folder: Path, clock: WallClock) -> None:
        self.site = site
        self.clock = clock
        self.stopped = False
        self._settings = Settings(site, SITES, Leadership.NONE)
        self.storage = open_store(folder, Identity("paxos-island", site, SITES))
        stored = self.storage.load()
        self.life: StoreId = stored.life
        self.replica = Replica(self._settings, stored, self.storage, Random(1))
        self.queries = Queries(
            settings=self._settings,
            replica=self.replica,
            storage=self.storage,
            searching=Searching(self.replica, self.storage, NoWords(), stored.life),
            trace=Trace(),
            fault_layer=FaultLayer(site, SITES, 0),
            board=cast(StatusBoard, None),
            clock=clock,
        )
        self._pending = PendingCalls(self._settings, self.replica, self.queries)
        self._asked = 0
        self.perform(self.replica.start(clock.now()))

    def close(self) -> None:
        self.storage.close()

    def submit(self, params: dict[str, Any]) -> None:
        """A line comes on the control socket."""
        asker = Asker()
        self._asked += 1
        line = as_json({"jsonrpc": "2.0", "id": self._asked, "method": "submit", "params": params})
        try:
            call = jsonrpc.decode(line)
            action = call.request()
            assert isinstance(action, Submit)
            self._pending.collect(Asked(asker, call.id, action, len(line)), action, self.clock.wall_ms())
            self.perform(self._pending.push(self.clock.now()))
        except CallFailed as failed:
            asker.fail(failed)
        except CallRefused:
            pass

    def hear(self, sender: SiteId, *said: Message) -> None:
        """A packet comes, as its sender writes it and this site reads it."""
        packet = Packet(sender, life_of(sender), NUMBER_MAX, self.life, said)
        for plaintext in encode_packet(packet, PLAINTEXT_BYTES_MAX):
            with suppress(Rejected):
                self.perform(self.replica.receive(self.clock.now(), decode_packet(sender, plaintext)))

    def wait(self, ticks: int) -> None:
        until = self.clock.tick + ticks
        while self.replica.deadline() <= until and not self.stopped:
            self.clock.tick = max(self.clock.tick, self.replica.deadline())
            self.perform(self.replica.tick(self.clock.tick))
        self.clock.tick = Tick(until)

    def perform(self, effects: Effects) -> None:
        """As a node does; and the peers answer."""
        if effects.writes:
            self.replica.committed(self.storage.commit(effects.writes))
        if effects.stop is not None:
            self.stopped = True
            return
        self._pending.observe(effects.observations)
        for saw in effects.observations:
            if isinstance(saw, SawOutcome):
                winner = self.queries.entry_at(saw.slot) if saw.to_kind is not None else None
                self._pending.outcome(saw, outcome_of(saw, winner))
        for send in effects.sends:
            for plaintext in encode_packet(self.replica.packet(send.to, (send.message,)), PLAINTEXT_BYTES_MAX):
                for message in self._read_by_peers(plaintext).messages:
                    self._is_answered(send.to, message)

    def _read_by_peers(self, plaintext: bytes) -> Packet:
        try:
            return decode_packet(self.site, plaintext)
        except Rejected as rejected:
            raise AssertionError(f"no peer reads {plaintext!r}") from rejected

    def _is_answered(self, peer: SiteId, message: Message) -> None:
        """A peer that remembers this store, and has nothing in the way."""
        match message:
            case Hello(nonce=nonce):
                self.hear(peer, Welcome(nonce, Verdict.RECORDED, None, ""))
            case AskHighest(nonce=nonce):
                self.hear(peer, Highest(nonce, Slot(0), Slot(0)))
            case Prepare(ballot=ballot, first=first, last=last):
                self.hear(peer, Promise(ballot, first, last, (), (), ()))
            case Accept(ballot, run):
                self.hear(peer, Accepted(ballot, ((run.first, run.last),)))
            case _:
                pass

    def rows(self) -> list[LogRow]:
        return self.storage.log_rows(Slot(1), Slot(NUMBER_MAX))

    def shows(self) -> None:
        """Every reader reads all that there is, and a screen can paint its times."""
        rows = self.rows()
        slots = tuple(row.slot for row in rows)
        queries: list[Query] = [
            View(limit=1_000),
            Log(limit=1_000),
            Data(slots=slots),
            Data(),
            Blocks(),
            Events(limit=1_000),
        ]
        for query in (*queries, *(Inspect(slot=slot) for slot in slots)):
            answer = orjson.loads(jsonrpc.result(1, self.queries.answer(query)))["result"]
            for line in answer.get("lines", ()):
                if line.get("at") is not None:
                    assert day_or_clock(line["at"])
                    assert clock_ms(line["at"])
        after: Slot | None = Slot(0)
        while after is not None:
            after = self.storage.scrub(after, 1_000)


def chosen_from_1(entries: Sequence[Entry]) -> Chosen:
    return Chosen(Slot(1), Slot(len(entries)), None, tuple(entries))


def as_json(value: object) -> bytes:
    """As a client of any language may write it: lone surrogates and numbers of any size too."""
    return json.dumps(value).encode()


texts: Final = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=()), max_size=281)
odd: Final = st.fixed_dictionaries(
    {"kind": st.sampled_from(["tweet", "block", "unblock", "poke"])},
    optional={
        "text": texts,
        "target": st.sampled_from([*SITES, *TEXTS]),
        "timeout_s": st.sampled_from(NUMBERS) | st.floats(),
        "retry": st.booleans(),
        "slot": st.sampled_from(NUMBERS),
    },
)
"""Most of it is refused."""

params: Final = st.one_of(
    st.builds(lambda text: {"kind": "tweet", "text": text}, texts),
    st.builds(
        lambda kind, target: {"kind": kind, "target": target},
        st.sampled_from(["block", "unblock"]),
        st.sampled_from([*SITES, *TEXTS]),
    ),
    odd,
)
times_ms: Final = st.sampled_from(TIMES_MS) | st.integers(-(2**70), 2**70)
written: Final = st.builds(
    lambda text, at_ms: encode(Stamped(Tweet(text), at_ms)),
    st.sampled_from(["hello", "\N{GRINNING FACE}" * 280]),
    st.sampled_from([at_ms for at_ms in TIMES_MS if 0 <= at_ms <= NUMBER_MAX]),
)
told: Final = st.builds(
    lambda bodies: chosen_from_1([Entry(BOB, n, n - 1, body) for n, body in enumerate(bodies, start=1)]),
    st.lists(written | st.sampled_from(BODIES), min_size=1, max_size=3),
)
"""A log that begins as a peer says, whose clock is as wrong."""

Step = Callable[[Process], None]


def asked(params: dict[str, Any], at_ms: int) -> Step:
    def step(process: Process) -> None:
        process.clock.says_ms = at_ms
        process.submit(params)

    return step


def heard(sender: SiteId, said: list[Message]) -> Step:
    return lambda process: process.hear(sender, *said)


def waited(ticks: int) -> Step:
    return lambda process: process.wait(ticks)


steps: Final = st.one_of(
    st.builds(asked, params, times_ms),
    st.builds(
        heard, st.sampled_from([BOB, CAROL]), st.lists(told | accepts | choices | messages, min_size=1, max_size=3)
    ),
    st.builds(waited, st.integers(1, 2_000)),
)


@given(st.lists(steps, min_size=1, max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_w5_what_was_taken_in_is_read_at_the_next_start_shown_and_learned_by_a_peer(taken: list[Step]) -> None:
    with TemporaryDirectory() as data:
        clock = WallClock()
        with closing(Process(ALICE, Path(data, ALICE), clock)) as alice:
            for step in taken:
                if not alice.stopped:
                    step(alice)
            alice.shows()
            before = alice.rows()
        with closing(Process(ALICE, Path(data, ALICE), clock)) as alice:
            assert [row.learned for row in alice.rows()][: len(before)] == [row.learned for row in before]
            alice.wait(1_000)
            alice.shows()
            known = {row.slot: row.learned for row in alice.rows() if row.learned is not None}
        if known:
            with closing(Process(BOB, Path(data, BOB), clock)) as bob:
                bob.hear(ALICE, *(Chosen(slot, slot, None, (entry,)) for slot, entry in known.items()))
                assert [row.learned for row in bob.rows()] == [*known.values()]
            with closing(Process(BOB, Path(data, BOB), clock)) as bob:
                bob.shows()
        report = audit([Path(data)])
        assert not report.unreadable
        assert "D3" not in {violation.rule for violation in report.violations}
        with redirect_stdout(StringIO()) as printed:
            audit_command.run(Namespace(folders=[data], json=False))
        assert printed.getvalue()
