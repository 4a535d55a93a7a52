"""What each shipped model streams, as hashes: 1,000 symbols under a written control log, and the
state behind them. See `whole.golden`.

They change with a model's weights, or with a bit of docs/numerics.md; then the numerics have
another name. `python -m tests.goldens [MODEL ...]` prints them anew, by the reference kernel.
"""

from __future__ import annotations

GOLDENS = {
    "band": "25b32defc7575aec",
    "chorales": "e56beb89dfb3128b",
    "chorales-joint": "9692de4a7a769a9d",
    "controller": "410ef6cf725e5548",
    "death-metal": "bdd40071dfe0463d",
    "death-metal-lstm": "f878299f31784994",
    "folk": "29ac4a15b79930ec",
    "kernel": "2390581e402103e9",
    "lyrics": "26b088539470b164",
    "lyrics-any": "bf64c9b3192d8bf6",
    "macdonald": "2c784c3b285fe92b",
    "muse": "01a3512447dd802b",
    "nottingham": "a6cf9635a9abde7e",
    "nottingham-joint": "1b2efa957e195d66",
    "nottingham-markov": "d00052e2d9dce16a",
    "performance": "4745419aba176aa6",
    "piano": "709f50035dd8d390",
    "shakespeare": "1ba5f342d9fb49b2",
    "shakespeare-markov": "9a5987e5a50ed0bf",
    "star-trek": "dafa2694e53befb4",
    "tabs": "0dd9e2678a8bfb0e",
    "war-and-peace": "aa14a0d0b6c283e5",
}


def main() -> None:
    """Prints the table."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parent))
    import os

    from whole import golden

    from stream_rnn.checkpoint import find_models, read_card
    from stream_rnn.engine.library import load_kernel

    os.environ["STREAM_RNN_KERNEL"] = "reference"
    folders = find_models(Path(__file__).parents[1] / "models")
    for name in sys.argv[1:] or folders:
        kernel = load_kernel(folders[name], read_card(folders[name]))
        sys.stdout.write(f'    "{name}": "{golden(kernel, 1000)}",\n')
        sys.stdout.flush()


if __name__ == "__main__":
    main()
