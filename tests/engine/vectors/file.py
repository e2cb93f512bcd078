"""docs/protocol-vectors.json, made from the code.

Rules that hold here:
- Nothing is left to chance: keys and salts are counted up, and the acceptor draws numbers that are given to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.seal import VERSION
from tests.engine.vectors.answered import acceptor, lost_disk
from tests.engine.vectors.refused import refused
from tests.engine.vectors.said import CLUSTER, FOUNDERS, KEY, LIVES, SALTS, SITES, datagrams

Json = Any


def _links() -> Iterator[dict[str, Json]]:
    for sender, to in permutations(SITES, 2):
        info = bytes((VERSION,)) + f"{CLUSTER}\n{sender}\n{to}".encode()
        key = HKDF(SHA256(), 32, SALTS[sender], info).derive(KEY)
        yield {"from": sender, "to": to, "salt": SALTS[sender].hex(), "info": info.hex(), "key": key.hex()}


def made() -> dict[str, Json]:
    """All that the file holds."""
    return {
        "cluster": {"version": VERSION, "name": CLUSTER, "sites": list(SITES), "key": KEY.hex(), "founders": FOUNDERS},
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
