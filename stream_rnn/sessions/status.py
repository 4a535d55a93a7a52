"""What a session may be doing, and the actions that lead from one status to another."""

from __future__ import annotations

import enum


class Status(enum.Enum):
    """What a session is doing."""

    PLAYING = "playing"
    PAUSED = "paused"
    STALLED = "stalled"  # it would play, but the engine is gone, or does not answer
    EVICTED = "away"  # nobody listened for long, so its slot was given back
    CLOSED = "closed"


# A transition that is not in this table raises `bad_state`.
TRANSITIONS: dict[tuple[Status, str], Status] = {
    (Status.PLAYING, "play"): Status.PLAYING,
    (Status.PAUSED, "play"): Status.PLAYING,
    (Status.STALLED, "play"): Status.STALLED,
    (Status.PLAYING, "pause"): Status.PAUSED,
    (Status.PAUSED, "pause"): Status.PAUSED,
    (Status.STALLED, "pause"): Status.PAUSED,
    (Status.PAUSED, "step"): Status.PAUSED,
    (Status.PLAYING, "lose_engine"): Status.STALLED,
    (Status.PAUSED, "lose_engine"): Status.PAUSED,
    (Status.STALLED, "lose_engine"): Status.STALLED,
    (Status.EVICTED, "lose_engine"): Status.EVICTED,
    (Status.PLAYING, "stall"): Status.STALLED,
    (Status.PLAYING, "regain_engine"): Status.PLAYING,
    (Status.STALLED, "regain_engine"): Status.PLAYING,
    (Status.STALLED, "resume"): Status.PLAYING,
    (Status.PAUSED, "regain_engine"): Status.PAUSED,
    (Status.PAUSED, "evict"): Status.EVICTED,
    (Status.EVICTED, "bring_back"): Status.PAUSED,
    **{(status, "close"): Status.CLOSED for status in Status if status is not Status.CLOSED},
}
