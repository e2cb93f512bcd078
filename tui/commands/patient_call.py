"""One request that may take its time, and that a signal ends early but truly.

Rules that hold here:
- A signal asks the engine to give the request up; what it then answers is the answer (docs/commands.md, "Events").
- An engine that stops refuses what it had already taken in: that is an engine lost, not a request refused.
- A second signal, or an engine that stays silent, ends the waiting: EngineSilent, the outcome is not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from engine.contract.errors import EngineLost, EngineSilent, ErrorCode, NoAnswer, RequestRefused
from engine.contract.notifications import Acknowledged
from engine.contract.params import Params
from engine.contract.requests import GiveUp, method_and_params
from tui.client import Client
from tui.connection import Answer
from tui.exits import ExitStatus
from tui.interrupts import Interrupts

_A = TypeVar("_A")

SILENCE_S: Final = 5.0
"""How long after its own time a request's answer may take, before the engine counts as hung."""

GIVE_UP_S: Final = 5.0
"""How long the answer may take to arrive once the request was given up."""


@dataclass(frozen=True, slots=True)
class Patience(Generic[_A]):
    """What the engine answered, and whether a signal hurried it."""

    value: _A
    interrupted: bool


def ask_patiently(
    client: Client,
    interrupts: Interrupts,
    asked: Params[_A],
    timeout_s: float,
    acknowledged: Callable[[str], None] = lambda _: None,
) -> Patience[_A]:
    """Asks what is to be answered within `timeout_s`; `acknowledged` is told the id of an event that has one.

    Raises RequestRefused, EngineLost, EngineSilent, BadAnswer.
    """
    number = client.send(asked)
    deadline = time.monotonic() + timeout_s + SILENCE_S
    while (left_s := deadline - time.monotonic()) > 0:
        arrived, ready = client.wait(left_s, {interrupts.fileno()})
        for one in arrived:
            if isinstance(one, Acknowledged):
                acknowledged(one.id)
            if isinstance(one, Answer) and one.number == number:
                return Patience(value_of(one), bool(interrupts.caught))
        if ready:
            interrupts.clear()
            if len(interrupts.caught) > 1:
                raise EngineSilent("interrupted before the engine reported the outcome")
            client.send(GiveUp(requests=(number,)))
            deadline = time.monotonic() + GIVE_UP_S
    raise EngineSilent(f"the engine did not answer `{method_and_params(asked)[0]}` in time")


def value_of(answer: Answer) -> Any:
    """The result, of a class that who asked knows. Raises RequestRefused, EngineLost, BadAnswer."""
    try:
        return answer.value()
    except RequestRefused as error:
        if error.code == ErrorCode.STORE:
            raise EngineLost(str(error), ExitStatus.STORE_UNUSABLE) from error
        if error.code == ErrorCode.STOPPING:
            raise EngineLost(str(error)) from error
        raise


def status_of_loss(lost: NoAnswer) -> ExitStatus:
    """What a call without an answer means: the store failed, or nobody knows."""
    store_failed = isinstance(lost, EngineLost) and lost.exit_status == ExitStatus.STORE_UNUSABLE
    return ExitStatus.STORE_UNUSABLE if store_failed else ExitStatus.NOT_KNOWN
