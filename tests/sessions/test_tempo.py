import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import ProtocolError
from stream_rnn.sessions.tempo import SOURCES, Tempi, Tempo

bpms = st.floats(10, 1000)
beats = st.floats(-1e5, 1e5)
times = st.floats(0, 1e6)


@given(bpms, beats, times, times)
def test_time_and_beat_are_each_others_inverse(
    bpm: float, beat: float, at: float, time: float
) -> None:
    tempo = Tempo(bpm, beat, at)
    assert tempo.time_of(tempo.beat_at(time)) == pytest.approx(time, abs=1e-4)
    assert tempo.beat_at(at) == beat
    assert tempo.time_of(beat + 1) - tempo.time_of(beat) == pytest.approx(60 / bpm, abs=1e-6)


@given(bpms, beats, times, times, st.integers(1, 24), st.integers(1, 96), st.integers(0, 10**6))
def test_the_next_step_is_in_phase_not_too_early_and_within_a_cycle(
    bpm: float, beat: float, at: float, earliest: float, per_beat: int, cycle: int, position: int
) -> None:
    tempo = Tempo(bpm, beat, at)
    step = tempo.next_step(earliest, per_beat, phase=position % cycle, cycle=cycle)
    interval = tempo.interval(per_beat)
    assert (step - position) % cycle == 0
    assert earliest - 1e-3 * interval - 1e-6 <= tempo.step_time(step, per_beat)
    assert tempo.step_time(step, per_beat) <= earliest + cycle * interval + 1e-6


def test_a_moment_on_the_grid_is_its_own_next_step() -> None:
    tempo = Tempo(97.0, 3.0, 1000.1)
    for step in range(-50, 50):
        assert tempo.next_step(tempo.step_time(step, 4), 4) == step


@pytest.mark.parametrize("source", SOURCES)
def test_only_what_is_offered_can_be_followed(source: str) -> None:
    tempi = Tempi(default=source)
    codec = TextCodec("abc")
    assert tempi.first_controls(codec) == {}
    with pytest.raises(ProtocolError, match="this server") as refused:
        tempi.check({"sync": source, "temperature": 1}, codec)
    assert (refused.value.code, refused.value.field) == ("bad_value", "controls.sync")
    tempi.offer(source)
    tempi.check({"sync": source}, codec)
    tempi.check({"sync": ["nonsense is for others to refuse"]}, codec)
    assert tempi.first_controls(codec) == {"sync": source}
    assert tempi.first_controls(PerformanceCodec()) == {}
    with pytest.raises(ProtocolError, match="performance keeps its own time"):
        tempi.check({"sync": source}, PerformanceCodec())
