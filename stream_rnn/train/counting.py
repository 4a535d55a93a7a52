"""Counts for the baselines of `nets/counting.py`: one pass, and a model for each order.

A run is a folder like that of a training: `log.csv`, in which each step looks at one symbol more
(0 is uniform, 1 unigram, then the orders from 1), `samples/`, and `best/` with the order that
predicts the validation set best. It cannot be resumed, since it takes only seconds to minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from stream_rnn.checkpoint import Card, save_model
from stream_rnn.errors import ConfigError
from stream_rnn.nets.architecture import CountingArchitecture
from stream_rnn.nets.baselines import Baseline, baseline
from stream_rnn.train.corpus import Corpus, Document
from stream_rnn.train.curves import Log, draw_curves
from stream_rnn.train.evaluate import boundary_of, evaluate
from stream_rnn.train.finish import (
    Sampler,
    check_recipe,
    finish_counted,
    hardware,
    newline_of,
    plain,
)
from stream_rnn.train.recipe import Recipe

PATIENCE = 2  # orders in a row without a better validation loss, before counting stops

Tables = dict[str, NDArray[np.int64]]


class Counter:
    """One run of a recipe for a baseline; see `Trainer` for the arguments."""

    def __init__(
        self, recipe: Recipe, corpus: Corpus, run: Path, *, sampler: Sampler, device: str = "cpu"
    ) -> None:
        self.recipe, self.corpus, self.run = recipe, corpus, run
        self._sampler, self._device = sampler, torch.device(device)
        self._log = Log(run / "log.csv")
        self._seconds = 0.0
        self.network = self._make(0, next(iter(self._tables(0))))
        check_recipe(self._card([]))

    def _make(self, levels: int, tables: Tables) -> Baseline:
        codec, order = self.corpus.codec, max(0, levels - 1)
        cell = ("uniform", "unigram", "markov")[min(levels, 2)]
        artists = len(self.corpus.artists)
        made = CountingArchitecture(codec.size, artists, codec.head, cell, order)
        return baseline(made, tables).to(self._device)

    def _tables(self, most: int) -> Iterator[Tables]:
        """Tables that look at 0, 1, … `most` symbols."""
        codec, documents = self.corpus.codec, self.corpus.splits["train"]
        if codec.head == "bernoulli":
            return key_chains(documents, most)
        boundary = int(boundary_of(codec))
        return ngrams(documents, boundary, codec.size, most, newline_of(codec))

    def train(self) -> Card:
        """Counts, and scores the best order.

        Returns:
            The card of the best order, whose model is in `run/best`.
        """
        model, best, worse = self.recipe.model, float("inf"), 0
        most = {"uniform": 0, "unigram": 1}.get(model.cell, model.order + 1)
        began = time.monotonic()
        by_order: list[float] = []
        with tqdm(total=most + 1, unit="order", dynamic_ncols=True, desc=model.name) as bar:
            for levels, tables in enumerate(self._tables(most)):
                self.network = self._make(levels, tables)
                valid = evaluate(self.network, self.corpus.splits["valid"], self.corpus.codec)
                self._seconds = time.monotonic() - began
                self._log.add(levels, "valid", valid.nll, 0.0, self._seconds)
                by_order.append(round(valid.nll, 4))
                card = self._card(by_order)
                self._keep_sample(card, levels)
                if valid.nll < best:
                    best, worse = valid.nll, 0
                    save_model(self.run / "best", card, self.network, half=False)
                else:
                    worse += 1
                bar.update()
                bar.set_postfix(best=f"{best:.3f}", valid=f"{valid.nll:.3f}")
                if worse == PATIENCE:
                    break
        draw_curves(self.run / "log.csv", self.run / "curves.png", title=model.name)
        facts = {"seconds": round(self._seconds, 1), "validation_by_order": by_order}
        return finish_counted(self.run / "best", self.corpus, facts)

    def _keep_sample(self, card: Card, step: int) -> None:
        folder = self.run / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        text = self._sampler(self.network, card, step)
        (folder / f"step-{step:06d}.txt").write_text(text, encoding="utf-8")

    def _card(self, by_order: list[float]) -> Card:
        model = self.recipe.model
        sizes = self.corpus.sizes()
        return Card(
            name=model.name,
            title=model.title,
            codec=self.corpus.codec.to_json(),
            architecture=self.network.architecture.to_json(),
            artists=self.corpus.artists,
            defaults=model.defaults,
            primes=model.primes,
            notes=model.notes,
            data={"recipe": plain(self.recipe.data), "sizes": sizes},
            training={
                "symbols": sizes["train"]["symbols"],
                "seconds": round(self._seconds, 1),
                "hardware": hardware(self._device),
                "validation_by_order": by_order,
            },
        )

    def resume(self) -> None:
        """Refuses, since a baseline is counted in one go.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.recipe.model.name}: a baseline cannot be resumed; start it again")


