"""What engines said in their messages, held against their stores when all is over: a promise outlives a crash.

Rules that hold here:
- Each process of a site wrote down what it said, from its first message on (`tests.chaos.overheard_engine`).
- D1, A1, A2: the store of a site holds, slot by slot, at least what the site ever said to have promised and accepted.
- B1: a ballot that was prepared for some slots is for these alone, over all starts of a site.
- D5: after its disk was lost, a site says no vote and prepares nothing. Its store has no part of what it said before.
- M4: one that was readmitted does so again, at its own slots alone, and its ballots are not those of before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.ids import NUMBER_MAX, Ballot, Round, SiteId, Slot
from engine.core.storage import NO_VOTE, Vote
from engine.core.wording import span

Json = dict[str, Any]

Said = dict[int, Ballot]
"""The highest ballot by slot."""


@dataclass(slots=True)
class Sayings:
    """What one process of `site` said; it runs since `since_s` on the monotonic clock."""

    site: str
    since_s: float
    promised: Said = field(default_factory=dict)
    accepted: Said = field(default_factory=dict)
    prepared: list[tuple[Ballot, int, int]] = field(default_factory=list)
    """The ballots that this site prepared for some slots, and the first and last of them."""
    acted: list[int] = field(default_factory=list)
    """The first slot of each vote, and of each prepare, of whatever span."""

    def take(self, line: Json) -> None:
        """A line of `overheard_engine.claims`."""
        ballot = ballot_of(line["ballot"])
        self.acted.append(line["first"])
        match line["said"]:
            case "prepared":
                self.prepared += [(ballot, first, last) for first, last in line["spans"]]
            case "promised" | "accepted" as verb:
                said = self.promised if verb == "promised" else self.accepted
                for slot in (slot for first, last in line["spans"] for slot in range(first, last + 1)):
                    said[slot] = max(ballot, said.get(slot, ballot))


def ballot_of(text: str) -> Ballot:
    """The ballot that is printed so: `2.alice`."""
    round_, _, site = text.partition(".")
    return Ballot(Round(int(round_)), SiteId(site))


def read_sayings(site: str, paths: Iterable[Path]) -> list[Sayings]:
    """Of the processes of a site, a file each; one that was killed before it said anything may have none."""
    sayings = []
    for path in paths:
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        if lines:
            sayings.append(Sayings(site, json.loads(lines[0])["since_s"]))
        for line in lines[1:]:
            sayings[-1].take(json.loads(line))
    return sayings


def hold_against_stores(
    sayings: Iterable[Sayings],
    stores: Mapping[str, Mapping[int, Vote]],
    lost_s: Mapping[str, float],
    begins: Mapping[str, int],
) -> list[str]:
    """`stores`: the acceptor's variables by site and slot. `lost_s`: when sites lost their disks; `begins`: from which
    slot on those vote again that were readmitted."""
    wrong: dict[str, None] = {}
    prepared: dict[tuple[Ballot, bool], tuple[int, int]] = {}
    for said in sayings:
        is_new = said.site in lost_s and said.since_s > lost_s[said.site]
        if said.site in lost_s:
            if is_new and said.acted and min(said.acted) < begins.get(said.site, NUMBER_MAX):
                at = min(said.acted)
                wrong[f"D5 slot {at}: {said.site} votes or proposes after its disk was lost"] = None
            if not is_new or said.site not in begins:
                continue
        store = stores[said.site]
        wrong |= dict.fromkeys(_not_kept(said.site, "promised", said.promised, store))
        wrong |= dict.fromkeys(_not_kept(said.site, "accepted", said.accepted, store))
        for ballot, first, last in said.prepared:
            begun = prepared.setdefault((ballot, is_new), (first, last))
            if first < begun[0] or last > begun[1]:
                other = f"which it prepared for slots {span(*map(Slot, begun))} before"
                wrong[f"B1 slot {first}: {said.site} prepares {ballot}, {other}"] = None
    return list(wrong)


def _not_kept(site: str, verb: str, said: Said, store: Mapping[int, Vote]) -> Iterator[str]:
    for slot, ballot in said.items():
        vote = store.get(slot, NO_VOTE)
        kept = vote.promised if verb == "promised" else vote.accepted
        if kept is None or kept < ballot:
            holds = "nothing" if kept is None else f"{kept}"
            yield f"D1 slot {slot}: {site} said that it {verb} {ballot}, and its store holds {holds} there"
