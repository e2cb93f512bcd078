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


def minute(at: str) -> str:
    """`14:05`"""
    return local_time(at).strftime("%H:%M")


def day_and_minute(at: str) -> str:
    """`14:05` if it was today, else `21 Nov 14:05`, or `21 Nov 2025 14:05`."""
    return f"{day_unless_today(at)} {minute(at)}".lstrip()


def day_unless_today(at: str) -> str:
    """`21 Nov`, or `21 Nov 2025`; "" if it was today."""
    then, today = local_time(at), now()
    if then.date() == today.date():
        return ""
    return f"{then.day} {then:%b}" if then.year == today.year else f"{then.day} {then:%b %Y}"


def day(at: str) -> str:
    """`Saturday, 21 November`, with the year if it is another one."""
    then = local_time(at)
    return f"{then:%A}, {then.day} {then:%B}" + ("" if then.year == now().year else f" {then.year}")


def age(at: str) -> str:
    """`now`, `5 min`, `3 h`, `12 d`, `4 mo`, `2 y`: how long ago, at most 6 cells up to a thousand years."""
    passed = now() - local_time(at)
    minutes, days = passed.total_seconds() // 60, passed.days
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes:.0f} min"
    if minutes < 24 * 60:
        return f"{minutes // 60:.0f} h"
    if days < 100:
        return f"{days} d"
    return f"{days // 30} mo" if days < 365 else f"{days // 365} y"
