"""The JSON that the commands print: docs/commands.md, "Shapes".

Rules that hold here:
- A shape has all its keys, always, in the order written here; what does not apply is null.
- The control socket may say more (docs/control.md); it is left out, so that scripts rely on those alone.
"""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_ENTRY: Final = ("kind", "author", "id", "text", "target")
_OUTCOME: Final = ("outcome", "id", "slot", "to", "reason")
_TIMELINE_LINE: Final = ("slot", "author", "text", "at")
_LOG_LINE: Final = ("slot", "state", "kind", "author", "id", "text", "target")
_BLOCK_LINE: Final = ("blocker", "blocked", "slot")
_ACCEPTOR_LINE: Final = ("slot", "maxPrepare", "accNum", "accVal", "state")
_FILL_LINE: Final = ("slot", "result", "kind")
_TRACE_LINE: Final = ("at", "dir", "peer", "type", "slot", "ballot", "note")
_BIOGRAPHY: Final = ("slot", "state", "may_be_chosen", "sentence", "entry", "void", "quorum", "sites", "ballots")
_BIOGRAPHY_QUORUM: Final = ("ballot", "sites", "counted_by")
_BIOGRAPHY_SITE: Final = (
    *("site", "answered", "voting", "maxPrepare", "accNum", "accVal"),
    *("learned", "learned_at", "learned_how", "learned_from"),
)
_BIOGRAPHY_BALLOT: Final = ("ballot", "promised", "accepted", "chosen", "entry")
_RULE: Final = ("number", "text", "on", "hits", "expires_at")
_HELD: Final = ("number", "at", "dir", "peer", "type", "slot")
_QUORUM: Final = ("reachable", "needed", "size")
_PEER: Final = ("up", "rtt_ms", "chosen_through", "datagram_bytes")
_STATUS: Final = (
    "site",
    "cluster",
    "leadership",
    "leader",
    "quorum",
    "chosen_through",
    "chosen_max",
    "next",
    "holes",
    "recovering",
    "voting",
    "voting_why",
    "mismatch",
    "hindered",
    "narrow",
    "unsent",
    "faults",
    "unknown",
    "fresh_at",
    "peers",
    "counters",
)


def _pick(keys: tuple[str, ...], said: Json) -> Json:
    return {key: said.get(key) for key in keys}


def _entry(said: Json | None) -> Json | None:
    return None if said is None else _pick(_ENTRY, said)


def outcome(said: Json) -> Json:
    picked = _pick(_OUTCOME, said)
    picked["to"] = _entry(picked["to"])
    return picked


def unknown(reason: str) -> Json:
    """The outcome of an event of which the engine did not even tell the id."""
    return outcome({"outcome": "unknown", "reason": reason})


def refused(line_number: int, reason: str) -> Json:
    """A line of standard input that became no event."""
    return {"outcome": "refused", "line": line_number, "reason": reason}


def timeline_line(said: Json) -> Json:
    return _pick(_TIMELINE_LINE, said)


def log_line(said: Json) -> Json:
    return _pick(_LOG_LINE, said)


def block_line(said: Json) -> Json:
    return _pick(_BLOCK_LINE, said)


def acceptor_line(said: Json) -> Json:
    picked = _pick(_ACCEPTOR_LINE, said)
    picked["accVal"] = _entry(picked["accVal"])
    return picked


def fill_line(said: Json) -> Json:
    return _pick(_FILL_LINE, said)


def trace_line(said: Json) -> Json:
    return _pick(_TRACE_LINE, said)


def biography(said: Json) -> Json:
    picked = _pick(_BIOGRAPHY, said)
    picked["entry"] = _entry(picked["entry"])
    picked["quorum"] = None if picked["quorum"] is None else _pick(_BIOGRAPHY_QUORUM, picked["quorum"])
    picked["sites"] = [
        {**_pick(_BIOGRAPHY_SITE, each), "accVal": _entry(each.get("accVal"))} for each in picked["sites"]
    ]
    picked["ballots"] = [
        {**_pick(_BIOGRAPHY_BALLOT, each), "entry": _entry(each.get("entry"))} for each in picked["ballots"]
    ]
    return picked


def rule(said: Json) -> Json:
    return _pick(_RULE, said)


def faults(said: Json) -> Json:
    return {
        "rules": [rule(each) for each in said.get("rules", ())],
        "held": [_pick(_HELD, each) for each in said.get("held", ())],
        "seed": said.get("seed"),
    }


def status(said: Json) -> Json:
    picked = _pick(_STATUS, said)
    picked["quorum"] = _pick(_QUORUM, picked["quorum"] or {})
    picked["peers"] = {name: _pick(_PEER, peer) for name, peer in (picked["peers"] or {}).items()}
    return picked
