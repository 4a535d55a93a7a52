"""The documents that `inspect` reads, their names as songs, the search over them, the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.codecs.abc import AbcCodec
from stream_rnn.codecs.base import Codec, int_to_bytes
from stream_rnn.codecs.pianoroll import KEYS, LOWEST_PITCH, PianorollCodec
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.codecs.text import TextCodec
from stream_rnn.errors import DataError
from stream_rnn.inspect.activations import Floats, Progress, activations, cell_count
from stream_rnn.inspect.features import features_of, held_keys, symbols_of
from stream_rnn.inspect.follow import Search
from stream_rnn.inspect.pictures import draw_text, draw_traces, pitch_name
from stream_rnn.nets.network import RecurrentNetwork
from stream_rnn.train.corpus import Document
from stream_rnn.train.texts import read_text

PIECE = 1000  # symbols in a piece, which is read from a zero state
LETTERS, FRAMES = 560, 128  # symbols in a picture of text, of others
NAME = 34  # letters in a song's name
NOTES = 8  # notes in a song's name


def document_of(codec: Codec, text: str | None, file: Path | None) -> Document:
    """The document that a user gave, as a text or as a file of the model's domain.

    Raises:
        DataError: it cannot be read, or it is empty.
    """
    if file is None:
        symbols = codec.read_prime(text or "")
    elif codec.printable and file.suffix not in (".csv", ".mid") and not _in_sessions(codec, file):
        symbols = codec.read_prime(read_text(file))
    else:
        symbols = codec.read_prime(str(file))
    if not symbols:
        raise DataError("nothing to read: give some text, or a file with something in it")
    return Document(codec.unpack(b"".join(int_to_bytes(s, codec.width) for s in symbols)))


def _in_sessions(codec: Codec, file: Path) -> bool:
    """Whether the codec has to read the file itself, since its blank lines have a meaning."""
    return isinstance(codec, PlaylistCodec) and file.suffix in codec.endings


def pieces_of(documents: Sequence[Document], most: int) -> list[Document]:
    """Pieces of documents, about `most` symbols in all, spread evenly over them."""
    pieces = [piece for document in documents for piece in document.pieces(PIECE)]
    total = sum(len(piece.symbols) for piece in pieces)
    every = max(1.0, total / most)
    return [pieces[int(i * every)] for i in range(int(np.ceil(len(pieces) / every)))]


def search(
    network: RecurrentNetwork,
    codec: Codec,
    documents: Sequence[Document],
    *,
    artists: Sequence[float] | None,
    progress: Progress,
) -> Search:
    """Searches for what the cells follow in documents; `artists` as in `activations`."""
    found = Search(cell_count(network))
    read = activations(network, codec, documents, artists=artists, progress=progress)
    for number, (document, cells) in enumerate(read):
        features = features_of(codec, document)
        if len(documents) > 1:
            found.add(cells, features, number % 2)
            continue
        middle = len(cells) // 2
        for half, part in enumerate((slice(middle), slice(middle, None))):
            found.add(cells[part], {k: v[part] for k, v in features.items()}, half)
    return found


def picture_of(
    network: RecurrentNetwork,
    codec: Codec,
    document: Document,
    chosen: Sequence[int],
    found: Search,
    picture: Path,
    *,
    artists: Sequence[float] | None,
    title: str,
) -> frozenset[str]:
    """Draws chosen cells for the beginning of a document: behind its letters, or below its notes.

    Returns:
        Letters that no font of this machine has (`lettering.remark`).

    Raises:
        DataError: matplotlib is absent.
    """
    texts = ["text" in codec.event(s) for s in symbols_of(codec, document)[:1]] == [True]
    part = Document(document.symbols[: LETTERS if texts else FRAMES], document.artist)
    ((_, cells),) = activations(network, codec, [part], artists=artists)
    hidden = network.architecture.hidden
    layers = network.architecture.layers > 1
    names = []
    for cell in chosen:
        follows = found.follows(cell)
        names.append(
            f"cell {cell}"
            + (f" (layer {cell // hidden + 1})" if layers else "")
            + (f" · {follows[0].feature}, r = {follows[0].overall:+.2f}" if follows else "")
        )
    shown: Floats = cells[:, list(chosen)]
    symbols = symbols_of(codec, part)
    if texts:
        labels = [codec.event(s)["text"] for s in symbols]
        return draw_text(labels, shown, names, picture, title=title)
    rows, fields = _rows(codec, part, symbols)
    along = "frame" if isinstance(codec, PianorollCodec) else "symbol"
    return draw_traces(rows, shown, names, picture, title=title, names=fields, along=along)


def _rows(
    codec: Codec, document: Document, symbols: list[int]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The keys of a roll or a performance; else the numbers of its events, and their names."""
    if isinstance(codec, PianorollCodec):
        return document.symbols, ()
    events = [codec.event(s).get("event", {}) for s in symbols]
    if any("on" in event for event in events):
        return held_keys(events), ()
    latest = {
        name.removeprefix("latest "): values
        for name, values in features_of(codec, document).items()
        if name.startswith("latest ")
    }
    return np.stack(list(latest.values()), 1), tuple(latest)


