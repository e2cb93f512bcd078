"""A new cluster's files: a commented sites.yaml and its key.

Rules that hold here:
- Neither file is ever written over. If the sites file cannot be made, no key is left behind.
- What is written is what `engine.config` reads; the sites.yaml of the repository is this text, without a key.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from engine.addresses import Address
from engine.cluster_key import new_key_text
from engine.config import check_site_name
from engine.core.ids import SITES_MAX, SiteId
from engine.plain_yaml import ConfigError

DEFAULT_NAMES: Final = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan")
DEFAULT_SIZE: Final = 5
PORT_FIRST: Final = 7_001
KEY_NAME: Final = "cluster.key"
_LOOPBACK: Final = "127.0.0.1"
_FREE_PORTS: Final = range(7_101, 10_000)

_KEY_LINE: Final = f"""\
# The secret that all sites share, a file beside this one: 64 hexadecimal digits that only its owner may read (mode
# 0600). Copy it to every site, and nowhere else. It may be left out only if every host below is loopback. While the
# sites change the key they name two, as [new.key, old.key]: a site seals with the first and opens with either.
key: {KEY_NAME}
"""
_NO_KEY_LINE: Final = f"""\
# The secret that all sites share, a file beside this one: 64 hexadecimal digits that only its owner may read (mode
# 0600). `loggos init` makes one. It may be left out only if every host below is loopback, as here; without it anybody
# on this machine can speak as a site.
# key: {KEY_NAME}
"""
_TEXT: Final = """\
# The sites of one Loggos cluster. Every site has a file like this one. The addresses may differ from file to file
# (NAT, a relay in between); the cluster, the names of the sites and the key may not.

# The cluster's name: 1 to 32 characters of a-z, 0-9 and '-', a letter first. Datagrams of other clusters are dropped.
cluster: {cluster}

# Who may propose without a prepare: elected (one leader at a time; the fastest), last-author (the author of the entry
# before) or none (every site runs both phases for each entry). All sites should have the same setting.
leadership: elected

{key}
# 1 to 9 sites, each as name: host:port. A name is 1 to 16 characters of a-z, 0-9 and '-', a letter first. IPv6 stands
# in brackets and quotes: "[::1]:7001". Host names are resolved when a site starts. The port is UDP.
sites:
{sites}
# A site that was added later (`loggos add`) is not listed above. Its own file, and no other, lists it in the same form
# below `added:`; it first asks the sites above who belongs to the cluster.

# Optional settings, with their defaults.
# heartbeat_ms: 500          # how often a site tells the others that it is alive, a leader twice as often (50 to
#                            # 60000); a leader that is silent for two of these is replaced; all sites should agree
# retransmit_ms: 200         # how long to wait for an answer before asking again (10 to 10000)
# fill_every_s: 3            # how often to look for holes in the log and fill them (0.1 to 3600)
# scan_every_s: 15           # how often to ask the others for what was missed (0.1 to 86400)
# datagram_max_bytes: 1452   # the longest datagram (548 to 60000), sent only to sites found to receive it; until then
#                            # 1232, which any IPv6 path carries; the default is 16384 if every host is loopback
"""


def choose_names(names: Sequence[str], size: int | None) -> tuple[SiteId, ...]:
    """The names given, filled up to `size` with usual ones. Raises ValueError with what to write instead."""
    chosen = [check_site_name(name) for name in names]
    if len(set(chosen)) != len(chosen):
        raise ValueError("every site needs a name of its own: write each name once")
    wanted = size if size is not None else len(chosen) or DEFAULT_SIZE
    if not 1 <= wanted <= SITES_MAX:
        raise ValueError(f"a cluster has 1 to {SITES_MAX} sites, not {wanted}")
    if len(chosen) > wanted:
        raise ValueError(f"{len(chosen)} names are too many for a cluster of {wanted}: leave out --size")
    spare = [SiteId(name) for name in DEFAULT_NAMES if name not in chosen]
    return (*chosen, *spare[: wanted - len(chosen)])


def loopback_addresses(names: Sequence[SiteId]) -> dict[SiteId, Address]:
    """These sites on 127.0.0.1, at ports from PORT_FIRST on."""
    return {name: Address(_LOOPBACK, PORT_FIRST + index) for index, name in enumerate(names)}


def free_addresses(names: Sequence[SiteId]) -> dict[SiteId, Address]:
    """The same at ports that nobody uses now, below those that systems give out by themselves. Raises OSError.

    They are kept in a file: one of the others could be anybody's whenever the cluster is started again.
    """
    ports = list(_FREE_PORTS)
    secrets.SystemRandom().shuffle(ports)
    free = filter(_is_free, ports)
    found = {name: Address(_LOOPBACK, port) for name, port in zip(names, free, strict=False)}
    if len(found) < len(names):
        where = f"between {_FREE_PORTS[0]} and {_FREE_PORTS[-1]} on {_LOOPBACK}"
        raise OSError(errno.EADDRINUSE, f"no UDP port is free {where}: stop a program that uses some")
    return found


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        try:
            bound.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def fresh_cluster_name() -> str:
    """A name that no other cluster of this user has: the stores of a cluster are found by it."""
    return f"island-{secrets.token_hex(3)}"


def render(cluster: str, addresses: Mapping[SiteId, Address], *, with_key: bool) -> str:
    """The text of a sites.yaml."""
    width = max(len(name) for name in addresses) + 1
    sites = "".join(f"  {f'{name}:':<{width}} {_quoted(address)}\n" for name, address in addresses.items())
    return _TEXT.format(cluster=cluster, key=_KEY_LINE if with_key else _NO_KEY_LINE, sites=sites)


def write_files(path: Path, cluster: str, addresses: Mapping[SiteId, Address]) -> Path:
    """Writes `path` and, beside it, a new key; returns the key's path. Raises ConfigError."""
    key_path = path.parent / KEY_NAME
    if path.exists():
        raise _exists(path)
    write_key(key_path)
    try:
        _create(path, render(cluster, addresses, with_key=True), mode=0o644)
    except ConfigError:
        key_path.unlink()
        raise
    return key_path


def write_key(path: Path, *, option: str = "--sites") -> None:
    """Writes a new key alone; `option` is how another place is named. Raises ConfigError."""
    _create(path, new_key_text(), mode=0o600, option=option)


def _create(path: Path, text: str, *, mode: int, option: str = "--sites") -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise _exists(path, option) from None
    except OSError as error:
        raise _cannot_write(path, error, option) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        path.unlink()
        raise _cannot_write(path, error, option) from None


def _quoted(address: Address) -> str:
    return f'"{address}"' if ":" in address.host else str(address)


def _exists(path: Path, option: str = "--sites") -> ConfigError:
    return ConfigError(
        path, None, f"already exists and is never overwritten: name another file with {option}, or move it away"
    )


def _cannot_write(path: Path, error: OSError, option: str) -> ConfigError:
    return ConfigError(path, None, f"cannot be written ({error.strerror}): name another file with {option}")
