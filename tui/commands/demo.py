"""`demo`: a whole cluster on loopback, of which one person can be everybody.

Rules that hold here:
- One demo a folder (kernel lock). Its sites file, key and ports are made once; started again it goes on.
- However the demo ends, none of its engines runs afterwards: it stops them all, and those it started also stop by
  themselves when its process is gone (`tui.launch`).
- An engine that dies is reported; the others go on, as does the demo.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tui.commands.open import hop, show
from tui.exits import CommandFailed, ExitStatus
from tui.hops import Leaving
from tui.interrupts import ENDING_SIGNALS, Interrupted, Interrupts
from tui.launch import EnginePlace, EngineProcess, how_it_ended, is_running, stop_all
from tui.output import Output, complain

_LOCK_NAME: Final = "demo.lock"


def run(arguments: Namespace) -> int:
    if arguments.sites is not None:
        raise CommandFailed(ExitStatus.BAD_INPUT, "the demo makes its own sites file: leave --sites out, use --data")
    folder = demo_folder(arguments)
    with _only_demo_in(folder):
        sites_path = _sites_file(folder, arguments.size)
        places = engine_places(sites_path, folder)
        _refuse_running(places)
        children: list[EngineProcess] = []
        try:
            with Interrupts() as interrupts:
                _start(places, children, interrupts)
                if arguments.headless:
                    Output(as_json=True).announce({"ready": True, "sites": str(sites_path), "data": str(folder)})
                    _watch(children, interrupts)
                    return ExitStatus.DONE
            return show([hop(place) for place in places], Leaving.STOPS_ALL)
        except Interrupted:
            return ExitStatus.DONE
        finally:
            # A second signal must not leave engines behind.
            with Interrupts():
                stop_all(places, children)
