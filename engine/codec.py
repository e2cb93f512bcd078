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
    ask-slot     nonce, slot
    slot-state   nonce, slot, voting, promised or null, accepted or null, digest or null, entry or null, learned,
                 null or [how, ballot or null, source, [site, ...], ago_ms], [[act, ballot, ago_ms], ...]

A ballot is `[round, site]`, and so are `leads` and `hears`; an entry `[author or null, number, follows, body]`; refused
`[first, last, ballot or null, cause]`; a `last` of null means "and all after". The fields are those of
`engine.core.messages`, in their order.

Rules that hold here:
- A packet is taken whole or rejected whole (W2). Whatever the bytes are, decoding ends in a Packet or in Rejected.
- Numbers are taken strictly (`engine.strict`). Every site named is in the cluster. An entry is the no-op or one that
  its author can have made.
- The messages of a packet are spread over as many plaintexts as they need (W4), in their order. No message is split:
  what it covers is its own claim (A4, B3). One that is too long for any datagram goes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, assert_never

import orjson

from engine.core.entry import NOOP, BadOperation, Entry, decode
from engine.core.ids import Ballot, SiteId
from engine.core.messages import (
    Accept,
    Accepted,
    AcceptedSlot,
    Act,
    Ask,
    AskHighest,
    AskSlot,
    Cause,
    Chosen,
    ChosenSlot,
    Deed,
    HandOn,
    Heartbeat,
    Hello,
    Highest,
    Known,
    LearnedSlot,
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
from engine.core.settings import Leadership
from engine.datagram import Reason, Rejected
from engine.strict import (
    as_array,
    as_digest,
    as_list,
    as_nonce,
    as_number,
    as_open_span,
    as_round,
    as_slot,
    as_slot_or_0,
    as_some,
    as_span,
    as_store_id,
    as_text,
    as_tick,
    as_truth,
    as_word,
)

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
        case AskSlot(nonce, slot):
            return ["ask-slot", nonce, slot]
        case SlotState():
            return _slot_state(message)
        case _:
            assert_never(message)


def _slot_state(state: SlotState) -> list[object]:
    learning = state.learning
    return [
        *("slot-state", state.nonce, state.slot, state.voting),
        *(_ballot_or_none(state.promised), _ballot_or_none(state.accepted), state.digest),
        None if state.entry is None else _entry(state.entry),
        state.learned,
        None
        if learning is None
        else [learning.how, _ballot_or_none(learning.ballot), learning.source, learning.votes, learning.ago_ms],
        [[deed.act, _ballot(deed.ballot), deed.ago_ms] for deed in state.deeds],
    ]


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
            "ask-slot": self._ask_slot,
            "slot-state": self._slot_state,
        }

    def packet(self, sender: SiteId, plaintext: bytes) -> Packet:
        """The packet in a plaintext that opened as `sender`'s."""
        try:
            value: object = orjson.loads(plaintext)
        except orjson.JSONDecodeError:
            raise Rejected(Reason.NOT_JSON) from None
        life, commit, to_life, messages = as_array(value, 4)
        return Packet(
            sender,
            as_store_id(life),
            as_number(commit),
            None if to_life is None else as_store_id(to_life),
            tuple([self._message(message) for message in as_some(messages)]),
        )

    def _message(self, value: object) -> Message:
        fields = as_some(value)
        decode_fields = self._decoders.get(as_text(fields[0]))
        if decode_fields is None:
            raise Rejected(Reason.MESSAGE)
        return decode_fields(fields)

    def _prepare(self, fields: list[object]) -> Prepare:
        _, ballot, first, last = as_array(fields, 4)
        return Prepare(self._ballot(ballot), *as_open_span(first, last))

    def _promise(self, fields: list[object]) -> Promise:
        _, ballot, first, last, accepted, learned, left_out = as_array(fields, 7)
        first_slot, last_slot = as_open_span(first, last)
        return Promise(
            self._ballot(ballot),
            first_slot,
            last_slot,
            tuple([self._accepted_slot(one) for one in as_list(accepted)]),
            self._learned_slots(learned),
            self._refused_spans(left_out),
        )

    def _accept(self, fields: list[object]) -> Accept:
        _, ballot, entries = as_array(fields, 3)
        return Accept(self._ballot(ballot), self._learned_slots(as_some(entries)))

    def _accepted(self, fields: list[object]) -> Accepted:
        _, ballot, slots = as_array(fields, 3)
        return Accepted(self._ballot(ballot), tuple([as_slot(slot) for slot in as_some(slots)]))

    def _refused(self, fields: list[object]) -> Refused:
        _, ballot, phase, spans = as_array(fields, 4)
        return Refused(self._ballot(ballot), as_word(phase, _PHASES), self._refused_spans(as_some(spans)))

    def _chosen(self, fields: list[object]) -> Chosen:
        _, slots = as_array(fields, 2)
        return Chosen(tuple([self._chosen_slot(one) for one in as_some(slots)]))

    def _ask(self, fields: list[object]) -> Ask:
        _, nonce, spans = as_array(fields, 3)
        return Ask(as_nonce(nonce), tuple([as_span(*as_array(span, 2)) for span in as_some(spans)]))

    def _known(self, fields: list[object]) -> Known:
        _, nonce, first, last, learned = as_array(fields, 5)
        return Known(as_nonce(nonce), *as_span(first, last), self._learned_slots(learned))

    def _ask_highest(self, fields: list[object]) -> AskHighest:
        _, nonce = as_array(fields, 2)
        return AskHighest(as_nonce(nonce))

    def _highest(self, fields: list[object]) -> Highest:
        _, nonce, used_max, prefix = as_array(fields, 4)
        return Highest(as_nonce(nonce), as_slot_or_0(used_max), as_slot_or_0(prefix))

    def _hello(self, fields: list[object]) -> Hello:
        _, nonce, proof = as_array(fields, 3)
        return Hello(as_nonce(nonce), None if proof is None else as_nonce(proof))

    def _welcome(self, fields: list[object]) -> Welcome:
        _, nonce, verdict, challenge, reason = as_array(fields, 5)
        return Welcome(
            as_nonce(nonce),
            Verdict(as_word(verdict, _VERDICTS)),
            None if challenge is None else as_nonce(challenge),
            as_text(reason),
        )

    def _heartbeat(self, fields: list[object]) -> Heartbeat:
        _, leadership, voting, prefix, used_max, sent, echo, held_ms, leads, reaches, hears = as_array(fields, 11)
        return Heartbeat(
            as_word(leadership, _LEADERSHIPS),
            as_truth(voting),
            as_slot_or_0(prefix),
            as_slot_or_0(used_max),
            as_tick(sent),
            None if echo is None else as_tick(echo),
            as_number(held_ms),
            self._ballot_or_none(leads),
            as_truth(reaches),
            self._ballot_or_none(hears),
        )

    def _hand_on(self, fields: list[object]) -> HandOn:
        _, entries, relayed = as_array(fields, 3)
        events = tuple([self._entry(entry) for entry in as_some(entries)])
        if events[0].author is None or any(event.author != events[0].author for event in events):
            raise Rejected(Reason.ENTRY)
        return HandOn(events, as_truth(relayed))

    def _ask_slot(self, fields: list[object]) -> AskSlot:
        _, nonce, slot = as_array(fields, 3)
        return AskSlot(as_nonce(nonce), as_slot(slot))

    def _slot_state(self, fields: list[object]) -> SlotState:
        _, nonce, slot, voting, promised, accepted, digest, entry, learned, learning, deeds = as_array(fields, 11)
        if (accepted is None) != (digest is None):
            raise Rejected(Reason.SHAPE)
        return SlotState(
            as_nonce(nonce),
            as_slot(slot),
            as_truth(voting),
            self._ballot_or_none(promised),
            self._ballot_or_none(accepted),
            None if digest is None else as_digest(digest),
            None if entry is None else self._entry(entry),
            as_truth(learned),
            None if learning is None else self._learning(learning),
            tuple([self._deed(deed) for deed in as_list(deeds)]),
        )

    def _learning(self, value: object) -> Learning:
        how, ballot, source, votes, ago_ms = as_array(value, 5)
        voters = tuple([self._site(site) for site in as_list(votes)])
        return Learning(
            as_word(how, _HOWS), self._ballot_or_none(ballot), self._site(source), voters, as_number(ago_ms)
        )

    def _deed(self, value: object) -> Deed:
        act, ballot, ago_ms = as_array(value, 3)
        return Deed(Act(as_word(act, _ACTS)), self._ballot(ballot), as_number(ago_ms))

    def _ballot_or_none(self, value: object) -> Ballot | None:
        return None if value is None else self._ballot(value)

    def _ballot(self, value: object) -> Ballot:
        number, site = as_array(value, 2)
        return Ballot(as_round(number), self._site(site))

    def _site(self, value: object) -> SiteId:
        name = self._sites.get(as_text(value))
        if name is None:
            raise Rejected(Reason.SITE)
        return name

    def _entry(self, value: object) -> Entry:
        author, number, follows, body = as_array(value, 4)
        entry = Entry(
            None if author is None else self._site(author), as_number(number), as_number(follows), as_text(body)
        )
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
        return tuple([self._learned_slot(one) for one in as_list(value)])

    def _learned_slot(self, value: object) -> LearnedSlot:
        slot, entry = as_array(value, 2)
        return LearnedSlot(as_slot(slot), self._entry(entry))

    def _accepted_slot(self, value: object) -> AcceptedSlot:
        slot, ballot, entry = as_array(value, 3)
        return AcceptedSlot(as_slot(slot), self._ballot(ballot), self._entry(entry))

    def _chosen_slot(self, value: object) -> ChosenSlot:
        slot, ballot, entry = as_array(value, 3)
        if ballot is None and entry is None:  # R0
            raise Rejected(Reason.SHAPE)
        return ChosenSlot(
            as_slot(slot),
            self._ballot_or_none(ballot),
            None if entry is None else self._entry(entry),
        )

    def _refused_spans(self, value: object) -> tuple[RefusedSpan, ...]:
        return tuple([self._refused_span(one) for one in as_list(value)])

    def _refused_span(self, value: object) -> RefusedSpan:
        first, last, ballot, cause = as_array(value, 4)
        first_slot, last_slot = as_open_span(first, last)
        return RefusedSpan(first_slot, last_slot, self._ballot_or_none(ballot), Cause(as_word(cause, _CAUSES)))


_PHASES: Final = frozenset({"prepare", "accept"})
_ACTS: Final = frozenset(act.value for act in Act)
_HOWS: Final = frozenset({"votes", "chosen", "known"})
_CAUSES: Final = frozenset(cause.value for cause in Cause)
_VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)
_LEADERSHIPS: Final = frozenset(leadership.value for leadership in Leadership)
