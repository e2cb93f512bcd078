"""An acceptor that was written from docs/protocol.md alone, as a process: it takes part until it is killed.

    python -m tests.stranger '{"cluster": NAME, "key": HEX, "sites": {NAME: [HOST, PORT]}, "me": NAME, "store": FILE,
                               "beat": ["elected", 500]}'

Rules that hold here:
- Nothing of Loggos is imported: the standard library, and AES-GCM and HKDF. Whatever it needs to know is on that page.
- It says `listening` once it does. Who does not vote yet learns so from its heartbeats.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from pathlib import Path

from tests.stranger.acceptor import Acceptor, Out
from tests.stranger.seal import Dropped, Parts, Seal, cut
from tests.stranger.store import Store

Address = tuple[str, int]


def main() -> None:
    said = json.loads(sys.argv[1])
    places: dict[str, Address] = {site: (host, port) for site, (host, port) in said["sites"].items()}
    me: str = said["me"]
    seal = Seal(said["cluster"], bytes.fromhex(said["key"]), me, os.urandom(16))
    parts = {site: Parts() for site in places}
    acceptor = Acceptor(me, [*places], Store(Path(said["store"])), lambda: 1 + secrets.randbits(53), said["beat"])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(places[me])
    udp.settimeout(0.02)

    def send(out: Out, source: Address | None = None) -> None:
        for to, message in out:
            packet = json.dumps(acceptor.packet(to, message), separators=(",", ":"), ensure_ascii=False).encode()
            place = source if source and message[0] == "welcome" else places[to]
            for piece in cut(packet, 16_384 - 74):
                udp.sendto(seal.seal(to, piece), place)

    send(acceptor.start())
    print("listening", flush=True)
    while True:
        send(acceptor.tick(time.monotonic_ns() // 1_000_000))
        try:
            datagram, source = udp.recvfrom(65_535)
            sender, plaintext = seal.open(datagram)
            if plaintext[:1] == b"\x01" and sender in parts:
                plaintext = parts[sender].join(plaintext) or b""
            if plaintext[:1] == b"\x02" and sender in places:
                udp.sendto(seal.seal(sender, b"\x03" + plaintext[1:9]), places[sender])
            if plaintext[:1] == b"[":
                send(acceptor.take(sender, json.loads(plaintext)), source)
        except (TimeoutError, Dropped):
            continue


if __name__ == "__main__":
    main()
