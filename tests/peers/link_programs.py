"""Two programs for `test_link.py`, each run in a network namespace: `peer` and `session`.

They print a JSON object a line. `peer BPM` is somebody else on Link. `session MODELS BPM` is a
stage with a session that follows Link, paced by the real play-out on uvloop.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from stream_rnn.clock import MonotonicClock

CLOCK = MonotonicClock()  # on Linux the same for every process of the machine


def say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def peer(bpm: float) -> None:
    from aalink import Link

    link = Link(bpm)
    link.quantum = 4
    link.enabled = True
    while True:
        now = CLOCK.now()
        say(at=now, beat=link.beat, bpm=link.tempo, peers=link.num_peers)
        await asyncio.sleep(0.1)


async def session(models: Path, bpm: float) -> None:
    from support import Ear, House

    from stream_rnn.adapters.tempo.ableton_link import LinkSide
    from stream_rnn.stage.playout import play_out
    from stream_rnn.stage.transport import TransportFollower
    from stream_rnn.wire import messages as wire

    house = House(models)
    house.clock = CLOCK  # type: ignore[assignment]
    stage = house.stage
    link = LinkSide(stage, TransportFollower(stage), CLOCK, bpm)
    ear = Ear()

    async def pump() -> None:
        while True:
            house.engine.pump(CLOCK.now())
            for message in ear.messages:
                say(**message)
            ear.messages.clear()
            await asyncio.sleep(0.005)

    opening = wire.Open(model="roll", session="a", controls={"sync": "link"}, seed=1)
    stage.handle(ear, opening, CLOCK.now())
    await asyncio.gather(link.run(), play_out(stage, CLOCK), pump())


if __name__ == "__main__":
    _, which, *words = sys.argv
    if which == "peer":
        uvloop.run(peer(float(words[0])))
    else:
        uvloop.run(session(Path(words[0]), float(words[1])))
