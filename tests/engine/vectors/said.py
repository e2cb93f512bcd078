"""What three sites say to each other, an example of each message and more, as the bytes that leave.

Rules that hold here:
- What a field is called in `says` is what docs/protocol.md calls it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

from msgspec import Struct
from msgspec.structs import astuple, fields

from engine import seal as seal_module
from engine.codec import encode_packet
from engine.core.entry import NOOP, Block, Entry, Stamped, Tweet, Withdrawal, encode
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
    How,
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
from engine.core.settings import Leadership, founders_digest
from engine.datagram import PLAINTEXT_BYTES_MAX, SEAL_BYTES
from engine.parts import Cutter
from engine.seal import HEADER_BYTES, Seal
from engine.wire import FOUNDERS_BYTES

Json = Any

KEY: Final = bytes(range(32))
CLUSTER: Final = "paxos-island"
ALICE, BOB, CAROL = SITES = (SiteId("alice"), SiteId("bob"), SiteId("carol"))
LIVES: Final = {
    ALICE: StoreId("a11ce00000000001"),
    BOB: StoreId("0b0b000000000001"),
    CAROL: StoreId("ca40100000000001"),
}
FOUNDERS: Final = founders_digest(SITES)
LOST: Final = StoreId("ca40100000000002")
"""Carol's store, after she lost the first."""
SALTS: Final = {site: bytes(range(first, first + 16)) for site, first in zip(SITES, (0xA0, 0xB0, 0xC0), strict=True)}
NOON: Final = 1_763_726_400_000

LUNCH: Final = Entry(ALICE, 1, 0, encode(Stamped(Tweet("lunch at noon?"), NOON)))
CAFE: Final = Entry(CAROL, 7, 5, encode(Stamped(Tweet('café "au \\ quai" ⛵'), NOON + 1)))
BLOCK: Final = Entry(BOB, 3, 2, encode(Stamped(Block(ALICE), NOON + 2)))
TAKEN_BACK: Final = Entry(ALICE, 2, 1, encode(Stamped(Withdrawal(), NOON + 3)))


def ballot(number: int, site: SiteId) -> Ballot:
    return Ballot(Round(number), site)


def prepare(number: Ballot, first: int, last: int | None) -> Prepare:
    return Prepare(number, Slot(first), None if last is None else Slot(last))


def run(slot: int, *entries: Entry) -> Run:
    return Run(Slot(slot), entries)


def accept(number: Ballot, slot: int, *entries: Entry) -> Accept:
    """In the slots from `slot` on."""
    return Accept(number, run(slot, *entries))


def chosen(slot: int, *entries: Entry, at: Ballot | None = None) -> Chosen:
    return Chosen(Slot(slot), Slot(slot + len(entries) - 1), at, entries)


def chosen_at(number: Ballot, first: int, last: int) -> Chosen:
    """With the ballot alone."""
    return Chosen(Slot(first), Slot(last), number, ())


def hello(nonce: int, proof: int | None) -> Hello:
    return Hello(Nonce(nonce), None if proof is None else Nonce(proof), FOUNDERS)


def welcome(nonce: int, verdict: Verdict, challenge: int | None = None) -> Welcome:
    return Welcome(Nonce(nonce), verdict, None if challenge is None else Nonce(challenge), "")


def ask(nonce: int, *asked: tuple[int, int]) -> Ask:
    return Ask(Nonce(nonce), spans(*asked))


def spans(*some: tuple[int, int]) -> tuple[tuple[Slot, Slot], ...]:
    return tuple((Slot(first), Slot(last)) for first, last in some)


def left_out(slot: int, number: Ballot | None, cause: Cause) -> RefusedSpan:
    return RefusedSpan(Slot(slot), Slot(slot), number, cause)


def heartbeat(leads: Ballot | None) -> Heartbeat:
    return Heartbeat(
        Leadership.ELECTED, True, Slot(8), Slot(9), Tick(70_000), Tick(5), 3, Tick(500), leads, leads is not None, None
    )


