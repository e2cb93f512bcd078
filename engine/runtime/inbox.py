"""What waits for the node: clients' requests, and the bell that ends its sleep.

Rules that hold here:
- The node acts for one task at a time; the tasks of sockets put things here, and mostly act for it at once. Nothing is
  awaited for each event.
- What waits is bounded: a client that asks faster than the node answers is read more slowly.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, Protocol

import trio
from msgspec import Struct

from engine.contract.params import CallId
from engine.contract.requests import Request
from engine.contract.shape import Shape
from engine.runtime.jsonrpc import CallFailed

REQUESTS_MAX: Final = 4_096
ACTS_AT_ONCE_BYTES_MAX: Final = 16_384
"""Of what is put together, for it to be acted upon at once."""
_PUT_OFF_S: Final = 0.05
"""To put a deadline off costs a part of what a wake does: not worth it for less, where it is put off at each wake."""


_client_of: Final = attrgetter("client")
_size_of: Final = attrgetter("size_bytes")


class Client(Protocol):
    """One connection of the control socket, as the node sees it. Nothing here blocks or raises."""

    @property
    def closed(self) -> bool: ...

    @property
    def queued_bytes(self) -> int:
        """What was given to it and not read by the other end yet."""

    def answer(self, call_id: CallId, value: Shape) -> None: ...

    def answer_all(self, answers: Sequence[tuple[CallId, Shape]]) -> None: ...

    def fail(self, failed: CallFailed) -> None: ...

    def notify(self, line: bytes) -> None: ...

    def taken(self, size_bytes: int) -> None:
        """The node has taken requests of so many bytes."""


class Listener(Protocol):
    def flush(self) -> None:
        """Nothing more is said to it in this pass."""


class Asked(Struct, frozen=True):
    """`size_bytes`: what it takes, held for the client until the node takes the request."""

    client: Client
    call_id: CallId
    request: Request
    size_bytes: int


class Inbox:
    def __init__(self) -> None:
        self._requests: deque[Asked] = deque()
        self._spoken_to: dict[Listener, None] = {}
        self._room = trio.lowlevel.ParkingLot()
        self._rung = self._acting = False
        self._sleep: trio.CancelScope | None = None
        self._until_s: float | None = None
        self._act: Callable[[], float | None] = lambda: None
        self._is_deaf: Callable[[], bool] = lambda: False
        self._failed: Exception | None = None
        self.stop_reason: str | None = None

    def stop(self, reason: str) -> None:
        """Asks the node to end cleanly."""
        self.stop_reason = reason
        self.ring()

    def ring(self) -> None:
        self._rung = True
        if self._sleep is not None:
            self._sleep.cancel()
            self._sleep = None

    async def wait(self, something: Callable[[], Awaitable[None]]) -> None:
        """Until `something` happens or the bell rings; a checkpoint in any case."""
        await self.follow(something, math.inf, lambda: None)

    async def follow(
        self,
        something: Callable[[], Awaitable[None]],
        until_s: float | None,
        act: Callable[[], float | None],
        is_deaf: Callable[[], bool] = lambda: False,
    ) -> None:
        """Acts whenever `something` happens, the bell rings or trio's clock says `until_s`, and then what it returned
        last, until that is None; raises what that raises. A checkpoint comes before each time. `is_deaf`: `something`
        has not begun to listen yet, and a request makes it do so.

        The node itself waits for its socket: a task of its own that only woke the node would double what a wake costs.
        For the same reason a cancel scope lasts until the bell or the clock breaks into it, and its deadline stays as
        it is where the next one is a little later: a clock that strikes too early is not acted upon. And who puts a few
        requests acts in the place of a node that sleeps, and lets it sleep on. Who puts many has more to say: until the
        node is awake, that comes too.
        """
        self._until_s, self._act, self._is_deaf = until_s, act, is_deaf
        while self._until_s is not None:
            self._sleep = None
            if self._rung or self._requests:
                await trio.lowlevel.checkpoint()
            else:
                with trio.CancelScope(deadline=self._until_s) as self._sleep:
                    await something()
                    while self._goes_on() and self._sleep is not None and not self._requests:
                        if self._sleep.cancel_called:
                            break  # the clock struck just when something happened: that was acted upon
                        await something()
                    continue
                if self._until_s is None or (not self._rung and trio.current_time() < self._until_s):
                    continue
            self._goes_on()
        if self._failed is not None:
            raise self._failed

    def _goes_on(self) -> bool:
        """Acts, unless it did for the last time; False where that was the last time, as where it raises (D2)."""
        if self._until_s is None:
            return False
        self._until_s, self._rung, self._acting = None, False, True
        try:
            self._until_s = self._act()
        finally:
            self._acting = False
            self.flush()
        if self._until_s is None:
            return False
        if self._sleep is not None and not 0 <= self._until_s - self._sleep.deadline < _PUT_OFF_S:
            self._sleep.deadline = self._until_s
        return True

    async def put(self, asked: list[Asked]) -> None:
        """Hands requests to the node; waits while too many wait there already."""
        if not asked:
            return
        self._requests.extend(asked)
        if self._sleep is None or self._is_deaf() or sum(map(_size_of, asked)) > ACTS_AT_ONCE_BYTES_MAX:
            self.ring()
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()  # what others put just now goes with it
            if self._requests and self._sleep is not None:
                self._act_for_the_node()
        while len(self._requests) > REQUESTS_MAX:
            await self._room.park()

    def _act_for_the_node(self) -> None:
        try:
            goes_on = self._goes_on()
        except Exception as error:  # the node's: it raises it
            self._failed, goes_on = error, False
        if not goes_on or self._requests:
            self.ring()

    def drop(self, client: Client) -> int:
        """Nobody takes what this client asked any more; how many requests that were."""
        kept = deque(asked for asked in self._requests if asked.client is not client)
        dropped = len(self._requests) - len(kept)
        self._requests = kept
        self._make_room()
        return dropped

    @property
    def waits(self) -> bool:
        """A request does."""
        return bool(self._requests)

    def take(self, count_max: int) -> list[Asked]:
        waiting = self._requests
        taken = [waiting.popleft() for _ in range(min(count_max, len(waiting)))]
        for client, requests in groupby(taken, _client_of):
            client.taken(sum(map(_size_of, requests)))
        self._make_room()
        return taken

    def spoken(self, listener: Listener) -> bool:
        """Something is said to it, the first since it was flushed; True where a pass is under way that flushes it."""
        self._spoken_to[listener] = None
        return self._acting

    def flush(self) -> None:
        """The node has said all that it had to say."""
        spoken_to, self._spoken_to = self._spoken_to, {}
        for listener in spoken_to:
            listener.flush()

    def _make_room(self) -> None:
        if self._room and len(self._requests) <= REQUESTS_MAX:
            self._room.unpark_all()
