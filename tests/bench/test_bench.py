"""What `make bench` prints, draws and takes from other programs; and a real run of a moment."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from engine.core.ids import SiteId
from engine.core.settings import Leadership
from storage.sqlite import open_store
from tests.bench import rows
from tests.bench.__main__ import LINES, main
from tests.bench.chart import Series, apart, draw, series_of
from tests.bench.cluster import CLUSTER, Place, Shape
from tests.bench.events import EVENT_BYTES, OneByOne, Settled, Together, text_of
from tests.bench.floors import measure as measure_floor
from tests.bench.load import percentile_ms
from tests.bench.machine import disk_of, is_memory
from tests.bench.outcome import Figure, Machine, Rate, Report, Result
from tests.bench.peers.h2load import H2loadFailed, durations_s, per_second, put_request
from tests.bench.peers.unsynced_site import Appends
from tests.bench.rows import ROWS, Floor, Row, select
from tests.bench.screen import LETTERS, Painted
from tests.bench.session import Session, with_shares
from tests.bench.stores import fill, identity_of
from tests.bench.table import about, table
from tests.tui.key_to_paint import Terminal
from tests.tui.pilots import NARROW

H2LOAD = """\
starting benchmark...
Warm-up phase is over for thread #0.
Main benchmark duration is over for thread #0. Stopping all clients.

