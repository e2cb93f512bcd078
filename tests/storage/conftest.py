"""Stores of one cluster for the tests of the audit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.audit import run, stores
from tests.storage.planting import make_cluster


@pytest.fixture(scope="module")
def small_parts() -> Iterator[None]:
    """Every second slot ends a part of the prefix (`storage.tweeted`)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.tweeted.PART_SLOTS", 2)
        yield


@pytest.fixture(scope="module")
def cluster(small_parts: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 - stores are made so
    """Three stores that agree, not to be changed."""
    return make_cluster(tmp_path_factory.mktemp("data"))


@pytest.fixture
def data(cluster: Path, tmp_path: Path) -> Path:
    """A copy of the three stores, to be changed."""
    return shutil.copytree(cluster, tmp_path / "data")


@pytest.fixture(params=[2, 256])
def pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit reads pages of this size."""
    monkeypatch.setattr(run, "PAGE_SLOTS", request.param)
    monkeypatch.setattr(stores, "EVENTS_PAGE", request.param)
