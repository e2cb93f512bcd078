"""A question that is answered with yes or no, before something is done that cannot be taken back unseen."""

from __future__ import annotations

import sys
from typing import Final

from tui.interrupts import Interrupted, Interrupts

_PATIENCE_S: Final = 7 * 86_400.0


def agrees(question: str, interrupts: Interrupts) -> bool:
    """Whoever cannot be asked has not agreed. Raises Interrupted."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"{question} Type yes: ")
    sys.stderr.flush()
    if not interrupts.readable(sys.stdin.fileno(), _PATIENCE_S):
        raise Interrupted
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
