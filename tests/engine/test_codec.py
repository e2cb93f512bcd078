"""W2: a packet is taken whole or rejected whole. W4: its messages are spread over datagrams that are small enough."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.codec import decode_packet, encode_packet
from engine.core.entry import REFUSED, TEXT_MAX, TWEET, BadOperation, Tweet, decode
from engine.core.ids import NUMBER_MAX, Nonce, Slot, StoreId
from engine.core.messages import Ask, AskHighest, Message, Packet
from engine.datagram import Reason, Rejected
from tests import strategies
from tests.strategies import SITES

ALICE, BOB, _CAROL = SITES
LIFE: Final = StoreId("0123456789abcdef")

STRATEGIES: Final[dict[str, SearchStrategy[Message]]] = {
    "prepare": strategies.prepares,
    "promise": strategies.promises,
    "accept": strategies.accepts,
    "accepted": strategies.acceptances,
    "refused": strategies.refusals,
    "chosen": strategies.choices,
    "ask": strategies.questions,
    "known": strategies.answers,
    "ask-highest": strategies.highest_questions,
    "highest": strategies.highest_answers,
    "hello": strategies.hellos,
    "welcome": strategies.welcomes,
    "heartbeat": strategies.heartbeats,
    "hand-on": strategies.handings,
    "ask-slot": strategies.slot_questions,
    "slot-state": strategies.slot_states,
}

ENTRY: Final = ["alice", 7, 6, "tweet 1763776800000 hello"]
MESSAGES: Final[dict[str, list[object]]] = {
    "prepare": ["prepare", [2, "alice"], 1, None],
    "promise": [
        "promise",
        [2, "alice"],
        1,
        None,
        [[3, [1, "bob"], [ENTRY]]],
        [[4, [ENTRY, [None, 0, 0, ""]]]],
        [[5, 6, [3, "bob"], "range"]],
    ],
    "accept": ["accept", [2, "alice"], [3, [ENTRY, [None, 0, 0, ""]]]],
    "accepted": ["accepted", [2, "alice"], [[3, 4], [7, 7]]],
    "refused": ["refused", [2, "alice"], "accept", [[5, None, None, "not-voting"]]],
    "chosen": ["chosen", 3, 4, None, [ENTRY, [None, 0, 0, ""]]],
    "ask": ["ask", 9, [[3, 3], [5, 8]]],
    "known": ["known", 9, 3, 8, [[4, [ENTRY]]]],
    "ask-highest": ["ask-highest", 9],
    "highest": ["highest", 9, 8, 0],
    "hello": ["hello", 9, None, "0123456789abcdef"],
    "welcome": ["welcome", 9, "unproven", 4, "say hello again"],
    "heartbeat": ["heartbeat", "none", True, 0, 8, 1_000, None, 0, 500, None, False, None],
    "hand-on": ["hand-on", [ENTRY], False],
    "ask-slot": ["ask-slot", 9, 43],
    "slot-state": [
        "slot-state",
        9,
        43,
        True,
        [3, "bob"],
        [2, "alice"],
        "0123456789abcdef",
        ENTRY,
        True,
        ["votes", [2, "alice"], "alice", ["alice", "bob"], 41],
        [["promised", [2, "alice"], 50], ["accepted", [2, "alice"], 45]],
    ],
}
"""An example of each type, as it stands in a plaintext."""


def _plaintext(*messages: object) -> bytes:
    return orjson.dumps([LIFE, 5, None, messages])


def _reason(plaintext: bytes) -> Reason:
    with pytest.raises(Rejected) as rejected:
        decode_packet(ALICE, plaintext)
    return rejected.value.reason


def _taken(plaintext: bytes) -> Packet | None:
    try:
        return decode_packet(ALICE, plaintext)
    except Rejected:
        return None


def _packet(*messages: Message) -> Packet:
    return Packet(ALICE, LIFE, 1_000_000_000, LIFE, messages)


@pytest.mark.parametrize("word", STRATEGIES)
@given(data=st.data())
@settings(max_examples=40)
def test_every_message_comes_back_as_it_was(word: str, data: st.DataObject) -> None:
    packet = _packet(data.draw(STRATEGIES[word]))
    [plaintext] = encode_packet(packet, 10**6)
    assert orjson.loads(plaintext)[3][0][0] == word
    assert decode_packet(ALICE, plaintext) == packet


@pytest.mark.parametrize("word", MESSAGES)
def test_the_examples_are_what_is_written(word: str) -> None:
    plaintext = _plaintext(MESSAGES[word])
    assert encode_packet(decode_packet(ALICE, plaintext), 10**6) == [plaintext]


@given(packet=strategies.packets(ALICE), plaintext_bytes_max=st.integers(1, 4_000))
def test_w4_a_packet_is_spread_over_plaintexts_that_fit(packet: Packet, plaintext_bytes_max: int) -> None:
    plaintexts = encode_packet(packet, plaintext_bytes_max)
    parts = [decode_packet(ALICE, plaintext) for plaintext in plaintexts]
    assert tuple(message for part in parts for message in part.messages) == packet.messages
    for part, plaintext in zip(parts, plaintexts, strict=True):
        assert (part.life, part.commit, part.to_life) == (packet.life, packet.commit, packet.to_life)
        assert len(plaintext) <= plaintext_bytes_max or len(part.messages) == 1
    for one, other in itertools.pairwise(plaintexts):
        first_of_other = orjson.dumps(orjson.loads(other)[3][0])
        assert len(one) + len(b",") + len(first_of_other) > plaintext_bytes_max, (
            "a message had room one plaintext before"
        )


def test_a_packet_without_messages_is_not_sent() -> None:
    assert encode_packet(_packet(), 1_000) == []


def test_w4_messages_share_plaintexts_to_the_last_byte() -> None:
    asks = tuple(AskHighest(Nonce(number)) for number in range(30))
    [whole] = encode_packet(_packet(*asks), 10_000)
    assert len(encode_packet(_packet(*asks), len(whole))) == 1
    for plaintext_bytes_max in range(100, len(whole)):
        plaintexts = encode_packet(_packet(*asks), plaintext_bytes_max)
        assert len(plaintexts) > 1
        assert max(len(plaintext) for plaintext in plaintexts) <= plaintext_bytes_max


@given(st.binary(max_size=300))
def test_w2_no_bytes_are_an_error(noise: bytes) -> None:
    assert _reason(noise) in Reason


HOSTILE: Final[SearchStrategy[object]] = st.sampled_from(
    [
        *(None, True, False, "", "Zoe", "alice", "prepare", "accept", "none", 1.0, 0.5, 1e300, [], {}, [[]], {"a": 1}),
        *(-1, 0, 1, NUMBER_MAX, NUMBER_MAX + 1, 2**63, 2**64 - 1),
    ]
).map(copy.deepcopy)  # a later change reaches into an earlier one


def _places(value: object) -> list[tuple[list[object], int]]:
    if not isinstance(value, list):
        return []
    here = [(value, index) for index in range(len(value))]
    return here + [place for item in value for place in _places(item)]


@pytest.mark.parametrize("word", MESSAGES)
@given(data=st.data())
@settings(max_examples=150)
def test_w2_what_is_taken_is_exactly_what_was_said(word: str, data: st.DataObject) -> None:
    """A changed, added or missing field is rejected, or it is another value that means exactly what it says."""
    value = orjson.loads(_plaintext(copy.deepcopy(MESSAGES[word])))
    for _change in range(data.draw(st.integers(1, 2))):
        items, index = data.draw(st.sampled_from(_places(value)))
        match data.draw(st.sampled_from(["replace", "insert", "remove"])):
            case "replace":
                items[index] = data.draw(HOSTILE)
            case "insert":
                items.insert(index, data.draw(HOSTILE))
            case _:
                del items[index]
    plaintext = orjson.dumps(value)
    packet = _taken(plaintext)
    assert packet is None or encode_packet(packet, 10**6) == [plaintext]


@pytest.mark.parametrize(
    ("plaintext", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"{", Reason.MESSAGE),
        (b"[" * 100_000, Reason.MESSAGE),
        (b'["\\ud800",5,null,[]]', Reason.NOT_JSON),
        (b'["\xed\xa0\x80",5,null,[]]', Reason.NOT_JSON),
        (b"[NaN]", Reason.NOT_JSON),
        (b"{}", Reason.MESSAGE),
        (b"null", Reason.MESSAGE),
        (b"[]", Reason.MESSAGE),
        (b'["0123456789abcdef",5,null,[],0]', Reason.MESSAGE),
        (b'["0123456789abcdef",5,null,[]]', Reason.MESSAGE),
        (b'["0123456789abcdef",5,null,[[]]]', Reason.MESSAGE),
        (b'["0123456789ABCDEF",5,null,[]]', Reason.MESSAGE),
        (b'["0123456789abcdef\\n",5,null,[]]', Reason.MESSAGE),
        (b'["0123456789abcdef",5,"0",[]]', Reason.MESSAGE),
        (b'["0123456789abcdef",-1,null,[]]', Reason.MESSAGE),
        (b'["0123456789abcdef",true,null,[]]', Reason.MESSAGE),
        (b'["0123456789abcdef",5,null,{}]', Reason.MESSAGE),
        (b'["0123456789abcdef",5,null,["hello"]]', Reason.MESSAGE),
        (b'["0123456789abcdef",5,null,[[1]]]', Reason.MESSAGE),
    ],
)
def test_w2_a_packet_of_another_form_is_rejected(plaintext: bytes, reason: Reason) -> None:
    assert _reason(plaintext) is reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (["propose", 1], Reason.MESSAGE),
        (["Prepare", [2, "alice"], 1, None], Reason.MESSAGE),
        (["prepare", [2, "alice"], 1], Reason.MESSAGE),
        (["prepare", [2, "alice"], 1, None, None], Reason.MESSAGE),
        (["prepare", [2, "Zoe"], 1, None], Reason.SITE),
        (["prepare", [True, "alice"], 1, None], Reason.MESSAGE),
        (["prepare", [2.0, "alice"], 1, None], Reason.MESSAGE),
        (["prepare", [2, "alice"], "1", None], Reason.MESSAGE),
        (["prepare", [2**53 + 1, "alice"], 1, None], Reason.MESSAGE),
        (["prepare", [2**64 - 1, "alice"], 1, None], Reason.MESSAGE),
        (["prepare", [-1, "alice"], 1, None], Reason.MESSAGE),
        (["prepare", [2, "alice"], 0, None], Reason.MESSAGE),
        (["prepare", [2, "alice"], 3, 2], Reason.MESSAGE),
        (["accepted", [2, "alice"], [[3, 0]]], Reason.MESSAGE),
        (["accepted", [2, "alice"], [[3, 2]]], Reason.MESSAGE),
        (["accepted", [2, "alice"], [[3]]], Reason.MESSAGE),
        (["accepted", [2, "alice"], [3, 4]], Reason.MESSAGE),
        (["accepted", [2, "alice"], []], Reason.MESSAGE),
        (["accept", [2, "alice"], []], Reason.MESSAGE),
        (["accept", [2, "alice"], [3, []]], Reason.MESSAGE),
        (["accept", [2, "alice"], [0, [ENTRY]]], Reason.MESSAGE),
        (["accept", [2, "alice"], [2**53, [ENTRY, ENTRY]]], Reason.MESSAGE),
        (["promise", [2, "alice"], 1, 4, [[3, [1, "bob"], []]], [], []], Reason.MESSAGE),
        (["promise", [2, "alice"], 1, 4, [[2**53, [1, "bob"], [ENTRY, ENTRY]]], [], []], Reason.MESSAGE),
        (["promise", [2, "alice"], 1, 4, [], [[2**53, [ENTRY, ENTRY]]], []], Reason.MESSAGE),
        (["promise", [2, "alice"], 1, 4, [[3, [1, "Zoe"], [ENTRY]]], [], []], Reason.SITE),
        (["refused", [2, "alice"], "accept", []], Reason.MESSAGE),
        (["chosen", 3, 3, None, []], Reason.MESSAGE),
        (["chosen", 3, 4, None, [ENTRY]], Reason.MESSAGE),
        (["chosen", 3, 3, [2, "alice"], [ENTRY, ENTRY]], Reason.MESSAGE),
        (["chosen", 4, 3, [2, "alice"], []], Reason.MESSAGE),
        (["ask", 9, []], Reason.MESSAGE),
        (["hand-on", [], False], Reason.MESSAGE),
        (["hand-on", [[None, 0, 0, ""]], False], Reason.ENTRY),
        (["hand-on", [ENTRY, ["bob", *ENTRY[1:]]], False], Reason.ENTRY),
        (["accepted", [2, "alice"], [[3, True]]], Reason.MESSAGE),
        (["refused", [2, "alice"], "learn", []], Reason.MESSAGE),
        (["refused", [2, "alice"], "accept", [[1, 1, None, "mood"]]], Reason.MESSAGE),
        (["ask", 9, [[3, None]]], Reason.MESSAGE),
        (["ask", 9, [[4, 3]]], Reason.MESSAGE),
        (["known", 9, 4, 3, []], Reason.MESSAGE),
        (["known", 9, 3, 4, [[2**53, [ENTRY, ENTRY]]]], Reason.MESSAGE),
        (["ask-highest", None], Reason.MESSAGE),
        (["welcome", 9, "welcome", None, ""], Reason.MESSAGE),
        (["welcome", 9, "recorded", None, None], Reason.MESSAGE),
        (["heartbeat", "none", 1, 0, 0, 0, None, 0, 500, None, False, None], Reason.MESSAGE),
        (["heartbeat", "none", True, 0, 0, 0, None, 0, 0, None, False, None], Reason.MESSAGE),
        (["heartbeat", "none", True, 0, 0, 0, None, 0, 60_001, None, False, None], Reason.MESSAGE),
        (["ask-slot", 9, 0], Reason.MESSAGE),
        (["ask-slot", 9], Reason.MESSAGE),
        (["slot-state", 9, 43, 1, None, None, None, None, False, None, []], Reason.MESSAGE),
        (["slot-state", 9, 43, True, None, [1, "bob"], None, None, False, None, []], Reason.MESSAGE),
        (["slot-state", 9, 43, True, None, None, "0123456789abcdef", None, False, None, []], Reason.MESSAGE),
        (["slot-state", 9, 43, True, None, [1, "bob"], "0123456789ABCDEF", None, False, None, []], Reason.MESSAGE),
        (["slot-state", 9, 43, True, [2**53 + 1, "bob"], None, None, None, False, None, []], Reason.MESSAGE),
        (["slot-state", 9, 43, True, None, None, None, None, True, ["said", None, "bob", [], 1], []], Reason.MESSAGE),
        (["slot-state", 9, 43, True, None, None, None, None, True, ["known", None, "Zoe", [], 1], []], Reason.SITE),
        (
            ["slot-state", 9, 43, True, None, None, None, None, True, ["votes", None, "bob", ["Zoe"], 1], []],
            Reason.SITE,
        ),
        (
            ["slot-state", 9, 43, True, None, None, None, None, False, None, [["refused", [1, "bob"], 1]]],
            Reason.MESSAGE,
        ),
        (
            ["slot-state", 9, 43, True, None, None, None, None, False, None, [["promised", [1, "bob"], -1]]],
            Reason.MESSAGE,
        ),
        (["heartbeat", "anarchy", True, 0, 0, 0, None, 0, 500, None, False, None], Reason.MESSAGE),
    ],
)
def test_w2_a_message_of_another_form_is_rejected(message: list[object], reason: Reason) -> None:
    assert _reason(_plaintext(message)) is reason
    assert _reason(_plaintext(MESSAGES["hello"], message)) is reason, "the sound message before it was taken"


@pytest.mark.parametrize("number", ["18446744073709551616", "1e3", "3.0", "-0.0"])
def test_w2_a_number_that_json_reads_as_a_float_is_rejected(number: str) -> None:
    assert _reason(b'["0123456789abcdef",5,null,[["ask-highest",%s]]]' % number.encode()) is Reason.MESSAGE


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (["Zoe", 7, 6, ENTRY[3]], Reason.SITE),
        ([None, 7, 6, ENTRY[3]], Reason.ENTRY),
        ([None, 1, 0, ""], Reason.ENTRY),
        ([None, False, 0, ""], Reason.MESSAGE),
        (["alice", 0, 0, ENTRY[3]], Reason.ENTRY),
        (["alice", 7, 7, ENTRY[3]], Reason.ENTRY),
        (["alice", 7, 6, ""], Reason.ENTRY),
        (["alice", 7, 6, "tweet 1 "], Reason.ENTRY),
        (["alice", 7, 6, "tweet 1  padded"], Reason.ENTRY),
        (["alice", 7, 6, "tweet 01 again"], Reason.ENTRY),
        (["alice", 7, 6, "tweet 1 " + "a" * (TEXT_MAX + 1)], Reason.ENTRY),
        (["alice", 7, 6, "tweet 1 a\x1b[2Jb"], Reason.ENTRY),
        (["alice", 7, 6, "block 1 Nobody!"], Reason.ENTRY),
        (["alice", 7, 6, "drop 1 table"], Reason.ENTRY),
        (["alice", 7, 6], Reason.MESSAGE),
        (None, Reason.MESSAGE),
    ],
)
def test_w2_an_entry_that_no_author_made_is_rejected(entry: list[object] | None, reason: Reason) -> None:
    assert _reason(_plaintext(["accept", [2, "alice"], [3, [entry]]])) is reason
    assert _reason(_plaintext(["accept", [2, "alice"], [3, [ENTRY, entry, ENTRY]]])) is reason, "sound ones around it"
    assert _reason(_plaintext(["promise", [2, "alice"], 1, 3, [[3, [1, "bob"], [entry]]], [], []])) is reason
    assert _reason(_plaintext(["promise", [2, "alice"], 1, 3, [], [[3, [entry]]], []])) is reason
    assert _reason(_plaintext(["known", 9, 3, 3, [[3, [entry]]]])) is reason
    assert _reason(_plaintext(["chosen", 3, 3, None, [entry]])) is reason
    if entry is None or entry[0] is not None:
        assert _reason(_plaintext(["hand-on", [entry], False])) is reason


_LETTERS: Final = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    'a \\"\x1f\x7f\x85\xa0«\u2028\u2029\u3000é日'
)
_TEXTS: Final = st.one_of(
    st.builds(
        lambda before, odd, after: before + odd + after,
        st.sampled_from(["", "ab"]),
        _LETTERS,
        st.sampled_from(["", "cd"]),
    ),
    st.text(_LETTERS, max_size=12),
    strategies.texts,
    st.builds(
        lambda text, more: text * 40 + more, st.text(_LETTERS, min_size=7, max_size=7), st.text(_LETTERS, max_size=2)
    ),
)
_BODIES: Final = st.one_of(
    strategies.bodies,
    st.text(_LETTERS, max_size=30),
    st.builds(
        lambda *parts: "".join(parts),
        st.sampled_from(["tweet ", "tweet  ", "tweet", "Tweet ", " tweet ", "tweets ", "block ", "withdrawal "]),
        st.sampled_from(
            [
                *("", "0", "00", "07", "7", "-1", "+1", "1_0", "\u0663", "\u00b2", "1763776800000"),
                *("9" * 15, "9" * 16, "1" + "0" * 15, str(NUMBER_MAX), str(NUMBER_MAX + 1)),
            ]
        ),
        st.sampled_from([" ", "", "  ", "\t"]),
        _TEXTS,
    ),
)


def _is_body(body: str) -> bool:
    try:
        decode(body)
    except BadOperation:
        return False
    return True


@given(bodies=st.lists(_BODIES, min_size=1, max_size=3), escaped=st.booleans())
@settings(max_examples=400)
def test_w2_the_bodies_that_are_taken_are_those_that_decode_takes(bodies: list[str], escaped: bool) -> None:
    """Whatever is known of them at a glance, and however JSON spells them."""
    entries = [["alice", 7, 6, body] for body in bodies]
    value = [LIFE, 5, None, [["accept", [2, "alice"], [3, entries]]]]
    packet = _taken(json.dumps(value, ensure_ascii=escaped).encode())
    assert (packet is not None) == all(map(_is_body, bodies))
    if packet is not None:
        [accept] = packet.messages
        assert [entry.body for entry in accept.carried()] == bodies


@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "as they are"])
@pytest.mark.parametrize("place", ["{}b", "a{}b", "a{}"], ids=["first", "within", "last"])
def test_w2_of_every_character_it_is_known_whether_a_tweet_may_hold_it(place: str, escaped: bool) -> None:
    """Up to beyond the last white space there is; what else is refused, surrogates, no JSON can say alone."""
    for code in range(0x3100):
        body = "tweet 5 " + place.format(chr(code))
        value = [LIFE, 5, None, [["accept", [2, "alice"], [3, [["alice", 7, 6, body]]]]]]
        packet = _taken(json.dumps(value, ensure_ascii=escaped).encode())
        assert (packet is not None) == _is_body(body), f"U+{code:04X}"


@given(body=_BODIES)
@settings(max_examples=400)
def test_a_tweet_is_known_at_a_glance(body: str) -> None:
    """The glance takes all tweets, but those of clocks of 16 digits, and nothing else."""
    glanced = TWEET.match(body) is not None and REFUSED.search(body) is None
    if glanced:
        assert isinstance(decode(body).operation, Tweet)
    elif _is_body(body) and isinstance(decode(body).operation, Tweet):
        assert len(body.split(" ")[1]) == 16


def test_a_question_keeps_its_spans() -> None:
    ask = Ask(Nonce(1), ((Slot(1), Slot(3)), (Slot(5), Slot(5))))
    assert decode_packet(BOB, encode_packet(_packet(ask), 1_000)[0]).messages == (ask,)
