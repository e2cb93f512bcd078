"""How single words of the command line are read: numbers, times, event ids, text.

Rules that hold here:
- What is wrong is refused with the word and what to write instead; nothing is rounded, cut or guessed.
- A usage error is one line on stderr and exit status 2.
"""

from __future__ import annotations

import argparse
import difflib
import math
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

from engine.addresses import Address, BadAddress, parse_address
from engine.contract.limits import TRACE_LINES_MAX
from engine.core.ids import NUMBER_MAX, SITES_MAX
from tui.exits import ExitStatus

TIMEOUT_MAX_S: Final = 86_400.0
LINES_MAX: Final = 1_000_000
EVENTS_MAX: Final = 500
"""As many outcomes as one answer of the engine surely holds."""

_EVENT_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,15}/[1-9][0-9]{0,15}\Z")


def typed_path(word: str) -> Path:
    """With the home folder in the place of `~`, where no shell has put it in."""
    path = Path(word)
    try:
        return path.expanduser()
    except RuntimeError:  # nobody's home
        return path


class Parser(argparse.ArgumentParser):
    """argparse, with one-line errors and no guessing of abbreviated options."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {' '.join(message.split())} (see `{self.prog} --help`)", file=sys.stderr)
        raise SystemExit(ExitStatus.BAD_INPUT)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """argparse would list every command for one mistyped letter; `--help` has them in order."""
        if action.choices is None or value in action.choices:
            return
        self.error(f"{value!r} is no {str(action.metavar).lower()}{_perhaps(value, action.choices)}")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.refuse(unknown)
        return known

    def refuse(self, unknown: list[str]) -> NoReturn:
        option = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
        if option is None:
            quotes = (
                ": put a text of several words in quotes"
                if any(action.dest == "text" for action in self._actions)
                else ""
            )
            self.error(f"unexpected word {unknown[0]!r}{quotes}")
        self.error(f"{option!r} is not an option here{_perhaps(option, self._option_string_actions)}")


class CommandParser(Parser):
    """Takes options anywhere among the words: argparse alone gives up `tweet alice --retry TEXT` after `alice`."""

    _in_order = False

    def add_subparsers(self, **settings: Any) -> Any:
        """Where the first word names an action, what follows is left as it stands: the parser of that action takes it,
        and mixes options and words itself."""
        self._in_order = True
        return super().add_subparsers(**settings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._in_order:
            return super().parse_known_args(args, namespace)
        self._in_order = True  # argparse's way of mixing calls this method again
        try:
            known, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._in_order = False
        if unknown:
            self.refuse(unknown)
        if hasattr(known, "store"):
            self._check_site_or_store(known)
        return known, unknown

    def _check_site_or_store(self, known: argparse.Namespace) -> None:
        """argparse cannot mix options and words where one of both is needed."""
        if known.site is None and known.store is None:
            self.error("the following arguments are required: SITE, or --store FILE")
        if known.site is not None and known.store is not None:
            self.error("SITE and --store exclude each other: a store is read as its own site sees it")


def _perhaps(typed: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(typed, list(words), n=1, cutoff=0.7)
    return f": did you mean {close[0]}?" if close else ""


def slot(text: str) -> int:
    return _whole_number(text, "a slot", NUMBER_MAX)


def number(text: str) -> int:
    return _whole_number(text, "a number of the list", NUMBER_MAX)


def lines(text: str) -> int:
    return _whole_number(text, "a number of lines", LINES_MAX)


def event_lines(text: str) -> int:
    return _whole_number(text, "a number of events", EVENTS_MAX)


def trace_lines(text: str) -> int:
    return _whole_number(text, "a number of trace lines", TRACE_LINES_MAX)


def size(text: str) -> int:
    return _whole_number(text, "a number of sites", SITES_MAX)


def seconds(text: str) -> float:
    """Seconds above 0 and of at most a day."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= TIMEOUT_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: write seconds above 0, at most {TIMEOUT_MAX_S:.0f}")
    return value


def event_id(text: str) -> str:
    if not _EVENT_ID.match(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an event id: write SITE/NUMBER, as in alice/17")
    return text


def address(text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddress as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def utf8_text(text: str) -> str:
    """Text that can be sent on; what the shell handed over as other bytes cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError(f"character {error.start + 1} is not UTF-8: write it in UTF-8") from None
    return text


def _whole_number(text: str, what: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and 1 <= int(text) <= highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}: write a whole number of 1 to {highest}")
    return int(text)
