"""What holds for any datagram: how large it may be, and for which reasons one is rejected.

Rules that hold here:
- A bad datagram is rejected whole, for one reason that `status` counts; it is never an error of this site (W2).
- The reasons are words that people read in `status` and in the log.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

DATAGRAM_BYTES_MAX: Final = 60_000
"""The largest sealed datagram that a site sends or takes; what is longer is OVERSIZE."""

SEAL_BYTES: Final = 44
"""How much longer a datagram is than its plaintext: header and tag (`engine.seal`)."""

PLAINTEXT_BYTES_MAX: Final = DATAGRAM_BYTES_MAX - SEAL_BYTES
"""The longest plaintext, whether it goes whole or in parts."""

DATAGRAM_BYTES_MIN: Final = 548
"""The least that the longest datagram may be: what any IPv4 host takes, 576 bytes, less the headers of IP and UDP."""

DATAGRAM_BYTES_FAR: Final = 1_232
"""Where other hosts are (W4): the minimum path of IPv6, 1,280 bytes, less the headers of IP and UDP."""

DATAGRAM_BYTES_LOOPBACK: Final = 16_384
"""The default where both ends are loopback hosts."""


class Reason(StrEnum):
    """Why a datagram is rejected."""

    # Before it is opened.
    EMPTY = "empty"  # no byte at all
    SHORT = "short"  # less than header and tag
    OVERSIZE = "oversize"  # more than DATAGRAM_BYTES_MAX
    VERSION = "version"  # not Loggos, or another version of its wire
    NOT_FOR_US = "not-for-us"  # addressed to another site
    SENDER = "sender"  # the sender is no other site of the cluster
    FORGED = "forged"  # does not open: another key or cluster, changed, or cut short
    # After it is opened: its sender has the key, and speaks otherwise than this version.
    PART = "part"  # a part that does not fit the others of its plaintext (W4)
    NOT_JSON = "not-json"  # lone surrogates and bytes that are not UTF-8 included
    MESSAGE = "message"  # an unknown type or field, a missing one, a value of a wrong type or out of its range
    SITE = "site"  # names a site that is not in the cluster
    ENTRY = "entry"  # an entry that no author can have made
    INCOMPLETE = "incomplete"  # no datagram: the other parts of one came, and this one did not (W4)


class Rejected(Exception):
    """A datagram is dropped, unanswered and without effect (W2, W3); `reason` is counted."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class TooLong(Exception):
    """A message is longer than any datagram, and than all parts that one may be cut into."""
