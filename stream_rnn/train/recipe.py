"""A training recipe: one TOML file, read strictly.

`configs/lyrics.toml` is an annotated example, and `docs/training.md` explains each value.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from stream_rnn.codecs.files import UTF8
from stream_rnn.errors import ConfigError

Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Beta = Annotated[float, Meta(ge=0.0, lt=1.0)]
Set = Literal["train", "valid", "test"]


# The formats that use an option. With another format it is refused, not silently ignored.
_TEXTS = ("songs_csv", "lines", "text", "playlist", "abc", "tabs")
_MIDI = ("midi", "performances")
OPTIONS: dict[str, tuple[str, ...]] = {
    "codec": ("files",),
    "column": ("lines",),
    "artist_column": ("lines", "songs_csv"),
    "title_column": ("songs_csv",),
    "text_column": ("songs_csv",),
    "encoding": _TEXTS,
    "order": ("text",),
    "tracks": _MIDI,
    "players": ("ensemble",),
}


class DataRecipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Which corpus to read, and how to make documents of it.

    Attributes:
        source: a file or folder under the data folder.
        format: `songs_csv` (artist,song,link,text), `text` (one long text, or a
            folder of its parts), `rolls` (a `.mat`
            of Boulanger-Lewandowski 2012, JSON or `.npz`; or `rolls_mat`), `midi` (a folder, as
            rolls), `performances` (a folder, as events), `lines` (a name a line), `abc` (a
            folder of tunes), `tabs` (the same for guitar),
            `playlist` (a name a line, in order), `ensemble` (CSVs, a row a second; simulated
            without a source), `touch` (a table), `files` (a folder of files of `codec`'s kind).
        codec: for `files`, the domain.
        by_artist: whether the network is given the artist.
        split: shares of the documents for training, validation and test, if the corpus has
            no split of its own.
        order: in which order the sets of one long text follow one another. A test set at the end
            of the text is scored more fairly if the training set, and not the validation set,
            comes just before it.
        steps_per_beat: frames in a quarter note, for rolls and tablature.
        transpose: in each epoch move each piece up or down at random, by up to so many semitones.
        settle: for pieces that are all in one key: the share of them that stays in it, which
            grows from 0 to this over the run.
        stretch: for performances: also change each tempo at random, by up to this share.
        tracks: for MIDI files: read only these tracks, each by its number from 1 or its name.
        players: how many an ensemble has; 0 for as many as most of its recordings have.
        passage: read a long text in passages of so many characters, each from a random
            paragraph, and none followed by a begin-and-end symbol.
        column: for `lines`, the column of a CSV that has the names.
        artist_column: the column that has the artists, for `lines` and `songs_csv`.
        title_column, text_column: those columns of a `songs_csv`, if they have unusual names.
        encoding: of texts that are not UTF-8, as Python calls it, such as `cp1252`.
        least: how often a character, token or name must occur in the training set to be known.
    """

    source: str
    format: Literal[
        "songs_csv", "text", "lines", "playlist", "abc", "tabs", "rolls", "rolls_mat", "midi",
        "performances", "ensemble", "touch", "files",
    ]  # fmt: skip
    codec: str = ""
    by_artist: bool = False
    split: tuple[Share, Share, Share] = (0.9, 0.05, 0.05)
    order: tuple[Set, Set, Set] = ("train", "valid", "test")
    steps_per_beat: Annotated[int, Meta(ge=1, le=96)] = 4
    transpose: Annotated[int, Meta(ge=0, le=11)] = 0
    settle: Share = 0.0
    stretch: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.0
    tracks: tuple[str, ...] = ()
    players: Literal[0, 2, 3, 4, 5, 6, 7, 8] = 0
    passage: Annotated[int, Meta(ge=0)] = 0
    column: str = ""
    artist_column: str = ""
    title_column: str = ""
    text_column: str = ""
    encoding: str = UTF8
    least: Positive = 10
    licence: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        for option, formats in OPTIONS.items():
            if getattr(self, option) != _DEFAULTS[option] and self.format not in formats:
                used = " or ".join(formats)
                raise ValueError(f"{option} is for format {used}, not for {self.format}")
        if len(set(self.order)) != 3:
            raise ValueError("order must have each of train, valid and test once")
        try:
            "".encode(self.encoding)
        except LookupError:
            raise ValueError(f"encoding: Python does not know {self.encoding!r}") from None


_DEFAULTS = {f.name: f.default for f in msgspec.structs.fields(DataRecipe)}


