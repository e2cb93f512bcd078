"""Where files are found (docs/commands.md): options, variables, defaults, and sockets of long paths."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from engine.site_files import (
    SOCKET_PATH_BYTES_MAX,
    UnusableFolder,
    data_folder,
    files_of,
    sites_file,
    socket_to_ask,
    socket_to_bind,
    user_data_folders,
)

LONG = Path("/" + "/".join(["long"] * 60))


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime folder, with a short path, as real ones have."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_the_sites_file_is_the_option_else_the_variable_else_here() -> None:
    assert sites_file("a.yaml", {"LOGGOS_SITES": "b.yaml"}) == Path("a.yaml")
    assert sites_file(None, {"LOGGOS_SITES": "b.yaml"}) == Path("b.yaml")
    assert sites_file(None, {"LOGGOS_SITES": ""}) == Path("sites.yaml")
    assert sites_file(None, {}) == Path("sites.yaml")


def test_data_is_the_option_else_the_variable_else_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert data_folder("/a", "island", {"LOGGOS_DATA": "/b"}) == Path("/a")
    assert data_folder(None, "island", {"LOGGOS_DATA": "/b"}) == Path("/b")
    for nothing in ({}, {"LOGGOS_DATA": ""}):
        assert data_folder(None, "island", nothing) == tmp_path / "home" / "loggos" / "island"


def test_who_has_no_home_names_a_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", Mock(side_effect=RuntimeError))
    assert user_data_folders() == []
    with pytest.raises(UnusableFolder, match="name the folder of the stores with --data"):
        data_folder(None, "island", {})


def test_data_is_one_folder_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert {data_folder(name, "island", {}) for name in ("real", "./link", str(tmp_path / "link"))} == {
        tmp_path / "real"
    }
    assert files_of(Path("link"), "alice").folder == tmp_path / "real" / "alice"


def test_the_files_of_a_site(tmp_path: Path) -> None:
    files = files_of(tmp_path, "alice")
    assert files.folder == tmp_path / "alice"
    assert files.log == tmp_path / "alice" / "engine.log"


def test_a_socket_is_in_the_sites_folder_as_long_as_its_path_fits(runtime: Path) -> None:
    longest = "/" + "d" * (SOCKET_PATH_BYTES_MAX - len("//alice/control.sock"))
    control = files_of(Path(longest), "alice").control
    assert control == Path(longest, "alice", "control.sock") == socket_to_bind(control) == socket_to_ask(control)
    assert len(os.fsencode(control)) == SOCKET_PATH_BYTES_MAX
    assert socket_to_bind(files_of(Path(longest + "d"), "alice").control).parent == runtime / "loggos"


@pytest.mark.usefixtures("runtime")
def test_a_socket_of_a_long_path_is_one_of_its_own_and_can_be_bound(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 200)
    files = [files_of(folder, site) for folder in (long, long / "other") for site in ("alice", "bob")]
    sockets = [socket_to_bind(each.control) for each in files]
    assert len(set(sockets)) == 4
    assert files_of(long, "alice") == files[0]
    assert stat.S_IMODE(sockets[0].parent.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(sockets[0]))


def test_without_a_runtime_folder_there_is_one_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    control = socket_to_bind(files_of(LONG, "alice").control)
    assert len(os.fsencode(control)) <= SOCKET_PATH_BYTES_MAX
    status = control.parent.stat()
    assert status.st_uid == os.geteuid()
    assert stat.S_IMODE(status.st_mode) == 0o700


def test_a_runtime_folder_that_is_too_long_is_refused(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = runtime / ("d" * 90)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(UnusableFolder, match="choose a folder with a shorter path with --data, and move the contents"):
        socket_to_bind(files_of(LONG, "alice").control)


def test_folders_are_made_for_their_user_alone(tmp_path: Path) -> None:
    files = files_of(tmp_path / "new" / "data", "alice")
    files.create()
    files.create()
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UnusableFolder, match=r"cannot make the folder .*/file/alice \(Not a directory\): make its disk"
    ):
        files_of(tmp_path / "file", "alice").create()


@pytest.mark.usefixtures("runtime")
def test_only_the_engines_own_link_leads_to_a_socket(tmp_path: Path) -> None:
    control = files_of(tmp_path / ("d" * 100), "alice").control
    control.parent.mkdir(parents=True)
    assert socket_to_ask(control) is None, "nothing runs"
    bound = socket_to_bind(control)
    control.symlink_to(bound)
    assert socket_to_ask(control) is None, "the link was left by one that is gone"
    bound.touch()
    assert socket_to_ask(control) == bound
    other = files_of(tmp_path / ("e" * 100), "alice").control
    other.parent.mkdir(parents=True)
    other.symlink_to(bound)
    assert socket_to_ask(other) is None, "a copy of the folder must not lead to the engine of the original"


@pytest.mark.usefixtures("runtime")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_link_to_another_users_socket_is_not_followed(tmp_path: Path) -> None:
    control = files_of(tmp_path / ("d" * 100), "alice").control
    control.parent.mkdir(parents=True)
    bound = socket_to_bind(control)
    bound.touch()
    control.symlink_to(bound)
    os.chown(bound, 65_534, -1)
    assert socket_to_ask(control) is None


def test_a_link_that_came_with_a_copy_of_the_folder_leads_nowhere(tmp_path: Path) -> None:
    original = tmp_path / ("deep" * 30) / "control.sock"
    copied = tmp_path / "copy" / "control.sock"
    for control in (original, copied):
        control.parent.mkdir(parents=True)
    short = socket_to_bind(original)
    short.touch()
    try:
        for control in (original, copied):
            control.symlink_to(short)
        assert socket_to_ask(original) == short
        assert socket_to_ask(copied) is None
    finally:
        short.unlink()
