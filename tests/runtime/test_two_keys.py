"""A site whose sites file names two keys: whom it hears under which, and who is told of what opens under neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.cluster_key import WhichKey
from engine.core.ids import Nonce, SiteId, Tick
from engine.core.messages import AskHighest
from engine.core.views import PeerView
from engine.runtime.keys_heard import UNOPENED_FOR, KeysHeard
from engine.seal import OpenedUnder
from engine.senders import PerSender
from engine.wire import Wire
from tests.runtime.peer import Peer, bound, waiting
from tests.runtime.sites import CLUSTER, KEY, cluster, status_where

ALICE, BOB, CAROL = SiteId("alice"), SiteId("bob"), SiteId("carol")
NEW, THIRD = b"\x0b" * 32, b"\x0c" * 32
FILES = ("new.key", "old.key")
BEAT = Tick(500)


def _peer(site: SiteId, *, up: bool) -> PeerView:
    return PeerView(site, up, True, None, None, None)


def _heard(*files: str, beat: Tick = BEAT) -> KeysHeard:
    opened = PerSender(OpenedUnder)
    opened.of(CAROL).latest, opened.of(CAROL).second = WhichKey.SECOND, 3
    return KeysHeard(files, opened, beat)


def test_files_and_counts_are_told_as_they_are() -> None:
    two, one, none = _heard(*FILES), _heard("one.key"), _heard()
    assert [told and (told.first, told.second) for told in (two.told, one.told, none.told)] == [
        FILES,
        ("one.key", None),
        None,
    ]
    assert (two.of(BOB), two.of(CAROL), two.second) == (None, "second", {CAROL: 3})
    assert none.of(CAROL) is None, "without a key there is no first"


def test_a_name_on_what_does_not_open_is_believed_of_nobody_who_is_heard() -> None:
    heard, now = _heard(*FILES), Tick(100_000)
    down = [_peer(BOB, up=False), _peer(CAROL, up=False)]
    assert heard.mismatch(now, down) is None
    heard.unopened(now, BOB)
    assert heard.mismatch(now, [_peer(BOB, up=True), _peer(CAROL, up=False)]) is None
    told = heard.mismatch(now, down)
    assert told is not None
    assert told.startswith("datagrams in the name of bob cannot be opened with new.key or old.key here: make the key")
    heard.unopened(now, CAROL)
    assert "in the name of bob and carol cannot" in str(heard.mismatch(now, down))


def test_what_does_not_open_is_told_while_it_comes() -> None:
    down = [_peer(BOB, up=False)]
    for beat, lasts in ((BEAT, UNOPENED_FOR), (Tick(60_000), Tick(240_000))):
        heard = _heard("one.key", beat=beat)
        heard.unopened(Tick(1_000), BOB)
        assert heard.mismatch(Tick(1_000 + lasts - 1), down) is not None
        assert heard.mismatch(Tick(1_000 + lasts), down) is None
    heard = _heard()
    heard.unopened(Tick(1_000), BOB)
    assert "cannot be opened without a key here: make the key" in str(heard.mismatch(Tick(1_000), down))


async def test_a_site_hears_both_keys_tells_which_and_seals_under_the_first(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        sites.key_files = FILES
        alice = await sites.start("alice", wire=lambda _: Wire(NEW, CLUSTER, ALICE, second_key=KEY))
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB], keys=(KEY, NEW))
        carol = Peer(CAROL, sites.sites, ALICE, alice.place, sites.addresses[CAROL], keys=(NEW, None))
        await bob.greet()
        await carol.greet()  # hears what is sealed under the first key alone
        status = await alice.call("status")
        assert status["key"] == {"first": "new.key", "second": "old.key"}
        assert [status["peers"][name]["key"] for name in ("bob", "carol")] == ["second", "first"]
        assert list(status["counters"]["second_key"]) == ["bob"]
        counted = status["counters"]["second_key"]["bob"]
        await bob.say(AskHighest(Nonce(1)))
        await status_where(alice, lambda status: status["counters"]["second_key"]["bob"] == counted + 1)
        assert status["mismatch"] is None
        bob.close()
        carol.close()


async def test_w1_a_replay_from_the_old_key_is_as_harmless_as_any(tmp_path: Path) -> None:
    """Another life's is dropped; without the old key nothing of it opens."""
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        former = Peer(BOB, sites.sites, ALICE, ("127.0.0.1", 1), ("127.0.0.1", 0))
        replay, hostile = former.sealed(AskHighest(Nonce(1))), bound()

        async def replayed(reason: str, second_key: bytes | None) -> dict[str, Any]:
            wire = Wire(NEW, CLUSTER, ALICE, second_key=second_key)
            alice = await sites.start("alice", wire=lambda _: wire)
            before = await alice.call("status")
            await hostile.sendto(replay, alice.place)
            after = await status_where(alice, lambda status: status["counters"]["rejected"].get(reason) == 1)
            assert after["counters"]["commits"] == before["counters"]["commits"]
            assert waiting(hostile) == []
            await alice.stop()
            told: dict[str, Any] = after
            return told

        assert (await replayed("other-life", KEY))["mismatch"] is None
        assert "in the name of bob cannot be opened" in (await replayed("forged", None))["mismatch"]
        former.close()
        hostile.close()


async def test_w3_what_opens_under_no_key_gets_no_answer_and_is_told_of_who_is_not_heard(tmp_path: Path) -> None:
    async with cluster(tmp_path, "alice", "bob", "carol") as sites:
        sites.key_files = FILES
        alice = await sites.start("alice", wire=lambda _: Wire(NEW, CLUSTER, ALICE, second_key=KEY))
        bob = Peer(BOB, sites.sites, ALICE, alice.place, sites.addresses[BOB], keys=(THIRD, None))
        await bob.say(AskHighest(Nonce(1)))
        status = await status_where(alice, lambda status: status["counters"]["rejected"].get("forged") == 1)
        assert "datagrams in the name of bob cannot be opened with new.key or old.key here" in status["mismatch"]
        assert status["peers"]["bob"]["key"] is None
        bob.close()
