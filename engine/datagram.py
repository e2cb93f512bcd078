"""What holds for any datagram: how large it may be, and for which reasons one is rejected.

Rules that hold here:
- A bad datagram is rejected whole, for one reason that `status` counts; it is never an error of this site (W2).
- The reasons are words that people read in `status` and in the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.core.ids import SiteId

WIRE_VERSION: Final = 4
"""Sites of one cluster speak the same; what comes of another is rejected (W1)."""

DATAGRAM_BYTES_MAX: Final = 60_000
"""The largest sealed datagram that a site sends or takes; what is longer is OVERSIZE."""

SEAL_BYTES: Final = 74
"""How much longer a datagram is than its plaintext: header and tag (`engine.seal`)."""

PLAINTEXT_BYTES_MAX: Final = DATAGRAM_BYTES_MAX - SEAL_BYTES
"""The longest plaintext, whether it goes whole or in parts."""

HEADERS_BYTES: Final = 48
"""What IPv6 and UDP put before a datagram; a path is as wide as packets with them may be."""

DATAGRAM_BYTES_MIN: Final = 548
"""The least that the longest datagram may be: what any IPv4 host takes, 576 bytes, less the headers of IP and UDP."""

DATAGRAM_BYTES_FAR: Final = 1_232
"""Where other hosts are (W4): the minimum path of IPv6, 1,280 bytes, less the headers of IP and UDP."""

DATAGRAM_BYTES_FAR_MOST: Final = 1_452
"""The longest there by default, to peers that proved that it arrives: a frame of Ethernet, less the headers of IPv6."""

DATAGRAM_BYTES_LOOPBACK: Final = 32_768
"""The default where all sites are on loopback hosts."""

_USUAL_BYTES: Final = (16_384, 8_952, 1_452, 1_372, DATAGRAM_BYTES_FAR, 1_000, 800, DATAGRAM_BYTES_MIN)
"""What paths carry: large frames, Ethernet, tunnels, the least of IPv6, and less."""


@dataclass(frozen=True, slots=True)
class DatagramSizes:
    """How long datagrams may be (W4): at `first`, and at the most where a peer proved that it arrives."""

    first: int
    most: int

    @property
    def ladder(self) -> tuple[int, ...]:
        """The lengths that a peer is asked about, longest first; nothing is asked where there is one alone."""
        if self.first == self.most > DATAGRAM_BYTES_FAR:
            return (self.most,)
        return (self.most, *(size for size in _USUAL_BYTES if size < self.most))

    def up_to(self, longest: int) -> tuple[int, ...]:
        return tuple(size for size in self.ladder if size <= longest)


class Reason(StrEnum):
    """Why a datagram is rejected."""

    # Before it is opened.
    EMPTY = "empty"  # no byte at all
    SHORT = "short"  # less than header and tag
    OVERSIZE = "oversize"  # more than DATAGRAM_BYTES_MAX
    VERSION = "version"  # not Loggos, or another version of its wire
    NOT_FOR_US = "not-for-us"  # addressed to another site
    SENDER = "sender"  # the sender is this site itself, or has no name that a site can have
    FORGED = "forged"  # does not open: another key or cluster, changed, or cut short
    # After it is opened: its sender has the key, and speaks otherwise than this version.
    PART = "part"  # a part that does not fit the others of its plaintext (W4)
    SOUNDING = "sounding"  # a question about a length, or an answer, of another form (W4)
    FOUNDERS = "founders"  # a question about the first list of sites, or an answer, of another form (M1)
    CLOCK = "clock"  # a question about a wall clock, or its answer, of another form
    NOT_JSON = "not-json"  # lone surrogates and bytes that are not UTF-8 included
    MESSAGE = "message"  # an unknown type or field, a missing one, a value of a wrong type or out of its range
    SITE = "site"  # names a site by what is no name
    ENTRY = "entry"  # an entry that no author can have made
    INCOMPLETE = "incomplete"  # no datagram: the other parts of one came, and this one did not (W4)


class Rejected(Exception):
    """A datagram is dropped, unanswered and without effect (W2, W3); `reason` is counted. `claimed` is the site in
    whose name it comes where it does not open: anybody can write that name."""

    def __init__(self, reason: Reason, claimed: SiteId | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.claimed = claimed


class TooLong(Exception):
    """A message is longer than any datagram, and than all parts that one may be cut into."""
