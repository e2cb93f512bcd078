"""What is measured of a site, as Prometheus and its like read it: OpenMetrics, or the older text format.

Rules that hold here:
- Names, units and help follow https://prometheus.io/docs/practices/naming: seconds and bytes, `_total` for what only
  grows. A name that was shipped keeps its meaning (docs/monitoring.md).
- What may be counted by a reason is there from the start, as 0: a rate of what is not there yet is nothing.
- Which site it is of stands in one metric, `loggos_site_info`: whoever scrapes it knows what he asked.
- No text that people wrote is in it, nor a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from msgspec.structs import asdict
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from engine.contract.metrics import Histogram, Metrics
from engine.contract.status import Status
from engine.core.effects import RejectedFor
from engine.core.storage import EventState
from engine.datagram import Reason

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
TEXT: Final = "text/plain"
"""What the older format is asked for with."""

_OUTCOMES: Final = (EventState.CREATED, EventState.LOST, EventState.NOT_CREATED, EventState.UNKNOWN)
_REASONS: Final = (*Reason, *RejectedFor)
_PREFIX: Final = "loggos"


def exposition(told: Metrics, accept: str) -> tuple[bytes, str]:
    """The text, and its content type, for who accepts this."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(told))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Told(Collector):
    def __init__(self, told: Metrics) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        yield from families(self._told)

    def describe(self) -> Iterable[Metric]:
        return ()


def families(told: Metrics) -> Iterator[Metric]:
    yield from _standing(told.status, told.holes)
    yield from _peers(told)
    yield from _events(told)
    yield from _traffic(told.status)
    yield from _store(told)
    yield from ProcessCollector(pid=lambda: told.status.pid, registry=None).collect()


def _standing(status: Status, holes: int) -> Iterator[Metric]:
    info = InfoMetricFamily(f"{_PREFIX}_site", "The site that these metrics are about.")
    info.add_metric(
        (),
        {
            "cluster": status.cluster,
            "leadership": status.leadership,
            "site": status.site,
            "version": status.version,
        },
    )
    yield info
    yield _gauge(
        "takes_events",
        "Whether an event submitted now could be settled, as far as the site knows.",
        status.takes_events,
    )
    yield _gauge("voting", "Whether the site votes.", status.voting)
    yield _gauge("recovering", "Whether the site is copying what it missed from other sites.", status.recovering)
    yield _gauge("cluster_sites", "Sites of the cluster.", status.quorum.size)
    yield _gauge("quorum_reachable_sites", "Voters that the site reaches, itself included.", status.quorum.reachable)
    yield _gauge("quorum_needed_sites", "Voters that are needed to choose anything.", status.quorum.needed)
    yield _gauges(
        "leader",
        "Which site leads, as this one knows: 1 for that site, 0 for the others.",
        "leader",
        {site: site == status.leader for site in status.sites},
    )
    yield _gauge(
        "leader_missing", "Whether the leadership setting is elected and no leader is heard.", status.lacks_leader
    )
    yield _gauge(
        "chosen_through_slot", "The slot up to which the site has learned every slot of the log.", status.chosen_through
    )
    yield _gauge("chosen_highest_slot", "The highest slot that the site knows to be chosen.", status.chosen_max)
    yield _gauge(
        "lag_slots", "How many slots the site is behind the highest that it or a peer knows.", status.lag, "slots"
    )
    yield _gauge("holes", "Used slots whose chosen entry the site has not learned.", holes)
    yield _gauge("fault_rules", "Rules that make the site's network bad on purpose.", status.faults)
    sentences = {
        "hindered": status.hindered,
        "mismatch": status.mismatch,
        "narrow": status.narrow,
        "unsent": status.unsent,
    }
    yield _gauges(
        "warnings",
        "Whether `loggos status` prints a warning of this kind.",
        "kind",
        {kind: sentence is not None for kind, sentence in sentences.items()},
    )


def _peers(told: Metrics) -> Iterator[Metric]:
    status = told.status
    peers, most = status.peers, status.known_max
    yield _gauges("peer_up", "Whether the peer is heard.", "peer", {name: peer.up for name, peer in peers.items()})
    yield _gauges(
        "peer_silence_seconds",
        "How long ago the peer was heard; absent if it never was.",
        "peer",
        {name: peer.heard_s for name, peer in peers.items()},
        "seconds",
    )
    yield _gauges(
        "peer_lag_slots",
        "How many slots the peer is behind the highest that this site or a peer knows.",
        "peer",
        {name: None if peer.chosen_through is None else most - peer.chosen_through for name, peer in peers.items()},
        "slots",
    )
    yield _gauges(
        "peer_clock_ahead_seconds",
        "How far the peer's wall clock is ahead of this site's, at least; below 0: behind it. Absent while not known.",
        "peer",
        {name: None if peer.clock_ms is None else peer.clock_ms / 1000 for name, peer in peers.items()},
        "seconds",
    )
    trips = HistogramMetricFamily(
        f"{_PREFIX}_peer_round_trip_seconds",
        "Round-trip time to the peer, measured with heartbeats.",
        labels=("peer",),
        unit="seconds",
    )
    for name, histogram in sorted(told.round_trips.items()):
        trips.add_metric((name,), _buckets(histogram), histogram.sum_s)
    yield trips


