"""The house stays as ARCHITECTURE.md lays it out: which room may import which, and how a file looks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Final, get_args

import pytest

from engine.contract.requests import METHODS
from engine.core.messages import Message
from tui.textual_inside import TRIED

ROOT: Final = Path(__file__).parents[1]
ROOMS: Final = ("engine", "storage", "tui")
LINES_WITHOUT_A_REASON: Final = 400
LONG: Final = {
    "engine.contract.answers": "one shape after the other, as docs/control.md has them",
    "engine.contract.requests": "one method after the other, each with its params",
    "engine.core.messages": "one message after the other, each with what it says of itself",
    "engine.sim.world.site": "one pass and its turn, and each point between its items at which a process may end",
    "storage.rows": "one table after the other, each with what its rows say",
    "tui.arguments": "one command after the other, each with what it takes",
    "tui.parser": "one command after the other, each with its help",
}
"""A file is long where its subject is: why it is not cut."""

CORE_MAY_IMPORT: Final = frozenset(
    {
        *("__future__", "bisect", "collections", "collections.abc", "dataclasses", "enum", "functools", "hashlib"),
        *("heapq", "itertools", "math", "operator", "random", "re", "typing"),
        *("msgspec", "msgspec.structs"),
    }
)
"""What is pure, of the standard library and of what makes the core's values: no clock, file, socket, thread or task."""

ENGINE_PROCESS: Final = ("trio", "apsw", "cryptography", "storage", "engine.runtime", "engine.wire", "engine.seal")
"""What only the process of an engine needs."""

REQUESTS: Final = "engine.contract.requests"
MESSAGES: Final = "engine.core.messages"
PROVING: Final = "engine.sim.proving"
SIM_ROOMS: Final = ("engine.sim.truth", "engine.sim.world", "engine.sim.scenario", PROVING)
"""Each may import those before it."""

COMPOSITION_ROOT: Final = "tui.commands.serve"
READERS_OF_STORES: Final = {
    "tui.commands.audit": ("storage.audit",),
    "tui.commands.backup": ("storage.backup",),
    "tui.commands.check": ("storage.beside", "storage.errors", "storage.schema"),
    "tui.commands.rescue": ("storage.rescue", "storage.audit", "storage.errors"),
    "tui.commands.rescue_report": ("storage.rescue",),
    "tui.commands.stored": ("storage.beside", "storage.errors"),
    "tui.commands.version": ("storage.schema",),
}
"""Commands that ask no engine, and the part of the storage that each knows."""

LAB: Final = "tui.lab"
SCENARIOS: Final = "tui.lab.scenarios"
LAB_DOOR: Final = "tui.commands.lab"
"""The only one who imports the lab."""


@dataclass(frozen=True, slots=True)
class Import:
    """`module` as it is imported in line `line`; `names` are those taken from it, none for `import module`."""

    line: int
    module: str
    names: tuple[str, ...]

    def is_of(self, *rooms: str) -> bool:
        """Whether it reaches into one of these packages or modules, or imports one from its parent."""
        reached = {self.module, *(f"{self.module}.{name}" for name in self.names)}
        return any(module == room or module.startswith(f"{room}.") for module in reached for room in rooms)


@dataclass(frozen=True)
class Source:
    path: Path

    @cached_property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    def is_of(self, *rooms: str) -> bool:
        return any(self.module == room or self.module.startswith(f"{room}.") for room in rooms)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Those inside functions too."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[Import]:
        for node in ast.walk(ast.parse(self.path.read_text())):
            match node:
                case ast.Import():
                    yield from (Import(node.lineno, alias.name, ()) for alias in node.names)
                case ast.ImportFrom():
                    assert node.level == 0, f"{self.path}:{node.lineno}: name the module in full"
                    yield Import(node.lineno, node.module or "", tuple(alias.name for alias in node.names))