def seals() -> dict[SiteId, Seal]:
    """One process of each site, with the salt of the page."""
    made = {site: Seal(KEY, CLUSTER, site) for site in SITES}
    for site, seal in made.items():
        with mock.patch.object(seal_module, "os", SimpleNamespace(urandom=lambda _, site=site: SALTS[site])):
            seal.seal(next(other for other in SITES if other != site), b"")
        seal._counter = 0
    return made


def named(value: object) -> Json:
    """A value with the names of its fields; a message has its word for `type`."""
    match value:
        case Struct():
            tag = value.__struct_config__.tag
            word = {} if tag is None else {"type": tag}
            pairs = zip(fields(type(value)), astuple(value), strict=True)
            return word | {each.encode_name: named(inside) for each, inside in pairs}
        case tuple():
            return [named(each) for each in value]
        case Enum():
            return value.value
        case _:
            return value


DATAGRAMS: Final[Sequence[tuple[str, SiteId, SiteId, tuple[Message, ...]]]] = (
    ("a first hello names no store of the addressee", ALICE, BOB, (hello(11, None),)),
    ("the answer to it", BOB, ALICE, (welcome(11, Verdict.UNPROVEN, 4_711),)),
    ("hello with the proof", ALICE, BOB, (hello(12, 4_711),)),
    ("the store is recorded", BOB, ALICE, (welcome(12, Verdict.RECORDED),)),
    ("a sign of life of a leader", CAROL, ALICE, (heartbeat(ballot(3, CAROL)),)),
    ("prepare of one slot", ALICE, BOB, (prepare(ballot(1, ALICE), 9, 9),)),
    ("prepare of a range", ALICE, BOB, (prepare(ballot(2, ALICE), 9, 12),)),
    ("prepare of all slots from one on", CAROL, BOB, (prepare(ballot(3, CAROL), 9, None),)),
    ("a promise of an empty slot", BOB, ALICE, (Promise(ballot(1, ALICE), Slot(9), Slot(9), (), (), ()),)),
    (
        "a promise that tells all there is, and ends early",
        BOB,
        CAROL,
        (
            Promise(
                ballot(3, CAROL),
                Slot(9),
                Slot(40),
                (
                    AcceptedRun(Slot(10), ballot(0, ALICE), (TAKEN_BACK,)),
                    AcceptedRun(Slot(12), ballot(2, BOB), (CAFE, NOOP)),
                ),
                (run(9, LUNCH),),
                (left_out(20, ballot(4, ALICE), Cause.SLOT),),
            ),
        ),
    ),
    ("accept of two slots", ALICE, BOB, (accept(ballot(1, ALICE), 9, LUNCH, NOOP),)),
    ("accepted", BOB, ALICE, (Accepted(ballot(1, ALICE), spans((9, 10))),)),
    ("accepted, of more slots a part", BOB, ALICE, (Accepted(ballot(2, ALICE), spans((9, 11), (13, 13))),)),
    (
        "refused",
        BOB,
        ALICE,
        (
            Refused(
                ballot(1, ALICE),
                "accept",
                (
                    left_out(11, ballot(2, CAROL), Cause.RANGE),
                    left_out(90_000, None, Cause.FAR),
                ),
            ),
        ),
    ),
    ("chosen, with the ballot alone", ALICE, BOB, (chosen_at(ballot(1, ALICE), 9, 10),)),
    ("chosen, with the entries", ALICE, CAROL, (chosen(9, LUNCH, NOOP, at=ballot(1, ALICE)),)),
    ("chosen, whatever the ballot was", BOB, CAROL, (chosen(10, NOOP),)),
    ("ask", ALICE, BOB, (ask(13, (1, 4), (7, 7)),)),
    ("known", BOB, ALICE, (Known(Nonce(13), Slot(1), Slot(4), (run(1, CAFE, TAKEN_BACK), run(4, BLOCK))),)),
    ("the highest number", ALICE, BOB, (AskHighest(Nonce(NUMBER_MAX)),)),
    ("highest", BOB, ALICE, (Highest(Nonce(NUMBER_MAX), Slot(12), Slot(8)),)),
    ("events handed on", ALICE, CAROL, (HandOn((LUNCH, TAKEN_BACK), False),)),
    ("a person's question", ALICE, BOB, (AskSlot(Nonce(14), Slot(9)),)),
    (
        "its answer",
        BOB,
        ALICE,
        (
            SlotState(
                Nonce(14),
                Slot(9),
                True,
                ballot(2, CAROL),
                ballot(1, ALICE),
                LUNCH.digest,
                LUNCH,
                True,
                Learning(How.VOTES, ballot(1, ALICE), ALICE, (ALICE, BOB), 41),
                (Deed(Act.PROMISED, ballot(1, ALICE), 50), Deed(Act.ACCEPTED, ballot(1, ALICE), 45)),
            ),
        ),
    ),
    (
        "three messages in one packet",
        CAROL,
        BOB,
        (heartbeat(None), accept(ballot(3, CAROL), 11, CAFE), AskHighest(Nonce(15))),
    ),
)
"""What it is, from whom, to whom, and what is said."""

