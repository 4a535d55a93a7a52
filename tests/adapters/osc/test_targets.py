from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pythonosc.osc_packet import OscPacket
from support import Ear, House, make_band_model

from stream_rnn.adapters.osc import targets
from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.side import OscSide
from stream_rnn.adapters.osc.socket import OscServer
from stream_rnn.adapters.osc.targets import Targets, TargetSink, form_of
from stream_rnn.adapters.osc.voices import EVENT_SECONDS
from stream_rnn.config import Config, OscConfig, OscTarget
from stream_rnn.errors import ConfigError
from stream_rnn.sessions.controls import Controls
from stream_rnn.stage.subscribers import NoteContext
from stream_rnn.wire import events, osc

MIDNIGHT = 1_800_000_000.0  # the time of day when the stage's clock stands at 0
Heard = list[tuple[str, list[Any], float]]


@pytest.fixture(autouse=True)
def clocks_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of day stands still with the stage's clock."""
    monkeypatch.setattr(targets, "wall", lambda due, clock: due + MIDNIGHT)


class Program:
    """A target on the stage, and what it was sent: addresses, arguments, times to be done."""

    def __init__(self, house: House, **target: Any) -> None:
        self.heard: Heard = []
        made = OscTarget(port=9000, **target)
        self.sink = TargetSink(made, form_of(made), self._take, house.clock)
        house.stage.add_sink(self.sink)

    def _take(self, data: bytes) -> None:
        for timed in OscPacket(data).messages:
            at = timed.time - MIDNIGHT
            self.heard.append((timed.message.address, timed.message.params, at))

    def of(self, address: str) -> list[list[Any]]:
        return [arguments for name, arguments, _ in self.heard if name == address]

    def sounding(self, address: str) -> set[int]:
        """What was begun and not ended, by the plain form."""
        keys: set[int] = set()
        for pitch, velocity, _ in self.of(address):
            (keys.add if velocity else keys.discard)(pitch)
        return keys


def test_a_template_speaks_superdirt_at_the_due_time_and_latency(house: House) -> None:
    dirt = Program(
        house, latency=0.2, hold=2.0, note="/dirt/play s superpiano n {note} sustain {seconds}"
    )
    ear = house.join()
    house.say(ear, "open", model="roll", session="main", seed=1, controls={"rate": 10})
    house.run(3.0)
    symbols = {round(m["due"], 3): m["notes"] for m in ear.of("symbol")}
    assert len(dirt.heard) > 10
    for address, arguments, at in dirt.heard:
        assert address == "/dirt/play"
        s, superpiano, n, note, sustain, seconds = arguments
        assert (s, superpiano, n, sustain) == ("s", "superpiano", "n", "sustain")
        assert seconds == pytest.approx(0.2)
        due = min(symbols, key=lambda d: abs(d - (at - 0.2)))
        assert due == pytest.approx(at - 0.2, abs=0.005)
        assert note + 60 in symbols[due]
    begun = {(round(at, 2), a[3]) for _, a, at in dirt.heard}
    assert len(begun) == len(dirt.heard), "each once"


def test_characters_and_symbols_by_template_and_letters_as_notes(house: House) -> None:
    pi = Program(house, char="/letter {char} {n}", symbol="/cue/{session}", note="/n {pitch}")
    ear = house.join()
    house.say(ear, "open", model="verse", session="main", seed=1, prime="abc")
    house.run(1.0)
    text = "".join(ear.stream("main"))
    assert "".join(c for c, _ in pi.of("/letter")) == text
    assert [n for _, n in pi.of("/letter")] == list(range(len(text)))
    assert len(pi.of("/cue/main")) == len(text) - 3, "what was fed does not sound"
    assert 0 < len(pi.of("/n")) <= len(text) - 3
    assert not pi.of("/rnn/main/controlled")


def test_a_plain_target_gets_no_bundles_and_each_message_at_its_moment(house: House) -> None:
    packets: list[tuple[float, bytes]] = []

    async def listen() -> None:
        enough = asyncio.Event()

        def take(data: bytes) -> None:
            packets.append((time.monotonic(), data))
            if len(packets) == 5:
                enough.set()

        target = OscTarget(port=9000, plain=True, latency=0.1, char="/c {char} {n}")
        house.stage.add_sink(TargetSink(target, form_of(target), take, house.clock))
        house.say(house.join(), "open", model="verse", session="s", controls={"rate": 50})
        house.run(0.2)  # the stage's clock is ahead of ours by then
        assert not packets
        await asyncio.wait_for(enough.wait(), 5)

    asyncio.run(listen())
    assert all(data.startswith(b"/c\0") for _, data in packets)
    moments = [moment for moment, _ in packets]
    assert moments == sorted(moments)


