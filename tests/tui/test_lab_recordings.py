"""Recordings: read from their files, merged by what was sent and received, and shown as frames."""

from __future__ import annotations

from itertools import permutations

import pytest

from engine.contract.notifications import DatagramName, RangeLine, RecordFate, RecordLine
from engine.core.explained.describe import Line
from engine.core.ids import Ballot, Round, SiteId, Slot
from tests.tui.notebook import NAMES, NOON_MS, Notebook, name, said, tweet
from tui import recording as recordings
from tui.lab.frame import Frame
from tui.lab.recording import BadRecording, Began, parsed
from tui.lab.recording_merge import UNDER_WAY_MAX, merge
from tui.lab.recording_reel import RecordedReel
from tui.lab.seen import Concluded, Fate, Flown, Happened, Said

HOUR_MS = 3_600_000
ALICE, BOB, CAROL = (SiteId(name) for name in NAMES)


def ballot(number: int, site: SiteId) -> Ballot:
    return Ballot(Round(number), site)


def frames(*books: Notebook) -> list[Frame]:
    """All of them, the first one included."""
    reel = RecordedReel([book.recording for book in books])
    while reel.forward():
        pass
    return list(reel.frames)


def order(*books: Notebook) -> list[str]:
    """Which site does what in each step, by the words of its lines."""
    return [
        f"{step.site} {' '.join(_words(book.lines[step.first : step.beyond]))}"
        for step in merge([book.recording for book in books]).steps
        for book in books
        if book.site == step.site
    ]


def _words(lines: list[recordings.RecordedLine]) -> list[str]:
    return [line.lines[0].type for line in lines if isinstance(line, RecordLine) and line.lines]


def a_round(alice_ms: int = NOON_MS, bob_ms: int = NOON_MS, carol_ms: int = NOON_MS) -> tuple[Notebook, ...]:
    """Carol hears alice, who prepares and is promised by bob; the prepare for carol is lost."""
    alice, bob, carol = Notebook("alice", alice_ms), Notebook("bob", bob_ms), Notebook("carol", carol_ms)
    carol.heard = {"alice": alice.beats()}
    carol.tells(said("peer", None, None))
    to_bob = alice.sends("bob", said("prepare"))
    alice.sends("carol", said("prepare"))
    bob.takes("alice", to_bob, said("prepare")).keeps(1, "1.alice")
    promise = bob.sends("alice", said("promise"))
    alice.passes().takes("bob", promise, said("promise")).tells(said("accepting"))
    accept = alice.sends("carol", said("accept"))
    carol.passes().takes("alice", accept, said("accept"))
    for book in (alice, bob, carol):
        book.passes().ends()
    return alice, bob, carol


def test_what_is_received_comes_after_it_was_sent_whatever_the_clocks_say() -> None:
    expected = order(*a_round())
    assert [step for step in expected if not step.endswith(" ")] == [
        *("alice prepare prepare", "carol peer", "bob prepare promise"),
        *("alice promise accepting accept", "carol accept"),
    ]
    for clocks in permutations((NOON_MS - 5 * HOUR_MS, NOON_MS, NOON_MS + 7 * HOUR_MS)):
        assert order(*a_round(*clocks)) == expected


def test_the_order_does_not_depend_on_the_order_of_the_files() -> None:
    books = a_round()
    assert {tuple(order(*some)) for some in permutations(books)} == {tuple(order(*books))}


def test_a_heartbeat_orders_what_its_sender_did_before_it() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    for _ in range(3):
        alice.passes().tells(said("hole"))
    alice.sends("carol", said("ask"))
    beat = alice.beats()
    alice.passes().tells(said("filled"))
    bob.heard = {"alice": beat}
    bob.tells(said("leads"))
    assert order(alice, bob) == [*["alice hole"] * 2, "alice hole ask", "alice filled", "bob leads"]
    bob.heard = {}
    bob.lines = []
    bob.tells(said("leads"))
    assert order(alice, bob)[1] == "bob leads", "without it, nothing does"


def test_times_are_read_past_wrong_clocks_and_never_go_back() -> None:
    right = [frame.at_ms for frame in frames(*a_round())]
    for clocks in permutations((NOON_MS - 5 * HOUR_MS, NOON_MS, NOON_MS + 7 * HOUR_MS)):
        times = [frame.at_ms for frame in frames(*a_round(*clocks))]
        assert times == sorted(times)
        assert max(abs(one - other) for one, other in zip(times, right, strict=True)) < 10


