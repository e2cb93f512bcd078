"""`members` and `readmit` as processes: against real engines, of which one loses its disk, and another dies."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import fields

from engine.contract.members import Member, Members
from engine.contract.status import Quorum
from engine.core.settings import CHANGE_LAG, Leadership
from engine.core.storage import Standing
from tests.ports import free_ports
from tests.real_cluster import BOUND_S, PROGRAM, Json, RealCluster, environment, until
from tui import members
from tui.commands import audit, rescue_report

NAMES = ("alice", "bob", "carol")


def _standings(cluster: RealCluster, site: str) -> dict[str, str]:
    return {each["site"]: each["standing"] for each in cluster.ask(site, "members")["members"]}


def _tweet(cluster: RealCluster, site: str, text: str) -> Json:
    return cluster.ask(site, "submit", {"kind": "tweet", "text": text, "timeout_s": BOUND_S})


def _lose_disk(cluster: RealCluster, site: str) -> None:
    cluster.engines[site].kill()
    shutil.rmtree(cluster.data_path / site)
    cluster.serve(site)


@pytest.mark.parametrize("words", [audit.STANDINGS, rescue_report.STANDINGS], ids=["audit", "rescue"])
def test_every_standing_of_a_store_has_its_words(words: Mapping[Standing, str]) -> None:
    assert words.keys() == set(Standing)


@pytest.mark.parametrize(
    ("bob", "words"),
    [
        ("voter", "learner, votes once it has the log"),
        ("not-heard", "learner, to be promoted by hand"),
        (None, "learner, to be promoted by hand"),
    ],
    ids=["heard", "not heard", "removed"],
)
def test_of_a_learner_it_is_told_whether_it_is_promoted_by_itself(bob: str | None, words: str) -> None:
    """Bob added it."""
    nothing: dict[str, Any] = dict.fromkeys(field.name for field in fields(Member))
    dave = Member(**nothing | {"site": "dave", "standing": "learner", "wanted_by": "bob"})
    others = [] if bob is None else [Member(**nothing | {"site": "bob", "standing": bob})]
    told = Members("alice", (*others, dave), Quorum(2, 2, 2), None)
    assert members.standing(told, dave).text == words


def test_a_lost_disk_is_readmitted_and_its_vote_is_needed_and_counts(tmp_path: Path) -> None:
    """M4, M6: then events go on with that vote, and without another site."""
    with RealCluster(tmp_path, NAMES, leadership=Leadership.ELECTED) as cluster:
        cluster.serve_all()
        assert [_tweet(cluster, site, "before")["outcome"] for site in NAMES] == ["created"] * 3
        _lose_disk(cluster, "carol")
        until(lambda: _standings(cluster, "alice")["carol"] == "new-store", "alice knows of the lost disk")
        until(lambda: _standings(cluster, "carol")["carol"] == "new-store", "so does carol")

        heard = "2 of 3 voters are needed; 2 are heard\n"
        until(lambda: heard in cluster.run("members", "alice").out, "bob is heard, and carol has no vote")
        told = cluster.run("members", "alice")
        assert "carol  new store: its disk was lost or replaced" in told.out
        assert "readmit alice carol`" in told.out
        assert "readmit alice carol`" in cluster.run("members", "carol").out
        assert "readmit alice carol`" in cluster.run("status", "carol").out

        refused = cluster.run("readmit", "carol", "carol", "--yes")
        assert (refused.status, refused.out) == (2, "")
        assert "carol does not vote" in refused.err
        unasked = cluster.run("readmit", "alice", "carol")
        assert (unasked.status, unasked.err) == (2, "loggos: nothing was submitted: answer yes, or add --yes\n")
        assert "then  2 of 3 voters will be needed; 3 are heard now\n" in unasked.out

        said = cluster.run("readmit", "alice", "carol", "--yes", "--json", "--timeout", str(BOUND_S))
        assert (said.status, said.err) == (0, "")
        [outcome] = said.lines
        assert outcome["outcome"] == "created"
        cluster.until_reached("alice", 3)
        for site in ("alice", "carol"):
            cluster.until_learned(site, outcome["slot"] + CHANGE_LAG - 1)
        assert set(_standings(cluster, "alice").values()) == {"voter"}
        _no_ops_are_one_line(cluster, outcome["slot"])
        again = cluster.run("readmit", "alice", "carol", "--yes")
        assert (again.status, again.out) == (2, "")
        assert "there is nothing to readmit" in again.err

        cluster.engines["bob"].kill()
        after = [_tweet(cluster, site, "without bob") for site in ("alice", "carol")]
        assert [each["outcome"] for each in after] == ["created"] * 2
        assert after[1]["id"] == "carol/2000001"
        audited = cluster.run("audit", str(cluster.data_path))
        assert (audited.status, audited.err) == (0, "")
        assert re.search(r"^carol .* voter, readmitted ", audited.out, re.MULTILINE)


class Screen:
    """`loggos open SITE` on a terminal of 80x24, as somebody types at it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self._written = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while written := os.read(self._master, 65_536):
                self._written += written
        except OSError:  # nobody writes there any more
            return

    def type(self, keys: str, then: str) -> None:
        """Then these words are painted, in this order."""
        self._written = b""
        os.write(self._master, keys.encode())
        self.until_painted(then)

    def until_painted(self, words: str) -> None:
        until(partial(self._has_painted, words), words)

    def insist(self, key: str, then: str) -> None:
        """What is typed while a dialog is painted for the first time may still be about what was there before."""
        presses = count()

        def has_come() -> bool:
            if next(presses) % 50 == 0:  # about once a second
                os.write(self._master, key.encode())
            return self._has_painted(then)

        until(has_come, then)

    def _has_painted(self, words: str) -> bool:
        pattern = ".*?".join(map(re.escape, words.split())).encode()
        return re.search(pattern, self._written, re.DOTALL) is not None


