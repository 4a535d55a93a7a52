"""The engine as a process of its own: a plain loop over one socket.

Started by `pipe.Child` as `python -m stream_rnn.engine.process END OPTIONS`.
It ends when the socket closes, so it never outlives the gateway.
"""

from __future__ import annotations

import gc
import json
import logging
import math
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stream_rnn.engine.messages import EngineEvent, Failed, decode_commands, encode
from stream_rnn.errors import StreamRnnError
from stream_rnn.handover import child_end
from stream_rnn.pipe import FrameReader, frame
from stream_rnn.system import be_batch, gently, give_way, use_little_memory, waiter

if TYPE_CHECKING:  # imported at the priority that the engine starts at
    from stream_rnn.engine.core import Core

log = logging.getLogger("stream_rnn.engine")


def serve(connection: socket.socket, options: dict[str, object]) -> None:
    """Takes commands and sends events until the peer closes.

    Args:
        options: `EngineOptions` as JSON values; and `spare`, whether the engine only waits to take
            the place of another, which it must not disturb.
    """

    def say(events: Sequence[EngineEvent]) -> None:
        connection.sendall(frame(encode(events)))

    spare = options.pop("spare", False)
    try:
        core = gently(lambda: _make(options)) if spare else _make(options)
    except StreamRnnError as error:
        say([Failed(str(error))])
        return
    core.say = say
    say([core.ready()])
    gc.collect()
    gc.freeze()  # what has been imported stays, so no collection need look at it again
    reader, wake = FrameReader(), math.inf
    is_spoken_to = waiter(connection)
    while True:
        if is_spoken_to(max(0.0, wake - time.monotonic())):
            data = connection.recv(1 << 18)
            if not data:
                return
            for body in reader.feed(data):
                failed = core.apply(decode_commands(body))
                if failed:
                    say(failed)
        began = time.monotonic()
        events, wake = core.step(began)
        if events:
            say(events)
        now = time.monotonic()
        if worked := core.took(now - began, now):
            say(worked)
        if events:
            # Linux tends to wake the reader on our processor, where it would wait for us to end.
            give_way()
        else:
            core.tidy(now)


def _make(options: dict[str, object]) -> Core:
    from stream_rnn.engine.core import Core, EngineOptions

    folders = options["models"]
    assert isinstance(folders, dict)
    models = {"models": {name: Path(folder) for name, folder in folders.items()}}
    return Core(EngineOptions(**(options | models)))  # type: ignore[arg-type]


def main() -> None:
    """Entry point of the child."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # A supervisor may send these signals to every process. Only the gateway acts on them; it ends
    # the engine once it has drained.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    use_little_memory()
    be_batch()  # waking the engine must not interrupt the gateway, which has more to do
    connection = child_end(sys.argv[1])
    try:
        serve(connection, json.loads(sys.argv[2]))
    except (BrokenPipeError, ConnectionResetError):
        log.info("the gateway is gone")


if __name__ == "__main__":
    main()
