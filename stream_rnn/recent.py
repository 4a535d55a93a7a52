"""A table of bounded size."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V]):
    """A dictionary that forgets the entry that was set longest ago when there are too many.

    Args:
        most: how many entries there may be.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)  # so that the oldest entry comes first
        super().__setitem__(key, value)
        if len(self) > self._most:
            del self[next(iter(self))]
