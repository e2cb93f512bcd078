"""Packets <-> plaintexts: what sites say to each other, as compact JSON.

A plaintext is `[life, commit, to_life, [message, ...]]`; a message is an array that begins with its type:

    prepare      ballot, first, last
    promise      ballot, first, last, [[slot, ballot, entry], ...], [[slot, entry], ...], [refused, ...]
    accept       ballot, [[slot, entry], ...]
    accepted     ballot, [slot, ...]
    refused      ballot, phase, [refused, ...]
    chosen       [[slot, ballot or null, entry or null], ...]
    ask          nonce, [[first, last], ...]
    known        nonce, first, last, [[slot, entry], ...]
    ask-highest  nonce
    highest      nonce, used_max, prefix
    hello        nonce, proof or null
    welcome      nonce, verdict, challenge or null, reason
    heartbeat    leadership, voting, prefix, used_max, sent, echo or null, held_ms,
                 leads or null, reaches, hears or null
    hand-on      [entry, ...], relayed

A ballot is `[round, site]`, and so are `leads` and `hears`; an entry `[author or null, number, follows, body]`; refused
`[first, last, ballot or null, cause]`; a `last` of null means "and all after". The fields are those of
`engine.core.messages`, in their order.

Rules that hold here:
- A packet is taken whole or rejected whole (W2). Whatever the bytes are, decoding ends in a Packet or in Rejected.
- Integers are JSON integers of 0 to 2**53, slots of 1 to 2**53; `true`, `1.0` and `2**64` are none. Every site named is
  in the cluster. An entry is the no-op or one that its author can have made.
- The messages of a packet are spread over as many plaintexts as they need (W4), in their order. No message is split:
  what it covers is its own claim (A4, B3). One that is too long for any datagram goes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, assert_never, cast

import orjson

from engine.core.entry import NOOP, BadOperation, Entry, decode
from engine.core.ids import NUMBER_MAX, STORE_ID, Ballot, Nonce, Round, SiteId, Slot, StoreId, Tick
from engine.core.messages import (
    Accept,
    Accepted,
    AcceptedSlot,
    Ask,
    AskHighest,
    Cause,
    Chosen,
    ChosenSlot,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    LearnedSlot,
    Message,
    Packet,
    Prepare,
    Promise,
    Refused,
    RefusedSpan,
    Verdict,
    Welcome,
)
from engine.core.settings import Leadership
from engine.datagram import Reason, Rejected

_END: Final = b"]]"


def encode_packet(packet: Packet, plaintext_bytes_max: int) -> list[bytes]:
    """The plaintexts that together say `packet`, each at most `plaintext_bytes_max` long unless one message is more."""
    fields = [_fields(message) for message in packet.messages]
    whole = orjson.dumps([packet.life, packet.commit, packet.to_life, fields])
    if len(whole) <= plaintext_bytes_max and fields:
        return [whole]
    start = orjson.dumps([packet.life, packet.commit, packet.to_life])[:-1] + b",["
    room = plaintext_bytes_max - len(start) - len(_END)
    groups: list[list[bytes]] = []
    left = 0
    for message in fields:
        text = orjson.dumps(message)
        if len(text) > left or not groups:
            groups.append([])
            left = room
        groups[-1].append(text)
        left -= len(text) + 1
    return [start + b",".join(group) + _END for group in groups]


def _fields(message: Message) -> list[object]:
    """What is sent most often comes first. (A pattern that binds fields takes twice as long as reading them.)"""
    match message:
        case Heartbeat():
            return [
                "heartbeat",
                message.leadership,
                message.voting,
                message.prefix,
                message.used_max,
                message.sent,
                message.echo,
                message.held_ms,
                _ballot_or_none(message.leads),
                message.reaches,
                _ballot_or_none(message.hears),
            ]
        case Hello():
            return ["hello", message.nonce, message.proof]
        case Welcome():
            return ["welcome", message.nonce, message.verdict, message.challenge, message.reason]
        case AskHighest():
            return ["ask-highest", message.nonce]
        case Highest():
            return ["highest", message.nonce, message.used_max, message.prefix]
        case Prepare():
            return ["prepare", _ballot(message.ballot), message.first, message.last]
        case Promise(ballot, first, last, accepted, learned, left_out):
            votes = [[vote.slot, _ballot(vote.ballot), _entry(vote.entry)] for vote in accepted]
            return ["promise", _ballot(ballot), first, last, votes, _learned(learned), _refused(left_out)]
        case Accept():
            return ["accept", _ballot(message.ballot), _learned(message.entries)]
        case Accepted():
            return ["accepted", _ballot(message.ballot), message.slots]
        case Refused(ballot, phase, spans):
            return ["refused", _ballot(ballot), phase, _refused(spans)]
        case Chosen():
            return ["chosen", [_chosen(one) for one in message.slots]]
        case Ask(nonce, asked):
            return ["ask", nonce, asked]
        case Known(nonce, first, last, learned):
            return ["known", nonce, first, last, _learned(learned)]
        case HandOn(entries, relayed):
            return ["hand-on", [_entry(entry) for entry in entries], relayed]
        case _:
            assert_never(message)


def _ballot(ballot: Ballot) -> list[object]:
    return [ballot.round, ballot.site]


def _ballot_or_none(ballot: Ballot | None) -> list[object] | None:
    return None if ballot is None else _ballot(ballot)


def _entry(entry: Entry) -> list[object]:
    return [entry.author, entry.number, entry.follows, entry.body]


def _learned(slots: Sequence[LearnedSlot]) -> list[list[object]]:
    return [[learned.slot, _entry(learned.entry)] for learned in slots]


def _chosen(one: ChosenSlot) -> list[object]:
    return [one.slot, _ballot_or_none(one.ballot), None if one.entry is None else _entry(one.entry)]


def _refused(spans: Sequence[RefusedSpan]) -> list[list[object]]:
    return [[span.first, span.last, _ballot_or_none(span.ballot), span.cause] for span in spans]


class Decoder:
    """Takes plaintexts of the other sites of one cluster. Every method raises Rejected, and nothing else."""

    def __init__(self, sites: Sequence[SiteId]) -> None:
        self._sites: dict[str, SiteId] = {site: site for site in sites}
        self._decoders: dict[str, Callable[[list[object]], Message]] = {
            "prepare": self._prepare,
            "promise": self._promise,
            "accept": self._accept,
            "accepted": self._accepted,
            "refused": self._refused,
            "chosen": self._chosen,
            "ask": self._ask,
            "known": self._known,
            "ask-highest": self._ask_highest,
            "highest": self._highest,
            "hello": self._hello,
            "welcome": self._welcome,
            "heartbeat": self._heartbeat,
            "hand-on": self._hand_on,
        }

    def packet(self, sender: SiteId, plaintext: bytes) -> Packet:
        """The packet in a plaintext that opened as `sender`'s."""
        try:
            value: object = orjson.loads(plaintext)
        except orjson.JSONDecodeError:
            raise Rejected(Reason.NOT_JSON) from None
        life, commit, to_life, messages = _array(value, 4)
        return Packet(
            sender,
            _store_id(life),
            _number(commit),
            None if to_life is None else _store_id(to_life),
            tuple([self._message(message) for message in _some(messages)]),
        )

    def _message(self, value: object) -> Message:
        fields = _some(value)
        decode_fields = self._decoders.get(_text(fields[0]))
        if decode_fields is None:
            raise Rejected(Reason.MESSAGE)
        return decode_fields(fields)

    def _prepare(self, fields: list[object]) -> Prepare:
        _, ballot, first, last = _array(fields, 4)
        return Prepare(self._ballot(ballot), *_open_span(first, last))

    def _promise(self, fields: list[object]) -> Promise:
        _, ballot, first, last, accepted, learned, left_out = _array(fields, 7)
        first_slot, last_slot = _open_span(first, last)
        return Promise(
            self._ballot(ballot),
            first_slot,
            last_slot,
            tuple([self._accepted_slot(one) for one in _list(accepted)]),
            self._learned_slots(learned),
            self._refused_spans(left_out),
        )

    def _accept(self, fields: list[object]) -> Accept:
        _, ballot, entries = _array(fields, 3)
        return Accept(self._ballot(ballot), self._learned_slots(_some(entries)))

    def _accepted(self, fields: list[object]) -> Accepted:
        _, ballot, slots = _array(fields, 3)
        return Accepted(self._ballot(ballot), tuple([_slot(slot) for slot in _some(slots)]))

    def _refused(self, fields: list[object]) -> Refused:
        _, ballot, phase, spans = _array(fields, 4)
        return Refused(self._ballot(ballot), _word(phase, _PHASES), self._refused_spans(_some(spans)))

    def _chosen(self, fields: list[object]) -> Chosen:
        _, slots = _array(fields, 2)
        return Chosen(tuple([self._chosen_slot(one) for one in _some(slots)]))

    def _ask(self, fields: list[object]) -> Ask:
        _, nonce, spans = _array(fields, 3)
        return Ask(_nonce(nonce), tuple([_span(*_array(span, 2)) for span in _some(spans)]))

    def _known(self, fields: list[object]) -> Known:
        _, nonce, first, last, learned = _array(fields, 5)
        return Known(_nonce(nonce), *_span(first, last), self._learned_slots(learned))

    def _ask_highest(self, fields: list[object]) -> AskHighest:
        _, nonce = _array(fields, 2)
        return AskHighest(_nonce(nonce))

    def _highest(self, fields: list[object]) -> Highest:
        _, nonce, used_max, prefix = _array(fields, 4)
        return Highest(_nonce(nonce), _slot_or_0(used_max), _slot_or_0(prefix))

    def _hello(self, fields: list[object]) -> Hello:
        _, nonce, proof = _array(fields, 3)
        return Hello(_nonce(nonce), None if proof is None else _nonce(proof))

    def _welcome(self, fields: list[object]) -> Welcome:
        _, nonce, verdict, challenge, reason = _array(fields, 5)
        return Welcome(
            _nonce(nonce),
            Verdict(_word(verdict, _VERDICTS)),
            None if challenge is None else _nonce(challenge),
            _text(reason),
        )

    def _heartbeat(self, fields: list[object]) -> Heartbeat:
        _, leadership, voting, prefix, used_max, sent, echo, held_ms, leads, reaches, hears = _array(fields, 11)
        return Heartbeat(
            _word(leadership, _LEADERSHIPS),
            _truth(voting),
            _slot_or_0(prefix),
            _slot_or_0(used_max),
            _tick(sent),
            None if echo is None else _tick(echo),
            _number(held_ms),
            self._ballot_or_none(leads),
            _truth(reaches),
            self._ballot_or_none(hears),
        )

    def _hand_on(self, fields: list[object]) -> HandOn:
        _, entries, relayed = _array(fields, 3)
        events = tuple([self._entry(entry) for entry in _some(entries)])
        if any(event.author is None for event in events):
            raise Rejected(Reason.ENTRY)
        return HandOn(events, _truth(relayed))

    def _ballot_or_none(self, value: object) -> Ballot | None:
        return None if value is None else self._ballot(value)

    def _ballot(self, value: object) -> Ballot:
        number, site = _array(value, 2)
        return Ballot(_round(number), self._site(site))

    def _site(self, value: object) -> SiteId:
        name = self._sites.get(_text(value))
        if name is None:
            raise Rejected(Reason.SITE)
        return name

    def _entry(self, value: object) -> Entry:
        author, number, follows, body = _array(value, 4)
        entry = Entry(None if author is None else self._site(author), _number(number), _number(follows), _text(body))
        if author is None:
            if entry != NOOP:
                raise Rejected(Reason.ENTRY)
            return NOOP
        if not entry.follows < entry.number:  # E5; numbers count from 1
            raise Rejected(Reason.ENTRY)
        try:
            decode(entry.body)
        except BadOperation:
            raise Rejected(Reason.ENTRY) from None
        return entry

    def _learned_slots(self, value: object) -> tuple[LearnedSlot, ...]:
        return tuple([self._learned_slot(one) for one in _list(value)])

    def _learned_slot(self, value: object) -> LearnedSlot:
        slot, entry = _array(value, 2)
        return LearnedSlot(_slot(slot), self._entry(entry))

    def _accepted_slot(self, value: object) -> AcceptedSlot:
        slot, ballot, entry = _array(value, 3)
        return AcceptedSlot(_slot(slot), self._ballot(ballot), self._entry(entry))

    def _chosen_slot(self, value: object) -> ChosenSlot:
        slot, ballot, entry = _array(value, 3)
        if ballot is None and entry is None:  # R0
            raise Rejected(Reason.SHAPE)
        return ChosenSlot(
            _slot(slot),
            self._ballot_or_none(ballot),
            None if entry is None else self._entry(entry),
        )

    def _refused_spans(self, value: object) -> tuple[RefusedSpan, ...]:
        return tuple([self._refused_span(one) for one in _list(value)])

    def _refused_span(self, value: object) -> RefusedSpan:
        first, last, ballot, cause = _array(value, 4)
        first_slot, last_slot = _open_span(first, last)
        return RefusedSpan(first_slot, last_slot, self._ballot_or_none(ballot), Cause(_word(cause, _CAUSES)))