finished in 4.00s, 15234.25 req/s, 2.43MB/s
requests: 60937 total, 61193 started, 60937 done, 60937 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 60937 2xx, 0 3xx, 0 4xx, 0 5xx
"""

MACHINE = Machine("a CPU", 2, 0.1, "Linux 6", "CPython 3", "ext4 on /dev/x", "abc1234", "2026-01-01T00:00:00+00:00")


def report(*results: Result) -> Report:
    return Report(MACHINE, ("etcd Version: 3.4",), 4.0, EVENT_BYTES, results)


def printed(shown: Report) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table(shown))
    return capture.get()


def test_each_row_has_a_name_of_its_own_and_is_held_against_one_that_is_there() -> None:
    titles = [row.title for row in ROWS]
    assert len(set(titles)) == len(titles)
    assert {row.against for row in ROWS} - {None} <= set(titles)


def test_rows_of_one_cluster_stand_together() -> None:
    shapes = [row.work.shape for row in ROWS if isinstance(row.work, rows.Driven)]
    changes = sum(before != after for before, after in pairwise(shapes))
    assert changes == len(set(shapes)) - 1


def test_rows_are_selected_by_a_part_of_their_name() -> None:
    assert select(ROWS, []) == list(ROWS)
    assert {row.section for row in select(ROWS, ["ETCD", "idle"])} == {"etcd, 3 nodes", "five sites"}
    assert select(ROWS, ["nothing of that kind"]) == []


def test_no_row_is_a_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing of that kind"]) == 2
    assert "no row" in capsys.readouterr().err


def test_events_are_as_long_as_is_said_and_unlike_each_other() -> None:
    assert {len(text_of(number).encode()) for number in (1, 10**9)} == {EVENT_BYTES}
    assert text_of(1) != text_of(2)


def test_answers_are_taken_however_they_are_cut() -> None:
    speech = OneByOne()
    assert speech.submit(2).count(b"\n") == 2
    assert b'"id":3,' in speech.submit(1)
    answers = (
        b'{"jsonrpc":"2.0","id":2,"result":{"outcome":"created","slot":7}}\n'
        b'{"jsonrpc":"2.0","method":"observed","params":{}}\n'
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}\n'
    )
    told = [Settled(2, 1, "created"), Settled(1, 1, "refused")]
    for cut in range(len(answers)):
        assert [*speech.take(answers[:cut]), *speech.take(answers[cut:])] == told


def test_answers_to_many_are_taken_by_event_however_they_are_cut() -> None:
    answers = (
        b'{"jsonrpc":"2.0","id":257,"result":{"spans":[{"outcome":"created","count":1},{"outcome":"lost","count":2}]}}\n'
        b'{"jsonrpc":"2.0","method":"observed","params":{}}\n'
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}\n'
    )
    told = [Settled(257, 1, "created"), Settled(258, 2, "lost"), Settled(1, 256, "refused")]
    for cut in range(len(answers)):
        speech = Together()
        asked = speech.submit(259)
        assert [asked.count(part) for part in (b"\n", b'"id":1,', b'"id":257,', b" xxx")] == [2, 1, 1, 259]
        assert [*speech.take(answers[:cut]), *speech.take(answers[cut:])] == told


def test_percentiles_of_few() -> None:
    assert percentile_ms(array("d"), 50) is None
    assert percentile_ms(array("d", [0.002]), 99) == 2.0
    assert percentile_ms(array("d", [0.001, 0.002, 0.003]), 50) == pytest.approx(2.0)


def test_a_put_of_etcd_is_a_frame_of_grpc() -> None:
    frame = put_request(b"k", b"v" * 200)
    assert frame[:5] == b"\0\0\0\0\xce"
    assert frame[5:11] == b"\x0a\x01k\x12\xc8\x01"
    assert len(frame) == 5 + 0xCE


def test_what_h2load_says_is_read() -> None:
    assert per_second(H2LOAD) == 15_234.25
    assert list(durations_s(["1700000000000000\t200\t1500\n", "1700000000000100\t200\t2500\n"])) == [0.0015, 0.0025]


@pytest.mark.parametrize("said", ["", H2LOAD.replace("0 failed", "3 failed"), H2LOAD.replace("finished", "ended")])
def test_requests_that_failed_are_no_figure(said: str) -> None:
    with pytest.raises(H2loadFailed):
        per_second(said)


def test_a_share_is_of_a_row_that_was_measured() -> None:
    base, half = Result("a", "1", rate=Rate(10.0)), Result("b", "1", rate=Rate(5.0), against="a: 1")
    assert [result.share for result in with_shares([base, half])] == [None, 0.5]
    assert [result.share for result in with_shares([half])] == [None]


def test_the_table_has_all_that_was_measured_and_why_the_rest_was_not() -> None:
    rate = Rate(1234.5, 3.456, 10.0, 0.5, 1.25)
    shown = report(
        Result("elected", "16 outstanding", 16, rate, (Figure("key to paint, p95", 12.34, "ms"),), share=0.5),
        Result("etcd", "16 outstanding", missing="no etcd here"),
    )
    text = printed(shown)
    for part in ("1,234", "3.46", "10.00", "50%", "0.50", "1.25", "key to paint, p95 12.34 ms", "no etcd here"):
        assert part in text
    said = about(shown)
    assert "abc1234" in said
    assert "200 bytes" in said
    assert "etcd Version" in said


def test_the_chart_has_a_line_for_each_system_that_was_measured() -> None:
    def measured(section: str, name: str, outstanding: int, per_s: float) -> Result:
        return Result(section, name, outstanding, Rate(per_s))

    _, section, place = LINES[0]
    shown = report(
        measured(section, f"16 outstanding, {place}", 16, 2_000.0),
        measured(section, f"1 outstanding, {place}", 1, 300.0),
        measured(section, "256 outstanding, 1 % loss", 256, 100.0),
        Result("etcd, 3 nodes", "1 outstanding, at the leader", missing="no etcd here"),
    )
    series = series_of(shown, LINES)
    assert series == [Series(LINES[0][0], ((1, 300.0), (16, 2_000.0)))]
    svg = ET.fromstring(draw(series, "created"))
    assert len(svg.findall(".//{*}polyline")) == 1
    assert LINES[0][0] in [text.text for text in svg.findall(".//{*}text")]


def test_a_chart_of_nothing_is_drawn() -> None:
    ET.fromstring(draw([], "nothing"))


def test_names_at_one_place_are_moved_apart() -> None:
    assert apart([10.0, 12.0, 50.0, 10.0], 15) == [10.0, 40.0, 55.0, 25.0]


def test_the_disk_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\n/dev/b {tmp_path} xfs rw 0 0\n/dev/c {tmp_path}-other btrfs rw 0 0\n")
    assert disk_of(tmp_path, mounts) == "xfs on /dev/b"
    assert disk_of(Path("/"), mounts) == "ext4 on /dev/a"
    assert disk_of(tmp_path, tmp_path / "none") == "unknown"


def test_a_store_is_filled_as_a_site_would_and_more_than_once(tmp_path: Path) -> None:
    names = ("bob", "alice")
    identity = identity_of(CLUSTER, "alice", names)
    assert fill(tmp_path, identity, SiteId("alice"), 3) == 3
    assert fill(tmp_path, identity, SiteId("alice"), 2) == 5
    store = open_store(tmp_path, identity)
    try:
        stored = store.load()
        assert (stored.prefix, stored.number_max, stored.last_in_effect) == (5, 5, {"alice": 5})
        assert store.timeline_count(frozenset()) == (5, 0)
        assert store.scrub(stored.prefix, 10) is None
    finally:
        store.close()


def test_a_key_is_timed_until_its_letter_comes_out_of_the_terminal() -> None:
    terminal = Terminal(NARROW, ["cat"])  # the terminal itself echoes what is typed
    try:
        painted = Painted(terminal.master)
        letter = LETTERS[0].encode()
        took = painted.press(letter, letter)
        assert took is not None
        assert took > 0
    finally:
        terminal.close()


def test_the_letters_that_are_typed_are_in_no_event_and_each_once() -> None:
    assert len(set(LETTERS)) == len(LETTERS)
    assert not set(LETTERS) & set(text_of(1))


def test_what_is_appended_to_a_list_is_appended_anew_once_it_is_settled() -> None:
    class Replicated:
        def __init__(self) -> None:
            self.asked: list[Callable[[None, int], None]] = []

        def append(self, text: str, callback: Callable[[None, int], None]) -> None:
            assert len(text) == EVENT_BYTES
            self.asked.append(callback)

    replicated = Replicated()
    appends = Appends(replicated)
    for _ in range(3):
        appends.append()
    replicated.asked.pop()(None, 0)
    replicated.asked.pop()(None, 1)
    assert len(replicated.asked) == 3
    assert (appends.created, appends.failed, len(appends.latencies)) == (1, 1, 1)
    appends.count_anew()
    assert (appends.created, appends.failed, len(appends.latencies)) == (0, 0, 0)


def test_memory_is_no_disk() -> None:
    assert is_memory("tmpfs on tmpfs")
    assert not is_memory("ext4 on /dev/tmpfs")


@pytest.mark.parametrize("floor", Floor)
def test_a_floor_is_measured(tmp_path: Path, floor: Floor) -> None:
    assert measure_floor(floor, tmp_path, 0.01).per_s > 0


def test_a_cluster_is_driven_and_what_has_no_peer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    driven = Row("some", "driven", rows.Driven(Shape(3, Leadership.ELECTED), Place.LEADER, 1))
    with Session(tmp_path, 0.3) as session:
        own, etcd = map(session.measure, [driven, Row("etcd", "put", rows.Etcd(1, 1))])
    assert own.missing is None
    assert own.note == ""
    assert own.rate is not None
    assert own.rate.per_s > 0
    assert etcd.missing is not None
    assert "make bench-peers" in etcd.missing
