"""A YAML file of nested names and texts, with the line of each: what is left of YAML when it is only a notation.

Rules that hold here:
- Only mappings, scalars and lists of scalars: lists of anything else, anchors, aliases, tags and second documents are
  refused, and so is a name given twice.
- Scalars are the text as written, never a number, date or boolean of YAML's.
- Every refusal is a ConfigError with file and line. A file that is too long or nested too deep is refused unread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

FILE_BYTES_MAX: Final = 65_536
DEPTH_MAX: Final = 8
NO_LIST: Final = 'lists are not allowed here: write `name: value` lines (IPv6 as "[::1]:7001")'

_OPENING: Final = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSING: Final = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class ConfigError(Exception):
    """A file that the user wrote is refused; the message is one, with the file, the line and what to write instead."""

    def __init__(self, path: Path, line: int | None, message: str) -> None:
        """`line` counts from 1; None: the file as a whole."""
        super().__init__(f"{path}: {message}" if line is None else f"{path}:{line}: {message}")
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Texts:
    """A list; most settings take none, and refuse it with NO_LIST."""

    items: tuple[Text, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """`items` are in the order of the file; `lines` are those of their keys."""

    line: int
    items: dict[str, Value]
    lines: dict[str, int]


Value = Text | Texts | Section


def read_section(path: Path) -> Section:
    """The mapping that a file is. Raises ConfigError."""
    text = _read_text(path)
    try:
        _refuse_unplain(path, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(path, line, "contains a control character: write the line again without it") from None
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, text, error) from None
    if node is None:
        raise ConfigError(path, 1, "is empty: write a cluster and its sites, or let `loggos init` write them")
    section = _value(path, node)
    if not isinstance(section, Section):
        raise ConfigError(path, section.line, "is not a list of settings: write a line such as `cluster: paxos-island`")
    return section


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError(
            path, None, "does not exist: name the file with --sites, or let `loggos init` write one for a new cluster"
        ) from None
    except OSError as error:
        raise ConfigError(path, None, f"cannot be read ({error.strerror}): name another file with --sites") from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(path, None, f"is longer than {FILE_BYTES_MAX} bytes: name a sites file with --sites")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(path, line, "is not UTF-8 text: save the file as UTF-8") from None


def _refuse_unplain(path: Path, text: str) -> None:
    """On the tokens, which are read one by one: composing recurses, and forgets where an alias stood."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            raise ConfigError(path, line, "anchors (&) and aliases (*) are not allowed: write the value out")
        if isinstance(token, yaml.TagToken):
            raise ConfigError(path, line, "tags (!) are not allowed: write the value alone")
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > DEPTH_MAX:
            raise ConfigError(
                path, line, "is nested too deeply: write `name: value` lines, and the sites below `sites:`"
            )


def _not_yaml(path: Path, text: str, error: yaml.MarkedYAMLError) -> ConfigError:
    in_quotes = error.context is not None and "quoted scalar" in error.context
    mark = error.context_mark if in_quotes else error.problem_mark
    line = 1 if mark is None else mark.line + 1
    if isinstance(error, yaml.composer.ComposerError):
        return ConfigError(path, line, "contains a second document: remove the line `---` and everything after it")
    written = "".join(text.splitlines()[line - 1 : line])
    if in_quotes:
        instead = "end the quoted text on the same line"
    elif "\t" in written:
        instead = "indent with spaces, not tabs"
    elif "]:" in written:
        instead = 'write an IPv6 address in quotes, as "[::1]:7001"'
    else:
        instead = "write `name: value` lines, with the sites indented alike"
    return ConfigError(path, line, f"is not YAML ({error.problem}): {instead}")


def _value(path: Path, node: yaml.Node) -> Value:
    line = node.start_mark.line + 1
    match node:
        case yaml.ScalarNode():
            return Text(node.value, line)
        case yaml.MappingNode():
            return _section(path, node)
        case yaml.SequenceNode() if all(isinstance(item, yaml.ScalarNode) for item in node.value):
            return Texts(tuple(Text(item.value, item.start_mark.line + 1) for item in node.value), line)
        case _:
            raise ConfigError(path, line, NO_LIST)


def _section(path: Path, node: yaml.MappingNode) -> Section:
    section = Section(node.start_mark.line + 1, {}, {})
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(path, line, "a name is one word: write `name: value`")
        if key.value in section.items:
            first = section.lines[key.value]
            raise ConfigError(path, line, f"{key.value!r} is given twice, first on line {first}: remove one")
        section.items[key.value] = _value(path, value)
        section.lines[key.value] = line
    return section
