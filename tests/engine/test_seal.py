"""W1: a datagram opens for its addressee alone, of its cluster and version, unchanged, and under a nonce used once."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from engine import seal as seal_module
from engine.core.ids import SiteId
from engine.datagram import DATAGRAM_BYTES_MAX, SEAL_BYTES, Reason, Rejected
from engine.seal import HEADER_BYTES, VERSION, Seal
from engine.senders import SENDERS_MAX
from tests.strategies import SITES

KEY = bytes(range(32))
ALICE, BOB, CAROL = SITES


def _seal(me: SiteId, key: bytes | None = KEY, cluster: str = "island") -> Seal:
    return Seal(key, cluster, me)


def _reason(receiver: Seal, datagram: bytes) -> Reason:
    with pytest.raises(Rejected) as rejected:
        receiver.open(datagram)
    return rejected.value.reason


def _named(datagram: bytes, *, sender: str, addressee: str) -> bytes:
    names = b"".join(name.encode().ljust(16, b"\0") for name in (sender, addressee))
    return datagram[:2] + names + datagram[34:]


def _hkdf_sha256(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 for 32 bytes, written out."""
    extracted = hmac.digest(salt, secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


class _CountedDerivations:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        def counted(algorithm: HashAlgorithm, length: int, salt: bytes, info: bytes) -> HKDF:
            self.count += 1
            return HKDF(algorithm, length, salt, info)

        monkeypatch.setattr(seal_module, "HKDF", counted)


@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
@given(plaintext=st.binary(max_size=2_000))
def test_what_was_sealed_opens_at_the_addressee(key: bytes | None, plaintext: bytes) -> None:
    alice, bob = _seal(ALICE, key), _seal(BOB, key)
    datagram = alice.seal(BOB, plaintext)
    assert len(datagram) == len(plaintext) + SEAL_BYTES
    assert bob.open(datagram) == (ALICE, plaintext)
    assert alice.open(bob.seal(ALICE, plaintext)) == (BOB, plaintext)


def test_the_format_is_as_documented() -> None:
    datagram = _seal(BOB).seal(CAROL, b"hello")
    header, sealed = datagram[:58], datagram[58:]
    assert header[:34] == bytes((0x4C, VERSION)) + b"bob" + bytes(13) + b"carol" + bytes(11)
    assert header[50:] == bytes(8)
    key = _hkdf_sha256(KEY, header[34:50], bytes((VERSION,)) + b"island\nbob\ncarol")
    assert AESGCM(key).decrypt(bytes(4) + header[50:], sealed, header) == b"hello"


def test_a_plaintext_is_secret() -> None:
    assert b"meet at noon" not in _seal(ALICE).seal(BOB, b"meet at noon")


@given(bit=st.integers(0), plaintext=st.binary(max_size=100))
def test_a_changed_bit_is_found(bit: int, plaintext: bytes) -> None:
    datagram = bytearray(_seal(ALICE).seal(BOB, plaintext))
    byte = bit // 8 % len(datagram)
    datagram[byte] ^= 1 << bit % 8
    reason = _reason(_seal(BOB), bytes(datagram))
    in_header = {0: Reason.VERSION, 1: Reason.VERSION} | dict.fromkeys(range(18, 34), Reason.NOT_FOR_US)
    assert reason == in_header.get(byte, Reason.FORGED) or (byte in range(2, 18) and reason is Reason.SENDER)


def test_a_truncated_or_prolonged_datagram_is_found() -> None:
    bob = _seal(BOB)
    datagram = _seal(ALICE).seal(BOB, b"hello")
    reasons = [_reason(bob, datagram[:length]) for length in range(len(datagram))]
    assert reasons == [Reason.EMPTY] + [Reason.SHORT] * (SEAL_BYTES - 1) + [Reason.FORGED] * len(b"hello")
    assert _reason(bob, datagram + b"\0") is Reason.FORGED
    assert bob.open(datagram) == (ALICE, b"hello")


def test_an_oversized_datagram_is_not_even_opened() -> None:
    longest = _seal(ALICE).seal(BOB, bytes(DATAGRAM_BYTES_MAX - SEAL_BYTES))
    assert len(_seal(BOB).open(longest)[1]) == DATAGRAM_BYTES_MAX - SEAL_BYTES
    assert _reason(_seal(BOB), longest + b"\0") is Reason.OVERSIZE


@pytest.mark.parametrize(
    "foreign",
    [
        _seal(ALICE, bytes(32)),
        _seal(ALICE, None),
        _seal(ALICE, cluster="another"),
    ],
    ids=["another key", "no key", "another cluster"],
)
def test_a_datagram_is_bound_to_key_and_cluster(foreign: Seal) -> None:
    assert _reason(_seal(BOB), foreign.seal(BOB, b"hello")) is Reason.FORGED


def test_without_a_key_clusters_are_still_told_apart() -> None:
    datagram = _seal(ALICE, None, cluster="another").seal(BOB, b"hello")
    assert _reason(_seal(BOB, None), datagram) is Reason.FORGED


def test_a_datagram_is_bound_to_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    bob = _seal(BOB)
    with monkeypatch.context() as later:
        later.setattr(seal_module, "VERSION", VERSION + 1)
        datagram = _seal(ALICE).seal(BOB, b"hello")
    assert _reason(bob, datagram) is Reason.VERSION
    assert _reason(bob, datagram[:1] + bytes((VERSION,)) + datagram[2:]) is Reason.FORGED


def test_a_datagram_is_bound_to_sender_and_addressee() -> None:
    alice, bob, carol = _seal(ALICE), _seal(BOB), _seal(CAROL)
    to_bob = alice.seal(BOB, b"hello")
    assert _reason(carol, to_bob) is Reason.NOT_FOR_US
    assert _reason(carol, _named(to_bob, sender="alice", addressee="carol")) is Reason.FORGED
    assert _reason(bob, _named(to_bob, sender="carol", addressee="bob")) is Reason.FORGED
    assert _reason(alice, _named(to_bob, sender="bob", addressee="alice")) is Reason.FORGED


def test_names_that_join_to_the_same_text_are_told_apart() -> None:
    """Who is `a` of one pair is not `ab` of another."""
    datagram = Seal(KEY, "island", SiteId("ab")).seal(SiteId("c"), b"hello")
    assert _reason(Seal(KEY, "island", SiteId("bc")), _named(datagram, sender="a", addressee="bc")) is Reason.FORGED


@pytest.mark.parametrize("name", ["alice", "", "Bob", "0bob", "bob_", "bob\0x", "caf\u00e9"])
def test_a_site_hears_neither_itself_nor_what_is_no_name(name: str) -> None:
    to_alice = _seal(BOB).seal(ALICE, b"hello")
    assert _reason(_seal(ALICE), _named(to_alice, sender=name, addressee="alice")) is Reason.SENDER


def test_m1_a_site_that_no_list_names_is_heard_and_what_is_kept_of_senders_is_bounded() -> None:
    """Who belongs to the cluster the log says, and a site may be behind in it."""
    bob, names = _seal(BOB), [SiteId(f"site-{number}") for number in range(3 * SENDERS_MAX)]
    for name in names:
        assert bob.open(_seal(name).seal(BOB, b"hello")) == (name, b"hello")
    assert [name for name, _ in bob.opened_under] == names[-SENDERS_MAX:]


def test_no_nonce_is_used_twice_under_a_key() -> None:
    headers = []
    for _restart in range(3):
        alice = Seal(KEY, "island", ALICE, counter_max=4)
        headers += [alice.seal(to, b"hello")[:HEADER_BYTES] for to in (BOB, CAROL) * 10]
    assert len(set(headers)) == len(headers)
    salts = {header[34:50] for header in headers}
    assert len(salts) == 3 * 20 / 4
    counters = {int.from_bytes(header[50:], "big") for header in headers}
    assert counters == {0, 1, 2, 3}


def test_datagrams_open_over_a_change_of_salt() -> None:
    alice, bob = Seal(KEY, "island", ALICE, counter_max=2), _seal(BOB)
    datagrams = [alice.seal(BOB, bytes((number,))) for number in range(6)]
    assert [bob.open(datagram)[1][0] for datagram in reversed(datagrams)] == [5, 4, 3, 2, 1, 0]


def test_a_key_is_kept_only_after_a_datagram_opened_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bob, alice = _seal(BOB), _seal(ALICE)
    derived = _CountedDerivations(monkeypatch)
    bob.open(alice.seal(BOB, b"hello"))
    before = derived.count
    forged = [_named(_seal(CAROL, bytes(32)).seal(BOB, b""), sender="alice", addressee="bob") for _ in range(200)]
    derived.count = before
    assert {_reason(bob, datagram) for datagram in forged * 2} == {Reason.FORGED}
    assert derived.count == before + 400, "the key of a forged datagram was kept"
    bob.open(alice.seal(BOB, b"hello"))
    assert derived.count == before + 400, "forged datagrams drove a good key out"


def test_the_kept_keys_are_bounded_and_the_latest_used_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    bob = _seal(BOB)
    lives = [_seal(ALICE).seal(BOB, b"hello") for _ in range(200)]
    derived = _CountedDerivations(monkeypatch)

    def derivations(opens: Callable[[], object]) -> int:
        before = derived.count
        opens()
        return derived.count - before

    for datagram in lives:
        bob.open(datagram)
        bob.open(lives[0])
    assert derived.count == 200
    assert derivations(lambda: bob.open(lives[-1])) == 0
    assert derivations(lambda: bob.open(lives[0])) == 0
    assert derivations(lambda: bob.open(lives[1])) == 1


def test_a_seal_is_of_a_site_that_has_a_name() -> None:
    with pytest.raises(ValueError, match="no name"):
        Seal(KEY, "island", SiteId("Alice"))
