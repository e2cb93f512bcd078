"""What a benchmark comes to: values, as they are printed, drawn and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Of a row that drives load for a while. `latency_p50_ms` and `latency_p99_ms` are of what was answered meanwhile;
    the cores are what the client, and all sites together, computed. None is what is not known."""

    per_s: float
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    client_cores: float | None = None
    sites_cores: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Anything else that was measured, as `key to paint, p95`, in `unit`."""

    what: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Result:
    """A row as it was measured. `share`: its rate, of that of the row `against`. `missing`: why there is nothing."""

    section: str
    name: str
    outstanding: int | None = None
    rate: Rate | None = None
    figures: tuple[Figure, ...] = ()
    note: str = ""
    against: str | None = None
    share: float | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured, and of which sources; `commit` ends in `+` where something was changed since.

    `load` is the load average of the minute before: on a machine that does much else the figures say little.
    """

    cpu: str
    cores: int
    load: float
    kernel: str
    python: str
    disk: str
    commit: str
    at: str


@dataclass(frozen=True, slots=True)
class Report:
    """`peers` are the other systems that were here, with their versions."""

    machine: Machine
    peers: tuple[str, ...]
    seconds_each: float
    event_bytes: int
    results: tuple[Result, ...]
