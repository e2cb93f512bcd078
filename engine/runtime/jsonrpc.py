"""JSON-RPC 2.0 as the control socket speaks it: one object a line (docs/control.md).

Rules that hold here:
- A line is at most LINE_BYTES_MAX bytes, both ways.
- A call has an id (an integer or a string) and its params by name; there are no batches and no calls without an answer.
- What a client sends wrong is one error with a sentence that says what to do; it never ends the engine. The sentence
  may quote what was sent, so it is cut in its middle where that is long: what to do stands at its end.
- Of two equal names in one object the last one holds.
- A line as programs write it is decoded in one go, by the types of its method. Any other is looked at part by part, for
  the sentence that says what is wrong; what is right all the same is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Final, Literal, TypeVar, Union

import msgspec
import orjson
from msgspec import Meta, Struct

from engine.contract.errors import ErrorCode
from engine.contract.limits import ANSWER_BYTES_MAX
from engine.contract.params import BadParams, CallId
from engine.contract.requests import METHODS, Request, request
from engine.contract.shape import Shape

_ID_CHARACTERS_MAX: Final = 200
_ID: Final = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | Annotated[str, Meta(max_length=_ID_CHARACTERS_MAX)]
_MESSAGE_CHARACTERS_MAX: Final = 2_000

_Line = TypeVar("_Line", bound=Shape)


class CallFailed(Exception):
    """An answer that is an error. `call_id` is None where the line named none."""

    def __init__(self, code: ErrorCode, message: str, call_id: CallId | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.call_id = call_id


class CallRefused(Exception):
    """A request that the rules of the timeline or of `faults` do not allow. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Call:
    id: CallId
    method: str
    params: Mapping[str, object]

    def request(self) -> Request:
        """Raises CallFailed: no such method, or bad params."""
        if self.method not in METHODS:
            sentence = f"there is no method {self.method!r}: use one of {', '.join(METHODS)}"
            raise CallFailed(ErrorCode.NO_SUCH_METHOD, sentence, self.id)
        try:
            return request(self.method, self.params)
        except BadParams as bad:
            raise CallFailed(ErrorCode.BAD_PARAMS, str(bad), self.id) from None


class Requested(Struct, frozen=True, forbid_unknown_fields=True, tag_field="method"):
    """A call whose params are what its method takes."""

    id: CallId
    params: Request
    jsonrpc: Literal["2.0"] = "2.0"


def _requested(method: str, schema: type[Request]) -> type[Requested]:
    fields = [("id", _ID), ("params", schema), ("jsonrpc", Literal["2.0"])]
    made = msgspec.defstruct(schema.__name__, fields, bases=(Requested,), tag=method)
    assert issubclass(made, Requested)
    return made


_REQUESTED: Final = [_requested(method, schema) for method, schema in METHODS.items() if method != "view"]
"""But for a `view`, whose params tell its class."""
_ANY: Final = Union[*_REQUESTED]
_decoder: Final = msgspec.json.Decoder(_ANY)
_encoder: Final = msgspec.json.Encoder()


class _Answer(Struct):
    jsonrpc: str
    id: CallId
    result: Shape


def requested(line: bytes) -> Requested:
    """What is asked on one line. Raises CallFailed."""
    try:
        asked: Requested = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        call = decode(line)
        return Requested(call.id, call.request())
    return asked


def decode(line: bytes) -> Call:
    """The call on one line, whatever its params are. Raises CallFailed."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CallFailed(ErrorCode.NOT_JSON, f"the line is not JSON ({error}): send one object a line") from None
    if not isinstance(said, dict):
        raise CallFailed(ErrorCode.NOT_A_REQUEST, "a request is one JSON object a line, not a batch or a bare value")
    call_id = said.get("id")
    if isinstance(call_id, bool) or not isinstance(call_id, int | str):
        raise CallFailed(ErrorCode.NOT_A_REQUEST, 'a request needs an "id", an integer or a string')
    if isinstance(call_id, str) and len(call_id) > _ID_CHARACTERS_MAX:
        raise CallFailed(ErrorCode.NOT_A_REQUEST, f'an "id" is at most {_ID_CHARACTERS_MAX} characters')
    if said.get("jsonrpc") != "2.0":
        raise CallFailed(ErrorCode.NOT_A_REQUEST, 'a request says "jsonrpc":"2.0"', call_id)
    method = said.get("method")
    if not isinstance(method, str):
        raise CallFailed(ErrorCode.NOT_A_REQUEST, 'a request names its "method"', call_id)
    params = said.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise CallFailed(ErrorCode.BAD_PARAMS, '"params" is an object with a value for each name', call_id)
    return Call(call_id, method, params)


def result(call_id: CallId, value: Shape) -> bytes:
    return results(((call_id, value),))


def results(answers: Iterable[tuple[CallId, Shape]]) -> bytes:
    """The lines that answer each of these calls."""
    return _encoder.encode_lines([_Answer("2.0", call_id, value) for call_id, value in answers])


def failure(failed: CallFailed) -> bytes:
    said = {"code": int(failed.code), "message": _bounded(failed.message)}
    return _line({"jsonrpc": "2.0", "id": failed.call_id, "error": said})


def notification(method: str, params: Shape | Mapping[str, object]) -> bytes:
    """Parts of `params` may be `orjson.Fragment`."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def newest_that_fit(lines: Iterable[_Line]) -> tuple[_Line, ...]:
    """The last of these ascending lines whose text fits one answer, still ascending."""
    kept = tuple(lines)
    sizes_bytes = accumulate(len(orjson.dumps(msgspec.to_builtins(line))) + 1 for line in reversed(kept))
    return kept[len(kept) - sum(size_bytes <= ANSWER_BYTES_MAX for size_bytes in sizes_bytes) :]


def _line(message: Mapping[str, object]) -> bytes:
    return orjson.dumps(message, default=msgspec.to_builtins, option=orjson.OPT_APPEND_NEWLINE)


def _bounded(message: str) -> str:
    if len(message) <= _MESSAGE_CHARACTERS_MAX:
        return message
    half = _MESSAGE_CHARACTERS_MAX // 2
    return f"{message[:half]} ... {message[-half:]}"
