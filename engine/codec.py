"""Packets <-> plaintexts: what sites say to each other, as compact JSON.

A plaintext is `[life, commit, to_life, [message, ...]]`; a message is an array that begins with its type:

    prepare      ballot, first, last
    promise      ballot, first, last, [[first, ballot, [entry, ...]], ...], [run, ...], [refused, ...]
    accept       ballot, run
    accepted     ballot, [[first, last], ...]
    refused      ballot, phase, [refused, ...]
    chosen       first, last, ballot or null, [entry, ...]
    ask          nonce, [[first, last], ...]
    known        nonce, first, last, [run, ...]
    ask-highest  nonce
    highest      nonce, used_max, prefix
    hello        nonce, proof or null, founders
    welcome      nonce, verdict, challenge or null, reason
    heartbeat    leadership, voting, prefix, used_max, sent, echo or null, held_ms,
                 every_ms, leads or null, reaches, hears or null
    hand-on      [entry, ...], relayed
    ask-slot     nonce, slot
    slot-state   nonce, slot, voting, promised or null, accepted or null, digest or null, entry or null, learned,
                 null or [how, ballot or null, source, [site, ...], ago_ms], [[act, ballot, ago_ms], ...]

A ballot is `[round, site]`, and so are `leads` and `hears`; an entry `[author or null, number, follows, body]`; a run
`[first, [entry, ...]]`, the entries of consecutive slots; refused `[first, last, ballot or null, cause]`; a `last` of
null means "and all after". The fields are those of `engine.core.messages`, in their order, and have the types and
ranges that their annotations say.

Rules that hold here:
- A packet is taken whole or rejected whole (W2). Whatever the bytes are, decoding ends in a Packet or in Rejected.
- msgspec takes values of the one type and range: integers of 0 to 2**53, slots of 1 to 2**53; `true`, `1.0` and `2**64`
  are none. What a type cannot say is looked at after: every site is named by a name, no span ends before it begins, an
  entry is the no-op or one that its author can have made: `engine.core.entry.decode` takes its body. Tweets, which are
  nearly all that is said, are known at a glance, and what no text may hold is looked for in the plaintext.
- Whether a site that is named belongs to the cluster is not asked here: the log says who does, and of what another slot
  than the present one is about, others may know more (M1).
- The messages of a packet are spread over as many plaintexts as they need (W4), in their order. No message is split:
  what it covers is its own claim (A4, B3). One that is too long goes alone, and then in parts (`engine.parts`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, get_args

from msgspec import DecodeError, ValidationError
from msgspec.json import Decoder as JsonDecoder
from msgspec.json import Encoder as JsonEncoder

from engine.core.entry import NOOP, REFUSED, TWEET, BadOperation, Entry, decode, is_clean
from engine.core.ids import SITE_NAME, STORE_ID, From0, SiteId, StoreId
from engine.core.messages import Message, Packet, Some
from engine.core.said import Said
from engine.core.value import Row
from engine.datagram import Reason, Rejected


class _Plaintext(Row):
    life: StoreId
    commit: From0[int]
    to_life: StoreId | None
    messages: Some[Message]


_SAID_BY_TYPES: Final = frozenset(
    kind
    for kind in get_args(Message)
    if (kind.ballot, kind.names, kind.carried, kind.flaw) == (Said.ballot, Said.names, Said.carried, Said.flaw)
)
"""Their types say all; much of what a quiet cluster says is of them."""

_END: Final = b"]]"
_to_json: Final = JsonEncoder().encode
_from_json: Final = JsonDecoder(_Plaintext).decode


def encode_packet(packet: Packet, plaintext_bytes_max: int) -> list[bytes]:
    """The plaintexts that together say `packet`, each at most `plaintext_bytes_max` long unless one message is more."""
    messages = packet.messages
    whole = _to_json((packet.life, packet.commit, packet.to_life, messages))
    if len(whole) <= plaintext_bytes_max and messages:
        return [whole]
    start = _to_json((packet.life, packet.commit, packet.to_life))[:-1] + b",["
    room = plaintext_bytes_max - len(start) - len(_END)
    groups: list[list[bytes]] = []
    left = 0
    for message in messages:
        text = _to_json(message)
        if len(text) > left or not groups:
            groups.append([])
            left = room
        groups[-1].append(text)
        left -= len(text) + 1
    return [start + b",".join(group) + _END for group in groups]


def decode_packet(sender: SiteId, plaintext: bytes) -> Packet:
    """The packet in a plaintext that opened as `sender`'s. Raises Rejected, and nothing else."""
    try:
        said = _from_json(plaintext)
    except ValidationError:
        raise Rejected(Reason.MESSAGE) from None
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise Rejected(Reason.NOT_JSON) from None
    if not (_is_store_id(said.life) and (said.to_life is None or _is_store_id(said.to_life))):
        raise Rejected(Reason.MESSAGE)
    clean = is_clean(plaintext)
    for message in said.messages:
        if type(message) not in _SAID_BY_TYPES:
            _check(message, clean)
    return Packet(sender, said.life, said.commit, said.to_life, said.messages)


def _check(message: Message, clean: bool) -> None:
    """What the types of its fields cannot say. `clean`: nothing in it is REFUSED."""
    if not all(map(_is_site_name, message.names())):
        raise Rejected(Reason.SITE)
    entries = message.carried()
    if entries:
        _check_entries(entries, clean)
    flaw = message.flaw()
    if flaw is not None:
        raise Rejected(Reason(flaw))


def _check_entries(entries: Iterable[Entry], clean: bool) -> None:
    is_tweet, refused = TWEET.match, REFUSED.search
    looked_at: SiteId | None = None
    for entry in entries:
        author, body = entry.author, entry.body
        if (
            author is None
            or entry.follows >= entry.number
            or is_tweet(body) is None
            or not (clean or refused(body) is None)
        ):
            _check_entry(entry)
        elif author != looked_at:
            if not _is_site_name(author):
                raise Rejected(Reason.SITE)
            looked_at = author


def _check_entry(entry: Entry) -> None:
    """The whole truth about one."""
    if entry.author is None:
        if entry != NOOP:
            raise Rejected(Reason.ENTRY)
        return
    if not _is_site_name(entry.author):
        raise Rejected(Reason.SITE)
    if not entry.follows < entry.number:  # E5; numbers count from 1
        raise Rejected(Reason.ENTRY)
    try:
        decode(entry.body)
    except BadOperation:
        raise Rejected(Reason.ENTRY) from None


@lru_cache(maxsize=64)
def _is_store_id(text: StoreId) -> bool:
    """Every packet names two of the same few."""
    return STORE_ID.match(text) is not None


@lru_cache(maxsize=64)
def _is_site_name(text: SiteId) -> bool:
    return SITE_NAME.match(text) is not None