SOURCES: Final = [Source(path) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
MODULES: Final = {source.module for source in SOURCES}
TESTS: Final = [Source(path) for path in sorted((ROOT / "tests").rglob("*.py"))]


def _crossings(sources: list[Source], *forbidden: str) -> list[str]:
    return [
        f"{source.path.relative_to(ROOT)}:{one.line}: imports {one.module}"
        for source in sources
        for one in source.imports
        if one.is_of(*forbidden)
    ]


def _rooms(*rooms: str) -> list[Source]:
    chosen = [source for source in SOURCES if source.is_of(*rooms)]
    assert chosen, f"{rooms} are gone: this test would hold nothing"
    return chosen


def test_the_core_is_pure() -> None:
    wrong = [
        f"{source.path.relative_to(ROOT)}:{one.line}: imports {one.module}"
        for source in _rooms("engine.core")
        for one in source.imports
        if not (one.module in CORE_MAY_IMPORT or one.is_of("engine.core"))
    ]
    assert wrong == []


def test_the_core_takes_chance_from_outside() -> None:
    """A seed replays a run only if nothing draws from a generator that all share."""
    wrong = [
        f"{source.path.relative_to(ROOT)}:{one.line}: takes {one.names or 'all'} from random"
        for source in _rooms("engine.core", "engine.sim")
        for one in source.imports
        if one.module == "random" and one.names != ("Random",)
    ]
    assert wrong == []


def test_the_engine_knows_no_storage_and_no_screen() -> None:
    assert _crossings(_rooms("engine"), "storage", "tui") == []


def test_the_store_knows_the_core_alone() -> None:
    engine = [
        source.module for source in _rooms("engine") if not source.is_of("engine.core") and source.module != "engine"
    ]
    assert _crossings(_rooms("storage"), "tui", *engine) == []


def test_the_simulator_and_the_running_engine_do_not_know_each_other() -> None:
    assert _crossings(_rooms("engine.sim"), *ENGINE_PROCESS) == []
    real = [source for source in _rooms("engine") if not source.is_of("engine.sim")]
    assert _crossings(real, "engine.sim") == []


def test_the_rooms_of_the_simulator_know_those_below_them_alone() -> None:
    for place, room in enumerate(SIM_ROOMS):
        assert _crossings(_rooms(room), *SIM_ROOMS[place + 1 :]) == []
    vocabulary = [source for source in _rooms("engine.sim") if not source.is_of(*SIM_ROOMS, "engine.sim.mutants")]
    assert _crossings(vocabulary, *SIM_ROOMS, "engine.sim.mutants") == []
    assert _crossings(_rooms("engine.sim.mutants"), *(set(SIM_ROOMS) - {"engine.sim.world"})) == []


def test_no_two_modules_import_each_other() -> None:
    imported = {source.module: _imported(source) for source in SOURCES}
    circles = []
    for module in imported:
        reached: set[str] = set()
        left = [module]
        while left:
            new = imported[left.pop()] - reached
            reached |= new
            left += new
        if module in reached:
            circles.append(module)
    assert circles == []


def _imported(source: Source) -> set[str]:
    """The modules of the house that it imports, for its types too."""
    named = ((one.module, *(f"{one.module}.{name}" for name in one.names)) for one in source.imports)
    return {name for names in named for name in names if name in MODULES}


def test_what_proves_is_in_no_wheel_and_nothing_in_a_wheel_needs_it() -> None:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    wheel = set(import_module("setuptools").find_namespace_packages(str(ROOT), **found))
    others = [source for source in SOURCES if not source.is_of(PROVING)]
    assert wheel == {SCENARIOS, *(".".join(source.path.parent.relative_to(ROOT).parts) for source in others)}
    assert _crossings(others, PROVING) == []


def test_one_composition_root_joins_engine_wire_and_store() -> None:
    others = [source for source in _rooms("tui") if source.module not in {COMPOSITION_ROOT, *READERS_OF_STORES}]
    assert _crossings(others, *ENGINE_PROCESS) == []


@pytest.mark.parametrize("command", READERS_OF_STORES)
def test_who_reads_stores_knows_a_part_of_the_storage_and_nothing_else_of_an_engine(command: str) -> None:
    assert _crossings(_rooms(command), *(set(ENGINE_PROCESS) - {"storage"})) == []
    beyond = [one for source in _rooms(command) for one in source.imports if one.is_of("storage")]
    assert all(one.is_of(*READERS_OF_STORES[command]) for one in beyond)


def test_panes_know_the_client_the_contract_and_core_types_alone() -> None:
    outside_core = [
        source.module
        for source in _rooms("engine")
        if not source.is_of("engine.core", "engine.contract") and source.module != "engine"
    ]
    assert _crossings(_rooms("tui.panes", "tui.screens", "tui.site"), "storage", "tui.commands", *outside_core) == []


def test_the_lab_is_a_room_of_its_own_and_runs_no_engine() -> None:
    assert _crossings(_rooms(LAB), *ENGINE_PROCESS, PROVING, "tui.commands") == []
    others = [source for source in SOURCES if not source.is_of(LAB, LAB_DOOR)]
    assert _crossings(others, LAB) == []


def test_what_runs_a_real_site_knows_no_simulator() -> None:
    """Broken replicas are there alone."""
    assert _crossings(_rooms("storage"), "engine.sim") == []
    assert _crossings([source for source in _rooms("tui") if not source.is_of(LAB)], "engine.sim") == []


def test_the_lab_s_scenarios_are_in_the_wheel() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folder = ROOT.joinpath(*SCENARIOS.split("."))
    assert {path for pattern in data[SCENARIOS] for path in folder.glob(pattern)} == set(folder.iterdir())


@pytest.mark.parametrize(
    "module", ["tui.cli", "tui.connection", "tui.client", "tui.output", "tui.commands.read", "tui.commands.submit"]
)
def test_a_client_command_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"trio", "apsw", "sqlite3", "textual", "cryptography"} & set(loaded.stdout.split())


def test_serving_does_not_load_the_screen() -> None:
    program = f"import sys, tui.cli, {COMPOSITION_ROOT}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"textual", "rich"} & set(loaded.stdout.split())


