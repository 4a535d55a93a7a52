"""What was sent is done in turns: a bit of each sender's, and never for long at a stretch.

Otherwise a packet of 256 messages would keep everybody's symbols waiting, and who sends many
would keep those waiting who send one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator

from stream_rnn.adapters.osc.agenda import Agenda
from stream_rnn.adapters.osc.buckets import Bucket
from stream_rnn.clock import Clock

SHARE = 0.5  # of the time
STRETCH = 0.003  # seconds that may be saved up
REST = 0.006  # seconds, once it is used up
MAX_WAITING = 1 << 18  # bytes of one sender
MAX_ALL = 1 << 21  # and of all
OVERHEAD = 128  # bytes that any job counts, at least

_OVER = object()


class Turns:
    """Jobs by their senders. A job is an iterator: each step of it is a turn."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now
        self._time = Bucket(SHARE, clock.now(), STRETCH)
        self._agenda: Agenda[None] = Agenda(self._go_on, clock)
        self._jobs: dict[Hashable, deque[tuple[Iterator[None], int]]] = {}  # whose turn it is first
        self._sizes: dict[Hashable, int] = {}
        self._size = 0
        self._busy = False

    def put(self, sender: Hashable, job: Iterator[None], size: int) -> bool:
        """Does a job: at once, if nothing else is to be done and there is time.

        Args:
            size: bytes of what is to be done.

        Returns:
            Whether there was room for it.
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
        self._busy = True  # so that what a job puts down waits for its turn
        while self._jobs:
            start = self._now()
            if self._time.left(start) <= 0:
                self._agenda.add(0.0, REST, None)
                return  # still busy, until then
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
        """Forgets what waits."""
        self._jobs.clear()
        self._sizes.clear()
        self._size = 0
        self._agenda.clear()
