"""sites.yaml -> Cluster: who the sites are, where, under which key, and how long things take.

Rules that hold here:
- What the comments of sites.yaml do not allow is refused before anything starts: one message with the file, the line
  and what to write instead (ConfigError; exit status 2).
- Nothing is looked up but the key: whether a host is loopback is read off its name.
- Without a key only loopback hosts are taken (W1).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Final

from engine.addresses import Address, parse_address
from engine.cluster_key import BadKey, read_key
from engine.core.ids import SITE_NAME, SITES_MAX, SiteId, Tick
from engine.core.settings import HEARTBEAT_MAX, HEARTBEAT_MIN, Leadership, Settings, Timings
from engine.datagram import (
    DATAGRAM_BYTES_FAR,
    DATAGRAM_BYTES_FAR_MOST,
    DATAGRAM_BYTES_LOOPBACK,
    DATAGRAM_BYTES_MAX,
    DATAGRAM_BYTES_MIN,
    DatagramSizes,
)
from engine.plain_yaml import NO_LIST, ConfigError, Section, Text, Texts, Value, read_section

CLUSTER_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")

KEYS_MAX: Final = 2
"""How many a sites file may name: one, or two while the sites change theirs."""

ENVELOPE_BYTES: Final = 330
"""What a datagram holds beside the entries of one message, at most: seal, packet, the message's own fields (W4)."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A sites.yaml that holds."""

    path: Path
    name: str
    leadership: Leadership
    key: bytes | None = field(repr=False)
    second_key: bytes | None = field(repr=False)
    """What opens, too, while the sites change their key; nothing is sealed under it."""
    key_files: tuple[str, ...]
    """Of these keys, as the file names them."""
    addresses: Mapping[SiteId, Address]
    """In the order of the file; that of `added` is the last."""
    added: SiteId | None
    """The site of this file, where the cluster had begun without it. It asks those under `sites` with whom (M1)."""
    timings: Timings
    datagram_max_bytes: int | None
    """As the file says; `datagram_sizes` is what holds."""

    @property
    def sites(self) -> tuple[SiteId, ...]:
        """Those under `sites`, sorted: with whom the cluster begins; in the file of an added site, whom it asks."""
        return tuple(sorted(site for site in self.addresses if site != self.added))

    def find(self, name: str) -> SiteId:
        """The site of that name. Raises ConfigError."""
        if name not in self.addresses:
            raise ConfigError(self.path, None, f"has no site {name!r}{_perhaps(name, self.addresses)}")
        for site, address in self.addresses.items():
            if site != name and address.is_any:
                why = f"{site} cannot be reached at {address}: write the address at which {name} reaches it"
                raise ConfigError(self.path, None, why)
        return SiteId(name)

    @property
    def datagram_sizes(self) -> DatagramSizes:
        """How long sealed datagrams may be (W4). Loopback carries whatever the file says."""
        if all(address.is_loopback for address in self.addresses.values()):
            most = self.datagram_max_bytes or DATAGRAM_BYTES_LOOPBACK
            return DatagramSizes(most, most)
        most = self.datagram_max_bytes or DATAGRAM_BYTES_FAR_MOST
        return DatagramSizes(min(most, DATAGRAM_BYTES_FAR), most)

    def settings(self, site: SiteId, founders: tuple[SiteId, ...]) -> Settings:
        """Messages are cut so that they fit the datagrams with which every path begins."""
        page_bytes = self.datagram_sizes.first - ENVELOPE_BYTES
        contacts = () if self.added is None else self.sites
        return Settings(site, founders, self.leadership, self.timings, page_bytes, contacts=contacts)


_DEFAULTS: Final = Timings()
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "heartbeat_ms": (HEARTBEAT_MIN, HEARTBEAT_MAX),
    "retransmit_ms": (10, 10_000),
    "fill_every_s": (0.1, 3_600),
    "scan_every_s": (0.1, 86_400),
    "datagram_max_bytes": (DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_MAX),
}
_WHOLE: Final = re.compile(r"[0-9]{1,9}\Z")
_DECIMAL: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?\Z")
_EXAMPLES: Final = {
    "cluster": "`cluster: paxos-island`",
    "leadership": "`leadership: elected`",
    "key": "`key: cluster.key`",
    "sites": "`sites:` and below it, indented, a line such as `alice: 127.0.0.1:7001` for each site",
}
_ADDED_EXAMPLE: Final = "`dave: 192.0.2.14:7001`"
_TWO_KEYS: Final = "`key: [new.key, old.key]`"
_ADDED: Final = "added"
_SETTINGS: Final = (*_EXAMPLES, _ADDED, *_RANGES)


