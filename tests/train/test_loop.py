import csv
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from stream_rnn.checkpoint import Card, load_network, load_quantised, read_card
from stream_rnn.engine.preview import preview
from stream_rnn.engine.scoring import serve_slowly as serve
from stream_rnn.errors import CheckpointError, ConfigError, TrainingError
from stream_rnn.nets.network import RecurrentNetwork
from stream_rnn.train import loop
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.data import corpus_of_card, load_corpus
from stream_rnn.train.evaluate import evaluate
from stream_rnn.train.feed import Chunk
from stream_rnn.train.loop import Trainer
from stream_rnn.train.recipe import DataRecipe, ModelRecipe, OptimiserRecipe, Recipe
from stream_rnn.train.resume import generators

LINES = {
    "Ada": "the cat sat on the mat",
    "Bo": "no rain will fall tonight",
    "Cy": "oh my love is like a rose",
}
RECIPE = Recipe(
    DataRecipe("songs.csv", "songs_csv", by_artist=True, split=(0.7, 0.15, 0.15), least=2),
    ModelRecipe("tiny", "A tiny one", hidden=24, layers=1, dropout=0.1, defaults={"rate": 9}),
    OptimiserRecipe(
        rows=8, chunk=16, steps=40, learning_rate=2e-2, warmup=4, evaluate_every=10,
        sample_every=20, save_every=15, seed=3,
    ),
)  # fmt: skip

Sampler = Callable[[RecurrentNetwork, Card, int], str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, dice = tmp_path_factory.mktemp("data"), random.Random(1)
    with (folder / "songs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("artist", "song", "text"))
        for i in range(120):
            artist = dice.choice(list(LINES))
            words = LINES[artist].split()
            lines = [" ".join(dice.sample(words, len(words))) for _ in range(3)]
            rows.writerow((artist, f"{artist} {i}", "\n".join(lines)))
    return folder


@pytest.fixture(scope="module")
def corpus(data: Path) -> Corpus:
    return load_corpus(RECIPE.data, data)


def no_sample(network: RecurrentNetwork, card: Card, step: int) -> str:
    return f"{step}"


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run that nothing interrupted."""
    trainer = Trainer(RECIPE, corpus, tmp_path_factory.mktemp("run"), sampler=preview, serve=serve)
    trainer.train()
    return trainer


def logged(run: Path, split: str) -> list[tuple[int, float]]:
    with (run / "log.csv").open(newline="") as file:
        return [
            (int(r["step"]), float(r["loss"])) for r in csv.DictReader(file) if r["split"] == split
        ]


def same_weights(one: Trainer, other: Trainer) -> bool:
    a, b = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(a[k], b[k]) for k in a)


def test_a_run_learns_and_leaves_log_curves_samples_and_a_model(
    whole: Trainer, corpus: Corpus
) -> None:
    valid = logged(whole.run, "valid")
    assert [step for step, _ in valid] == [10, 20, 30, 40]
    assert valid[-1][1] < valid[0][1] < 3.0
    assert [step for step, _ in logged(whole.run, "train")] == [20, 40]
    assert (whole.run / "curves.png").read_bytes().startswith(b"\x89PNG")
    sample = (whole.run / "samples" / "step-000020.txt").read_text()
    assert "== step 20, Ada ==" in sample

    card = read_card(whole.run / "best")
    assert (card.name, card.artists, card.defaults) == ("tiny", ("Ada", "Bo", "Cy"), {"rate": 9})
    assert card.training["steps"] == card.training["optimiser"]["steps"] == 40
    assert card.data["sizes"] == corpus.sizes()
    assert card.weights["bytes"] == (whole.run / "best" / "weights.safetensors").stat().st_size
    assert card.scores["test"]["nll"] < 2.5


def test_the_saved_model_scores_what_its_card_says(whole: Trainer, data: Path) -> None:
    folder = whole.run / "best"
    card = read_card(folder)
    corpus = corpus_of_card(card, data)
    for split in ("valid", "test"):
        served = serve(load_quantised(folder, card))
        score = evaluate(served, corpus.splits[split], corpus.codec)
        assert round(score.nll, 4) == card.scores[split]["nll"]
        assert score.symbols == card.scores[split]["symbols"]


@pytest.mark.parametrize(
    ("step", "number"), [(14, signal.SIGINT), (20, signal.SIGTERM), (40, signal.SIGINT)]
)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    whole: Trainer,
    corpus: Corpus,
    tmp_path: Path,
    step: int,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Ctrl-C or a SIGTERM in the middle of a step, a sample or a score."""
    before = signal.getsignal(number)
    first = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve)
    take_step = first._train_step

    def interrupted(chunk: Chunk) -> float:
        if first.step == step - 1:
            os.kill(os.getpid(), number)
        return take_step(chunk)

    monkeypatch.setattr(first, "_train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first.train()
    assert signal.getsignal(number) is before
    second = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve)
    second.resume()
    assert second.step == step
    second.train()
    assert second.step == 40
    assert same_weights(second, whole)
    assert logged(tmp_path, "valid") == logged(whole.run, "valid")


def test_a_killed_run_goes_on_from_its_last_save(
    whole: Trainer, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    first = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve)
    take_step = first._train_step

    def killed(chunk: Chunk) -> float:
        if first.step == 33:
            raise Killed  # as by a power cut: nothing can be saved
        return take_step(chunk)

    monkeypatch.setattr(first, "_train_step", killed)
    with pytest.raises(Killed):
        first.train()
    second = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve)
    second.resume()
    assert second.step == 30
    card = second.train()
    assert same_weights(second, whole)
    assert logged(tmp_path, "valid") == logged(whole.run, "valid")
    assert card.scores == read_card(whole.run / "best").scores
    assert card.weights == read_card(whole.run / "best").weights


