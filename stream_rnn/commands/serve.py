"""`serve`, `play` and `ports`: the commands for performing."""

from __future__ import annotations

import argparse
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stream_rnn.commands.arguments import (
    AddCommand,
    blend,
    model_argument,
    model_folder,
    port,
    positive,
    print_json,
    share,
)
from stream_rnn.errors import ConfigError
from stream_rnn.paths import bundled

if TYPE_CHECKING:
    from stream_rnn.config import Config


def add(command: AddCommand) -> None:
    sub = command("serve", "Serve sessions to browsers and programs.", _serve)
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    sub.add_argument("--port", type=port, default=8765, help="0: any free port (%(default)s)")
    sub.add_argument("--osc-port", type=port, default=8766, help="0: any free port (%(default)s)")
    sub.add_argument("--no-osc", action="store_const", const=None, dest="osc_port")
    sub.add_argument("--config", type=Path, metavar="FILE",
                     help="sessions, OSC targets, MIDI, tempo: see configs/serve.toml")  # fmt: skip
    sub.add_argument("--midi-out", action="append", default=[], metavar="PORT",
                     help="a port to play on: part of its name, or virtual:NAME")  # fmt: skip
    sub.add_argument("--record", type=Path, metavar="FILE.mid",
                     help="record what is played; an older file is kept")  # fmt: skip
    _state(sub)
    sub.add_argument("--models", type=Path, default=bundled("models"), metavar="DIR")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    sub.add_argument("--max-sessions", type=positive, default=256, metavar="N")
    sub.add_argument("--max-busy", type=share, default=math.inf, metavar="SHARE",
                     help="of their time that engine and gateway may be foretold to use, such as "
                     "0.75, before nobody more is let in (no limit)")  # fmt: skip
    sub.add_argument("--token", help="every client has to give it (or set STREAM_RNN_TOKEN)")
    sub.add_argument("--anyone", action="store_true", help="no token, on an open address")
    sub.add_argument("--origin", action="append", default=[], metavar="URL",
                     help="a page elsewhere that may connect; may be repeated")  # fmt: skip
    sub.add_argument("--max-connections", type=positive, default=1000, metavar="N",
                     help="of all clients together (%(default)s)")  # fmt: skip
    sub.add_argument("--max-per-address", type=positive, default=128, metavar="N",
                     help="connections of one other machine (%(default)s)")  # fmt: skip
    sub.add_argument("--never-idle", action="store_true",
                     help="for installations: play on when nobody listens")  # fmt: skip
    _spare_argument(sub)

    sub = command("play", "Play one model for ever, without a screen: an installation.", _play)
    model_argument(sub)
    sub.add_argument("--midi-out", action="append", default=[], metavar="PORT",
                     help="a port to play on: part of its name, or virtual:NAME")  # fmt: skip
    sub.add_argument("--osc-out", action="append", default=[], metavar="HOST:PORT",
                     help="a program to send symbols to")  # fmt: skip
    sub.add_argument("--record", type=Path, metavar="FILE.mid",
                     help="record what is played; an older file is kept")  # fmt: skip
    _state(sub)
    sub.add_argument("--prime", default="", help="text to begin with")
    sub.add_argument("--artist", metavar="A[=W],…", help="a name, or a blend")
    sub.add_argument("--temperature", type=float, metavar="T")
    sub.add_argument("--rate", type=float, metavar="R", help="symbols a second")
    sub.add_argument("--bpm", type=float, metavar="B")
    sub.add_argument("--seed", type=int, metavar="N")
    sub.add_argument("--session", default="main", metavar="NAME", help="(%(default)s)")
    sub.add_argument("--config", type=Path, metavar="FILE", help="more: see configs/serve.toml")
    sub.add_argument("--port", type=port, default=0, help="of the page; 0: any free port")
    sub.add_argument("--osc-port", type=port, default=0, help="to control it; 0: any free port")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    _spare_argument(sub)

    sub = command("ports", "List the MIDI ports.", _ports)
    sub.add_argument("--api", choices=("auto", "alsa", "jack", "core", "windows"), default="auto")
    sub.add_argument("--json", action="store_true")


def _spare_argument(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--no-spare", action="store_false", dest="spare",
                     help="no engine that waits in case the first dies (100 MB)")  # fmt: skip