@contextmanager
def _screen(cluster: RealCluster, site: str) -> Iterator[Screen]:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *cluster.options_of(site), "open", site],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env=environment() | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )  # fmt: skip
    try:
        yield Screen(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


def _changed(cluster: RealCluster, *words: str) -> int:
    """In effect at alice; the slot of the entry."""
    said = cluster.run(*words, "--yes", "--json", "--timeout", str(BOUND_S))
    assert (said.status, said.err) == (0, "")
    return _in_effect(cluster, said.lines[0]["slot"])


def _in_effect(cluster: RealCluster, slot: int) -> int:
    cluster.until_learned("alice", slot + CHANGE_LAG - 1)
    until(lambda: cluster.ask("alice", "status")["coming"] is None, f"what slot {slot} changes is in effect")
    return slot


def test_a_site_moves_another_is_promoted_and_removed_and_none_runs_twice(tmp_path: Path) -> None:
    """M1, M5, W1: by commands and by a screen, from whichever site."""
    with RealCluster(tmp_path, NAMES, leadership=Leadership.ELECTED) as cluster:
        born = cluster.sites_path.read_text()
        (at_birth,) = re.findall(r"bob: +(\S+)", born)
        (carol_at,) = re.findall(r"carol: +(\S+)", born)
        bob_at, dave_at, second_at = (f"127.0.0.1:{port}" for port in free_ports(3))

        # bob is elsewhere than the others' files say; carol, who is away meanwhile, knows it by the log
        cluster.own_file("bob", born.replace(at_birth, bob_at))
        cluster.serve_all()
        cluster.engines["carol"].kill()
        slot = _changed(cluster, "move", "alice", "bob", bob_at)
        cluster.engines["bob"].kill()
        cluster.serve("carol")
        cluster.until_learned("carol", slot + CHANGE_LAG - 1)
        moved = next(each for each in cluster.run("members", "carol").out.splitlines() if each.startswith("bob"))
        assert f"{bob_at}, {at_birth} in the sites file" in moved, "by the log, for bob is not there"
        assert f"bob is at {bob_at}, not at {at_birth}" in cluster.run("status", "carol").out
        cluster.serve("bob")
        cluster.until_reached("carol", 3)
        assert _tweet(cluster, "carol", "bob is where the log says")["outcome"] == "created"

        # dave learns, and votes once it is promoted: at bob's screen, and everybody sees it
        _changed(cluster, "add", "bob", "dave", dave_at, "--learner")
        cluster.own_file("dave", f"{born}added:\n  dave: {dave_at}\n")
        cluster.serve("dave")
        until(lambda: _standings(cluster, "bob").get("dave") == "learner", "bob hears the learner")
        cluster.until_learned("dave", cluster.ask("bob", "status")["chosen_through"])
        with _screen(cluster, "bob") as screen:
            screen.until_painted("QUORUM")
            screen.type("M", "Change the members")
            screen.type("p", "Promote which site? dave learner")
            screen.type("3", "Promote dave? 2 of 3 3 of 4")  # not Enter: what comes right after it is text
            screen.insist("y", "created at slot")
        until(lambda: _standings(cluster, "alice").get("dave") == "voter", "alice knows that dave votes")
        until(lambda: cluster.ask("alice", "status")["quorum"]["size"] == 4, "the list with dave is in effect at alice")
        until(lambda: cluster.ask("dave", "status")["voting"], "so does dave")
        assert _tweet(cluster, "dave", "now it votes")["outcome"] == "created"

        # dave is removed: it says so and by which slot, and ends when its screen is left
        with _screen(cluster, "dave") as screen:
            screen.until_painted("QUORUM")
            slot = _changed(cluster, "remove", "carol", "dave")
            screen.until_painted(f"dave was removed from the cluster by slot {slot:,}")
            until(lambda: not cluster.ask("dave", "status")["removed"]["needed"], "nobody needs dave")
            screen.type("q", "")
            assert screen.process.wait(BOUND_S) == 0
        assert cluster.engines["dave"].process.wait(BOUND_S) == 0

        # somebody starts another carol: both and the others are told
        (tmp_path / "elsewhere").mkdir()
        with RealCluster(tmp_path / "elsewhere", NAMES) as elsewhere:
            elsewhere.sites_path.write_text(born.replace(carol_at, second_at))
            shutil.copy(tmp_path / "cluster.key", elsewhere.folder)
            elsewhere.serve("carol")
            for where, site in ((cluster, "alice"), (cluster, "carol"), (elsewhere, "carol")):
                until(partial(_is_told_of_two, where, site), f"{site} is told")


def _is_told_of_two(where: RealCluster, site: str) -> bool:
    told = r"two engines (run )?as carol, each with a store of its own.*: stop the one that does not vote"
    return re.search(told, where.ask(site, "status")["mismatch"] or "") is not None


def _no_ops_are_one_line(cluster: RealCluster, change: int) -> None:
    """M3: those that follow a change. For programs each slot has its line."""
    span, last = f"{change + 1}-{change + CHANGE_LAG - 1}", change + CHANGE_LAG - 1
    said = cluster.run("log", "alice", "--to", str(last), "--limit", "2")
    [changed, no_ops] = said.out.splitlines()
    assert changed.split()[0] == str(change)
    assert no_ops.split()[0] == span
    assert no_ops.endswith(f"2,047 no-ops until the change of slot {change:,} is in effect")
    within = cluster.run("log", "alice", "--from", str(change + 10), "--to", str(change + 400))
    assert [line.split()[0] for line in within.out.splitlines()] == [f"{change + 10}-{change + 400}"]
    singly = cluster.run("log", "alice", "--from", str(change + 10), "--to", str(change + 400), "--json")
    assert [line["slot"] for line in singly.lines] == list(range(change + 10, change + 401))
