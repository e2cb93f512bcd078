"""Commands without an engine: `init`, what is refused, and exit status 5 (docs/commands.md)."""

from __future__ import annotations

import os
import shlex
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from engine.cluster_key import KEY_BYTES, read_key
from tests.real_cluster import BOUND_S, PROGRAM, RealCluster, run
from tui.cli import main
from tui.commands.open import Manner, manner_of
from tui.parser import build_parser


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RealCluster]:
    with RealCluster(tmp_path, ("alice", "bob", "carol")) as three:
        yield three


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(cluster: RealCluster, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command of the cluster in this process: status, stdout and stderr."""

    def run_here(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["loggos", *cluster.options, *words])
        status = main()
        said = capfd.readouterr()
        return status, said.out, said.err

    return run_here


def test_init_writes_a_sites_file_and_a_key_for_its_owner_alone(tmp_path: Path) -> None:
    said = run("init", "ann", "ben", "--json", cwd=tmp_path)
    assert (said.status, said.err) == (0, "")
    sites, key = tmp_path / "sites.yaml", tmp_path / "cluster.key"
    assert said.lines == [{"sites": str(sites), "key": str(key), "names": ["ann", "ben"]}]
    assert list(said.lines[0]) == ["sites", "key", "names"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "ann: 127.0.0.1:" in sites.read_text()


def test_init_never_overwrites(tmp_path: Path) -> None:
    assert run("init", cwd=tmp_path).status == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = run("init", "zoe", cwd=tmp_path)
    assert again.status == 2
    assert "never overwritten" in again.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_init_writes_a_new_key_alone_and_never_over_one(tmp_path: Path) -> None:
    said = run("init", "--new-key", "next.key", "--json", cwd=tmp_path)
    key = tmp_path / "next.key"
    assert (said.status, said.err, said.lines) == (0, "", [{"sites": None, "key": str(key), "names": []}])
    assert (list(tmp_path.iterdir()), stat.S_IMODE(key.stat().st_mode)) == ([key], 0o600)
    assert len(read_key(key)) == KEY_BYTES
    before = key.read_bytes()
    again = run("init", "--new-key", "next.key", cwd=tmp_path)
    assert again.status == 2
    assert "never overwritten: name another file with --new-key" in again.err
    assert "name another file with --new-key" in run("init", "--new-key", "no/next.key", cwd=tmp_path).err
    assert run("init", "ann", "--new-key", "other.key", cwd=tmp_path).status == 2
    assert (list(tmp_path.iterdir()), key.read_bytes()) == ([key], before)


@pytest.mark.parametrize("names", [("Ann",), ("ann", "ann"), ("1a",), ("x" * 17,), tuple(f"s{n}" for n in range(10))])
def test_init_refuses_bad_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    said = run("init", *names, cwd=tmp_path)
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_sites_file_one_line_says_what_to_do(tmp_path: Path) -> None:
    said = run("view", "alice", cwd=tmp_path)
    assert said.status == 2
    assert "loggos init" in said.err
    assert said.err.count("\n") == 1


def test_a_bad_sites_file_is_refused_with_file_and_line(cluster: RealCluster) -> None:
    with cluster.sites_path.open("a") as file:
        file.write("colour: blue\n")
    said = cluster.run("serve", "alice")
    assert said.status == 2
    assert said.err.startswith(f"loggos: {cluster.sites_path}:")
    assert "colour" in said.err
    assert not cluster.data_path.exists()


@pytest.mark.parametrize("words", [("open", "alice"), ("demo",)])
def test_a_screen_without_a_terminal_is_refused_and_nothing_is_started(
    cluster: RealCluster, words: tuple[str, ...]
) -> None:
    options = cluster.options if words[0] == "open" else ("--data", str(cluster.data_path))
    said = run(*options, *words)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("loggos: the screen needs a terminal, and there is none")
    assert not cluster.data_path.exists()


def _as_if_on_a_terminal(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", kind)


@pytest.mark.parametrize(
    ("kind", "options", "manner"),
    [
        ("dumb", (), Manner.LINES),
        ("", (), Manner.LINES),
        ("dumb", ("--ascii",), Manner.LINES),
        ("xterm", (), Manner.DRAWN),
        ("xterm", ("--ascii",), Manner.ASCII),
        ("xterm", ("--plain",), Manner.LINES),
    ],
)
@pytest.mark.parametrize("words", [("open", "alice"), ("demo",)])
def test_a_terminal_gets_what_it_can_show(
    kind: str, options: tuple[str, ...], manner: Manner, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_if_on_a_terminal(monkeypatch, kind)
    assert manner_of(build_parser().parse_args([*words, *options]), "") is manner


def test_lines_need_no_terminal() -> None:
    assert manner_of(build_parser().parse_args(["open", "alice", "--plain"]), "") is Manner.LINES


def test_the_lab_on_a_dumb_terminal_is_refused_with_what_to_use_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _as_if_on_a_terminal(monkeypatch, "dumb")
    monkeypatch.setattr("sys.argv", ["loggos", "lab", "b-wins"])
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("loggos: this terminal (TERM) cannot draw the screen")
    assert "--text prints lines instead" in said


@pytest.mark.parametrize("runs", [True, False])
def test_what_still_runs_is_told_when_the_screen_is_left(
    cluster: RealCluster, runs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _as_if_on_a_terminal(monkeypatch, "xterm")
    before_and_after = iter([True, runs])
    monkeypatch.setattr("tui.commands.open.is_running", lambda _: next(before_and_after))
    monkeypatch.setattr("tui.commands.open.show", lambda *_: 0)
    monkeypatch.setattr("sys.argv", ["loggos", *cluster.options, "open", "alice"])
    assert main() == 0
    typed = f"loggos --sites {cluster.sites_path} --data {cluster.data_path}"
    shown = f"`{typed} open alice` shows it again, `{typed} stop alice` stops it"
    told = f"loggos: the engine of alice keeps running: {shown}\n"
    assert capsys.readouterr().err == (told if runs else "")


@pytest.mark.parametrize("words", [("view", "zoe"), ("serve", "zoe"), ("open", "zoe"), ("tweet", "zoe", "hi")])
def test_an_unknown_site_is_refused_with_the_names_there_are(command: Command, words: tuple[str, ...]) -> None:
    status, _, err = command(*words)
    assert status == 2
    assert "alice, bob, carol" in err


@pytest.mark.parametrize(
    "words",
    [
        ("tweet", "alice", "hi"),
        ("tweet", "alice", "--stdin"),
        ("block", "alice", "bob"),
        ("view", "alice"),
        ("log", "alice"),
        ("events", "alice"),
        ("blocks", "alice"),
        ("data", "alice"),
        ("status", "alice"),
        ("fill", "alice"),
        ("trace", "alice", "--follow"),
        ("faults", "alice", "clear"),
        ("stop", "alice"),
    ],
)
def test_without_an_engine_the_status_is_5_and_nothing_is_made(
    cluster: RealCluster, command: Command, words: tuple[str, ...]
) -> None:
    status, out, err = command(*words)
    assert (status, out) == (5, "")
    assert f"`loggos --sites {cluster.sites_path} --data {cluster.data_path} open alice`" in err
    assert err.count("\n") == 1
    assert not cluster.data_path.exists()


def test_a_socket_left_over_is_no_engine(cluster: RealCluster, command: Command) -> None:
    cluster.socket_path("alice").parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left_over:
        left_over.bind(str(cluster.socket_path("alice")))
    assert command("status", "alice")[0] == 5


@pytest.mark.parametrize(
    "words",
    [
        ("tweet", "alice"),
        ("tweet", "alice", "hi", "--stdin"),
        ("log", "alice", "--from", "3", "--to", "2"),
        ("fill", "alice", *map(str, range(1, 1002))),
    ],
)
def test_contradictions_are_bad_usage(command: Command, words: tuple[str, ...]) -> None:
    assert command(*words)[0] == 2


def test_the_option_comes_before_the_environment_and_that_before_the_folder(
    cluster: RealCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message of status 5 names the socket that was looked for, and so the data folder that was taken."""
    with TemporaryDirectory(prefix="lg-") as short:  # where a socket's path is not too long for DATA
        program = ("--sites", str(cluster.sites_path), "status", "alice")
        given = {**os.environ, "LOGGOS_DATA": f"{short}/e", "XDG_DATA_HOME": f"{short}/x"}
        monkeypatch.setattr("tests.real_cluster.environment", lambda: given)
        assert f"{short}/o/alice" in run(*program, "--data", f"{short}/o").err
        assert f"{short}/e/alice" in run(*program).err
        del given["LOGGOS_DATA"]
        assert f"{short}/x/loggos/test-island/alice" in run(*program).err
        given["LOGGOS_SITES"] = f"{short}/nowhere.yaml"
        assert f"{short}/nowhere.yaml" in run("status", "alice").err
        assert f"{short}/x/loggos/test-island/alice" in run(*program).err


def test_too_few_descriptors_are_said_with_status_2(tmp_path: Path) -> None:
    cluster = RealCluster(tmp_path, ("alice",))
    command = f"ulimit -n 14; exec {' '.join(map(shlex.quote, (*PROGRAM, *cluster.options, 'serve', 'alice')))}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=BOUND_S, check=False)
    assert done.returncode == 2
    assert b"this process may open only 14 files" in done.stderr
