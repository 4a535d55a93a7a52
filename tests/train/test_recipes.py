"""Every recipe in `configs/`, on a small slice of its corpus.

If the corpora are not at hand (`STREAM_RNN_DATA`), and for recipes of one's own list, a small
made-up corpus with the same layout is used.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_rnn.checkpoint import load_network, load_quantised, read_card
from stream_rnn.codecs.performance import Note, midi_from_notes
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.offline import generate, kernel_of
from stream_rnn.engine.preview import preview
from stream_rnn.engine.scoring import serve_slowly as serve
from stream_rnn.train.data import corpus_of_card, load_corpus
from stream_rnn.train.evaluate import evaluate
from stream_rnn.train.recipe import DataRecipe, Recipe, read_recipe
from stream_rnn.train.start import make_trainer

CONFIGS = Path(__file__).parents[2] / "configs"
DATA = Path(os.environ.get("STREAM_RNN_DATA", CONFIGS.parents[1] / "shared" / "data"))
RECIPES = {
    path.stem: read_recipe(path)
    for path in sorted(CONFIGS.glob("*.toml"))
    if "[model]" in path.read_text(encoding="utf-8")
}
WORDS = "the a sea moon grave of death blood and night king princess said love int return".split()
STEPS = 6


def words(dice: random.Random, count: int) -> str:
    return " ".join(dice.choice(WORDS) for _ in range(count))


def make_corpus(folder: Path, recipe: DataRecipe) -> None:
    """Makes up a few kilobytes of the corpus that `recipe` asks for."""
    dice, path = random.Random(1), folder / recipe.source
    path.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    if recipe.format == "songs_csv":
        rows = [f'artist {i % 3},song {i},,"{words(dice, 9)}\n{words(dice, 9)}"' for i in range(90)]
        path.write_text("\n".join(["artist,song,link,text", *rows]) + "\n")
    elif recipe.format == "text":
        path.write_text("\n\n".join(words(dice, 40) for _ in range(60)))
    elif recipe.format == "lines":
        names = [f"{words(dice, 2)} {i}" for i in range(120)]
        if recipe.column:
            header = f"{recipe.artist_column},{recipe.column}"
            names = [header, *(f"{'AB'[i % 2]},{name}" for i, name in enumerate(names))]
        path.write_text("\n".join(names))
    elif recipe.format == "playlist":
        names = [WORDS[i % 7] + ("\n" * (i % 20 == 19)) for i in range(300)]
        path.write_text("\n".join(names))
    elif recipe.format == "touch":
        np.savez(path, (np.sin(np.arange(1800).reshape(600, 3) / 9) * 60 + 64).astype(np.int64))
    elif recipe.format == "ensemble":
        assert not recipe.source  # simulated
    elif recipe.format in ("abc", "tabs"):
        path.mkdir()
        tunes = []
        for i in range(60):
            bars = ["".join(dice.choice("GABcde") for _ in range(6)) for _ in range(8)]
            tunes.append(f"X:{i}\nT:tune {i}\nM:6/8\nL:1/8\nK:G\n{'|'.join(bars)}||\n")
        (path / "tunes.abc").write_text("\n".join(tunes))
    elif recipe.format == "rolls_mat":
        savemat = pytest.importorskip("scipy.io").savemat
        sets = {}
        for name, count in (("traindata", 6), ("validdata", 2), ("testdata", 2)):
            sets[name] = np.empty((1, count), object)
            for i in range(count):
                sets[name][0, i] = (np.random.default_rng(i).random((30, 88)) < 0.05).astype("u1")
        savemat(path, sets)
    else:
        assert recipe.format == "performances"
        for i in range(30):
            (path / "AB"[i % 2]).mkdir(parents=True, exist_ok=True)
            notes = [Note(k * 0.3, k * 0.3 + 0.2, 50 + (i + k) % 20, 40 + i) for k in range(12)]
            midi_from_notes(notes).save(path / "AB"[i % 2] / f"{i}.mid")


def slice_corpus(folder: Path, recipe: DataRecipe) -> None:
    """Copies a few hundred kilobytes at most of the real corpus of `recipe`."""
    source, path = DATA / recipe.source, folder / recipe.source
    path.parent.mkdir(parents=True, exist_ok=True)
    if recipe.format == "songs_csv":
        _some_rows(source, path, 150)
    elif recipe.format == "lines" and recipe.column:
        _some_rows(source, path, 250)
    elif recipe.format == "lines":
        path.write_text("\n".join(source.read_text(encoding="utf-8").split("\n")[:400]))
    elif recipe.format == "text":
        path.write_text(source.read_text(encoding="utf-8")[:60_000], encoding="utf-8")
    elif recipe.format == "touch":
        with np.load(source) as arrays:
            np.savez(path, arrays[arrays.files[0]][:1200])
    elif recipe.format in ("abc", "tabs"):
        path.mkdir()
        for file in sorted(source.rglob("*.abc"))[::4]:
            tunes = re.split(r"^(?=X:)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            (path / file.name).write_text("".join(tunes[:16]), encoding="utf-8")
    elif recipe.format == "rolls_mat":
        scipy = pytest.importorskip("scipy.io")
        sets = scipy.loadmat(source)
        few = {"traindata": 6, "validdata": 2, "testdata": 2}
        scipy.savemat(path, {name: _few_rolls(sets[name], n) for name, n in few.items()})
    else:
        assert recipe.format == "performances"
        for composer in sorted(source.iterdir()):
            short = sorted(composer.glob("*.mid"), key=lambda f: (f.stat().st_size, f.name))[:3]
            (path / composer.name).mkdir(parents=True)
            for file in short if short[0].stat().st_size < 12_000 else ():
                shutil.copyfile(file, path / composer.name / file.name)


def _some_rows(source: Path, path: Path, count: int) -> None:
    """Copies about `count` rows from all over a CSV, since it is ordered by artist."""
    with source.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows[:: max(1, len(rows) // count)]])


def _few_rolls(rolls: np.ndarray, count: int) -> np.ndarray:
    """The beginnings of the first pieces of a set, as the published files hold them."""
    some = np.empty((1, count), object)
    for i, roll in enumerate(rolls.ravel()[:count]):
        some[0, i] = roll[:60]
    return some


def shrunk(recipe: Recipe) -> Recipe:
    """The recipe with a small network and few steps."""
    data = msgspec.structs.replace(recipe.data, least=1, passage=min(recipe.data.passage, 300))
    if recipe.train is None:
        return Recipe(data, recipe.model)
    return Recipe(
        data,
        msgspec.structs.replace(recipe.model, hidden=16),
        msgspec.structs.replace(
            recipe.train,
            rows=4,
            steps=STEPS,
            epochs=0,
            warmup=0,
            learning_rate=1e-2,
            evaluate_every=2,
            sample_every=STEPS,
            save_every=2,
        ),
    )


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_saves_loads_samples_and_scores(name: str, tmp_path: Path) -> None:
    recipe = shrunk(RECIPES[name])
    assert recipe.model.name == name
    real = bool(recipe.data.source) and (DATA / recipe.data.source).exists()
    assert real or not DATA.is_dir() or name in ("playlist", "band"), "its corpus is not there"
    (slice_corpus if real else make_corpus)(tmp_path / "data", recipe.data)
    corpus = load_corpus(recipe.data, tmp_path / "data")
    trainer = make_trainer(recipe, corpus, tmp_path / "run", sampler=preview, serve=serve)
    before = evaluate(trainer.network, corpus.splits["test"], corpus.codec)
    trainer.train()

    folder = tmp_path / "run" / "best"
    card = read_card(folder)
    network, codec = load_network(folder, card), card.make_codec()
    even = tuple(1 / len(card.artists) for _ in card.artists)
    symbols = generate(kernel_of(network), codec, Settings(artists=even), prime=[], length=20)
    assert len(symbols) == 20 and codec.show(symbols)
    served = network if card.counts else serve(load_quantised(folder, card))
    score = evaluate(served, corpus_of_card(card, tmp_path / "data").splits["test"], codec)
    assert score.symbols == card.scores["test"]["symbols"]
    assert round(score.nll, 4) == card.scores["test"]["nll"] < before.nll
    last = sorted((tmp_path / "run" / "samples").glob("step-*.txt"))[-1]
    assert f"step {int(last.stem[5:])}" in last.read_text()
    assert recipe.train is None or last.stem == f"step-{STEPS:06}"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_where_its_data_come_from_and_what_they_may_be_used_for(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.data.origin and recipe.data.licence and recipe.model.title
