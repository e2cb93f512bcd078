"""docs/protocol-vectors.json, made from the code.

Rules that hold here:
- Nothing is left to chance: keys and salts are counted up, and the acceptor draws numbers that are given to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.seal import VERSION
from tests.engine.vectors.answered import acceptor, lost_disk
from tests.engine.vectors.refused import refused
from tests.engine.vectors.said import CLUSTER, KEY, LIVES, SALTS, SITES, datagrams

Json = Any


def _links() -> Iterator[dict[str, Json]]:
    digest = hashlib.sha256("\n".join([CLUSTER, *SITES]).encode()).digest()
    for sender, place in zip(SITES, range(len(SITES)), strict=True):
        for to, addressee in zip(SITES, range(len(SITES)), strict=True):
            if sender != to:
                info = bytes((VERSION,)) + digest + bytes((place, addressee))
                key = HKDF(SHA256(), 32, SALTS[sender], info).derive(KEY)
                link = {"from": sender, "to": to, "salt": SALTS[sender].hex(), "info": info.hex(), "key": key.hex()}
                yield link


def made() -> dict[str, Json]:
    """All that the file holds."""
    digest = hashlib.sha256("\n".join([CLUSTER, *SITES]).encode()).hexdigest()
    return {
        "cluster": {"version": VERSION, "name": CLUSTER, "sites": list(SITES), "key": KEY.hex(), "digest": digest},
        "stores": dict(LIVES),
        "links": list(_links()),
        "datagrams": list(datagrams()),
        "refused": list(refused()),
        "acceptor": acceptor(),
        "lost-disk": lost_disk(),
    }


def text_of(vectors: dict[str, Json]) -> str:
    """The file: a line for each field of each item."""
    sections = []
    for name, section in vectors.items():
        if isinstance(section, dict):
            sections.append(f'"{name}": {{\n{_fields(section)}\n}}')
        else:
            items = ",\n".join(f"{{\n{_fields(item)}\n}}" for item in section)
            sections.append(f'"{name}": [\n{items}\n]')
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _fields(item: dict[str, Json]) -> str:
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in item.items())
