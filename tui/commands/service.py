"""`service`: a systemd unit that serves a site of this installation.

Rules that hold here:
- Nothing is written and nothing is started: whoever runs the machine reads the unit, and puts it where it belongs.
- The unit gives the engine what it needs and no more: its store to write, sites file and key to read, sockets.
- It does not start an engine again that somebody has to look after: bad configuration, no usable store, a broken rule.
"""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.addresses import Address
from engine.site_files import fits_socket
from tui.exits import ExitStatus
from tui.output import Output
from tui.selection import LocalSite, select_site_and_cluster

_PORTS_OF_ROOT: Final = 1_024
_BIND: Final = "CAP_NET_BIND_SERVICE"
_TMP: Final = ("/tmp", "/var/tmp")


def run(arguments: Namespace) -> int:
    local, cluster = select_site_and_cluster(arguments)
    address = cluster.addresses[cluster.find(local.site)]
    ports = (address.port, *(() if arguments.metrics is None else (arguments.metrics.port,)))
    capability = _BIND if min(ports) < _PORTS_OF_ROOT else ""
    lines = unit(local, arguments.user or _user(), capability, arguments.metrics)
    text = "\n".join([*lines, ""])
    name = f"loggos-{local.site}.service"
    out = Output(arguments.json)
    if out.as_json:
        out.json({"name": name, "unit": text})
    else:
        for line in text.splitlines():
            out.line(line)
    return ExitStatus.DONE


def _user() -> str:
    """This one; by its number, which systemd takes as well, where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def unit(local: LocalSite, user: str, capability: str, metrics_at: Address | None) -> Iterator[str]:
    name = f"loggos-{local.site}"
    places = _words(local.sites_path, local.data_path)
    yield from (
        f"# Write this to /etc/systemd/system/{name}.service, then, as root:",
        f"#   install -d -m 0700 -o {user} {shlex.quote(str(local.data_path))}",
        f"#   systemctl daemon-reload && systemctl enable --now {name}",
        "[Unit]",
        f"Description=Loggos site {local.site}",
        "After=network-online.target",
        "Wants=network-online.target",
        "# A disk that is not mounted yet must not look like a site without a store.",
        f"RequiresMountsFor={places}",
        "",
        "[Service]",
        "Type=notify",
        f"User={user}",
        f"ExecStart={_command(local)}" + ("" if metrics_at is None else f" --metrics {metrics_at}"),
        "Restart=on-failure",
        "RestartSec=5",
        "# 2: bad configuration, 3: the store cannot be used, 12: a rule of the protocol was broken. A restart",
        "# would not help: somebody has to look.",
        "RestartPreventExitStatus=2 3 12",
        "# The loop that serves tells systemd that it is alive; a disk that hangs for this long restarts the site.",
        "WatchdogSec=60",
        "",
        f"ReadWritePaths={_words(local.data_path)}",
        "UMask=0077",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"PrivateTmp={'no' if _is_in_tmp(local) else 'yes'}",
        "PrivateDevices=yes",
        "DevicePolicy=closed",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "ProtectProc=invisible",
        # Metrics tell when the process started, which is counted from the start of the machine: /proc/stat.
        f"ProcSubset={'pid' if metrics_at is None else 'all'}",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "KeyringMode=private",
        "RemoveIPC=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallErrorNumber=EPERM",
        f"CapabilityBoundingSet={capability}",
    )
    if capability:
        yield f"AmbientCapabilities={capability}"
    yield from ("", "[Install]", "WantedBy=multi-user.target")


def _is_in_tmp(local: LocalSite) -> bool:
    """Something that others have to find is there: a file, or the socket for which the site's folder is too deep."""
    paths = (local.sites_path, local.data_path)
    return not fits_socket(local.socket_path) or any(path.is_relative_to(tmp) for path in paths for tmp in _TMP)


def _command(local: LocalSite) -> str:
    program = Path(sys.executable).with_name("loggos")
    begin = _words(program) if program.is_file() else f"{_words(Path(sys.executable))} -P -m tui"
    return f"{begin} --sites {_words(local.sites_path)} --data {_words(local.data_path)} serve {local.site}"


def _words(*paths: Path) -> str:
    """As systemd reads them: a `%` begins a specifier there, a `$` a variable."""
    return " ".join(_word(str(path)) for path in paths)


def _word(text: str) -> str:
    plain = text.replace("%", "%%").replace("$", "$$")
    if not any(each.isspace() or each in "\"'\\;" for each in plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
