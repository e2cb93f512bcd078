"""The rules of docs/protocol.md for a site that votes, learns what it is told, and proposes nothing.

Rules that hold here:
- It thinks slot by slot: runs are taken apart when they come, and what is said alike of neighbours is one span or run
  when it leaves.
- Slots are the keys of JSON objects, so they are text there; ballots are compared as lists: round, then name.
- What is changed makes `changed` true; it is committed before anything that was said since leaves (D1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.stranger.seal import Dropped
from tests.stranger.store import Store

Json = Any
Out = list[tuple[str, Json]]
"""Messages and whom they go to."""

WINDOW: Final = 65_536
END: Final = 2**53
PAGE_BYTES: Final = 10_000
UNVOTED: Final = (None, None, None)


class Broken(Exception):
    """Somebody broke the protocol: the acceptor stops for good, and sends nothing."""


@dataclass
class Peer:
    """What is known of another site until the process ends."""

    talks_to: str | None
    commit: int
    said_hello: str | None = None
    verdict: str | None = None
    recorded: bool = False
    nonces: list[int] = field(default_factory=list)
    proof: int | None = None
    challenges: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of a hello's nonce: the challenge, and the commit number that was remembered then."""
    hello_at: int = 0
    hello_every: int = 100
    heard: int = 0
    every_ms: int = 0
    sent: int | None = None
    sent_heard: int = 0


