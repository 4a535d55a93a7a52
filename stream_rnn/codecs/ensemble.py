"""What the players of a touch-screen ensemble do, a gesture each a second.

The nine classes of gesture of Martin, Ellefsen and Torresen (2017), whose Neural iPad Band
reads the lead player's gesture and answers with those of three others. There one integer
stands for a whole row; here the lead's symbol comes first and each player's after it, so
that the network sees the same, and each answer takes account of those before it in its row.
"""

from __future__ import annotations

from typing import Any

from stream_rnn.codecs.rows import RowsCodec, rows_arguments
from stream_rnn.errors import DataError

GESTURES = (
    "none", "fast taps", "slow taps", "fast swipe", "fast swipe accelerating",
    "very slow swirl", "big swirl", "small swirl", "combination",
)  # fmt: skip
SHORT = ("N", "FT", "ST", "FS", "FSA", "VSS", "BS", "SS", "C")
PLAYERS = ("lead", "one", "two", "three")


class EnsembleCodec(RowsCodec):
    """Gestures of players, a row a second; the first player leads."""

    domain = "ensemble"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EnsembleCodec:
        """The codec that `to_json` described."""
        return cls(*rows_arguments(data))

    @classmethod
    def usual(cls) -> EnsembleCodec:
        """Four players, nine classes of gesture."""
        return cls(PLAYERS, len(GESTURES), 1.0)

    def event(self, symbol: int) -> dict[str, Any]:
        if symbol == self.boundary:
            return {"event": {"end": 1}}
        player, gesture = self.column_and_value(symbol)
        return {"event": {"player": player, "gesture": gesture}}

    def parse_event(self, event: dict[Any, Any], where: str) -> int:
        player, gesture = event.get("player"), event.get("gesture")
        if event == {"end": 1}:
            return self.boundary
        if type(player) is not int or not 0 <= player < len(self.columns) or len(event) != 2:
            raise DataError(
                f"{where}: give player, 0 to {len(self.columns) - 1}, and gesture, "
                f"0 to {self.classes - 1}"
            )
        return self.symbol(player, self.parse_value(gesture, where))

    def text_of(self, value: int) -> str:
        return SHORT[value] if self.classes == len(SHORT) else str(value)

    def parse_value(self, value: object, where: str) -> int:
        if isinstance(value, str) and value in SHORT and self.classes == len(SHORT):
            return SHORT.index(value)
        if isinstance(value, str) and value.isdecimal():
            return super().parse_value(int(value[:9]), where)
        return super().parse_value(value, where)