@pytest.mark.parametrize("ahead_ms", [0, HOUR_MS, -HOUR_MS])
def test_a_way_takes_half_of_there_and_back(ahead_ms: int) -> None:
    alice, bob = Notebook("alice"), Notebook("bob", NOON_MS + 40 + ahead_ms)
    prepare = alice.sends("bob")
    promise = bob.takes("alice", prepare).sends("alice", said("promise"))
    alice.passes().waits(80).takes("bob", promise)
    assert [round(frame.at_ms) for frame in frames(alice, bob)] == [0, 0, 40, 81]


def test_what_was_sent_by_nobody_in_the_files_is_said() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    bob.sends("alice")
    alice.takes("bob", name("bob", 0))
    alice.takes("bob", name("bob", 7), said("promise", 3))
    alice.takes("bob", name("bob", 8))
    alice.takes("carol", name("carol", 2))
    alice.ends()
    bob.ends()
    assert merge([alice.recording, bob.recording]).findings == (
        "not recorded: carol; their messages are drawn where they arrived",
        "alice took 2 datagrams from bob that nobody in the files sent, first in alice.jsonl line 3 (promise)",
    )
    arrived = [seen for frame in frames(alice, bob) for seen in frame.seen if isinstance(seen, Flown)]
    assert [seen.fate for seen in arrived if seen.sender == CAROL] == [Fate.ARRIVES]


def test_what_was_sent_before_the_recording_began_is_said_to_be_so() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    bob.beats()
    bob.sends("alice")
    alice.takes("bob", name("bob", 0)).ends()
    bob.ends()
    (_, said_so) = merge([alice.recording, bob.recording]).findings
    assert said_so.endswith("(prepare): the recording of its sender began later")


def test_what_was_sent_by_a_process_that_was_not_recorded_is_said_to_be_so() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    bob.sends("alice")
    bob.ends(stopped=True)
    alice.takes("bob", DatagramName("started again", 0)).ends()
    (_, said_so) = merge([alice.recording, bob.recording]).findings
    assert said_so.endswith("(prepare): another process of it did, which is not recorded")


def test_gaps_cut_off_lines_and_missing_ends_are_said() -> None:
    alice, bob, carol = Notebook("alice"), Notebook("bob"), Notebook("carol")
    alice.tells().misses(12).tells().ends()
    bob.tells()
    cut_off = parsed("carol.jsonl", carol.tells().text[:-9])
    assert cut_off.lines == (), "the line that is not whole is left out"
    assert merge([alice.recording, bob.recording, cut_off]).findings == (
        "alice.jsonl lacks 12 lines before line 4: its recorder was too slow",
        "bob.jsonl has no end: its recorder was killed, or is still recording",
        "carol.jsonl ends within a line, which is left out: its recorder was killed, or its disk was full",
    )
    assert [seen.is_wrong for frame in frames(alice) for seen in frame.seen if isinstance(seen, Said)] == [True]


@pytest.mark.parametrize(
    ("others", "refusal"),
    [
        ([Notebook("bob", cluster="else")], "alice.jsonl and bob.jsonl are from different clusters: island with alice"),
        ([Notebook("bob", names=("alice", "bob"))], "alice.jsonl and bob.jsonl are from different clusters"),
        (
            [Notebook("alice")],
            "alice.jsonl and alice.jsonl are both of one process of alice: leave out one of them",
        ),
    ],
)
def test_files_that_are_not_of_one_run_are_refused(others: list[Notebook], refusal: str) -> None:
    with pytest.raises(BadRecording) as refused:
        merge([book.recording for book in (Notebook("alice"), *others)])
    assert refusal in str(refused.value)


def _is_of(frame: Frame, site: SiteId) -> bool:
    return any(isinstance(one, Happened) and one.site == site for one in frame.seen)


def restarted(bob_ms: int, *, carol_heard_it: bool) -> list[Notebook]:
    """Bob's process ends and another one begins, whose clock may say that it was first."""
    bob, again, carol = Notebook("bob"), Notebook("bob", bob_ms, salt="again"), Notebook("carol")
    if carol_heard_it:
        carol.heard = {"bob": bob.beats()}
        carol.tells(said("peer", None, None))
    bob.keeps(1, "1.bob").sends("alice")
    bob.passes().ends("the engine closed the connection", stopped=True)
    again.tells(said("recovery", None, None))
    carol.passes().takes("bob", again.passes().sends("carol", said("ask")))
    return [bob, again, carol]


