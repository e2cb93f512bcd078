"""`python -m tests.chaos.broken_engine MUTANT ...`: the program, with one rule of its core broken on purpose.

A campaign over such engines must find it: that is how its verdict is tried.
"""

from __future__ import annotations

import sys
from typing import Final

from engine.sim.mutants.catalogue import broken_by
from tui.cli import main

MODULE: Final = "tests.chaos.broken_engine"

if __name__ == "__main__":
    with broken_by(sys.argv.pop(1)):
        raise SystemExit(main())
