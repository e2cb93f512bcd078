"""`init`: a new cluster's sites file and key; or a new key alone, for a cluster that changes its own."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from engine.site_files import sites_file
from engine.template import choose_names, fresh_cluster_name, loopback_addresses, write_files, write_key
from tui.exits import CommandFailed, ExitStatus
from tui.output import Account
from tui.selection import refusals_as_exits


def run(arguments: Namespace) -> int:
    if arguments.new_key is not None:
        return _new_key(arguments)
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
        out.line("write each site's address into the file, then copy both to every machine, and the key nowhere else")
    return ExitStatus.DONE


def _new_key(arguments: Namespace) -> int:
    if arguments.names or arguments.size is not None:
        raise CommandFailed(ExitStatus.BAD_INPUT, "--new-key writes only a key: leave out names and --size")
    path = Path(arguments.new_key).absolute()
    with refusals_as_exits():
        write_key(path, option="--new-key")
    out = Account(arguments.json)
    if out.as_json:
        out.json({"sites": None, "key": str(path), "names": []})
    else:
        out.line(f"wrote {path}")
        out.line(
            "copy it beside the sites file of every machine, and nowhere else; then name both keys in the sites files"
        )
    return ExitStatus.DONE