class Dropping(Trainer):
    """A trainer that draws dropout from a generator of its own, as on a GPU."""

    def _train_step(self, chunk: Chunk) -> float:
        torch.manual_seed(int(torch.randint(1 << 30, (), generator=OWN)))
        return super()._train_step(chunk)


OWN = torch.Generator()


def test_the_devices_generator_goes_on_too(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {"rng": torch.default_generator, "rng.cuda": OWN}
    monkeypatch.setattr(loop, "generators", lambda device: both)
    OWN.manual_seed(5)
    whole = Dropping(RECIPE, corpus, tmp_path / "whole", sampler=no_sample, serve=serve)
    whole.train()
    OWN.manual_seed(5)
    first = Dropping(RECIPE, corpus, tmp_path / "part", sampler=no_sample, serve=serve)
    for _ in range(7):
        first._train_step(next(first._feed))
        first.step += 1
    first.save()
    OWN.manual_seed(6)
    second = Dropping(RECIPE, corpus, tmp_path / "part", sampler=no_sample, serve=serve)
    second.resume()
    second.train()
    assert same_weights(second, whole)
    # A run that was saved on a CPU has no state for the generator of a GPU that it resumes on.
    monkeypatch.setattr(loop, "generators", lambda device: {"rng": torch.default_generator})
    second.save()
    monkeypatch.setattr(loop, "generators", lambda device: both)
    second.resume()


def test_on_a_processor_there_is_one_generator() -> None:
    assert generators(torch.device("cpu")) == {"rng": torch.default_generator}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_its_generator_is_saved_and_restored(corpus: Corpus, tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve, device="cuda")
    for _ in range(3):
        trainer._train_step(next(trainer._feed))
    trainer.save()
    drawn = torch.rand(4, device="cuda")
    torch.manual_seed(99)
    trainer.resume()
    assert torch.equal(torch.rand(4, device="cuda"), drawn)


def test_a_run_that_diverges_says_so_and_keeps_the_best(corpus: Corpus, tmp_path: Path) -> None:
    options = msgspec.structs.replace(RECIPE.train, evaluate_every=1, save_every=1)
    trainer = Trainer(
        msgspec.structs.replace(RECIPE, train=options),
        corpus,
        tmp_path,
        sampler=no_sample,
        serve=serve,
    )
    take_step = trainer._train_step

    def spoilt(chunk: Chunk) -> float:
        if trainer.step == 3:
            with torch.no_grad():
                trainer.network.output.weight.fill_(1e38)  # the logits overflow
        return take_step(chunk)

    trainer._train_step = spoilt  # type: ignore[method-assign]
    with pytest.raises(
        TrainingError, match="diverged after 3 steps: the loss is (nan|inf)"
    ) as told:
        trainer.train()
    assert f"{tmp_path / 'best'} is the best model before that" in str(told.value)
    assert "\n" not in str(told.value)
    network = load_network(tmp_path / "best", read_card(tmp_path / "best"))
    assert all(bool(p.isfinite().all()) for p in network.parameters())
    again = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve)
    again.resume()
    assert again.step == 3


def test_a_run_that_is_shorter_than_its_recipe_says_how_long_it_was(
    corpus: Corpus, tmp_path: Path
) -> None:
    card = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve, steps=20).train()
    assert card.training["optimiser"]["steps"] == 20
    assert RECIPE.train.steps == 40


