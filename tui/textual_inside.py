"""What the screen uses of Textual that Textual does not promise to keep, all of it in this one place.

Rules that hold here:
- Each name was tried with the versions in TRIED. Whoever raises Textual tries again (a test says so): the goldens, the
  widths of `tests/tui/test_app_widths.py`, and a paste into a real terminal.
"""

from __future__ import annotations

from typing import Any, Final

from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual._xterm_parser import XTermParser
from textual.screen import Screen
from textual.strip import Strip

__all__ = ["TRIED", "ChopsUpdate", "Compositor", "LayoutUpdate", "XTermParser", "compositor_of", "paint_with", "shown"]

TRIED: Final = ("8.2.8",)


def paint_with(screen: Screen[Any], compositor: Compositor) -> None:
    """Lets a screen that was just made be painted by this compositor."""
    screen._compositor = compositor


def shown(screen: Screen[Any]) -> list[Strip]:
    """The lines that a screen shows."""
    return compositor_of(screen).render_strips()


def compositor_of(screen: Screen[Any]) -> Compositor:
    return screen._compositor
