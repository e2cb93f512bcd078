"""Real sites in this process: real stores, UDP and Unix sockets, each with a node of its own.

Rules that hold here:
- Nothing waits by the clock: a helper waits for a condition, bounded by `within`.
- A site's engine is ended by its test, and its exit status is what the test sees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
import trio

from engine.core.ids import SiteId, Tick
from engine.core.settings import CHANGE_LAG, Leadership, Settings, Timings
from engine.core.storage import Storage
from engine.datagram import DATAGRAM_BYTES_LOOPBACK, DatagramSizes
from engine.runtime.assembly import Site
from engine.runtime.inbox import Inbox
from engine.runtime.links import Sealer
from engine.runtime.peer_addresses import HostPort
from engine.runtime.serve import Ready, run_site
from engine.runtime.sockets import await_sockets
from engine.wire import Wire
from storage.schema import Identity
from storage.sqlite import open_store
from tests.ports import free_ports

CLUSTER: Final = "paxos-island"
KEY: Final = bytes(range(32))
QUICK: Final = Timings(heartbeat=Tick(50), retransmit=Tick(30), fill_every=Tick(150), scan_every=Tick(600))
WITHIN_S: Final = 60.0
"""How long anything in these tests may take, on a machine that does much else."""

Json = dict[str, Any]


class RpcFailed(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """A client of a control socket: calls by method, and whatever else the engine says."""

    def __init__(self, stream: trio.SocketStream, nursery: trio.Nursery) -> None:
        self.stream = stream
        self.said: list[Json] = []
        """Everything that the engine sent, in order."""
        self.ended = trio.Event()
        self._heard = trio.Event()
        self._ids = 0
        nursery.start_soon(self._read)

    async def call(self, method: str, **params: object) -> Any:
        return await self.answer(await self.send(method, **params))

    async def send(self, method: str, **params: object) -> int:
        """An event may take as long as everything else, unless the test says how long."""
        self._ids += 1
        if method in {"submit", "submit_many"}:
            params.setdefault("timeout_s", WITHIN_S)
        await self.write({"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params})
        return self._ids

    async def write(self, *messages: Json) -> None:
        await self.stream.send_all(b"".join(orjson.dumps(message) + b"\n" for message in messages))

    async def answer(self, call_id: int | str | None) -> Any:
        """The result of that request. Raises RpcFailed."""
        said = await self.hears(lambda message: "method" not in message and message["id"] == call_id)
        if "error" in said:
            raise RpcFailed(said["error"]["code"], said["error"]["message"])
        return said["result"]

    async def hears(self, fits: Callable[[Json], bool]) -> Json:
        """The first message that fits, waiting for it."""
        seen = 0
        with trio.fail_after(WITHIN_S):
            while True:
                for message in self.said[seen:]:
                    if fits(message):
                        return message
                seen = len(self.said)
                assert not self.ended.is_set(), f"the engine closed the connection after {self.said[-3:]}"
                heard = self._heard
                await heard.wait()

    def items(self, topic: str) -> list[Json]:
        """The items of a topic that were notified so far."""
        observed = [message["params"] for message in self.said if message.get("method") == "observed"]
        return [item for params in observed for item in params["items"] if item["topic"] == topic]

    async def _read(self) -> None:
        rest = b""
        try:
            async with self.stream:
                while chunk := await self.stream.receive_some():
                    *lines, rest = (rest + chunk).split(b"\n")
                    self.said += [orjson.loads(line) for line in lines]
                    self._ring()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self.ended.set()
        self._ring()

    def _ring(self) -> None:
        self._heard.set()
        self._heard = trio.Event()


@dataclass
class Running:
    """A site whose node runs in this process."""

    name: SiteId
    place: HostPort
    control: Path
    inbox: Inbox
    nursery: trio.Nursery
    metrics: str | None = None
    """Where it tells metrics."""
    ended: trio.Event = field(default_factory=trio.Event)
    exit_status: int | None = None

    async def client(self) -> Client:
        return Client(await trio.open_unix_socket(str(self.control)), self.nursery)

    async def call(self, method: str, **params: object) -> Any:
        client = await self.client()
        try:
            return await client.call(method, **params)
        finally:
            await client.stream.aclose()

    async def stop(self) -> int:
        self.inbox.stop("the test is done with it")
        with trio.fail_after(WITHIN_S):
            await self.ended.wait()
        assert self.exit_status is not None
        return self.exit_status


class Cluster:
    """Sites of one cluster; each is started, stopped and started again by name."""

    def __init__(self, folder: Path, names: Iterable[str], nursery: trio.Nursery, timings: Timings = QUICK) -> None:
        self.sites = tuple(sorted(SiteId(name) for name in names))
        self.folder = folder
        self.timings = timings
        self.key_files: tuple[str, ...] = ()
        self.datagram_sizes = DatagramSizes(DATAGRAM_BYTES_LOOPBACK, DATAGRAM_BYTES_LOOPBACK)
        self.running: dict[str, Running] = {}
        self.storage: dict[str, Storage] = {}
        self.addresses: dict[SiteId, HostPort] = {
            site: ("127.0.0.1", port) for site, port in zip(self.sites, free_ports(len(self.sites)), strict=True)
        }
        self.leadership = Leadership.NONE
        self.change_lag = CHANGE_LAG
        self._nursery = nursery

    async def start(
        self,
        name: str,
        *,
        storage: Callable[[Storage], Storage] = lambda opened: opened,
        wire: Callable[[Wire], Sealer] = lambda made: made,
        addresses: Mapping[SiteId, HostPort] | None = None,
        metrics_at: HostPort | None = None,
    ) -> Running:
        """Starts a site and waits until it takes commands; `storage` and `wire` may wrap its parts. `addresses` are
        those of its own sites file; one that is not among the first sites was added."""
        me = SiteId(name)
        folder = self.folder / name
        contacts = () if me in self.sites else tuple(sorted(addresses or ()))
        settings = Settings(
            me, self.sites, self.leadership, self.timings, change_lag=self.change_lag, contacts=contacts
        )
        opened = self.storage[name] = storage(open_store(folder, Identity(CLUSTER, me, self.sites)))
        places = self.addresses if addresses is None else addresses
        site = Site(
            cluster=CLUSTER,
            settings=settings,
            addresses=places,
            wire=wire(Wire(KEY, CLUSTER, me)),
            datagram_sizes=self.datagram_sizes,
            storage=opened,
            folder=folder,
            control=folder / "control.sock",
            version="0",
            key_files=self.key_files,
            store_files={"database": folder / "site.db"},
            metrics_at=metrics_at,
        )
        running = Running(me, places[me], site.control, Inbox(), self._nursery)
        sockets = await await_sockets(site, running.inbox)
        assert sockets is not None, "nothing stops it yet"
        ready = trio.Event()

        async def run() -> None:
            running.exit_status = await run_site(site, sockets, running.inbox, said)
            running.ended.set()

        def said(at: Ready) -> None:
            assert at.control == running.control
            running.metrics = at.metrics
            ready.set()

        self._nursery.start_soon(run)
        with trio.fail_after(WITHIN_S):
            await until(lambda: ready.is_set() or running.ended.is_set())
        self.running[name] = running
        return running

    async def start_all(self) -> None:
        for site in self.sites:
            await self.start(site)

    async def stop_all(self) -> None:
        for running in self.running.values():
            await running.stop()


@asynccontextmanager
async def cluster(folder: Path, *names: str, timings: Timings = QUICK) -> AsyncIterator[Cluster]:
    """A cluster without a running site; what runs at the end is stopped."""
    async with trio.open_nursery() as nursery:
        made = Cluster(folder, names, nursery, timings)
        yield made
        await made.stop_all()
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition that other tasks bring about."""
    with trio.fail_after(WITHIN_S):
        while True:
            if condition():
                return
            await trio.sleep(0.002)


async def status_where(running: Running, fits: Callable[[Any], bool]) -> Any:
    return await eventually(partial(running.call, "status"), fits)


async def eventually(question: Callable[[], Awaitable[Any]], fits: Callable[[Any], bool]) -> Any:
    """Asks until the answer fits, and returns it."""
    answer: Any = None
    with trio.move_on_after(WITHIN_S):
        while True:
            answer = await question()
            if fits(answer):
                return answer
            await trio.sleep(0.01)
    raise AssertionError(f"it never came to fit; last: {answer!r}")
