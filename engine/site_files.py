"""Where the files are: the sites file, DATA, and what lies in DATA/SITE (docs/commands.md).

Rules that hold here:
- An option comes before its environment variable, and that before the default; an empty variable is none.
- Every process finds the same control socket for the same DATA and site, whatever its working folder, environment and
  user are: where the socket cannot lie in the site's folder, a link to it does, which the engine makes.
- The folders of a site are its user's alone (mode 0700).
- Clients import this: the standard library and platformdirs only.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

APPLICATION: Final = "loggos"
SOCKET_PATH_BYTES_MAX: Final = 100
"""What the address of a Unix socket holds everywhere: 108 bytes on Linux, 104 elsewhere, a zero at the end."""

_SHORTER: Final = (
    "choose a folder with a shorter path with --data, and move the contents of the old one there while no site runs"
)


class UnusableFolder(Exception):
    """A folder or socket that is needed cannot be made or used; the message says what to do (exit status 2)."""


@dataclass(frozen=True, slots=True)
class SiteFiles:
    """A site's files; all paths are absolute."""

    folder: Path
    control: Path
    log: Path

    def create(self) -> None:
        """Makes the folders that are missing. Raises UnusableFolder."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnusableFolder(
                f"cannot make the folder {self.folder} ({error.strerror}): make its disk available and writable,"
                " or name another folder with --data if this site has never run"
            ) from None


def sites_file(option: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """`--sites`, else $LOGGOS_SITES, else ./sites.yaml."""
    return Path(option or environ.get("LOGGOS_SITES") or "sites.yaml")


def data_folder(option: str | None, cluster: str, environ: Mapping[str, str] = os.environ) -> Path:
    """DATA: `--data`, else $LOGGOS_DATA, else `loggos/<cluster>` in the user's data folder. Absolute, no symlinks.

    Raises UnusableFolder where nobody named it and the user has no home.
    """
    if named := option or environ.get("LOGGOS_DATA"):
        return Path(named).resolve()
    return (_user_data_folder() / cluster).resolve()


def user_data_folders() -> list[Path]:
    """What there is of DATA where nobody named it: those of clusters and demos."""
    try:
        return sorted(folder for folder in _user_data_folder().iterdir() if folder.is_dir())
    except (OSError, UnusableFolder):
        return []


def _user_data_folder() -> Path:
    try:
        return platformdirs.user_data_path(APPLICATION)
    except RuntimeError:  # in a container, a user may have no home
        raise UnusableFolder("you have no home folder here: name the folder of the stores with --data") from None


def files_of(data: Path, site: str) -> SiteFiles:
    """The files of a site below DATA."""
    folder = data.resolve() / site
    return SiteFiles(folder, folder / "control.sock", folder / "engine.log")


def socket_to_ask(control: Path) -> Path | None:
    """Where the socket of `control` is: there, or where the engine's link says; None where that says nothing usable.

    A link that another user owns, or that came with a copy of the folder, is not followed.
    """
    if fits_socket(control) and not control.is_symlink():
        return control
    try:
        socket = control.readlink()
        same_owner = control.parent.stat().st_uid == control.lstat().st_uid == socket.lstat().st_uid
    except OSError:
        return None
    return socket if same_owner and socket.name == _short_name(control) and fits_socket(socket) else None


def socket_to_bind(control: Path) -> Path:
    """Where an engine makes the socket of `control`: there, or in its user's runtime folder. Raises UnusableFolder."""
    if fits_socket(control):
        return control
    short = _runtime_folder() / _short_name(control)
    if not fits_socket(short):
        raise UnusableFolder(f"{control} and {short} are both too long for a socket: {_SHORTER}")
    return short


def _short_name(control: Path) -> str:
    return f"{hashlib.sha256(os.fsencode(control.parent)).hexdigest()[:16]}.sock"


def fits_socket(path: Path) -> bool:
    """Whether a socket can be bound there, and connected to."""
    return len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX


def _runtime_folder() -> Path:
    """platformdirs makes sure that the folder is this user's alone, in a shared /tmp too."""
    with warnings.catch_warnings():
        # Where there is no XDG_RUNTIME_DIR, the folder in /tmp that it warns of is what is wanted.
        warnings.simplefilter("ignore", platformdirs.RuntimeDirWarning)
        try:
            return platformdirs.user_runtime_path(APPLICATION, ensure_exists=True)
        except OSError as error:
            raise UnusableFolder(f"no folder for a socket ({error}): {_SHORTER}") from None
