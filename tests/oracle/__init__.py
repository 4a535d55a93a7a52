"""The oracle: whether a stream is a function of (model, seed, injected symbols, control log).

    python -m tests.oracle --seconds 600 --seed 1

A real server is played by several clients over WebSockets: sessions are opened, primed, changed,
fed, rewound, reset, forked and given other models; clients leave without a word and come back; the
engine is killed and held still. From what the server *acknowledged* of each session, and nothing
else, the session's history is built again on a second server: paused, a step at a time, without
rewinds, each change made at the position that was told. Every symbol that anybody saw has to be
the same there. Besides, nobody may miss a symbol or be sent one twice without being told, what is
acknowledged of the controls has to agree with what was acknowledged before, and nothing may be
left unanswered.

A *round* is some seconds of operations, all decided by the seed; when they take effect is real
time, so that one seed is another run each time. What differs is shrunk: the operations are done
again with some of them left out, for as long as something still differs. The shortest list found
is written as JSON; `--replay FILE` does it again.

The rooms, without I/O but for those of the last two lines:

* `plan`: the operations of a round, from the seed;
* `history`: what a session's messages tell of its pasts; `view`: what one client sees of it;
* `script`: how to build a past again; `judge`: what differs; `shrink`: shorter lists;
* `recompute`: computes a past by itself, without a server; `tests/stage/test_machine.py` uses it;
* `perform`: does the operations; `rebuild`: follows the scripts; `judgement`: the one after the
  other; `servers`; `__main__`.

To see that it can fail, put a fault into a copy of the tree and run it there. The fault that it was
made for was mended in e65c660, where each place of an engine's rollback came to say whose state it
holds; before, a plan at position 0 took how far the session had come for proof. In
`stream_rnn/engine/slots.py`, in `_go_back`, in the place of

    and self._states.holds(slot, position + 1)

write

    and (self._states.holds(slot, position + 1) or position == 0 < self.next[slot] < self.rollback)
"""
