"""The machine's clock is set while it plays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support import House
from talker import timetag

from stream_rnn.adapters.midi.out import MidiSink, Timed
from stream_rnn.adapters.osc.targets import TargetSink, form_of
from stream_rnn.config import MidiOut, OscTarget


def test_due_times_stay_and_timetags_follow(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house, packets = House(models), []
    target = OscTarget(port=9)
    house.stage.add_sink(TargetSink(target, form_of(target), packets.append, house.clock))
    sent: list[Timed] = []
    synth = MidiSink([MidiOut(port="x")], sent.extend, list, house.clock.now)
    house.stage.add_sink(synth)
    synth.ports(["x"])
    date = 1_000_000_000.0
    monkeypatch.setattr(time, "time", lambda: date + house.clock.now())
    ear = house.join()
    house.say(ear, "open", model="roll", session="s", seed=5)
    house.run(2.0)
    date += 3600.0  # an hour forward
    house.run(2.0)
    date -= 7200.0  # and two back
    house.run(2.0)
    symbols = ear.of("symbol")
    gaps = [b["due"] - a["due"] for a, b in zip(symbols, symbols[1:], strict=False)]
    assert gaps == pytest.approx([0.05] * len(gaps)) and len(symbols) > 110
    onsets = {at for at, _, data in sent if data[0] >> 4 == 9}
    assert onsets <= {symbol["due"] for symbol in symbols} and len(onsets) > 50
    tags = [timetag(data) for data in packets if b"/rnn/s/frame" in data]
    offsets = [tag - s["due"] - 1_000_000_000.0 for tag, s in zip(tags, symbols, strict=True)]
    jumps = [b - a for a, b in zip(offsets, offsets[1:], strict=False) if abs(b - a) > 1.0]
    assert jumps == pytest.approx([3600.0, -7200.0], abs=0.01)