def test_what_textual_does_not_promise_is_used_in_one_place_and_was_tried_with_the_version_that_is_here() -> None:
    private = re.compile(r"\btextual\._|\b_compositor\b")
    users = [source.module for source in SOURCES + TESTS if private.search(source.path.read_text())]
    assert users == ["tui.textual_inside"]
    assert version("textual") in TRIED, "try what tui/textual_inside.py says with this version, then add it to TRIED"


def test_the_screens_hold_their_widgets_and_look_for_none() -> None:
    """What is under way while a screen goes away would look for what is gone."""
    looking = [source.module for source in _rooms("tui") if re.search(r"\.query(_one)?\(", source.path.read_text())]
    assert looking == []


def test_the_consensus_stands_alone() -> None:
    """What the small clusters search whole knows nothing of what stands around it in a replica."""
    searched = _rooms(
        *("engine.core.consensus", "engine.core.synod", "engine.core.leading.leader", "engine.core.leading.reign"),
        *("engine.core.leading.chains", "engine.core.log.learner", "engine.core.log.microblog"),
        *("engine.core.log.members", "engine.core.log.pages"),
    )
    modules = [source for source in _rooms("engine.core.leading", "engine.core.log") if source.path.stem != "__init__"]
    around = [source.module for source in modules if source not in searched]
    rooms = ("engine.core.events", "engine.core.explained", "engine.core.peers", "engine.core.replica")
    assert _crossings(searched, *rooms, *around) == []


def test_a_new_message_touches_three_files() -> None:
    """What it is, the case that hands it on, and the part that sends and takes it. (What proves is apart: the truth of
    the simulator holds each message against the disk.)"""
    kinds = {kind.__name__ for kind in get_args(Message)}
    named = {
        source.module: kinds & {name for one in source.imports if one.module == MESSAGES for name in one.names}
        for source in SOURCES
        if not source.is_of("engine.sim")
    }
    asks = {module for module, names in named.items() if "AskSlot" in names}
    assert asks == {"engine.core.replica", "engine.core.explained.biographer"}, "and the file that says what it is"
    lists = {module for module, names in named.items() if 2 * len(names) > len(kinds)}
    assert lists == {"engine.core.replica"}, "a message tells it itself: ask it"


def test_a_new_method_touches_four_files() -> None:
    """What is asked, what is answered, who answers it, and docs/control.md; then whoever asks."""
    answering: dict[str, set[str]] = {schema.__name__: set() for schema in METHODS.values()}
    for source in _rooms("engine"):
        for name in (name for one in source.imports if one.module == REQUESTS for name in one.names):
            answering.get(name, set()).add(source.module)
    assert [name for name, modules in answering.items() if len(modules) != 1] == [], "which part answers it?"


def test_every_module_opens_with_a_docstring() -> None:
    bare = [source.module for source in SOURCES + TESTS if not ast.get_docstring(ast.parse(source.path.read_text()))]
    assert bare == []


def test_a_long_file_says_why_it_is_long() -> None:
    lengths = {source.module: len(source.path.read_text().splitlines()) for source in SOURCES}
    long = {module for module, lines in lengths.items() if lines > LINES_WITHOUT_A_REASON}
    assert long - set(LONG) == set()
    assert set(LONG) - lengths.keys() == set()


def test_every_rule_that_is_cited_is_in_the_protocol() -> None:
    rules = set(re.findall(r"^- ([A-Z]\d)", (ROOT / "docs/protocol.md").read_text(), re.MULTILINE))
    kinds = "".join(sorted({rule[0] for rule in rules}))
    cited = {rule for source in SOURCES + TESTS for rule in re.findall(rf"\b[{kinds}]\d\b", source.path.read_text())}
    assert cited == rules


def test_every_page_that_is_named_is_there() -> None:
    named = {
        page
        for source in SOURCES + TESTS
        for page in re.findall(r"\b(?:docs/\w+|[A-Z]+)\.md\b", source.path.read_text())
    }
    assert [page for page in sorted(named) if not (ROOT / page).is_file()] == []


def test_every_module_of_the_engine_has_its_place_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    modules = [
        path.stem for room in ("engine", "engine/core", "engine/sim") for path in (ROOT / room).glob("[a-z]*.py")
    ]
    assert [module for module in modules if not re.search(rf"\b{module}\b", text)] == []


def test_nothing_is_left_for_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    left = [source.module for source in SOURCES + TESTS if any(mark in source.path.read_text() for mark in marks)]
    assert left == []


def test_every_decision_has_a_number_a_date_and_a_line_in_the_index() -> None:
    records = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
    index = (ROOT / "docs/decisions/README.md").read_text()
    for number, record in enumerate(records, 1):
        title, _, date, _, *text = record.read_text().splitlines()
        assert record.name.startswith(f"{number:04d}-"), record
        assert title.startswith(f"# {number}. "), record
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", date), record
        assert text, record
        assert f"| {number} | [{title.partition('. ')[2]}]({record.name}) | {date} |" in index, record
