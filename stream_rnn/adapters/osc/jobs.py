"""Does the work of OSC senders in turns: a step of each sender's, and never for long at a stretch.

Otherwise a packet of 256 messages would delay everybody's symbols, and a client that sends many
messages would delay those that send one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator

from stream_rnn.adapters.osc.agenda import Agenda
from stream_rnn.adapters.osc.buckets import Bucket
from stream_rnn.clock import Clock

SHARE = 0.5  # part of the time that may be used
STRETCH = 0.003  # seconds that may be saved up
REST = 0.006  # seconds of pause once they are used up
MAX_WAITING = 1 << 18  # bytes that may wait of one sender
MAX_ALL = 1 << 21  # bytes that may wait of all senders
OVERHEAD = 128  # bytes that each job counts besides its size

_OVER = object()


class Jobs:
    """The jobs of all senders. A job is an iterator; each of its steps is one turn."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now
        self._time = Bucket(SHARE, clock.now(), STRETCH)
        self._agenda: Agenda[None] = Agenda(self._go_on, clock)
        self._jobs: dict[Hashable, deque[tuple[Iterator[None], int]]] = {}  # next turn first
        self._sizes: dict[Hashable, int] = {}
        self._size = 0
        self._busy = False

    def put(self, sender: Hashable, job: Iterator[None], size: int) -> bool:
        """Queues a job, and begins it at once if nothing else waits and there is time.

        Args:
            size: the size of the job's messages in bytes.

        Returns:
            Whether there was room for the job.
        """
        size += OVERHEAD
        waiting = self._sizes.get(sender, 0)
        if waiting + size > MAX_WAITING or self._size + size > MAX_ALL:
            return False
        self._sizes[sender] = waiting + size
        self._size += size
        self._jobs.setdefault(sender, deque()).append((job, size))
        if not self._busy:
            self._run()
        return True

    def _go_on(self, _: None) -> None:
        self._busy = False
        self._run()

    def _run(self) -> None:
        self._busy = True  # so that a job that is put by another job waits for its turn
        while self._jobs:
            start = self._now()
            if self._time.left(start) <= 0:
                self._agenda.add(0.0, REST, None)
                return  # `_busy` until `_go_on`
            sender, jobs = next(iter(self._jobs.items()))
            job, size = jobs[0]
            if next(job, _OVER) is _OVER:
                jobs.popleft()
                self._sizes[sender] -= size
                self._size -= size
            del self._jobs[sender]
            if jobs:
                self._jobs[sender] = jobs
            else:
                del self._sizes[sender]
            self._time.charge(self._now() - start)
        self._busy = False

    def clear(self) -> None:
        """Forgets all waiting jobs."""
        self._jobs.clear()
        self._sizes.clear()
        self._size = 0
        self._agenda.clear()
