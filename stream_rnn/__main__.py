"""`python -m stream_rnn`."""

from stream_rnn.cli import entry

entry()
