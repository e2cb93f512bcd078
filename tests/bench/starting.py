"""Sites that start: on a store of many entries, or far behind the others; and sites that have nothing to do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from engine.core.ids import SiteId
from engine.core.settings import Leadership
from engine.site_files import files_of
from tests.bench import rows
from tests.bench.children import resident_mib
from tests.bench.cluster import CLUSTER, BenchCluster, Place, Shape, driving
from tests.bench.driven import WARM_UP_S_MAX
from tests.bench.outcome import Figure
from tests.bench.stores import fill, identity_of, size_bytes

_IDLE_S_MIN: Final = 10.0
_LOADED_S_MAX: Final = 300.0


def full(folder: Path, work: rows.Full) -> tuple[Figure, ...]:
    """What it costs a site to start on a store of so many entries."""
    with BenchCluster(folder, Shape(3, Leadership.ELECTED)) as cluster:
        site = cluster.names[0]
        store = files_of(cluster.data_path, site).folder
        fill(store, identity_of(CLUSTER, site, cluster.names), SiteId(site), work.entries)
        size = size_bytes(store)
        began = time.perf_counter()
        cluster.serve(site)
        ready = time.perf_counter() - began
        return (
            Figure("start to ready", ready, "s"),
            Figure("RSS", resident_mib(cluster.engines[site].process.pid), "MiB"),
            Figure("store, an entry", size / work.entries, "bytes"),
        )


def behind(folder: Path, work: rows.Behind, seconds: float) -> tuple[Figure, ...]:
    """How long a site needs for what it lacks, and what the others get done before, meanwhile and after."""
    with BenchCluster(folder, Shape(3, Leadership.ELECTED)) as cluster:
        cluster.begin()
        cluster.stop()
        *others, late = cluster.names
        for site in others:
            store = files_of(cluster.data_path, site).folder
            fill(store, identity_of(CLUSTER, site, cluster.names), SiteId(others[0]), work.entries)
        cluster.serve(*others)
        leader = cluster.site_at(Place.LEADER)
        if not work.outstanding:
            return _catch_up(cluster, late, leader)
        with driving(cluster, leader, work.outstanding, _LOADED_S_MAX, WARM_UP_S_MAX) as load:
            load.wait_begun()
            before = _rate(cluster, leader, seconds)
            began, chosen = time.perf_counter(), cluster.prefix(leader)
            figures = _catch_up(cluster, late, leader)
            meanwhile = (cluster.prefix(leader) - chosen) / (time.perf_counter() - began)
            after = _rate(cluster, leader, seconds)
            lacks = max(0, cluster.prefix(leader) - cluster.prefix(late))
        return (
            *figures,
            Figure("created before", before, "/s"),
            Figure("meanwhile", meanwhile, "/s"),
            Figure("after", after, "/s"),
            Figure("lacks then", lacks, "entries"),
        )


def idle(folder: Path, work: rows.Idle, seconds: float) -> tuple[Figure, ...]:
    with BenchCluster(folder, Shape(work.sites, Leadership.ELECTED)) as cluster:
        cluster.begin()
        began, computed = time.perf_counter(), cluster.computed_s()
        time.sleep(max(seconds, _IDLE_S_MIN))  # idle for so long: that is what is measured
        cores = (cluster.computed_s() - computed) / (time.perf_counter() - began)
        return (Figure("CPU of all", cores * 100, "% of a core"),)


def _catch_up(cluster: BenchCluster, late: str, leader: str) -> tuple[Figure, ...]:
    """Starts the site; until it has what the leader had by then."""
    began = time.perf_counter()
    cluster.serve(late)
    ready = time.perf_counter()
    cluster.until_learned(late, cluster.prefix(leader))
    caught_up = time.perf_counter()
    return (
        Figure("from ready to caught up", caught_up - ready, "s"),
        Figure("start to ready", ready - began, "s"),
    )


def _rate(cluster: BenchCluster, site: str, seconds: float) -> float:
    """How many slots are chosen a second."""
    began, chosen = time.perf_counter(), cluster.prefix(site)
    time.sleep(seconds)  # a rate is of a time
    return (cluster.prefix(site) - chosen) / (time.perf_counter() - began)
