"""A model of a list of names continues it as the list has gone on before."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stream_rnn.checkpoint import read_card
from stream_rnn.codecs.playlist import PlaylistCodec
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.offline import generate
from stream_rnn.engine.scoring import serve_slowly as serve
from stream_rnn.train.data import load_corpus
from stream_rnn.train.recipe import Recipe, read_recipe
from stream_rnn.train.start import make_trainer

CONFIG = Path(__file__).parents[2] / "configs" / "playlist.toml"
ALBUMS = ("Night", "Sea", "Moon", "Iron")
SONGS, SESSION = 5, 23


def listened(count: int) -> list[str]:
    """A made-up history: album after album, and after each the same interlude.

    So only the names before the interlude tell which name follows it.
    """
    heard: list[str] = []
    while len(heard) < count:
        album = ALBUMS[len(heard) // (SONGS + 1) % len(ALBUMS)]
        heard += [f"{album} {song}" for song in range(1, SONGS + 1)] + ["Interlude"]
    return heard[:count]


def written(names: list[str]) -> str:
    """The text of a file with those names, in sessions that do not match the albums."""
    sessions = [names[i : i + SESSION] for i in range(0, len(names), SESSION)]
    return "\n\n".join("\n".join(session) for session in sessions) + "\n"


def test_it_learns_what_comes_next_and_goes_on_from_a_file(tmp_path: Path) -> None:
    names = listened(1000)
    (tmp_path / "playlist.txt").write_text(written(names))
    recipe = read_recipe(CONFIG)
    assert recipe.train is not None
    recipe = Recipe(
        recipe.data,
        msgspec.structs.replace(recipe.model, hidden=48, dropout=0.0),
        msgspec.structs.replace(
            recipe.train, steps=150, learning_rate=1e-2, warmup=5, evaluate_every=50,
            sample_every=1000, save_every=1000,
        ),
    )  # fmt: skip
    corpus = load_corpus(recipe.data, tmp_path)
    make_trainer(recipe, corpus, tmp_path / "run", sampler=lambda *_: "", serve=serve).train()

    folder = tmp_path / "run" / "best"
    card = read_card(folder)
    codec = card.make_codec()
    assert isinstance(codec, PlaylistCodec) and codec.size == 2 + len(ALBUMS) * SONGS + 1
    for heard in (8, 12, 17):  # in the middle of an album, after an interlude, before one
        prime = tmp_path / "prime.txt"
        prime.write_text("\n".join(names[:heard]) + "\n")
        symbols = generate(
            load_kernel(folder, card),
            codec,
            Settings(temperature=0.0),
            prime=codec.read_prime(str(prime)),
            length=9,
        )
        assert codec.decode(symbols) == names[: heard + 9]