@dataclass(frozen=True)
class Song:
    """A document with a name for people; `group` is its artist, or for tunes the meter."""

    name: str
    group: str
    document: Document


def songs_of(
    codec: Codec, documents: Sequence[Document], artists: Sequence[str], most: int
) -> list[Song]:
    """Documents as songs, at most `most`, spread evenly; of fewer than 8 documents their pieces."""
    whole = [d for d in documents if len(d.symbols)]
    if len(whole) < 8:
        whole = [piece for d in whole for piece in d.pieces(PIECE)]
    every = max(1.0, len(whole) / most)
    kept = [whole[int(i * every)] for i in range(int(np.ceil(len(whole) / every)))]
    return [song_of(codec, d, artists, f"piece {int(i * every) + 1}") for i, d in enumerate(kept)]


def song_of(codec: Codec, document: Document, artists: Sequence[str], otherwise: str) -> Song:
    """Names a document: a text by its first line, a tune by its key and notes, others by notes."""
    group = artists[document.artist] if artists else ""
    symbols = symbols_of(codec, document)[:200]
    if isinstance(codec, AbcCodec):
        tokens = codec.decode(symbols)
        notes = "".join(t for t in tokens if t[:2] not in ("M:", "K:"))
        key = next((t[2:] for t in tokens if t.startswith("K:")), "")
        meter = next((t[2:] for t in tokens if t.startswith("M:")), "")
        return Song(f"{key} {notes}"[:NAME], meter, document)
    if isinstance(codec, TextCodec | PlaylistCodec):
        lines = [line.strip() for line in codec.show(symbols).split("\n") if line.strip()]
        return Song(lines[0][:NAME] if lines else otherwise, group, document)
    name = otherwise
    for i, pitch in enumerate(_melody(codec, document)):
        longer = name + (" " if i else ": ") + pitch_name(pitch)
        name = longer if len(longer) <= NAME else name
    return Song(name, group, document)


def _melody(codec: Codec, document: Document) -> list[int]:
    """The first pitches of the highest voice of a roll, or the first keys of a performance."""
    if isinstance(codec, PianorollCodec):
        keys = np.asarray(document.symbols, np.bool_)
        keys = keys[keys.any(1)]
        highest = KEYS - 1 - keys[:, ::-1].argmax(1) + LOWEST_PITCH
        return [int(pitch) for pitch in highest[np.diff(highest, prepend=-1) != 0][:NOTES]]
    events = (codec.event(s).get("event", {}) for s in symbols_of(codec, document)[:400])
    return [event["on"] for event in events if "on" in event][:NOTES]
