"""What README and docs/ say can be typed, followed and found."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

from tui.parser import build_parser

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
PAGES: Final = [README, ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKE_TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_first_page_is_short() -> None:
    assert len(README.read_text().splitlines()) < 150


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, part = link.partition("#")
        if path.startswith("http"):
            continue
        target = page.parent / path if path else page
        if not target.exists() or (part and part not in _parts(target)):
            missing.append(link)
    assert missing == []


def _parts(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_can_be_typed(page: Path) -> None:
    for line in _typed(page):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(takewhile(lambda word: not set(word) <= set("|&;<>"), lexer))
        if any(word.strip("[]").isupper() or word in {"...", "\\"} or word.startswith("[") for word in words):
            continue  # it says what may stand there
        build_parser().parse_args(words[1:])


def _typed(page: Path) -> Iterator[str]:
    """The lines of its blocks that begin with `loggos`, as a shell takes them."""
    for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            if command.startswith("loggos ") and not re.match(r"loggos \d", command):
                yield command


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_target_of_make_is_there(page: Path) -> None:
    named = set(re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert {first or second for first, second in named} <= MAKE_TARGETS


def test_the_files_that_a_contributor_is_sent_to_are_there() -> None:
    text = (ROOT / "docs" / "contributing.md").read_text()
    named = set(re.findall(r"`((?:engine|tui|storage|tests|docs)/[^`\s]*|[A-Z]+\.md)`", text))
    gone = [path for path in named if "NAME" not in path and not (ROOT / path).exists()]
    assert gone == []
    assert len(named) > 20
