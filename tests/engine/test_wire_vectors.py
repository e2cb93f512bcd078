"""docs/protocol-vectors.json in both directions: the code says these bytes, and takes them; so does a stranger.

LOGGOS_REWRITE_GOLDEN=1 writes the file anew, from the code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from engine.core.ids import SiteId
from engine.core.messages import Packet
from engine.datagram import Rejected
from engine.wire import AskClock, AskFounders, Echo, Founders, Sounding, WallClock, Wire
from tests.engine.vectors.file import made, text_of
from tests.engine.vectors.said import named
from tests.stranger.acceptor import Acceptor, Broken
from tests.stranger.seal import Dropped, Parts, Seal
from tests.stranger.store import Store

Json = Any

FILE: Final = Path(__file__).parents[2] / "docs/protocol-vectors.json"
REWRITE: Final = "LOGGOS_REWRITE_GOLDEN"


def test_the_file_is_what_the_code_makes() -> None:
    text = text_of(made())
    if REWRITE in os.environ:
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, f"{REWRITE}=1 writes it anew, if the wire is meant to change"


VECTORS: Final[Json] = json.loads(FILE.read_text(encoding="utf-8"))
CLUSTER: Final = VECTORS["cluster"]
SITES: Final = [SiteId(site) for site in CLUSTER["sites"]]
KEY: Final = bytes.fromhex(CLUSTER["key"])


def _opened(vector: Json) -> bytes:
    return vector["open"].encode() if "open" in vector else bytes.fromhex(vector["open_hex"])


def _refused(vector: Json) -> bytes:
    return bytes(vector["zero_bytes"]) if "zero_bytes" in vector else bytes.fromhex(vector["sealed"])


def test_the_code_takes_what_is_in_the_file() -> None:
    wires = {site: Wire(KEY, CLUSTER["name"], site) for site in SITES}
    for vector in VECTORS["datagrams"]:
        opened = wires[vector["to"]].open(bytes.fromhex(vector["sealed"]))
        match opened:
            case Packet(sender, _, _, _, messages):
                assert sender == vector["from"]
                assert named(messages) == vector["says"]
            case Sounding() | Echo() | AskFounders() | AskClock() | WallClock():
                assert (opened.sender, opened.challenge.hex()) == (vector["from"], vector["challenge"])
            case Founders(sender, challenge, sites):
                assert (sender, challenge.hex()) == (vector["from"], vector["challenge"])
                assert list(sites) == VECTORS["cluster"]["sites"]
            case None:
                assert "says" not in vector


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["what"])
def test_the_code_refuses_what_the_file_says(vector: Json) -> None:
    with pytest.raises(Rejected, match=f"^{vector['reason']}$"):
        Wire(KEY, CLUSTER["name"], SiteId("bob")).open(_refused(vector))


# The same for an acceptor that was written from docs/protocol.md alone.


def _stranger_seal(site: str) -> Seal:
    salt = next(link["salt"] for link in VECTORS["links"] if link["from"] == site)
    return Seal(CLUSTER["name"], KEY, site, bytes.fromhex(salt))


def test_a_stranger_seals_and_opens_the_same_bytes() -> None:
    seals = {site: _stranger_seal(site) for site in SITES}
    parts = Parts()
    for vector in VECTORS["datagrams"]:
        sealed = bytes.fromhex(vector["sealed"])
        plaintext = _opened(vector)
        assert seals[vector["from"]].seal(vector["to"], plaintext) == sealed
        assert _stranger_seal(vector["to"]).open(sealed) == (vector["from"], plaintext)
        whole = parts.join(plaintext) if plaintext[:1] == b"\x01" else plaintext
        if "says" in vector:
            assert whole is not None
            assert json.loads(whole)[3] == [_bare(message) for message in vector["says"]]


def _bare(value: Json) -> Json:
    """Values without their names."""
    if isinstance(value, dict):
        return [_bare(each) for each in value.values()]
    return [_bare(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["what"])
def test_a_stranger_refuses_the_same_datagrams(vector: Json) -> None:
    seal = _stranger_seal("bob")
    if vector["reason"] == "part":
        _, plaintext = seal.open(_refused(vector))
        with pytest.raises(Dropped, match=r"^part$"):
            Parts().join(plaintext)
    elif "open" in vector or "open_hex" in vector:
        assert seal.open(_refused(vector)) == ("alice", _opened(vector))
    else:
        with pytest.raises(Dropped, match=f"^{vector['reason']}$"):
            seal.open(_refused(vector))


@pytest.mark.parametrize("conversation", ["acceptor", "lost-disk"])
def test_a_stranger_answers_the_same(conversation: str, tmp_path: Path) -> None:
    path = tmp_path / "store.json"
    store = Store(path)
    store.data["id"] = VECTORS["stores"]["bob"]
    draws: list[int] = []
    draw = partial(draws.pop, 0)
    acceptor = Acceptor("bob", SITES, store, draw, ("none", 500))
    for step in VECTORS[conversation]:
        before = store.data["commit"]
        draws += step.get("draws", [])
        if step.get("does") == "starts":
            if before:
                store = Store(path)
            acceptor = Acceptor("bob", SITES, store, draw, ("none", 500))
            out = acceptor.start()
        elif "stops" in step:
            with pytest.raises(Broken):
                acceptor.take(step["from"], json.loads(step["open"]))
            return
        elif "dropped" in step:
            with pytest.raises(Dropped, match=f"^{step['dropped']}$"):
                acceptor.take(step["from"], json.loads(step["open"]))
            out = []
        else:
            out = acceptor.take(step["from"], json.loads(step["open"]))
        answers = [{"to": to, "packet": acceptor.packet(to, message)} for to, message in out]
        assert _meaning(answers) == _meaning(step["answers"]), step["what"]
        assert draws == [], step["what"]
        kept = {name: value for name, value in store.data.items() if name != "id"}
        assert _in_force(kept) == _in_force(step.get("durable", kept)), step["what"]
        assert (store.data["commit"] != before) == ("durable" in step), step["what"]


def _in_force(kept: Json) -> Json:
    """What is durable, with what the promised ranges come to in slots that are not learned; none begins further."""
    unlearned = [slot for slot in range(1, 100) if str(slot) not in kept["learned"]]
    held = [[each[2] for each in kept["ranges"] if each[0] <= slot <= (each[1] or slot)] for slot in unlearned]
    return kept | {"ranges": [max(ballots, default=None) for ballots in held]}


def _meaning(answers: Json) -> Json:
    """Without the reason of a welcome, which is for people; slot by slot, for how slots are grouped means nothing."""
    said = [(answer["to"], answer["packet"][:3], _each(answer["packet"][3])) for answer in answers]
    return [(to, about, sorted(each, key=json.dumps)) for to, about, each in said]


def _each(messages: Json) -> Iterator[Json]:
    for word, *said in messages:
        match word, said:
            case "welcome", [*fields, _]:
                yield [word, *fields]
            case "accepted", [ballot, spans]:
                yield from ([word, ballot, slot] for (slot,) in _slots(spans))
            case "refused", [ballot, phase, spans]:
                yield from ([word, ballot, phase, each] for each in _slots(spans))
            case "promise", [*covered, accepted, learned, left_out]:
                yield [word, *covered]
                for first, *at, run in (*accepted, *learned):
                    yield from ([word, slot, *at, entry] for slot, entry in enumerate(run, first))
                yield from ([word, "left out", each] for each in _slots(left_out))
            case _:
                yield [word, *said]


def _slots(spans: Json) -> Iterator[Json]:
    """What is said of each slot; of those from one on, at the first."""
    for first, last, *said in spans:
        for slot in range(first, last or first):
            yield [slot, *said]
        yield [last or first, *([] if last else [None]), *said]
