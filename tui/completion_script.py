"""The completion script of a shell: shtab makes it from the parser; names are asked for while they are typed.

Rules that hold here:
- The script runs `loggos completion --values KIND`, with what is typed so far in LOGGOS_COMPLETING.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Final

import shtab

from tui.argument_kinds import FILES, FOLDERS, Kind, kind_of

_ASK: Final[Mapping[str, str]] = {
    # Bash takes `to=bob` for three words: what stands before the last `=` is not to be said again.
    "bash": """\
_loggos_values() {
  local line="${COMP_LINE:0:COMP_POINT}" word value
  word="${line##*[[:space:]]}"
  while IFS= read -r value; do
    [[ $word == *=* && $COMP_WORDBREAKS == *=* ]] && value="${value#"${word%=*}="}"
    printf '%s\\n' "$value"
  done < <(LOGGOS_COMPLETING="$line" command loggos completion --values "$1" 2>/dev/null)
}""",
    "zsh": """\
_loggos_values() {
  local kind="$1"
  local -a values
  shift
  values=("${(@f)$(LOGGOS_COMPLETING="$LBUFFER" command loggos completion --values "$kind" 2>/dev/null)}")
  compadd "$@" -a values
}""",
    "fish": """\
function _loggos_values
  set -lx LOGGOS_COMPLETING (commandline -cp)
  command loggos completion --values $argv[1] 2>/dev/null
end""",
}
"""Prints the values of a kind."""

_OF_A_KIND: Final[Mapping[str, str]] = {
    "bash": "_loggos_{name}() {{ _loggos_values {kind}; }}",
    "zsh": '_loggos_{name}() {{ _loggos_values {kind} "$@" }}',
    "fish": "function _loggos_{name}; _loggos_values {kind}; end",
}
_CALLED: Final[Mapping[str, str]] = {
    "bash": "_loggos_{name}",
    "zsh": "_loggos_{name}",
    "fish": "(_loggos_{name})",
}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for bash, zsh or fish. The parser is marked, for this alone: make it anew for anything else."""
    for command, action in arguments_of(parser):
        completed = _completed(command, metavar_of(action))
        if completed is not None:
            vars(action)["complete"] = completed
    preamble = "\n".join([_ASK[shell], *(_named(_OF_A_KIND[shell], kind) for kind in Kind)])
    return _with_words_before_actions(shell, shtab.complete(parser, shell, preamble=preamble), parser)


def arguments_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """All arguments that take a word, each with its command; `_actions` is what shtab goes by, too."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in dict.fromkeys(action.choices.values()):
                yield from arguments_of(each)
        elif action.nargs != 0 and action.help != argparse.SUPPRESS:
            yield parser.prog, action


def metavar_of(action: argparse.Action) -> str:
    return str(action.metavar or action.dest)


def _completed(command: str, metavar: str) -> Mapping[str, object] | None:
    kind = kind_of(command, metavar)
    if kind is not None:
        return {shell: _named(called, kind) for shell, called in _CALLED.items()}
    if metavar in FILES:
        return shtab.FILE
    return shtab.DIRECTORY if metavar in FOLDERS else None


def _named(text: str, kind: Kind) -> str:
    return text.format(name=kind.replace("-", "_"), kind=kind)


def _with_words_before_actions(shell: str, text: str, parser: argparse.ArgumentParser) -> str:
    """`faults SITE ACTION`: in zsh and fish, shtab takes the first word after a command for the action."""
    match shell:
        case "zsh":
            for command, words in _words_before_actions(parser):
                name = f"_shtab_{command.replace(' ', '_')}() {{"
                before, begins, rest = text.partition(f"\n{name}")
                body, ends, after = rest.partition("\n}\n")
                text = before + begins + _replaced(body, "$line[1]", f"$line[{words + 1}]") + ends + after
        case "fish":
            text = _replaced(text, "if test $_shtab_loggos_npos -eq 0", "if true")
            found = "set -g _shtab_loggos_cmdpath $candidate"
            text = _replaced(text, found, f"{found}; set -g _shtab_loggos_npos 0")
    return text


def _words_before_actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, int]]:
    """Commands with actions of their own, and how many words stand before the action."""
    words = 0
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            if words:
                yield parser.prog, words
            for each in dict.fromkeys(action.choices.values()):
                yield from _words_before_actions(each)
        elif not action.option_strings:
            words += 1


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise AssertionError(f"shtab writes other scripts than those that were tried: no {old!r}")
    return text.replace(old, new)
