"""D3, whatever the bytes are: a changed store is refused, or says exactly what it said before. Nothing else escapes."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.storage import StoreError
from tests.storage.samples import a_row_in_each_table, open_sample
from tests.storage.test_store_damage import seen_in


@dataclass(frozen=True)
class Change:
    """Bytes that are overwritten, taken out or put in at a place (0 to 1) of the file."""

    where: float
    kind: str
    data: bytes

    def done_to(self, content: bytes) -> bytes:
        at = int(self.where * len(content))
        match self.kind:
            case "overwrite":
                return content[:at] + self.data + content[at + len(self.data) :]
            case "insert":
                return content[:at] + self.data + content[at:]
            case _:
                return content[:at] + content[at + len(self.data) :]


changes = st.builds(
    Change, st.floats(0, 1, exclude_max=True), st.sampled_from(["overwrite", "insert", "remove"]), st.binary(min_size=1)
)


@dataclass(frozen=True)
class Original:
    folder: Path
    content: bytes = field(repr=False)
    said: object = field(repr=False)


@pytest.fixture(scope="module")
def original(small_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Original:  # noqa: ARG001 - rows of each table
    folder = tmp_path_factory.mktemp("original")
    with closing(open_sample(folder)) as store:
        store.commit(a_row_in_each_table())
    return Original(folder, (folder / "site.db").read_bytes(), seen_in(folder))


@given(done=st.lists(changes, min_size=1, max_size=3))
@settings(max_examples=150)
def test_d3_a_changed_file_is_refused_or_says_the_same(original: Original, done: list[Change]) -> None:
    content = original.content
    for change in done:
        content = change.done_to(content)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(original.folder, folder, dirs_exist_ok=True)
        (folder / "site.db").write_bytes(content)
        try:
            said = seen_in(folder)
        except StoreError:
            return
    assert said == original.said
