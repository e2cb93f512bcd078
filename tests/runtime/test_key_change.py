"""Three processes change their key one after the other, in the rounds of the docs, while events flow: none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.core.settings import Leadership
from engine.template import write_key
from tests.real_cluster import BOUND_S, Json, RealCluster, until

SITES = ("alice", "bob", "carol")
ROUNDS = (("cluster.key", "next.key"), ("next.key", "cluster.key"), ("next.key",))


def _named(cluster: RealCluster, keys: tuple[str, ...]) -> None:
    """Writes these key files into the sites file, which a running engine has read already."""
    text = cluster.sites_path.read_text()
    [line] = [line for line in text.splitlines() if line.startswith("key: ")]
    written = f"[{', '.join(keys)}]" if len(keys) > 1 else keys[0]
    cluster.sites_path.write_text(text.replace(line, f"key: {written}"))


def _all_hear_all(cluster: RealCluster) -> list[Json]:
    """The status of every site, each of which counts three voters; nobody ever got what it could not open."""
    for name in SITES:
        cluster.until_reached(name, 3)
    told = [cluster.ask(name, "status") for name in SITES]
    assert [status["counters"]["rejected"].get("forged", 0) for status in told] == [0, 0, 0]
    assert [status["mismatch"] for status in told] == [None, None, None]
    return told


def _keys_of_peers(status: Json) -> set[str | None]:
    return {peer["key"] for peer in status["peers"].values()}


def test_sites_change_their_key_one_by_one_while_events_flow(tmp_path: Path) -> None:
    with RealCluster(tmp_path, SITES, leadership=Leadership.ELECTED) as cluster, ThreadPoolExecutor() as pool:
        cluster.serve_all()
        write_key(tmp_path / "next.key")
        submitted: list[str] = []

        def submit(site: str) -> Json:
            text = f"{site} {len(submitted)}"
            submitted.append(text)
            return cluster.ask(site, "submit", {"kind": "tweet", "text": text, "timeout_s": BOUND_S})

        def restarts() -> Iterator[tuple[tuple[str, ...], str]]:
            for keys in ROUNDS:
                _named(cluster, keys)
                yield from ((keys, site) for site in SITES)

        for keys, site in restarts():
            others = [name for name in SITES if name != site]
            cluster.ask(site, "stop")
            cluster.engines[site].process.wait(BOUND_S)
            meanwhile = [pool.submit(submit, name) for name in others]
            cluster.serve(site)
            outcomes = [submit(site)] + [each.result(BOUND_S) for each in meanwhile]
            assert [outcome["outcome"] for outcome in outcomes] == ["created"] * 3, outcomes
            told = _all_hear_all(cluster)
            assert told[SITES.index(site)]["key"] == {"first": keys[0], "second": dict(enumerate(keys)).get(1)}
            if (keys, site) == (ROUNDS[1], "bob"):
                assert {
                    name: status["peers"]["carol"]["key"]
                    for name, status in zip(SITES, told, strict=True)
                    if name != "carol"
                } == {"alice": "second", "bob": "second"}
        assert [_keys_of_peers(status) for status in _all_hear_all(cluster)] == [{"first"}] * 3
        until(lambda: len({cluster.ask(name, "status")["chosen_through"] for name in SITES}) == 1, "all learn the same")
        for name in SITES:
            lines = cluster.ask(name, "view", {"limit": 100})["lines"]
            assert sorted(line["text"] for line in lines) == sorted(submitted)
