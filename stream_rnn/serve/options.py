"""The options of `stream-rnn serve`, checked before anything is started."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from stream_rnn.checkpoint import find_models, read_models
from stream_rnn.config import Config
from stream_rnn.errors import CheckpointError, ConfigError
from stream_rnn.sessions.flow import Timing
from stream_rnn.stage.limits import Limits, Model
from stream_rnn.wire.access import is_loopback

log = logging.getLogger("stream_rnn")


@dataclass(frozen=True)
class ServeOptions:
    """The options of `stream-rnn serve`."""

    host: str = "127.0.0.1"
    port: int = 8765
    osc_port: int | None = 8766
    models: Path = Path("models")
    only: frozenset[str] = frozenset()  # names of models; empty for all
    page: Path = Path("clients/web")
    device: str = "auto"
    spare: bool = True  # whether another engine waits, in case the first dies
    token: str | None = None
    anyone: bool = False
    origins: tuple[str, ...] = ()
    connections: int = 1000
    per_address: int = 128  # connections from one address of another machine
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    state: Path | None = None  # the folder that keeps sessions; none for no store
    config: Config = field(default_factory=Config)

    def check_access(self) -> None:
        """Refuses to be open to everybody unless the options say so.

        Raises:
            ConfigError: others can reach the host, and nothing keeps them out.
        """
        if not is_loopback(self.host) and self.token is None and not self.anyone:
            raise ConfigError(
                f"--host {self.host} can be reached from elsewhere: give a --token, or say "
                "--anyone if everybody on that network may play"
            )


@dataclass(frozen=True)
class Served:
    """The models that can be used: what the gateway knows of each, and where each lies."""

    models: dict[str, Model]
    folders: dict[str, Path]

    def engine_options(self, options: ServeOptions, rollback: int) -> dict[str, object]:
        """`EngineOptions` for these models, as JSON values."""
        return {
            "models": {name: str(folder) for name, folder in self.folders.items()},
            "fingerprints": {n: model.card.fingerprint for n, model in self.models.items()},
            "device": options.device,
            "sessions": options.limits.sessions,
            "rollback": rollback,
        }


def usable_models(options: ServeOptions) -> Served:
    """The models of the folder that can be used; logs what is wrong with the others.

    Raises:
        ConfigError: there is none.
    """
    found = find_models(options.models)
    folders = {n: f for n, f in found.items() if not options.only or n in options.only}
    cards, faults = read_models(folders)
    for name, card in cards.items():
        if card.name != name:
            faults.append(CheckpointError(f"{folders[name]}: its card says it is {card.name!r}"))
    models = {name: Model.of(card) for name, card in cards.items() if card.name == name}
    for fault in faults:
        log.error("left out: %s", fault)  # the other models are served all the same
    if not models:
        without = "no models in it that can be used" if faults else "no models in it"
        raise ConfigError(f"{options.models.resolve()}: {without}; name a folder with --models")
    return Served(models, {name: folders[name] for name in models})
