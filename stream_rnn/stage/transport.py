"""Passes external tempo, start and stop on to the sessions that follow them.

It acts as a client of the stage, except for `Stage.retime`. No I/O, and the time is passed in.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Literal

from stream_rnn.sessions.status import Status
from stream_rnn.sessions.tempo import Tempo
from stream_rnn.stage.stage import Stage
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire

log = logging.getLogger("stream_rnn.transport")

Transport = Literal["start", "stop", "continue"]

BPM = (10.0, 1000.0)  # tempi outside are taken for errors
NEWS = 0.1  # change of bpm from which on viewers are told
NEWS_PAUSE = 0.5  # seconds between two such events, at least


@dataclass(frozen=True)
class _Told:
    bpm: float
    at: float


class TransportFollower:
    """Applies tempo and transport of each source to the sessions that follow it.

    Args:
        stage: has the sessions; the follower keeps its `tempi` up to date.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._told: dict[str, _Told] = {}

    def set_tempo(self, source: str, tempo: Tempo | None, now: float) -> None:
        """Sets a source's tempo; with none, its followers go on in their own.

        An impossible tempo, as from a broken clock, is ignored.
        """
        heard = self._stage.tempi.heard
        if tempo is None:
            if heard.pop(source, None) is None:
                return
            self._told.pop(source, None)
            self._stage.retime(source, now, tell=True)
            return
        if not BPM[0] <= tempo.bpm <= BPM[1] or not math.isfinite(tempo.beat):
            return
        heard[source] = tempo
        told = self._told.get(source, _Told(math.inf, -math.inf))
        news = abs(tempo.bpm - told.bpm) >= NEWS and now - told.at >= NEWS_PAUSE
        if news:
            self._told[source] = _Told(tempo.bpm, now)
        self._stage.retime(source, now, tell=news)

    def transport(self, source: str, action: Transport, now: float) -> None:
        """Applies a start, continue or stop that came from a source.

        `start`: the beat that was set last begins now, and its followers with it. `continue`:
        they play on. `stop`: they pause.
        """
        log.info("%s: %s", source, action)
        for session in list(self._stage.sessions.values()):
            if session.controls.sync != source or session.status is Status.EVICTED:
                continue
            if action == "stop":
                if session.playing:
                    self._stage.handle(self, wire.Pause(session=session.name), now)
            elif not session.playing:
                self._stage.handle(self, wire.Play(session=session.name), now)
        if action == "start":
            self._stage.retime(source, now, cue=True)

    # As an asker, which the stage answers

    def tell(self, event: events.Event) -> None:
        if isinstance(event, events.Error):
            log.warning("%s", event.message)
