"""Whoever installs Loggos gets all of it (`make test-dist`): by pipx, uv and pip, from the wheel and from the source archive.

It takes a minute and needs a package index, so it is no part of `make test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DIST: Final = ROOT / "dist"
VERSION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
ARCHIVES: Final = (f"loggos-{VERSION}-py3-none-any.whl", f"loggos-{VERSION}.tar.gz")
SHARED: Final = (
    "man/man1/loggos.1",
    "man/man1/loggos-tweet.1",
    "bash-completion/completions/loggos",
    "zsh/site-functions/_loggos",
    "fish/vendor_completions.d/loggos.fish",
)


def _run(*words: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | environment,
        cwd="/",
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def _tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _by_pip(archive: Path, folder: Path) -> tuple[Path, Path]:
    _run(sys.executable, "-m", "venv", folder / "venv")
    _run(folder / "venv/bin/pip", "install", "--quiet", archive)
    return folder / "venv/bin/loggos", folder / "venv/share"


def _by_pipx(archive: Path, folder: Path) -> tuple[Path, Path]:
    """Where it links what is to be found, too."""
    places = {"PIPX_HOME": folder / "home", "PIPX_BIN_DIR": folder / "bin", "PIPX_MAN_DIR": folder / "man"}
    _run(_tool("pipx"), "install", archive, **{name: str(path) for name, path in places.items()})
    assert (folder / "man/man1/loggos.1").is_file()
    return folder / "bin/loggos", folder / "home/venvs/loggos/share"


def _by_uv(archive: Path, folder: Path) -> tuple[Path, Path]:
    places = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin"), "UV_PYTHON": sys.executable}
    _run(_tool("uv"), "tool", "install", "--quiet", archive, **places)
    return folder / "bin/loggos", folder / "tools/loggos/share"


def test_the_wheel_has_what_runs_and_no_more() -> None:
    names = zipfile.ZipFile(DIST / ARCHIVES[0]).namelist()
    rooms = {name.partition("/")[0] for name in names}
    assert rooms == {"engine", "storage", "tui", f"loggos-{VERSION}.data", f"loggos-{VERSION}.dist-info"}
    assert [name for name in names if "proving" in name] == []


def test_the_source_archive_is_the_whole_project() -> None:
    kept = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    with tarfile.open(DIST / ARCHIVES[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert [name for name in kept if name not in names and not name.startswith(".")] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("install", [_by_pip, _by_pipx, _by_uv], ids=["pip", "pipx", "uv"])
def test_what_is_installed_runs_and_is_whole(install: object, archive: str, tmp_path: Path) -> None:
    assert callable(install)
    loggos, share = install(DIST / archive, tmp_path)
    said = _run(loggos, "--version", "--verbose")
    assert said.startswith(f"loggos {VERSION}\n")
    assert "from its source folder" not in said
    assert "as expected" in _run(loggos, "lab", "b-wins", "--text")
    assert "_shtab_loggos" in _run(loggos, "completion", "bash")
    assert [name for name in SHARED if not (share / name).stat().st_size] == []
    _run(loggos, "init", "alice", "--sites", tmp_path / "sites.yaml")
    place = ("--sites", tmp_path / "sites.yaml", "--data", tmp_path / "data")
    with subprocess.Popen(
        [loggos, *place, "serve", "alice"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
    ) as engine:
        assert engine.stdout is not None
        assert b'"ready":true' in engine.stdout.readline()
        try:
            assert _run(loggos, *place, "tweet", "alice", "installed").startswith("created")
        finally:
            _run(loggos, *place, "stop", "alice")
    assert engine.returncode == 0
