"""Which session an engine dies of, if it dies again and again."""

from __future__ import annotations

from collections.abc import Iterable

YOUNG = 10.0  # seconds after its start within which an engine's death is one of a row


class Suspicion:
    """What is known of one engine's deaths. No I/O, and the time is passed in.

    An engine that has died says, once it is back, which sessions it is about to compute before it
    does, and when it is done with them: `caution` 1. If it dies again within `YOUNG` seconds, those
    it was at are suspects, and the next engine computes one session at a time: 2. A session that
    was a suspect then, and that the engine was at, alone, when it died once more, is what it dies
    of. So two deaths in a row must come in the midst of computing the same session: an engine that
    is killed from outside, or while it does nothing, hardly ever makes one look guilty.
    """

    def __init__(self) -> None:
        self._began = -YOUNG
        self._deaths = 0  # in a row
        self._at: frozenset[int] = frozenset()  # keys of sessions
        self._suspects: frozenset[int] = frozenset()

    @property
    def caution(self) -> int:
        """How the engine is to work; see `engine.messages.Caution`."""
        return min(self._deaths, 2)

    def began(self, now: float) -> None:
        """The engine has started."""
        self._began, self._at = now, frozenset()

    def computes(self, keys: Iterable[int]) -> None:
        """What the engine is at from now on; nothing: it is done."""
        self._at = frozenset(keys)

    def died(self, now: float) -> int | None:
        """The engine has died.

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
        """Whether an engine that was to be cautious need not be any more; true once."""
        calm = self._deaths > 0 and now - self._began >= YOUNG
        if calm:
            self._deaths, self._suspects = 0, frozenset()
        return calm