@pytest.mark.parametrize("clock_ms", [NOON_MS + HOUR_MS, NOON_MS - HOUR_MS])
def test_two_processes_of_a_site_follow_each_other_as_the_others_heard_of_them(clock_ms: int) -> None:
    books = restarted(clock_ms, carol_heard_it=True)
    for some in permutations(books):
        seen = frames(*some)
        happened = [(frame.step, one.what) for frame in seen for one in frame.seen if isinstance(one, Happened)]
        (ended, began) = ((step, what) for step, what in happened if _is_of(seen[step], BOB))
        assert (ended[1], began[1]) == ("end", "start")
        assert [frame.sites[1].is_up for frame in seen[ended[0] :]] == [
            *[False] * (began[0] - ended[0]),
            *[True] * (len(seen) - began[0]),
        ]
        assert seen[-1].sites[1].acceptors[Slot(1)].max_prepare == ballot(1, BOB), "its disk is the same"
        assert seen[-1].step > began[0], "it asks carol"


def test_another_process_begins_with_what_was_kept_for_its_recorder() -> None:
    bob, again, _ = restarted(NOON_MS, carol_heard_it=True)
    both = bob.recording.then(again.recording)
    began, first = both.lines[len(bob.lines) :][:2]
    assert (type(began.event), began.at_ms) == (Began, first.at_ms)


def test_processes_of_which_nobody_tells_who_was_first_are_refused() -> None:
    with pytest.raises(BadRecording, match="no other file here shows which came first"):
        frames(*restarted(NOON_MS, carol_heard_it=False))


def test_a_recording_that_cannot_have_been_is_refused_with_the_lines_that_contradict_each_other() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    alice.tells()
    alice.passes().takes("bob", name("bob", 0))
    alice.sends("bob")
    bob.takes("alice", name("alice", 0))
    bob.sends("alice")
    with pytest.raises(BadRecording) as refused:
        merge([alice.recording, bob.recording])
    assert "alice.jsonl line 3, which needs bob.jsonl line 2, which needs alice.jsonl line 3" in str(refused.value)


def test_a_message_flies_from_where_it_left_to_where_it_arrived() -> None:
    seen = frames(*a_round())
    assert [len(frame.flights) for frame in seen] == [0, 1, 1, 1, 1, 1, 1, 0, 0]
    (left, _, lost) = seen[1].seen
    assert isinstance(left, Flown)
    assert isinstance(lost, Flown)
    assert (left.fate, left.number, left.to) == (Fate.LEAVES, 1, BOB)
    assert (lost.fate, lost.number, lost.to) == (Fate.LOST, 2, CAROL), "a later one of its way arrived"
    (arrived, _) = seen[3].seen
    assert isinstance(arrived, Flown)
    assert (arrived.fate, arrived.number) == (Fate.ARRIVES, 1)
    assert arrived.lines == (Line("prepare", Slot(1), ballot(1, ALICE), ""),)
    assert seen[-1].seen == (Happened(seen[-1].at_ms, CAROL, "recording ended", "SIGINT"),)


def test_what_left_last_is_under_way_and_of_who_was_not_recorded_nothing_is_told() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    early = alice.sends("bob", said("ask"))
    taken = alice.sends("bob")
    alice.sends("bob", said("accept"))
    alice.sends("carol", said("accept"))
    bob.takes("alice", taken)
    assert early == name("alice", 0)
    last = frames(alice, bob)[-1]
    assert [(flight.to, flight.lines[0].type) for flight in last.flights] == [(BOB, "accept")]


def test_not_everything_is_under_way_that_left_after_all_that_arrived() -> None:
    """A site that is cut off for hours is sent very much."""
    alice, bob = Notebook("alice"), Notebook("bob")
    bob.takes("alice", alice.sends("bob"))
    for _ in range(UNDER_WAY_MAX + 7):
        alice.passes().sends("bob")
    last = frames(alice, bob)[-1]
    assert len(last.flights) == UNDER_WAY_MAX
    assert last.flights[-1].number == UNDER_WAY_MAX + 8, "the newest"