@pytest.mark.parametrize("options", [{}, {"window": 6}])
def test_an_epoch_is_all_that_there_is_to_foretell_once(
    corpus: Corpus, tmp_path: Path, options: dict[str, int]
) -> None:
    """The begin-and-end symbol after a document is predicted, too."""
    from dataclasses import replace

    names = replace(corpus, splits={n: corpus.splits["train"][:9] for n in corpus.splits})
    each = sum(len(d.symbols) + 1 for d in names.splits["train"])
    train = msgspec.structs.replace(RECIPE.train, rows=1, chunk=each, restart=0.0, **options)
    trainer = Trainer(
        msgspec.structs.replace(RECIPE, train=train),
        names,
        tmp_path,
        sampler=no_sample,
        serve=serve,
    )
    for _ in range(2 * each if options else 2):
        trainer._train_step(next(trainer._feed))
    assert trainer.card().training["epochs"] == 2.0


@pytest.mark.parametrize("options", [{}, {"window": 6}])
def test_a_recipe_may_say_how_many_epochs_instead_of_steps(
    corpus: Corpus, tmp_path: Path, options: dict[str, int]
) -> None:
    train = msgspec.structs.replace(RECIPE.train, steps=0, epochs=1.5, **options)
    recipe = msgspec.structs.replace(RECIPE, train=train)
    trainer = Trainer(recipe, corpus, tmp_path, sampler=no_sample, serve=serve)
    symbols = sum(len(d.symbols) + 1 for d in corpus.splits["train"])
    assert trainer.steps == round(1.5 * symbols / (8 * (1 if options else 16)))
    assert trainer.card().training["optimiser"]["epochs"] == 1.5
    fewer = Trainer(recipe, corpus, tmp_path, sampler=no_sample, serve=serve, steps=3)
    assert (fewer.steps, fewer.card().training["optimiser"]["epochs"]) == (3, 0)


def test_what_is_kept_of_an_embedding_is_its_product(corpus: Corpus, tmp_path: Path) -> None:
    """The folder has the tensors of the architecture, and computes what the trained one does."""
    train = msgspec.structs.replace(RECIPE.train, embedding=7, half=False, evaluate_every=40)
    recipe = msgspec.structs.replace(RECIPE, train=train)
    trainer = Trainer(recipe, corpus, tmp_path, sampler=preview, serve=serve)
    trainer.train()
    kept = load_network(tmp_path / "trained", read_card(tmp_path / "trained"))
    documents = corpus.splits["test"]
    expected = evaluate(trainer.network, documents, corpus.codec).nll
    assert evaluate(kept, documents, corpus.codec).nll == pytest.approx(expected, abs=1e-5)


