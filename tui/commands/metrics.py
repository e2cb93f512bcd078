"""`metrics`: what there is to measure of a site, for who scrapes no HTTP: a script, a collector of text files."""

from __future__ import annotations

import sys
from argparse import Namespace

from engine import openmetrics
from engine.contract import requests
from tui.client import Client, failures_as_exits
from tui.exits import ExitStatus
from tui.output import Output
from tui.selection import select_site


def run(arguments: Namespace) -> int:
    local = select_site(arguments)
    with failures_as_exits(local), Client.connect(local.socket_path) as client:
        told = client.ask(requests.Metrics())
    out = Output(arguments.json)
    if out.as_json:
        out.json(told)
    else:
        text, _ = openmetrics.exposition(told, openmetrics.TEXT if arguments.text else openmetrics.OPENMETRICS)
        sys.stdout.write(text.decode())
    return ExitStatus.DONE
