"""The command line. Each command imports what it needs when it runs: `--help` is instant."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_rnn import __version__
from stream_rnn.errors import ConfigError, StreamRnnError
from stream_rnn.paths import bundled

if TYPE_CHECKING:
    from stream_rnn.checkpoint import Card
    from stream_rnn.config import Config

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except ConfigError as error:
        return _complain(error, USAGE)
    except StreamRnnError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain of stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk, a folder that may not be written
        return _complain(error, FAILED)
    return DONE


def entry() -> None:
    """What the installed `stream-rnn` runs."""
    sys.exit(main())


def _complain(error: Exception, code: int) -> int:
    print(f"stream-rnn: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stream-rnn",
        description="Keeps recurrent networks in mid-sentence, and performs with them.",
    )
    parser.add_argument("--version", action="version", version=f"stream-rnn {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, text: str, run: Callable[[Any], None]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    sub = command("serve", "Serve sessions to browsers and programs.", _serve)
    sub.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    sub.add_argument("--port", type=_port, default=8765, help="0: any free port (%(default)s)")
    sub.add_argument("--osc-port", type=_port, default=8766, help="0: any free port (%(default)s)")
    sub.add_argument("--no-osc", action="store_const", const=None, dest="osc_port")
    sub.add_argument("--config", type=Path, metavar="FILE",
                     help="sessions, OSC targets, MIDI, tempo: see configs/serve.toml")  # fmt: skip
    sub.add_argument("--midi-out", action="append", default=[], metavar="PORT",
                     help="a port to play on: part of its name, or virtual:NAME")  # fmt: skip
    sub.add_argument("--record", type=Path, metavar="FILE.mid", help="record what is played")
    sub.add_argument("--models", type=Path, default=bundled("models"), metavar="DIR")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    sub.add_argument("--max-sessions", type=_positive, default=256, metavar="N")
    sub.add_argument("--token", help="ask every client for it (or set STREAM_RNN_TOKEN)")
    sub.add_argument("--anyone", action="store_true", help="no token, on an open address")
    sub.add_argument("--origin", action="append", default=[], metavar="URL",
                     help="a page elsewhere that may connect; may be repeated")  # fmt: skip
    sub.add_argument("--never-idle", action="store_true",
                     help="for installations: play on though nobody listens")  # fmt: skip

    sub = command("play", "Play one model for ever, without a screen: an installation.", _play)
    _model_argument(sub)
    sub.add_argument("--midi-out", action="append", default=[], metavar="PORT",
                     help="a port to play on: part of its name, or virtual:NAME")  # fmt: skip
    sub.add_argument("--osc-out", action="append", default=[], metavar="HOST:PORT",
                     help="a program to send symbols to")  # fmt: skip
    sub.add_argument("--record", type=Path, metavar="FILE.mid", help="record what is played")
    sub.add_argument("--prime", default="", help="text to begin with")
    sub.add_argument("--artist", metavar="A[=W],…", help="a name, or a blend")
    sub.add_argument("--temperature", type=float, metavar="T")
    sub.add_argument("--rate", type=float, metavar="R", help="symbols a second")
    sub.add_argument("--bpm", type=float, metavar="B")
    sub.add_argument("--seed", type=int, metavar="N")
    sub.add_argument("--session", default="main", metavar="NAME", help="(%(default)s)")
    sub.add_argument("--config", type=Path, metavar="FILE", help="more: see configs/serve.toml")
    sub.add_argument("--port", type=_port, default=0, help="of the page; 0: any free port")
    sub.add_argument("--osc-port", type=_port, default=0, help="to steer it; 0: any free port")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")

    sub = command("ports", "List the MIDI ports there are.", _ports)
    sub.add_argument("--api", choices=("auto", "alsa", "jack", "core", "windows"), default="auto")
    sub.add_argument("--json", action="store_true")

    sub = command("train", "Train a model by a recipe.", _train)
    sub.add_argument("config", type=Path, metavar="CONFIG.toml")
    _data_argument(sub)
    sub.add_argument("--run", type=Path, metavar="DIR", dest="folder", help="runs/NAME if absent")
    sub.add_argument("--resume", action="store_true", help="go on from an interrupt")
    sub.add_argument("--steps", type=_positive, metavar="N", help="instead of the recipe's")
    sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")

    sub = command("sample", "Make a text or a MIDI file.", _sample)
    _model_argument(sub)
    sub.add_argument("--prime", default="", help="text to go on from, or a MIDI file")
    sub.add_argument("--artist", metavar="A[=W],…", help="a name, or a blend")
    sub.add_argument("--temperature", type=float, metavar="T")
    sub.add_argument("--top-k", type=int, metavar="K")
    sub.add_argument("--top-p", type=float, metavar="P")
    sub.add_argument("--length", type=_positive, default=400, metavar="N", help="(%(default)s)")
    sub.add_argument("--seed", type=int, default=1, metavar="N", help="(%(default)s)")
    sub.add_argument("--out", type=Path, metavar="FILE", help=".txt or .mid; a text is printed")

    sub = command("eval", "Score a model on its corpus.", _eval)
    _model_argument(sub)
    _data_argument(sub)
    sub.add_argument("--split", choices=("valid", "test"), default="test")
    sub.add_argument("--json", action="store_true")

    sub = command("models", "List the models there are.", _models)
    sub.add_argument("--models", type=Path, default=bundled("models"), metavar="DIR")
    sub.add_argument("--json", action="store_true")

    sub = command("bench", "Measure this machine.", _bench)
    sub.add_argument("what", choices=("serve", "osc", "midi", "train"))
    sub.add_argument("--sessions", type=_positive, default=100, metavar="N")
    sub.add_argument("--rate", type=float, default=15.0, metavar="R", help="symbols a second")
    sub.add_argument("--seconds", type=float, default=20.0, metavar="S")
    sub.add_argument("--models", type=Path, default=bundled("models"), metavar="DIR")
    sub.add_argument("--model", metavar="NAME", help="the first there is, if absent")
    sub.add_argument("--json", action="store_true")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    # getaddrinfo would take 99999 for 34463.
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"must be a port, 0 to 65535, not {text!r}")
    return int(text)


def _data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="the folder of corpora (or STREAM_RNN_DATA)"
    )


def _model_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a name under models/, or a folder")


def _data_folder(given: Path | None) -> Path:
    folder = given or (Path(v) if (v := os.environ.get("STREAM_RNN_DATA")) else None)
    if folder is None:
        raise ConfigError("which corpora? give --data DIR, or set STREAM_RNN_DATA")
    if not folder.is_dir():
        raise ConfigError(f"--data {folder}: no such folder")
    return folder


def _model_folder(name: str) -> Path:
    as_path = Path(name)
    if (as_path / "card.json").exists():
        return as_path
    folder = bundled("models") / name
    if as_path.name == name and folder.is_dir():
        return folder
    from stream_rnn.checkpoint import find_models

    known = ", ".join(find_models(bundled("models"))) or "none"
    raise ConfigError(f"no model {name!r}; there are: {known}")


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _serve(options: argparse.Namespace) -> None:
    from stream_rnn.gateway.house import Limits
    from stream_rnn.gateway.server import ServeOptions, serve

    _log()
    limits = Limits(sessions=options.max_sessions)
    if options.never_idle:
        limits = Limits(sessions=options.max_sessions, idle_pause=float("inf"))
    serve(
        ServeOptions(
            host=options.host,
            port=options.port,
            osc_port=options.osc_port,
            models=options.models,
            page=bundled("clients/web"),
            device=options.device,
            token=options.token or os.environ.get("STREAM_RNN_TOKEN"),
            anyone=options.anyone,
            origins=tuple(options.origin),
            limits=limits,
            config=_config(options),
        ),
        announce=lambda address: print(f"stream-rnn: listening on {address}", flush=True),
    )


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells of every connection


def _play(options: argparse.Namespace) -> None:
    from msgspec.structs import replace

    from stream_rnn.config import OscTarget, SessionConfig
    from stream_rnn.gateway.server import ServeOptions, serve

    _log()
    folder = _model_folder(options.model)
    given = {name: getattr(options, name) for name in ("temperature", "rate", "bpm")}
    given["artist"] = _blend(options.artist)
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
            config=config,
        ),
        announce=lambda address: print(f"stream-rnn: playing; watch it at {address}", flush=True),
    )


def _host(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigError(f"--osc-out {text}: give HOST:PORT, such as 127.0.0.1:57120")
    return host or "127.0.0.1", int(port)


def _ports(options: argparse.Namespace) -> None:
    from stream_rnn.midi.ports import pick_api, port_names

    outs, ins = port_names(pick_api(options.api))
    if options.json:
        _print_json({"outs": outs, "ins": ins})
        return
    for title, names in (("to play on (--midi-out):", outs), ("to hear ([[midi.in]]):", ins)):
        print(title, *(f"  {name}" for name in names or ["none"]), sep="\n")


def _config(options: argparse.Namespace) -> Config:
    """The configuration of `--config`, and what the command line adds to it."""
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


def _train(options: argparse.Namespace) -> None:
    data = _data_folder(options.data)
    from stream_rnn.engine.core import pick_device
    from stream_rnn.engine.preview import preview
    from stream_rnn.train.data import load_corpus
    from stream_rnn.train.loop import Trainer
    from stream_rnn.train.recipe import read_recipe

    recipe = read_recipe(options.config)
    run = options.folder or Path("runs") / recipe.model.name
    if not options.resume and (run / "log.csv").exists():
        raise ConfigError(f"{run}: holds a run already; --resume it, or name another --run")
    print(f"reading {data / recipe.data.source}", file=sys.stderr)
    corpus = load_corpus(recipe.data, data)
    for name, size in corpus.sizes().items():
        print(
            f"  {name}: {size['documents']:,} documents, {size['symbols']:,} symbols",
            file=sys.stderr,
        )
    device = pick_device(options.device)
    trainer = Trainer(recipe, corpus, run, sampler=preview, steps=options.steps, device=str(device))
    if options.resume:
        trainer.resume()
    card = trainer.train()
    score = card.scores["test"]
    print(f"{run / 'best'}: {score['nll']:.4f} nats a symbol on the test split "
          f"({score['symbols']:,} symbols)")  # fmt: skip
    print(f"copy that folder to models/{card.name} to serve it")


def _sample(options: argparse.Namespace) -> None:
    from stream_rnn.checkpoint import read_card
    from stream_rnn.codecs.registry import file_writer, read_prime
    from stream_rnn.gateway.controls import default_controls, engine_settings, merge_controls

    folder = _model_folder(options.model)
    card = read_card(folder)
    codec = card.make_codec()
    given = {
        "temperature": options.temperature,
        "top_k": options.top_k,
        "top_p": options.top_p,
        "seed": options.seed,
        "artist": _blend(options.artist),
    }
    changes = {name: value for name, value in given.items() if value is not None}
    try:
        controls = merge_controls(default_controls(card, 0), changes, card)
    except StreamRnnError as error:
        raise ConfigError(str(error)) from None
    write = file_writer(codec, options.out, controls.bpm)
    prime = read_prime(codec, options.prime)
    from tqdm import tqdm

    from stream_rnn.checkpoint import load_network
    from stream_rnn.engine.offline import generate

    with tqdm(total=options.length, unit="symbol", disable=None, leave=False) as bar:
        symbols = generate(
            load_network(folder, card),
            codec,
            engine_settings(controls, card),
            prime=prime,
            length=options.length,
            progress=bar.update,
        )
    write(symbols)


def _blend(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    blend = {}
    for part in text.split(","):
        name, _, weight = part.rpartition("=") if "=" in part else (part, "", "1")
        try:
            blend[name.strip()] = float(weight)
        except ValueError:
            raise ConfigError(f"--artist: the weight {weight!r} is not a number") from None
    return blend


def _eval(options: argparse.Namespace) -> None:
    folder, data = _model_folder(options.model), _data_folder(options.data)
    from tqdm import tqdm

    from stream_rnn.checkpoint import load_network, read_card
    from stream_rnn.train.data import corpus_of_card
    from stream_rnn.train.evaluate import evaluate

    card = read_card(folder)
    network = load_network(folder, card)
    corpus = corpus_of_card(card, data)
    documents = corpus.splits[options.split]
    total = sum(len(d.symbols) for d in documents)
    with tqdm(total=total, unit="symbol", disable=None, leave=False) as bar:
        score = evaluate(network, documents, corpus.codec, progress=bar.update)
    result = {
        "model": card.name,
        "split": options.split,
        "nll": round(score.nll, 4),
        "symbols": score.symbols,
        "measure": card.scores.get("measure", ""),
    }
    if options.json:
        _print_json(result)
    else:
        print(f"{card.name}, {options.split}: {score.nll:.4f} nats a symbol over {score.symbols:,}")


def _models(options: argparse.Namespace) -> None:
    from stream_rnn.checkpoint import find_models, read_card

    cards = [read_card(folder) for folder in find_models(options.models).values()]
    if options.json:
        _print_json([_model_json(card) for card in cards])
        return
    for card in cards:
        score = card.scores.get("test", {}).get("nll")
        shown = f"{score:.3f} nats" if score is not None else "not scored"
        artists = f", {len(card.artists)} artists" if card.artists else ""
        print(f"{card.name:<16} {card.codec['domain']:<10} {shown:<12} {card.title}{artists}")


def _model_json(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title,
        "domain": card.codec["domain"],
        "artists": list(card.artists),
        "defaults": card.defaults,
        "scores": card.scores,
        "architecture": card.architecture,
        "weights": card.weights,
    }


def _bench(options: argparse.Namespace) -> None:
    where = {"models": options.models, "model": options.model}
    load = {name: getattr(options, name) for name in ("sessions", "rate", "seconds")}
    match options.what:
        case "osc":
            from stream_rnn.bench.osc import bench_osc, describe

            result = bench_osc(**where)
        case "midi":
            from stream_rnn.bench.midi import bench_midi, describe

            result = bench_midi(**where, **load)
        case "train":
            from stream_rnn.bench.train import bench_train, describe

            result = bench_train()
        case _:
            from stream_rnn.bench.serve import bench_serve, describe

            result = bench_serve(**where, **load)
    if options.json:
        _print_json(result)
    else:
        print(describe(result))
