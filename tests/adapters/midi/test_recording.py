"""Sessions into MIDI files, beside a real stage and engine."""

from __future__ import annotations

from datetime import datetime, tzinfo
from pathlib import Path

import mido
import pytest
from support import Ear, House

from stream_rnn.adapters.midi import recording
from stream_rnn.adapters.midi.recording import MidiFile, Recorder
from stream_rnn.errors import ConfigError


def taken(path: Path) -> list[tuple[float, int, int, bool]]:
    """(seconds, channel from 1, pitch, whether it begins) of a file's notes."""
    now, notes = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type in ("note_on", "note_off"):
            begins = message.type == "note_on" and message.velocity > 0
            notes.append((now, message.channel + 1, message.note, begins))
    return notes


def expected(symbols: list[dict[str, object]]) -> list[tuple[float, int, bool]]:
    held: set[int] = set()
    notes = []
    for symbol in symbols:
        now = set(symbol["notes"])  # type: ignore[call-overload]
        due = float(symbol["due"])  # type: ignore[arg-type]
        notes += [(due, p, False) for p in held - now] + [(due, p, True) for p in now - held]
        held = now
    return notes


def test_a_recording_has_every_note_in_time(models: Path, tmp_path: Path) -> None:
    house, path = House(models), tmp_path / "take.mid"
    recorder, ear = Recorder(path, "s*", house.clock.now), house.join()
    house.stage.add_sink(recorder)
    house.say(ear, "open", model="roll", session="s", seed=5)
    house.say(house.join(), "open", model="roll", session="other", seed=6)
    house.run(5.0)
    house.say(ear, "pause", session="s")
    recorder.close()
    want = expected(ear.of("symbol"))
    first = min(t for t, _, _ in want)
    notes = taken(path)
    assert len(want) > 100
    by_key = sorted((pitch, begins, moment) for moment, _, pitch, begins in notes)
    for pitch, begins, due in sorted((p, b, t - first) for t, p, b in want):
        near = [t for p, b, t in by_key if (p, b) == (pitch, begins) and abs(t - due) < 0.002]
        assert len(near) == 1, (pitch, begins, due)
    sounding = set()
    for _, _, pitch, begins in notes:
        (sounding.add if begins else sounding.discard)(pitch)
    assert not sounding


def test_the_file_is_whole_at_every_moment(models: Path, tmp_path: Path) -> None:
    house, path = House(models), tmp_path / "take.mid"
    recorder = Recorder(path, "*", house.clock.now)
    house.stage.add_sink(recorder)
    assert taken(path) == []
    house.say(house.join(), "open", model="roll", session="s", seed=5)
    lengths = []
    for _ in range(5):
        house.run(2.0)
        lengths.append(len(taken(path)))  # as after a kill: nobody has closed it
    assert lengths[0] > 10 and lengths == sorted(set(lengths))
    recorder.close()


def test_channels_are_kept_apart(models: Path, tmp_path: Path) -> None:
    house, path = House(models), tmp_path / "take.mid"
    recorder = Recorder(path, "*", house.clock.now)
    house.stage.add_sink(recorder)
    ear = house.join()
    house.say(ear, "open", model="roll", session="s", seed=5)
    house.run(1.0)
    house.say(ear, "control", session="s", controls={"channel": 4})
    house.run(1.0)
    house.say(ear, "close", session="s")
    recorder.close()
    sounding = set()
    for _, channel, pitch, begins in taken(path):
        (sounding.add if begins else sounding.discard)((channel, pitch))
    assert {channel for _, channel, _, _ in taken(path)} == {1, 4} and not sounding


def test_a_file_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot record to"):
        Recorder(tmp_path / "absent" / "take.mid", "*", lambda: 0.0)


def test_a_take_that_is_there_is_kept_and_the_log_says_where_the_new_one_goes(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Then:
            return cls(2026, 11, 29, 3, 12, 5)

    monkeypatch.setattr(recording, "datetime", Then)
    caplog.set_level("INFO")
    path, kept, killed = tmp_path / "take.mid", {}, []
    names = ["take.mid", "take-2026-11-29T03-12-05.mid", "take-2026-11-29T03-12-05-2.mid"]
    for seed, name in enumerate(names):
        house = House(models)
        recorder = Recorder(path, "*", house.clock.now)
        house.stage.add_sink(recorder)
        house.say(house.join(), "open", model="roll", session="s", seed=seed)
        house.run(3.0)
        killed.append(recorder)  # which never came to close its file
        kept[name] = (tmp_path / name).read_bytes()
        assert len(taken(tmp_path / name)) > 10
        assert (f"recording to {tmp_path / name}" in caplog.text) == (name != "take.mid")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert all((tmp_path / name).read_bytes() == data for name, data in kept.items())
    for recorder in killed:
        recorder.close()


def test_two_recordings_of_one_name_have_a_file_each(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path / "take.mid", "*", lambda: 0.0) for _ in range(3)]
    for recorder in recorders:
        recorder.close()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="a file that nobody can lose")
def test_a_device_is_written_to_as_it_is() -> None:
    Recorder(Path("/dev/null"), "*", lambda: 0.0).close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full is Linux's")
def test_a_full_disk_ends_the_recording_and_not_the_show(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house, ear = House(models), Ear()
    monkeypatch.setattr(MidiFile, "__init__", lambda self, path: None)
    recorder = Recorder(Path("/dev/full"), "*", house.clock.now)

    def add(self: MidiFile, messages: object) -> None:
        Path("/dev/full").write_bytes(b"note")

    monkeypatch.setattr(MidiFile, "add", add)
    monkeypatch.setattr(MidiFile, "close", lambda self: None)
    house.stage.add_sink(recorder)
    house.say(ear, "open", model="roll", session="s", seed=5)
    house.run(4.0)
    assert len(ear.of("symbol")) > 70
    assert "No space left on device; recording no more" in caplog.text
    recorder.close()