def test_at_the_end_a_plain_target_is_sent_what_waits_and_then_the_ends(house: House) -> None:
    """The socket is about to be closed: nothing can be put off."""
    packets: list[tuple[int, int]] = []

    def take(data: bytes) -> None:
        (timed,) = osc.parse_packet(data)
        if timed.address == "/rnn/s/note":
            packets.append((timed.arguments[0], timed.arguments[1]))

    async def play() -> None:
        target = OscTarget(port=9000, plain=True, latency=5.0)
        sink = TargetSink(target, form_of(target), take, house.clock)
        house.stage.add_sink(sink)
        ear = house.join()
        house.say(ear, "open", model="roll", session="s", seed=1)
        house.run(2.0)
        assert not packets, "all of it waits"
        sink.close()
        count = len(packets)
        sounding: set[int] = set()
        for pitch, velocity in packets:
            (sounding.add if velocity else sounding.discard)(pitch)
        assert any(velocity for _, velocity in packets) and not sounding
        house.run(1.0)
        sink.close()
        await asyncio.sleep(0.05)
        assert len(packets) == count, "and that was the end"

    asyncio.run(play())


def test_only_sessions_that_fit_are_sent_and_each_has_its_own_voice(house: House) -> None:
    plain = Program(house, session="band-?")
    ear = house.join()
    for name in ("band-1", "band-2", "other"):
        house.say(ear, "open", model="roll", session=name, seed=1)
    house.run(1.0)
    frames = {name.split("/")[2] for name, _, _ in plain.heard if name.endswith("/frame")}
    assert frames == {"band-1", "band-2"}
    assert plain.of("/rnn/band-1/note") == plain.of("/rnn/band-2/note") != []
    house.say(ear, "close", session="band-1")
    assert not plain.sounding("/rnn/band-1/note")
    assert plain.sounding("/rnn/band-2/note") == set(ear.stream("band-2")[-1])
    house.say(ear, "open", model="roll", session="band-1")
    assert len(plain.of("/rnn/band-1/opened")) == 2


def until_it_sounds(house: House, ear: Ear, plain: Program) -> None:
    house.say(ear, "open", model="roll", session="s", seed=1)
    house.run(1.0)
    for _ in range(100):
        house.run(0.05)
        if plain.sounding("/rnn/s/note"):
            return
    raise AssertionError("it never sounds")


@pytest.mark.parametrize("by", ["pause", "reset", "rewind", "close", "panic"])
def test_plain_notes_end_whatever_ends_them(house: House, by: str) -> None:
    plain, ear = Program(house), house.join()
    until_it_sounds(house, ear, plain)
    before = len(plain.heard)
    if by == "panic":
        house.stage.panic(ear, house.clock.now())
    else:
        more = {"to": 1} if by == "rewind" else {}
        house.say(ear, by, session="s", **more)
    assert not plain.sounding("/rnn/s/note")
    due = max(m["due"] for m in ear.of("symbol"))
    ends = [at for name, _, at in plain.heard[before:] if name == "/rnn/s/note"]
    assert ends and all(due - 0.002 <= at < house.clock.now() + 0.1 for at in ends), (
        "not before what was begun"
    )


@pytest.mark.parametrize("by", ["pause", "reset", "rewind", "close", "panic", "end"])
def test_a_synth_with_words_of_its_own_is_told_of_each_end(house: House, by: str) -> None:
    synth = Program(
        house, latency=0.1, note="/synth/on {pitch} {gain}", off="/synth/{session}/off {pitch}"
    )
    ear = house.join()
    house.say(ear, "open", model="roll", session="s", seed=1)

    def sounding() -> list[int]:
        """The keys that sound after all messages so far; each end must have its beginning."""
        keys: list[int] = []
        for address, (pitch, *_), _ in synth.heard:
            if address == "/synth/on":
                keys.append(pitch)
            else:
                assert address == "/synth/s/off"
                keys.remove(pitch)
        return keys

    house.run(1.0)
    while not sounding():
        house.run(0.05)
    assert len(synth.of("/synth/s/off")) > 5, "keys that change between frames"
    match by:
        case "panic":
            house.stage.panic(ear, house.clock.now())
        case "end":
            synth.sink.close()
        case _:
            house.say(ear, by, session="s", **({"to": 1} if by == "rewind" else {}))
    assert not sounding()
    last = [at for address, _, at in synth.heard if address == "/synth/on"][-1]
    assert synth.heard[-1][2] >= last, "not before what was begun"


