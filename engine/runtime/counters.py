"""What the node counts, for `status`.

Rules that hold here:
- Counters only rise, from the start of the process. A rejected datagram is counted by its reason (W2).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field

from engine.contract import status
from engine.contract.status import Counters
from engine.runtime.costs import Costs
from engine.runtime.faults import FaultCounts
from engine.runtime.log import lines_lost
from engine.runtime.measures import Measures
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
    measures: Measures = field(default_factory=Measures)


def counters_shape(node: NodeCounts, udp: UdpCounts, faults: FaultCounts, second_key: dict[str, int]) -> Counters:
    return Counters(
        datagrams_in=udp.datagrams_in,
        datagrams_out=udp.datagrams_out,
        bytes_in=udp.bytes_in,
        bytes_out=udp.bytes_out,
        receive_errors=dict(udp.receive_errors),
        send_errors=dict(udp.send_errors),
        passes=node.passes,
        commits=node.commits,
        writes=node.writes,
        messages_in=node.messages_in,
        messages_out=node.messages_out,
        events=dict(node.events),
        rejected=dict(node.rejected),
        second_key=second_key,
        costs=node.costs.told(),
        faults=status.FaultCounts(**asdict(faults)),
        log_lines_lost=lines_lost(),
    )
