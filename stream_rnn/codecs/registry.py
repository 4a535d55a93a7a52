"""Codecs by the domain that a card names, and the files that they read and write."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.base import Codec
from stream_rnn.codecs.ensemble import EnsembleCodec
from stream_rnn.codecs.performance import PerformanceCodec
from stream_rnn.codecs.pianoroll import PianorollCodec
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.tablature import TablatureCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.codecs.touch import TouchCodec
from stream_rnn.errors import CheckpointError, ConfigError
from stream_rnn.schema import shown

CODECS: dict[str, Callable[[dict[str, Any]], Codec]] = {
    codec.domain: codec.from_json
    for codec in (
        TextCodec, PianorollCodec, AbcCodec, PerformanceCodec, TablatureCodec, EnsembleCodec,
        TouchCodec, PlaylistCodec,
    )
}  # fmt: skip


def codec_from_json(data: dict[str, Any]) -> Codec:
    """The codec that a card describes.

    Raises:
        CheckpointError: an unknown domain, or a field that is missing or does not fit.
    """
    domain = data.get("domain")
    made = (CODECS.get(domain) or _added(domain)) if isinstance(domain, str) else None
    if made is None:
        known = ", ".join(sorted(CODECS))
        raise CheckpointError(f"unknown domain {shown(domain)}; known: {known}")
    try:
        return made(data)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The author of an added codec may not have checked the card's fields.
        raise CheckpointError(f"codec: cannot make a {domain} codec of it ({error!r})") from None


def _added(domain: str) -> Callable[[dict[str, Any]], Codec] | None:
    """The codec of an added domain: `CODEC` in the module of that name in this package."""
    name = f"{__package__}.{domain}"
    if not domain.isidentifier() or importlib.util.find_spec(name) is None:
        return None
    codec = getattr(importlib.import_module(name), "CODEC", None)
    return codec and codec.from_json


def prime_source(prime: str) -> str | Path:
    """A prime from the command line: the path if it is `@FILE`, else the text unchanged."""
    return Path(prime[1:]) if prime.startswith("@") else prime


def read_prime(codec: Codec, prime: str, tracks: tuple[str, ...] = ()) -> list[int]:
    """Symbols of a prime from the command line: a text, `@FILE`, or for notes a MIDI file's path.

    Args:
        tracks: of a MIDI file, read only these.

    Raises:
        DataError: see the codecs.
        ConfigError: tracks are given, but the prime is not a MIDI file.
    """
    source = prime_source(prime)
    if not tracks:
        return codec.read_prime(source) if prime else []
    if not prime or not isinstance(codec, PianorollCodec | PerformanceCodec):
        raise ConfigError("--tracks is for a --prime that is a MIDI file")
    return codec.read_prime(source, tracks)


def file_writer(codec: Codec, out: Path | None, bpm: float) -> Callable[[list[int]], None]:
    """A function that writes symbols to a file or to stdout, checked before the work begins.

    Raises:
        ConfigError: the file's ending does not fit the domain, or its folder is missing.
    """
    if out is None and not codec.printable:
        raise ConfigError(
            f"a {codec.domain} cannot be printed; name a file with --out x{codec.endings[0]}"
        )
    if out is not None and out.suffix not in codec.endings:
        endings = " or ".join(codec.endings)
        raise ConfigError(f"--out {out}: a model of {codec.domain} writes {endings} files")
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.parent}")

    def write(symbols: list[int]) -> None:
        if out is None:
            print(codec.show(symbols))
        else:
            codec.write_file(symbols, out, bpm)

    return write
