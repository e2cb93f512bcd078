"""`make keys` times what it says: from a key to what was written because of it."""

from __future__ import annotations

import pytest

from tests.tui import key_to_paint
from tests.tui.key_to_paint import Terminal
from tests.tui.pilots import BOUND_S, NARROW

PROGRAM = """
stty -echo -icanon
printf ready
while true; do
    case $(dd bs=1 count=1 2>/dev/null) in
        t) printf painted ;;
        q) exit ;;
    esac
done
"""


def test_a_key_that_paints_is_timed_and_one_that_does_not_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(NARROW, ["sh", "-c", PROGRAM])
    try:
        terminal.until_shown(b"ready")
        terminal.rest()
        monkeypatch.setattr(key_to_paint, "UNPAINTED_S", BOUND_S)
        painted = terminal.paint_ms(b"t")
        assert painted is not None
        assert painted[0] > 0
        monkeypatch.setattr(key_to_paint, "UNPAINTED_S", 0.1)
        assert terminal.paint_ms(b"x") is None
    finally:
        terminal.close()
