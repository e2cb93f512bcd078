"""The names that a shell completes (docs/install.md), of each kind those that there are now.

Rules that hold here:
- Whoever presses Tab waits for this: an engine is asked for `ANSWER_S` at most, and what is not to be had is left out
  without a word. Nothing is changed or started.
- What is typed is taken as a shell takes it, as far as it goes: a quote may still be open.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from engine.config import Cluster, read_cluster
from engine.contract import requests
from engine.contract.errors import NoAnswer, NoEngine, RequestRefused
from engine.core.messages import WORDS
from engine.plain_yaml import ConfigError
from engine.site_files import UnusableFolder, data_folder, files_of, sites_file
from tui.argument_kinds import Kind
from tui.client import Client
from tui.typed_words import typed_path

ANSWER_S: Final = 1.0
NEWEST: Final = 20
"""So many slots and events are offered, beside all holes."""

_ENDS_A_COMMAND: Final = frozenset(("|", "||", "&&", ";", "&", "|&"))


def offered(kind: Kind, line: str) -> list[str]:
    """What the word at the end of `line` may become, of this kind."""
    words, word = typed(line)
    return [value for value in _values(kind, words, word) if value.startswith(word)]


def typed(line: str) -> tuple[list[str], str]:
    """The words of the last command on the line that are whole, and the one that is not."""
    words = _split(line)
    for place in range(len(words) - 1, -1, -1):
        if words[place] in _ENDS_A_COMMAND:
            words = words[place + 1 :]
            break
    if not words or line[-1:].isspace():
        return words, ""
    *whole, last = words
    *inside, word = last.split(" ")  # of a rule in quotes that are still open
    return [*whole, *inside], word


def _split(line: str) -> list[str]:
    for closing in ("", '"', "'"):
        lexer = shlex.shlex(line + closing, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        lexer.commenters = ""
        try:
            return list(lexer)
        except ValueError:
            continue
    return []


def _values(kind: Kind, words: Sequence[str], word: str) -> Iterable[str]:
    match kind:
        case Kind.SCENARIOS | Kind.MISTAKES:
            # The lab's room is large: it is loaded for its own names alone.
            from tui.commands import lab  # noqa: PLC0415

            return lab.scenario_names() if kind is Kind.SCENARIOS else lab.mistake_names()
        case _:
            try:
                cluster = read_cluster(sites_file(_path(words, "--sites")).absolute())
                return _of_cluster(kind, cluster, words, word)
            except (ConfigError, UnusableFolder, OSError):
                return []


def _of_cluster(kind: Kind, cluster: Cluster, words: Sequence[str], word: str) -> Iterable[str]:
    data = data_folder(_path(words, "--data"), cluster.name)
    here = _sites_here(data)
    named = next((each for each in words if each in cluster.addresses or each in here), None)
    match kind:
        case Kind.SITES:
            return _sites(cluster, data, here, named)
        case Kind.OTHERS:
            return [site for site in _sites(cluster, data, here, named) if site != named]
        case Kind.RULES:
            return _rules(_sites(cluster, data, here, named), word)
        case _:
            return (named is not None and _asked(data, named, _ASKED[kind])) or ()


def _sites_here(data: Path) -> list[str]:
    """Those with a store below DATA, whatever the sites file says."""
    return sorted(store.parent.name for store in data.glob("*/site.db"))


def _sites(cluster: Cluster, data: Path, here: Sequence[str], named: str | None) -> list[str]:
    """Those of the sites file, of this machine, and of the log, as the first engine that runs here knows it."""
    asked = dict.fromkeys((named, *here) if named is not None else here)
    answers = (_asked(data, site, lambda client: client.ask(requests.Status(), ANSWER_S).sites) for site in asked)
    known = next((sites for sites in answers if sites is not None), ())
    return list(dict.fromkeys((*cluster.addresses, *here, *known)))


def _asked(data: Path, site: str, question: Callable[[Client], Iterable[str]]) -> list[str] | None:
    """None where no engine runs."""
    try:
        with Client.connect(files_of(data, site).control) as client:
            return list(question(client))
    except NoEngine:
        return None
    except (NoAnswer, RequestRefused):
        return []


def _path(words: Sequence[str], option: str) -> str | None:
    """The value of --sites or --data. No shell has put the home folder in the place of `~` in what is being typed."""
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == option:
            found = value if equals else next(iter(words[place + 1 :]), "")
            return str(typed_path(found)) if found else None
    return None


def _rules(sites: Sequence[str], word: str) -> Iterator[str]:
    """What may stand in a fault rule, one word each; behind a comma, one more of a list."""
    key, equals, value = word.partition("=")
    listed = value.rpartition(",")[0]
    before = f"{key}{equals}{listed}," if listed else ""
    names = {"to=": ("*", *sites), "from=": ("*", *sites), "type=": WORDS}
    if before:
        yield from (f"{before}{name}" for name in names.get(key + equals, ()))
        return
    yield from (key + name for key in names for name in names[key])
    yield from ("slot=", "drop", "drop=50%", "hold", "delay=200ms", "delay=200ms±50", "dup=10%", "pass", "partition")


def _slots(client: Client) -> Iterator[str]:
    status = client.ask(requests.Status(), ANSWER_S)
    newest = range(status.chosen_max, max(0, status.chosen_max - NEWEST), -1)
    return map(str, dict.fromkeys((*status.holes, *newest)))


def _holes(client: Client) -> Iterator[str]:
    return map(str, client.ask(requests.Status(), ANSWER_S).holes)


def _events(client: Client) -> Iterator[str]:
    lines = client.ask(requests.Events(limit=NEWEST), ANSWER_S).lines
    return (line.id for line in lines if line.id is not None)


def _rule_numbers(client: Client) -> Iterator[str]:
    return (str(rule.number) for rule in client.ask(requests.Faults(), ANSWER_S).rules)


def _held_numbers(client: Client) -> Iterator[str]:
    return (str(held.number) for held in client.ask(requests.Faults(), ANSWER_S).held)


_ASKED: Final[Mapping[Kind, Callable[[Client], Iterator[str]]]] = {
    Kind.SLOTS: _slots,
    Kind.HOLES: _holes,
    Kind.EVENTS: _events,
    Kind.RULE_NUMBERS: _rule_numbers,
    Kind.HELD_NUMBERS: _held_numbers,
}
