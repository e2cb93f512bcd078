"""Times as people read them, in the local zone; screens and commands share it."""

from __future__ import annotations

import time
from datetime import datetime
from functools import lru_cache


@lru_cache(1024)
def local_time(at: str) -> datetime:
    """A UTC time of the control socket as local time; the calendar's end where the local one lies beyond it, for an
    author's clock may say anything (W5)."""
    try:
        return datetime.fromisoformat(at).astimezone()
    except OverflowError:
        return datetime.max.replace(tzinfo=now().tzinfo)


def clock(at: str) -> str:
    """`14:05:09`"""
    return local_time(at).strftime("%H:%M:%S")


def clock_ms(at: str) -> str:
    """`14:05:09.120`"""
    return local_time(at).strftime("%H:%M:%S.%f")[:-3]


def now() -> datetime:
    """The present local time."""
    return datetime.now().astimezone()


def monotonic_s() -> float:
    """Seconds, for what is counted on between two words of an engine."""
    return time.monotonic()


def day_or_clock(at: str) -> str:
    """`14:05` if it was today, else `21 Nov`, else `Nov 2025`; at most 8 cells."""
    then, today = local_time(at), now()
    if then.date() == today.date():
        return then.strftime("%H:%M")
    return then.strftime("%d %b") if then.year == today.year else then.strftime("%b %Y")
