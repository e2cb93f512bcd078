"""sites.yaml as its own comments have it; else it is refused with one message: file, line, what to write instead."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.addresses import Address
from engine.config import Cluster, read_cluster
from engine.core.settings import Leadership, Timings
from engine.datagram import DatagramSizes
from engine.plain_yaml import FILE_BYTES_MAX, ConfigError

GOOD = """\
cluster: paxos-island
leadership: elected
key: cluster.key
sites:
  carol: localhost:7003
  alice: localhost:7001
  bob: "[::1]:7002"
"""
KEYLESS = GOOD.replace("key: cluster.key\n", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    key = tmp_path / "cluster.key"
    key.write_text("0a" * 32 + "\n")
    key.chmod(0o600)
    return tmp_path


def _read(folder: Path, text: str | bytes) -> Cluster:
    path = folder / "sites.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_cluster(path)


def _refusal(folder: Path, text: str | bytes) -> tuple[int | None, str]:
    """The line that is refused, and the whole message, which begins with the file and that line."""
    with pytest.raises(ConfigError) as refused:
        _read(folder, text)
    message, line = str(refused.value), refused.value.line
    place = f"{folder / 'sites.yaml'}:" if line is None else f"{folder / 'sites.yaml'}:{line}: "
    assert message.startswith(place)
    assert "\n" not in message
    return line, message


def test_a_good_file(folder: Path) -> None:
    cluster = _read(folder, GOOD)
    assert (cluster.name, cluster.leadership, cluster.key) == ("paxos-island", Leadership.ELECTED, b"\x0a" * 32)
    assert list(cluster.addresses.items()) == [
        ("carol", Address("localhost", 7003)),
        ("alice", Address("localhost", 7001)),
        ("bob", Address("::1", 7002)),
    ]
    assert cluster.sites == ("alice", "bob", "carol")
    assert cluster.timings == Timings()
    assert cluster.settings(cluster.find("bob"), cluster.sites).sites == cluster.sites


ADDED = GOOD + "added:\n  dave: localhost:7004\n"


def test_m1_a_site_that_was_added_stands_beside_those_that_it_asks(folder: Path) -> None:
    cluster = _read(folder, ADDED)
    assert (cluster.added, cluster.sites) == ("dave", ("alice", "bob", "carol"))
    assert cluster.addresses[cluster.find("dave")] == Address("localhost", 7004)
    assert _read(folder, GOOD).added is None


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (ADDED.replace("dave:", "bob:"), 9, "bob is already under `sites`"),
        (ADDED.replace("7004", "7003"), 9, "carol has the address localhost:7003 already"),
        (ADDED.replace("localhost:7004", "10.0.0.4:7004").replace("key: cluster.key\n", ""), 8, "dave is at 10.0.0.4"),
        (ADDED.replace("localhost:7004", "0.0.0.0:7004").replace('bob: "[::1]', 'bob: "[::]'), 9, "may have"),
        (ADDED + "  erin: localhost:7005\n", 8, "takes exactly one site"),
        (GOOD + "added: dave\n", 8, "write `added:` and below it"),
        (GOOD + "added:\n  Dave: localhost:7004\n", 9, "a site's name is"),
    ],
)
def test_an_added_site_is_one_with_an_address_of_its_own(folder: Path, text: str, line: int, said: str) -> None:
    where, message = _refusal(folder, text)
    assert said in message
    assert where == line


def test_the_key_is_not_printed(folder: Path) -> None:
    cluster = _read(folder, GOOD)
    assert repr(cluster.key) not in repr(cluster)


def test_timings_are_in_the_units_of_their_names(folder: Path) -> None:
    text = (
        GOOD + "heartbeat_ms: 100\nretransmit_ms: 50\nfill_every_s: 0.5\nscan_every_s: 60\ndatagram_max_bytes: 9000\n"
    )
    cluster = _read(folder, text)
    settings = cluster.settings(cluster.find("alice"), cluster.sites)
    timings = settings.timings
    assert (timings.heartbeat, timings.retransmit, timings.fill_every, timings.scan_every) == (100, 50, 500, 60_000)
    assert cluster.datagram_sizes == DatagramSizes(9_000, 9_000)
    assert settings.page_bytes < 9_000


def test_w4_datagrams_are_long_only_where_every_host_is_loopback(folder: Path) -> None:
    assert _read(folder, GOOD).datagram_sizes == DatagramSizes(32_768, 32_768)
    far = GOOD.replace("[::1]", "[2001:db8::1]")
    assert _read(folder, far).datagram_sizes == DatagramSizes(1_232, 1_452)
    assert _read(folder, far + "datagram_max_bytes: 9000\n").datagram_sizes == DatagramSizes(1_232, 9_000)
    cluster = _read(folder, far)
    assert cluster.settings(cluster.find("alice"), cluster.sites).page_bytes < 1_232, (
        "messages fit what every path carries"
    )


@pytest.mark.parametrize("bytes_max", [548, 1_200])
def test_w4_datagrams_may_be_as_short_as_any_path_needs(folder: Path, bytes_max: int) -> None:
    far = GOOD.replace("[::1]", "[2001:db8::1]")
    cluster = _read(folder, far + f"datagram_max_bytes: {bytes_max}\n")
    assert cluster.datagram_sizes == DatagramSizes(bytes_max, bytes_max)
    assert cluster.settings(cluster.find("alice"), cluster.sites).page_bytes < bytes_max


def test_w1_only_loopback_hosts_may_do_without_a_key(folder: Path) -> None:
    assert _read(folder, KEYLESS).key is None
    assert _read(folder, KEYLESS.replace('"[::1]', "localhost").replace('7002"', "7002")).key is None
    line, message = _refusal(folder, KEYLESS.replace("localhost:7001", "10.0.0.1:7001"))
    assert line == 5
    assert "alice is at 10.0.0.1:7001, not on loopback" in message
    assert "`key: cluster.key`" in message


def test_words_that_yaml_reads_as_values_are_words(folder: Path) -> None:
    cluster = _read(
        folder, "cluster: 'on'\nleadership: none\nsites: {no: localhost:1, y: localhost:2, null: localhost:3}\n"
    )
    assert cluster.name == "on"
    assert cluster.sites == ("no", "null", "y")


def test_a_site_that_is_not_there_is_refused_with_a_guess(folder: Path) -> None:
    cluster = _read(folder, GOOD)
    with pytest.raises(ConfigError, match="has no site 'alcie': did you mean 'alice'"):
        cluster.find("alcie")
    with pytest.raises(ConfigError, match="has no site 'zz': write one of carol, alice, bob"):
        cluster.find("zz")


@pytest.mark.parametrize(
    ("old", "new", "line", "instead"),
    [
        ("cluster: paxos-island\n", "", 1, "'cluster' is missing: write `cluster: paxos-island`"),
        ("leadership: elected\n", "", 1, "'leadership' is missing: write `leadership: elected`"),
        (GOOD[GOOD.index("sites:") :], "", 1, "'sites' is missing: write `sites:`"),
        ("cluster: p", "cluster: P", 1, "1 to 32 characters of a-z, 0-9 and '-'"),
        ("cluster: paxos-island", "cluster:", 1, "1 to 32 characters"),
        ("cluster: paxos-island", "cluster: ../up", 1, "1 to 32 characters"),
        ("cluster: paxos-island", "cluster: [a]", 1, "lists are not allowed"),
        ("cluster: paxos-island", "cluster: {a: b}", 1, "'cluster' takes one value: write `cluster: ...`"),
        ("elected", "democratic", 2, "one of none, last-author, elected, not 'democratic'"),
        ("elected", "~", 2, "one of none, last-author, elected"),
        ("leadership", "leadrship", 2, "'leadrship' is not a setting: did you mean 'leadership'?"),
        ("leadership", "colour", 2, "'colour' is not a setting: write one of cluster, leadership, key, sites"),
        ("key: cluster.key", "key: other.key", 3, "other.key does not exist: copy it from another site"),
        ("key: cluster.key", "key: .", 3, "cannot be read"),
        ("key: cluster.key", "key:", 3, "cannot be read"),
        ("key: cluster.key", "<<: {key: cluster.key}", 3, "'<<' is not a setting"),
        ("  carol: localhost:7003\n", "  carol: 127.0.0.1\n", 5, "write host:port, as 127.0.0.1:7001"),
        ("7003", "70003", 5, "a port of 1 to 65535, not '70003'"),
        ("7003", "7001", 6, "carol has the address localhost:7001 already: give alice another"),
        ("localhost:7003", '"[0:0::1]:7002"', 7, "carol has the address [::1]:7002 already: give bob another"),
        ("alice", "carol", 6, "'carol' is given twice, first on line 5"),
        ("alice", "Alice", 6, "1 to 16 characters of a-z, 0-9 and '-', starting with a letter"),
        ("alice", "1st", 6, "1 to 16 characters"),
        ("alice", "a" * 17, 6, "1 to 16 characters"),
        ("alice: localhost:7001", "alice:", 6, "write host:port"),
        ("alice: localhost:7001", "alice: {host: a, port: 1}", 6, "'alice' takes one value"),
        ("alice: localhost:7001", "alice: [127.0.0.1, 7001]", 6, "lists are not allowed"),
        ("alice: localhost:7001", "? [alice]\n  : a:1", 6, "a name is one word"),
        ('"[::1]:7002"', "[::1]:7002", 7, 'write an IPv6 address in quotes, as "[::1]:7001"'),
        ('"[::1]:7002"', "::1:7002", 7, "in brackets and quotes"),
        ("sites:\n", "sites: alice\nsights:\n", 5, "'sights' is not a setting: did you mean 'sites'?"),
        (
            "cluster: paxos-island",
            "cluster: paxos-island\ncluster: b",
            2,
            "'cluster' is given twice, first on line 1",
        ),
        ("cluster: paxos-island", "cluster: &c paxos-island", 1, "write the value out"),
        ("cluster: paxos-island", "cluster: *c", 1, "write the value out"),
        ("cluster: paxos-island", "cluster: !!str paxos-island", 1, "write the value alone"),
        ("cluster: paxos-island", "cluster: !!python/name:os.system", 1, "write the value alone"),
        (
            "cluster: paxos-island",
            "cluster: 'paxos",
            1,
            "is not YAML (found unexpected end of stream): end the quoted text",
        ),
        ("  carol", "\tcarol", 5, "spaces, not tabs"),
        ("  carol", " carol", 6, "is not YAML"),
        ("leadership", "---\nleadership", 2, "a second document"),
        ("leadership", "lea\x07dership", 2, "a control character"),
        ("sites:\n", "sites:\n  zed: " + "[" * 5_000 + "]" * 5_000 + "\n", 5, "nested too deep"),
        ("sites:\n", "heartbeat_ms: fast\nsites:\n", 4, "heartbeat_ms is a whole number of 50 to 60000, not 'fast'"),
        ("sites:\n", "heartbeat_ms: 500.5\nsites:\n", 4, "a whole number of 50 to 60000"),
        ("sites:\n", "heartbeat_ms: 0\nsites:\n", 4, "a whole number of 50 to 60000"),
        ("sites:\n", "heartbeat_ms: true\nsites:\n", 4, "a whole number of 50 to 60000"),
        ("sites:\n", "retransmit_ms: 1e3\nsites:\n", 4, "a whole number of 10 to 10000"),
        ("sites:\n", "fill_every_s: .inf\nsites:\n", 4, "fill_every_s is a number of 0.1 to 3600"),
        ("sites:\n", "fill_every_s: 5s\nsites:\n", 4, "fill_every_s is a number of 0.1 to 3600"),
        ("sites:\n", "scan_every_s: -1\nsites:\n", 4, "scan_every_s is a number of 0.1 to 86400"),
        ("sites:\n", "datagram_max_bytes: 65507\nsites:\n", 4, "a whole number of 548 to 60000"),
        ("sites:\n", "datagram_max_bytes: 547\nsites:\n", 4, "a whole number of 548 to 60000"),
    ],
)
def test_anything_else_is_refused(folder: Path, old: str, new: str, line: int, instead: str) -> None:
    assert GOOD.count(old) == 1
    refused_line, message = _refusal(folder, GOOD.replace(old, new))
    assert refused_line == line, message
    assert instead in message


@pytest.mark.parametrize(
    ("text", "line", "instead"),
    [
        ("", 1, "is empty"),
        ("# nothing yet\n", 1, "is empty"),
        ("hello\n", 1, "is not a list of settings"),
        ("- cluster: a\n", 1, "lists are not allowed"),
        (b"cluster: a\nleadership: \xff\n", 2, "is not UTF-8"),
        (b"\x7fELF\x00\x01\x02", 1, "a control character"),
        ("#" * (FILE_BYTES_MAX + 1), None, "is longer than"),
        ("cluster: a\nleadership: none\nsites: {}\n", 3, "1 to 9 sites, not 0"),
        ("cluster: a\nleadership: none\nsites:\n", 3, "names no sites"),
        (
            "cluster: a\nleadership: none\nsites:\n" + "".join(f"  s{n}: localhost:{n}\n" for n in range(1, 11)),
            3,
            "1 to 9 sites, not 10",
        ),
    ],
)
def test_another_file_is_refused(folder: Path, text: str | bytes, line: int | None, instead: str) -> None:
    refused_line, message = _refusal(folder, text)
    assert refused_line == line, message
    assert instead in message


def test_one_site_and_nine_sites_are_clusters(folder: Path) -> None:
    head = "cluster: a\nleadership: none\nsites:\n"
    for size in (1, 9):
        text = head + "".join(f"  s{n}: localhost:{n}\n" for n in range(1, size + 1))
        assert len(_read(folder, text).sites) == size


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sites.yaml: does not exist: .* --sites, .* `loggos init`"):
        read_cluster(tmp_path / "sites.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_cluster(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_read_or_change_is_refused(folder: Path, mode: int) -> None:
    (folder / "cluster.key").chmod(mode)
    line, message = _refusal(folder, GOOD)
    assert line == 3
    assert f"run `chmod 600 {folder / 'cluster.key'}`" in message


@pytest.mark.parametrize(
    "content", ["", "0a" * 31, "0a" * 33, "0g" * 32, "0a" * 32 + "\n\n", " " + "0a" * 32, "\0" * 32]
)
def test_a_key_of_another_form_is_refused(folder: Path, content: str) -> None:
    (folder / "cluster.key").write_text(content)
    line, message = _refusal(folder, GOOD)
    assert line == 3
    assert "one line of 64 hexadecimal digits" in message


TWO_KEYS = GOOD.replace("key: cluster.key", "key: [new.key, cluster.key]")


@pytest.fixture
def two_keys(folder: Path) -> Path:
    key = folder / "new.key"
    key.write_text("0B" * 32 + "\n")
    key.chmod(0o600)
    return folder


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("key: cluster.key", (b"\x0a" * 32, None)),
        ("key: [cluster.key]", (b"\x0a" * 32, None)),
        ("key: [new.key, cluster.key]", (b"\x0b" * 32, b"\x0a" * 32)),
        ("key: [cluster.key, new.key]", (b"\x0a" * 32, b"\x0b" * 32)),
        ("key:\n  - new.key\n  - cluster.key", (b"\x0b" * 32, b"\x0a" * 32)),
    ],
)
def test_a_second_key_is_named_after_the_first(two_keys: Path, written: str, keys: tuple[bytes, bytes | None]) -> None:
    cluster = _read(two_keys, GOOD.replace("key: cluster.key", written))
    assert (cluster.key, cluster.second_key) == keys
    assert [(two_keys / name).is_file() for name in cluster.key_files] == [True] * (1 + (keys[1] is not None))
    assert "\\x0" not in repr(cluster), "no key is printed"


@pytest.mark.parametrize(
    ("written", "line", "instead"),
    [
        ("key: []", 3, "names no key: write `key: cluster.key`"),
        (
            "key: [new.key, cluster.key, third.key]",
            3,
            "one key, or two while it changes to another, not 3",
        ),
        ("key: [new.key, new.key]", 3, "names the key file new.key twice: name the other key's file, or write"),
        ("key: [new.key, ./x/../new.key]", 3, "names the key file new.key twice"),
        ("key:\n  - new.key\n  - gone.key", 5, "gone.key does not exist: copy it from another site"),
        ("key:\n  - gone.key\n  - new.key", 4, "gone.key does not exist"),
        ("key: [new.key, '']", 3, "cannot be read"),
        ("key: [new.key, [cluster.key]]", 3, "lists are not allowed"),
        ("key: [new.key, {old: cluster.key}]", 3, "lists are not allowed"),
        (
            "key: {new: new.key}",
            3,
            "a key is the name of a file: write `key: cluster.key`, or `key: [new.key, old.key]`",
        ),
        (
            "key: new.key, cluster.key",
            3,
            "; write two files as `key: [new.key, old.key]`",
        ),
        ('key: "new\\0.key"', 3, "cannot be the name of a file"),
    ],
)
def test_other_lists_of_keys_are_refused(two_keys: Path, written: str, line: int, instead: str) -> None:
    refused_line, message = _refusal(two_keys, GOOD.replace("key: cluster.key", written))
    assert refused_line == line, message
    assert instead in message


def test_two_files_with_one_key_are_refused(two_keys: Path) -> None:
    (two_keys / "new.key").write_text("0A" * 32)
    line, message = _refusal(two_keys, TWO_KEYS)
    assert line == 3
    assert "new.key and cluster.key hold the same key: `loggos init --new-key FILE` makes a new one" in message


@pytest.mark.parametrize("name", ["cluster.key", "new.key"])
def test_neither_of_two_keys_may_be_read_by_others(two_keys: Path, name: str) -> None:
    (two_keys / name).chmod(0o640)
    assert f"run `chmod 600 {two_keys / name}`" in _refusal(two_keys, TWO_KEYS)[1]


def test_a_second_key_is_as_well_formed_as_the_first(two_keys: Path) -> None:
    (two_keys / "cluster.key").write_text("0a" * 31)
    assert "cluster.key is not one line of 64 hexadecimal digits" in _refusal(two_keys, TWO_KEYS)[1]


@given(seed=st.integers(0, 2**32), changes=st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_no_change_of_the_file_is_an_error_of_another_kind(folder: Path, seed: int, changes: int) -> None:
    chance = random.Random(seed)
    text = bytearray(GOOD, "utf-8")
    for _ in range(changes):
        place = chance.randrange(len(text) + 1)
        instead = chance.choice(
            [b"", b" ", b"\n", b"\t", b":", b"[", b"]", b"{", b"&a ", b"*a", b"!", b'"', b"\xff", b"%", b"-"]
        )
        text[place : place + chance.randrange(3)] = instead
    path = folder / "sites.yaml"
    path.write_bytes(text)
    try:
        read_cluster(path)
    except ConfigError as refused:
        message = str(refused)
    else:
        message = ""  # a few changes change nothing
    assert "\n" not in message


@pytest.mark.parametrize(
    ("alice", "bob", "instead"),
    [
        (
            '"[::1]:7001"',
            "127.0.0.1:7002",
            "one address is IPv6, the other IPv4. Write addresses of one kind",
        ),
        ("192.0.2.1:7001", '"[2001:db8::1]:7002"', "one address is IPv6"),
        ("0.0.0.0:7001", '"[2001:db8::1]:7002"', "one address is IPv6"),
        ("0.0.0.0:7001", "0.0.0.0:7002", "only the site that runs here may have"),
        ("192.0.2.1:7001", "224.0.0.1:7002", "is not the address of a single host"),
        ("192.0.2.1:7001", "255.255.255.255:7002", "is not the address of a single host"),
        ("192.0.2.1:7001", '"[ff02::1]:7002"', "is not the address of a single host"),
        ('"[2001:db8::1]:7001"', '"[fe80::1]:7002"', "with its interface"),
        ("192.0.2.1:7001", '"[::ffff:192.0.2.2]:7002"', "write 192.0.2.2, without brackets"),
    ],
)
def test_addresses_that_can_never_meet_are_refused(folder: Path, alice: str, bob: str, instead: str) -> None:
    text = f"cluster: c\nleadership: none\nkey: cluster.key\nsites:\n  alice: {alice}\n  bob: {bob}\n"
    line, message = _refusal(folder, text)
    assert line == 6
    assert instead in message


@pytest.mark.parametrize(
    ("alice", "bob"),
    [
        ('"[::]:7001"', "192.0.2.2:7002"),
        ("0.0.0.0:7001", "192.0.2.2:7002"),
        ('"[2001:db8::1]:7001"', "bob.example:7002"),
    ],
)
def test_addresses_that_may_meet_are_taken(folder: Path, alice: str, bob: str) -> None:
    text = f"cluster: c\nleadership: none\nkey: cluster.key\nsites:\n  alice: {alice}\n  bob: {bob}\n"
    assert _read(folder, text).find("alice") == "alice"


def test_a_peer_that_is_nowhere_in_particular_is_refused(folder: Path) -> None:
    text = "cluster: c\nleadership: none\nkey: cluster.key\nsites:\n  alice: 0.0.0.0:7001\n  bob: 192.0.2.2:7002\n"
    with pytest.raises(ConfigError, match=r"alice cannot be reached at 0\.0\.0\.0:7001"):
        _read(folder, text).find("bob")
