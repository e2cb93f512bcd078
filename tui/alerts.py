"""How a person is told of a tweet that names the site here, while he looks elsewhere, if he wants that.

Rules that hold here:
- It is off unless `$LOGGOS_NOTIFY` says otherwise, or it is chosen on the screen.
- What somebody else wrote ends no sequence and begins none: it is inert, and without the signs that part one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

from tui.inert import inert

VARIABLE: Final = "LOGGOS_NOTIFY"
WORDS_MAX: Final = 120


class Alert(StrEnum):
    OFF = "off"
    BELL = "bell"
    OSC_9 = "osc9"
    OSC_777 = "osc777"

    @property
    def what(self) -> str:
        match self:
            case Alert.OFF:
                return "no alert for tweets that name this site, only their mark"
            case Alert.BELL:
                return "the terminal's bell rings for a tweet that names this site"
            case Alert.OSC_9 | Alert.OSC_777:
                number = self.removeprefix("osc")
                return f"a desktop notification (OSC {number}) announces a tweet that names this site"
            case _:
                assert_never(self)

    @property
    def after(self) -> Alert:
        """The next one of them all, around the end."""
        every = list(Alert)
        return every[(every.index(self) + 1) % len(every)]

    def sequence(self, title: str, words: str) -> str:
        """What is written to the terminal."""
        match self:
            case Alert.OFF:
                return ""
            case Alert.BELL:
                return "\a"
            case Alert.OSC_9:
                return f"\x1b]9;{_said(title)}: {_said(words)}\x1b\\"
            case Alert.OSC_777:
                return f"\x1b]777;notify;{_said(title)};{_said(words)}\x1b\\"
            case _:
                assert_never(self)


def alert_of(environment: Mapping[str, str]) -> Alert:
    """Raises ValueError, with what to write instead."""
    said = environment.get(VARIABLE) or Alert.OFF
    try:
        return Alert(said)
    except ValueError:
        raise ValueError(f"{VARIABLE} is {said}: write one of {', '.join(Alert)}") from None


def _said(words: str) -> str:
    return inert(words).replace(";", ",")[:WORDS_MAX]
