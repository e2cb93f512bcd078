"""What engines said in their messages, held against their stores when all is over: a promise outlives a crash.

Rules that hold here:
- A witness follows the trace of one site's engine, whenever it runs: what left and what came. What a site said counts
  whoever traced it; of a killed one the last words are known where they arrived.
- D1, A1, A2: the store of a site holds, slot by slot, at least what the site ever said to have promised and accepted.
- B1: a ballot that was prepared for one slot is for that slot alone, over all starts of a site.
- D5: after its disk was lost, a site says no vote and prepares nothing. Its store has no part of what it said before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from engine.core.ids import Ballot, Round, SiteId
from engine.core.storage import NO_VOTE, Vote
from tui.client import Client, EngineLost, EngineSilent, NoEngine, Notification, RequestRefused

Json = dict[str, Any]

_RECONNECT_S: Final = 0.05
_LOOK_S: Final = 0.5
_CALL_TIMEOUT_S: Final = 5.0

_PREPARES_ONE_SLOT: Final = "asks for a promise"
_TELLS_OF_A_LEARNED_SLOT: Final = "already chosen: "

Said = dict[tuple[str, int], Ballot]
"""The highest ballot by site and slot."""


@dataclass(slots=True)
class Sayings:
    """What the trace of one process of `site` shows; it runs since `since_s` or longer."""

    site: str
    since_s: float
    promised: Said = field(default_factory=dict)
    accepted: Said = field(default_factory=dict)
    prepared: list[tuple[Ballot, int]] = field(default_factory=list)
    """The ballots that this site prepared for one slot."""
    voted: list[int] = field(default_factory=list)
    """The slots in which this site itself promised or accepted."""

    def take(self, line: Json) -> None:
        """A line of the trace, as `loggos trace --json` prints it."""
        slot, note = line["slot"], line["note"]
        if line["dir"] == "self" or slot is None or line["ballot"] is None:
            return
        ballot, left = ballot_of(line["ballot"]), line["dir"] == "out"
        match line["type"]:
            case "promise" if _TELLS_OF_A_LEARNED_SLOT not in note:
                said = self.promised
            case "accepted":
                said = self.accepted
            case "prepare" if left and note.endswith(_PREPARES_ONE_SLOT):
                self.prepared.append((ballot, slot))
                return
            case _:
                return
        key = (self.site if left else line["peer"], slot)
        said[key] = max(ballot, said.get(key, ballot))
        if left:
            self.voted.append(slot)


def ballot_of(text: str) -> Ballot:
    """The ballot that is printed so: `2.alice`."""
    round_, _, site = text.partition(".")
    return Ballot(Round(int(round_)), SiteId(site))


class Witness(threading.Thread):
    """Follows the trace of a site's engines until `closing` is set; `sayings` is read after that."""

    def __init__(self, site: str, socket_path: Path, closing: threading.Event) -> None:
        super().__init__(name=f"witness of {site}", daemon=True)
        self.sayings: list[Sayings] = []
        self._site = site
        self._socket_path = socket_path
        self._closing = closing

    def run(self) -> None:
        while not self._closing.is_set():
            since_s = time.monotonic()
            try:
                with Client.connect(self._socket_path) as client:
                    self.sayings.append(Sayings(self._site, since_s))
                    self._follow(client, self.sayings[-1])
            except (NoEngine, EngineLost, EngineSilent, RequestRefused):
                self._closing.wait(_RECONNECT_S)

    def _follow(self, client: Client, sayings: Sayings) -> None:
        """Raises EngineLost, EngineSilent, RequestRefused."""
        client.call("subscribe", {"topics": ["trace"]}, _CALL_TIMEOUT_S)
        while not self._closing.is_set():
            arrived, _ = client.wait(_LOOK_S)
            for one in arrived:
                if isinstance(one, Notification):
                    for item in one.params.get("items", ()):
                        sayings.take(item)


def hold_against_stores(
    sayings: Iterable[Sayings], stores: Mapping[str, Mapping[int, Vote]], lost_s: Mapping[str, float]
) -> list[str]:
    """`stores`: the acceptor's variables by site and slot. `lost_s`: when sites lost their disks."""
    wrong: dict[str, None] = {}
    prepared: dict[Ballot, int] = {}
    for said in sayings:
        for verb, claims in (("promised", said.promised), ("accepted", said.accepted)):
            wrong |= dict.fromkeys(_not_kept(verb, claims, stores, lost_s))
        for ballot, slot in said.prepared:
            if said.site not in lost_s and prepared.setdefault(ballot, slot) != slot:
                other = f"which it prepared for slot {prepared[ballot]} too"
                wrong[f"B1 slot {slot}: {said.site} prepares {ballot}, {other}"] = None
        after = [*said.voted, *(slot for _, slot in said.prepared)]
        if after and said.since_s > lost_s.get(said.site, said.since_s):
            wrong[f"D5 slot {min(after)}: {said.site} votes or proposes after its disk was lost"] = None
    return list(wrong)


def _not_kept(
    verb: str, claims: Said, stores: Mapping[str, Mapping[int, Vote]], lost_s: Mapping[str, float]
) -> Iterator[str]:
    for (site, slot), ballot in claims.items():
        if site in lost_s:
            continue
        vote = stores[site].get(slot, NO_VOTE)
        kept = vote.promised if verb == "promised" else vote.accepted
        if kept is None or kept < ballot:
            holds = "nothing" if kept is None else f"{kept}"
            yield f"D1 slot {slot}: {site} said that it {verb} {ballot}, and its store holds {holds} there"
