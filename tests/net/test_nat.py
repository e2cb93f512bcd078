"""Three hosts with a sites file each, one of them behind NAT without a forwarded port: the same program, no change.

The others answer a hidden site where its proven greetings come from (W1); its address in their files leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.net.machines import Machine
from tests.net.namespaces import MISSING, HostsBehindNat
from tests.real_cluster import until

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

SITES = {"alice": "192.0.2.10", "bob": "192.0.2.11", "carol": "192.0.2.12"}
HIDDEN = ("carol", "10.9.0.2")


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[dict[str, Machine]]:
    public = {name: address for name, address in SITES.items() if name != HIDDEN[0]}
    with HostsBehindNat(public, HIDDEN, SITES[HIDDEN[0]]) as hosts:
        made: dict[str, Machine] = {}
        try:
            for name, address in SITES.items():
                key = tmp_path / "alice" / "cluster.key" if made else None
                seen = {**SITES, name: HIDDEN[1] if name == HIDDEN[0] else address}
                made[name] = Machine(tmp_path / name, name, hosts, seen, key=key)
                made[name].serve()
            yield made
        finally:
            for machine in made.values():
                machine.stop()


def _log(machine: Machine) -> list[tuple[int, str, str | None]]:
    return [(line["slot"], line["state"], line["id"]) for line in machine.run("log", machine.name, "--json").lines]


def _events(machine: Machine) -> set[str]:
    """A leader that comes after another may have put no-ops between them."""
    return {event for _, _, event in _log(machine) if event is not None}


def test_a_site_behind_nat_is_a_site_like_any_other(machines: dict[str, Machine]) -> None:
    """Each creates events that all learn; also after the hidden one, or one that it reached, came back (W1, D5)."""
    for machine in machines.values():
        until(partial(machine.reaches, 3), f"{machine.name} reaches three sites")
    for name, machine in machines.items():
        assert machine.run("tweet", name, f"from {name}").status == 0
    machines["carol"].stop()
    assert machines["alice"].run("tweet", "alice", "carol is away").status == 0
    machines["carol"].serve()
    until(partial(machines["carol"].reaches, 3), "carol reaches the others again")
    machines["alice"].stop()
    machines["alice"].serve()
    until(partial(machines["alice"].reaches, 3), "alice reaches carol through carol's new greeting")
    assert machines["carol"].run("tweet", "carol", "and is back").status == 0
    until(lambda: all(len(_events(machine)) == 5 for machine in machines.values()), "all learn the five tweets")
    until(lambda: len({tuple(_log(machine)) for machine in machines.values()}) == 1, "the logs are equal")
