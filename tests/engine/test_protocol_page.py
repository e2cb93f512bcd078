"""docs/protocol.md says what the wire is: its tables are the code's, and they alone tell good packets from bad ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec import Meta, Struct
from msgspec.structs import fields

from engine.core.entry import TEXT_MAX
from engine.core.ids import NUMBER_MAX, SITES_MAX, Nonce, Round, SiteId, Slot, Tick
from engine.core.log.pages import PAGES_PER_ANSWER
from engine.core.messages import Message
from engine.core.peers.heartbeats import UP_BEATS
from engine.core.settings import ROUND_LEAP_MAX, ROUND_MAX, WINDOW_SLOTS
from engine.datagram import (
    DATAGRAM_BYTES_FAR,
    DATAGRAM_BYTES_LOOPBACK,
    DATAGRAM_BYTES_MAX,
    PLAINTEXT_BYTES_MAX,
    SEAL_BYTES,
    Reason,
)
from engine.parts import INCOMPLETE_MAX, PARTS_MAX
from engine.seal import COUNTER_MAX
from engine.wire import CHALLENGE_BYTES

Json = Any

_DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = (_DOCS / "protocol.md").read_text(encoding="utf-8")
VECTORS: Final[Json] = json.loads((_DOCS / "protocol-vectors.json").read_text(encoding="utf-8"))

_ROW: Final = re.compile(r"^\| `(\w+)` \| (.*?) \|(.*)\|$", re.MULTILINE)
TABLES: Final = {
    title.strip("`"): [(name, kind) for name, kind, _ in _ROW.findall(body)]
    for title, body in (part.split("\n", 1) for part in re.split(r"^#### ", PAGE, flags=re.MULTILINE)[1:])
}
"""By the word of a message, or the name of what is in one: its fields and their types, in order."""

KINDS: Final[tuple[type[Message], ...]] = get_args(Message)


def _rows_in(hint: Any) -> set[type[Struct]]:
    """What has a table of its own within a type."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        inside = get_type_hints(hint, include_extras=True)
        return {hint}.union(*(_rows_in(inside[field.name]) for field in fields(hint)))
    return set().union(*map(_rows_in, get_args(hint)))


def _name(row: type[Struct]) -> str:
    return re.sub(r"(?<!^)([A-Z])", r" \1", row.__name__).lower()


ROWS: Final[list[type[Struct]]] = sorted(set().union(*map(_rows_in, KINDS)) - set(KINDS), key=_name)

LIMITS: Final = {
    "bytes of a datagram": DATAGRAM_BYTES_MAX,
    "bytes of header and tag": SEAL_BYTES,
    "bytes of a packet, whole or in parts": PLAINTEXT_BYTES_MAX,
    "parts of a packet": PARTS_MAX,
    "incomplete packets kept, of one sender": INCOMPLETE_MAX,
    "bytes of a challenge of a sounding": CHALLENGE_BYTES,
    "bytes of a datagram toward other hosts, unless longer ones are proved": DATAGRAM_BYTES_FAR,
    "bytes of a datagram on loopback": DATAGRAM_BYTES_LOOPBACK,
    "sites of a cluster": SITES_MAX,
    "slots above the prefix that are voted on": WINDOW_SLOTS,
    "the highest round": ROUND_MAX,
    "how far a round may be above those seen": ROUND_LEAP_MAX,
    "the highest number": NUMBER_MAX,
    "datagrams under one salt": COUNTER_MAX,
    "answers to an `ask`": PAGES_PER_ANSWER,
    "code points of a tweet": TEXT_MAX,
    "heartbeats of silence after which a peer is not there": UP_BEATS,
}

IN_WORDS: Final = {
    "a range that ends before it begins",
    "a span that ends before it begins",
    "a run past the highest slot",
    "neither ballot nor entries",
    "another number of entries than of slots",
    "accepted, and no digest of it",
}
"""What the page says about a message in a sentence, and no type of a field can."""


def _kind_in_words(hint: Any) -> str:
    """A type as the page calls it."""
    arguments = get_args(hint)
    match get_origin(hint):
        case origin if origin is Annotated:
            return _bounded_in_words(arguments[0], arguments[1])
        case origin if origin in (Union, UnionType):
            [kind] = [each for each in arguments if each is not NoneType]
            return f"{_kind_in_words(kind)} or null"
        case origin if origin is Literal:
            return _words(arguments)
        case origin if origin is tuple and arguments[-1] is Ellipsis:
            return f"any number of {_kind_in_words(arguments[0])}"
        case origin if origin is tuple:
            return f"[{', '.join(map(_kind_in_words, arguments))}]"
        case _:
            return _plain_in_words(hint)


def _bounded_in_words(kind: Any, meta: Meta) -> str:
    if meta.min_length == 1:
        return _kind_in_words(kind).replace("any number of", "one or more")
    if meta.pattern is not None:
        return "digest"
    if meta.le != NUMBER_MAX:
        return f"{meta.ge} to {meta.le:,}"
    if kind is Slot:
        return "slot" if meta.ge == 1 else "slot or 0"
    assert meta.ge == 0
    counted: dict[Any, str] = {Round: "round", Nonce: "nonce", Tick: "tick", int: "number"}
    return counted[kind]


