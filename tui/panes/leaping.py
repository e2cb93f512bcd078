"""Going far: to a slot, a hit, the first new tweet. What stands around it is seen, too.

Rules that hold here:
- The pane scrolls once, to where it stays: a timeline counts as read what a view shows, however briefly.
"""

from __future__ import annotations

from tui.panes.lines import ScrolledRows


def leap(pane: ScrolledRows, index: int) -> None:
    """Selects a row. If it is not in view, it comes into the upper part of it, below what stands before it."""
    top = pane.scroll_offset.y
    y = pane.y_of(index)
    is_seen = top <= y and pane.y_of(index + 1) <= top + pane.rows_height
    if not is_seen:
        pane.unfollow()
        pane.scroll_to(y=max(0, min(y - pane.rows_height // 3, pane.max_scroll_y)), animate=False, force=True)
    pane.go(index)
