"""What is true in every state of a small cluster, whoever knows of it.

Rules that hold here:
- B1: a ballot carries one entry a slot.
- P2c (Lamport, "Paxos Made Simple", section 2.2), for each proposal of round 1 or more: there is a majority of
  acceptors that either accepted nothing below its ballot, or whose highest acceptance below it carries its entry. So a
  no-op never takes the place of what may be chosen (R3), nor does an entry that of another.
- Agreement: at most one entry is chosen for a slot. R1: what is learned is chosen. Nothing that was chosen is taken
  back, so that what anybody learned, and told its users of, is neither lost nor different elsewhere (R2, E4).
- E1: an event is in effect at most once in what is chosen without a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from engine.core.entry import Entry, in_words
from engine.core.ids import Ballot, EventId, Slot, quorum_size
from engine.core.log.microblog import Microblog
from engine.core.messages import Accept, Message
from engine.core.run import run_of
from engine.sim.proving.exhaustive import logs
from engine.sim.violation import violate

Proposal = tuple[Slot, Ballot, Entry]


@dataclass(frozen=True, slots=True)
class Witness:
    """What became of one proposer or acceptor: what it ever accepted, ever proposed in an accept, and learned."""

    accepted: frozenset[Proposal] = frozenset()
    proposed: frozenset[Proposal] = frozenset()
    learned: logs.Log = frozenset()


def proposed(sent: Iterable[Message]) -> frozenset[Proposal]:
    """What the accepts among these messages propose."""
    accepts = (message for message in sent if isinstance(message, Accept))
    return frozenset((slot, accept.ballot, entry) for accept in accepts for slot, entry in accept.run)


def check(proposers: list[Witness], acceptors: list[Witness]) -> None:
    """Raises Violated."""
    everybody = [*proposers, *acceptors]
    proposed = frozenset[Proposal]().union(*(each.proposed | each.accepted for each in everybody))
    one_entry_a_ballot(proposed)
    accepted = tuple(each.accepted for each in acceptors)
    for proposal in sorted(proposed, key=slot_and_ballot):
        p2c(accepted, proposal)
    slots = sorted({slot for slot, _, _ in proposed})
    log = {slot: entry for slot in slots if (entry := chosen(accepted, slot)) is not None}
    for slot, entry in sorted(frozenset[logs.Placed]().union(*(each.learned for each in everybody)), key=repr):
        is_chosen(slot, entry, log.get(slot))
    _once(log)


def is_chosen(slot: Slot, learned: Entry, chosen_there: Entry | None) -> None:
    """R1, of an entry that somebody learned. Raises Violated."""
    if chosen_there != learned:
        said = "nothing" if chosen_there is None else in_words(chosen_there)
        violate("R1", f"{in_words(learned)} is learned; chosen is {said}", slot=slot)


def one_entry_a_ballot(proposed: Iterable[Proposal]) -> None:
    """B1. Raises Violated."""
    carried: dict[tuple[Slot, Ballot], Entry] = {}
    for slot, ballot, entry in sorted(proposed, key=repr):
        known = carried.setdefault((slot, ballot), entry)
        if known != entry:
            violate("B1", f"{ballot} carries {in_words(known)}, and {in_words(entry)}", slot=slot)


def p2c(accepted: tuple[frozenset[Proposal], ...], proposal: Proposal) -> None:
    """Of what those who vote on its slot ever accepted. Raises Violated."""
    slot, ballot, entry = proposal
    if ballot.round == 0:
        return
    highest = [
        max(
            ((number, value) for at, number, value in each if at == slot and number < ballot), default=None, key=_number
        )
        for each in accepted
    ]
    for majority in combinations(highest, quorum_size(len(accepted))):
        found = max((each for each in majority if each is not None), default=None, key=_number)
        if found is None or found[1] == entry:
            return
    below = ", ".join("nothing" if each is None else f"{in_words(each[1])} at {each[0]}" for each in highest)
    violate("B2", f"{ballot} proposes {in_words(entry)}; accepted before by the acceptors: {below}", slot=slot)


def _number(accepted: tuple[Ballot, Entry]) -> Ballot:
    return accepted[0]


def slot_and_ballot(proposal: Proposal) -> tuple[Slot, Ballot]:
    return proposal[:2]


def chosen(accepted: tuple[frozenset[Proposal], ...], slot: Slot) -> Entry | None:
    """What a majority of those who vote on this slot accepted at one ballot. Raises Violated."""
    there = {proposal for each in accepted for proposal in each if proposal[0] == slot}
    found: Entry | None = None
    for proposal in sorted(there, key=slot_and_ballot):
        _, ballot, entry = proposal
        if sum(proposal in each for each in accepted) < quorum_size(len(accepted)):
            continue
        if found is not None and found != entry:
            other = in_words(found)
            violate("agreement", f"{in_words(entry)} is chosen at {ballot}, and {other} was chosen before", slot=slot)
        found = entry
    return found


def _once(log: dict[Slot, Entry]) -> None:
    machine = Microblog({}, {})
    slot, in_effect = Slot(1), set[EventId]()
    while (entry := log.get(slot)) is not None:
        if not machine.apply(run_of(slot, entry)).void and entry.id is not None:
            if entry.id in in_effect:
                violate("E1", f"{entry.id} is in effect twice", slot=slot)
            in_effect.add(entry.id)
        slot = Slot(slot + 1)