def ngrams(
    documents: list[Document], boundary: int, size: int, most: int, newline: int | None = None
) -> Iterator[Tables]:
    """Tables of `NGrams` with strings of 0, 1, … `most` symbols.

    A document has a begin-and-end symbol before it and, if it ends, one after it. Given a
    `newline`, a document that does not end is prose, which a session may begin at any paragraph.
    Its text is counted without that symbol, and copies of the beginnings of paragraphs with it.
    """
    symbols, room, is_copy = _joined(documents, boundary, most, newline)
    opens = symbols == boundary
    opens[1:] &= room[:-1] <= 1
    branches: list[NDArray[Any]] = []
    lasts: list[NDArray[Any]] = []
    counts: list[NDArray[Any]] = []  # of all lengths but the longest: different symbols before
    ids = np.zeros(len(symbols), np.int64)  # of the string of `length` that begins here
    known = 1
    yield _tables([], [], [])
    for length in range(1, most + 1):
        (begin,) = (room >= length).nonzero()
        wanted = ids[begin] * size + symbols[begin + length - 1]
        strings, where, which = np.unique(wanted, return_index=True, return_inverse=True)
        # The symbol that opens a document is not predicted, and copies do not count twice.
        heard = ~is_copy[begin]
        if length == 1:
            heard &= ~opens[begin]
        met = np.bincount(which, weights=heard, minlength=len(strings)).astype(np.int64)
        if length > 1:
            # How many of these strings end with each shorter one: the number of different symbols
            # before it. A string that opens a document has none, and keeps its own count.
            after = np.bincount(ids[begin[where] + 1], minlength=known)
            counts[-1] = np.where(after > 0, after, counts[-1])
        branches.append(np.bincount(strings // size, minlength=known))
        lasts.append(strings % size)
        counts.append(met)
        yield _tables(branches, lasts, counts)
        ids = np.zeros_like(ids)
        ids[begin] = which
        known = len(strings)


def _joined(
    documents: list[Document], boundary: int, most: int, newline: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """All symbols in a row, how many are left of its document at each, and which are copies."""
    edge = np.array([boundary])
    parts: list[NDArray[Any]] = []
    copies: list[NDArray[Any]] = []
    for document in documents:
        if newline is None or document.ends:
            parts.append(np.concatenate([edge, document.symbols, *[edge] * document.ends]))
            continue
        parts.append(document.symbols)
        ends = document.symbols == newline
        starts = (ends[:-2] & ends[1:-1] & ~ends[2:]).nonzero()[0] + 2
        for start in (0, *starts):
            # No longer than this, so that its longest string begins with the begin-and-end symbol.
            copies.append(np.concatenate([edge, document.symbols[start : start + most - 1]]))
    parts += copies
    room = np.concatenate([np.arange(len(part), 0, -1) for part in parts])
    is_copy = np.zeros(len(room), np.bool_)
    if copies:
        first = len(room) - sum(map(len, copies))
        is_copy[first:] = room[first:] != np.repeat(
            [len(p) for p in copies], [len(p) for p in copies]
        )
    return np.concatenate(parts).astype(np.int64), room, is_copy


def _tables(*columns: list[NDArray[Any]]) -> Tables:
    names = ("branches", "symbols", "counts")
    none = np.zeros(0, np.int64)
    joined = (np.concatenate([none, *column]) for column in columns)
    return {n: c.astype(np.int64) for n, c in zip(names, joined, strict=True)}


def key_chains(documents: list[Document], most: int) -> Iterator[Tables]:
    """Tables of `KeyChains`: uniform, unigram, and of orders up to `most - 1`."""
    order, keys = max(0, most - 1), documents[0].symbols.shape[1]
    frames = np.zeros(keys << order, np.int64)
    sounding = np.zeros_like(frames)
    for document in documents:
        heard = document.symbols.astype(np.int64)
        silence = np.zeros((order, keys), np.int64)
        roll = np.concatenate([silence, heard])
        context = np.zeros_like(heard)
        for n in range(order):
            context += roll[order - 1 - n : order - 1 - n + len(heard)] << n
        place = (np.arange(keys) << order) + context
        frames += np.bincount(place.ravel(), minlength=len(frames))
        sounding += np.bincount(place.ravel(), weights=heard.ravel(), minlength=len(frames)).astype(
            np.int64
        )
    for levels in range(most + 1):
        shape = (keys, -1, 1 << max(0, levels - 1))
        yield {
            "frames": frames.reshape(shape).sum(1),
            "sounding": sounding.reshape(shape).sum(1),
        }
