"""Where a site is: `host:port`, as people write it.

Rules that hold here:
- An address is checked for its form alone; host names are resolved when a site starts.
- Two spellings of an address are one address: IP addresses are kept in their short form, names in small letters.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

PORT_MAX: Final = 65_535

_IN_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]:([^:]*)\Z")
_PLAIN: Final = re.compile(r"([^:\[\]]*):([^:]*)\Z")
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?\Z")
_HOST_NAME_MAX: Final = 253


class BadAddress(ValueError):
    """No address; the message says what to write instead."""


class Address(NamedTuple):
    """A host, without brackets, and a UDP port. Prints as `127.0.0.1:7001` or `[::1]:7001`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Read off the text: `localhost`, 127.0.0.0/8 and ::1; no other name, whatever it resolves to."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def family(self) -> int | None:
        """4 or 6; None for a host name."""
        try:
            return ipaddress.ip_address(self.host).version
        except ValueError:
            return None

    @property
    def is_any(self) -> bool:
        """0.0.0.0 or ::, where a site can listen, and nobody can be reached."""
        return self.host in {"0.0.0.0", "::"}


def parse_address(text: str) -> Address:
    """Raises BadAddress."""
    bracketed = _IN_BRACKETS.match(text)
    plain = _PLAIN.match(text)
    if bracketed:
        host, port = _ipv6(bracketed[1]), bracketed[2]
    elif plain:
        host, port = _ipv4_or_name(plain[1]), plain[2]
    elif text.count(":") > 1:
        raise BadAddress(f'write an IPv6 address in brackets and quotes, as "[::1]:7001", not {text!r}')
    else:
        raise BadAddress(f"write host:port, as 127.0.0.1:7001, not {text!r}")
    if not re.match(r"[0-9]{1,5}\Z", port) or not 1 <= int(port) <= PORT_MAX:
        raise BadAddress(f"write a port of 1 to {PORT_MAX}, not {port!r}")
    return Address(host, int(port))


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise BadAddress(f'write an IPv6 address between the brackets, as "[::1]:7001", not {host!r}') from None
    if address.ipv4_mapped is not None:
        raise BadAddress(f"write {address.ipv4_mapped}, without brackets, for {host!r}")
    if address.is_link_local and address.scope_id is None:
        raise BadAddress(f'write a link-local address with its interface, as "[{address}%eth0]:7001"')
    return _of_one_host(address)


def _of_one_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        raise BadAddress(f"{address} is not the address of a single host: write one that only this site has")
    return str(address)


def _ipv4_or_name(host: str) -> str:
    name = host.lower()
    if re.match(r"[0-9.]+\Z", name):
        try:
            address = ipaddress.IPv4Address(name)
        except ValueError:
            raise BadAddress(f"write an IPv4 address of four numbers of 0 to 255, not {host!r}") from None
        return _of_one_host(address)
    if not _HOST_NAME.match(name) or len(name) > _HOST_NAME_MAX:
        raise BadAddress(f"write a host name or an IP address before the port, not {host!r}")
    return name
