"""`faults`: rules that make a site's own network bad, on purpose and never saved.

Rules that hold here:
- What a rule may say is the engine's to judge; its sentence is what a person gets to read.
"""

from __future__ import annotations

from argparse import Namespace

from engine.contract import requests
from engine.contract.answers import Direction, Faults, Held, Rule
from engine.contract.requests import FaultsAdd, FaultsClear, FaultsDrop, FaultsRelease, FaultsRemove
from engine.contract.shape import Shape
from tui.client import Client, failures_as_exits
from tui.counted import plural
from tui.exits import ExitStatus
from tui.output import Account, Cells, Output
from tui.parts import Part, Role
from tui.selection import select_site


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    out = Account(arguments.json)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        match arguments.action:
            case "add":
                rule = client.ask(FaultsAdd(rule=" ".join(arguments.rule), expires_s=arguments.expires))
                _say(out, rule, f"rule {rule.number} added")
            case "remove":
                gone = client.ask(FaultsRemove(number=arguments.number))
                _say(out, gone, f"{plural(gone.removed, 'rule')} removed; what it held is released")
            case "clear":
                gone = client.ask(FaultsClear())
                _say(out, gone, f"{plural(gone.removed, 'rule')} removed; what was held is released")
            case "release":
                free = client.ask(FaultsRelease(held=tuple(arguments.held) or None))
                _say(out, free, f"{plural(free.released, 'held message')} released")
            case "drop":
                lost = client.ask(FaultsDrop(held=tuple(arguments.held) or None))
                _say(out, lost, f"{plural(lost.dropped, 'held message')} dropped")
            case _:
                _show(out, client.ask(requests.Faults()))
    return ExitStatus.DONE


def _say(out: Output, value: Shape, sentence: str) -> None:
    if out.as_json:
        out.json(value)
    else:
        out.line(sentence)


def _show(out: Output, faults: Faults) -> None:
    if out.as_json:
        out.json(faults)
        return
    if not faults.rules:
        out.line(Part("no fault rules: this site's network is as it is", Role.DIM))
    out.table([_rule_row(rule) for rule in faults.rules])
    if faults.held:
        out.line(Part("held", Role.STRONG))
        out.table([_held_row(held) for held in faults.held], indent="  ")
    out.line(Part(f"seed {faults.seed}", Role.DIM))


def _rule_row(rule: Rule) -> Cells:
    until = f"until {rule.expires_at}" if rule.expires_at else "until it is removed"
    if rule.while_connected:
        until += ", or its client leaves"
    state = Part("on", Role.BAD) if rule.on else Part("off", Role.DIM)
    return (f"{rule.number:>3}", state, f"{rule.hits} hits", until, rule.text)


def _held_row(held: Held) -> Cells:
    direction = "to" if held.dir == Direction.OUT else "from"
    slot = "" if held.slot is None else f"slot {held.slot}"
    return (f"{held.number:>3}", held.at, f"{direction} {held.peer}", held.type, slot)
