"""Features of the input that a cell may follow: for each symbol, a number that holds after it.

Most depend only on the symbols up to there. Exceptions are those that are `coming`, and some that
need the rest: whether a quote is closed, where a pulse has its accent. NaN means undefined, such as
the pitch in a rest. A pulse has two columns, a cosine and a sine, so that a cell may follow it in
any phase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.base import Codec, ints_from_bytes
from stream_rnn.codecs.melody import BARS, melody
from stream_rnn.codecs.pianoroll import KEYS, LOWEST_PITCH, PianorollCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.train.corpus import Document

Features = dict[str, NDArray[np.float64]]
"""By name, `[length]`, or `[length, 2]` for a pulse."""

COMING = 8  # symbols before a line's end
PULSES = (2, 3, 4, 6, 8, 12, 16, 24, 32)  # frames; a roll does not say how long a beat is
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)
_SPEAKER = re.compile(r"^[A-Z][A-Za-z' ]{1,30}:(?=\n|\Z)", re.MULTILINE)
# Quoted text within a paragraph. A closing single quote before a letter is an apostrophe.
_QUOTED = re.compile(
    "|".join(f"{a}[^{b}\n]*(?:\n(?!\n)[^{b}\n]*)*{b}" for a, b in ('""', "“”", "«»", "„“"))
    + r"|‘(?:[^’\n]|’(?=\w)|\n(?!\n))*’(?!\w)"
)


def features_of(codec: Codec, document: Document) -> Features:
    """The features of a document."""
    symbols = symbols_of(codec, document)
    if isinstance(codec, TextCodec):
        found = _of_text(codec.decode(symbols))
    elif isinstance(codec, AbcCodec):
        found = _of_tune(codec.decode(symbols))
    elif isinstance(codec, PianorollCodec):
        found = _of_roll(document.symbols)
    else:
        found = _of_events([codec.event(s).get("event", {}) for s in symbols])
    return {"position in the whole": np.arange(len(symbols), dtype=np.float64), **found}


def symbols_of(codec: Codec, document: Document) -> list[int]:
    """A document's symbols as numbers, the form that a codec's other methods take."""
    return ints_from_bytes(codec.pack(document.symbols), codec.width)


def _of_text(text: str) -> Features:
    length = len(text)
    lines = text.split("\n")
    # After its newline symbol a line's place counts in the next line, at 0; hence [1:].
    column = [i for line in lines for i in range(len(line) + 1)][1:]
    # The last line may be cut off, so its end is not known.
    left = [len(line) + 1 - i for line in lines[:-1] for i in range(len(line) + 1)][1:]
    coming = [float(n <= COMING) for n in left] + [np.nan] * (length - len(left))
    since_blank = accumulate(lines, lambda n, line: n + 1 if line.strip() else 0, initial=0)
    rows = zip(since_blank, lines, strict=False)
    stanza = [n for n, line in rows for _ in range(len(line) + 1)][1:]
    indent = [float(len(line) - len(line.lstrip())) for line in lines for _ in range(len(line) + 1)]
    code = _COMMENT.sub(lambda m: " " * len(m[0]), text)
    return {
        "position in the line": np.array(column, np.float64),
        "line end coming": np.array(coming),
        "line of the stanza": np.array(stanza, np.float64),
        "position in the word": _runs(character.isalpha() for character in text),
        "inside quotes": _marked(text, _QUOTED),
        "bracket depth": _depth(code, "([", ")]"),
        "brace depth": _depth(code, "{", "}"),
        "indentation": np.array(indent[:length]),
        "inside a comment": _marked(text, _COMMENT),
        "speaker's name": _marked(text, _SPEAKER),
        "capital letters": np.array([float(c.isupper()) for c in text]),
    }


def _of_tune(tokens: Sequence[str]) -> Features:
    rows = []
    key, bar = "", list[str]()
    bars = parts = 0
    pitch = eighths = minor = np.nan
    for token in tokens:
        plain = token.strip("[]")
        if plain.startswith("M:"):
            eighths = float(8 * Fraction(plain[2:]))
        elif plain.startswith("K:"):
            key, minor = plain, float(plain.endswith(("min", "dor", "phr")))
        bar = [] if token in BARS else [*bar, token]
        bars += token in BARS
        parts += token in ("||", ":|", "::")
        sounds = melody([key, *bar]) if key else []
        pitch = next((float(p) for p, _ in reversed(sounds) if p is not None), pitch)
        rows.append((sum(n for _, n in sounds), bars, pitch, eighths, minor, parts > 0))
    place, number, pitches, full, mode, second = np.array(rows, np.float64).reshape(-1, 6).T
    angle = 2 * np.pi * number
    return {
        "position in the bar": place,
        "bar is full": (place >= full - 1e-6).astype(np.float64),
        "bar of the tune": number,
        "pulse of 2 bars": np.cos(angle / 2),
        "pulse of 4 bars": _pulse(angle / 4),
        "pulse of 8 bars": _pulse(angle / 8),
        "pitch of the note": pitches,
        "length of a bar (meter)": full,
        "minor mode": mode,
        "after the first part": second,
    }


def _of_roll(roll: NDArray[Any]) -> Features:
    keys = np.asarray(roll, np.bool_)
    frames, sounding = len(keys), keys.sum(1)
    silent = sounding == 0
    top = np.where(silent, np.nan, KEYS - 1 - keys[:, ::-1].argmax(1) + LOWEST_PITCH)
    bottom = np.where(silent, np.nan, keys.argmax(1) + LOWEST_PITCH)
    before = np.vstack([np.zeros((1, KEYS), np.bool_), keys[:-1]])
    struck, changed = (keys & ~before).sum(1), (keys != before).any(1)
    found = {
        "melody (highest pitch)": top,
        "harmony (lowest pitch)": bottom,
        "notes sounding": sounding.astype(np.float64),
        "keys struck": struck.astype(np.float64),
        "frames since a change": _runs(~changed),
    }
    for period in PULSES:
        # A tune may begin with an upbeat, so the pulse begins where most keys are struck.
        accent = int(np.argmax([struck[i::period].sum() for i in range(period)]))
        angle = 2 * np.pi * (np.arange(frames) - accent) / period
        found[f"pulse of {period} frames"] = np.cos(angle) if period == 2 else _pulse(angle)
    return found


def _of_events(events: Sequence[dict[str, Any]]) -> Features:
    """The latest value of each number in the events, and the keys that are down.

    Each player of a band has a value of its own.
    """
    events = [
        {"player": e["player"], f"gesture of player {e['player']}": e["gesture"]}
        if "gesture" in e
        else e
        for e in events
    ]
    numbers = {k for e in events for k, v in e.items() if isinstance(v, int | float)} - {"end"}
    found: Features = {}
    for name in sorted(numbers):
        held, values = np.nan, []
        for event in events:
            held = float(event.get(name, held))
            values.append(held)
        found[f"latest {name}"] = np.array(values)
    if "on" in numbers:
        roll = held_keys(events)
        found |= {k: v for k, v in _of_roll(roll).items() if "pitch" in k or "sounding" in k}
    return found


def held_keys(events: Sequence[dict[str, Any]]) -> NDArray[np.uint8]:
    """The keys that are down after each event of a performance, `[events, 88]`."""
    roll = np.zeros((len(events), KEYS), np.uint8)
    now = np.zeros(KEYS, np.uint8)
    for i, event in enumerate(events):
        for name, down in (("on", 1), ("off", 0)):
            if name in event:
                now[event[name] - LOWEST_PITCH] = down
        roll[i] = now
    return roll


def _pulse(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def _runs(there: Iterable[bool]) -> NDArray[np.float64]:
    """How many times in a row the condition has been true."""
    return np.array(list(accumulate(there, lambda n, here: (n + 1) * bool(here), initial=0))[1:],
                    np.float64)  # fmt: skip


def _marked(text: str, pattern: re.Pattern[str]) -> NDArray[np.float64]:
    """1 within each match of a pattern, from its first character to the one before its last."""
    marks = np.zeros(len(text))
    for found in pattern.finditer(text):
        marks[found.start() : found.end() - 1] = 1.0
    return marks


def _depth(text: str, opening: str, closing: str) -> NDArray[np.float64]:
    depth, depths = 0, []
    for character in text:
        depth = max(0, depth + (character in opening) - (character in closing))
        depths.append(float(depth))
    return np.array(depths)
