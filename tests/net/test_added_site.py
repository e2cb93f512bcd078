"""A site that is added by commands, with real processes: its sites file names whom it asks, and itself apart (M1)."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from engine.site_files import files_of
from tests.ports import free_ports
from tests.real_cluster import BOUND_S, Engine, RealCluster, run, until
from tui.client import Client
from tui.exits import ExitStatus


def test_m1_a_site_waits_for_the_cluster_that_it_is_added_to_copies_the_log_and_votes(tmp_path: Path) -> None:
    [port], log = free_ports(1), tmp_path / "bob.log"
    with RealCluster(tmp_path, ("alice",)) as cluster:
        own = tmp_path / "bob"
        own.mkdir()
        shutil.copy(tmp_path / "cluster.key", own)
        (own / "sites.yaml").write_text(f"{cluster.sites_path.read_text()}added:\n  bob: 127.0.0.1:{port}\n")
        options = ("--sites", str(own / "sites.yaml"), "--data", str(own / "data"))

        early = Engine([*options, "serve", "bob"], log)
        until(lambda: "bob is new and has to learn who belongs to the cluster" in log.read_text(), "bob says it")
        early.process.send_signal(signal.SIGTERM)
        assert early.process.wait(BOUND_S) == ExitStatus.DONE
        assert early.ready == b""
        early.close()
        assert not (own / "data/bob/site.db").exists(), "no store is made before it is known of what"

        cluster.serve("alice")
        assert cluster.run("tweet", "alice", "before bob").status == ExitStatus.DONE
        assert cluster.run("add", "alice", "bob", f"127.0.0.1:{port}", "--yes", "--force").status == ExitStatus.DONE
        engine = Engine([*options, "serve", "bob"], log)
        try:
            assert engine.ready, log.read_text()
            with Client.connect(files_of(own / "data", "bob").control) as client:
                until(lambda: client.call("status")["voting"], "bob votes")
            assert run(*options, "tweet", "bob", "and of bob").status == ExitStatus.DONE
            assert [line["text"] for line in run(*options, "view", "bob", "--json").lines] == [
                "before bob",
                "and of bob",
            ]
        finally:
            engine.close()
