"""A look at a network in training: a short sample as text."""

from __future__ import annotations

from stream_rnn.checkpoint import Card
from stream_rnn.engine.messages import Settings
from stream_rnn.engine.offline import generate, kernel_of
from stream_rnn.errors import CheckpointError
from stream_rnn.nets.baselines import Network

LENGTH = 400
FRAMES = 64
TEMPERATURE = 0.8


def preview(network: Network, card: Card, step: int) -> str:
    """A sample of each of up to three artists (or one, without artists), as text.

    It is of the network as it would be served.
    """
    try:
        kernel = kernel_of(network)
    except CheckpointError as error:
        return f"== step {step} ==\nit has diverged: {error}\n"
    codec = card.make_codec()
    count = len(card.artists)
    chosen = sorted({count * i // 3 for i in range(3)}) if count else [0]
    parts = []
    for artist in chosen:
        blend = tuple(float(i == artist) for i in range(count))
        settings = Settings(temperature=TEMPERATURE, seed=1, artists=blend)
        length = FRAMES if codec.head == "bernoulli" else LENGTH
        symbols = generate(kernel, codec, settings, prime=[], length=length)
        title = f"step {step}" + (f", {card.artists[artist]}" if count else "")
        parts.append(f"== {title} ==\n{codec.show(symbols)}\n")
    return "\n".join(parts)
