"""Which recordings go together: those of one cluster, and of each site those of its processes, one after the other.

Rules that hold here:
- Files that cannot be of one run are refused, with what to leave out.
- Which process of a site was first, the other sites' files tell: they heard of it first. No clock is read for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import combinations, pairwise

from engine.contract.notifications import DatagramName
from engine.core.ids import SiteId
from tui.lab.recording import BadRecording, Came, Recorded, Recording


def of_one_cluster(recordings: Sequence[Recording]) -> dict[SiteId, Recording]:
    """By site, in the order of the sites file. Raises BadRecording."""
    if not recordings:
        raise BadRecording("no recording is named")
    one = recordings[0]
    of_site: dict[SiteId, list[Recording]] = {}
    for each in recordings:
        mine, theirs = one.header, each.header
        if mine.cluster != theirs.cluster or set(mine.sites) != set(theirs.sites):
            raise BadRecording(
                f"{one.name} and {each.name} are from different clusters: {_cluster(one)}, and {_cluster(each)}. Open"
                " those of one cluster together"
            )
        of_site.setdefault(each.site, []).append(each)
    sites = [SiteId(name) for name in one.header.sites if name in of_site]
    return {site: reduce(Recording.then, _in_turn(of_site[site], recordings)) for site in sites}


def _in_turn(mine: Sequence[Recording], recordings: Sequence[Recording]) -> list[Recording]:
    """The recordings of one site, each of another process of it, as the other sites first heard of those. Raises
    BadRecording."""
    for one, other in combinations(mine, 2):
        if one.process == other.process:
            raise BadRecording(
                f"{one.name} and {other.name} are both of one process of {one.site}: leave out one of them"
            )
    if len(mine) == 1:
        return list(mine)
    heard = [(_first_heard(each, recordings), each) for each in mine]
    ordered = sorted(heard, key=lambda pair: sum(_is_before(first, pair[0]) for first, _ in heard))
    for (first, earlier), (then, later) in pairwise(ordered):
        if not _is_before(first, then) or _is_before(then, first):
            raise BadRecording(
                f"{earlier.name} and {later.name} are of two processes of {earlier.site}, and no other file here shows"
                " which came first: leave out one of them, or add a site that heard both"
            )
    return [each for _, each in ordered]


def _first_heard(recording: Recording, recordings: Sequence[Recording]) -> dict[int, int]:
    """In which line of each file, by its place, of another site something of this process is named first."""
    salts = recording.salts
    first: dict[int, int] = {}
    for place, other in enumerate(recordings):
        if other.site == recording.site:
            continue
        for index, line in enumerate(other.lines):
            if any(name.salt in salts for _, name in names(line)):
                first[place] = index
                break
    return first


def _is_before(one: Mapping[int, int], other: Mapping[int, int]) -> bool:
    return any(file in other and index < other[file] for file, index in one.items())


def names(line: Recorded) -> Iterator[tuple[SiteId, DatagramName]]:
    """Of the datagrams of other sites that a line tells of."""
    yield from line.heard
    if isinstance(line.event, Came):
        yield line.event.sender, line.event.name


def _cluster(recording: Recording) -> str:
    header = recording.header
    return f"{header.cluster} with {', '.join(sorted(header.sites))}"