_PHASES: Final = frozenset({"prepare", "accept"})
_CAUSES: Final = frozenset(cause.value for cause in Cause)
_VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)
_LEADERSHIPS: Final = frozenset(leadership.value for leadership in Leadership)


def _list(value: object) -> list[object]:
    if type(value) is not list:
        raise Rejected(Reason.TYPE)
    return value


def _array(value: object, length: int) -> list[object]:
    if type(value) is not list:
        raise Rejected(Reason.TYPE)
    if len(value) != length:
        raise Rejected(Reason.SHAPE)
    return value


def _some(value: object) -> list[object]:
    """A list of at least one: a message about nothing is none."""
    if type(value) is not list:
        raise Rejected(Reason.TYPE)
    if not value:
        raise Rejected(Reason.SHAPE)
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise Rejected(Reason.TYPE)
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise Rejected(Reason.TYPE)
    return value


def _word(value: object, words: frozenset[str]) -> str:
    if type(value) is not str:
        raise Rejected(Reason.TYPE)
    if value not in words:
        raise Rejected(Reason.RANGE)
    return value


def _store_id(value: object) -> StoreId:
    return _store_id_of(_text(value))


@lru_cache(maxsize=64)
def _store_id_of(text: str) -> StoreId:
    """Every packet names two of the same few."""
    if not STORE_ID.match(text):
        raise Rejected(Reason.RANGE)
    return StoreId(text)


def _number(value: object) -> int:
    if type(value) is not int:
        raise Rejected(Reason.TYPE)
    if not 0 <= value <= NUMBER_MAX:
        raise Rejected(Reason.RANGE)
    return value


# A number is checked once; what it counts is a matter of types alone.
_nonce = cast("Callable[[object], Nonce]", _number)
_round = cast("Callable[[object], Round]", _number)
_slot_or_0 = cast("Callable[[object], Slot]", _number)
_tick = cast("Callable[[object], Tick]", _number)


def _slot(value: object) -> Slot:
    number = _slot_or_0(value)
    if number == 0:
        raise Rejected(Reason.RANGE)
    return number


def _span(first: object, last: object) -> tuple[Slot, Slot]:
    span = _slot(first), _slot(last)
    if span[0] > span[1]:
        raise Rejected(Reason.RANGE)
    return span


def _open_span(first: object, last: object) -> tuple[Slot, Slot | None]:
    return _span(first, last) if last is not None else (_slot(first), None)