@pytest.mark.parametrize("fate", [RecordFate.DROPPED, RecordFate.UNSENT])
def test_what_a_fault_rule_drops_is_lost_where_it_is_dropped(fate: RecordFate) -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    alice.sends("bob", said("prepare"), fate=fate)
    taken = alice.passes().sends("bob", said("accept"))
    bob.takes("alice", taken, said("accept"), fate=RecordFate.DROPPED)
    flown = [seen for frame in frames(alice, bob) for seen in frame.seen if isinstance(seen, Flown)]
    assert [(one.number, one.fate) for one in flown] == [
        *((1, Fate.LEAVES), (1, Fate.LOST)),
        *((2, Fate.LEAVES), (2, Fate.LOST)),
    ]


def test_what_a_fault_rule_holds_is_one_message_from_its_first_line_to_its_arrival() -> None:
    """What the rules did stands in the notes of its first line at each end, and nowhere else."""
    alice, bob = Notebook("alice"), Notebook("bob")
    alice.sends("bob", said(note="HOLD (rule 1); x"), flight=1, fate=RecordFate.HELD)
    alice.passes().tells()
    sent = alice.passes().sends("bob", said(note="x"), flight=1)
    bob.takes("alice", sent, said(note="delay 5 ms (rule 1); x"), flight=4, fate=RecordFate.CHANGED)
    bob.passes().tells()
    bob.passes().takes("alice", sent, said(note="x"), flight=4)
    bob.passes().takes("alice", sent, said(note="x"), flight=4)
    seen = frames(alice, bob)
    assert [[flight.arrives_at_ms is None for flight in frame.flights] for frame in seen] == [
        *([], [True], [True], [True], []),
        [],
    ]
    flown = [(one.number, one.fate) for frame in seen for one in frame.seen if isinstance(one, Flown)]
    assert flown == [(1, Fate.LEAVES), (1, Fate.ARRIVES), (1, Fate.ARRIVES)], "and its copy arrives too"


def test_messages_of_one_packet_arrive_with_their_own_datagrams() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    first = alice.sends("bob", said("accept", 1), said("accept", 2), datagrams=2)
    bob.takes("alice", name("alice", first.number + 1), said("accept", 2))
    bob.takes("alice", first, said("accept", 1))
    flights = [[[line.slot for line in flight.lines] for flight in frame.flights] for frame in frames(alice, bob)]
    assert flights == [[], [[1, 2]], [[1]], []]


def test_the_table_is_what_commits_made_durable_and_frames_keep_theirs() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    alice.keeps(7, "1.bob", "1.bob", tweet("bob", 1))
    alice.tells(said("standing")).passes().keeps(7, "3.alice", "1.bob", tweet("bob", 1)).tells(said("preparing"))
    alice.passes().promises(RangeLine(7, None, "4.bob")).keeps(8, "2.bob").tells(said("preparing"))
    first, standing, preparing, raised = frames(alice, bob)
    tables = [frame.sites[0].acceptors for frame in (first, standing, preparing, raised)]
    assert [table[Slot(7)].max_prepare for table in tables] == [
        *[ballot(1, BOB)] * 2,
        *(ballot(3, ALICE), ballot(4, BOB)),
    ]
    assert Slot(8) not in tables[2]
    for slot in (Slot(7), Slot(8)):
        assert tables[3][slot].max_prepare == ballot(4, BOB), "a promise of a range holds for its slots too (A3)"
    assert [site.why for site in first.sites] == ["", "", "not recorded"]


def test_a_promise_of_a_range_holds_for_a_slot_that_another_site_has_used() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    alice.promises(RangeLine(1, None, "4.bob"))
    bob.tells(said("leads", 1, "4.bob")).keeps(9, "4.bob", "4.bob", tweet("bob", 1)).tells(said("accepting"))
    before, after = frames(alice, bob)[-2:]
    assert list(before.sites[0].acceptors) == []
    assert after.sites[0].acceptors[Slot(9)].max_prepare == ballot(4, BOB)


