"""Where the engine looks for `load_quantised`."""

from stream_rnn.checkpoint import load_quantised as load_quantised
