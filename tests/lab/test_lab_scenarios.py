"""The scenarios that ship with the lab: each goes as it says, and the catalogue has them all."""

from __future__ import annotations

import pytest

from tui.lab import catalogue
from tui.lab.text import played


def test_the_catalogue_names_every_file() -> None:
    assert sorted(catalogue.NAMES) == sorted(path.stem for path in catalogue.FOLDER.iterdir())


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_each_goes_as_it_says(name: str) -> None:
    scenario = catalogue.scenario(name)
    assert scenario.summary.endswith((".", ")"))
    assert played(scenario.schedule()).verdict == "as expected"
