"""What the screen uses of Textual that Textual does not promise to keep, all of it in this one place.

Rules that hold here:
- Each name was tried with the versions in TRIED. Whoever raises Textual tries again (a test says so): the goldens, the
  widths of `tests/tui/test_app_widths.py`, and a paste into a real terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from textual import constants
from textual._compositor import ChopsUpdate, Compositor, CompositorMap, LayoutUpdate, ReflowResult
from textual._xterm_parser import XTermParser
from textual.events import ScreenResume
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

__all__ = [
    "TRIED",
    "ChopsUpdate",
    "LayoutUpdate",
    "OncePainted",
    "SteadyCompositor",
    "SteadyScroll",
    "XTermParser",
    "compositor_of",
    "escape_after",
    "paint_with",
    "shown",
]

TRIED: Final = ("8.2.5", "8.2.8")


class OncePainted(Screen[None]):
    """Paints a new layout once.

    Textual paints it at once, then tells widgets their new sizes, then lays out and paints again what they make of
    them: twice the computing, and twice the bytes to a terminal that may be far away. Here the first of both paints is
    left out, never two in a row; what it would have painted stays marked, and is part of the second. And whatever gets
    the focus paints itself: Textual paints the whole screen. When it is shown first its widgets have their styles:
    Textual looks them all up anew.
    """

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    _sizes: Mapping[Widget, Size] | None = None
    """Of the widgets when something was last to be painted."""
    _left_out = False
    _was_shown = False

    def _on_screen_resume(self, event: ScreenResume) -> None:
        """Before that of Textual, which comes next."""
        event.refresh_styles = event.refresh_styles and self._was_shown
        self._was_shown = True

    def _compositor_refresh(self) -> None:
        sizes = {widget: placed.region.size for widget, placed in self._compositor._full_map.items()}
        is_new, self._sizes = sizes != self._sizes, sizes
        self._left_out = is_new and not self._left_out
        if self._left_out:
            self.call_later(self.refresh, repaint=False, layout=True)
        else:
            super()._compositor_refresh()

    def _pop_result_callback(self) -> None:
        """A program's first screen was not pushed: Textual cannot switch from it, as nothing waits for what it says."""
        if self._result_callbacks:
            super()._pop_result_callback()


class SteadyCompositor(Compositor):
    """Compares each layout with the one before it, and with what scrolling has painted since.

    Textual compares it with a map that it makes anew, where somebody asks for a place, after each scrolling. Where a
    style was changed meanwhile that map is already of the next layout, which then finds no difference: what it takes
    away stays painted, and nobody is told a new size.
    """

    _laid_out: CompositorMap | None = None
    _scrolled: CompositorMap | None = None
    _bare: dict[int, set[int]] | None = None
    """While something is painted: where the pieces of each line begin that no widget has painted yet."""

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        if self._laid_out is not None:
            self._full_map = self._laid_out
        result = super().reflow(parent, size)
        self._laid_out = self._full_map
        if self._scrolled is not None:
            places = (place for _, place in self._scrolled.items() ^ self._full_map.items())
            self._dirty_regions.update(part for place in places if (part := place.clip.intersection(place.region)))
            self._scrolled = None
        return result

    def render_partial_update(self) -> ChopsUpdate | None:
        bare: dict[int, set[int]] = {}
        for y, first, last in self._regions_to_spans(self._dirty_regions):
            pieces = (x for x, end in pairwise(self.cuts[y]) if x < last and end > first)
            bare.setdefault(y, set()).update(pieces)
        self._bare = bare
        try:
            return super().render_partial_update()
        finally:
            self._bare = None

    def _render_chops(self, crop: Region, is_rendered_line: Callable[[int], bool]) -> Sequence[Mapping[int, Strip]]:
        if self._bare is not None:
            return super()._render_chops(crop, is_rendered_line)
        self._bare = {y: set(cuts[:-1]) for y, cuts in enumerate(self.cuts)}
        try:
            return super()._render_chops(crop, is_rendered_line)
        finally:
            self._bare = None

    def _get_renders(
        self,
        crop: Region | None = None,  # noqa: ARG002  (Textual gives it; `_bare` says more exactly what is painted)
    ) -> Iterator[tuple[Region, Region, list[Strip]]]:
        """Of each widget, from the front to the back, the lines of which something is painted.

        Textual asks all that are seen anywhere for all of their lines, and throws away what is not painted or lies
        under others.
        """
        for widget, (region, clip) in self.visible_widgets.items():
            seen = region.intersection(clip)
            lines = [y for y in seen.line_range if self._paints(seen, y)]
            if lines:
                clipped = Region(clip.x, lines[0], clip.width, lines[-1] + 1 - lines[0])
                yield region, clipped, widget.render_lines(region.intersection(clipped).translate(-region.offset))

    def _paints(self, seen: Region, y: int) -> bool:
        """Whether something of the line is left to a widget that is `seen` there."""
        assert self._bare is not None
        bare = self._bare.get(y, set())
        pieces = {x for x in bare if seen.x <= x < seen.right}
        bare -= pieces
        return bool(pieces)

    def reflow_visible(self, parent: Widget, size: Size) -> set[Widget]:
        exposed = super().reflow_visible(parent, size)
        self._scrolled = self._visible_map
        return exposed


class SteadyScroll(ScrollView):
    """Leaves the scroll bar alone where a layout changed nothing about it: Textual paints it anew, after each."""

    _bar_shows: tuple[Size, Size, Size] | None = None
    """The height of all, and the sizes of what is seen of it."""

    def _scroll_update(self, virtual_size: Size) -> None:
        shows = (virtual_size, self.container_size, self.size)
        if shows != self._bar_shows:
            self._bar_shows = shows
            super()._scroll_update(virtual_size)


def escape_after(seconds: float) -> None:
    """How long Escape waits for what may belong to it, before it is a key. A parser made later goes by it too."""
    vars(constants)["ESCAPE_DELAY"] = seconds


def paint_with(screen: Screen[Any], compositor: Compositor) -> None:
    """Lets a screen that was just made be painted by this compositor."""
    screen._compositor = compositor


def shown(screen: Screen[Any]) -> list[Strip]:
    """The lines that a screen shows."""
    return compositor_of(screen).render_strips()


def compositor_of(screen: Screen[Any]) -> Compositor:
    return screen._compositor
