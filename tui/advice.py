"""The commands that a person is advised to type: complete, so that they do what is said wherever they are typed.

Rules that hold here:
- Sites file and stores are always named. With those of a default, or of an environment variable, a site might start
  elsewhere without its store.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "loggos"


def command(sites_path: Path, data_path: Path, *words: str) -> str:
    """`loggos --sites FILE --data DIR WORDS`, quoted for a shell."""
    places = ("--sites", _word(sites_path), "--data", _word(data_path))
    return " ".join((_program(), *places, *map(shlex.quote, words)))


def at(site: str, here: str, typed: str) -> str:
    """What is `typed` at an engine of `site`; said by one of `here`, whose machine may be another."""
    return f"`{typed}`" if site == here else f"where {site} runs, `{typed}`"


def _word(path: Path) -> str:
    """As one word for a shell, which puts the home folder in the place of `~`."""
    try:
        home = Path.home()
    except RuntimeError:  # in a container, a user may have none
        return shlex.quote(str(path))
    if path != home and path.is_relative_to(home):
        return f"~/{shlex.quote(str(path.relative_to(home)))}"
    return shlex.quote(str(path))


def _program() -> str:
    """By its name where a shell finds it, else as it was started here (`make demo` does without PATH)."""
    started = Path(sys.argv[0])
    if started.name == NAME and started.is_file() and shutil.which(NAME) is None:
        return _word(started.absolute())
    return NAME
