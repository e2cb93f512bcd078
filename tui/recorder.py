"""Records one site: writes what its engine tells into a file, as `tui.recording` has it.

Rules that hold here:
- A file that is there already is never written over, unless that was asked for, and not before the engine has answered.
- What arrives is written at once, whole lines together. However it ends, whole lines stay: where the disk takes no
  more, what is left of a line is taken back.
- Lines that the engine left out, because this reader was slow, are a Gap in the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

from engine.contract.answers import Topic
from engine.contract.errors import EngineSilent, NoAnswer, RequestFailed
from engine.contract.notifications import EngineStops, RecordLine
from engine.contract.requests import Status, Subscribe
from tui.client import Client
from tui.connection import Incoming, Told
from tui.exits import CommandFailed, ExitStatus
from tui.recording import FORMAT, End, Gap, Header, RecordedLine, written
from tui.selection import LocalSite

_MODE: Final = 0o600
"""What people wrote is in it."""


class Recorder:
    """A recording under way; `left_out` counts what the engine left out of it."""

    def __init__(self, local: LocalSite, client: Client, file: _File) -> None:
        self.left_out = 0
        self._local = local
        self._client = client
        self._file = file

    @property
    def account(self) -> str:
        """What became of it, for people."""
        left_out = f"; {self.left_out} were left out, for this recorder was slow" if self.left_out else ""
        return f"{max(0, self._file.lines - 1)} lines of {self._local.site} are in {self._file.path}{left_out}"

    @classmethod
    def begin(cls, local: LocalSite, client: Client, sites: Sequence[str], path: Path, *, overwrite: bool) -> Self:
        """Records from now on; `sites` are in file order. Raises NoAnswer, RequestRefused, CommandFailed."""
        client.ask(Subscribe(topics=frozenset({Topic.RECORD})))
        status = client.ask(Status())
        recorder = cls(local, client, _File(path, overwrite=overwrite))
        header = Header(
            recording=FORMAT,
            cluster=status.cluster,
            site=status.site,
            sites=tuple(sites),
            leadership=status.leadership,
            leader=status.leader,
            version=version("loggos"),
            since=status.since,
            pid=status.pid,
            at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
        try:
            recorder._file.write(written(header))
        except CommandFailed:
            recorder._file.close()
            raise
        return recorder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def run(self, until: int, why: str) -> None:
        """Until the descriptor `until` is readable, which ends the recording for the reason `why`; what has come by
        then is in it. Raises NoAnswer where the engine ended it, CommandFailed where the file takes no more."""
        try:
            ready: set[int] = set()
            while not ready:
                arrived, ready = self._client.wait(None, {until})
                self._take(arrived)
            while arrived := self._client.wait(0.0)[0]:
                self._take(arrived)
        except NoAnswer as lost:
            self._write([End(str(lost), stopped=not _runs(self._local))])
            raise
        self._write([End(why, stopped=False)])

    def _take(self, arrived: Iterable[Incoming]) -> None:
        lines: list[RecordedLine] = []
        for one in arrived:
            match one:
                case Told(items, dropped):
                    if dropped:
                        self.left_out += dropped
                        lines.append(Gap(dropped))
                    lines += [item for item in items if isinstance(item, RecordLine)]
                case EngineStops():
                    pass  # the connection ends with these words
                case _:
                    continue
        self._write(lines)

    def _write(self, lines: Sequence[RecordedLine]) -> None:
        self._file.write(b"".join(map(written, lines)))


def _runs(local: LocalSite) -> bool:
    """Whether the engine lives, though it cut this recorder off. One that is ending may let others in, and answers
    none."""
    try:
        with Client.connect(local.socket_path) as client:
            client.ask(Status())
    except EngineSilent:
        return True
    except RequestFailed:
        return False
    return True


class _File:
    """`lines` counts the whole ones that are in it."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Raises CommandFailed."""
        self.path = path
        self.lines = 0
        self._size = 0
        how = os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, _MODE)
        except FileExistsError:
            raise there_already(path) from None
        except OSError as error:
            raise CommandFailed(
                ExitStatus.BAD_INPUT, f"cannot write {path} ({error.strerror}): name a file that can be written"
            ) from error

    def close(self) -> None:
        os.close(self._descriptor)

    def write(self, text: bytes) -> None:
        """Raises CommandFailed; then nothing of what did not fit is left."""
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            whole = text[: text.rfind(b"\n", 0, len(text) - len(rest)) + 1]
            self.lines += whole.count(b"\n")
            with suppress(OSError):  # what is no file cannot be cut
                os.ftruncate(self._descriptor, self._size + len(whole))
            raise CommandFailed(
                ExitStatus.UNWRITTEN,
                f"{self.path} cannot be written ({error.strerror}): it keeps what was recorded, and the recording"
                " ends here. Free some space, and record into another file",
            ) from error
        self.lines += text.count(b"\n")
        self._size += len(text)


def there_already(path: Path) -> CommandFailed:
    return CommandFailed(
        ExitStatus.BAD_INPUT, f"{path} already exists: name another file, or replace it with --overwrite"
    )