def test_a_majority_at_one_ballot_chooses_and_so_does_who_learned() -> None:
    books = [Notebook(site) for site in NAMES]
    entry = tweet("alice", 1)
    for book in books[:2]:
        book.tells(said("hole")).keeps(1, "1.alice", "1.alice", entry).tells(said("accepting"))
    decided = [frame for frame in frames(*books) if frame.decided]
    assert [(frame.step, list(frame.chosen)) for frame in decided] == [(2, [1])]
    books[2].keeps(2, learned=entry).tells(said("chosen"))
    books[2].passes().keeps(1, learned=tweet("bob", 4)).tells(said("chosen"))
    broken = [frame.broken for frame in frames(*books) if frame.broken]
    assert broken == ["R1: two entries are chosen in slot 1: alice/1 tweet hello, and bob/4 tweet hello"]


def test_one_goes_back_and_forth_among_frames_that_stay_as_they_were() -> None:
    reel = RecordedReel([book.recording for book in a_round()])
    while reel.forward():
        pass
    kept = list(reel.frames)
    reel.go(2)
    assert (reel.position, reel.forward(), reel.position) == (2, True, 3)
    assert list(reel.frames) == kept
    assert reel.names == (ALICE, BOB, CAROL)
    assert reel.title == "island, recorded: alice.jsonl, bob.jsonl, carol.jsonl"


def test_upkeep_and_steps_without_anything_to_see_are_no_frames() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    hello = alice.sends("bob", said("hello", None, None))
    bob.takes("alice", hello, said("hello", None, None)).keeps(1, "1.alice")
    bob.passes().tells(said("rejected", None, None, "stale-answer from alice"))
    bob.passes().tells(said("leads", 3, "4.bob"))
    seen = frames(alice, bob)
    assert [frame.seen for frame in seen[1:]] == [
        (Concluded(seen[1].at_ms, BOB, Line("leads", Slot(3), ballot(4, BOB), "")),)
    ]
    assert seen[1].sites[1].leader == BOB
    assert Slot(1) in seen[1].sites[1].acceptors


def test_a_site_that_stops_is_down() -> None:
    alice = Notebook("alice").tells().ends("SIGTERM came", stopped=True)
    last = frames(alice)[-1]
    assert (last.sites[0].is_up, last.sites[0].why) == (False, "down")


def test_a_file_is_known_by_its_first_line() -> None:
    assert recordings.is_recording(Notebook("alice").text.splitlines()[0])
    for other in (b"sites s1 s2 s3", b"{}", b"", b'{"recording":"1"}', b"\xff\xfe", b"[" * 100_000):
        assert not recordings.is_recording(other)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (b"", "x.jsonl has no complete line: nothing was recorded in it"),
        (b"sites s1\n", "x.jsonl: its first line is not that of a recording"),
        (b'{"recording":2}\n', "x.jsonl: it is of a later version (2): open it with that version of loggos"),
        (Notebook("dave").text, "x.jsonl: dave is not one of its cluster's sites, alice, bob, carol"),
        (Notebook("alice").text + b"{}\n", "x.jsonl, line 2, does not belong in a recording (Object missing"),
        (Notebook("alice").tells().text.replace(b'"1.alice"', b'"1"'), "x.jsonl, line 2: '1' is no ballot"),
        (Notebook("alice").tells().text.replace(b'"self"', b'"up"'), "x.jsonl, line 2: nothing is known of 'up'"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(text: bytes, refusal: str) -> None:
    with pytest.raises(BadRecording) as refused:
        parsed("x.jsonl", text)
    assert str(refused.value).startswith(refusal)


def test_what_is_written_is_what_is_read() -> None:
    for book in a_round():
        assert parsed(f"{book.site}.jsonl", book.text) == book.recording


def test_a_sender_that_takes_a_new_salt_within_a_packet_is_matched_on_both_sides() -> None:
    alice, bob = Notebook("alice"), Notebook("bob")
    alice.sends("bob", said("accept", 1), said("accept", 2))
    line = alice.lines[0]
    assert isinstance(line, RecordLine)
    alice.lines[0] = RecordLine(
        **{key: getattr(line, key) for key in line.__struct_fields__}
        | {"sent": (DatagramName("old", 2**32 - 1), DatagramName("new", 0))}
    )
    bob.takes("alice", DatagramName("new", 0), said("accept", 2))
    bob.takes("alice", DatagramName("old", 2**32 - 1), said("accept", 1))
    assert not [said for said in merge([alice.recording, bob.recording]).findings if "nobody in the files" in said]
