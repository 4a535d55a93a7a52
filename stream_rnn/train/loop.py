"""The training loop: truncated back-propagation through time, with state carried on.

A run is a folder: `log.csv`, `curves.png`, `samples/`, `best/` (the model with the best validation
loss; at the end, as it is served), `trained/` (the same as it was trained), `resume/` (what is
needed to continue after an interrupt).
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor
from tqdm import tqdm

from stream_rnn.checkpoint import Card, save_model
from stream_rnn.errors import ConfigError, TrainingError
from stream_rnn.nets.heads import FITTING
from stream_rnn.nets.network import Architecture, RecurrentNetwork, State
from stream_rnn.nets.quantised import LARGEST
from stream_rnn.train.adopt import adopt
from stream_rnn.train.augment import augmenter
from stream_rnn.train.backward import chunk_loss
from stream_rnn.train.corpus import Corpus
from stream_rnn.train.curves import Log, draw_curves
from stream_rnn.train.evaluate import Serve, artist_vectors, boundary_of, evaluate
from stream_rnn.train.feed import Chunk, Feed
from stream_rnn.train.finish import (
    Sampler,
    check_recipe,
    finish,
    hardware,
    newline_of,
    plain,
)
from stream_rnn.train.recipe import Recipe
from stream_rnn.train.resume import generators, interrupts, read_state, recipe_of, write_state
from stream_rnn.train.trained import TrainedNetwork
from stream_rnn.train.windows import WindowFeed

LONGEST = 4096  # symbols in a piece of a document, when a network in training is scored
REDRAWN = 30.0  # seconds from one drawing of the curves to the next: each takes about one


class Trainer:
    """One run of a recipe over a corpus.

    Args:
        recipe: what to do.
        corpus: documents by split.
        run: the run's folder.
        sampler: called every `sample_every` steps; what it returns is kept in `samples/`.
        serve: what is scored at the end.
        steps: instead of the recipe's.
        device: where to train.
    """

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        run: Path,
        *,
        sampler: Sampler,
        serve: Serve,
        steps: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.corpus, self.run = corpus, run
        assert recipe.train is not None
        self._options = recipe.train
        if steps:
            self._options = replace(recipe.train, steps=steps, epochs=0.0)
        self.recipe = recipe = replace(recipe, train=self._options)  # as it will be in the card
        self._sampler, self._serve, self._device = sampler, serve, torch.device(device)
        codec = corpus.codec
        torch.manual_seed(self._options.seed)
        model = recipe.model
        if model.head and model.head not in FITTING[codec.head]:
            raise ConfigError(f"model.head: {model.head} is for rolls, not for {codec.domain}")
        self.network = TrainedNetwork(
            Architecture(
                symbols=codec.size,
                artists=len(corpus.artists),
                hidden=model.hidden,
                layers=model.layers,
                head=model.head or codec.head,
                cell=model.cell,
                dropout=model.dropout,
                head_hidden=model.head_hidden,
                weight_drop=model.weight_drop,
            ),
            self._options,
        ).to(self._device)
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim == 1]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self._options.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=self._options.learning_rate,
            betas=self._options.betas,
        )
        # Symbols to predict in an epoch, with the begin-and-end symbol that ends a document.
        self._epoch = sum(len(d.symbols) + d.ends for d in corpus.splits["train"] if len(d.symbols))
        in_step = self._options.rows * (1 if self._options.window else self._options.chunk)
        self.steps = self._options.steps or max(
            1, round(self._options.epochs * self._epoch / in_step)
        )
        self._feed = self._make_feed()
        self._state = self.network.zero_state(self._options.rows)
        self.step = 0
        self._seconds = 0.0
        self._symbols = 0
        self._best = math.inf
        self._worse = 0
        self._drawn = -math.inf  # seconds into the run
        self._log = Log(run / "log.csv")
        check_recipe(self.card())

    def _make_feed(self) -> Feed | WindowFeed:
        options, corpus = self._options, self.corpus
        documents, boundary = corpus.splits["train"], boundary_of(corpus.codec)
        if options.window:
            return WindowFeed(
                documents, boundary, rows=options.rows, window=options.window, seed=options.seed
            )
        return Feed(
            documents,
            boundary,
            rows=options.rows,
            chunk=options.chunk,
            seed=options.seed,
            restart=options.restart,
            augment=augmenter(self.recipe.data, newline_of(corpus.codec)),
            epochs=self.steps * options.rows * options.chunk / self._epoch,
            whole=bool(self.recipe.data.passage),
            newline=newline_of(corpus.codec),
            anyone=options.artist_dropout,
        )

    def card(self) -> Card:
        """The card at this step of the run."""
        model, data = self.recipe.model, self.recipe.data
        return Card(
            name=model.name,
            title=model.title,
            codec=self.corpus.codec.to_json(),
            architecture=self.network.architecture.to_json(),
            artists=self.corpus.artists,
            defaults=model.defaults,
            primes=model.primes,
            notes=model.notes,
            data={"recipe": plain(data), "sizes": self.corpus.sizes()},
            training={
                "steps": self.step,
                "symbols": self._symbols,
                "seconds": round(self._seconds),
                "epochs": round(self._symbols / self._epoch, 2),
                "hardware": hardware(self._device),
                "optimiser": plain(self._options),
            },
        )

    # The loop

    def train(self) -> Card:
        """Trains to the end, or to an early stop; converts and scores the best model.

        A Ctrl-C or a SIGTERM ends it between two steps, after saving what `resume` needs.

        Returns:
            The card of the best model, which is in `run/best` as it is served.

        Raises:
            KeyboardInterrupt: one of those signals ended it.
            TrainingError: the loss or its gradient is not finite, or a weight is too large.
        """
        bar = tqdm(
            total=self.steps,
            initial=self.step,
            unit="step",
            dynamic_ncols=True,
            desc=self.recipe.model.name,
            mininterval=1.0,
        )
        torch.set_num_threads(self._options.threads)
        if self.step == 0:
            self.save()  # so that a run can go on however early it is killed
        began = time.monotonic() - self._seconds
        with bar, interrupts() as interrupted:
            while self.step < self.steps and self._worse < self._options.patience:
                loss = self._train_step(next(self._feed))
                self.step += 1
                self._seconds = time.monotonic() - began
                bar.update()
                self._periodic(loss, bar)
                if interrupted():
                    self.save()
                    tqdm.write(
                        f"interrupted at step {self.step}; --resume --run {self.run} goes on"
                    )
                    raise KeyboardInterrupt
        if self._worse >= self._options.patience:
            tqdm.write(f"stopped early: {self._worse} evaluations without a better validation loss")
        self.save()
        self._draw()
        facts = {"seconds": round(self._seconds)}
        return finish(self.run, self.corpus, facts, serve=self._serve, device=self._device)

    def _periodic(self, loss: float, bar: tqdm[Any]) -> None:
        options, last = self._options, self.step == self.steps
        if self.step % 20 == 0 or last:
            speed = self._symbols / max(self._seconds, 1e-9)
            bar.set_postfix(loss=f"{loss:.3f}", best=f"{self._best:.3f}", symbols=f"{speed:,.0f}/s")
            self._log.add(self.step, "train", loss, self._rate(), self._seconds)
        if self.step % options.evaluate_every == 0 or last:
            self._validate()
        if self.step % options.sample_every == 0 or last:
            folder = self.run / "samples"
            folder.mkdir(exist_ok=True)
            text = self._sampler(self.network.served(), self.card(), self.step)
            (folder / f"step-{self.step:06d}.txt").write_text(text, encoding="utf-8")
        if self.step % options.save_every == 0:
            self.save()

    def _rate(self) -> float:
        """The learning rate at this step: a linear rise, then a cosine down, or steps."""
        options = self._options
        warm = min(1.0, (self.step + 1) / max(1, options.warmup))
        done = min(1.0, self.step / self.steps)
        if options.drops:
            fallen = sum(done >= share for share in options.drops)
            return options.learning_rate * warm * options.drop**fallen
        return options.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * done))

    def _train_step(self, chunk: Chunk) -> float:
        self.network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        keep = torch.from_numpy(~chunk.restart).float()[None, :, None].to(self._device)
        state = State(self._state.hidden * keep, self._state.cell * keep)
        wide = np.uint8 if self.network.architecture.keys else np.int64
        inputs = torch.from_numpy(chunk.inputs.astype(wide)).to(self._device)
        targets = torch.from_numpy(chunk.targets.astype(wide)).to(self._device)
        mask = torch.from_numpy(chunk.mask).to(self._device)
        artists = artist_vectors(self.network, torch.from_numpy(chunk.artists)).to(self._device)
        loss, state = chunk_loss(
            self.network, inputs, targets, mask, artists, state, segment=self._options.segment
        )
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._options.clip)
        nats, slope = float(loss.detach()), float(norm)
        if not math.isfinite(nats) or not math.isfinite(slope):
            self._diverged(f"the loss is {nats:g}, and its gradient's norm {slope:g}")
        self._optimiser.step()
        self._state = State(state.hidden.detach(), state.cell.detach())
        self._symbols += int(chunk.mask.sum())
        return nats

    def _validate(self) -> None:
        # Pieces are scored side by side; one long document on its own would take long.
        pieces = [p for d in self.corpus.splits["valid"] for p in d.pieces(LONGEST)]
        every = max(1, len(pieces) // self._options.validation_documents)
        documents = pieces[::every][: self._options.validation_documents]
        network = self.network.served()
        score = evaluate(network, documents, self.corpus.codec)
        if not math.isfinite(score.nll):
            self._diverged(f"the validation loss is {score.nll:g}")
        self._log.add(self.step, "valid", score.nll, self._rate(), self._seconds)
        if self._seconds >= self._drawn + REDRAWN:
            self._draw()
        if score.nll < self._best:
            self._best, self._worse = score.nll, 0
            self._check_range(network)
            save_model(self.run / "best", self.card(), network, half=self._options.half)
        else:
            self._worse += 1

    def _draw(self) -> None:
        draw_curves(self.run / "log.csv", self.run / "curves.png", title=self.recipe.model.name)
        self._drawn = self._seconds

    def _check_range(self, network: RecurrentNetwork) -> None:
        """Checks that no weight is too large to be kept and to be served."""
        largest = max(float(p.detach().abs().max()) for p in network.parameters())
        most = torch.finfo(torch.float16).max if self._options.half else LARGEST / 2
        if largest > most:
            self._diverged(f"a weight is {largest:g}, and at most {most:g} can be kept")

    def _diverged(self, what: str) -> NoReturn:
        best = self.run / "best"
        kept = f"; {best} is the best model before that" if best.exists() else ""
        raise TrainingError(
            f"{self.run}: diverged after {self.step} steps: {what}; lower train.learning_rate or "
            f"train.clip, or lengthen train.warmup{kept}"
        )

    def begin_with(self, folder: Path) -> None:
        """Begins with the weights of a trained model; see `adopt`."""
        adopt(self.network, self.corpus.artists, folder)

    # Resuming

    def save(self) -> None:
        """Writes everything that `resume` reads, completely or not at all."""
        tensors: dict[str, Tensor] = {
            f"network.{k}": v for k, v in self.network.state_dict().items()
        }
        tensors |= {"state.hidden": self._state.hidden, "state.cell": self._state.cell}
        tensors |= {name: g.get_state() for name, g in generators(self._device).items()}
        for index, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in moments.items()}
        facts = {
            "step": self.step,
            "seconds": self._seconds,
            "symbols": self._symbols,
            "best": self._best,
            "worse": self._worse,
            "feed": self._feed.state(),
            "recipe": plain(self.recipe),
        }
        write_state(self.run / "resume", tensors, facts)

    def resume(self) -> None:
        """Continues from what `save` wrote.

        Raises:
            CheckpointError: there is nothing to resume, or it is damaged.
            ConfigError: the run was of another recipe.
        """
        path = self.run / "resume" / "run.safetensors"
        facts, tensors = read_state(path)
        was_recipe = recipe_of(facts["recipe"], path)
        for part in ("data", "model"):
            if getattr(was_recipe, part) != getattr(self.recipe, part):
                raise ConfigError(f"{path}: belongs to another recipe: its [{part}] differs")
        for name in ("seed", "rows", "chunk", "window", "restart"):
            was, now = getattr(was_recipe.train, name, None), getattr(self._options, name)
            if was != now:
                raise ConfigError(f"{path}: was made with train.{name} = {was}, not {now}")
        self.network.load_state_dict(
            {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
        )
        adam = self._optimiser.state_dict()
        adam["state"] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, index, moment = name.split(".")
                adam["state"].setdefault(int(index), {})[moment] = value
        self._optimiser.load_state_dict(adam)
        self._state = State(
            tensors["state.hidden"].to(self._device), tensors["state.cell"].to(self._device)
        )
        for name, generator in generators(self._device).items():
            if name in tensors:  # a run that was saved on a CPU has no state for a GPU's generator
                generator.set_state(tensors[name])
        self.step, self._seconds = facts["step"], facts["seconds"]
        self._symbols, self._best, self._worse = facts["symbols"], facts["best"], facts["worse"]
        self._feed.restore(facts["feed"])
        self._log.cut(self.step)
