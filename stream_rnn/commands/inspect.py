"""`inspect`: a look into a network while it reads."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_rnn.commands.arguments import (
    AddCommand,
    blend,
    data_argument,
    data_folder,
    model_argument,
    model_folder,
    picture_file,
    positive,
    print_json,
)
from stream_rnn.errors import ConfigError, StreamRnnError

if TYPE_CHECKING:
    from stream_rnn.checkpoint import Card
    from stream_rnn.codecs.base import Codec
    from stream_rnn.inspect.follow import Found

SHOWN = 6  # cells in a picture
THEN = 3  # cells for each feature, in the table
ROWS = 15  # songs in the table
SONGS = 1000  # on a map, at most


def add(command: AddCommand) -> None:
    sub = command("inspect", "Show what the cells of a model follow while it reads.", _inspect)
    model_argument(sub)
    read = sub.add_mutually_exclusive_group()
    read.add_argument("--text", metavar="S", help="read this")
    read.add_argument("--file", type=Path, metavar="FILE", help="read a text or a MIDI file")
    data_argument(sub)
    sub.add_argument("--split", choices=("train", "valid", "test"), default="test",
                     help="which set of the corpus to read (%(default)s)")  # fmt: skip
    sub.add_argument("--symbols", type=positive, default=30_000, metavar="N",
                     help="about how many symbols of it to search (%(default)s)")  # fmt: skip
    sub.add_argument("--cells", type=_cells, metavar="N,…", help="show these cells")
    sub.add_argument("--piece", type=positive, default=1, metavar="N",
                     help="which document of the set to draw (%(default)s)")  # fmt: skip
    sub.add_argument("--songs", action="store_true",
                     help="map the songs by their last state, list the nearest")  # fmt: skip
    sub.add_argument("--flat", action="store_true",
                     help="with --songs: principal components, not t-SNE")  # fmt: skip
    sub.add_argument("--artist", metavar="A[=W],…", help="read as this artist's, or a blend's")
    sub.add_argument(
        "--out", type=picture_file, metavar="FILE.png", help="default: MODEL-cells.png"
    )
    sub.add_argument("--json", action="store_true")


def _cells(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"must be numbers separated by commas, not {text!r}")
    return [int(part) for part in parts]


def _inspect(options: argparse.Namespace) -> None:
    folder = model_folder(options.model)
    from stream_rnn.checkpoint import read_card

    card = read_card(folder)
    codec = card.make_codec()
    given = options.text is not None or options.file is not None
    if options.songs or not given:
        data_folder(options.data)  # reports a missing folder before the slow work begins
    options.blend = _blend(card, options.artist)
    if options.songs:
        _songs(options, folder, card, codec, given)
    else:
        _follow(options, folder, card, codec, given)


def _blend(card: Card, artist: str | None) -> list[float] | None:
    """The weights of an artist or a blend, `[artists]`; None: each document's own artist."""
    from stream_rnn.sessions.controls import default_controls, engine_settings, merge_controls

    if artist is None:
        return None
    try:
        controls = merge_controls(
            default_controls(card, 0), {"artist": blend(artist, card.artists)}, card
        )
    except StreamRnnError as error:
        raise ConfigError(str(error)) from None
    return list(engine_settings(controls, card).artists)


def _even(card: Card) -> list[float] | None:
    """Equal weights for all artists; None if the model has none."""
    return [1 / len(card.artists) for _ in card.artists] or None


def _follow(
    options: argparse.Namespace, folder: Path, card: Card, codec: Codec, given: bool
) -> None:
    from stream_rnn.inspect.look import document_of, picture_of, pieces_of, search

    weights = of_search = options.blend
    if given:
        document = document_of(codec, options.text, options.file)
        weights = of_search = weights or _even(card)
        documents, whence = [document], "what was given"
    if options.data is not None or not given:
        # A whole corpus shows better than the drawn text what cells follow.
        documents = _documents(options, card)
        whence = f"the {options.split} set"
        of_search = options.blend  # corpus documents are read as their own artists' by default
        if not given:
            if options.piece > len(documents):
                raise ConfigError(f"--piece {options.piece}: there are {len(documents)}")
            document = documents[options.piece - 1]
    network = _network(folder, card)
    cells = network.architecture.layers * network.architecture.hidden
    for cell in options.cells or ():
        if cell >= cells:
            raise ConfigError(f"--cells {cell}: {card.name} has the cells 0 to {cells - 1}")
    pieces = pieces_of(documents, options.symbols)
    read = sum(len(piece.symbols) for piece in pieces)
    with _bar(read, "symbol") as bar:
        found = search(network, codec, pieces, artists=of_search, progress=bar.update)
    from stream_rnn.inspect.follow import interesting

    table = [found.follows(c)[:THEN] for c in options.cells or ()] or found.best(THEN)
    chosen = options.cells or [f.cell for f in interesting(table, SHOWN)]
    picture = None
    if chosen:
        picture = options.out or Path(f"{card.name}-cells.png")
        by = "" if options.artist is None else f", as {options.artist}"
        missing = picture_of(network, codec, document, chosen, found, picture,
                             artists=weights, title=f"{card.name}{by}")  # fmt: skip
        _remark(missing)
    if options.json:
        rows = [_found_json(f) for row in table for f in row]
        print_json({"model": card.name, "cells": cells, "symbols": read, "read": whence,
                    "found": rows, "picture": picture and str(picture)})  # fmt: skip
        return
    print(f"{card.name}: {cells} cells over {read:,} symbols of {whence}")
    print(f"{'follows':<28} {'cell':>5} {'r':>6} {'again':>6}")
    for row in table:
        for first in row[:1]:
            again = "none" if math.isnan(first.again) else f"{first.again:+.2f}"
            then = ", ".join(
                (f.feature if options.cells else str(f.cell)) + f" {f.overall:+.2f}"
                for f in row[1:]
            )
            print(f"{first.feature:<28} {first.cell:>5} {first.correlation:>+6.2f} "
                  f"{again:>6}   {then and 'then ' + then}".rstrip())  # fmt: skip
    if picture:
        print(f"drawn: {picture}", file=sys.stderr)


