"""Measures the time from a key to what it painted, in a pseudo-terminal (`make keys`): on the screen of an idle demo,
and in the lab at the end of a long run.

What is timed is what a person waits for: from the writing of a key to the end of what the screen writes because of it.
Before each key the screen rests, so that no other paint is taken for an answer. The figures are of this machine as it
is now, with all that runs beside, so nothing is tested by them. `cpu` is what the screen itself computed meanwhile,
where the system tells: on a busy machine it says how much of the wait was the screen's.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.site_files import files_of
from tests.real_cluster import PROGRAM, environment
from tests.tui.pilots import SIZES
from tui.client import Client

BOUND_S: Final = 60.0
QUIET_S: Final = 0.1
"""A paint is over, and the screen rests, when nothing was written for so long."""
UNPAINTED_S: Final = 3.0
"""A key that paints nothing for so long paints nothing."""
TWEETS: Final = 20

UP, DOWN, PAGE_UP, PAGE_DOWN = b"\x1b[A", b"\x1b[B", b"\x1b[5~", b"\x1b[6~"
RIGHT, LEFT, END = b"\x1b[C", b"\x1b[D", b"\x1b[F"
ESC: Final = b"\x1b"
KINDS: Final = {
    "a pane": (b"1", b"2", b"4", b"5", b"6", b"3"),
    "a row": (UP, UP, UP, UP, DOWN, DOWN, PAGE_UP, PAGE_DOWN),
    "into a slot": (b"\r", b"z", b"z"),
    "back": (ESC,),
    "a letter": (b"c", *(bytes([letter]) for letter in b"a draft to go on with"), b"\x15"),
    "back again": (ESC,),
}
LAB_STEPS: Final = 10_000
LAB_KINDS: Final = {
    "a step": (b"b", b"b", b"n", b"n", b"B", b"N"),
    "a pick": (RIGHT, LEFT, DOWN, UP),
    "the table": (b"l", b"[", b"]", b"l"),
    "scrolled": (PAGE_UP, PAGE_UP, PAGE_DOWN, END),
}


class Terminal:
    """A program in a pseudo-terminal of this size."""

    def __init__(self, size: tuple[int, int], words: Sequence[str]) -> None:
        self.master, slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        surroundings = environment() | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=surroundings, start_new_session=True
        )
        os.close(slave)

    def until_shown(self, words: bytes) -> None:
        deadline = time.monotonic() + BOUND_S
        seen = b""
        while words not in seen:
            if time.monotonic() > deadline:
                raise SystemExit(f"never shown: {words!r}")
            if select.select([self.master], [], [], 1.0)[0]:
                seen += os.read(self.master, 2**16)

    def rest(self) -> None:
        """Reads until nothing more is written for a while."""
        while select.select([self.master], [], [], QUIET_S)[0]:
            os.read(self.master, 2**16)

    def computed_ms(self) -> float:
        """What the screen's process has computed so far; 0 where the system does not tell."""
        spent = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(each.read_text().split()[0]) for each in spent) / 1e6

    def paint_ms(self, key: bytes) -> tuple[float, float] | None:
        """From the key to the end of what it painted, and what was computed for it; None where it paints nothing."""
        began, computed = time.perf_counter(), self.computed_ms()
        os.write(self.master, key)
        last: float | None = None
        while select.select([self.master], [], [], UNPAINTED_S if last is None else QUIET_S)[0]:
            os.read(self.master, 2**16)
            last = time.perf_counter()
        return None if last is None else ((last - began) * 1_000, self.computed_ms() - computed)

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        while True:  # until the screen has given the terminal back and is gone
            try:
                if not os.read(self.master, 2**16):
                    break
            except OSError:
                break
        self.process.wait(BOUND_S)
        os.close(self.master)


def _measure(size: tuple[int, int], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """What keys of each kind took, and what was computed for each, in ms."""
    took: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(size, [*PROGRAM, "--data", folder, "demo"])
        try:
            terminal.until_shown(b"QUORUM")
            with Client.connect(files_of(Path(folder), "alice").control) as alice:
                for number in range(TWEETS):
                    alice.call("submit", {"kind": "tweet", "text": f"tweet number {number}", "timeout_s": BOUND_S})
            terminal.rest()
            for _ in range(rounds):
                for kind, pressed in KINDS.items():
                    took[kind] += (each for key in pressed if (each := terminal.paint_ms(key)) is not None)
        finally:
            terminal.close()
    return took


def _measure_lab(size: tuple[int, int], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """The same in the lab, after LAB_STEPS steps."""
    took: dict[str, list[tuple[float, float]]] = {kind: [] for kind in LAB_KINDS}
    tweets = "".join(f'{site} tweets "{site}"\nrun 60 ms\n' for site in ("s1", "s2", "s3", "s4", "s5"))
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "long.scenario"
        scenario.write_text(f"sites s1 s2 s3 s4 s5\n{tweets * (LAB_STEPS // 50)}", encoding="utf-8")
        terminal = Terminal(size, [*PROGRAM, "lab", str(scenario)])
        try:
            terminal.until_shown(b"Lab: ")
            terminal.rest()
            os.write(terminal.master, b"g%d" % LAB_STEPS)
            terminal.rest()
            os.write(terminal.master, b"\r")
            terminal.until_shown(b"%d" % LAB_STEPS)
            terminal.rest()
            for _ in range(rounds):
                for kind, pressed in LAB_KINDS.items():
                    took[kind] += (each for key in pressed if (each := terminal.paint_ms(key)) is not None)
        finally:
            terminal.close()
    return took


def _p95(figures: list[float]) -> float:
    return statistics.quantiles(figures, n=20, method="inclusive")[-1] if len(figures) > 1 else figures[0]


def _row(size: str, kind: str, keys: list[tuple[float, float]]) -> str:
    took, computed = ([each[which] for each in keys] for which in (0, 1))
    figures = (statistics.median(took), _p95(took), max(took), statistics.median(computed), _p95(computed))
    shown = "  ".join(f"{ms:6.1f} ms" for ms in figures)
    return f"{size:>7}  {kind:<12}{len(keys):>6}  {shown}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make keys", description="Measures the time from a key to its paint.")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="how often all keys are pressed (10)")
    rounds = parser.parse_args().rounds
    print(
        f"{'size':>7}  {'key':<12}{'times':>6}  {'median':>9}  {'p95':>9}  {'longest':>9}  {'cpu':>9}  {'cpu p95':>9}"
    )
    for what, measure in (("demo", _measure), (f"lab, {LAB_STEPS:,} steps", _measure_lab)):
        print(what)
        for size in SIZES:
            took = measure(size, rounds)
            print(_row(f"{size[0]}x{size[1]}", "all", [key for each in took.values() for key in each]))
            print(*(_row("", kind, each) for kind, each in took.items() if each), sep="\n", flush=True)
    print(f"load of this machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
