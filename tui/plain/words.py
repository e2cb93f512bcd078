"""What is told in a plain session: one line each, words instead of signs, what people wrote at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.contract.answers import TimelineLine
from engine.contract.status import Status
from tui.parser import Command
from tui.rows import plain
from tui.site.mentions import names
from tui.site.notices import Notice, Offer
from tui.times import day_or_clock

BEGINNING: Final = "A line you type is a tweet. /help lists the commands, /quit leaves."
_HELP: Final = (
    "A line you type is a tweet; Enter sends it. To begin a tweet with /, type // first.",
    "/again: send again the last event reported as not in the log.",
    "/quit: leave once the outcome of everything sent is known. End of input does the same; Ctrl+C leaves at once.",
    "The rest are commands of `loggos`, for this site; `/NAME --help` lists the arguments:",
)


def site(status: Status) -> str:
    quorum = status.quorum
    return f"{status.site} of {status.cluster}: {quorum.reachable} of {quorum.size} reachable, {quorum.needed} needed."


def tweet(line: TimelineLine, site: str) -> str:
    """As the reader at `site` is told of it."""
    author = f"{line.author} names you" if names(line, site) else line.author
    return f"#{line.slot} {day_or_clock(line.at)} {author}: {line.text}"


def notice(told: Notice) -> str:
    """Without the sign that it begins with: the words say the same."""
    return _sentence(plain(told.said[1:]))


def offers(told: Notice) -> list[str]:
    """What can be done about it."""
    said = []
    if Offer.RETRY in told.offers:
        said.append("/again sends it again.")
    if Offer.SETTLE in told.offers and told.slot is not None:
        said.append(f"/fill {told.slot} settles slot {told.slot} now.")
    return said


def help_lines(commands: Sequence[Command]) -> list[str]:
    return [*_HELP, *(f"/{command.name}: {command.summary}." for command in commands)]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"
