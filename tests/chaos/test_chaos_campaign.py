"""Real engines, killed and cut apart while users write, end up alike, and all that was told is true."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from engine.template import write_files
from tests.chaos.__main__ import main
from tests.chaos.campaign import Setup, run
from tests.chaos.engines import Engines
from tests.chaos.namespaces import NamespaceNetwork
from tests.chaos.network import RuledNetwork
from tests.chaos.schedule import Deafness, Partition, Unplugged
from tests.ports import free_addresses

NEEDS_NAMESPACES = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))),
    reason="network namespaces need root, iproute2 and util-linux",
)
SEED = 999
"""Its schedule has kills, freezes, a clean stop, a partition, rules and a wiped store within a few seconds; who lost it
is readmitted, and another site is added."""

RECEIVER = """
import socket
socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
socket.bind(("", 7001))
socket.settimeout(30)
print("bound", flush=True)
while True:
    print(socket.recv(100).decode(), flush=True)
"""
SENDER = """
import contextlib, socket, sys
socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with contextlib.suppress(OSError):  # its own interface may be down
    socket.sendto(sys.argv[2].encode(), (sys.argv[1], 7001))
"""


def test_a_short_campaign_holds_d1_d5_and_e1_to_e4(tmp_path: Path) -> None:
    report = run(Setup(seed=SEED, seconds=9), tmp_path, print)
    print(report.text())
    assert report.wrong == []
    assert report.told["created"] > 10
    assert report.hits.keys() == {"killed", "frozen", "stopped", "wiped", "readmitted", "added"}
    assert report.hits["wiped"] == report.hits["readmitted"] == 1
    assert report.claims > 100
    assert report.faults["partition"] > 0
    assert report.audits > 1
    assert report.audited is not None


class Ears:
    """A receiver at one site: what reaches it."""

    def __init__(self, network: NamespaceNetwork, site: str) -> None:
        self._process = subprocess.Popen(
            [*network.wrap(site), sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True
        )
        assert self.next() == "bound"

    def next(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the receiver ended"
        return line

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@NEEDS_NAMESPACES
def test_cuts_of_namespaces_are_real_and_end_again(tmp_path: Path) -> None:
    """Each cut loses what is sent on the ways that it cuts, and nothing else; afterwards all ways are open."""
    with closing(NamespaceNetwork(("alice", "bob", "carol"))) as network:
        engines = Engines(tmp_path / "sites.yaml", tmp_path, (), network.wrap)
        with closing(Ears(network, "bob")) as bob, closing(Ears(network, "alice")) as alice:
            ears = {"alice": alice, "bob": bob}
            numbers = count()

            def send(sender: str, to: str, text: str) -> None:
                words = [*network.wrap(sender), sys.executable, "-c", SENDER, network.host(to), text]
                subprocess.run(words, check=True)

            def arrives(sender: str, to: str) -> bool:
                """Whether a datagram is there before one that `to` sends to itself afterwards."""
                text = str(next(numbers))
                send(sender, to, text)
                send(to, to, f"after {text}")
                heard = list(iter(ears[to].next, f"after {text}"))
                return text in heard

            def arrives_again(sender: str, to: str) -> bool:
                """The first datagrams wait until the receiver's address is found."""
                return any(arrives(sender, to) for _ in range(100))

            cuts = (
                (Partition((("alice",), ("bob", "carol"))), {"alice bob", "bob alice", "carol alice"}),
                (Deafness("alice", "bob"), {"alice bob"}),
                (Unplugged("alice", locally=True), {"alice bob", "bob alice", "carol alice"}),
            )
            ways = [("alice", "bob"), ("bob", "alice"), ("carol", "alice"), ("carol", "bob")]
            for cut, lost in cuts:
                network.begin(engines, cut, 60)
                for sender, to in ways:
                    assert (not arrives(sender, to)) if f"{sender} {to}" in lost else arrives_again(sender, to), cut
                network.end(cut)
                assert all(arrives_again(sender, to) for sender, to in ways), cut
            one, other = Partition((("alice", "bob"), ("carol",))), Partition((("alice",), ("bob", "carol")))
            network.begin(engines, one, 60)
            network.begin(engines, other, 60)
            assert not any(arrives(sender, to) for sender, to in ways)
            network.end(one)
            assert arrives_again("carol", "bob")
            assert not any(arrives(sender, to) for sender, to in ways[:3])


def test_an_unknown_mutant_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--mutant", "a9"])
    assert refused.value.code == 2
    assert "d1-promises-are-not-durable" in capsys.readouterr().err


def test_an_engine_that_ends_by_itself_is_a_finding(tmp_path: Path) -> None:
    network = RuledNetwork()
    with closing(Engines(tmp_path / "sites.yaml", tmp_path / "data", ("alice",), network.wrap)) as engines:
        engines.start("alice")
        with pytest.raises(TimeoutError, match="alice"):
            engines.until_ready(30)
        [said] = engines.ended
        assert "ended by itself with status 2" in said


def test_nothing_else_happens_to_a_site_that_is_paused(tmp_path: Path) -> None:
    """What the schedule has for it meanwhile is left out; afterwards it goes on as any other."""
    write_files(tmp_path / "sites.yaml", "pause-island", free_addresses(["alice"]))
    with closing(Engines(tmp_path / "sites.yaml", tmp_path / "data", ("alice",), RuledNetwork().wrap)) as engines:
        engines.start("alice")
        engines.until_ready(30)
        assert engines.pause("alice")
        assert engines.responsive == ()
        assert (engines.kill(["alice"]), engines.freeze(["alice"]), engines.stop("alice")) == (0, 0, False)
        engines.thaw(["alice"])
        assert not engines.pause("alice")
        assert engines.responsive == ()
        engines.resume()
        engines.until_ready(30)
        assert engines.stop("alice")
        assert engines.ended == []
