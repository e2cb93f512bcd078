"""`init`: a new cluster's sites file and key."""

from __future__ import annotations

from argparse import Namespace

from engine.site_files import sites_file
from engine.template import choose_names, fresh_cluster_name, loopback_addresses, write_files
from tui.exits import CommandFailed, ExitStatus
from tui.output import Account
from tui.selection import refusals_as_exits


def run(arguments: Namespace) -> int:
    path = sites_file(arguments.sites).absolute()
    try:
        names = choose_names(arguments.names, arguments.size)
    except ValueError as error:
        raise CommandFailed(ExitStatus.BAD_INPUT, str(error)) from error
    with refusals_as_exits():
        key_path = write_files(path, fresh_cluster_name(), loopback_addresses(names))
    out = Account(arguments.json)
    if out.as_json:
        out.json({"sites": str(path), "key": str(key_path), "names": list(names)})
    else:
        out.line(f"wrote {path} and {key_path} for {', '.join(names)}")
        out.line("put each site's address into the file, then copy both to every machine, the key to nobody else")
    return ExitStatus.DONE
