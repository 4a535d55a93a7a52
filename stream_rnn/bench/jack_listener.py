"""Prints what arrives at a JACK MIDI port, and when: `python -m … CLIENT`, ended by closing stdin.

This is a separate process, since it must not miss a period (0.7 ms) while others compute. It
prints a line for each message: its time on the machine's monotonic clock, and the bytes in
hexadecimal. The time is that of the period's callback, plus the message's frame in the period.

Due times are on the monotonic clock, so JACK's frame times would have to be converted to it. JACK
does that by a filter that follows the beginnings of periods. With a sound card these are steady.
Without one a timer starts them: on a busy machine they come late, and the filter's clock wanders
by tens of milliseconds, whenever the messages came. So of JACK's times only the frame within the
period is used. A callback that runs late makes a message seem later than it was, never earlier.
Tests use this program, too, to count messages.
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

PRIORITY = 5  # below that of the MIDI process, which must not wait for this one


def main() -> None:
    """Registers `CLIENT:in` and prints its messages until stdin closes."""
    client = jack.Client(sys.argv[1], no_start_server=True)
    port = client.midi_inports.register("in")
    heard: deque[tuple[float, bytes]] = deque()
    told = threading.Event()

    def process(frames: int) -> None:
        if not told.is_set():
            told.set()
            with contextlib.suppress(OSError):  # 0: the calling thread, which is JACK's
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
        events = list(port.incoming_midi_events())
        if events:
            now = time.monotonic()
            heard.extend((now + o / client.samplerate, bytes(d)) for o, d in events)

    client.set_process_callback(process)
    client.set_shutdown_callback(lambda status, reason: os._exit(1))
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(1e-4)  # seconds for which the printer may delay JACK's thread
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
