"""`make replace`: three machines grow to five and shrink to three again, all of them others, while events flow.

    python -m tests.net.replacing [--leadership SETTING] [--stall-max SECONDS]

Rules that hold here:
- Every site has a host of its own: an interface and an address in a network namespace. All is done by commands, as
  people do it. Needs root.
- A writer writes one event after the other, at a site that stays until the writer has moved on: so each is created.
- What is asked of the run: all that was told as created is in the logs of who is left, once and alike, and no writer
  waited longer than `--stall-max` for one event (3 s, with the timings that a cluster has by default).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from engine.core.settings import Leadership
from engine.site_files import files_of
from tests.chaos.agreement import hold_against_logs, unrest
from tests.chaos.users import Submission
from tests.net.machines import Machine
from tests.net.namespaces import MISSING, Hosts
from tests.real_cluster import BOUND_S, Said, until
from tui.client import Client
from tui.exits import ExitStatus

HOSTS: Final = {
    name: f"192.0.2.{10 + at}" for at, name in enumerate(("alice", "bob", "carol", "dave", "erin", "frank"))
}
FOUNDERS: Final = ("alice", "bob", "carol")
LEFT: Final = ("dave", "erin", "frank")
STALL_MAX_S: Final = 3.0
DEFAULT_TIMINGS: Final = ""

Json = dict[str, Any]


class Writer(threading.Thread):
    """Writes until it is ended, at `site`, which may be changed between two events."""

    def __init__(self, name: str, folder: Path, site: str) -> None:
        super().__init__(name=name, daemon=True)
        self.folder = folder
        self.site = site
        self.submissions: list[Submission] = []
        self.failure: Exception | None = None
        self._moves = threading.Lock()
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            while not self._ended.is_set():
                with self._moves:
                    self._write(self.site)
        except Exception as failure:
            self.failure = failure
            raise

    def _write(self, site: str) -> None:
        text = f"{self.name} {len(self.submissions)}"
        connection = f"{self.name} at {site}"
        submission = Submission(site, connection, len(self.submissions), "tweet", text, True, time.monotonic())
        self.submissions.append(submission)
        with Client.connect(socket_of(self.folder, site)) as client:
            params = {"kind": "tweet", "text": text, "retry": True, "timeout_s": BOUND_S}
            submission.outcome = client.call("submit", params, 2 * BOUND_S)
        submission.ended_s = time.monotonic()
        assert submission.outcome is not None
        assert submission.outcome["outcome"] == "created", submission.outcome

    def move(self, site: str) -> None:
        """It writes there from now on; nothing of it is open where it was."""
        with self._moves:
            self.site = site

    def end(self) -> None:
        self._ended.set()
        self.join(2 * BOUND_S)
        if self.failure is not None:
            raise self.failure

    @property
    def longest_s(self) -> float:
        return max(each.ended_s - each.submitted_s for each in self.submissions if each.ended_s is not None)


@dataclass
class Replacing:
    """The machines of a cluster, and what is done with them."""

    folder: Path
    hosts: Hosts
    leadership: Leadership
    timings: str
    machines: dict[str, Machine] = field(default_factory=dict)
    took_s: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> Path | None:
        return next((machine.folder / "cluster.key" for machine in self.machines.values()), None)

    def found(self) -> None:
        seen = {name: HOSTS[name] for name in FOUNDERS}
        for name in FOUNDERS:
            self._start(name, seen, None)
        for name in FOUNDERS:
            until(partial(self.machines[name].reaches, 3), f"{name} reaches all three")

    def add(self, name: str, by: str) -> None:
        """A new machine, whose sites file has those that are there now, becomes a voter."""
        with self._timed(f"add {name}"):
            self._command(by, "add", by, name, f"{HOSTS[name]}:7001", "--yes")
            seen = {each: HOSTS[each] for each in self.machines}
            made = self._start(name, seen, HOSTS[name])
            until(lambda: made.status()["voting"], f"{name} votes")

    def _start(self, name: str, seen: Mapping[str, str], added: str | None) -> Machine:
        made = self.machines[name] = Machine(
            self.folder / name,
            name,
            self.hosts,
            seen,
            key=self.key,
            added=added,
            leadership=self.leadership,
            timings=self.timings,
        )
        made.serve()
        return made

    def remove(self, name: str, by: str) -> None:
        """The machine is removed, and stopped once it knows."""
        with self._timed(f"remove {name}"):
            self._command(by, "remove", by, name, "--yes")
            gone = self.machines.pop(name)
            until(lambda: not gone.status()["voting"], f"{name} does not vote any more")
            assert gone.run("stop", name).status == ExitStatus.DONE
            assert gone.engine is not None
            assert gone.engine.process.wait(BOUND_S) == ExitStatus.DONE
            gone.stop()

    def stop(self) -> None:
        for machine in self.machines.values():
            machine.stop()

    def status(self, name: str) -> Json:
        told: Json = self.machines[name].status()
        return told

    def _command(self, at: str, *words: str) -> None:
        """Once the change before it is in effect, and that is known there."""
        until(lambda: self.machines[at].status()["coming"] is None, f"{at} knows of no change to come")
        said: list[Said] = []

        def is_taken() -> bool:
            said.append(self.machines[at].run(*words))
            misfit = "the change before it takes effect only at" in said[-1].out + said[-1].err
            assert said[-1].status == ExitStatus.DONE or misfit, said[-1]
            return not misfit

        until(is_taken, "the change before it is in effect")

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began_s = time.monotonic()
        yield
        self.took_s[what] = time.monotonic() - began_s


def socket_of(folder: Path, site: str) -> Path:
    return files_of(folder / site / "data", site).control


def replace_all(
    folder: Path, leadership: Leadership = Leadership.ELECTED, timings: str = DEFAULT_TIMINGS
) -> tuple[float, list[str]]:
    """The longest that an event took, in seconds, and what is wrong."""
    with Hosts(HOSTS) as hosts, ExitStack() as ending:
        cluster = Replacing(folder, hosts, leadership, timings)
        ending.callback(cluster.stop)
        cluster.found()
        writers = [Writer("early", folder, "alice"), Writer("late", folder, "carol")]
        for writer in writers:
            writer.start()
        early, late = writers
        cluster.add("dave", by="alice")
        cluster.add("erin", by="bob")
        early.move("dave")
        cluster.remove("alice", by="dave")
        cluster.remove("bob", by="erin")
        cluster.add("frank", by="carol")
        late.move("frank")
        cluster.remove("carol", by="dave")
        for writer in writers:
            writer.end()
        assert tuple(cluster.machines) == LEFT
        until(lambda: unrest({name: cluster.status(name) for name in LEFT}) is None, "who is left is alike")
        submissions = [each for writer in writers for each in writer.submissions]
        judgement = hold_against_logs({name: socket_of(folder, name) for name in LEFT}, submissions)
        texts = [str(line["text"]) for line in judgement.log.lines.values() if line["kind"] == "tweet"]
        wrong = [*judgement.wrong, *(sentence for writer in writers for sentence in lacking(writer, texts))]
        for what, took_s in cluster.took_s.items():
            print(f"{what:>14}: {took_s:.1f} s")
        print(f"{len(submissions)} events; the longest took {max(each.longest_s for each in writers):.2f} s")
        return max(each.longest_s for each in writers), wrong


def lacking(writer: Writer, texts: Sequence[str]) -> Iterator[str]:
    """All that it wrote was created: so it is in the log, once, and in its order."""
    written = [each.argument for each in writer.submissions]
    found = [text for text in texts if text.partition(" ")[0] == writer.name]
    if found != written:
        yield f"{writer.name} wrote {len(written)} events, and the log has {len(found)}, or in another order"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.net.replacing", description=__doc__)
    parser.add_argument("--leadership", type=Leadership, choices=[*Leadership], default=Leadership.ELECTED)
    parser.add_argument("--stall-max", type=float, default=STALL_MAX_S, metavar="SECONDS")
    arguments = parser.parse_args()
    if MISSING is not None:
        print(f"it {MISSING}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="loggos-replacing-") as folder:
        longest_s, wrong = replace_all(Path(folder), arguments.leadership)
    wrong += [f"an event took {longest_s:.2f} s"] if longest_s > arguments.stall_max else []
    for sentence in wrong:
        print(sentence)
    print("wrong" if wrong else "nothing was lost, and nobody waited too long")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
