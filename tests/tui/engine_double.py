"""A stand-in for a running engine: docs/control.md over a real Unix socket, in the event loop of the test.

Its log is computed, not stored, so that a million slots cost nothing; what it says unasked is up to the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import orjson

from engine.contract.limits import SEARCHED_MAX
from engine.contract.requests import (
    AnyView,
    Blocks,
    Events,
    Explain,
    Faults,
    Inspect,
    Log,
    Metrics,
    Plan,
    Search,
    Status,
    Subscribe,
    TraceLines,
    request,
)
from engine.core.ids import SiteId
from engine.runtime.jsonrpc import Call, decode
from tui.hops import Hop

CALL_BOUND_S: Final = 60.0

Json = dict[str, Any]

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SITES = ("alice", "bob", "carol", "dave", "erin")


class ErrorAnswer(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry(
    kind: str, author: str | None, number: int | None, text: str | None = None, target: str | None = None
) -> Json:
    event = None if author is None else f"{author}/{number}"
    return {"kind": kind, "author": author, "id": event, "text": text, "target": target}


def log_line(slot: int, kind: str | None = "tweet", author: str | None = "bob", **other: Any) -> Json:
    """A chosen slot unless `state` says otherwise."""
    number = slot if author is not None else None
    ballot = f"1.{author or 'alice'}"
    line = {"slot": slot, "state": "chosen", **entry(kind or "", author, number), "kind": kind, "chosen_at": ballot}
    line |= {"accNum": ballot, "maxPrepare": ballot, "at": at(slot), "attempt": None}
    if kind == "tweet" and "text" not in other:
        line["text"] = f"tweet number {slot}"
    return line | other


def attempt(slot: int, phase: str, votes: tuple[str, ...], text: str = "", author: str = "alice") -> Json:
    asked = ("alice", "bob", "carol")
    return {
        "slot": slot, "phase": phase, "ballot": "2.alice", "votes": votes, "asked": asked, "needed": 3,
        "entry": entry("tweet", author, 9, text), "why": "counting answers", "since": at(slot),
    }  # fmt: skip


def outcome(said: str, number: int = 1, **other: Any) -> Json:
    """Of this site's event of that number."""
    told = {"outcome": said, "id": f"alice/{number}", "slot": None, "to": None, "reason": None}
    return told | {"waits_for": None, "took_ms": None} | other


def span(said: str, first: int, count: int, slot: int | None = None, **other: Any) -> Json:
    """Of so many of this site's events, from that number on; `slot` is that of the first."""
    last_slot = None if slot is None else slot + count - 1
    ids = {"first": f"alice/{first}", "last": f"alice/{first + count - 1}", "slot": slot, "last_slot": last_slot}
    return {
        "outcome": said,
        "count": count,
        **ids,
        "to": None,
        "reason": None,
        "waits_for": None,
        "took_ms": None,
    } | other


def filled(slot: int, result: str, kind: str | None = None, why: str | None = None) -> Json:
    return {"lines": [{"slot": slot, "result": result, "kind": kind}], "why": why}


def site_account(site: str, ballot: str | None = None, **other: Any) -> Json:
    """A site that answered and has learned nothing, unless `other` says otherwise."""
    account = {
        "site": site, "answered": True, "voting": True, "maxPrepare": ballot, "accNum": None, "accVal": None,
        "learned": False, "learned_at": None, "learned_how": None, "learned_from": None,
    }  # fmt: skip
    return account | other


def silent_account(site: str) -> Json:
    return dict.fromkeys(site_account(site)) | {"site": site, "answered": False}


def biography(slot: int, names: tuple[str, ...] = SITES, **other: Any) -> Json:
    """A slot of which nobody but the first site answered anything, unless `other` says otherwise."""
    told = {
        "slot": slot, "state": "empty", "may_be_chosen": True, "sentence": "empty: nobody answered: may be chosen",
        "entry": None, "void": False, "quorum": None, "ballots": [],
        "sites": [site_account(names[0]), *map(silent_account, names[1:])],
    }  # fmt: skip
    return told | other


def trace_line(seconds: float, direction: str, peer: str | None, kind: str, **other: Any) -> Json:
    line = {"at": at(seconds), "dir": direction, "peer": peer, "type": kind, "slot": None, "ballot": None, "note": ""}
    return line | {"ranged": False, "fate": None, "slots": []} | other


