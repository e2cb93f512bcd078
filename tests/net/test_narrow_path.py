"""Three hosts, the leader's cable narrow: it loses longer packets, and fragments, without a word (W4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.net.machines import Machine
from tests.net.namespaces import MISSING, Hosts
from tests.real_cluster import until

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

SITES = {"alice": "192.0.2.10", "bob": "192.0.2.11", "carol": "192.0.2.12"}
IPV6_MINIMUM = 1_280
EMOJI = "\N{GRINNING FACE}" * 280


@contextmanager
def machines(folder: Path, packet_bytes_max: int) -> Iterator[tuple[dict[str, Machine], str]]:
    """A site on each host; and which of them leads, whose cable is narrow from here on."""
    with Hosts(SITES) as hosts, ExitStack() as ending:
        made: dict[str, Machine] = {}
        for name in SITES:
            key = folder / "alice" / "cluster.key" if made else None
            made[name] = Machine(folder / name, name, hosts, SITES, key=key, timings="")
            ending.callback(made[name].stop)
            made[name].serve()
        until(lambda: all(machine.reaches(3) for machine in made.values()), "all reach all")
        leaders: set[str | None] = set()

        def agree() -> bool:
            leaders.clear()
            leaders.update(machine.status()["leader"] for machine in made.values())
            return len(leaders) == 1 and None not in leaders

        until(agree, "all follow one leader")
        [leader] = leaders
        assert leader is not None
        hosts.narrow(leader, packet_bytes_max)
        yield made, leader


def _learned(machine: Machine, count: int) -> bool:
    kinds = [line["kind"] for line in machine.run("log", machine.name, "--json").lines]
    return kinds.count("tweet") == count


def test_w4_a_leader_behind_the_narrowest_path_of_ipv6_settles_whatever_is_written(tmp_path: Path) -> None:
    with machines(tmp_path, IPV6_MINIMUM) as (made, leader):
        # The longest tweet by who leads, by another, and what comes after them.
        other = next(name for name in made if name != leader)
        for name, text in ((leader, EMOJI), (other, EMOJI), (leader, "later"), (other, "later")):
            said = made[name].run("tweet", name, text, "--retry", "--timeout", "60", "--json")
            assert said.status == 0, said
        for machine in made.values():
            until(partial(_learned, machine, 4), f"{machine.name} learns the four tweets")
            assert machine.status()["narrow"] is None


def test_w4_below_the_minimum_the_log_goes_on_and_status_says_what_to_do_until_it_is_done(tmp_path: Path) -> None:
    with machines(tmp_path, 1_000) as (made, leader):
        narrow = made[leader]
        said = narrow.run("tweet", leader, EMOJI, "--retry", "--timeout", "60", "--json")
        assert said.status == 0, said
        until(lambda: narrow.status()["narrow"] is not None, "the leader tells it")
        shown = narrow.run("status", leader).out
        assert "datagrams of 1232 bytes do not arrive, shorter ones do" in " ".join(shown.split())
        assert "datagram_max_bytes: 800" in " ".join(shown.split())
        assert narrow.run("status", leader, "--json").lines[0]["narrow"] is not None
        with (tmp_path / leader / "sites.yaml").open("a") as file:
            file.write("datagram_max_bytes: 800\n")
        narrow.stop()
        narrow.serve()
        until(partial(narrow.reaches, 3), f"{leader} reaches the others again")
        assert narrow.run("tweet", leader, EMOJI, "--retry", "--timeout", "60").status == 0
        assert narrow.status()["narrow"] is None