def read_cluster(path: Path) -> Cluster:
    """Raises ConfigError."""
    return _Reader(path, read_section(path)).cluster()


def check_site_name(name: str) -> SiteId:
    """Raises ValueError with what to write instead."""
    if not SITE_NAME.match(name):
        raise ValueError(
            f"a site's name is 1 to 16 characters of a-z, 0-9 and '-', starting with a letter, not {name!r}"
        )
    return SiteId(name)


class _Reader:
    """One file. Every method raises ConfigError."""

    def __init__(self, path: Path, section: Section) -> None:
        self._path = path
        self._section = section

    def cluster(self) -> Cluster:
        for setting, line in self._section.lines.items():
            if setting not in _SETTINGS:
                raise self._error(line, f"{setting!r} is not a setting{_perhaps(setting, _SETTINGS)}")
        name = self._name()
        leadership = self._leadership()
        addresses = self._addresses()
        added = self._added(addresses)
        key_files = self._key_files()
        keys = self._keys(key_files)
        return Cluster(
            path=self._path,
            name=name,
            leadership=leadership,
            key=keys[0] if keys else None,
            second_key=keys[1] if len(keys) == KEYS_MAX else None,
            key_files=tuple(file.text for file in key_files),
            addresses=addresses,
            added=added,
            timings=Timings(
                heartbeat=self._ticks("heartbeat_ms", 1, _DEFAULTS.heartbeat),
                retransmit=self._ticks("retransmit_ms", 1, _DEFAULTS.retransmit),
                fill_every=self._ticks("fill_every_s", 1_000, _DEFAULTS.fill_every),
                scan_every=self._ticks("scan_every_s", 1_000, _DEFAULTS.scan_every),
            ),
            datagram_max_bytes=self._whole("datagram_max_bytes"),
        )

    def _name(self) -> str:
        name = self._required("cluster")
        if not CLUSTER_NAME.match(name.text):
            form = "1 to 32 characters of a-z, 0-9 and '-', starting with a letter"
            raise self._error(name.line, f"a cluster's name is {form}, not {name.text!r}")
        return name.text

    def _leadership(self) -> Leadership:
        leadership = self._required("leadership")
        try:
            return Leadership(leadership.text)
        except ValueError:
            words = ", ".join(Leadership)
            raise self._error(leadership.line, f"leadership is one of {words}, not {leadership.text!r}") from None

    def _addresses(self) -> dict[SiteId, Address]:
        sites = self._section.items.get("sites")
        if sites is None:
            raise self._missing("sites")
        if isinstance(sites, Texts):
            raise self._error(sites.line, NO_LIST)
        if not isinstance(sites, Section):
            raise self._error(sites.line, f"names no sites: write {_EXAMPLES['sites']}")
        if not 1 <= len(sites.items) <= SITES_MAX:
            line = self._section.lines["sites"]
            raise self._error(line, f"a cluster has 1 to {SITES_MAX} sites, not {len(sites.items)}: remove some")
        addresses: dict[SiteId, Address] = {}
        for name in sites.items:
            self._place(sites, name, addresses)
        self._check_that_all_meet(addresses, sites.lines)
        return addresses

    def _added(self, addresses: dict[SiteId, Address]) -> SiteId | None:
        """The site that is written under `added`, which gets its place among the others."""
        added = self._section.items.get(_ADDED)
        if added is None:
            return None
        line = self._section.lines[_ADDED]
        if not isinstance(added, Section) or len(added.items) != 1:
            why = "takes exactly one site, the one that this file is for"
            raise self._error(line, f"{why}: write `added:` and below it, indented, a line such as {_ADDED_EXAMPLE}")
        [name] = added.items
        if name in addresses:
            why = f"{name} is already under `sites`, among those that it asks"
            raise self._error(
                added.lines[name],
                f"{why}: write it under `added` alone, or, if it was there when the cluster began, under `sites` alone",
            )
        site = self._place(added, name, addresses)
        self._check_that_all_meet(addresses, {**self._lines_of("sites"), **added.lines})
        return site

    def _place(self, section: Section, name: str, addresses: dict[SiteId, Address]) -> SiteId:
        """Takes a line `name: host:port` in."""
        line = section.lines[name]
        try:
            site, address = check_site_name(name), parse_address(self._text(name, section.items[name]).text)
        except ValueError as error:
            raise self._error(line, str(error)) from None
        for other, taken in addresses.items():
            if taken == address:
                raise self._error(line, f"{other} has the address {address} already: give {site} another one")
        if "key" not in self._section.items and not address.is_loopback:
            why = f"{site} is at {address}, not on loopback, so the sites need a shared key"
            raise self._error(line, f"{why}: write {_EXAMPLES['key']}; `loggos init` makes one")
        addresses[site] = address
        return site

    def _lines_of(self, setting: str) -> Mapping[str, int]:
        section = self._section.items[setting]
        return section.lines if isinstance(section, Section) else {}

    def _check_that_all_meet(self, addresses: Mapping[SiteId, Address], lines: Mapping[str, int]) -> None:
        """A socket bound to an IPv6 address reaches no IPv4 address, nor one of IPv4 an IPv6 address; `[::]` both."""
        speaks_both = any(address.host == "::" for address in addresses.values())
        for (other, taken), (site, address) in combinations(addresses.items(), 2):
            if address.is_any and taken.is_any:
                why = f"only the site that runs here may have {address} as its address, and {other} has {taken}"
                raise self._error(lines[site], f"{why}: write the address at which {site} is reached")
            if not speaks_both and {address.family, taken.family} == {4, 6}:
                why = f"{site} at {address} cannot reach {other} at {taken}: one address is IPv6, the other IPv4"
                raise self._error(lines[site], f"{why}. Write addresses of one kind for all sites")

    def _key_files(self) -> tuple[Text, ...]:
        given = self._section.items.get("key")
        match given:
            case None:
                return ()
            case Text():
                return (given,)
            case Texts(items, line):
                if not items:
                    raise self._error(line, f"names no key: write {_EXAMPLES['key']}")
                if len(items) > KEYS_MAX:
                    why = f"a cluster has one key, or two while it changes to another, not {len(items)}"
                    raise self._error(line, f"{why}: finish one change before you begin the next")
                return items
            case Section(line=line):
                raise self._error(line, f"a key is the name of a file: write {_EXAMPLES['key']}, or {_TWO_KEYS}")

    def _keys(self, files: tuple[Text, ...]) -> list[bytes]:
        if len({os.path.normpath(self._path.parent / file.text) for file in files}) < len(files):
            name = files[0].text
            why = f"names the key file {name} twice: name the other key's file, or write `key: {name}`"
            raise self._error(files[1].line, why)
        keys = [self._key(file) for file in files]
        if len(set(keys)) < len(keys):
            why = f"{files[0].text} and {files[1].text} hold the same key"
            raise self._error(files[1].line, f"{why}: `loggos init --new-key FILE` makes a new one")
        return keys

    def _key(self, file: Text) -> bytes:
        try:
            return read_key(self._path.parent / file.text)
        except BadKey as error:
            hint = f"; write two files as {_TWO_KEYS}" if "," in file.text else ""
            raise self._error(file.line, f"{error}{hint}") from None

    def _ticks(self, setting: str, unit_ms: int, default: Tick) -> Tick:
        number = self._number(setting)
        return default if number is None else Tick(round(number * unit_ms))

    def _whole(self, setting: str) -> int | None:
        number = self._number(setting)
        return None if number is None else round(number)

    def _number(self, setting: str) -> float | None:
        if setting not in self._section.items:
            return None
        given = self._required(setting)
        least, most = _RANGES[setting]
        form, kind = (_DECIMAL, "a number") if setting.endswith("_s") else (_WHOLE, "a whole number")
        if not form.match(given.text) or not least <= float(given.text) <= most:
            raise self._error(given.line, f"{setting} is {kind} of {least} to {most}, not {given.text!r}")
        return float(given.text)

    def _required(self, setting: str) -> Text:
        if setting not in self._section.items:
            raise self._missing(setting)
        return self._text(setting, self._section.items[setting])

    def _text(self, name: str, value: Value) -> Text:
        if isinstance(value, Texts):
            raise self._error(value.line, NO_LIST)
        if not isinstance(value, Text):
            raise self._error(value.line, f"{name!r} takes one value: write `{name}: ...` on one line")
        return value

    def _missing(self, setting: str) -> ConfigError:
        return self._error(self._section.line, f"{setting!r} is missing: write {_EXAMPLES[setting]}")

    def _error(self, line: int, message: str) -> ConfigError:
        return ConfigError(self._path, line, message)


def _perhaps(name: str, names: Iterable[str]) -> str:
    """How to go on from a name that is none of `names`."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    return f": did you mean {close[0]!r}?" if close else f": write one of {', '.join(names)}"