class Acceptor:
    def __init__(self, me: str, sites: Sequence[str], store: Store, draw: Callable[[], int], beat: Json) -> None:
        """`draw` makes nonces; `beat` is `leadership` and `every_ms` of its heartbeats."""
        self._store = store
        self._data = store.data
        self._draw = draw
        self._founders = hashlib.sha256("\n".join(sorted(sites)).encode()).hexdigest()[:16]
        self._leadership, self._every_ms = beat
        self._commit_at_start: int = store.data["commit"]
        self._peers = {site: Peer(*store.data["peers"].get(site, (None, 0))) for site in sorted(sites) if site != me}
        self._confirmed = False
        self._changed = False
        self._said: Out = []
        self._now = self._beat_at = self._prefix = 0
        ballots = [vote[0] for vote in self._data["votes"].values()] + [held[2] for held in self._data["ranges"]]
        self._seen = max((ballot[0] for ballot in ballots), default=0)
        self._advance()

    def start(self) -> Out:
        for site in self._peers:
            self._hello(site)
        self._judge()
        return self._done()

    def take(self, sender: str, packet: Json) -> Out:
        """What is to be sent. Raises Dropped where a message is not taken, and Broken."""
        store, commit, to_store, messages = packet
        if sender not in self._peers:
            raise Dropped("stranger")
        peer = self._peers[sender]
        for message in messages:
            match message:
                case ["hello", _, _, founders] if founders != self._founders:
                    raise Dropped("other-founders")
                case ["hello", nonce, proof, _]:
                    self._on_hello(sender, (store, commit), nonce, proof)
                case ["welcome", nonce, *said]:
                    if to_store != self._data["id"] or nonce not in peer.nonces:
                        raise Dropped("stale-answer")
                    self._on_welcome(sender, store, said)
                case _:
                    if to_store != self._data["id"] or store != peer.talks_to:
                        raise Dropped("other-life")
                    peer.heard = self._now
                    if self._data["peers"].get(sender, [None])[0] == store:
                        peer.commit = max(peer.commit, commit)
                    self._take(sender, message)
        return self._done()

    def tick(self, now: int) -> Out:
        self._now = now
        for site, peer in self._peers.items():
            if peer.verdict and now - peer.heard > 4 * max(self._every_ms, peer.every_ms):
                peer.verdict, peer.hello_at, peer.hello_every = None, now, 100
            if not peer.verdict and now >= peer.hello_at:
                self._hello(site)
        if now >= self._beat_at:
            self._beat_at = now + self._every_ms
            state = [self._leadership, self.votes, self._prefix, self._used_max(), now]
            for site, peer in self._peers.items():
                held = 0 if peer.sent is None else now - peer.sent_heard
                self._say(site, "heartbeat", *state, peer.sent, held, self._every_ms, None, False, None)
        return self._done()

    def packet(self, to: str, message: Json) -> Json:
        peer = self._peers[to]
        match message:
            case ["welcome", *_]:
                to_store = peer.said_hello
            case ["hello", _, None, _]:
                to_store = None
            case _:
                to_store = peer.talks_to
        return [self._data["id"], self._data["commit"] if peer.recorded else self._commit_at_start, to_store, [message]]

    @property
    def votes(self) -> bool:
        return self._confirmed and self._data["standing"] == "admitted"

    def _say(self, to: str, *message: Json) -> None:
        self._said.append((to, list(message)))

    def _done(self) -> Out:
        if self._changed:
            for site, remembered in self._data["peers"].items():
                remembered[1] = self._peers[site].commit
            self._store.commit()
            self._changed = False
        said, self._said = self._said, []
        return [(to, message) for to, message in said if self._may_leave(self._peers[to], message[0])]

    def _may_leave(self, peer: Peer, word: str) -> bool:
        if word in ("hello", "welcome"):
            return True
        return peer.talks_to is not None and (peer.recorded or word not in ("promise", "accepted", "highest"))

    # Stores and greetings

    def _hello(self, site: str) -> None:
        peer = self._peers[site]
        peer.nonces = [*peer.nonces[-7:], self._draw()]
        peer.hello_every = min(4_000, 2 * peer.hello_every)
        peer.hello_at = self._now + peer.hello_every
        self._say(site, "hello", peer.nonces[-1], peer.proof, self._founders)

    def _on_hello(self, site: str, heard: tuple[str, int], nonce: int, proof: int | None) -> None:
        peer, (store, commit) = self._peers[site], heard
        peer.said_hello = store
        remembered_then = dict(peer.challenges.values()).get(proof) if proof is not None else None
        if remembered_then is None:
            if nonce not in peer.challenges:
                peer.challenges = dict([*peer.challenges.items()][-7:]) | {nonce: (self._draw(), peer.commit)}
            self._say(site, "welcome", nonce, "unproven", peer.challenges[nonce][0], "")
            return
        peer.challenges = {}
        peer.talks_to, peer.heard = store, self._now
        remembered = self._data["peers"].get(site)
        if remembered and (remembered[0] != store or remembered_then > commit):
            self._say(site, "welcome", nonce, "lost-disk", None, "another store, or a later commit, is remembered here")
            return
        if not remembered or commit > peer.commit:
            self._data["peers"][site] = [store, commit]
            peer.commit = commit
            self._changed = True
        self._say(site, "welcome", nonce, "recorded", None, "")

    def _on_welcome(self, site: str, store: str, said: Json) -> None:
        peer, (verdict, challenge, _) = self._peers[site], said
        peer.nonces = []
        peer.talks_to, peer.heard, peer.proof = store, self._now, challenge
        if verdict == "unproven":
            self._hello(site)
            return
        peer.verdict = verdict
        if verdict == "recorded":
            peer.recorded = True
            self._judge()
        elif self._data["standing"] != "learner":
            self._data["standing"] = "learner"
            self._changed = True

    def _judge(self) -> None:
        others = len(self._peers)
        needed = -(-(others + others // 2) // 2) if self._data["standing"] == "new" else (others + 1) // 2
        if sum(peer.recorded for peer in self._peers.values()) >= needed and self._data["standing"] != "learner":
            self._confirmed = True
            self._changed |= self._data["standing"] == "new"
            self._data["standing"] = "admitted"

    # The acceptor

    def _take(self, sender: str, message: Json) -> None:
        match message:
            case ["prepare", ballot, first, last]:
                self._say(sender, *self._on_prepare(ballot, first, last))
            case ["accept", ballot, run]:
                self._on_accept(sender, ballot, [*_slots(run)])
            case ["ask-highest", nonce] if self.votes:
                self._say(sender, "highest", nonce, self._used_max(), self._prefix)
            case ["ask", nonce, spans]:
                for span in spans[:16]:
                    *covered, learned = _page([span, [self._learned(*span)]])
                    self._say(sender, "known", nonce, *covered, _runs(learned))
            case ["chosen", first, last, ballot, []]:
                votes = [(slot, *self._vote(slot)) for slot in self._voted(first, last)]
                self._learn([(slot, entry) for slot, _, accepted, entry in votes if accepted == ballot])
            case ["chosen", first, _, _, entries]:
                self._learn([*_slots([first, entries])])
            case ["known", _, _, _, learned] | ["promise", _, _, _, _, learned, _]:
                self._learn([each for run in learned for each in _slots(run)])
            case ["heartbeat", _, _, _, _, sent, _, _, every_ms, *_]:
                peer = self._peers[sender]
                peer.sent, peer.sent_heard, peer.every_ms = sent, self._now, every_ms

    def _far(self, ballot: Json) -> str | None:
        if not self.votes:
            return "not-voting"
        if ballot[0] > min(2**52, self._seen + 2**32):
            return "far"
        self._seen = max(self._seen, ballot[0])
        return None

    def _bar(self, slot: int, ballot: Json) -> list[Json]:
        """The promise in the way, and its cause; nothing where there is none."""
        promised = self._vote(slot)[0]
        ranged = max(
            (held for first, last, held in self._data["ranges"] if first <= slot <= (last or END)), default=None
        )
        if promised and ballot < promised and (not ranged or ranged <= promised):
            return [promised, "slot"]
        return [ranged, "range"] if ranged and ballot < ranged else []

    def _on_prepare(self, ballot: Json, first: int, last: int | None) -> Json:
        cause = self._far(ballot) or ("far" if first > self._prefix + WINDOW else None)
        if cause:
            return ["refused", ballot, "prepare", [[first, last, None, cause]]]
        if first != last:
            return self._on_range(ballot, first, last)
        if str(first) in self._data["learned"]:
            return ["promise", ballot, first, first, [], _runs(self._learned(first, first)), []]
        bar = self._bar(first, ballot)
        if bar:
            return ["refused", ballot, "prepare", [[first, first, *bar]]]
        promised, *accepted = self._vote(first)
        if promised != ballot:
            self._data["votes"][str(first)] = [ballot, *accepted]
            self._changed = True
        return ["promise", ballot, first, first, _runs([[first, *accepted]]) if accepted[0] else [], [], []]

    def _on_range(self, ballot: Json, first: int, last: int | None) -> Json:
        end = last or END
        votes = [(slot, self._vote(slot)) for slot in self._voted(first, end)]
        above = [[slot, slot, vote[0], "slot"] for slot, vote in votes if vote[0] > ballot]
        barred = {span[0] for span in above}
        for held_first, held_last, held in self._data["ranges"]:
            if held > ballot and held_first <= end and first <= (held_last or END):
                above.append([max(first, held_first), held_last, held, "range"])
        above.sort(key=lambda span: int(span[0]))
        refused = above if len(above) < 100 else [span for span in above if _cover([span], first, end)][:1]
        if _cover(refused, first, end):
            return ["refused", ballot, "prepare", _spans(refused)]
        mine = [first, last, ballot]
        if mine not in self._data["ranges"]:
            kept = [each for each in self._data["ranges"] if not _says_less(each, mine)]
            self._data["ranges"] = [*kept, mine]
            self._changed = True
        accepted = [[slot, *vote[1:]] for slot, vote in votes if vote[1] and slot not in barred]
        *covered, accepted, learned, above = _page([[first, last], [accepted, self._learned(first, end), above]])
        return ["promise", ballot, *covered, _runs(accepted), _runs(learned), _spans(above)]

    def _on_accept(self, sender: str, ballot: Json, entries: Json) -> None:
        cause = self._far(ballot)
        accepted, refused, chosen, votes = [], [], [], {}
        for slot, entry in entries:
            _, before, mine = self._vote(slot)
            if cause or slot > self._prefix + WINDOW:
                refused.append([slot, slot, None, cause or "far"])
            elif str(slot) in self._data["learned"]:
                chosen.append([slot, self._data["learned"][str(slot)]])
            elif before == ballot and mine != entry:
                raise Broken(f"{ballot} carries {mine} and {entry} in slot {slot}")
            elif bar := self._bar(slot, ballot):
                refused.append([slot, slot, *bar])
            else:
                accepted.append([slot, slot])
                if before != ballot:
                    votes[str(slot)] = [ballot, ballot, entry]
        if votes:
            self._data["votes"] |= votes
            self._changed = True
        if accepted:
            self._say(sender, "accepted", ballot, _spans(accepted))
        if refused:
            self._say(sender, "refused", ballot, "accept", _spans(refused))
        for first, run in _runs(chosen):
            self._say(sender, "chosen", first, first + len(run) - 1, None, run)

    def _learn(self, items: list[tuple[int, Json]]) -> None:
        learned = self._data["learned"]
        for slot, entry in items:
            if learned.get(str(slot), entry) != entry:
                raise Broken(f"slot {slot} holds {learned[str(slot)]}, and somebody says {entry}")
        for slot, entry in items:
            if str(slot) not in learned and slot <= self._prefix + WINDOW:
                learned[str(slot)] = entry
                self._data["votes"].pop(str(slot), None)
                self._changed = True
                self._advance()

    def _advance(self) -> None:
        while str(self._prefix + 1) in self._data["learned"]:
            self._prefix += 1

    def _voted(self, first: int, last: int) -> list[int]:
        return [slot for slot in sorted(map(int, self._data["votes"])) if first <= slot <= last]

    def _vote(self, slot: int) -> Json:
        return self._data["votes"].get(str(slot), UNVOTED)

    def _learned(self, first: int, last: int) -> Json:
        return sorted([int(slot), entry] for slot, entry in self._data["learned"].items() if first <= int(slot) <= last)

    def _used_max(self) -> int:
        accepted = (int(slot) for slot, vote in self._data["votes"].items() if vote[1])
        return max((0, *accepted, *map(int, self._data["learned"])))


def _slots(run: Json) -> Iterator[tuple[int, Json]]:
    """The slots of a run, and their entries."""
    return enumerate(run[1], run[0])


def _runs(items: Json) -> Json:
    """Slots, each with what is said of it and its entry last, as runs: neighbours of which the same is said are one."""
    runs: Json = []
    for slot, *said, entry in items:
        if runs and runs[-1][0] + len(runs[-1][-1]) == slot and runs[-1][1:-1] == said:
            runs[-1][-1].append(entry)
        else:
            runs.append([slot, *said, [entry]])
    return runs


def _spans(items: Json) -> Json:
    """Spans, each with whatever is said of it: neighbours of which the same is said are one."""
    spans: Json = []
    for first, last, *said in items:
        if spans and spans[-1][1] and spans[-1][1] + 1 == first and spans[-1][2:] == said:
            spans[-1][1] = last
        else:
            spans.append([first, last, *said])
    return spans


def _cover(spans: Json, first: int, end: int) -> bool:
    """Ascending spans that leave nothing."""
    for span in spans:
        if span[0] > first:
            return False
        first = max(first, (span[1] or END) + 1)
    return first > end


def _says_less(held: Json, new: Json) -> bool:
    """A promise of a range that lies within another, of a ballot that is not lower."""
    return bool(held[2] <= new[2] and new[0] <= held[0] and (held[1] or END) <= (new[1] or END))


def _page(answer: Json) -> Json:
    """First and last, then the lists of what is told there; `last` is lower where not all has room (A4)."""
    (first, last), lists = answer
    room = PAGE_BYTES
    for item in sorted((each for items in lists for each in items), key=lambda each: int(each[0])):
        room -= len(json.dumps(item))
        if room < 0 and item[0] > first:
            last = item[0] - 1
            break
    return [first, last, *([item for item in items if item[0] <= (last or END)] for items in lists)]
