"""W1, W3: while the sites change their key, what is sent is sealed under the first and opens under either."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from engine import seal as seal_module
from engine.cluster_key import WhichKey
from engine.core.ids import SiteId
from engine.datagram import Reason, Rejected
from engine.seal import HEADER_BYTES, OpenedUnder, Seal
from tests.strategies import SITES

OLD, NEW, THIRD = (bytes([number]) * 32 for number in (1, 2, 3))
ALICE, BOB, CAROL = SITES
Keys = tuple[bytes | None, bytes | None]


def _seal(me: SiteId, first: bytes | None, second: bytes | None = None) -> Seal:
    return Seal(first, "island", me, second_key=second)


def _opens(receiver: Seal, datagram: bytes) -> bool:
    try:
        receiver.open(datagram)
    except Rejected as rejected:
        if rejected.reason is Reason.FORGED:
            return False
        raise
    return True


class _Work:
    """How often keys were derived, and how often a datagram was tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.derived = self.tried = 0
        work = self

        class Counted:
            def __init__(self, key: bytes) -> None:
                work.derived += 1
                self._real = AESGCM(key)

            def encrypt(self, nonce: bytes, data: bytes, header: bytes) -> bytes:
                return self._real.encrypt(nonce, data, header)

            def decrypt(self, nonce: bytes, data: bytes, header: bytes) -> bytes:
                work.tried += 1
                return self._real.decrypt(nonce, data, header)

        monkeypatch.setattr(seal_module, "AESGCM", Counted)

    def of(self, receiver: Seal, datagram: bytes) -> tuple[bool, int, int]:
        """Whether it opens, how many keys that took, and how many tries."""
        self.derived = self.tried = 0
        return _opens(receiver, datagram), self.derived, self.tried


def _in_the_name_of(datagram: bytes) -> bytes:
    """Another datagram with the same header but for the counter, as anybody can make it who saw this one."""
    return datagram[: HEADER_BYTES - 1] + bytes([datagram[HEADER_BYTES - 1] ^ 1]) + datagram[HEADER_BYTES:]


def test_what_is_sent_is_sealed_under_the_first_key_alone() -> None:
    for receiver, opens in ((_seal(BOB, NEW), True), (_seal(BOB, OLD), False)):
        assert _opens(receiver, _seal(ALICE, NEW, OLD).seal(BOB, b"hello")) is opens


@given(plaintext=st.binary(max_size=2_000))
def test_what_comes_opens_under_either(plaintext: bytes) -> None:
    bob = _seal(BOB, NEW, OLD)
    for key in (OLD, NEW, OLD):
        assert bob.open(_seal(ALICE, key).seal(BOB, plaintext)) == (ALICE, plaintext)


@pytest.mark.parametrize("keys", [(NEW, OLD), (OLD, NEW), (NEW, None), (None, None)])
def test_nothing_opens_under_another_key(keys: Keys) -> None:
    bob, held = _seal(BOB, *keys), {keys[0], keys[1] or keys[0]}
    for key in (OLD, NEW, THIRD, bytes(32), NEW[:31] + b"\0", None):
        assert _opens(bob, _seal(ALICE, key).seal(BOB, b"hello")) is (key in held)
    assert not _opens(bob, _seal(ALICE, THIRD, NEW).seal(BOB, b"hello")), "its second key seals nothing"


def test_a_second_key_needs_a_first() -> None:
    with pytest.raises(ValueError, match="without a first"):
        _seal(BOB, None, OLD)


