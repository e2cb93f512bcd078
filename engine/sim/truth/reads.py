"""The truth about linearizable reads: what was chosen when each began, and what it shows (R5).

Rules that hold here:
- R5: a confirmed read shows every slot that was chosen before it began, by the votes on the acceptors' disks, and with
  them every event that was acknowledged anywhere before it began.
- It asked for its bound after it began, and a majority of who votes by its prefix answered, of which each is counted
  once.
- W1: whoever is counted has answered a question that left after the read began: an answer to an older one, be it the
  scanner's, says nothing of what was chosen since.
- D1: the prefix that it shows is durable. That the prefix is what a replay gives is checked where it is applied (R2).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.effects import SawReadConfirmed
from engine.core.ids import Nonce, SiteId, Slot, Tick, quorum_size
from engine.sim.truth.replay import Replay
from engine.sim.violation import violate


@dataclass(frozen=True, slots=True)
class Begun:
    """A read began at `at` of its process's clock, when these were the highest slots chosen and acknowledged, this was
    its site's durable prefix, and so many questions had left anywhere."""

    at: Tick
    chosen: Slot
    acknowledged: Slot
    prefix: Slot
    questions: int


class Reads:
    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._open: dict[int, Begun] = {}
        self._questions: dict[Nonce, int] = {}  # in the order in which they first left, from 1
        self._answered: dict[tuple[SiteId, SiteId], int] = {}  # (who asked, who answered) -> the newest question

    @property
    def questions(self) -> int:
        """How many have left."""
        return len(self._questions)

    def asked(self, nonce: Nonce) -> None:
        """A question how far the log goes leaves, perhaps again."""
        self._questions.setdefault(nonce, len(self._questions) + 1)

    def answered(self, asker: SiteId, voter: SiteId, nonce: Nonce) -> None:
        """An answer leaves."""
        newest = self._answered.get((asker, voter), 0)
        self._answered[asker, voter] = max(newest, self._questions[nonce])

    def began(self, token: int, begun: Begun) -> None:
        assert token not in self._open, "every read has a token of its own"
        self._open[token] = begun

    def ended(self, site: SiteId, token: int) -> Begun:
        """A read is answered, once; returns how it began."""
        begun = self._open.pop(token, None)
        if begun is None:
            violate("R5", f"answers read {token}, which nobody waits for", site=site)
        return begun

    def confirmed(self, site: SiteId, saw: SawReadConfirmed, prefix: Slot) -> Begun:
        """A read is confirmed on a durable `prefix`."""
        begun = self.ended(site, saw.token)
        if prefix < begun.acknowledged:
            told = f"a confirmed read shows slots up to {prefix}, but this one was acknowledged before the read began"
            violate("R5", told, slot=begun.acknowledged, site=site)
        if prefix < begun.chosen:
            told = f"a confirmed read shows slots up to {prefix}, but this one was chosen before the read began"
            violate("R5", told, slot=begun.chosen, site=site)
        if prefix < saw.bound:
            violate(
                "R5",
                f"a confirmed read shows slots up to {prefix}, but its bound is this one",
                slot=saw.bound,
                site=site,
            )
        if saw.asked < begun.at:
            violate("R5", f"a read that began at {begun.at} ms rests on a question asked at {saw.asked} ms", site=site)
        for voter in saw.voters:
            if voter != site and self._answered.get((site, voter), 0) <= begun.questions:
                violate("R5", f"a read counts {voter}, which was not asked since it began", slot=saw.bound, site=site)
        lists = self._replay.about(prefix)  # the pass may have learned more after it was confirmed
        if not any(len(lives.keys() & set(saw.voters)) >= quorum_size(len(lives)) for lives in lists):
            newest = lists[-1]
            told = f"{quorum_size(len(newest))} of {', '.join(newest)} are needed"
            violate("R5", f"a read is confirmed by {', '.join(saw.voters)}, but {told}", slot=saw.bound, site=site)
        return begun
