"""Tunes as abc2midi reads them, which is Seymour Shlien's: the same notes at the same beats."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import mido
import pytest
from peers.programs import needs

from stream_rnn.codecs.abc_text import tokenize
from stream_rnn.codecs.melody import melody

pytestmark = [pytest.mark.peer, needs("abc2midi")]

KEYS = ("C", "G", "Dm", "A mix", "Eb", "F#m", "B Phrygian", "HP", "none", "Gdor", "Bb lydian")
STRUM = 0.03  # quarter notes within which it strikes the notes of a chord
METERS = ("C", "C|", "6/8", "3/4", "9/8", "2+3/8", "(2+2+3)/8", "none")


def a_tune(dice: random.Random) -> str:
    """A tune with what changes pitches and lengths, repeats apart, which are played once here."""

    def note(*, sign: bool = True) -> str:
        signs = ["", "", "", "^", "_", "=", "^^"] if sign else [""]
        return dice.choice(signs) + dice.choice(["C", "F", "B", "c", "f", "b", "c'", "F,", "B,"])

    def group() -> str:
        length = dice.choice(["", "", "2", "/2", "3/2", "/", "3/4"])
        kind = dice.randrange(12)
        if kind == 0:
            return f"({dice.choice('234')}{note()}{note()}{note()}{note()}"
        if kind == 1:
            return f"{note()}{dice.choice(['>', '<', '>>'])}{note()}"
        if kind == 2:
            return f"({note()}{note()})"
        if kind == 3:
            low, high = dice.choice([("^C", "f"), ("_B,", "c"), ("=F", "b"), ("F", "c'")])
            return f"[{low}{high}]{length}"
        if kind == 4:
            return f"z{length}"
        if kind == 5:
            same = note()
            return f"{same}-{dice.choice(['', '|'])}{same.lstrip('^_=')}"
        if kind == 6:
            return f"[K:{dice.choice(['D', 'Fm', 'none'])}]{note()}"
        if kind == 7 and meter != "3/4":  # there it takes three, and the standard two
            return f"(5{''.join(note(sign=False) for _ in range(5))}"
        return note() + length

    meter = dice.choice(METERS)
    lines = [" ".join(group() for _ in range(dice.randint(1, 7))) + "|" for _ in range(6)]
    header = f"X:1\nM:{meter}\n"
    if dice.random() < 0.7:
        header += f"L:{dice.choice(['1/8', '1/4', '1/16'])}\n"
    if dice.random() < 0.3:
        header += "%%propagate-accidentals octave\n"
    return header + f"K:{dice.choice(KEYS)}\n" + "\n".join(lines) + "\n"


def as_abc2midi_plays(folder: Path, abc: str) -> list[tuple[float, int]]:
    """Onsets in quarter notes, and the highest pitch of each."""
    ratio = "%%MIDI ratio 3 1\n"  # of `>`, as the standard says
    (folder / "x.abc").write_text(abc.replace("K:", f"{ratio}K:", 1))
    command = ["abc2midi", "x.abc", "-o", "x.mid"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=20)
    file = mido.MidiFile(folder / "x.mid")
    struck = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                struck.append((now / file.ticks_per_beat, message.note))
    highest: list[tuple[float, int]] = []
    for beat, pitch in sorted(struck):
        if highest and beat - highest[-1][0] < STRUM:
            highest[-1] = highest[-1][0], max(pitch, highest[-1][1])
        else:
            highest.append((beat, pitch))
    return highest


@pytest.mark.parametrize("seed", range(60))
def test_a_tune_sounds_as_abc2midi_plays_it(tmp_path: Path, seed: int) -> None:
    abc = a_tune(random.Random(seed))
    now, heard = 0.0, []
    for pitch, eighths in melody(tokenize(abc, whole=True)):
        if pitch is not None:
            heard.append((now, pitch))
        now += eighths / 2
    theirs = as_abc2midi_plays(tmp_path, abc)
    assert [pitch for _, pitch in heard] == [pitch for _, pitch in theirs], abc
    # Its ticks are 480ths, and lengths of tuplets are rounded to them.
    beats = [beat for beat, _ in theirs]
    assert [beat for beat, _ in heard] == pytest.approx(beats, abs=0.05), abc


def test_the_accidental_of_a_grace_note_holds_in_its_bar(tmp_path: Path) -> None:
    abc = "X:1\nM:4/4\nL:1/4\nK:C\n{^c}d c C2|c4|"
    ours = [pitch for pitch, _ in melody(tokenize(abc, whole=True))]
    assert [pitch for _, pitch in as_abc2midi_plays(tmp_path, abc)] == [73, *ours]
