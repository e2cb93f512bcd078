"""What the lab is asked to play: shipped scenarios by name, files, lines of a course's notation, or standard input.

Rules that hold here:
- All that is asked for is read before anything is played; what cannot be understood is a BadRequest that says what to
  write instead.
- A name of a shipped scenario is that scenario, also where a file is called so: `./a-wins` is the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from engine.sim.mutants.catalogue import NAMES, named
from engine.sim.mutants.mutant import Mutant
from engine.sim.scenario.parse import parse, read
from engine.sim.scenario.schedule import Broken, ScenarioError, Schedule
from tui.lab import catalogue, notation
from tui.lab.catalogue import SUFFIX, first_comment
from tui.lab.notation import BadNotation

STDIN: Final = "-"
MENDED: Final = "mended"
"""What is written behind a scenario's name for its run without the mistake."""

_COMMANDS: Final = ("set", "a-wins", "b-wins", "bb-wins", "livelock")


NO_MISTAKE_HERE: Final = "a recording is what real sites did, so it cannot have a mistake added: leave out --broken"


class BadRequest(ValueError):
    """One line for each thing that is wrong."""


@dataclass(frozen=True, slots=True)
class Run:
    """`heading` says how it differs from the other one, where there are two; `broken` is the mutant in force."""

    heading: str
    broken: str | None
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Opened:
    """A schedule to play; `title` is what was asked for, `about` what it shows (empty: nothing is said)."""

    title: str
    about: str
    schedule: Schedule

    def runs(self) -> list[Run]:
        """What is played: where there is a mistake, first with it in, then without it."""
        broken, mended = self.schedule.broken, self.schedule.mended
        if broken is None:
            return [Run("", None, self.schedule)]
        mutant = named(broken.mutant)
        first = Run(f"with a mistake in it ({mutant.rule}): {mutant.what}", broken.mutant, self.schedule)
        return [first] if mended is None else [first, Run(f"without the mistake: {mutant.rule} holds", None, mended)]


def opened(words: Sequence[str], size: int) -> list[Opened]:
    """`words` as they stand on the command line, `size` the number of sites of a line in a course's notation. Raises
    BadRequest."""
    if len(words) == 2 and words[1].lower() == MENDED:
        return [_one(" ".join(words), size)]
    if notation.is_course(words):
        return [_course(words, size)]
    return [_one(word, size) for word in words]


def mistakes() -> tuple[Mutant, ...]:
    """Those that can be put into a run, by the rules that they break."""
    return tuple(map(named, NAMES))


def with_mistake(play: Opened, mutant: str) -> Opened:
    """The same with this mistake in it, up to the first rule that breaks. Raises BadRequest."""
    if mutant not in NAMES:
        near = get_close_matches(mutant, NAMES, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise BadRequest(f"{mutant!r} is not a mistake: {meant}`loggos lab --mistakes` lists them")
    whole = play.schedule.mended or play.schedule
    return replace(play, schedule=replace(whole, broken=Broken(mutant, None), mended=None))


def lines(text: str, size: int) -> list[Opened]:
    """Standard input: a line in the course's notation or a scenario's name each, or a whole scenario file. Raises
    BadRequest."""
    said = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    said = [(number, line) for number, line in said if line and not line.startswith("#")]
    if not said:
        raise BadRequest("standard input has nothing to play: write lines such as A_wins 8000 8004 123 456")
    if said[0][1].split()[0] in ("sites", "seed"):
        return [_whole(text, "standard input")]
    found: list[Opened] = []
    wrong: list[str] = []
    for number, line in said:
        try:
            found.append(_one(line, size))
        except BadRequest as bad:
            wrong.append(f"line {number}: {bad}")
    if wrong:
        raise BadRequest("\n".join(wrong))
    return found


def _one(asked: str, size: int) -> Opened:
    shipped = _shipped(asked)
    if shipped is not None:
        return shipped
    try:
        words = notation.split(asked)
    except BadNotation as bad:
        raise BadRequest(str(bad)) from None
    if notation.is_course(words):
        return _course(words, size, asked)
    path = Path(asked)
    if "/" in asked or asked.endswith(SUFFIX) or path.is_file():
        return _file(path)
    raise BadRequest(_unknown(asked, words))


def _shipped(asked: str) -> Opened | None:
    """A scenario of the catalogue; `NAME mended` is its run without the mistake alone."""
    said, _, which = asked.lower().partition(" ")
    name = catalogue.name_of(said)
    if name is None or said.endswith(SUFFIX) or which.strip() not in ("", MENDED):
        return None
    scenario = catalogue.scenario(name)
    schedule = scenario.schedule()
    if not which:
        return Opened(name, scenario.about, schedule)
    if schedule.mended is None:
        raise BadRequest(f"{name} has no mistake in it: leave out {MENDED!r}")
    return Opened(f"{name} {MENDED}", scenario.about, schedule.mended)


def _course(words: Sequence[str], size: int, asked: str | None = None) -> Opened:
    try:
        line = notation.read(words, size)
    except BadNotation as bad:
        raise BadRequest(str(bad)) from None
    return Opened(asked or " ".join(words), line.about, line.schedule)


def _file(path: Path) -> Opened:
    try:
        return Opened(path.name, first_comment(path.read_text(encoding="utf-8")), read(path))
    except UnicodeDecodeError:
        raise BadRequest(f"{path}: this is not UTF-8 text: save it as UTF-8") from None
    except ScenarioError as bad:
        raise BadRequest(str(bad)) from None
    except OSError as bad:
        raise BadRequest(f"{path} cannot be read ({bad.strerror}): {_INSTEAD}") from None


def _whole(text: str, file: str) -> Opened:
    try:
        return Opened(file, first_comment(text), parse(text, file))
    except ScenarioError as bad:
        raise BadRequest(str(bad)) from None


def _unknown(asked: str, words: Sequence[str]) -> str:
    first = words[0].lower().replace("_", "-") if words else ""
    near = catalogue.nearest(asked)
    if len(words) > 1:
        close = get_close_matches(first, _COMMANDS, 1)
        near = f'"{notation.usage(close[0])}"' if close else None
    meant = "" if near is None else f"did you mean {near}? "
    return f"{asked!r} is not a scenario, a file or a line in course notation: {meant}{_INSTEAD}"


_INSTEAD: Final = "`loggos lab --list` lists the scenarios"
