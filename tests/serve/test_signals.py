"""What a terminal's signals do to sounding notes; and the children's process sessions."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import House, ManualClock

from stream_rnn.adapters.midi.out import MidiSink
from stream_rnn.config import MidiOut
from stream_rnn.pipe import Child
from stream_rnn.serve import engine_ward
from stream_rnn.serve.signals import Standstill
from stream_rnn.supervise import supervise


def heard(played: list[tuple[float, int, bytes]]) -> set[int]:
    """The pitches that sound when all this has been played."""
    on: set[int] = set()
    for _, _, data in played:
        if data[0] >> 4 == 9:
            on.add(data[1])
        elif data[0] >> 4 == 8:
            on.discard(data[1])
    return on


def test_what_plays_stops_and_goes_on_where_it_was_without_catching_up(models: Path) -> None:
    house = House(models)
    played: list[tuple[float, int, bytes]] = []
    sink = MidiSink([MidiOut(port="x")], played.extend, played.clear, house.clock.now)
    sink.ports(["x"])
    house.stage.add_sink(sink)
    ear = house.join()
    house.say(ear, "open", model="roll", session="s", seed=5)
    house.say(ear, "open", model="roll", session="rests", seed=5)
    house.say(ear, "pause", session="rests")
    house.run(2.0)
    assert heard(played)
    standstill = Standstill(house.stage)
    standstill.begin(house.clock.now())
    assert not heard(played), "the MIDI process has all ends, and runs on"
    assert max(time for time, _, _ in played) < house.clock.now() + 0.3
    assert ear.last("paused")["session"] == "s"
    before = len(ear.of("symbol", "s"))
    house.run(0.1)
    assert len(ear.of("symbol", "s")) == before
    house.clock.advance(100.0)  # nobody does anything
    back = house.clock.now()
    standstill.end(back)
    house.run(0.5)
    after = ear.of("symbol", "s")[before:]
    assert [m["n"] for m in ear.of("symbol", "s")] == list(range(before + len(after)))
    assert 8 <= len(after) <= 12, "at 20 a second, as if nothing had been"
    assert after[0]["due"] > back and ear.of("playing")[-1]["session"] == "s"
    assert not [m for m in ear.of("playing") if m["session"] == "rests"]


def test_a_session_that_somebody_else_has_changed_meanwhile_is_left_alone(models: Path) -> None:
    house = House(models)
    ear = house.join()
    for name in ("closed", "plays"):
        house.say(ear, "open", model="roll", session=name, seed=5)
    standstill = Standstill(house.stage)
    standstill.begin(house.clock.now())
    house.say(ear, "close", session="closed")
    house.say(ear, "play", session="plays")
    standstill.end(house.clock.now())
    standstill.end(house.clock.now())
    assert len(ear.of("playing")) == 1


@pytest.mark.skipif(not hasattr(os, "getsid"), reason="sessions are POSIX's")
def test_a_child_is_in_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> int | None:
        child = Child("none", {}, lambda body: None, lambda: None)
        with pytest.raises(EOFError):
            await child.start(5.0)
        child.stop()
        return child.pid

    popen, sid = subprocess.Popen, 0

    def spawn(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        nonlocal sid
        process = popen([sys.executable, "-c", "input()"], **options)  # type: ignore[call-overload]
        sid = os.getsid(process.pid)
        process.terminate()
        return process

    monkeypatch.setattr(subprocess, "Popen", spawn)
    assert asyncio.run(scene()) == sid
    assert sid != os.getsid(0)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
def test_a_hang_up_that_is_ignored_stays_so(models: Path) -> None:
    """As with `nohup`, which has SIGHUP ignored."""
    code = (
        "import asyncio, os, signal, sys\n"
        "from stream_rnn.serve.signals import Signals\n"
        "async def scene():\n"
        "    ends = []\n"
        "    Signals(None, None, end=lambda: ends.append(1), end_notes=print).install()\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    await asyncio.sleep(0.05)\n"
        "    print(len(ends))\n"
        "asyncio.run(scene())\n"
    )
    for ignored, ends in ((True, "0"), (False, "1")):

        def before(ignored: bool = ignored) -> None:
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)

        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, preexec_fn=before
        )
        assert done.stdout.strip() == ends, done.stderr


class Hung:
    """An engine that says nothing; it also stands for its `EngineLife` and `EngineLink`."""

    def __init__(self) -> None:
        self.killed = asyncio.Event()

    def has_room(self) -> bool:
        return True

    def unanswered_for(self, link: object, now: float) -> float:
        return 100.0

    def kill(self) -> None:
        self.killed.set()


def test_an_engine_is_not_killed_because_the_gateway_stood_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_ward, "WATCH", 0.05)
    hung, clock = Hung(), ManualClock()

    async def scene() -> None:
        ward = engine_ward.EngineWard(hung, hung, hung, clock, asyncio.Event())  # type: ignore[arg-type]
        watch = asyncio.create_task(supervise(ward, clock))
        await asyncio.sleep(0.01)
        clock.advance(60.0)  # between two looks
        await asyncio.sleep(0.06)
        assert not hung.killed.is_set()
        await hung.killed.wait()  # from then on it is the engine's silence
        watch.cancel()

    asyncio.run(asyncio.wait_for(scene(), 10.0))
