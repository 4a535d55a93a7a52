"""Whatever a card contains: its model can be played, or one line says why not."""

from __future__ import annotations

import copy
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import House, make_text_model

from stream_rnn.adapters.web.websocket import hello
from stream_rnn.card import MOST_ARTISTS, check_card, parse_card
from stream_rnn.checkpoint import WEIGHTS, find_models, load_network, read_card, read_models
from stream_rnn.errors import CheckpointError
from stream_rnn.paths import bundled

MODELS = find_models(bundled("models"))
CARDS = {name: json.loads((path / "card.json").read_text()) for name, path in MODELS.items()}
NASTY = [
    None, True, False, 0, 1, -1, 2, 96, 97, 10**9, 10**30, 2**53, 0.5, -0.5, 1e308, "", "x", "a\nb",
    "\x00", "../x", "é" * 300, "\ud800", [], [[]], {}, {"a": 1}, ["a", "a"], ["a", 1], "link",
    "D dorian", {"nll": "x"}, "categorical", "bernoulli", "markov", "gru", "text", "touch",
]  # fmt: skip
CONTROLS = [
    "temperature", "artist", "rate", "bpm", "sync", "top_k", "top_p", "pitches", "density",
    "velocity", "transpose", "channel", "seed",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything in a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:3])
    for key, item in inside:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A model's name, and its card after a few changes of any kind."""
    name = draw(st.sampled_from(sorted(CARDS)))
    card = copy.deepcopy(CARDS[name])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*places(card), ("defaults", draw(st.sampled_from(CONTROLS)))]))
        nasty = copy.deepcopy(draw(st.sampled_from(NASTY)))
        value = draw(
            st.just(nasty) | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
        )
        holder: Any = card
        for key in path[:-1]:
            holder = holder[key] if isinstance(holder, list) else holder.get(key)
            if not isinstance(holder, dict | list):
                break
        if not isinstance(holder, dict | list) or (isinstance(holder, list) and not holder):
            continue
        key = path[-1] if isinstance(holder, dict) else min(path[-1], len(holder) - 1)
        match draw(st.sampled_from(["replace", "delete", "add", "again", "nudge"])):
            case "replace":
                holder[key] = value
            case "delete" if isinstance(holder, list) or key in holder:
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[str(draw(st.sampled_from(["x", "rate", "artists", "symbols"])))] = value
            case "again" if isinstance(holder, list):
                holder.append(holder[key])
            case "nudge" if isinstance(holder, dict) and type(holder.get(key)) in (int, float):
                holder[key] += draw(st.sampled_from([-1, 1, 0.5]))
    return name, card


class Errors(logging.Handler):
    """What is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


def plays(models: Path, name: str) -> None:
    """Asserts that every connection is greeted, and that a session of a model opens and plays."""
    errors = Errors()
    logging.getLogger("stream_rnn").addHandler(errors)
    try:
        house = House(models)
        assert f'"name":"{name}"'.encode() in hello(house.stage, 0.0).json
        ear = house.join()
        house.say(ear, "open", model=name, session="a", seed=7, play=False)
        for prime in read_card(models / name).primes[:2]:
            house.say(ear, "open", model=name, prime=prime, play=False)
        house.say(ear, "step", session="a", count=3)
        house.run(0.1)
        assert not ear.of("error") and not ear.of("closed") and len(ear.of("symbol", "a")) == 3
        house.say(ear, "play", session="a")
        house.run(0.1)
        assert not ear.of("error") and not ear.of("closed")
    finally:
        logging.getLogger("stream_rnn").removeHandler(errors)
    assert not errors.found


@given(mutated())
def test_any_change_of_a_card_is_refused_in_one_line_or_its_session_opens(
    made: tuple[str, dict[str, Any]],
) -> None:
    name, card = made
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / name
        folder.mkdir()
        (folder / "card.json").write_text(json.dumps(card))
        (folder / WEIGHTS).symlink_to(MODELS[name] / WEIGHTS)
        cards, faults = read_models({name: folder})
        if not faults:
            try:  # what tables of counts are worth shows only when they are loaded
                load_network(folder, cards[name])
            except CheckpointError as error:
                faults = [error]
        for fault in faults:
            assert str(fault).startswith(f"{folder}/") and str(fault).isprintable()
        if not faults and cards[name].name == name:
            plays(Path(root), name)


TOKENS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"NaN", b"1e999", b"null", b"\\ud800", b"\xff"]


@given(
    st.sampled_from(sorted(CARDS)),
    st.lists(st.tuples(st.integers(0, 4096), st.integers(0, 20), st.sampled_from(TOKENS)),
             max_size=3),
)  # fmt: skip
def test_any_bytes_are_a_card_or_are_refused(
    name: str, changes: list[tuple[int, int, bytes]]
) -> None:
    data = (MODELS[name] / "card.json").read_bytes()
    for at, length, token in changes:
        data = data[:at] + token + data[at + length :]
    try:
        card = parse_card(data)
    except CheckpointError:
        return
    check_card(card)


def test_the_most_artists_that_there_may_be_are_heard_and_one_more_is_too_many(
    tmp_path: Path,
) -> None:
    make_text_model(tmp_path / "verse")
    card = read_card(tmp_path / "verse")
    many = tuple(f"{'N' * 90}{i}" for i in range(MOST_ARTISTS))
    architecture = {**card.architecture, "artists": MOST_ARTISTS}
    check_card(replace(card, artists=many, architecture=architecture))
    with pytest.raises(CheckpointError, match="artists is .* at most 1024"):
        check_card(replace(card, artists=(*many, "x")))


def test_bad_models_are_left_out_each_with_a_line_and_the_others_are_read(
    models: Path, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "verse"):
        shutil.copytree(models / "verse", tmp_path / name)
    (tmp_path / "a" / "card.json").write_text("[" * 10**6)
    (tmp_path / "b" / WEIGHTS).unlink()
    (tmp_path / "c" / "card.json").write_bytes(b"\0" * 2**23)
    cards, faults = read_models(find_models(tmp_path))
    assert list(cards) == ["verse"]
    for name, fault in zip("abc", faults, strict=True):
        assert str(fault).startswith(str(tmp_path / name)) and str(fault).isprintable()


@pytest.mark.parametrize("name", MODELS)
def test_the_cards_in_the_box_are_held_to_all_of_it(name: str) -> None:
    card = read_card(MODELS[name])
    check_card(card)
    assert parse_card(json.dumps(card.to_json()).encode()) == card
