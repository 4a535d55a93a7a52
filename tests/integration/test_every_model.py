"""Every model that is shipped, streamed to a browser, OSC, a MIDI port and a file at once."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from peers.programs import Program, free_port, jack_server, needs, program, until
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket
from support import shown
from talker import Talker

from stream_rnn.bench.serve import running_server
from stream_rnn.checkpoint import find_models, read_card
from stream_rnn.codecs.base import ints_from_bytes
from stream_rnn.engine.library import load_kernel
from stream_rnn.engine.messages import Batch, Plan, Settings
from stream_rnn.engine.slots import Slots
from stream_rnn.sessions.controls import default_controls, engine_settings, merge_controls
from stream_rnn.sound.voice import Voice

ROOT = Path(__file__).parents[2]
MODELS = find_models(ROOT / "models")

SOUNDING = ("pianoroll", "performance", "abc", "tablature", "ensemble")
SOUNDING_MODELS = [n for n in MODELS if read_card(MODELS[n]).codec["domain"] in SOUNDING]
JACK = bool(shutil.which("jackd") and shutil.which("setpriv"))
SEED, RATE = 7, 60
HOT = {
    "temperature": 100,
    "top_k": 0,
    "top_p": 1,
}  # nearly any symbol, so no habit hides a cold one
COLD = 20  # symbols


class Ear:
    """Hears what comes to a UDP port all the time, since a band says more than a socket holds."""

    def __init__(self, plug: socket.socket) -> None:
        self._plug = plug
        self.heard: list[str] = []  # addresses
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._plug.recv(1 << 16):
                self.heard += [m.message.address for m in OscPacket(data).messages]

    def until(self, address: str) -> None:
        """Waits until something has come to an address."""
        until(lambda: address in set(self.heard), why=lambda: f"{address} did not come")


@dataclass
class Show:
    """One model's stream: what was changed where, and what came of it.

    Attributes:
        log: changes of controls, by the position that was told.
        obeyed: the position that OSC was told for a temperature of 0.
        heard: what the WebSocket client heard.
        addresses: at which OSC addresses something came, of this session's.
        before: how many notes had begun at the MIDI port when it began.
    """

    log: list[tuple[int, dict[str, Any]]]
    obeyed: int = -1
    heard: list[dict[str, Any]] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    before: int = 0

    @property
    def symbols(self) -> list[dict[str, Any]]:
        return [m for m in self.heard if m["type"] == "symbol"]

    @property
    def begun(self) -> list[tuple[int, int]]:
        """Pitch and velocity of the notes that begin in what the WebSocket client heard."""
        (opened,) = (m for m in self.heard if m["type"] == "opened")
        at = {name: opened["controls"][name] for name in ("velocity", "transpose")}
        voice = Voice()
        played = (
            voice.play(shown(m), **at) for m in self.heard if m["type"] in ("symbol", "touch")
        )
        return [(note.pitch, note.velocity) for notes in played for note in notes if note.velocity]


class House:
    """One server for all models: each of them gives one show, the first time it is asked."""

    def __init__(
        self,
        address: str,
        osc: int,
        ear: Ear,
        wire: Program | None,
        files: Path,
        close: Callable[[], None],
    ) -> None:
        self._address, self._osc, self._ear, self._wire = address, osc, ear, wire
        self._files, self.close = files, close
        self._shows: dict[str, Show] = {}

    def show(self, name: str) -> Show:
        if name not in self._shows:
            self._shows[name] = self._play(name)
        return self._shows[name]

    def _play(self, name: str) -> Show:
        controls: dict[str, Any] = {"rate": RATE}
        show = Show([(0, controls)], before=len(self.on_the_wire()))
        artists = read_card(MODELS[name]).artists
        with Talker(self._address) as talker:
            opened = talker.ask(
                "open", "opened", model=name, session=name, controls=controls, seed=SEED
            )
            assert opened["type"] == "opened", opened
            changes: list[dict[str, Any]] = [{"temperature": 0.3}]
            if len(artists) > 1:
                changes.append({"artist": {artists[0]: 0.25, artists[1]: 0.75}})
            for change in (*changes, HOT):
                talker.symbols(20, timeout=60)
                told = talker.ask("control", "controlled", session=name, controls=change)
                assert change.items() <= told["controls"].items(), told
                show.log.append((told["position"], change))
            while talker.symbols(1)[0]["n"] < show.log[-1][0] + 5:
                pass
            show.obeyed = self._turn_cold(name)
            show.log.append((show.obeyed, {"temperature": 0}))
            while talker.symbols(1)[0]["n"] < show.obeyed + COLD - 1:
                pass
            talker.ask("close", "closed", session=name)
            show.heard = talker.heard
        self._ear.until(f"/rnn/{name}/closed")
        if self._wire is not None:  # or the next show would be taken for the rest of this one
            with contextlib.suppress(AssertionError):
                until(lambda: len(self.on_the_wire()) >= show.before + len(show.begun), 5)
        show.addresses = {a for a in set(self._ear.heard) if a.startswith(f"/rnn/{name}/")}
        return show

    def _turn_cold(self, name: str) -> int:
        """Sends a temperature of 0 over OSC, from a port that hears nothing but the answer."""
        message = OscMessageBuilder(f"/rnn/{name}/temperature")
        message.add_arg(0.0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote:
            remote.settimeout(10)
            remote.sendto(message.build().dgram, ("127.0.0.1", self._osc))
            (answer,) = (m.message for m in OscPacket(remote.recv(1 << 16)).messages)
        assert answer.address == f"/rnn/{name}/controlled"
        control, value, position = answer.params
        assert (control, value) == ("temperature", 0.0)
        return int(position)

    def recorded(self, name: str) -> list[tuple[int, int]]:
        """Pitch and velocity of the notes in a session's file."""
        messages = mido.MidiFile(self._files / f"{name}.mid")
        return [(m.note, m.velocity) for m in messages if m.type == "note_on" and m.velocity]

    def on_the_wire(self) -> list[tuple[int, int]]:
        """Pitch and velocity of all notes that began at the MIDI port so far."""
        found = [] if self._wire is None else self._wire.find(r"^\S+ 9.(..)(..)$")
        return [(int(m[1], 16), int(m[2], 16)) for m in found]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server of all models that plays to a plain OSC target, a MIDI port, and files."""
    folder = tmp_path_factory.mktemp("stage")
    with contextlib.ExitStack() as stack:
        plug = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        plug.bind(("127.0.0.1", 0))
        wire = None
        if JACK:
            # Long periods: jackd drops what a client hears that is late for one.
            env, _ = stack.enter_context(jack_server(folder, period=1024))
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for name in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"):
                patch.setenv(name, env[name])
            command = [sys.executable, "-m", "stream_rnn.bench.jack_listener", "ear"]
            wire = stack.enter_context(program(command, folder / "ear.log", env=env))
            wire.wait("^listening$")
        config = folder / "serve.toml"
        config.write_text(
            f"[[osc.target]]\nport = {plug.getsockname()[1]}\n"
            "[midi]\napi = 'jack'\n[[midi.out]]\nport = 'ear:in'\n"
            + "".join(
                f"[[record]]\nsession = '{name}'\nfile = '{folder / name}.mid'\n" for name in MODELS
            )
        )
        osc = free_port()
        server = contextlib.ExitStack()
        stack.callback(server.close)
        options = ("--config", str(config), "--osc-port", str(osc))
        _, address = server.enter_context(running_server(ROOT / "models", *options))
        if wire is not None:
            _until_connected(wire, address)
        yield House(address, osc, Ear(plug), wire, folder, server.close)
        with contextlib.suppress(OSError):  # it is not connected, but this ends the listening
            plug.shutdown(socket.SHUT_RDWR)


def _until_connected(wire: Program, address: str) -> None:
    """Plays until something is heard, since a port is looked for a few times a second."""
    name = SOUNDING_MODELS[0]
    with Talker(address) as talker:
        talker.ask("open", "opened", model=name, session="sound-check", controls={"rate": RATE})
        wire.wait(r"^\S+ 9")
        talker.ask("close", "closed", session="sound-check")
    time.sleep(0.5)  # for what was under way


@pytest.mark.parametrize("name", MODELS)
def test_it_streams_to_a_browser_and_over_osc(stage: House, name: str) -> None:
    show = stage.show(name)
    assert [m["n"] for m in show.symbols] == list(range(len(show.symbols)))
    assert all({"text", "notes", "event"} & symbol.keys() for symbol in show.symbols)
    kinds = {address.removeprefix(f"/rnn/{name}/") for address in show.addresses}
    domain = read_card(MODELS[name]).make_codec().domain
    letters = dict.fromkeys(("text", "abc", "tablature", "playlist"), "char")
    shown = {"pianoroll": "frame", "ensemble": "gesture", **letters}
    assert shown.get(domain, "event") in kinds
    if domain == "ensemble":
        assert "touch" in kinds
    assert ("note" in kinds) == (domain in SOUNDING)


def replayed(name: str, log: list[tuple[int, dict[str, Any]]], length: int) -> list[dict[str, Any]]:
    """What a stream is by its control log alone, without any server, as the fields of symbols."""
    card = read_card(MODELS[name])
    codec, controls = card.make_codec(), default_controls(card, SEED)
    schedule: list[tuple[int, Settings]] = []
    for position, changes in log:
        controls = merge_controls(controls, changes, card)
        schedule.append((position, engine_settings(controls, card)))
    slots = Slots(load_kernel(MODELS[name], card), codec, count=1, rollback=2, batch=1)
    slot = slots.open(0)
    slots.plan(slot, Plan(0, 1, 0, tuple(schedule), b""))
    slots.give(slot, length, 0, 0.0, 0.0)
    batches = (event for _ in range(length) for event in slots.advance(np.array([slot])))
    made = (ints_from_bytes(t.symbols, codec.width) for t in batches if isinstance(t, Batch))
    return [codec.event(symbol) for symbols in made for symbol in symbols]


@pytest.mark.parametrize("name", MODELS)
def test_it_obeys_from_the_very_position_that_the_answers_name(stage: House, name: str) -> None:
    """Temperature over WebSocket and over OSC, and a blend where there are artists."""
    show = stage.show(name)
    streamed = show.symbols[: show.obeyed + COLD]
    expected = replayed(name, show.log, len(streamed))
    for symbol, fields in zip(streamed, expected, strict=True):
        assert fields.items() <= symbol.items(), f"symbol {symbol['n']} after {show.log}"
    hot = replayed(name, show.log[:-1], len(streamed))
    assert hot[: show.obeyed] == expected[: show.obeyed]
    assert hot[show.obeyed :] != expected[show.obeyed :], "the temperature made no difference"


@pytest.mark.peer
@needs("jackd", "setpriv")
@pytest.mark.parametrize("name", MODELS)
def test_its_notes_reach_a_midi_port(stage: House, name: str) -> None:
    """Letters too, which over MIDI are notes unless a route says otherwise."""
    show = stage.show(name)
    domain = read_card(MODELS[name]).make_codec().domain
    assert bool(show.begun) == (domain in (*SOUNDING, "text"))
    there = stage.on_the_wire()[show.before : show.before + len(show.begun)]
    assert sorted(there) == sorted(show.begun)


def test_all_notes_of_all_models_were_recorded(stage: House) -> None:
    """Last, since a recording is whole when the server has ended."""
    shows = {name: stage.show(name) for name in SOUNDING_MODELS}
    stage.close()
    for name, show in shows.items():
        assert show.begun and stage.recorded(name) == show.begun, name
