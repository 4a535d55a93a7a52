"""Finds the session that makes an engine die again and again."""

from __future__ import annotations

from collections.abc import Iterable

YOUNG = 10.0  # seconds after its start within which an engine's death counts as one of a row


class Suspicion:
    """What is known of one engine's deaths. No I/O, and the time is passed in.

    After its first death an engine works with `caution` 1: before it computes sessions it says
    which, and afterwards that it is done. If it dies again within `YOUNG` seconds, the sessions
    that it was computing are suspects, and the next engine, with `caution` 2, computes one at a
    time. If it dies once more while computing one suspect alone, that session is the cause. So two
    deaths in a row must happen while the same session is computed: an engine that is killed from
    outside, or while it does nothing, hardly ever makes a session look guilty.
    """

    def __init__(self) -> None:
        self._began = -YOUNG
        self._deaths = 0  # in a row
        self._at: frozenset[int] = frozenset()  # keys of sessions that it is computing
        self._suspects: frozenset[int] = frozenset()

    @property
    def caution(self) -> int:
        """The level of caution for the engine; see `engine.messages.Caution`."""
        return min(self._deaths, 2)

    def began(self, now: float) -> None:
        """Notes that the engine has started."""
        self._began, self._at = now, frozenset()

    def computes(self, keys: Iterable[int]) -> None:
        """Notes which sessions the engine is computing from now on; none: it is done."""
        self._at = frozenset(keys)

    def died(self, now: float) -> int | None:
        """Notes that the engine has died.

        Returns:
            The key of the session that it died of, once that is known.
        """
        if now - self._began >= YOUNG:
            self._deaths, self._suspects = 0, frozenset()
        self._deaths += 1
        if not self._at:
            return None
        suspects, self._suspects = self._suspects, self._at
        if len(self._at) > 1 or not self._at <= suspects:
            return None
        (guilty,) = self._at
        self._deaths, self._suspects = 1, frozenset()
        return guilty

    def calms(self, now: float) -> bool:
        """Whether a cautious engine has lived long enough to stop being cautious; true once."""
        calm = self._deaths > 0 and now - self._began >= YOUNG
        if calm:
            self._deaths, self._suspects = 0, frozenset()
        return calm
