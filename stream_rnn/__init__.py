"""stream-rnn: recurrent networks kept in mid-sentence, and performed with."""

__version__ = "0.1.0"