class ModelRecipe(Struct, frozen=True, forbid_unknown_fields=True):
    """The network, and the texts in its card.

    Attributes:
        hidden, layers: how many units in a layer, and how many layers; 0 for a baseline.
        cell: which recurrent cell, see `nets/cells.py`, or baseline, see `nets/counting.py`.
        order: for `markov`, how many symbols to look back on at most; the number that predicts
            the validation set best is used.
        dropout: share of units dropped in training.
        weight_drop: share of recurrent weights dropped in training, see `nets/network.py`.
        head: `nade` for rolls whose notes depend on each other within a frame, see
            `nets/heads.py`; otherwise the codec's own head.
        head_hidden: hidden units of that head.
    """

    name: str
    title: str
    hidden: Annotated[int, Meta(ge=0)] = 0
    layers: Annotated[int, Meta(ge=0)] = 0
    cell: Literal["lstm", "mi-lstm", "gru", "tanh", "uniform", "unigram", "markov"] = "lstm"
    order: Annotated[int, Meta(ge=0, le=12)] = 0
    dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    weight_drop: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    head: Literal["", "nade"] = ""
    head_hidden: Annotated[int, Meta(ge=0)] = 0
    defaults: dict[str, Any] = {}
    primes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_counted(self) -> bool:
        """Whether it is a baseline."""
        return self.cell in ("uniform", "unigram", "markov")

    def __post_init__(self) -> None:
        shape = (self.hidden > 0, self.layers > 0, self.order > 0)
        if shape != (not self.is_counted, not self.is_counted, self.cell == "markov"):
            wants = "hidden and layers" if not self.is_counted else "no hidden, no layers"
            order = "an" if self.cell == "markov" else "no"
            raise ValueError(f"{self.cell} takes {wants}, and {order} order")
        if self.head and self.is_counted:
            raise ValueError(f"{self.cell} takes no head")
        if (self.head == "nade") != (self.head_hidden > 0):
            raise ValueError("nade takes a head_hidden above 0, and no other head has one")


class OptimiserRecipe(Struct, frozen=True, forbid_unknown_fields=True):
    """Truncated back-propagation with Adam.

    Attributes:
        rows: documents read side by side.
        chunk: symbols back-propagated through at a time; state is carried to the next.
        segment: keep activations for only so many symbols of a chunk at a time, and recompute
            them for the gradient; this saves memory in long chunks. 0: keep all.
        window: train on windows of so many symbols, many to one, instead of chunks. 0: do not.
        steps: how many chunks in all; or
        epochs: how many times the training set is read, on average.
        start: a model to begin with, by its name under `models/` or its folder, see `adopt`;
            its vocabulary is kept. Without one, weights begin at random.
        learning_rate: the peak, after `warmup` steps; it then falls along a cosine to 0.
        drops: the shares of the run at which it falls in steps instead,
        drop: each time to this share of what it was.
        betas: of Adam's two moments.
        weight_decay: decoupled (AdamW), on the weight matrices.
        clip: the greatest norm of the gradient; a greater one is scaled down to it.
        restart: share of documents that begin with a zero state; the others carry on from
            the document before, as an endless stream does.
        evaluate_every, sample_every, save_every: in steps.
        patience: stop after so many evaluations without a better validation loss.
        threads: PyTorch's intra-op threads.
        initial: the recurrent weights and biases that a run begins with: `uniform`, torch's own,
            or `orthogonal` with open forget gates.
        embedding: numbers that a symbol is embedded as in training; the network that is kept
            has the product with the first layer instead. 0: symbols are inputs themselves.
        embedding_dropout: share of those numbers dropped.
        bfloat16: compute the recurrent layers' products with 16-bit numbers in training; on
            processors with AMX, and on GPUs, that takes a third of the time.
        artist_start: standard deviation of the artists' weights at the start; 0: like others.
        artist_dropout: share of the documents that are read as if by anyone, that is, by an even
            blend of the artists.
    """

    rows: Positive
    chunk: Positive
    learning_rate: Annotated[float, Meta(gt=0.0)]
    steps: Annotated[int, Meta(ge=0)] = 0
    epochs: Annotated[float, Meta(ge=0.0)] = 0.0
    start: str = ""
    segment: Annotated[int, Meta(ge=0)] = 0
    window: Annotated[int, Meta(ge=0)] = 0
    warmup: Annotated[int, Meta(ge=0)] = 200
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    drops: tuple[Share, ...] = ()
    drop: Share = 0.25
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.0
    clip: Annotated[float, Meta(gt=0.0)] = 1.0
    restart: Share = 0.5
    evaluate_every: Positive = 500
    validation_documents: Positive = 200
    sample_every: Positive = 1000
    save_every: Positive = 500
    patience: Positive = 20
    seed: int = 1
    threads: Positive = 1
    half: bool = True
    initial: Literal["uniform", "orthogonal"] = "uniform"
    embedding: Annotated[int, Meta(ge=0)] = 0
    embedding_dropout: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    bfloat16: bool = False
    artist_start: Annotated[float, Meta(ge=0.0)] = 0.0
    artist_dropout: Share = 0.0

    def __post_init__(self) -> None:
        if (self.steps > 0) == (self.epochs > 0):
            raise ValueError("needs either steps or epochs, above 0")
        if self.embedding_dropout and not self.embedding:
            raise ValueError("embedding_dropout needs an embedding")
        if self.embedding and self.start:
            raise ValueError("a model to start with keeps no embedding; leave train.embedding at 0")


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole TOML file; that of a baseline has no `[train]`."""

    data: DataRecipe
    model: ModelRecipe
    train: OptimiserRecipe | None = None

    def __post_init__(self) -> None:
        if (self.train is None) != self.model.is_counted:
            raise ValueError(f"{self.model.cell} takes {'no' if self.train else 'a'} [train]")
        if self.train and self.train.bfloat16 and self.model.cell == "mi-lstm":
            raise ValueError("train.bfloat16 is not for mi-lstm")


def read_recipe(path: Path) -> Recipe:
    """The recipe of a TOML file.

    Raises:
        ConfigError: no such file, not TOML, or a wrong value, which the message names.
    """
    try:
        data = tomllib.loads(path.read_text(encoding=UTF8))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        recipe = msgspec.convert(data, Recipe)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    if abs(sum(recipe.data.split) - 1.0) > 1e-6:
        raise ConfigError(f"{path}: data.split must add up to 1")
    return recipe
