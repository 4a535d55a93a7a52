"""The thread that writes notes into the database, in batches."""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream_rnn.sessions.notes import Record, Removed
from stream_rnn.store.database import Database, apply

log = logging.getLogger("stream_rnn.store")

GATHER = 0.5  # seconds without a note after which those that can wait are written
MANY = 64  # notes at which they are written, too


@dataclass(frozen=True)
class Job:
    """A note to write.

    Attributes:
        ticket: rises from job to job.
        urgent: whether somebody waits for it.
        gone: a file that may go once this and all before it are written.
    """

    ticket: int
    note: Record | Removed | None = None
    urgent: bool = True
    gone: Sequence[Path] = ()


class Writer:
    """Owns a database from `start` to `stop`.

    Args:
        seqs: the number of each session's latest record in the database.
        date: the time by the calendar.
        stored: told, in the thread, the ticket of the last job of each batch that was written.
        failed: told, in the thread, that a batch is lost, its last ticket and why.
    """

    def __init__(
        self,
        database: Database,
        seqs: dict[int, int],
        date: Callable[[], float],
        stored: Callable[[int], None],
        failed: Callable[[int, str], None],
    ) -> None:
        self._database, self._seqs, self._date = database, seqs, date
        self._stored, self._failed = stored, failed
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Adds a job; never waits."""
        self._jobs.put(job)

    def stop(self, seconds: float) -> None:
        """Writes what is left, for at most so many seconds, and closes the database."""
        self._jobs.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        waiting: list[Job] = []
        ended = False
        while not ended:
            try:
                jobs = self._next(GATHER if waiting else None)
            except queue.Empty:
                jobs = []
            ended = None in jobs
            new = [job for job in jobs if job is not None]
            waiting += new
            hurry = ended or not jobs or len(waiting) >= MANY or any(job.urgent for job in new)
            if hurry and waiting:
                self._write(waiting)
                waiting = []
        self._database.close()

    def _next(self, timeout: float | None) -> list[Job | None]:
        """All jobs that are there; waits for one."""
        jobs = [self._jobs.get(timeout=timeout)]
        with contextlib.suppress(queue.Empty):
            while jobs[-1] is not None:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _write(self, jobs: list[Job]) -> None:
        last, notes = jobs[-1].ticket, [job.note for job in jobs if job.note is not None]
        try:
            complete = apply(self._database, notes, self._seqs, self._date())
        except (sqlite3.Error, OSError) as error:
            self._failed(last, str(error))
            return
        except Exception as error:
            log.exception("a batch could not be stored")
            self._failed(last, str(error))
            return
        if not complete:
            self._failed(last, "an earlier record is missing")
            return
        for path in (path for job in jobs for path in job.gone):
            with contextlib.suppress(OSError):
                path.unlink()
        self._stored(last)
