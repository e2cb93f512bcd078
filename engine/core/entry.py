"""What a slot of the log holds.

Rules that hold here:
- An entry's body is opaque between its author and the state machine: the protocol compares it and carries it.
- A body is one line, `KIND AT_MS ARGUMENT`, so that a store is readable with any SQLite tool.
- A no-op has no author, number 0 and an empty body.
- W5: no body is made that `decode` would refuse, whatever the clock says and whoever submits.
- `follows` is the number of the author's entry that must be the last in effect before this one (E5).
- What changes who belongs to the cluster is an entry too (M3). An address is opaque here: one word, `host:port`.
- A tweet is 1 to 280 code points after stripping; categories Cc, Cs, Zl and Zp are refused (docs/commands.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final, assert_never

from engine.core.ids import NUMBER_MAX, SITE_NAME, STORE_ID, EventId, From0, SiteId, StoreId
from engine.core.value import Row, Value

TEXT_MAX: Final = 280
AT_MS_MAX: Final = 253_402_300_799_999
"""9999-12-31, the last day that ISO 8601 writes with four digits."""
REFUSED: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
"""Cc, Cs, Zl and Zp written out: Unicode never changes these four, and every site must refuse the same texts."""


class Kind(StrEnum):
    """What kind of entry it is: the first word of its body."""

    NOOP = "noop"
    TWEET = "tweet"
    BLOCK = "block"
    UNBLOCK = "unblock"
    WITHDRAWAL = "withdrawal"
    READMIT = "readmit"
    ADD = "add"
    ADD_LEARNER = "add-learner"
    PROMOTE = "promote"
    REMOVE = "remove"
    MOVE = "move"


MEMBERSHIP: Final = frozenset({Kind.READMIT, Kind.ADD, Kind.ADD_LEARNER, Kind.PROMOTE, Kind.REMOVE, Kind.MOVE})
"""What changes who belongs to the cluster."""


class BadOperation(ValueError):
    """An operation that the rules of the timeline refuse. The message says what to write instead."""


class Tweet(Value):
    text: str


class Block(Value):
    target: SiteId


class Unblock(Value):
    target: SiteId


class Withdrawal(Value):
    """Takes the number of an event that its author gave up, so that the event can never take effect (E5)."""


class Readmit(Value):
    """From w slots on, `site` votes with its store `life`, and with no other (M1, M4)."""

    site: SiteId
    life: StoreId


class Add(Value):
    """`site` belongs to the cluster from w slots on, as a learner that is to vote once it has the log."""

    site: SiteId
    address: str


class AddLearner(Value):
    """As `Add`, of one that goes on as a learner until somebody promotes it."""

    site: SiteId
    address: str


class Promote(Value):
    """From w slots on the learner `site` votes, with its store `life`."""

    site: SiteId
    life: StoreId


class Remove(Value):
    """From w slots on `site` does not belong to the cluster (M5)."""

    site: SiteId


class Move(Value):
    """`site` is at another address."""

    site: SiteId
    address: str


Membership = Readmit | Add | AddLearner | Promote | Remove | Move
Operation = Tweet | Block | Unblock | Withdrawal | Membership


class Entry(Row):
    """What is proposed, accepted and chosen. `author` is None for the no-op alone."""

    author: SiteId | None
    number: From0[int]
    follows: From0[int]
    body: str

    @property
    def id(self) -> EventId | None:
        return None if self.author is None else EventId(self.author, self.number)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that tell entries apart where there is no room for the entry (W4)."""
        return sha256(f"{self.author} {self.number} {self.follows} {self.body}".encode()).hexdigest()[:16]


ADDRESS: Final = re.compile(r"(?:\[[0-9a-z:.%_-]{2,80}\]|[0-9a-z._-]{1,253}):[1-9][0-9]{0,4}\Z")
"""What an entry takes for `host:port`; whoever asks for one checks more."""

DIGEST: Final = re.compile(r"\A[0-9a-f]{16}\Z")

