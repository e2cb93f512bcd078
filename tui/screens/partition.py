"""What is asked when the sites are to be parted, in a demo, where one person is every site."""

from __future__ import annotations

from enum import Enum

from tui.rows import Role, row
from tui.screens.dialogs import Choice, ChoiceDialog


class Partition(Enum):
    EVERYWHERE = "everywhere"
    MEND = "mend"
    HERE = "here"


def partition_dialog(site: str, everywhere: str) -> ChoiceDialog[Partition]:
    """`everywhere` is all sites, in words."""
    cut = row("cut the cluster into groups: ", (f"the same rule at {everywhere}", Role.DIM))
    mend = row("mend it: ", (f"partitions are removed at {everywhere}", Role.DIM))
    own = f"{site} then talks only to its own group; all others talk as before"
    here = row(f"a rule at {site} only: ", (own, Role.DIM))
    choices = (
        Choice("a", "cut", cut, Partition.EVERYWHERE),
        Choice("m", "mend", mend, Partition.MEND),
        Choice("t", f"at {site} only", here, Partition.HERE),
    )
    return ChoiceDialog("Partition", (), choices)