def _plain_in_words(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _words([each.value for each in kind])
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _name(kind)
    plain: dict[Any, str] = {SiteId: "site", str: "text", bool: "yes or no"}
    return plain[kind]


def _words(words: Any) -> str:
    *first, last = [f"`{word}`" for word in words]
    return f"{', '.join(first)} or {last}"


def _fields(kind: type[Struct]) -> list[tuple[str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(field.encode_name, _kind_in_words(hints[field.name])) for field in fields(kind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word())
def test_a_message_has_the_fields_of_its_table(kind: type[Message]) -> None:
    assert TABLES[kind.word()] == _fields(kind)


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_what_is_in_messages_has_the_fields_of_its_table(row: type[Struct]) -> None:
    assert TABLES[_name(row)] == _fields(row)


def test_no_table_is_of_what_is_not_said() -> None:
    assert set(TABLES) == {kind.word() for kind in KINDS} | set(map(_name, ROWS))


def test_the_limits_are_the_codes() -> None:
    _, _, section = PAGE.partition("\n## Limits\n")
    rows = re.findall(r"^\| (.+) \| ([\d,^]+) \|$", section.partition("\n## ")[0], re.MULTILINE)
    told = {what: _number(much) for what, much in rows}
    assert told == LIMITS


def _number(text: str) -> int:
    base, _, exponent = text.replace(",", "").partition("^")
    number: int = int(base) ** int(exponent or 1)
    return number


def test_every_reason_why_a_datagram_is_dropped_is_told() -> None:
    told = set(re.findall(r"\(`([a-z-]+)`\)", PAGE))
    assert told >= set(Reason) - {Reason.INCOMPLETE}
    assert {"stale-answer", "other-life"} <= told


def test_the_example_is_the_first_of_the_vectors() -> None:
    first = VECTORS["datagrams"][0]
    link = next(link for link in VECTORS["links"] if (link["from"], link["to"]) == (first["from"], first["to"]))
    _, _, example = PAGE.partition("An example:")
    shown = re.sub(r"\s", "", example)
    cluster = VECTORS["cluster"]
    values = (cluster["key"], cluster["founders"], link["info"], link["key"], first["header"], first["sealed"])
    assert [value for value in (*values, first["open"]) if value not in shown] == []


# The tables alone, read as somebody reads them who has nothing else.


class _Unfit(Exception):
    """A packet is not as the page says."""


def _check_packet(packet: Json) -> None:
    _expect(type(packet) is list and len(packet) == 4 and type(packet[3]) is list)
    for kind, value in zip(("store", "number", "store or null"), packet, strict=False):
        _check(kind, value)
    _expect(packet[3] != [])
    for message in packet[3]:
        _expect(type(message) is list and message != [] and message[0] in {kind.word() for kind in KINDS})
        _check_row(message[0], message[1:])


def _check_row(name: str, values: Json) -> None:
    _expect(type(values) is list and len(values) == len(TABLES[name]))
    for (_, kind), value in zip(TABLES[name], values, strict=True):
        _check(kind, value)


def _check(kind: str, value: Json) -> None:
    if kind.endswith(" or null"):
        if value is not None:
            _check(kind.removesuffix(" or null"), value)
        return
    for some, least in (("any number of ", 0), ("one or more ", 1)):
        if kind.startswith(some):
            _expect(type(value) is list and len(value) >= least)
            for each in value:
                _check(kind.removeprefix(some), each)
            return
    if kind.startswith("["):
        inner = kind.strip("[]").split(", ")
        _expect(type(value) is list and len(value) == len(inner))
        for each, inside in zip(inner, value, strict=True):
            _check(each, inside)
    elif kind in TABLES:
        _check_row(kind, value)
    else:
        _expect(value in _allowed(kind, value))


def _allowed(kind: str, value: Json) -> Iterator[Json] | list[Json] | range:
    """What a value of its JSON type may be."""
    if kind.startswith("`"):
        return re.findall(r"`([\w-]+)`", kind)
    match type(value).__name__, kind:
        case "bool", "yes or no":
            return [True, False]
        case "str", "text":
            return [value]
        case "str", "site":
            return re.findall(r"^[a-z][a-z0-9-]{0,15}$", value)
        case "str", "store" | "digest":
            return re.findall(r"^[0-9a-f]{16}$", value)
        case "int", "slot":
            return range(1, 2**53 + 1)
        case "int", "slot or 0" | "round" | "number" | "nonce" | "tick":
            return range(2**53 + 1)
        case "int", bounds if " to " in bounds:
            least, most = bounds.replace(",", "").split(" to ")
            return range(int(least), int(most) + 1)
        case _:
            return []


def _expect(so: bool) -> None:
    if not so:
        raise _Unfit


def test_what_sites_say_is_as_the_tables_say() -> None:
    said = [*VECTORS["datagrams"], *VECTORS["acceptor"], *VECTORS["lost-disk"]]
    for vector in said:
        if "open" in vector:
            _check_packet(json.loads(vector["open"]))
        for answer in vector.get("answers", []):
            _check_packet(answer["packet"])


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS["refused"] if vector["reason"] in ("message", "site") and "open" in vector],
    ids=lambda vector: vector["what"],
)
def test_what_is_refused_for_its_form_is_not_as_the_tables_say(vector: Json) -> None:
    if vector["what"] in IN_WORDS:
        _check_packet(json.loads(vector["open"]))
        return
    with pytest.raises(_Unfit):
        _check_packet(json.loads(vector["open"]))