def test_the_curves_are_drawn_at_times_and_at_the_end(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    options = msgspec.structs.replace(RECIPE.train, evaluate_every=2)
    recipe = msgspec.structs.replace(RECIPE, train=options)
    trainer = Trainer(recipe, corpus, tmp_path, sampler=no_sample, serve=serve)
    monkeypatch.setattr(loop, "draw_curves", lambda *_, **__: drawn.append(trainer.step))
    monkeypatch.setattr(loop, "REDRAWN", 1e9)
    trainer.train()
    assert drawn == [2, 40]


def test_a_run_stops_early_when_it_no_longer_gets_better(corpus: Corpus, tmp_path: Path) -> None:
    options = msgspec.structs.replace(RECIPE.train, patience=2, evaluate_every=2, learning_rate=9.0)
    recipe = msgspec.structs.replace(RECIPE, train=options)
    trainer = Trainer(recipe, corpus, tmp_path, sampler=no_sample, serve=serve)
    card = trainer.train()
    assert trainer.step < 40
    assert card.training["steps"] <= trainer.step - 4


@pytest.mark.parametrize(
    "options",
    [
        {"window": 12, "rows": 64},
        {"segment": 5},
        {"embedding": 6, "embedding_dropout": 0.1, "bfloat16": True, "betas": (0.9, 0.99)},
        {"artist_dropout": 0.5, "artist_start": 0.1, "initial": "orthogonal"},
    ],
)
def test_all_ways_to_train_learn_and_can_be_interrupted(
    corpus: Corpus, tmp_path: Path, options: dict[str, Any]
) -> None:
    train = msgspec.structs.replace(RECIPE.train, **options)
    recipe = msgspec.structs.replace(RECIPE, train=train)
    whole = Trainer(recipe, corpus, tmp_path / "whole", sampler=no_sample, serve=serve)
    whole.train()
    valid = logged(whole.run, "valid")
    assert valid[-1][1] < valid[0][1]
    first = Trainer(recipe, corpus, tmp_path / "part", sampler=no_sample, serve=serve)
    for _ in range(7):
        first._train_step(next(first._feed))
        first.step += 1
    first.save()
    second = Trainer(recipe, corpus, tmp_path / "part", sampler=no_sample, serve=serve)
    second.resume()
    second.train()
    assert same_weights(second, whole)


def test_the_rate_falls_along_a_cosine_or_in_steps(corpus: Corpus, tmp_path: Path) -> None:
    def rates(**options: object) -> list[float]:
        train = msgspec.structs.replace(RECIPE.train, learning_rate=1.0, **options)
        recipe = msgspec.structs.replace(RECIPE, train=train)
        trainer = Trainer(recipe, corpus, tmp_path, sampler=no_sample, serve=serve)
        found = []
        for trainer.step in range(40):
            found.append(trainer._rate())
        return found

    cosine = rates(warmup=4)
    assert cosine[0] == pytest.approx(0.25)
    assert cosine[4:] == sorted(cosine[4:], reverse=True)
    assert cosine[19] == pytest.approx(0.5, abs=0.05) and 0 < cosine[-1] < 0.01
    assert rates(warmup=0, drops=(0.5, 0.75), drop=0.5) == [1.0] * 20 + [0.5] * 10 + [0.25] * 10


def test_resuming_refuses_what_is_not_there_damaged_or_of_another_recipe(
    whole: Trainer, corpus: Corpus, tmp_path: Path
) -> None:
    fresh = Trainer(RECIPE, corpus, tmp_path, sampler=no_sample, serve=serve)
    with pytest.raises(CheckpointError, match="nothing to resume; start without --resume"):
        fresh.resume()
    saved = (whole.run / "resume" / "run.safetensors").read_bytes()
    path = tmp_path / "resume" / "run.safetensors"
    path.parent.mkdir()
    for data in (b"", b"x" * 100, saved[:50], saved[:-5]):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="run.safetensors: damaged"):
            fresh.resume()
    path.write_bytes(saved)
    for field, value in (("chunk", 8), ("window", 5)):
        train = msgspec.structs.replace(RECIPE.train, **{field: value})
        other = msgspec.structs.replace(RECIPE, train=train)
        was = getattr(RECIPE.train, field)
        with pytest.raises(ConfigError, match=f"made with train.{field} = {was}, not {value}"):
            Trainer(other, corpus, tmp_path, sampler=no_sample, serve=serve).resume()
    model = msgspec.structs.replace(RECIPE.model, title="Another")
    other = msgspec.structs.replace(RECIPE, model=model)
    with pytest.raises(ConfigError, match="belongs to another recipe"):
        Trainer(other, corpus, tmp_path, sampler=no_sample, serve=serve).resume()


@pytest.mark.parametrize(("head", "units"), [("", 0), ("nade", 24)])
def test_rolls_are_trained_on_too(head: str, units: int, tmp_path: Path) -> None:
    from stream_rnn.codecs.pianoroll import PianorollCodec
    from stream_rnn.train.corpus import Document

    scale = torch.zeros(40, 88, dtype=torch.uint8)
    scale[range(40), [30 + i % 8 for i in range(40)]] = 1
    pieces = [Document(scale.numpy())] * 3
    corpus = Corpus(PianorollCodec(4), (), {n: pieces for n in ("train", "valid", "test")})
    recipe = Recipe(
        msgspec.structs.replace(RECIPE.data, format="rolls_mat", by_artist=False, transpose=3),
        msgspec.structs.replace(RECIPE.model, hidden=32, layers=2, head=head, head_hidden=units),
        RECIPE.train,
    )
    card = Trainer(recipe, corpus, tmp_path, sampler=preview, serve=serve).train()
    valid = logged(tmp_path, "valid")
    assert valid[-1][1] < valid[0][1]
    assert (card.artists, card.codec["domain"]) == ((), "pianoroll")
    assert card.architecture["head"] == (head or "bernoulli")
    assert len((tmp_path / "samples" / "step-000020.txt").read_text().splitlines()[1]) == 88


def test_a_joint_head_is_for_rolls(corpus: Corpus, tmp_path: Path) -> None:
    model = msgspec.structs.replace(RECIPE.model, head="nade", head_hidden=8)
    with pytest.raises(ConfigError, match="model.head: nade is for rolls, not for text"):
        Trainer(
            Recipe(RECIPE.data, model, RECIPE.train),
            corpus,
            tmp_path,
            sampler=no_sample,
            serve=serve,
        )
