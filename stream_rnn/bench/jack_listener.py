"""What arrives at a JACK MIDI port, and when: `python -m … CLIENT`, ended by closing stdin.

A process of its own, since it must not miss a period (0.7 ms) while others compute. It prints a
line a message: its moment on the machine's monotonic clock, and the bytes in hexadecimal. The
moment is when the period's callback runs, plus the message's frame in it.

What is due is due on the monotonic clock, so a frame time would have to be carried over to it.
JACK does that by a filter that follows the periods' beginnings. With a sound card they are the
card's, and steady. Without one they are a timer's: on a busy machine they come late, and the
filter's clock wanders by tens of milliseconds, which has nothing to do with when a message came.
So of JACK's frames only those within the period are taken. A callback that runs late makes a
message seem later than it was, never earlier. Also for tests that count what was on the wire.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections import deque

import jack

PRIORITY = 5  # below the MIDI process, which it must not keep waiting


def main() -> None:
    """Registers `CLIENT:in` and prints what comes there until stdin closes."""
    client = jack.Client(sys.argv[1], no_start_server=True)
    port = client.midi_inports.register("in")
    heard: deque[tuple[float, bytes]] = deque()
    told = threading.Event()

    def process(frames: int) -> None:
        if not told.is_set():
            told.set()
            with contextlib.suppress(OSError):  # 0: this very thread, which is JACK's
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
        events = list(port.incoming_midi_events())
        if events:
            now = time.monotonic()
            heard.extend((now + o / client.samplerate, bytes(d)) for o, d in events)

    client.set_process_callback(process)
    client.set_shutdown_callback(lambda status, reason: os._exit(1))
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(1e-4)  # seconds that the printer may keep JACK's thread waiting
    client.activate()
    threading.Thread(target=_print, args=(heard,), daemon=True).start()
    sys.stdin.read()
    time.sleep(0.1)
    client.close()


def _print(heard: deque[tuple[float, bytes]]) -> None:
    print("listening", flush=True)
    while True:
        while heard:
            moment, data = heard.popleft()
            print(f"{moment:.6f} {data.hex()}", flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
