"""`faults`: rules that make a site's own network bad, on purpose and never saved.

Rules that hold here:
- What a rule may say is the engine's to judge; its sentence is what a person gets to read.
"""

from __future__ import annotations

from argparse import Namespace

from tui import json_shapes
from tui.client import Client, failures_as_exits
from tui.exits import ExitStatus
from tui.json_shapes import Json
from tui.output import Account, Cell, Output, Row, Style
from tui.selection import select_site


def run(arguments: Namespace) -> int:
    place = select_site(arguments)
    out = Account(arguments.json)
    with failures_as_exits(place), Client.connect(place.socket_path) as client:
        match arguments.action:
            case "add":
                params = {"rule": " ".join(arguments.rule), "expires_s": arguments.expires}
                _say(out, rule := json_shapes.rule(client.call("faults.add", params)), f"rule {rule['number']} added")
            case "remove":
                _count(out, client.call("faults.remove", {"number": arguments.number}), "removed", "rule")
            case "clear":
                _count(out, client.call("faults.clear"), "removed", "rule", "; what was held is released")
            case "release":
                params = {"held": arguments.held or None}
                _count(out, client.call("faults.release", params), "released", "held message")
            case "drop":
                params = {"held": arguments.held or None}
                _count(out, client.call("faults.drop", params), "dropped", "held message")
            case _:
                _show(out, json_shapes.faults(client.call("faults")))
    return ExitStatus.DONE


def _say(out: Output, value: Json, sentence: str) -> None:
    if out.as_json:
        out.json(value)
    else:
        out.line(sentence)


def _count(out: Output, said: Json, done: str, noun: str, more: str = "") -> None:
    """`done` names the count, and what was done: `2 rules removed`."""
    count = said.get(done)
    _say(out, {done: count}, f"{count} {noun}{'' if count == 1 else 's'} {done}{more}")


def _show(out: Output, faults: Json) -> None:
    if out.as_json:
        out.json(faults)
        return
    if not faults["rules"]:
        out.line(Cell("no fault rules: this site's network is as it is", Style.FAINT))
    out.table([_rule_row(rule) for rule in faults["rules"]])
    if faults["held"]:
        out.line(Cell("held", Style.STRONG))
        out.table([_held_row(held) for held in faults["held"]], indent="  ")
    out.line(Cell(f"seed {faults['seed']}", Style.FAINT))


def _rule_row(rule: Json) -> Row:
    until = f"until {rule['expires_at']}" if rule["expires_at"] else "until it is removed"
    state = Cell("on", Style.BAD) if rule["on"] else Cell("off", Style.FAINT)
    return (f"{rule['number']:>3}", state, f"{rule['hits']} hits", until, str(rule["text"]))


def _held_row(held: Json) -> Row:
    direction = "to" if held["dir"] == "out" else "from"
    slot = "" if held["slot"] is None else f"slot {held['slot']}"
    return (f"{held['number']:>3}", str(held["at"]), f"{direction} {held['peer']}", str(held["type"]), slot)