def _serve(options: argparse.Namespace) -> None:
    from msgspec.structs import asdict, replace

    from stream_rnn.serve.options import ServeOptions
    from stream_rnn.serve.server import serve
    from stream_rnn.stage.limits import Limits

    _log()
    config = _config(options)
    limits = Limits(sessions=options.max_sessions, busy=options.max_busy, **asdict(config.limits))
    if options.never_idle:
        limits = replace(limits, idle_pause=float("inf"))
    serve(
        ServeOptions(
            host=options.host,
            port=options.port,
            osc_port=options.osc_port,
            models=options.models,
            page=bundled("clients/web"),
            device=options.device,
            spare=options.spare,
            # An empty token, as from an unset shell variable, means none.
            token=options.token or os.environ.get("STREAM_RNN_TOKEN") or None,
            anyone=options.anyone,
            origins=tuple(options.origin),
            connections=options.max_connections,
            per_address=options.max_per_address,
            limits=limits,
            state=_folder(options, config),
            config=config,
        ),
        announce=lambda addresses: _announce("listening on", addresses),
    )


def _play(options: argparse.Namespace) -> None:
    from msgspec.structs import asdict, replace

    from stream_rnn.checkpoint import read_card
    from stream_rnn.config import OscTarget, SessionConfig
    from stream_rnn.serve.options import ServeOptions
    from stream_rnn.serve.server import serve
    from stream_rnn.stage.limits import Limits

    _log()
    folder = model_folder(options.model)
    given = {name: getattr(options, name) for name in ("temperature", "rate", "bpm")}
    given["artist"] = blend(options.artist, read_card(folder).artists)
    session = SessionConfig(
        name=options.session,
        model=folder.name,
        controls={name: value for name, value in given.items() if value is not None},
        seed=options.seed,
        prime=options.prime,
    )
    config = _config(options)
    targets = [OscTarget(host=host, port=port) for host, port in map(_host, options.osc_out)]
    config = replace(
        config,
        session=(session, *config.session),
        osc=replace(config.osc, target=(*config.osc.target, *targets)),
    )
    serve(
        ServeOptions(
            port=options.port,
            osc_port=options.osc_port,
            models=folder.parent,
            only=frozenset(s.model for s in config.session),
            page=bundled("clients/web"),
            device=options.device,
            spare=options.spare,
            limits=Limits(**asdict(config.limits)),
            state=_folder(options, config),
            config=config,
        ),
        announce=lambda addresses: _announce("playing; watch it at", addresses),
    )


def _state(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--state", type=Path, metavar="DIR",
                     help="keep sessions there: they go on when the server is back")  # fmt: skip


def _folder(options: argparse.Namespace, config: Config) -> Path | None:
    return options.state or (Path(config.state) if config.state else None)


def _announce(what: str, addresses: Sequence[str]) -> None:
    """Prints the server's addresses, one on each line."""
    first, *others = addresses
    lines = [f"stream-rnn: {what} {first}", *(f"stream-rnn: also at {at}" for at in others)]
    print(*lines, sep="\n", flush=True)


def _ports(options: argparse.Namespace) -> None:
    from stream_rnn.midi.ports import pick_api, port_names

    outs, ins = port_names(pick_api(options.api))
    if options.json:
        print_json({"outs": outs, "ins": ins})
        return
    for title, names in (("to play on (--midi-out):", outs), ("to hear ([[midi.in]]):", ins)):
        print(title, *(f"  {name}" for name in names or ["none"]), sep="\n")


def _config(options: argparse.Namespace) -> Config:
    """The configuration of `--config`, with the ports and recordings of the command line."""
    from msgspec.structs import replace

    from stream_rnn.config import Config, MidiOut, Record, read_config

    config = read_config(options.config) if options.config else Config()
    outs = [
        MidiOut(port=name.removeprefix("virtual:"), virtual=name.startswith("virtual:"))
        for name in options.midi_out
    ]
    records = [Record(file=str(options.record))] if options.record else []
    return replace(
        config,
        midi=replace(config.midi, out_=(*config.midi.out_, *outs)),
        record=(*config.record, *records),
    )


def _host(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigError(f"--osc-out {text}: give HOST:PORT, such as 127.0.0.1:57120")
    return host or "127.0.0.1", int(port)


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # Lower levels report every connection; adapters/http/ itself logs what it refuses.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