def test_nothing_in_a_datagram_tells_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what is random the bytes before the ciphertext are the same, and the lengths are."""
    monkeypatch.setattr("os.urandom", lambda count: b"\x5a" * count)
    datagrams = [_seal(ALICE, *keys).seal(BOB, b"hello") for keys in permutations((OLD, NEW, THIRD), 2)]
    assert len({(datagram[:HEADER_BYTES], len(datagram)) for datagram in datagrams}) == 1


def test_who_speaks_under_which_key_is_counted_by_peer() -> None:
    bob = _seal(BOB, NEW, OLD)
    assert dict(bob.opened_under) == {}
    before, after, carol = _seal(ALICE, OLD, NEW), _seal(ALICE, NEW, OLD), _seal(CAROL, NEW)
    for _ in range(3):
        bob.open(before.seal(BOB, b"hello"))
        bob.open(carol.seal(BOB, b"hello"))
    told = {ALICE: OpenedUnder(WhichKey.SECOND, 3), CAROL: OpenedUnder(WhichKey.FIRST, 0)}
    assert dict(bob.opened_under) == told
    bob.open(after.seal(BOB, b"hello"))
    assert bob.opened_under.get(ALICE) == OpenedUnder(WhichKey.FIRST, 3)
    assert not _opens(bob, _seal(CAROL, THIRD).seal(BOB, b"hello"))
    assert bob.opened_under.get(CAROL) == OpenedUnder(WhichKey.FIRST, 0), "what does not open tells nothing"


def test_what_does_not_open_says_in_whose_name_it_came() -> None:
    bob = _seal(BOB, NEW, OLD)
    for datagram, claimed in (
        (_seal(CAROL, THIRD).seal(BOB, b"hello"), CAROL),
        (_seal(ALICE, THIRD).seal(CAROL, b"hello"), None),
        (b"\x4c", None),
    ):
        with pytest.raises(Rejected) as rejected:
            bob.open(datagram)
        assert rejected.value.claimed == claimed


@pytest.mark.parametrize(("keys", "most"), [((NEW, None), 1), ((NEW, OLD), 2)], ids=["one key", "two keys"])
def test_w3_a_hostile_datagram_costs_a_try_for_each_key_and_no_memory(
    monkeypatch: pytest.MonkeyPatch, keys: Keys, most: int
) -> None:
    work, bob = _Work(monkeypatch), _seal(BOB, *keys)
    for _ in range(3):
        hostile = _seal(ALICE, THIRD).seal(BOB, b"hello")
        assert work.of(bob, hostile) == work.of(bob, hostile) == (False, most, most)


@pytest.mark.parametrize("key", [NEW, OLD], ids=["first", "second"])
def test_w3_where_a_salt_is_known_one_key_is_tried_and_none_derived(
    monkeypatch: pytest.MonkeyPatch, key: bytes
) -> None:
    work, bob, alice = _Work(monkeypatch), _seal(BOB, NEW, OLD), _seal(ALICE, key)
    datagram = alice.seal(BOB, b"hello")
    assert _opens(bob, datagram)
    assert work.of(bob, datagram) == (True, 0, 1), "a repeat"
    assert work.of(bob, _in_the_name_of(datagram)) == (False, 0, 1), "a forgery"
    another = alice.seal(BOB, b"hello")
    assert work.of(bob, another) == (True, 0, 1)


def test_w3_forgeries_drive_no_good_key_out(monkeypatch: pytest.MonkeyPatch) -> None:
    work, bob = _Work(monkeypatch), _seal(BOB, NEW, OLD)
    peers = [_seal(ALICE, OLD), _seal(CAROL, NEW)]
    for peer in peers:
        bob.open(peer.seal(BOB, b"hello"))
    for _ in range(200):
        assert not _opens(bob, _seal(ALICE, THIRD).seal(BOB, b"hello"))
    for datagram in [peer.seal(BOB, b"hello") for peer in peers]:
        assert work.of(bob, datagram) == (True, 0, 1)


def test_w1_what_was_sealed_under_the_old_key_opens_nowhere_once_that_is_dropped() -> None:
    recorded = _seal(ALICE, OLD).seal(BOB, b"hello")
    assert _opens(_seal(BOB, NEW, OLD), recorded), "as any repeat does while the key holds"
    assert not _opens(_seal(BOB, NEW), recorded)


def _deaf(rounds: Sequence[Keys], order: Sequence[SiteId]) -> set[tuple[SiteId, SiteId]]:
    """Who at some time cannot open what whom sends, where each round gives all sites these keys in this order."""
    keys: dict[SiteId, Keys] = dict.fromkeys(SITES, (OLD, None))
    found = set()
    for each in rounds:
        for site in order:
            keys[site] = each
            pairs = list(permutations(SITES, 2))
            found |= {
                (receiver, sender)
                for receiver, sender in pairs
                if not _opens(_seal(receiver, *keys[receiver]), _seal(sender, *keys[sender]).seal(receiver, b"hello"))
            }
    return found


@pytest.mark.parametrize("order", list(permutations(SITES)))
def test_in_three_rounds_the_sites_hear_each_other_at_every_step(order: Sequence[SiteId]) -> None:
    assert _deaf([(OLD, NEW), (NEW, OLD), (NEW, None)], order) == set()


@pytest.mark.parametrize(
    "rounds",
    [
        [(NEW, None)],
        [(NEW, OLD), (NEW, None)],
        [(OLD, NEW), (NEW, None)],
    ],
    ids=["at once", "first before all open it", "dropped before all seal under the other"],
)
def test_no_round_may_be_left_out(rounds: Sequence[Keys]) -> None:
    assert _deaf(rounds, SITES)
