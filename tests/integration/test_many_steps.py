"""A thousand steps of one client, on a real server beside a session that plays in time.

The bound is loose, for a machine that is busy: see `test_floods`.
"""

from __future__ import annotations

import threading

from talker import Talker

SESSIONS, STEPS = 8, 1000
RATE = 30
LATE = 0.5  # seconds


def test_a_thousand_steps_of_each_of_many_sessions_make_nobody_late(address: str) -> None:
    with Talker(address) as player, Talker(address) as walker:
        player.ask("open", "opened", model="verse", session="p", controls={"rate": RATE})
        names = [f"w{number}" for number in range(SESSIONS)]
        for name in names:
            walker.ask("open", "opened", model="verse", session=name, play=False)
        late, done = list[float](), threading.Event()

        def listen() -> None:
            while not done.is_set():
                (symbol,) = player.symbols(1)
                late.append(symbol["arrived"] - symbol["due"])

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            for name in names[1:]:
                walker.say("step", session=name, count=STEPS)
            for _ in range(STEPS):
                walker.say("step", session=names[0])
            made = walker.symbols(SESSIONS * STEPS, timeout=120.0)
        finally:
            done.set()
            thread.join()
        for name in names:
            assert [m["n"] for m in made if m["session"] == name] == list(range(STEPS))
            walker.ask("close", "closed", session=name)
        player.ask("close", "closed", session="p")
        nine_of_ten = sorted(late)[int(0.9 * len(late))]
        assert nine_of_ten < LATE and len(late) > 3