def _events(told: Metrics) -> Iterator[Metric]:
    counters = told.status.counters
    yield _counters(
        "events",
        "Outcomes of the events that were submitted at this site.",
        "outcome",
        {outcome: counters.events.get(outcome, 0) for outcome in _OUTCOMES},
    )
    yield _gauge("unknown_events", "Events of this site whose outcome is not known yet.", told.status.unknown)
    yield _histogram(
        "event_latency_seconds", "Time from the submission of an event at this site until it was created.", told.created
    )
    yield _counters(
        "elections",
        "How often this site stood for election, led, and stepped down.",
        "phase",
        {phase.replace(" ", "-"): count for phase, count in told.elections.items()},
    )
    costs = counters.costs
    yield _counter("applied_events", "Events of any author that took effect here.", costs.events)
    yield _counter("event_messages_sent", "Messages that this site sent for events.", costs.messages_out)
    yield _counter("event_datagrams_sent", "Datagrams that this site sent for events.", costs.datagrams_out)
    yield _counter("event_sent_bytes", "Bytes that this site sent for events.", costs.bytes_out, "bytes")
    yield _counter("event_commits", "Commits of the store, each with a sync, for events.", costs.commits)


def _traffic(status: Status) -> Iterator[Metric]:
    counters = status.counters
    yield _counter("datagrams_received", "Datagrams received.", counters.datagrams_in)
    yield _counter("datagrams_sent", "Datagrams sent.", counters.datagrams_out)
    yield _counter("received_bytes", "Bytes of datagrams received.", counters.bytes_in, "bytes")
    yield _counter("sent_bytes", "Bytes of datagrams sent.", counters.bytes_out, "bytes")
    yield _counter("messages_received", "Messages in the datagrams received.", counters.messages_in)
    yield _counter("messages_sent", "Messages in the datagrams sent.", counters.messages_out)
    rejected = dict.fromkeys(map(str, _REASONS), 0) | counters.rejected
    yield _counters(
        "datagrams_rejected",
        "Datagrams that were dropped without an answer, by reason (docs/protocol.md).",
        "reason",
        rejected,
    )
    yield _counters("receive_errors", "System errors while receiving datagrams.", "error", counters.receive_errors)
    yield _counters("send_errors", "Datagrams that could not be sent.", "error", counters.send_errors)
    yield _counters("faults", "Messages that this site's fault rules acted on, by act.", "act", asdict(counters.faults))
    yield _counter("passes", "Passes of the site's loop.", counters.passes)
    yield _counter("log_lines_lost", "Lines of the engine's log that could not be written.", counters.log_lines_lost)


def _store(told: Metrics) -> Iterator[Metric]:
    yield _histogram("commit_seconds", "Duration of the store's commits, including the disk sync.", told.commits)
    yield _counter("store_writes", "Rows written by commits.", told.status.counters.writes)
    yield _gauges("store_bytes", "Sizes of the store's files.", "file", told.store_bytes, "bytes")
    if told.disk_free_bytes is not None:
        yield _gauge("store_disk_free_bytes", "Free space on the store's disk.", told.disk_free_bytes, "bytes")


# The library's families, with the prefix that all names have.


def _gauge(name: str, documentation: str, value: float, unit: str = "") -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", documentation, float(value), unit=unit)


def _gauges(name: str, documentation: str, label: str, values: Mapping[str, float | None], unit: str = "") -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", documentation, labels=(label,), unit=unit)
    for key, value in values.items():
        if value is not None:
            family.add_metric((key,), float(value))
    return family


def _counter(name: str, documentation: str, value: float, unit: str = "") -> Metric:
    return CounterMetricFamily(f"{_PREFIX}_{name}", documentation, value, unit=unit)


def _counters(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"{_PREFIX}_{name}", documentation, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _histogram(name: str, documentation: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(f"{_PREFIX}_{name}", documentation, unit="seconds")
    family.add_metric((), _buckets(histogram), histogram.sum_s)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """As the format has them: how often it took at most so long."""
    ends = [*map(str, histogram.bounds_s), "+Inf"]
    return [(end, float(count)) for end, count in zip(ends, accumulate(histogram.counts), strict=True)]
