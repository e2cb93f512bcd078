"""What was measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.children import ROOT
from tests.bench.outcome import Machine


def describe(folder: Path) -> Machine:
    """`folder` is where the stores are."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {sys.version}",  # builds differ in speed: it names its own
        disk=disk_of(folder, Path("/proc/self/mounts")),
        commit=_commit(),
        at=datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds"),
    )


def disk_of(folder: Path, mounts: Path) -> str:
    """File system and device, as `ext4 on /dev/vda`: of the mount that is nearest above the folder."""
    if not mounts.exists():
        return "unknown"
    best = ("", "unknown")
    for line in mounts.read_text().splitlines():
        device, at, kind, *_ = line.split()
        if folder.resolve().is_relative_to(at) and len(at) >= len(best[0]):
            best = at, f"{kind} on {device}"
    return best[1]


def is_memory(disk: str) -> bool:
    """Whether nothing is written where a sync takes time."""
    return disk.partition(" ")[0] in {"tmpfs", "ramfs"}


def _cpu() -> str:
    known = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", known.read_text(), re.MULTILINE) if known.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _commit() -> str:
    """`+`: and what was changed since."""
    said = [_git("rev-parse", "--short", "HEAD"), "+" if _git("status", "--porcelain") else ""]
    return "".join(said) or "unknown"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
