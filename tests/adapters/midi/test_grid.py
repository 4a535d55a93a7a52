"""Recordings on the grid of a MIDI file: as ticks, with the tempo that makes them true."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Ear, House, make_categorical_model

from stream_rnn.adapters.midi.grid import TICKS_PER_BEAT, USUAL, Grid, Symbol
from stream_rnn.adapters.midi.recording import Recorder
from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.transport import TransportFollower

STEP = TICKS_PER_BEAT // 4
BAR = 4 * TICKS_PER_BEAT


class Take:
    """What a file has: where notes begin, as (ticks, seconds), and its tempi."""

    def __init__(self, path: Path) -> None:
        file = mido.MidiFile(path)
        assert file.ticks_per_beat == TICKS_PER_BEAT and len(file.tracks) == 1
        tick, now, tempo = 0, 0.0, 500_000
        self.begun: list[tuple[int, float]] = []
        self.tempi: list[tuple[int, float]] = []
        for message in file.tracks[0]:
            tick += message.time
            now += message.time * tempo / 1e6 / TICKS_PER_BEAT
            if message.type == "set_tempo":
                tempo = message.tempo
                self.tempi.append((tick, mido.tempo2bpm(tempo)))
            elif message.type == "note_on" and message.velocity:
                self.begun.append((tick, now))

    def begins_like(self, ear: Ear) -> None:
        """Holds that each note begins when its symbol was due, to 2 ms."""
        held: set[int] = set()
        due: list[float] = []
        for m in ear.of("symbol"):
            due += [m["due"]] * len(set(m["notes"]) - held)
            held = set(m["notes"])
        assert len(due) == len(self.begun) > 100
        zero = due[0] - self.begun[0][1]
        for (_, heard), wanted in zip(self.begun, due, strict=True):
            assert heard == pytest.approx(wanted - zero, abs=0.002)


@pytest.fixture
def rolling(models: Path, tmp_path: Path) -> tuple[House, Recorder, Ear]:
    house = House(models)
    recorder = Recorder(tmp_path / "take.mid", "*", house.clock.now)
    house.stage.add_sink(recorder)
    return house, recorder, house.join()


def test_a_session_of_90_bpm_has_its_beats_on_the_grid(
    rolling: tuple[House, Recorder, Ear], tmp_path: Path
) -> None:
    house, recorder, ear = rolling
    house.say(ear, "open", model="roll", session="s", seed=5, controls={"bpm": 90.0})
    house.run(12.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    take.begins_like(ear)
    assert take.tempi == [(0, pytest.approx(90, abs=0.001))]
    places = [m["n"] for m in ear.of("symbol") if m["notes"]]
    assert {tick % STEP for tick, _ in take.begun} == {0}
    assert take.begun[0][0] == places[0] * STEP
    assert take.begun[-1][0] <= places[-1] * STEP < take.begun[-1][0] + BAR


def test_a_change_of_tempo_leaves_the_beats_on_the_grid(
    rolling: tuple[House, Recorder, Ear], tmp_path: Path
) -> None:
    house, recorder, ear = rolling
    house.say(ear, "open", model="roll", session="s", seed=5, controls={"bpm": 90.0})
    for bpm in (150.0, 66.6, 90.0):
        house.run(4.0)
        house.say(ear, "control", session="s", controls={"bpm": bpm})
    house.run(4.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    take.begins_like(ear)
    assert {tick % STEP for tick, _ in take.begun} == {0}
    # Between two of these tempi there may be one symbol with a tempo of its own.
    lengths = [b - a for (a, _), (b, _) in pairwise([*take.tempi, (10**9, 0.0)])]
    settled = [
        bpm for (_, bpm), ticks in zip(take.tempi, lengths, strict=True) if ticks > TICKS_PER_BEAT
    ]
    assert settled == [pytest.approx(b, abs=0.01) for b in (90, 150, 66.6, 90)]
    assert len(take.tempi) <= 7


def test_a_tempo_that_is_followed_is_in_the_file(
    rolling: tuple[House, Recorder, Ear], tmp_path: Path
) -> None:
    house, recorder, ear = rolling
    follower = TransportFollower(house.stage)
    house.stage.tempi.offer("link")
    follower.set_tempo("link", Tempo(100.0, 0.0, house.clock.now()), house.clock.now())
    controls = {"sync": "link"}
    house.say(ear, "open", model="roll", session="s", seed=5, controls=controls)
    house.run(6.0)
    now = house.clock.now()
    beat = house.stage.sessions["s"].tempo
    assert beat is not None
    follower.set_tempo("link", Tempo(130.0, beat.beat_at(now), now), now)
    house.run(10.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    take.begins_like(ear)
    assert {tick % STEP for tick, _ in take.begun} == {0}
    assert take.tempi[0] == (0, pytest.approx(100, abs=0.001))
    assert take.tempi[-1][1] == pytest.approx(130, abs=0.001)
    assert len(take.tempi) <= 4


def test_after_a_pause_bars_are_bars_again(
    rolling: tuple[House, Recorder, Ear], tmp_path: Path
) -> None:
    house, recorder, ear = rolling
    house.say(ear, "open", model="roll", session="s", seed=5, controls={"bpm": 90.0})
    house.run(6.0)
    house.say(ear, "pause", session="s")
    at = len(ear.of("symbol"))
    house.run(7.77)
    house.say(ear, "play", session="s")
    house.run(6.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    assert {tick % STEP for tick, _ in take.begun} == {0}
    symbols = ear.of("symbol")
    resumed = next(m for m in symbols[at:] if m["notes"])
    zero = symbols[0]["due"]
    tick, heard = next(
        (tick, now) for tick, now in take.begun if now > resumed["due"] - zero - 0.01
    )
    assert tick % BAR == resumed["n"] * STEP % BAR
    assert heard == pytest.approx(resumed["due"] - zero, abs=0.002), "and time is the wall's"
    assert all(60 < bpm < 135 for _, bpm in take.tempi)


def test_who_leads_is_followed_by_the_next(
    rolling: tuple[House, Recorder, Ear], tmp_path: Path
) -> None:
    house, recorder, ear = rolling
    house.say(ear, "open", model="roll", session="s", seed=5, controls={"bpm": 90.0})
    house.run(3.0)
    house.say(ear, "open", model="roll", session="t", seed=6, controls={"bpm": 125.0})
    house.run(3.0)
    house.say(ear, "close", session="s")
    house.run(10.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    assert take.tempi[0][1] == pytest.approx(90, abs=0.001)
    assert take.tempi[-1][1] == pytest.approx(125, abs=0.01)
    late = [tick for tick, now in take.begun if now > 8.0]
    assert len(late) > 20 and {tick % STEP for tick in late} == {0}


def test_tunes_have_their_notes_on_the_grid(tmp_path: Path) -> None:
    codec = AbcCodec("M:6/8 K:Dmaj A B ^c d f g z 2 3 /2 > (3 - | :|".split())
    make_categorical_model(tmp_path / "models" / "tunes", codec)
    house = House(tmp_path / "models")
    recorder = Recorder(tmp_path / "take.mid", "*", house.clock.now)
    house.stage.add_sink(recorder)
    house.say(house.join(), "open", model="tunes", session="s", seed=4, controls={"bpm": 150.0})
    house.run(40.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    assert take.tempi == [(0, pytest.approx(150, abs=0.001))]
    assert len(take.begun) > 60
    assert {tick % (STEP // 12) for tick, _ in take.begun} == {0}  # triplets of thirty-seconds


def test_what_keeps_its_own_time_has_the_usual_tempo(tmp_path: Path) -> None:
    make_categorical_model(tmp_path / "models" / "piano", PerformanceCodec())
    house = House(tmp_path / "models")
    recorder = Recorder(tmp_path / "take.mid", "*", house.clock.now)
    house.stage.add_sink(recorder)
    house.say(house.join(), "open", model="piano", session="s", seed=4)
    house.run(10.0)
    recorder.close()
    take = Take(tmp_path / "take.mid")
    assert take.tempi == [(0, 120.0)] and len(take.begun) > 10


steps = st.lists(
    st.tuples(st.floats(0.02, 2.0), st.sampled_from([0.0, 0.0, 0.0, 0.03, 4.7]), st.booleans()),
    min_size=2, max_size=60,
)  # fmt: skip


@given(steps, st.integers(0, 40))
def test_whatever_the_tempo_does_times_are_true_and_beats_on_the_grid(
    steps: list[tuple[float, float, bool]], first: int
) -> None:
    """Each step is (its length, the gap before it, whether messages are written after it)."""
    grid: Grid | None = None
    due, waiting, written, dues = 100.0, [], [], []
    for n, (seconds, gap, write) in enumerate(steps, first):
        due += gap
        symbol = Symbol(due, due + seconds, n / 4, 0.25)
        if grid is None:
            grid = Grid.led_by(symbol)
        else:
            grid.follow(symbol, led=True)
        dues.append(due)
        waiting.append((due, bytes((0x90, 60, 1))))
        due += seconds
        if write:
            written += grid.place(waiting)
            waiting = []
    assert grid is not None
    written += grid.place(waiting)
    ticks = [tick for tick, _ in written]
    assert ticks == sorted(ticks)
    notes = [tick for tick, data in written if data[0] == 0x90]
    assert len(set(notes)) == len(notes)
    now, before, tempo, heard = 0.0, 0, USUAL, []
    for tick, data in written:
        now += (tick - before) * tempo / TICKS_PER_BEAT / 1e6
        before = tick
        if data[0] == 0xFF:
            tempo = int.from_bytes(data[3:], "big")
        else:
            heard.append(now)
    zero = heard[0] - dues[0]
    assert all(at - zero == pytest.approx(w, abs=0.05) for at, w in zip(heard, dues, strict=True))
    if not any(gap for _, gap, _ in steps):
        assert [tick % STEP for tick in notes] == [0] * len(notes)
        for at, wanted in zip(heard, dues, strict=True):
            assert at - zero == pytest.approx(wanted, abs=0.002)
