"""The pasts of a session, counted, and where each parted from the ones before. No I/O."""

from __future__ import annotations

KEPT = 64


class Epochs:
    """Counts the pasts of one session, from 0: each rewind, reset or change of model begins one.

    Attributes:
        now: the number of the past that the session has now.
    """

    def __init__(self) -> None:
        self.now = 0
        self._partings: list[tuple[int, int]] = []  # (epoch, position); both rise

    def begin(self, position: int) -> None:
        """A new past begins, which is the old one up to `position`."""
        self.now += 1
        # A parting that lies later than this one tells nobody anything any more.
        while self._partings and self._partings[-1][1] >= position:
            self._partings.pop()
        self._partings.append((self.now, position))
        if len(self._partings) > KEPT:
            # The two oldest become one, at the earlier place: right for both, if not exact.
            (_, earlier), (epoch, _) = self._partings[:2]
            self._partings[:2] = [(epoch, earlier)]

    def parting(self, epoch: int) -> int | None:
        """Up to which position the past of an epoch is also the present one's.

        Returns:
            None where it is the present one; 0 where nothing is known of that epoch.
        """
        if epoch == self.now:
            return None
        return next((position for began, position in self._partings if began > epoch), 0)
