"""The bounds that both ends of the control socket keep (docs/control.md)."""

from __future__ import annotations

from typing import Final

LINE_BYTES_MAX: Final = 1024 * 1024
"""The longest line, both ways."""

ANSWER_BYTES_MAX: Final = 900 * 1024
"""What the lines of one answer may take, so that it stays below LINE_BYTES_MAX."""

LINES_MAX: Final = 1_000
"""The most lines in one answer: a larger `limit` is taken as this."""

TRACE_LINES_MAX: Final = 5_000
NO_OPS_MIN: Final = 3
"""So many no-ops in a row are one line where people read the log."""

SLOTS_MAX: Final = 1_000
"""So many slots, or numbers of held messages, are named at once."""

SUBMITTED_MAX: Final = 256
"""So many events are submitted at once: their outcomes fit one answer, however different they are."""

SEARCHED_MAX: Final = 1_000
"""So many slots are looked at for one `search`: some milliseconds, in which the site does nothing else."""

WORDS_MAX: Final = 64
"""So many words are looked for at once."""

SECONDS_MAX: Final = 31_536_000
