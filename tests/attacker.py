"""An attack on a server from a process of its own: `python attacker.py KIND ADDRESS SECONDS`.

What it sends is legal, but too much. It reads all answers, and prints their numbers by type. Where
the server has not answered `ENOUGH` of it by then, since the machine is slow, it takes longer.
"""

from __future__ import annotations

import collections
import json
import os
import sys
import threading
import time
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

heard: collections.Counter[str] = collections.Counter()
LETTERS = "abcdefgh" * 512  # as many as a feed may have
ANSWERS = {"rewinds": "rewound", "feeds": "fed", "replays": "symbol"}
ENOUGH, AT_MOST = 21, 120.0  # answers; seconds


def rewinds(say: Any, seconds: float) -> None:
    """Rewinds again and again, far into a long past."""
    say("open", session="bad", play=False)
    while heard["fed"] < 24:
        answered = heard["fed"] + heard["error"]
        say("feed", session="bad", symbols=LETTERS)
        while heard["fed"] + heard["error"] == answered:
            time.sleep(0.05)  # an error says that the engine is behind
    reached = heard["fed"] * len(LETTERS)
    for n in range(40):
        say("rewind", session="bad", to=reached * (50 - n) // 50)


def feeds(say: Any, seconds: float) -> None:
    """Long feeds to many sessions, as fast as they are taken."""
    for n in range(16):
        say("open", session=f"bad-{n}", play=False)
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and sent < 600:
        say("feed", session=f"bad-{sent % 16}", symbols=LETTERS)
        sent += 1


def replays(say: Any, seconds: float) -> None:
    """Asks for a whole history a hundred times a second."""
    say("open", session="bad", play=False)
    for _ in range(8):
        say("feed", session="bad", symbols=LETTERS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        say("attach", session="bad", after=-1)
        time.sleep(0.01)


def main() -> None:
    kind, address, seconds = sys.argv[1:]
    url = address.replace("http", "ws") + "/v1/stream"
    with connect(url, max_size=None, ping_interval=None) as socket:

        def read() -> None:
            for message in socket:
                heard[json.loads(message)["type"]] += 1

        threading.Thread(target=read, daemon=True).start()

        def say(type: str, **fields: Any) -> None:
            fields = {"model": "verse", **fields} if type == "open" else fields
            socket.send(json.dumps({"type": type, **fields}))

        began = time.monotonic()
        try:
            {"rewinds": rewinds, "feeds": feeds, "replays": replays}[kind](say, float(seconds))
            while (lasted := time.monotonic() - began) < float(seconds) or (
                heard[ANSWERS[kind]] < ENOUGH and lasted < AT_MOST
            ):
                time.sleep(0.05)
        except ConnectionClosed:
            heard["closed by the server"] += 1
        sys.stdout.write(json.dumps(heard))
        sys.stdout.flush()
        os._exit(0)  # without a farewell, as attackers go


if __name__ == "__main__":
    main()
