"""Which other systems this machine has, and how they come to be here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.bench.children import ROOT

PACKAGES: Final = ROOT / ".venv" / "peers"
"""Where `make bench-peers` puts packages of Python, which no other process sees."""


class PeerMissing(Exception):
    """The message says what is missing, and how it is installed."""


def program(name: str) -> str:
    """Where it is. Raises PeerMissing."""
    found = shutil.which(name)
    if found is None:
        raise PeerMissing(f"no {name} here: `make bench-peers` installs it")
    return found


def packages(name: str) -> Path:
    """The folder that has this package. Raises PeerMissing."""
    if not (PACKAGES / name).is_dir():
        raise PeerMissing(f"no {name} here: `make bench-peers` installs it")
    return PACKAGES


def versions() -> tuple[str, ...]:
    """Of what is here, as each tells it."""
    programs = [_says(found, "--version") for name in ("etcd", "h2load") if (found := shutil.which(name))]
    python = [path.name.removesuffix(".dist-info") for path in sorted(PACKAGES.glob("*.dist-info"))]
    return (*programs, *python)


def _says(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
