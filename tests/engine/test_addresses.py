"""host:port, as sites.yaml takes it."""

from __future__ import annotations

import pytest

from engine.addresses import Address, BadAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address", "printed"),
    [
        ("127.0.0.1:7001", Address("127.0.0.1", 7001), "127.0.0.1:7001"),
        ("[::1]:7001", Address("::1", 7001), "[::1]:7001"),
        ("[2001:DB8:0:0::1]:1", Address("2001:db8::1", 1), "[2001:db8::1]:1"),
        ("[fe80::1%eth0]:7001", Address("fe80::1%eth0", 7001), "[fe80::1%eth0]:7001"),
        ("Site-1.Example.org:65535", Address("site-1.example.org", 65535), "site-1.example.org:65535"),
        ("site_one:7001", Address("site_one", 7001), "site_one:7001"),
    ],
)
def test_an_address_has_one_spelling(text: str, address: Address, printed: str) -> None:
    assert parse_address(text) == address
    assert str(address) == printed
    assert parse_address(printed) == address


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("128.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_loopback_is_read_off_the_text(host: str, is_loopback: bool) -> None:
    assert Address(host, 7001).is_loopback is is_loopback


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("", "write host:port, as 127.0.0.1:7001"),
        ("127.0.0.1", "write host:port"),
        ("7001", "write host:port"),
        (":7001", "write a host name or an IP address before the port"),
        ("127.0.0.1:", "a port of 1 to 65535, not ''"),
        ("127.0.0.1:0", "a port of 1 to 65535, not '0'"),
        ("127.0.0.1:65536", "a port of 1 to 65535, not '65536'"),
        ("127.0.0.1:-1", "a port of 1 to 65535"),
        ("127.0.0.1:http", "a port of 1 to 65535"),
        ("127.0.0.1:\u0667\u0660\u0660\u0661", "a port of 1 to 65535"),
        ("127.0.0.1:7001\n", "a port of 1 to 65535"),
        ("127.0.0:7001", "four numbers of 0 to 255"),
        ("256.0.0.1:7001", "four numbers of 0 to 255"),
        ("::1:7001", "in brackets and quotes"),
        ("[::1]", "in brackets and quotes"),
        ("[127.0.0.1]:7001", "an IPv6 address between the brackets"),
        ("[]:7001", "an IPv6 address between the brackets"),
        ("ho st:7001", "a host name or an IP address"),
        ("-host:7001", "a host name or an IP address"),
        ("a" * 64 + ":7001", "a host name or an IP address"),
        ("a." * 127 + "a:7001", "a host name or an IP address"),
        ("udp://host:7001", "in brackets and quotes"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(text: str, instead: str) -> None:
    with pytest.raises(BadAddress, match=instead):
        parse_address(text)
