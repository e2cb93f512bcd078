"""The control socket's contract is what docs/control.md says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import fields

from engine.contract.errors import ErrorCode
from engine.contract.limits import LINE_BYTES_MAX, LINES_MAX, SLOTS_MAX, TRACE_LINES_MAX
from engine.contract.requests import METHODS, BadParams, Request, request

DOCS: Final = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")
_ROW: Final = re.compile(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \| (?:(.*?) )?\| .* \|$", re.MULTILINE)
METHOD_ROWS: Final = {
    name: params
    for names, params in _ROW.findall(DOCS.partition("## Methods")[2].partition("## Shapes")[0])
    for name in re.findall(r"`([^`]+)`", names)
    if name != "method"
}


def test_every_method_is_in_the_docs_and_no_other() -> None:
    assert set(METHOD_ROWS) == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_every_param_is_in_its_row_with_its_default(method: str) -> None:
    row = METHOD_ROWS[method]
    for field in fields(METHODS[method]):
        assert f"`{field.encode_name}`" in row
        if field.required or field.default is None:
            continue
        said = str(field.default).lower().removesuffix(".0")
        assert re.search(rf"`{field.encode_name}` \({said}\b", row), (field.encode_name, said)
    named = {field.encode_name for field in fields(METHODS[method])}
    words = {"submit", "fill", "view", "alice"}
    assert set(re.findall(r"`([a-z_]+)`", row)) - words <= named


def test_the_bounds_and_codes_are_those_of_the_docs() -> None:
    assert LINE_BYTES_MAX == 2**20
    assert f"`limit` above {LINES_MAX:,} (of `trace`: {TRACE_LINES_MAX:,})" in DOCS
    assert f"at most {SLOTS_MAX}" in DOCS
    for code in ErrorCode:
        assert re.search(rf"^\| .*{code.value}\b", DOCS, re.MULTILINE)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_class_says_is_what_its_method_takes(method: str) -> None:
    """Every param refuses a value of no kind, with a sentence that names it."""
    for field in fields(METHODS[method]):
        with pytest.raises(BadParams, match=f"'{field.encode_name}' is "):
            request(method, {**_least(METHODS[method]), field.encode_name: {"no": "kind"}})


def _least(schema: type[Request]) -> dict[str, object]:
    """What is needed, so that one other param can be wrong."""
    values: dict[str, object] = {
        "kind": "tweet",
        "requests": [],
        "slot": 1,
        "topics": ["log"],
        "rule": "drop",
        "number": 1,
        "on": True,
    }
    return {field.encode_name: values[field.encode_name] for field in fields(schema) if field.required}
