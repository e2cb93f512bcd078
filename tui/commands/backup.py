"""`backup`: a site's store in a file, as it is at one moment.

Rules that hold here:
- No engine is asked: the store is copied beside it (`storage.backup`), so that a site that does not run is, too.
- A signal ends it with nothing left, and never with 0.
"""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from storage.backup import Backup, BackupFailed, BackupRefused, Phase, back_up
from tui.counted import plural
from tui.exits import CommandFailed, ExitStatus
from tui.interrupts import Interrupted, Interrupts
from tui.output import Account
from tui.progress import progress_bar
from tui.selection import select_site


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    file = Path(arguments.file).absolute()
    if os.path.lexists(file) and not arguments.overwrite:
        raise CommandFailed(ExitStatus.BAD_INPUT, f"{file} already exists: name another file, or add --overwrite")
    if not local.folder.is_dir():
        raise CommandFailed(
            ExitStatus.BAD_INPUT, f"{local.site} has no store in {local.folder}: name its data folder with --data"
        )
    with Interrupts() as interrupts:
        try:
            backup = _back_up(local.folder, file, interrupts)
        except Interrupted:
            raise CommandFailed(128 + interrupts.caught[0], "interrupted: nothing was backed up") from None
        except BackupRefused as error:
            raise CommandFailed(ExitStatus.BAD_INPUT, str(error)) from error
        except BackupFailed as error:
            raise CommandFailed(ExitStatus.STORE_UNUSABLE, str(error)) from error
    out = Account(arguments.json)
    if out.as_json:
        out.json(
            {
                "backup": str(file),
                "site": backup.site,
                "cluster": backup.cluster,
                "slots": backup.slots,
                "bytes": backup.bytes_count,
                "sha256": backup.sha256,
            }
        )
    else:
        what = f"backed up {backup.site} of {backup.cluster}: {plural(backup.slots, 'slot')}"
        out.line(f"{what}, {plural(backup.bytes_count, 'byte')} in {file}")
        out.line(f"sha256 {backup.sha256}")
    return ExitStatus.DONE


def _back_up(folder: Path, file: Path, interrupts: Interrupts) -> Backup:
    with progress_bar() as show:

        def told(phase: Phase, done: int, of: int) -> None:
            if interrupts.caught:
                raise Interrupted
            show(phase, done, of)

        return back_up(folder, file, told)