def test_steering_is_told_to_plain_targets(house: House) -> None:
    plain, ear = Program(house), house.join()
    house.say(ear, "open", model="verse", session="s", seed=7, play=False)
    house.say(ear, "control", session="s", controls={"temperature": 0.5})
    assert plain.of("/rnn/s/controlled") == [["temperature", 0.5, 0]]
    assert plain.of("/rnn/s/opened") == [["verse", 0, "7", 0]]


def performance(
    sink: TargetSink, *played: dict[str, Any], ends: Callable[[float], float] = lambda due: due
) -> None:
    """Events of a performance, as the stage hands them out."""
    sink.tell(events.Opened("p", "m", {}, seed=1, position=0, playing=True, epoch=0))
    loud: dict[str, Any] = {}
    for n, event in enumerate(played):
        loud = {"velocity": event["velocity"]} if "velocity" in event else loud
        symbol = events.Symbol("p", n, 1000.0, event=event, **(loud if "on" in event else {}))
        sink.symbol(symbol, NoteContext(Controls(), ends(1000.0)))


def test_performance_events_are_notes_and_events(house: House) -> None:
    plain = Program(house)
    dirt = Program(house, note="/dirt {pitch} {velocity} {seconds}", hold=2.0)
    events = ({"velocity": 100}, {"on": 60}, {"shift": 0.25}, {"off": 60})
    for program in (plain, dirt):
        performance(program.sink, *events)
    assert plain.of("/rnn/p/event") == [["velocity", 100], ["on", 60], ["shift", 0.25], ["off", 60]]
    assert plain.of("/rnn/p/note") == [[60, 100, 0.0], [60, 0, 0.0]]
    assert dirt.of("/dirt") == [[60, 100, 2 * EVENT_SECONDS]]


def test_a_long_feed_ends_what_sounds(house: House) -> None:
    plain, ear = Program(house), house.join()
    until_it_sounds(house, ear, plain)
    house.say(ear, "feed", session="s", symbols=[[60]] * 300)
    assert not plain.sounding("/rnn/s/note")


