"""Tunes, whose symbols spell notes, on an external beat."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import House, make_categorical_model

from stream_rnn.checkpoint import Card
from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.melody import melody
from stream_rnn.sessions.control_log import ControlLog
from stream_rnn.sessions.controls import default_controls
from stream_rnn.sessions.flow import Timing
from stream_rnn.sessions.journal import Committed, Journal
from stream_rnn.sessions.session import Session
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.events import symbol_event
from stream_rnn.stage.transport import TransportFollower

TUNE = "M:4/4 K:Gmaj (3 B c d G 2 F > A /2 g 3 - g z |".split()  # 10 3/4 eighths
NOTES = len(melody(TUNE))  # and rests
CODEC = AbcCodec(sorted({*TUNE, "8"}))
CARD = Card("m", "M", CODEC.to_json(), {}, defaults={"bpm": 120.0})
SYNC = Tempo(97.0, 13.37, 1000.0)


class Player:
    """A session that follows `link`, and an engine that draws what the test says."""

    def __init__(self, tempo: Tempo = SYNC) -> None:
        self.tempi, self.now = {"link": tempo}, tempo.at
        controls = default_controls(CARD, 1)
        self.session = self._of(ControlLog(controls, CARD), Journal(CODEC.width))
        self.session.change({"sync": "link"}, "now", self.now)
        self.session.start(self.now)

    def _of(self, log: ControlLog, journal: Journal) -> Session:
        made = Session("s", 1, CARD, CODEC, Timing(), 64, log, journal, self.tempi)
        made.start(self.now)
        made.move("play")
        return made

    def play(self, tokens: list[str]) -> list[Committed]:
        s = self.session
        played = []
        for symbol in CODEC.encode(tokens):
            s.receive(s.generation, s.position, symbol, self.now)
            self.now = max(self.now, s.commit_time())
            played.append(s.commit(self.now))
        return played

    def retime(self, tempo: Tempo) -> None:
        self.tempi["link"] = tempo
        self.session.retime(self.now)


def heard(played: list[Committed], tempo: Tempo = SYNC) -> list[tuple[int | None, float]]:
    """(pitch, sixteenth on the source's beat) of each note."""
    return [(c.sound.pitch, tempo.beat_at(c.due) * 4) for c in played if c.sound]


def written(tokens: list[str], start: float) -> list[tuple[int | None, object]]:
    """(pitch, sixteenth) of a tune as it is written, without the last note."""
    notes, at = [], start
    for pitch, eighths in melody(tokens):
        notes.append((pitch, pytest.approx(at, abs=1e-5)))
        at += 2 * eighths
    return notes[:-1]


def test_it_begins_on_the_bar_and_its_notes_lie_where_they_are_written() -> None:
    player = Player()
    assert heard(player.play(TUNE)) == written(TUNE, 64)  # beat 16 is the next bar's
    assert player.session.controls.bpm == 97.0
    last = symbol_event(player.session, player.play(["G"])[0]).sounds
    assert last and last[0].seconds == pytest.approx(2 * 60 / 97 / 4, abs=1e-6)


def test_hundreds_of_notes_later_it_is_in_step_and_each_tune_has_begun_on_a_bar() -> None:
    player = Player()
    notes = heard(player.play([*TUNE, ""] * 40))
    assert len(notes) == 40 * (NOTES + 1) - 1
    bars = []
    for i in range(40):
        tune = notes[i * (NOTES + 1) : (i + 1) * (NOTES + 1) - 1]
        bars.append(round(tune[0][1]) / 16)
        assert tune[:-1] == written(TUNE, round(tune[0][1]))
    assert all(bar == int(bar) for bar in bars)
    # A tune of 21.5 sixteenths and a pause of 8 take two bars.
    assert bars == [4 + 2 * i for i in range(40)]


@given(st.floats(40, 240), st.integers(1, len(TUNE) - 1), st.floats(0, 0.2))
def test_a_new_tempo_moves_the_next_note_at_once(bpm: float, after: int, later: float) -> None:
    player = Player()
    before = player.play(TUNE[:after])
    player.now = min(player.now + later, player.session.next_due - 0.02)
    tempo = Tempo(bpm, SYNC.beat_at(player.now), player.now)
    player.retime(tempo)
    played = heard(before) + heard(player.play([*TUNE[after:], *TUNE]), tempo)
    # What was about to be handed out stays; all else is where it is written.
    late = [i for i, (a, b) in enumerate(zip(played, written([*TUNE, *TUNE], 64), strict=True))
            if a != b]  # fmt: skip
    assert len(late) <= 1


def test_a_tempo_that_trembles_leaves_notes_where_they_are_written() -> None:
    player = Player()
    played = []
    for i, token in enumerate([*TUNE, "8", ""] * 5):
        played += heard(player.play([token]))
        jitter = 0.001 * (-1) ** i
        for _ in range(3):  # a clock's news, while a long note or a pause sounds
            player.now = min(player.now + 0.1, max(player.now, player.session.next_due - 0.02))
            player.retime(Tempo(97.0, 13.37, 1000.0 + jitter))
    tunes = [p for p, _ in played].count(71)
    assert tunes == 5
    for pitch, step in played:
        assert abs(math.remainder(step * 6, 1)) < 0.1
        if pitch == 71:
            assert abs(math.remainder(step, 16)) < 0.02


@pytest.mark.parametrize("jump", [-1000.0, -2.3, -0.6, -0.3, 0.3, 0.9, 2.0, 1e6])
def test_a_beat_that_jumps_is_joined_and_the_notes_are_in_their_places_again(jump: float) -> None:
    player = Player()
    player.play([*TUNE, *TUNE[2:12]])
    tempo = Tempo(97.0, SYNC.beat + jump, SYNC.at)
    player.retime(tempo)
    before = player.now
    notes = heard(player.play([*TUNE[2:], *TUNE[2:]]), tempo)[1:]
    assert all(abs(math.remainder(step * 12, 1)) < 1e-4 for _, step in notes)
    assert tempo.time_of(notes[0][1] / 4) - before < 16 * 60 / 97


def test_after_a_pause_it_waits_for_its_place_in_the_bar() -> None:
    player = Player()
    player.play(TUNE)
    place = player.session._place
    player.session.move("pause")
    player.now += 12.3
    player.session.start(player.now)
    player.session.move("play")
    assert math.remainder(SYNC.beat_at(player.session.next_due) * 4 - place, 16) == pytest.approx(
        0, abs=1e-5
    )
    notes = heard(player.play(["G", "2", "G"]))
    assert [b - a for (_, a), (_, b) in pairwise(notes)] == [pytest.approx(2)]


@pytest.mark.parametrize("tunes", [1, 60])  # the second is longer than is read again
def test_after_a_rewind_notes_are_in_their_places(tunes: int) -> None:
    player = Player()
    first = player.play([*TUNE, ""] * tunes + TUNE)
    for back in range(3, len(TUNE)):
        player.session.rewind(len(first) - back, player.now)
        again = player.play(TUNE[-back:])
        at, then = heard(first[-back:]), heard(again)
        assert [p for p, _ in at] == [p for p, _ in then]
        assert all(
            abs(math.remainder(b - a, 16)) < 1e-5 for (_, a), (_, b) in zip(at, then, strict=True)
        )


def test_a_twin_is_in_step() -> None:
    player = Player()
    player.play([*TUNE, ""] * 50 + TUNE[:8])
    s = player.session
    twin = player._of(s.log.copy(s.position), s.journal.copy(s.position))
    assert math.remainder((twin.next_due - s.next_due) * 97 / 60 * 4, 16) == pytest.approx(
        0, abs=1e-4
    )


def test_without_the_beat_it_keeps_its_own_time_and_with_it_is_in_step_again() -> None:
    player = Player()
    player.play(TUNE)
    del player.tempi["link"]
    player.session.retime(player.now)
    played = player.play(TUNE[2:])
    dues = [c.due for c in played if c.sound]
    lasted = [b - a for a, b in pairwise(dues[1:])]
    assert lasted == pytest.approx([e / 4 for _, e in melody(TUNE)[:-2]])  # eighths, at 120
    player.retime(SYNC)
    notes = heard(player.play([*TUNE[2:], *TUNE[2:]]))[1:]
    assert all(abs(math.remainder(step * 12, 1)) < 1e-4 for _, step in notes)


@pytest.mark.parametrize(("at", "grid"), [("beat", 4), ("bar", 16)])
@pytest.mark.parametrize("after", range(3, 2 * len(TUNE) - 6, 3))
def test_a_change_for_the_beat_or_the_bar_is_heard_first_on_one_of_the_music(
    at: str, grid: int, after: int
) -> None:
    player = Player()
    tokens = [*TUNE, *TUNE[2:], "", *TUNE, *TUNE[2:]]
    player.play(tokens[:after])
    s = player.session
    for n, symbol in enumerate(CODEC.encode(tokens[after:]), after):
        s.receive(s.generation, n, symbol, player.now)
    position, plan = s.change({"temperature": 0.3}, at, player.now)
    # Another of the same moment joins it, though the engine has not answered.
    assert plan and s.change({"top_k": 7}, at, player.now)[0] == position == plan.position
    assert position < len(tokens)
    # The first symbol that does not come before the beat: a note may go over it.
    goal = math.ceil(SYNC.beat_at(s.next_due) * 4 / grid - 1e-6) * grid
    played = [s.commit(s.commit_time()) for _ in range(position - after)]
    assert SYNC.beat_at(s.next_due) * 4 >= goal - 1e-5
    assert all(SYNC.beat_at(c.due) * 4 < goal - 1e-5 for c in played)


def test_on_a_stage_it_follows_the_source_and_says_so(tmp_path: Path) -> None:
    eighths = AbcCodec("M:4/4 K:Gmaj A B c z 2 3 - |".split())
    make_categorical_model(tmp_path / "tunes", eighths)
    house = House(tmp_path)
    house.stage.tempi.offer("link")
    house.stage.tempi.default = "link"  # new sessions follow
    follower, ear = TransportFollower(house.stage), house.join()
    follower.set_tempo("link", SYNC, house.clock.now())
    house.say(ear, "open", model="tunes", session="s", seed=4)
    assert ear.last("opened")["controls"]["bpm"] == 97.0
    house.run(40)
    count = len(ear.of("symbol"))
    faster = Tempo(150.0, SYNC.beat_at(house.clock.now()), house.clock.now())
    follower.set_tempo("link", faster, house.clock.now())
    house.run(40)
    symbols = ear.of("symbol")
    for tempo, part in ((SYNC, symbols[:count]), (faster, symbols[count + 40 :])):
        begun = [(s["due"], s["sounds"][0]) for s in part if s["sounds"]]
        steps = [tempo.beat_at(due) * 4 for due, _ in begun]
        assert len(steps) > 30
        assert all(abs(math.remainder(step, 2)) < 1e-4 for step in steps)
        for (due, sound), (following, _) in pairwise(begun):
            assert sound["seconds"] <= following - due + 1e-5  # a tune waits for its bar