NOOP: Final = Entry(None, 0, 0, "")


class Stamped(Value):
    """An operation with its author's clock reading, in milliseconds since 1970 (shown, never trusted for order).

    `stamped` makes one of any reading; an entry that came may say up to NUMBER_MAX.
    """

    operation: Operation
    at_ms: int


def stamped(operation: Operation, at_ms: int) -> Stamped:
    """With whatever a clock says, as near as the calendar comes to it: every site can read it (W5)."""
    return Stamped(operation, bounded_ms(at_ms))


def bounded_ms(at_ms: int) -> int:
    return min(max(at_ms, 0), AT_MS_MAX)


def clean_text(text: str) -> str:
    """The tweet that `text` asks for, stripped. Raises BadOperation."""
    stripped = text.strip()
    if not stripped:
        raise BadOperation("a tweet needs at least 1 character that is not white space")
    if len(stripped) > TEXT_MAX:
        raise BadOperation(f"a tweet is at most {TEXT_MAX} characters, this one has {len(stripped)}: shorten it")
    # What is printable is refused in no version of Unicode, and most texts are.
    refused = None if stripped.isprintable() else REFUSED.search(stripped)
    if refused:
        raise BadOperation(
            f"character {refused.start() + 1} is U+{ord(refused.group()):04X}, a control, surrogate or line separator:"
            " write the tweet on one line without it"
        )
    return stripped


def tweeted(texts: Iterable[str], at_ms: int) -> list[str]:
    """The bodies of tweets of these texts, which `clean_text` made, as `encode` writes each of them `stamped`."""
    begin = f"{Kind.TWEET.value} {bounded_ms(at_ms)} "
    return [begin + text for text in texts]


def encode(said: Stamped) -> str:
    """The body of an entry for this operation."""
    match said.operation:
        case Tweet(text):
            return " ".join((Kind.TWEET, str(said.at_ms), text))
        case Block(target):
            return " ".join((Kind.BLOCK, str(said.at_ms), target))
        case Unblock(target):
            return " ".join((Kind.UNBLOCK, str(said.at_ms), target))
        case Withdrawal():
            return " ".join((Kind.WITHDRAWAL, str(said.at_ms), ""))
        case Readmit(site, life):
            return " ".join((Kind.READMIT, str(said.at_ms), site, life))
        case Add(site, address):
            return " ".join((Kind.ADD, str(said.at_ms), site, address))
        case AddLearner(site, address):
            return " ".join((Kind.ADD_LEARNER, str(said.at_ms), site, address))
        case Promote(site, life):
            return " ".join((Kind.PROMOTE, str(said.at_ms), site, life))
        case Remove(site):
            return " ".join((Kind.REMOVE, str(said.at_ms), site))
        case Move(site, address):
            return " ".join((Kind.MOVE, str(said.at_ms), site, address))
        case _:
            assert_never(said.operation)


@lru_cache(maxsize=256)
def decode(body: str) -> Stamped:
    """The operation in a body; exactly what `encode` writes is taken. Raises BadOperation.

    The last ones are remembered: a site meets a body in each message about its slot, and once more when it applies it.
    """
    kind, _, rest = body.partition(" ")
    at, separator, argument = rest.partition(" ")
    if not separator or not at.isascii() or not at.isdigit() or len(at) > 16 or int(at) > NUMBER_MAX:
        raise BadOperation("the body of an entry is KIND AT_MS ARGUMENT")
    operation: Operation
    match kind:
        case Kind.TWEET:
            if clean_text(argument) != argument:
                raise BadOperation("the text of a tweet is stored stripped")
            operation = Tweet(argument)
        case Kind.BLOCK | Kind.UNBLOCK:
            if not SITE_NAME.match(argument):
                raise BadOperation("a block names a site")
            operation = Block(SiteId(argument)) if kind == Kind.BLOCK else Unblock(SiteId(argument))
        case Kind.WITHDRAWAL if argument == "":
            operation = Withdrawal()
        case Kind.READMIT | Kind.PROMOTE:
            site, life = _of_a_site(kind, argument, STORE_ID, "store")
            operation = (Readmit if kind == Kind.READMIT else Promote)(site, StoreId(life))
        case Kind.ADD | Kind.ADD_LEARNER | Kind.MOVE:
            site, address = _of_a_site(kind, argument, ADDRESS, "address")
            operation = _AT_AN_ADDRESS[Kind(kind)](site, address)
        case Kind.REMOVE:
            if not SITE_NAME.match(argument):
                raise BadOperation("remove names a site")
            operation = Remove(SiteId(argument))
        case _:
            raise BadOperation(
                f"the kind of an entry is one of {', '.join(kind for kind in Kind if kind is not Kind.NOOP)}"
            )
    said = Stamped(operation, int(at))
    if encode(said) != body:
        raise BadOperation("the body of an entry has one spelling")
    return said


