"""What the node counts, for `status`.

Rules that hold here:
- Counters only rise, from the start of the process. A rejected datagram is counted by its reason (W2).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

from engine.runtime.costs import Costs
from engine.runtime.faults import FaultCounts
from engine.runtime.log import lines_lost
from engine.runtime.udp import UdpCounts


@dataclass(slots=True)
class NodeCounts:
    passes: int = 0
    commits: int = 0
    writes: int = 0
    messages_in: int = 0
    messages_out: int = 0
    events: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    costs: Costs = field(default_factory=Costs)


def counters_shape(node: NodeCounts, udp: UdpCounts, faults: FaultCounts) -> dict[str, object]:
    return {**_values(udp), **_values(node), "faults": _values(faults), "log_lines_lost": lines_lost()}


def _values(counts: NodeCounts | UdpCounts | FaultCounts) -> dict[str, object]:
    values = ((each.name, getattr(counts, each.name)) for each in fields(counts))
    return {name: _shown(value) for name, value in values}


def _shown(value: object) -> object:
    match value:
        case Counter():
            return dict(value)
        case Costs():
            return value.told()
        case _:
            return value
