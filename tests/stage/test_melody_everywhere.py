"""A stream of ABC or of tablature, as viewers, a MIDI port, an OSC program and a file hear it."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest
from pythonosc.osc_packet import OscPacket
from support import Ear, House, make_categorical_model

from stream_rnn.adapters.midi.out import MidiSink, Timed
from stream_rnn.adapters.midi.recording import Recorder
from stream_rnn.adapters.osc import targets
from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.melody import notes_of
from stream_rnn.codecs.tablature import TablatureCodec
from stream_rnn.config import MidiOut, OscTarget

ABC = AbcCodec("M:6/8 K:Dmaj A B ^c d f g z 2 3 /2 > (3 - | :|".split())
BPM = 150.0
Heard = list[tuple[float, int, bool]]  # when, which pitch, whether it begins


class Places:
    """Every kind of output that a session can have, on one stage."""

    def __init__(self, folder: Path, codec: AbcCodec | TablatureCodec) -> None:
        make_categorical_model(folder / "models" / "tunes", codec)
        self.house, self._file = House(folder / "models"), folder / "take.mid"
        clock = self.house.clock
        self.sent: list[Timed] = []
        # `text=False` makes letters silent, but not those that spell notes.
        self.midi = MidiSink([MidiOut(port="x", text=False)], self.sent.extend, list, clock.now)
        self.midi.ports(["there"])
        self.recorder = Recorder(self._file, "*", clock.now)
        self.osc: list[tuple[str, list[object], float]] = []
        target = OscTarget(port=9000)
        program = targets.TargetSink(target, targets.form_of(target), self._take, clock)
        for sink in (self.midi, self.recorder, program):
            self.house.stage.add_sink(sink)

    def _take(self, data: bytes) -> None:
        packet = OscPacket(data)
        self.osc += [(m.message.address, m.message.params, m.time) for m in packet.messages]

    def play(self, seconds: float, **controls: float) -> Ear:
        ear = self.house.join()
        self.house.say(ear, "open", model="tunes", session="s", seed=4, controls=controls)
        self.house.run(seconds)
        self.house.say(ear, "pause", session="s")
        self.recorder.close()
        return ear

    def by_midi(self) -> Heard:
        return [(t, data[1], data[0] >> 4 == 9) for t, _, data in self.sent]

    def by_osc(self) -> list[tuple[int, bool, float]]:
        notes = [arguments for address, arguments, _ in self.osc if address == "/rnn/s/note"]
        return [(p, v > 0, s) for p, v, s in notes]  # type: ignore[misc, operator]

    def recorded(self) -> Heard:
        now, heard = 0.0, []
        for message in mido.MidiFile(self._file):
            now += message.time
            if message.type in ("note_on", "note_off"):
                heard.append((now, message.note, message.type == "note_on"))
        return heard


@pytest.fixture(autouse=True)
def time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "wall", lambda due, clock: due + 1_800_000_000.0)


def test_a_tune_is_the_same_melody_everywhere(tmp_path: Path) -> None:
    places = Places(tmp_path, ABC)
    symbols = places.play(60.0, bpm=BPM).of("symbol")
    tokens = {ABC.event(i)["text"]: token for i, token in enumerate(ABC.vocabulary)}
    tune = notes_of([tokens[s["text"]] for s in symbols], BPM)[:-2]  # the pause cuts the last
    assert len(tune) > 60
    start = tune[0].start
    wanted = [(n.start - start, n.pitch, (n.stop - n.start) / 0.9) for n in tune]

    spelt = [(s["due"], x) for s in symbols for x in s["sounds"] if x["pitch"] is not None]
    first = spelt[0][0]
    told = [(due - first, x["pitch"], x["seconds"]) for due, x in spelt]
    assert told[: len(wanted)] == [pytest.approx(w, abs=1e-5) for w in wanted]

    for heard in (places.by_midi(), places.recorded()):
        begun = [(t, pitch) for t, pitch, begins in heard if begins]
        zero = begun[0][0]
        assert [(t - zero, p) for t, p in begun][: len(wanted)] == [
            (pytest.approx(t, abs=0.002), p) for t, p, _ in wanted
        ]
        ended = [(t - zero, pitch) for t, pitch, begins in heard if not begins]
        assert ended[: len(wanted)] == [
            (pytest.approx(t + seconds, abs=0.002), p) for t, p, seconds in wanted
        ]
        assert len(ended) == len(begun)
    begun = [(p, s) for p, begins, s in places.by_osc() if begins]
    assert begun[: len(wanted)] == [(p, pytest.approx(s, abs=1e-5)) for _, p, s in wanted]
    assert len(places.by_osc()) == 2 * len(begun)
    assert sum(address == "/rnn/s/char" for address, _, _ in places.osc) == len(symbols)


def test_plucked_strings_sound_in_their_own_rhythm(tmp_path: Path) -> None:
    codec = TablatureCodec()
    places = Places(tmp_path, codec)
    symbols = places.play(20.0, rate=8).of("symbol")
    plucked = [(s["due"], s["event"]["note"]) for s in symbols if "note" in s.get("event", {})]
    assert len(plucked) > 60
    assert [(t, p) for t, p, begins in places.by_midi() if begins] == plucked
    assert [(p, s) for p, begins, s in places.by_osc() if begins] == [
        (p, pytest.approx(1 / 8)) for _, p in plucked
    ]
    sounding: set[int] = set()
    for _, pitch, begins in places.by_midi():
        (sounding.add if begins else sounding.remove)(pitch)
    assert not sounding