def _found_json(found: Found) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)  # JSON has no NaN

    return {
        "feature": found.feature,
        "cell": found.cell,
        "correlation": number(found.correlation),
        "again": number(found.again),
    }


def _songs(
    options: argparse.Namespace, folder: Path, card: Card, codec: Codec, given: bool
) -> None:
    from stream_rnn.inspect.activations import final_states
    from stream_rnn.inspect.look import document_of, song_of, songs_of
    from stream_rnn.inspect.maps import draw_map
    from stream_rnn.inspect.songs import (
        STEPS,
        closest_pairs,
        nearest,
        neighbour_map,
        principal,
        same_artist,
        similarities,
        standardised,
    )

    songs = songs_of(codec, _documents(options, card), card.artists, SONGS)
    if given:
        mine = song_of(codec, document_of(codec, options.text, options.file), (), "yours")
        songs.append(mine)
    if len(songs) < 3:
        raise ConfigError(f"{len(songs)} songs in the {options.split} set; a map takes three")
    # All songs are read with one blend: told a song's artist, the network's state would show it.
    with _bar(sum(len(s.document.symbols) for s in songs), "symbol") as bar:
        states = standardised(final_states(
            _network(folder, card), codec, [s.document for s in songs],
            artists=options.blend or _even(card), progress=bar.update,
        ))  # fmt: skip
    similar = similarities(states)
    with _bar(STEPS, "step") as bar:
        places = principal(states) if options.flat else neighbour_map(states, progress=bar.update)
    picture = options.out or Path(f"{card.name}-songs.png")
    kind = "principal components" if options.flat else "t-SNE"
    missing = draw_map(
        places, [s.group for s in songs], [s.name for s in songs], picture,
        title=f"{card.name}: {len(songs)} songs by the state they leave it in ({kind})",
        here=len(songs) - 1 if given else None,
    )  # fmt: skip
    _remark(missing)
    neighbours = nearest(similar, ROWS)
    if given:
        mine_at = len(songs) - 1
        rows = [(mine_at, int(i), float(similar[mine_at, i])) for i in neighbours[mine_at]]
    else:
        rows = closest_pairs(similar, ROWS)
    groups = {name: i for i, name in enumerate(dict.fromkeys(s.group for s in songs))}
    share, chance = same_artist(neighbours, [groups[s.group] for s in songs])
    if options.json:
        near = [{"song": songs[a].name, "of": songs[a].group, "nearest": songs[b].name,
                 "nearest_of": songs[b].group, "similarity": round(s, 4)}
                for a, b, s in rows]  # fmt: skip
        print_json({"model": card.name, "songs": len(songs), "near": near,
                    "nearest_of_same_group": {"share": round(share, 4), "chance": round(chance, 4)},
                    "picture": str(picture)})  # fmt: skip
        return
    for a, b, similarity in rows:
        pair = [f"{s.name}{f' ({s.group})' if s.group else ''}" for s in (songs[a], songs[b])]
        print(f"{similarity:+.2f}  " + (pair[1] if given else " ~ ".join(pair)))
    if len(groups) > 1:
        print(f"the nearest song is of the same {'meter' if codec.domain == 'abc' else 'artist'}: "
              f"{share:.1%}; by chance {chance:.1%}")  # fmt: skip
    print(f"drawn: {picture}", file=sys.stderr)


def _remark(missing: frozenset[str]) -> None:
    """Prints which letters of a picture no font has, if there are any."""
    from stream_rnn.inspect.lettering import remark

    if said := remark(missing):
        print(said, file=sys.stderr)


def _documents(options: argparse.Namespace, card: Card) -> Any:
    from stream_rnn.train.data import corpus_of_card

    folder = data_folder(options.data)
    print(f"reading the corpus of {card.name}", file=sys.stderr)
    return corpus_of_card(card, folder).splits[options.split]


def _network(folder: Path, card: Card) -> Any:
    from stream_rnn.checkpoint import load_network

    if "hidden" not in card.architecture:
        raise ConfigError(f"{card.name} only counts: it has no cells to look into")
    return load_network(folder, card)


def _bar(total: int, unit: str) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, disable=None, leave=False)
