"""Ableton Link: the beat that the programs of a network share, through aalink (an extra).

We only listen: nothing here sets the others' tempo. Yet joining could. When two Link sessions
meet, the older wins, but chance decides if their ages differ by less than half a second. And a
program that is left alone begins a new session. One that joined right after another had left took
over the tempo in 5 of 12 trials (aalink #7); after 0.8 s, in none of 22. So we wait before joining.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from stream_rnn.clock import Clock
from stream_rnn.config import Config
from stream_rnn.errors import ConfigError
from stream_rnn.sessions.controls import BEATS_PER_BAR
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.transport import TransportFollower

log = logging.getLogger("stream_rnn.link")

SOURCE = "link"
SETTLE = 1.0  # seconds before we join
POLL = 0.05  # seconds between readings of the beat
REFRESH = 1.0  # seconds after which an unchanged tempo is reported again


def wants_link(config: Config) -> bool:
    """Whether the configuration has anything follow Link, so that we have to join it."""
    followed = [session.controls.get("sync") for session in config.session]
    return SOURCE in (config.tempo.sync, *followed)


class LinkSide:
    """Reports Link's tempo, for the sessions that follow it.

    Args:
        stage: offers Link to its sessions as a source of tempo.
        follower: gets the tempo.
        bpm: the tempo while we are alone; by Link's rules, a program that joins takes it over.

    Raises:
        ConfigError: aalink is not installed.
    """

    def __init__(self, stage: Stage, follower: TransportFollower, clock: Clock, bpm: float) -> None:
        try:
            import aalink  # noqa: F401
        except ImportError:
            raise ConfigError(
                "Ableton Link needs the package aalink: pip install 'stream-rnn[link]'"
            ) from None
        self._follower, self._clock, self._bpm = follower, clock, bpm
        self._told: Tempo | None = None
        self._told_at = 0.0
        self._peers = 0
        stage.tempi.offer(SOURCE)

    async def run(self) -> None:
        """Joins Link and follows it until cancelled, then leaves."""
        from aalink import Link

        link = Link(self._bpm)
        link.quantum = BEATS_PER_BAR
        await asyncio.sleep(SETTLE)
        link.enabled = True
        log.info("Ableton Link: joined")
        try:
            while True:
                self._look(link)
                await asyncio.sleep(POLL)
        finally:
            link.enabled = False

    def _look(self, link: Any) -> None:
        peers, bpm = link.num_peers, link.tempo
        # The beat is read at some moment between these two.
        before = self._clock.now()
        beat = link.beat
        now = self._clock.now()
        if peers != self._peers:
            self._peers = peers
            log.info("Ableton Link: %d other%s, %.2f bpm", peers, "s" * (peers != 1), bpm)
        tempo = Tempo(bpm, beat, (before + now) / 2)
        stale = self._told is None or now - self._told_at >= REFRESH
        if stale or (self._told is not None and tempo.moved(self._told, now)):
            self._told, self._told_at = tempo, now
            self._follower.set_tempo(SOURCE, tempo, now)
