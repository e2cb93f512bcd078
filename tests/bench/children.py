"""The processes that a benchmark starts: each ends with it, whatever ends it, and tells what it computed.

Rules that hold here:
- Programs start with their bytecode, as installed ones do, whatever PYTHONDONTWRITEBYTECODE says.
- A context ends a process that it started. For what ends the benchmark itself without a word (kill -9) Linux is asked
  to end the child too (PR_SET_PDEATHSIG, by `setpriv` of util-linux); peers such as etcd watch no pipe for that.
"""

from __future__ import annotations

import compileall
import os
import resource
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.real_cluster import BOUND_S, environment

ROOT: Final = Path(__file__).parents[2]
_PACKAGES: Final = ("engine", "storage", "tui")
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12
"""The places of utime and stime in /proc/PID/stat, after the name."""


def compile_programs() -> None:
    for package in _PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=1)


def bound(words: Sequence[str]) -> tuple[str, ...]:
    """The command, as one that does not outlive who starts it, where the system can do that."""
    setpriv = shutil.which("setpriv")
    return tuple(words) if setpriv is None else (setpriv, "--pdeathsig", "KILL", "--", *words)


@contextmanager
def running(
    words: Sequence[str], log: Path, surroundings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with pipes for stdin and stdout, from the root of the sources; it is killed in the end."""
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            bound(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=ROOT,
            env={**environment(), **surroundings},
        )
    with process:
        try:
            yield process
        finally:
            process.kill()
            process.wait(BOUND_S)


def ended_children_s() -> float:
    """What the processes have computed that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def computed_s(processes: Iterable[int]) -> float:
    """What these processes have computed so far, with all their threads."""
    return sum(_computed_s(process_id) for process_id in processes)


def _computed_s(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_A_SECOND


def resident_mib(process_id: int) -> float:
    """What it has in memory (RSS)."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
