"""Measurements that anyone can repeat: `stream-rnn bench`."""