def test_a_template_that_cannot_be_is_told_before_anything_starts(house: House) -> None:
    targets = [OscTarget(port=1, char="/a {pitch}")]
    server = OscServer(house.stage, house.clock, OscOptions())
    with pytest.raises(ConfigError, match="no {pitch} in a char template"):
        Targets(targets, server, house.clock)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_target_that_nobody_listens_at_disturbs_nothing(house: House, run: Any) -> None:
    """One target hears, from our own port; one is refused, by either kind of socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as gone6:  # fmt: skip
        there.bind(("127.0.0.1", 0))
        there.settimeout(5)
        gone.bind(("127.0.0.1", 0))
        gone6.bind(("::1", 0))
        targets = [
            OscTarget(port=gone.getsockname()[1]),
            OscTarget(host="::1", port=gone6.getsockname()[1]),
            OscTarget(host="localhost", port=there.getsockname()[1]),
        ]
        gone.close()
        gone6.close()

        async def play() -> int:
            server = OscServer(house.stage, house.clock, OscOptions())
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
            made = Targets(targets, server, house.clock)
            for sink in await made.open():
                house.stage.add_sink(sink)
            house.say(house.join(), "open", model="verse", session="s")
            for _ in range(50):
                house.run(0.05)
                await asyncio.sleep(0.001)
            port = server.local[1]
            made.close()
            server.stop()
            await asyncio.sleep(0.01)
            return port

        port = run(play())
        heard = [there.recvfrom(4096) for _ in range(30)]
        assert {address for _, address in heard} == {("127.0.0.1", port)}


def test_an_unknown_host_is_named(house: House) -> None:
    nowhere = "x" * 64  # longer than a name may be, so that nobody is asked for it

    async def play() -> None:
        server = OscServer(house.stage, house.clock, OscOptions())
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
        try:
            with pytest.raises(ConfigError, match="xx:1: "):
                await Targets([OscTarget(host=nowhere, port=1)], server, house.clock).open()
        finally:
            server.stop()

    asyncio.run(play())


def test_players_touches_go_out_and_their_notes_end(tmp_path: Path) -> None:
    make_band_model(tmp_path / "band")
    house = House(tmp_path)
    plain = Program(house)
    own = Program(
        house, touch="/t/{player} {x} {down} {pitch}", note="/n/{player} {pitch} {seconds}"
    )
    ear = house.join()
    house.say(ear, "open", model="band", session="s", seed=3)
    for player, gesture in enumerate((6, 1, 3, 7)):
        house.say(ear, "lead", session="s", gesture=gesture, player=player)
    house.say(ear, "lead", session="s", gesture=None, player=1)
    house.run(8.3)
    house.say(ear, "pause", session="s")
    touches = [m["touch"] for m in ear.of("touch")]
    heard = [(p, x, y, down, pitch) for p, x, y, down, pitch in plain.of("/rnn/s/touch")]
    assert [(t["player"], t["down"], t["pitch"]) for t in touches] == [
        (p, down, pitch) for p, _, _, down, pitch in heard
    ]
    assert [t["x"] for t in touches] == pytest.approx([x for _, x, *_ in heard], abs=1e-6)
    due = [at for address, _, at in plain.heard if address == "/rnn/s/touch"]
    assert due == pytest.approx([m["due"] for m in ear.of("touch")], abs=1e-3)
    assert {p for p, *_ in heard} == {0, 1, 2, 3}
    # Players that people lead are shown and not sounded; player 1 is the network's.
    assert len(plain.of("/rnn/s/note")) > 10 and not plain.sounding("/rnn/s/note")
    assert [p for p, *_ in own.of("/t/1")] and not own.of("/n/0") and own.of("/n/1")
    assert len(plain.of("/rnn/s/led")) == 5


def test_a_target_is_told_of_controls_in_its_own_words(house: House) -> None:
    faders = Program(house, control="/{session}/{name} {value}")
    norms = Program(house, control="/n/{name} {norm}")
    ear = house.join()
    house.say(ear, "open", model="verse", session="s", seed=7, play=False)
    assert faders.of("/s/temperature") == [[1.0]] and faders.of("/s/seed") == [[7]]
    assert norms.of("/n/temperature") == [[0.5]] and not norms.of("/n/seed")
    house.say(ear, "control", session="s", controls={"temperature": 0.5, "velocity": 90})
    house.say(ear, "control", session="s", controls={"artist": "Ada"})
    assert faders.of("/s/temperature") == [[1.0], [0.5]]
    assert faders.of("/s/velocity") == [[80], [90]] and faders.of("/s/artist")[-1] == ["Ada=1"]
    assert norms.of("/n/temperature") == [[0.5], [0.25]]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_group_and_a_broadcast_address_are_targets(house: House, run: Any) -> None:
    group, everybody = "239.255.77.7", "127.255.255.255"
    with contextlib.ExitStack() as stack:
        ears = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        ]
        for ear, where in zip(ears, (group, everybody), strict=True):
            ear.bind((where, 0))
            ear.settimeout(5)
        joined = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
        ears[0].setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        ports = [ear.getsockname()[1] for ear in ears]
        targets = (
            OscTarget(host=group, port=ports[0], interface="127.0.0.1"),
            OscTarget(host=everybody, port=ports[1]),
        )

        async def play() -> None:
            side = OscSide(house.stage, house.clock, Config(osc=OscConfig(target=targets)), 0)
            await side.start()
            house.say(house.join(), "open", model="verse", session="s")
            for _ in range(20):
                house.run(0.05)
                await asyncio.sleep(0.001)
            side.end_notes()

        run(play())
        for ear in ears:
            names = {osc.parse_packet(ear.recv(4096))[0].address for _ in range(10)}
            assert "/rnn/s/char" in names


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (OscTarget(host="239.255.77.7", port=1, interface="10.99.99.99"), "239.255.77.7:1: "),
        (OscTarget(host="ff15::77", port=1, interface="none such"), "ff15::77:1: "),
    ],
)
def test_a_network_that_is_not_there_is_told_at_the_start(
    house: House, target: OscTarget, told: str
) -> None:
    async def play() -> None:
        side = OscSide(house.stage, house.clock, Config(osc=OscConfig(target=(target,))), 0)
        try:
            with pytest.raises(ConfigError, match=told):
                await side.start()
        finally:
            side.end_notes()

    asyncio.run(play())


def test_a_value_that_waits_for_its_bar_is_told_when_it_holds(models: Path) -> None:
    house = House(models)
    program = Program(house, control="/{session}/{name} {value}")
    ear = house.join()
    controls = {"rate": 20, "temperature": 1}
    house.say(ear, "open", model="roll", session="s", seed=1, controls=controls)
    house.run(0.2)
    house.say(ear, "control", session="s", controls={"temperature": 1.5}, at="bar")
    assert program.of("/s/temperature")[-1] == [1.0]
    house.run(1.5)
    assert program.of("/s/temperature")[-1] == [1.5]
