"""Making the network of real engines bad: by the fault rules that the engines have themselves, or for real.

Rules that hold here:
- A rule is given a time after which the engine drops it by itself; an engine that starts again has none.
- Rules cut both ways at each end: a partition holds if the sites of one side obey it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tests.chaos.engines import Engines
from tests.chaos.schedule import Deafness, Names, Partition, Rule, Unplugged

Cut = Partition | Deafness | Unplugged


class Network(Protocol):
    """Cuts between sites. `begin` and `end` are called once for each cut; cuts overlap."""

    name: str

    def wrap(self, site: str) -> list[str]:
        """What is put before the command of a site's engine."""

    def host(self, site: str) -> str: ...

    def begin(self, engines: Engines, cut: Cut, lasts_s: float) -> None: ...

    def end(self, cut: Cut) -> None: ...

    def close(self) -> None: ...


def add_rule(engines: Engines, sites: Sequence[str], text: str, lasts_s: float) -> None:
    """Puts a rule on at those of `sites` that take commands."""
    for site in sites:
        if site in engines.responsive:
            engines.ask(site, "faults.add", {"rule": text, "expires_s": lasts_s})


class RuledNetwork:
    """All sites on loopback; cuts are rules."""

    name = "fault rules"

    def wrap(self, _site: str) -> list[str]:
        return []

    def host(self, _site: str) -> str:
        return "127.0.0.1"

    def begin(self, engines: Engines, cut: Cut, lasts_s: float) -> None:
        for rule in cut_rules(cut, engines.names):
            add_rule(engines, rule.sites, rule.text, lasts_s)

    def end(self, _cut: Cut) -> None:
        """The rules end by themselves."""

    def close(self) -> None:
        """Nothing was made."""


def cut_rules(cut: Cut, names: Names) -> list[Rule]:
    """A cut in the words of the fault layer, and at which sites."""
    match cut:
        case Partition(groups):
            return [Rule("partition", names, "partition " + " | ".join(",".join(group) for group in groups))]
        case Deafness(site, peer):
            return [Rule("deafness", (site,), f"to={peer} drop")]
        case Unplugged(site):
            return [Rule("unplugged", (site,), "from=* drop"), Rule("unplugged", (site,), "to=* drop")]
