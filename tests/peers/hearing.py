"""Which notes a sound file has, by the energy at their fundamentals."""

from __future__ import annotations

import wave
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WINDOW = 0.16  # seconds that are looked at; a semitone at middle C is then two lines apart
ATTACK = 0.02  # seconds after its beginning from which a note is looked at
OVERTONES = (12, 19, 24, 28, 31, 34, 36)  # semitones above a note, of which it sounds as well
RANGE = range(60, 97)
CLEARLY = 3.0  # times as much as what does not sound


class Sound:
    """A sound file."""

    def __init__(self, path: Path) -> None:
        with wave.open(str(path)) as file:
            assert file.getsampwidth() == 2
            data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            self.rate = file.getframerate()
            self.samples: NDArray[np.float64] = (
                data.reshape(-1, file.getnchannels()).mean(1) / 32768
            )

    def begins(self) -> float:
        """When it is silent no more, in seconds."""
        return float(np.argmax(np.abs(self.samples) > 0.003)) / self.rate

    def levels(self, at: float) -> dict[int, float]:
        """The amplitude at each pitch's fundamental, from a moment on."""
        start = round((at + ATTACK) * self.rate)
        part = self.samples[start : start + round(WINDOW * self.rate)]
        part = part * np.hanning(len(part))
        time = np.arange(len(part)) / self.rate
        return {
            p: float(abs(part @ np.exp(-2j * np.pi * 440 * 2 ** ((p - 69) / 12) * time)))
            for p in RANGE
        }

    def has(self, notes: Sequence[tuple[float, int, Collection[int]]]) -> float:
        """The share of notes that are clearly to be heard.

        Args:
            notes: when each begins, its pitch, and what else may sound then.
        """
        heard = 0
        for at, pitch, others in notes:
            levels = self.levels(at)
            tones = {p + over for p in {pitch, *others} for over in (0, *OVERTONES)}
            silent = [level for p, level in levels.items() if p not in tones]
            heard += levels[pitch] > CLEARLY * float(np.quantile(silent, 0.9))
        return heard / len(notes)
