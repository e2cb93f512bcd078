"""What an engine counts, for the panel of `status` and the pane of the sites. What events cost has words of its own."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import asdict

from engine.contract.status import Counters


def single(counters: Counters) -> Mapping[str, int]:
    """Those that are one number, by name."""
    return {name: value for name, value in asdict(counters).items() if isinstance(value, int)}


def grouped(counters: Counters) -> Mapping[str, Mapping[str, int]]:
    """Those that are a number for each outcome, reason, peer or act, by name; each group ascends."""
    groups = {
        "events": counters.events,
        "faults": asdict(counters.faults),
        "receive_errors": counters.receive_errors,
        "rejected": counters.rejected,
        "second_key": counters.second_key,
        "send_errors": counters.send_errors,
    }
    return {name: dict(sorted(group.items())) for name, group in groups.items()}
