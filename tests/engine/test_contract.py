"""The control socket's contract is what docs/control.md says of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final, get_origin

import pytest
from msgspec.structs import fields

from engine.contract import answers, members, notifications, status
from engine.contract.answers import Lines, Topic
from engine.contract.errors import BadAnswer, ErrorCode
from engine.contract.limits import LINE_BYTES_MAX, LINES_MAX, SLOTS_MAX, SUBMITTED_MAX, TRACE_LINES_MAX
from engine.contract.notifications import ITEMS, LOG_SPAN
from engine.contract.params import BadParams
from engine.contract.requests import METHODS, Request, Submit, answered_by, request
from engine.contract.shape import Shape, printed_names, read
from engine.core.explained.readings import HOLES_SHOWN_MAX

_FOLDER: Final = Path(__file__).parents[2] / "docs"
DOCS: Final = (_FOLDER / "control.md").read_text(encoding="utf-8")
COMMANDS: Final = (_FOLDER / "commands.md").read_text(encoding="utf-8")
_ROW: Final = re.compile(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \| (?:(.*?) )?\| (.*) \|$", re.MULTILINE)
_ROWS: Final = [
    (re.findall(r"`([^`]+)`", names), params, re.findall(r"`(\{[^`]+)`", result))
    for names, params, result in _ROW.findall(DOCS.partition("## Methods")[2].partition("## Shapes")[0])
]
METHOD_ROWS: Final = {name: params for names, params, _ in _ROWS for name in names}
RESULTS: Final = {name: shape for names, _, shapes in _ROWS for name, shape in zip(names, shapes, strict=False)}

IN_CONTROL: Final = {
    answers.Entry: "An *entry* is",
    answers.OutcomeSpan: "that came to the same end:",
    answers.Waiting: '"waiting":',
    answers.PlanLine: '| `plan` | `slots` (null: all holes, at most 1000) | `{"lines":[',
    answers.Attempt: "**attempt** (what this site is doing about a slot):",
    answers.LinearizableRead: "**read** (of a `view` with `fresh`):",
    answers.Biography: "**biography**:",
    answers.SlotQuorum: '"void":bool,"quorum":',
    answers.SiteAccount: "one for each site of the cluster:",
    answers.BallotAccount: "`ballots` ascend:",
    answers.Rule: "**rule**:",
    answers.Held: "**held**:",
    members.Member: "**member**: `",
    members.ChangePlan: "**plan**: `",
    status.Coming: "not in effect yet):",
    status.Removed: "or of a site that the log removed",
    notifications.RecordLine: "**record line**:",
    notifications.DatagramName: "A name of a datagram:",
    notifications.SaidLine: "A said line:",
    notifications.SlotLine: "A slot line is what a site has of a slot from now on:",
    notifications.RangeLine: "A range line:",
    status.Counters: "**counters** only grow, since the engine started:",
    status.KeyFiles: "`key` is null without a key, else",
    status.FaultCounts: '"costs":{...},"faults":',
    status.Costs: "what events cost this site since its start:",
    status.PerEvent: '"per_event":',
    answers.NoOps: "**no-ops**:",
    notifications.Observed: '"method":"observed","params":',
    notifications.LogSpan: '`{"topic":"log-span"}` +',
    notifications.Acknowledged: '"method":"acknowledged","params":',
    notifications.EngineStops: '"method":"stopping","params":',
}
"""What stands before the object that shows all keys of a shape."""

IN_COMMANDS: Final = {
    answers.Outcome: "`tweet`, `block` and `unblock` print the outcome of the event.",
    answers.TimelineLine: "| `view` | `",
    answers.LogLine: "| `log` | `",
    answers.BlockLine: "| `blocks` | `",
    answers.AcceptorLine: "| `data` | `",
    answers.FillLine: "| `fill` | `",
    answers.TraceLine: "| `trace` | `",
    status.Status: "| `status` | `",
    status.Quorum: '"quorum":',
    status.KeyFiles: '"key":',
    status.Peer: '"peers":{NAME:',
    answers.Entry: "ENTRY is",
    answers.Faults: "| `list`, or none | `",
    answers.Rule: "RULE is",
    answers.Held: "HELD is",
    answers.Removed: "| `remove N`, `clear` | `",
    answers.Released: "| `release [N ...]` | `",
    answers.Dropped: "| `drop [N ...]` | `",
    answers.Biography: "With `--json` it is one object:",
}
"""The same for what the commands print, in the order in which they print it."""

ADDED: Final = {
    answers.Outcome: ("**outcome**: that of", r'`"(\w+)"`'),
    answers.LogLine: ("**log line**:", r'`"(\w+)"`'),
    answers.TraceLine: ("**trace line**:", r'(?:For screens there is|and|several;) `"(\w+)"`'),
    answers.LinearizableRead: ("**read** (of a `view` with `fresh`):", r'`"(\w+)"`'),
    status.Peer: (
        "**status**: the object of",
        r"`peers\[name\]\.(heard_s|voting|address|clock_ms|standing|wanted_by|file_address)`",
    ),
    status.Status: (
        "**status**: the object of",
        r"`(udp|pid|version|since|fill_in_s|data|attempts|standing|wanted_by|coming|removed)`",
    ),
}
"""Which paragraph tells what is for screens, and how a key stands in it."""


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
    words = {"submit", "submit_many", "fill", "view", "alice"}
    assert set(re.findall(r"`([a-z_]+)`", row)) - words <= named


def test_the_bounds_and_codes_are_those_of_the_docs() -> None:
    assert LINE_BYTES_MAX == 2**20
    assert f"`limit` above {LINES_MAX:,} (of `trace`: {TRACE_LINES_MAX:,})" in DOCS
    assert f"at most {SLOTS_MAX}" in DOCS
    assert f"`texts`: 1 to {SUBMITTED_MAX} tweets" in DOCS
    assert f"`holes` names at most {HOLES_SHOWN_MAX:,} slots" in DOCS
    assert HOLES_SHOWN_MAX == SLOTS_MAX
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
        "kind": "tweet" if schema is Submit else "readmit",
        "site": "alice",
        "requests": [],
        "slot": 1,
        "topics": ["log"],
        "words": "hello",
        "texts": ["hello"],
        "rule": "drop",
        "number": 1,
        "on": True,
    }
    return {field.encode_name: values[field.encode_name] for field in fields(schema) if field.required}


def test_every_topic_has_its_shape() -> None:
    assert set(ITEMS) - {LOG_SPAN} == set(Topic)


@pytest.mark.parametrize("method", RESULTS)
def test_a_result_has_the_keys_of_its_row(method: str) -> None:
    shape: type[Shape] = answered_by(METHODS[method])
    assert sorted(_keys(RESULTS[method])) == sorted(_all_keys(get_origin(shape) or shape))


@pytest.mark.parametrize(("shape", "words"), IN_CONTROL.items())
def test_a_shape_has_the_keys_of_the_docs(shape: type[Shape], words: str) -> None:
    assert _keys(" ".join(DOCS.split()).partition(words)[2]) == list(printed_names(shape))


@pytest.mark.parametrize(("shape", "words"), IN_COMMANDS.items())
def test_what_is_printed_has_the_keys_that_scripts_are_promised_in_order(shape: type[Shape], words: str) -> None:
    assert _keys(COMMANDS.partition(words)[2]) == list(printed_names(shape))


@pytest.mark.parametrize(("shape", "told"), ADDED.items())
def test_what_is_told_to_screens_beside_that_is_in_the_docs(shape: type[Shape], told: tuple[str, str]) -> None:
    words, key = told
    paragraph = DOCS.partition(f"\n\n{words}")[2].partition("\n\n")[0]
    assert set(re.findall(key, paragraph)) == _all_keys(shape) - set(printed_names(shape))


def test_no_shape_is_left_out_of_the_docs() -> None:
    told = {
        *IN_CONTROL,
        *IN_COMMANDS,
        *(get_origin(shape) or shape for shape in (answered_by(METHODS[name]) for name in RESULTS)),
    }
    shapes = {
        shape
        for room in (answers, members, notifications, status)
        for shape in vars(room).values()
        if isinstance(shape, type) and issubclass(shape, Shape)
    }
    assert shapes - told == {Shape, answers.LinearizablePage}


def test_a_topic_of_a_later_version_is_left_out() -> None:
    rule = {"number": 1, "text": "drop", "on": True, "hits": 0, "expires_at": None, "while_connected": False}
    faults = {"topic": "faults", "rules": [rule], "held": [], "seed": 3}
    told = read(notifications.Observed, {"dropped": 0, "items": [{"topic": "weather"}, faults, {}]})
    assert told.known() == [answers.Faults((answers.Rule(1, "drop", True, 0, None, False),), (), 3)]


def test_what_is_missing_or_of_another_type_is_named_and_more_is_ignored() -> None:
    said = {"blocker": "alice", "blocked": "bob", "slot": 12}
    assert read(answers.BlockLine, said | {"new": 1}) == answers.BlockLine("alice", "bob", 12)
    with pytest.raises(BadAnswer, match=r"^the engine's answer has no 'slot': it is of another version, restart it$"):
        read(Lines[answers.BlockLine], {"lines": [{"blocker": "alice", "blocked": "bob"}]})
    for wrong in (None, said | {"slot": "12"}):
        with pytest.raises(BadAnswer, match=r"^the engine's answer is not as it should be .*: it is of another"):
            read(answers.BlockLine, wrong)


_AT_ONCE: Final = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from msgspec import defstruct
from engine.contract.shape import Shape, read

def first(shape):
    ready.wait()
    return read(shape, {"inner": {"a": 1, "b": "two"}}).inner.b

sys.setswitchinterval(1e-6)
ready = Barrier(4)
with ThreadPoolExecutor(4) as threads:
    for _ in range(200):
        inner = defstruct("Inner", [("a", int), ("b", str)], bases=(Shape,))
        outer = defstruct("Outer", [("inner", inner)], bases=(Shape,))
        assert list(threads.map(first, [outer] * 4)) == ["two"] * 4
"""


def test_several_threads_may_be_the_first_to_read_an_answer_of_its_kind() -> None:
    """As where several sites are asked at once: msgspec alone ends such a process by a signal."""
    done = subprocess.run([sys.executable, "-c", _AT_ONCE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def _all_keys(shape: type[Shape]) -> set[str]:
    return {field.encode_name for field in fields(shape)}


def _keys(text: str) -> list[str]:
    """The keys of the first object in a text, those of objects in it left out."""
    found: list[str] = []
    depth, before = 0, ""
    for token in re.findall(r'"[^"]*"|[{}\[\],:]', text[text.index("{") :]):
        match token:
            case "{" | "[":
                depth += 1
            case "}" | "]":
                depth -= 1
                if not depth:
                    break
            case ":" | ",":
                pass
            case key if depth == 1 and before in "{,":
                found.append(key.strip('"'))
        before = token
    return found
