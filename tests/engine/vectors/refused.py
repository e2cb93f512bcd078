"""Datagrams that bob drops, each with the reason that `status` counts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

from engine import seal as seal_module
from engine.datagram import Reason
from engine.seal import NAME_BYTES, VERSION, Seal
from tests.engine.vectors.said import (
    ALICE,
    BOB,
    CAROL,
    CHALLENGE,
    CLUSTER,
    KEY,
    LIVES,
    NOON,
    SALTS,
    Sayings,
    shown,
)

Json = Any


def _packet_text(*messages: Json) -> bytes:
    return json.dumps([LIVES[ALICE], 41, LIVES[BOB], messages], separators=(",", ":"), ensure_ascii=False).encode()


_ENTRY: Final = [ALICE, 2, 1, f"tweet {NOON} hello"]
_BALLOT: Final = [2, ALICE]


def _entry(**changed: Json) -> bytes:
    entry = dict(zip(("author", "number", "follows", "body"), _ENTRY, strict=True)) | changed
    return _packet_text(["accept", _BALLOT, [3, [_ENTRY, [*entry.values()]]]])


OPENED_AND_REFUSED: Final[Sequence[tuple[str, Reason, bytes]]] = (
    ("no JSON", Reason.NOT_JSON, b"hello"),
    ("a lone surrogate", Reason.NOT_JSON, b'["\\ud800",41,null,[["ask-highest",9]]]'),
    ("a byte that is not UTF-8", Reason.NOT_JSON, b'["\xff",41,null,[["ask-highest",9]]]'),
    ("no packet", Reason.MESSAGE, b"[]"),
    ("no message", Reason.MESSAGE, _packet_text()),
    ("a store in capital letters", Reason.MESSAGE, b'["A11CE00000000001",41,null,[["ask-highest",9]]]'),
    ("an unknown word", Reason.MESSAGE, _packet_text(["propose", 9])),
    ("a word in another case", Reason.MESSAGE, _packet_text(["Ask-Highest", 9])),
    ("a field that is missing", Reason.MESSAGE, _packet_text(["prepare", _BALLOT, 3])),
    ("a field too many", Reason.MESSAGE, _packet_text(["ask-highest", 9, None])),
    ("one bad message among good ones", Reason.MESSAGE, _packet_text(["ask-highest", 9], ["ask-highest", None])),
    ("true is no 1", Reason.MESSAGE, _packet_text(["accepted", _BALLOT, [[True, 1]]])),
    ("2.0 is no 2", Reason.MESSAGE, b'["a11ce00000000001",41,null,[["ask-highest",2.0]]]'),
    ("text is no number", Reason.MESSAGE, _packet_text(["ask-highest", "9"])),
    ("above 2^53", Reason.MESSAGE, _packet_text(["ask-highest", 2**53 + 1])),
    ("2^64", Reason.MESSAGE, _packet_text(["prepare", [2**64, ALICE], 3, 3])),
    ("below 0", Reason.MESSAGE, _packet_text(["prepare", [-1, ALICE], 3, 3])),
    ("slot 0", Reason.MESSAGE, _packet_text(["prepare", _BALLOT, 0, 3])),
    ("a range that ends before it begins", Reason.MESSAGE, _packet_text(["prepare", _BALLOT, 4, 3])),
    ("about no slot", Reason.MESSAGE, _packet_text(["accepted", _BALLOT, []])),
    ("a run of no slot", Reason.MESSAGE, _packet_text(["accept", _BALLOT, [3, []]])),
    ("a run past the highest slot", Reason.MESSAGE, _packet_text(["accept", _BALLOT, [2**53, [_ENTRY, _ENTRY]]])),
    ("a span that ends before it begins", Reason.MESSAGE, _packet_text(["accepted", _BALLOT, [[4, 3]]])),
    ("neither ballot nor entries", Reason.MESSAGE, _packet_text(["chosen", 3, 3, None, []])),
    ("another number of entries than of slots", Reason.MESSAGE, _packet_text(["chosen", 3, 4, _BALLOT, [_ENTRY]])),
    ("an unknown cause", Reason.MESSAGE, _packet_text(["refused", _BALLOT, "accept", [[3, 3, None, "mood"]]])),
    (
        "a heartbeat too rare",
        Reason.MESSAGE,
        _packet_text(["heartbeat", "none", True, 0, 0, 1, None, 0, 60_001, None, False, None]),
    ),
    (
        "accepted, and no digest of it",
        Reason.MESSAGE,
        _packet_text(["slot-state", 9, 3, True, _BALLOT, _BALLOT, None, None, False, None, []]),
    ),
    ("a ballot of what is no name", Reason.SITE, _packet_text(["prepare", [2, "Zoe"], 3, 3])),
    ("an author who is no name", Reason.SITE, _entry(author="zoe!")),
    ("an entry that follows itself", Reason.ENTRY, _entry(follows=2)),
    ("a no-op that says something", Reason.ENTRY, _entry(author=None)),
    ("a body of another kind", Reason.ENTRY, _entry(body=f"shout {NOON} hello")),
    ("a time with a leading zero", Reason.ENTRY, _entry(body="tweet 01 hello")),
    ("white space at the end of a tweet", Reason.ENTRY, _entry(body="tweet 1 hello ")),
    ("a tweet of 281 characters", Reason.ENTRY, _entry(body=f"tweet 1 {'a' * 281}")),
    ("a tweet on two lines", Reason.ENTRY, _entry(body="tweet 1 a\nb")),
    ("a block of what is no name", Reason.ENTRY, _entry(body="block 1 Alice")),
    (
        "events of two authors",
        Reason.ENTRY,
        _packet_text(["hand-on", [_ENTRY, [BOB, *_ENTRY[1:]]], False]),
    ),
    ("a part beyond the last", Reason.PART, b"\x01" + bytes(8) + b"\x02\x02" + b"x"),
    ("the only part", Reason.PART, b"\x01" + bytes(8) + b"\x00\x01" + b"x"),
    ("a part without a piece", Reason.PART, b"\x01" + bytes(8) + b"\x00\x02"),
    ("a sounding that is not filled with zeros", Reason.SOUNDING, b"\x02" + CHALLENGE + b"x"),
    ("a question about the founders that is too short", Reason.FOUNDERS, b"\x04" + CHALLENGE + bytes(99)),
    ("founders that are not sorted", Reason.FOUNDERS, b"\x05" + CHALLENGE + b"bob\nalice"),
    ("founders of which one has no name", Reason.FOUNDERS, b"\x05" + CHALLENGE + b"alice\nBob"),
    ("a question about a clock that is too short", Reason.CLOCK, b"\x06" + CHALLENGE + bytes(7)),
    ("a clock beyond the calendar", Reason.CLOCK, b"\x07" + CHALLENGE + bytes.fromhex("0000e677d21fdc00")),
    ("an echo that is too long", Reason.SOUNDING, b"\x03" + CHALLENGE + b"\0"),
)
"""They open; what is in them is refused."""


def _from(sealed: bytes, name: bytes) -> bytes:
    return sealed[:2] + name.ljust(NAME_BYTES, b"\0") + sealed[2 + NAME_BYTES :]


def refused() -> Iterator[dict[str, Json]]:
    good = _packet_text(["ask-highest", 9])
    sayings = Sayings()
    sealed = bytes.fromhex(sayings.datagram("", ALICE, BOB, good)["sealed"])
    foreign = {
        "another cluster's": Seal(KEY, "another-island", ALICE),
        "another key's": Seal(bytes(32), CLUSTER, ALICE),
    }
    to_carol = sayings.processes[ALICE].seal(CAROL, good)
    changed = {
        "no byte": (Reason.EMPTY, b""),
        "cut short within the header": (Reason.SHORT, sealed[:73]),
        "too long": (Reason.OVERSIZE, None),
        "no datagram of Loggos": (Reason.VERSION, b"\x00" + sealed[1:]),
        "of the version before": (Reason.VERSION, sealed[:1] + bytes((VERSION - 1,)) + sealed[2:]),
        "of another version": (Reason.VERSION, sealed[:1] + bytes((VERSION + 1,)) + sealed[2:]),
        "for another site": (Reason.NOT_FOR_US, to_carol),
        "for another site, with its addressee changed": (Reason.FORGED, to_carol[:18] + sealed[18:34] + to_carol[34:]),
        "from bob himself": (Reason.SENDER, _from(sealed, b"bob")),
        "from what is no name": (Reason.SENDER, _from(sealed, b"Alice")),
        "from a name that goes on after a zero": (Reason.SENDER, _from(sealed, b"alice\0x")),
        "with its sender changed": (Reason.FORGED, _from(sealed, b"carol")),
        "with its salt changed": (Reason.FORGED, sealed[:34] + b"\x00" + sealed[35:]),
        "with its counter changed": (Reason.FORGED, sealed[:57] + b"\x01" + sealed[58:]),
        "with a bit of its content changed": (Reason.FORGED, sealed[:60] + bytes((sealed[60] ^ 1,)) + sealed[61:]),
        "truncated by a byte": (Reason.FORGED, sealed[:-1]),
        "prolonged by a byte": (Reason.FORGED, sealed + b"\0"),
    }
    for what, seal in foreign.items():
        with mock.patch.object(seal_module, "os", SimpleNamespace(urandom=lambda _: SALTS[ALICE])):
            yield {"what": what, "reason": Reason.FORGED, "sealed": seal.seal(BOB, good).hex()}
    for what, (reason, datagram) in changed.items():
        if datagram is None:
            yield {"what": what, "reason": reason, "zero_bytes": 60_001}
        else:
            yield {"what": what, "reason": reason, "sealed": datagram.hex()}
    for what, reason, plaintext in OPENED_AND_REFUSED:
        made = sayings.datagram(what, ALICE, BOB, plaintext)
        yield {"what": what, "reason": reason, **shown(plaintext), "sealed": made["sealed"]}
