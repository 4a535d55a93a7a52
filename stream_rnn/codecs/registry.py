"""Codecs by the domain that a card names, and their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stream_rnn.codecs.base import Codec, int_to_bytes, ints_from_bytes
from stream_rnn.codecs.pianoroll import PianorollCodec, midi_from_roll, roll_from_midi
from stream_rnn.codecs.text import BOUNDARY, TextCodec
from stream_rnn.errors import CheckpointError, ConfigError

CODECS: dict[str, Callable[[dict[str, Any]], Codec]] = {
    TextCodec.domain: TextCodec.from_json,
    PianorollCodec.domain: PianorollCodec.from_json,
}


def codec_from_json(data: dict[str, Any]) -> Codec:
    """The codec that a card describes.

    Raises:
        CheckpointError: an unknown domain, or a field missing.
    """
    domain = data.get("domain")
    if not isinstance(domain, str) or domain not in CODECS:
        raise CheckpointError(f"unknown domain {domain!r}; known: {', '.join(sorted(CODECS))}")
    return CODECS[domain](data)


def read_prime(codec: Codec, prime: str) -> list[int]:
    """Symbols of a prime from the command line: a text, or for rolls a MIDI file's path.

    Raises:
        DataError: see the codecs.
    """
    if not prime:
        return []
    if isinstance(codec, PianorollCodec):
        roll = roll_from_midi(Path(prime), steps_per_beat=codec.steps_per_beat)
        return ints_from_bytes(codec.pack(roll), codec.width)
    return codec.parse(prime)


def file_writer(codec: Codec, out: Path | None, bpm: float) -> Callable[[list[int]], None]:
    """What writes symbols to a file, or a text to stdout; checked before the work begins.

    Raises:
        ConfigError: the file's ending does not fit the domain, or its folder is missing.
    """
    ending = ".mid" if isinstance(codec, PianorollCodec) else ".txt"
    if out is None and ending == ".mid":
        raise ConfigError("a piano roll cannot be printed; name a file with --out x.mid")
    if out is not None and out.suffix != ending:
        raise ConfigError(f"--out {out}: a model of {codec.domain} writes {ending} files")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}")

    def write(symbols: list[int]) -> None:
        if isinstance(codec, PianorollCodec):
            assert out is not None
            packed = b"".join(int_to_bytes(s, codec.width) for s in symbols)
            midi = midi_from_roll(
                codec.unpack(packed), steps_per_beat=codec.steps_per_beat, bpm=bpm
            )
            midi.save(out)
            return
        assert isinstance(codec, TextCodec)
        text = codec.decode(symbols).replace(BOUNDARY, "\n\n\n")
        if out is None:
            print(text)
        else:
            out.write_text(text + "\n", encoding="utf-8")

    return write