LONG: Final = accept(ballot(5, ALICE), 20, *[CAFE] * 6)
PART_BYTES: Final = 300
CHALLENGE: Final = bytes(range(0x10, 0x18))
CLOCK_MS: Final = 1_795_854_600_000


@dataclass
class Sayings:
    """The processes of the three sites, and what they say one after the other."""

    processes: dict[SiteId, Seal] = field(default_factory=seals)
    counters: dict[SiteId, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))

    def datagram(self, what: str, sender: SiteId, to: SiteId, plaintext: bytes) -> dict[str, Json]:
        sealed = self.processes[sender].seal(to, plaintext)
        counter = self.counters[sender]
        self.counters[sender] += 1
        header = {"counter": counter, "header": sealed[:HEADER_BYTES].hex()}
        return {"what": what, "from": sender, "to": to, **header, **shown(plaintext), "sealed": sealed.hex()}


def shown(plaintext: bytes) -> dict[str, Json]:
    """As text, where it is some."""
    try:
        text = plaintext.decode()
    except UnicodeDecodeError:
        text = ""
    return {"open": text} if text[:1] >= " " else {"open_hex": plaintext.hex()}


def packet(sender: SiteId, to: SiteId, messages: tuple[Message, ...]) -> Packet:
    first = any(isinstance(message, Hello) and message.proof is None for message in messages)
    return Packet(sender, LIVES[sender], 41, None if first else LIVES[to], messages)


def plaintext_of(said: Packet) -> bytes:
    [whole] = encode_packet(said, PLAINTEXT_BYTES_MAX)
    return whole


def datagrams() -> Iterator[dict[str, Json]]:
    sayings = Sayings()
    for what, sender, to, messages in DATAGRAMS:
        made = sayings.datagram(what, sender, to, plaintext_of(packet(sender, to, messages)))
        yield made | {"says": named(messages)}
    parts = Cutter(0x0102030405060708).cut(plaintext_of(packet(ALICE, BOB, (LONG,))), PART_BYTES)
    for place, part in enumerate(parts, 1):
        made = sayings.datagram(f"part {place} of {len(parts)} of a longer packet", ALICE, BOB, part)
        yield made if place < len(parts) else made | {"says": named((LONG,))}
    for what, sender, to, plaintext in (
        ("a sounding of 100 bytes", ALICE, BOB, (b"\x02" + CHALLENGE).ljust(100 - SEAL_BYTES, b"\0")),
        ("its echo", BOB, ALICE, b"\x03" + CHALLENGE),
        (
            "with whom did the cluster begin?",
            BOB,
            ALICE,
            (b"\x04" + CHALLENGE).ljust(FOUNDERS_BYTES, b"\0"),
        ),
        ("with these", ALICE, BOB, b"\x05" + CHALLENGE + b"alice\nbob\ncarol"),
        ("what does your clock say?", ALICE, BOB, b"\x06" + CHALLENGE + bytes(8)),
        ("half past eight", BOB, ALICE, b"\x07" + CHALLENGE + CLOCK_MS.to_bytes(8, "big")),
    ):
        yield sayings.datagram(what, sender, to, plaintext) | {"challenge": CHALLENGE.hex()}
