"""The models of an engine: each is loaded when it is first opened, and let go when long unused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from stream_rnn.checkpoint import Card, check_model, load_counting, load_quantised, read_card
from stream_rnn.codecs.base import Codec
from stream_rnn.engine.kernels import Kernel, make_kernel
from stream_rnn.engine.slots import Slots, boundary_is_zero
from stream_rnn.errors import CheckpointError, EngineError, StreamRnnError
from stream_rnn.nets.architecture import CountingArchitecture, architecture_from_json

log = logging.getLogger("stream_rnn.engine")

UNUSED = 600.0  # seconds without a session after which a model is let go


class Library:
    """Models by name.

    Args:
        folders: the models' folders.
        fingerprints: the fingerprint that each model's card must have, where it is known.
        device: `cpu` or `cuda`.
        make: makes the slots of a model that has been loaded.

    Attributes:
        loaded: the slots of the models in use.
        left_out: the models that cannot be used, and why.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        fingerprints: Mapping[str, str],
        device: str,
        make: Callable[[Kernel, Codec], Slots],
    ) -> None:
        self._folders, self._fingerprints = folders, fingerprints
        self._device, self._make = device, make
        self.loaded: dict[str, Slots] = {}
        self.left_out: dict[str, str] = {}
        self._used: dict[str, float] = {}  # when a loaded model last had a session
        for name, folder in folders.items():
            try:
                self._known(check_model(folder), name)
            except CheckpointError as error:
                self.left_out[name] = str(error)

    def _known(self, card: Card, name: str) -> Card:
        """The card, if it is the one that is known."""
        if self._fingerprints.get(name) not in (None, card.fingerprint):
            raise CheckpointError(
                f"{self._folders[name]}: the model has been replaced since this server started, "
                "so its sessions cannot go on with it; restart the server to play the new model"
            )
        return card

    def open(self, name: str) -> Slots:
        """The slots of a model. One that cannot be loaded is left out from then on.

        Raises:
            StreamRnnError: there is no such model, or it cannot be loaded.
        """
        if name not in self.loaded:
            if name not in self._folders or name in self.left_out:
                raise EngineError(self.left_out.get(name, f"there is no model {name!r}"))
            try:
                self.loaded[name] = self._load(name, self._folders[name])
            except StreamRnnError as error:
                self.left_out[name] = str(error)
                raise
        return self.loaded[name]

    def _load(self, name: str, folder: Path) -> Slots:
        card = self._known(read_card(folder), name)
        try:
            kernel = load_kernel(folder, card, self._device)
        except StreamRnnError:
            raise
        except Exception as error:  # a broken folder must not affect the other models
            log.exception("%s cannot be loaded", folder)
            raise EngineError(f"{folder}: cannot be loaded: {error!r}") from error
        codec = card.make_codec()
        assert boundary_is_zero(codec)
        return self._make(kernel, codec)

    def tidy(self, now: float) -> None:
        """Lets go of models that have long been unused."""
        for name, slots in list(self.loaded.items()):
            if not slots.empty:
                self._used.pop(name, None)
            elif now - self._used.setdefault(name, now) >= UNUSED:
                del self.loaded[name], self._used[name]


def load_kernel(folder: Path, card: Card, device: str = "cpu") -> Kernel:
    """The kernel that steps the model of a folder.

    Raises:
        CheckpointError: the weights are missing, damaged, another model's, or do not fit the card.
    """
    counts = isinstance(architecture_from_json(card.architecture), CountingArchitecture)
    network = load_counting(folder, card) if counts else load_quantised(folder, card)
    return make_kernel(network, device)
