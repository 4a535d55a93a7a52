"""The models that sessions can be opened with, and why others cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stream_rnn.errors import ProtocolError
from stream_rnn.stage.limits import Model


class Catalogue(Mapping[str, Model]):
    """Models by name, without those that are left out.

    Attributes:
        left_out: the reason why a model is left out, by its name.
    """

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models
        self.left_out: Mapping[str, str] = {}

    def __getitem__(self, name: str) -> Model:
        if name in self.left_out:
            raise KeyError(name)
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._models if name not in self.left_out)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def find(self, name: str) -> Model:
        """The model of a name.

        Raises:
            ProtocolError: `unknown_model`.
        """
        if name in self.left_out:
            raise ProtocolError("unknown_model", self.left_out[name], field="model")
        if name not in self:
            known = ", ".join(sorted(self)) or "none"
            message = f"there is no model {name!r}; there are: {known}"
            raise ProtocolError("unknown_model", message, field="model")
        return self[name]
