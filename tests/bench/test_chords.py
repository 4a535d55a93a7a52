from __future__ import annotations

import pytest
import torch

from stream_rnn.bench.chords import Cost, cost, main, table
from stream_rnn.checkpoint import find_models, load_network, read_card
from stream_rnn.engine.slots import BATCH
from stream_rnn.errors import ConfigError
from stream_rnn.nets.network import Architecture, RecurrentNetwork
from stream_rnn.paths import bundled
from stream_rnn.sessions.controls import default_controls

JOINT = {
    name: folder
    for name, folder in find_models(bundled("models")).items()
    if read_card(folder).architecture["head"] == "nade"
}


def make_network(head: str = "nade") -> RecurrentNetwork:
    torch.manual_seed(1)
    units = {"head_hidden": 8} if head == "nade" else {}
    return RecurrentNetwork(Architecture(88, 0, 16, 1, head, **units)).eval()  # type: ignore[arg-type]


def test_fuller_chords_are_counted_and_a_head_of_its_own_is_asked_for() -> None:
    network = make_network()
    quiet, loud = (
        cost(network, BATCH + 3, temperature=1.0, density=density, frames=4)
        for density in (-20, 20)
    )
    assert quiet.rows == loud.rows == BATCH + 3 and quiet.notes == 0 and loud.notes == 88
    assert 0 < quiet.draw < loud.draw, "88 draws take longer than one"
    with pytest.raises(ConfigError, match="no joint head"):
        cost(make_network("bernoulli"), 1, temperature=1.0, density=0.0)


def test_the_table_sets_a_frame_beside_what_it_takes() -> None:
    lines = table("m", 0.125, [Cost(64, 0.001, 0.0015, 3.9)]).split("\n")
    assert lines[0] == "m: a frame lasts 125 ms"
    assert lines[2].split() == "64 1.00 ms 1.50 ms 23 µs 2.0% of it 3.90".split()


def test_a_model_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nobody"])
    assert "nobody" in capsys.readouterr().err


@pytest.mark.parametrize("name", JOINT)
def test_a_batch_of_chords_is_drawn_well_within_a_frame(name: str) -> None:
    """It takes a few hundredths of a frame; a fifth leaves room for a busy machine."""
    card = read_card(JOINT[name])
    c = default_controls(card, 0)
    of_one = cost(
        load_network(JOINT[name], card), BATCH, temperature=c.temperature, density=c.density,
        frames=20,
    )  # fmt: skip
    assert of_one.notes > 1
    assert of_one.step + of_one.draw < 0.2 / c.rate