class EngineDouble:
    """Serves any number of connections until the block ends."""

    def __init__(self, folder: Path, site: str = "alice", sites: tuple[str, ...] = SITES) -> None:
        self.folder = folder / site
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hop = Hop(SiteId(site), folder / f"{site}.sock", self.folder / "engine.log", folder / "sites.yaml")
        self.site = site
        self.sites = sites
        self.calls: list[tuple[str, Json]] = []
        self._called = asyncio.Event()
        self.used_max = 0
        self.special: dict[int, Json] = {}
        """Slots whose line is not the usual tweet."""
        self.usual: Callable[[int], Json] = log_line
        self.no_ops: list[Json] = []
        self.trace: list[Json] = []
        self.blocks: list[Json] = []
        self.events: list[Json] = []
        self.rules: list[Json] = []
        self.held: list[Json] = []
        self.slots: dict[int, Json] = {}
        self.biographies: dict[int, Json] = {}
        self.hidden = 0
        self.status_changes: Json = {}
        self.on: dict[str, Callable[[Json], Any]] = {}
        """Methods that the test answers itself; a coroutine is awaited."""
        self.acknowledges: list[str] = []
        """The ids that it acknowledges the next events with."""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.hop.socket_path, limit=2**21)

    async def stop(self) -> None:
        """Closes every connection, as an engine that ends does."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self.hop.socket_path.unlink(missing_ok=True)

    def called(self, method: str) -> list[Json]:
        return [params for name, params in self.calls if name == method]

    async def until_called(self, method: str) -> None:
        """For a screen in another process, which tells of nothing else."""
        async with asyncio.timeout(CALL_BOUND_S):
            while not self.called(method):
                self._called.clear()
                await self._called.wait()

    def tell(self, *items: Json, dropped: int = 0) -> None:
        """One notification to everybody who is connected."""
        self.send({"method": "observed", "params": {"dropped": dropped, "items": list(items)}})

    def send(self, message: Json) -> None:
        for writer in self._writers:
            writer.write(orjson.dumps({"jsonrpc": "2.0", **message}) + b"\n")

    def append(self, **line: Any) -> None:
        """One more slot is chosen, and told."""
        self.used_max += 1
        self.special[self.used_max] = log_line(self.used_max, **line)
        self.tell({"topic": "log", **self.special[self.used_max]}, {"topic": "status", **self.status()})

    # What it answers.

    def line(self, slot: int) -> Json:
        return self.special.get(slot) or self.usual(slot)

    def prefix(self) -> int:
        unlearned = [slot for slot, line in self.special.items() if line["state"] != "chosen"]
        return min(unlearned, default=self.used_max + 1) - 1

    def holes(self) -> list[int]:
        return sorted(slot for slot, line in self.special.items() if line["state"] != "chosen" and slot < self.used_max)

    def status(self) -> Json:
        up = {"up": True, "rtt_ms": 3, "chosen_through": self.prefix(), "heard_s": 0.1, "voting": True}
        peers = {
            site: up
            | {"address": f"127.0.0.1:{7000 + number}", "datagram_bytes": 1_452, "clock_ms": 0, "key": "first"}
            | {"standing": "voter", "file_address": None, "wanted_by": None}
            for number, site in enumerate(self.sites, 1)
            if site != self.site
        }
        status = {
            "site": self.site, "cluster": "paxos-island", "leadership": "none", "leader": None,
            "quorum": {"reachable": len(self.sites), "needed": len(self.sites) // 2 + 1, "size": len(self.sites)},
            "chosen_through": self.prefix(), "chosen_max": self.used_max, "next": self.used_max + 1,
            "holes": self.holes(), "recovering": False, "voting": True, "voting_why": "", "mismatch": None,
            "hindered": None,
            "narrow": None, "unsent": None, "sites_file": None,
            "faults": sum(rule["on"] for rule in self.rules), "unknown": 0, "fresh_at": None,
            "key": {"first": "cluster.key", "second": None},
            "peers": peers,
            "counters": {
                "datagrams_in": 1204, "datagrams_out": 1190, "bytes_in": 240_800, "bytes_out": 238_000,
                "receive_errors": {}, "send_errors": {}, "passes": 2410, "commits": 131, "writes": 390,
                "messages_in": 1450, "messages_out": 1502, "events": {"created": 11}, "rejected": {},
                "second_key": {},
                "faults": dict.fromkeys(("dropped", "delayed", "duplicated", "held", "overflowed"), 0),
                "log_lines_lost": 0,
                "costs": {
                    "events": 37, "messages_in": 450, "messages_out": 458, "datagrams_in": 180, "datagrams_out": 181,
                    "bytes_in": 70_000, "bytes_out": 71_987, "commits": 110,
                    "per_event": {"messages": 12.38, "datagrams": 4.9, "bytes": 1945.6, "syncs": 2.97},
                },
            }, "udp": "127.0.0.1:7001",
            "pid": 4711, "version": "0.1.0", "since": at(0), "fill_in_s": None, "data": "/data/alice",
            "standing": "voter", "wanted_by": None, "coming": None, "removed": None,
            "attempts": [told for line in self.special.values() if (told := line.get("attempt")) is not None],
        }  # fmt: skip
        return status | self.status_changes

    def metrics(self) -> Json:
        took: Json = {"bounds_s": [0.01], "counts": [0, 0], "sum_s": 0.0}
        return {
            "status": self.status(), "holes": len(self.holes()), "elections": {}, "created": took, "commits": took,
            "round_trips": {}, "store_bytes": {}, "disk_free_bytes": None,
        }  # fmt: skip

    def faults(self) -> Json:
        rules = [{"while_connected": False, **rule} for rule in self.rules]
        held = [{"ballot": None, "slots": [], **each} for each in self.held]
        return {"rules": rules, "held": held, "seed": 42}

    def answer(self, method: str, params: Json) -> Any:
        match request(method, params):
            case Subscribe(topics=topics):
                return {"subscribed": sorted(topics)}
            case Status():
                return self.status()
            case Metrics():
                return self.metrics()
            case Faults():
                return self.faults()
            case TraceLines(limit=limit):
                return {"lines": self.trace[-limit:]}
            case Events(ids=None, limit=limit):
                return {"lines": self.events[-limit:]}
            case Events(ids=tuple(ids)):
                listed = {each["id"]: each for each in self.events}
                if missing := [id_ for id_ in ids if id_ not in listed]:
                    raise ErrorAnswer(1, f"{self.site} has no event {missing[0]}: see `events {self.site}`")
                return {"lines": [listed[id_] for id_ in ids]}
            case Blocks():
                return {"lines": self.blocks}
            case Log() as asked:
                last = min(asked.last or self.used_max, self.used_max)
                first = max(asked.first or 1, last - asked.limit + 1)
                lines = [self.line(slot) for slot in range(first, last + 1)]
                no_ops = [each for each in self.no_ops if each["first"] <= last and each["last"] >= first]
                return {"lines": lines, "used_max": self.used_max, "prefix": self.prefix(), "no_ops": no_ops}
            case Search(below=below) as asked:
                last = min(below - 1 if below else self.used_max, self.used_max)
                first = max(asked.first or 1, last - SEARCHED_MAX + 1)
                return {"slots": self._found(asked, first, last), "reached": first}
            case Plan(slots=slots):
                planned = self.holes() if slots is None else slots
                return {"lines": [{"slot": slot, "state": "hole", "action": "ask the others"} for slot in planned]}
            case AnyView(limit=limit, before=before):
                return self._view(limit, before)
            case Explain(slot=slot):
                return self.biographies.get(slot) or biography(slot, self.sites)
            case Inspect(slot=slot):
                return {"hindered": None} | self.slots[slot]
            case _:
                raise ErrorAnswer(-32601, f"no such method: {method}")

    def _found(self, asked: Search, first: int, last: int) -> list[int]:
        words = [word.casefold() for word in asked.words or ()]
        lines = (self.line(slot) for slot in range(first, last + 1))
        return [
            line["slot"]
            for line in lines
            if (line["kind"] == "tweet" or not asked.timeline)
            and asked.author in {None, line["author"]}
            and all(word in f"{line['author']} {line['text']}".casefold() for word in words)
        ]

    def _view(self, limit: int, before: int | None) -> Json:
        lines: list[Json] = []
        slot = self.prefix() if before is None else min(before - 1, self.prefix())
        while slot >= 1 and len(lines) < limit:
            line = self.line(slot)
            if line["kind"] == "tweet":
                lines.append({key: line[key] for key in ("slot", "author", "text", "at")})
            slot -= 1
        other = sum(line["kind"] != "tweet" for at_slot, line in self.special.items() if at_slot <= self.prefix())
        later = sum(line["state"] == "chosen" for at_slot, line in self.special.items() if at_slot > self.prefix())
        waiting = {"slot": self.prefix() + 1, "later": later} if self.prefix() < self.used_max else None
        return {
            "lines": lines[::-1], "shown": self.prefix() - other - self.hidden, "hidden": self.hidden,
            "prefix": self.prefix(), "waiting": waiting, "fresh": None,
        }  # fmt: skip

    # The socket.

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                call = decode(line)
                task = asyncio.create_task(self._reply(call, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                if call.method not in self.on:
                    await task
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _reply(self, call: Call, writer: asyncio.StreamWriter) -> None:
        params = dict(call.params)
        self.calls.append((call.method, params))
        self._called.set()
        if params.get("acknowledge") and self.acknowledges:
            told = {"request": call.id, "id": self.acknowledges.pop(0), "count": 1}
            writer.write(orjson.dumps({"jsonrpc": "2.0", "method": "acknowledged", "params": told}) + b"\n")
        reply: Json = {"jsonrpc": "2.0", "id": call.id}
        try:
            own = self.on.get(call.method)
            result = self.answer(call.method, params) if own is None else own(params)
            reply["result"] = await result if asyncio.iscoroutine(result) else result
        except ErrorAnswer as refused:
            reply["error"] = {"code": refused.code, "message": str(refused)}
        writer.write(orjson.dumps(reply) + b"\n")