_AT_AN_ADDRESS: Final[dict[Kind, type[Add | AddLearner | Move]]] = {
    Kind.ADD: Add,
    Kind.ADD_LEARNER: AddLearner,
    Kind.MOVE: Move,
}


def _of_a_site(kind: str, argument: str, pattern: re.Pattern[str], what: str) -> tuple[SiteId, str]:
    site, _, rest = argument.partition(" ")
    if not SITE_NAME.match(site) or not pattern.match(rest):
        raise BadOperation(f"{kind} names a site and its {what}")
    return SiteId(site), rest


TWEET: Final = re.compile(rf"{Kind.TWEET} (?:0|[1-9][0-9]{{0,14}}) (?!\s).{{1,{TEXT_MAX}}}(?<!\s)\Z", re.DOTALL)
"""What nearly all bodies are, seen without a look at each character: `decode` takes a body that matches, if nothing in
it is REFUSED. Of another one, `decode` says what it is (a tweet too, if its clock is past all calendars)."""


def is_clean(json: bytes) -> bool:
    """Whether it is seen at a glance that no text in this JSON holds what is REFUSED: what is below U+0020, and a lone
    surrogate, it can say by an escape alone; U+0080 to U+009F begin with 0xC2, U+2028 and U+2029 with 0xE2."""
    return not (b"\\" in json or b"\x7f" in json or b"\xc2" in json or b"\xe2" in json)


def check_body(body: str) -> None:
    """Raises BadOperation for a body that `decode` does not take. The usual one is known at a glance."""
    if TWEET.match(body) is None or REFUSED.search(body) is not None:
        decode(body)


def kind_of(entry: Entry) -> Kind:
    """Of an entry that `decode` takes."""
    return Kind.NOOP if entry.author is None else Kind(entry.body.partition(" ")[0])


def all_in_words(entries: Sequence[Entry]) -> str:
    """The first of them, and how many more there are."""
    words = in_words(entries[0])
    return words if len(entries) == 1 else f"{words} (and {len(entries) - 1} more)"


def in_words(entry: Entry) -> str:
    """Who did what. The text of a tweet, which is its user's, stands last."""
    if entry.author is None:
        return "no-op"
    who = f"{entry.author}/{entry.number}"
    match decode(entry.body).operation:
        case Tweet(text):
            return f"{who} tweet {text}"
        case Block(target):
            return f"{who} block {target}"
        case Unblock(target):
            return f"{who} unblock {target}"
        case Withdrawal():
            return f"{who} withdrawal"
        case Readmit(site, life):
            return f"{who} readmit {site}, store {life}"
        case Add(site, address):
            return f"{who} add {site} at {address}"
        case AddLearner(site, address):
            return f"{who} add {site} at {address} as a learner"
        case Promote(site, life):
            return f"{who} promote {site}, store {life}"
        case Remove(site):
            return f"{who} remove {site}"
        case Move(site, address):
            return f"{who} move {site} to {address}"
