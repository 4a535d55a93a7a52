from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from pythonosc.osc_packet import OscPacket
from support import House

from stream_rnn.config import OscConfig
from stream_rnn.errors import ConfigError
from stream_rnn.gateway.osc.socket import OscOptions, OscServer
from stream_rnn.wire import osc

HERE, THERE = ("127.0.0.1", 5000), ("127.0.0.1", 9000)
Heard = list[tuple[tuple[str, int], str, list[Any]]]


class Wire:
    """Stands where asyncio's transport does, and keeps what is sent."""

    def __init__(self) -> None:
        self.heard: Heard = []

    def is_closing(self) -> bool:
        return False

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        for timed in OscPacket(data).messages:
            self.heard.append((address, timed.message.address, timed.message.params))

    def to(self, address: tuple[str, int]) -> list[tuple[str, list[Any]]]:
        return [(name, arguments) for where, name, arguments in self.heard if where == address]


def server(house: House, **options: Any) -> tuple[OscServer, Wire]:
    made, sent = OscServer(house.stage, house.clock, OscOptions(**options)), Wire()
    made.connection_made(sent)
    return made, sent


def say(to: OscServer, address: str, *arguments: Any) -> None:
    to.datagram_received(osc.message_bytes(address, *arguments), HERE)


def test_symbols_go_to_subscribers_and_answers_to_the_sender(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse")
    say(made, "/rnn/subscribe", "s", THERE[1])
    house.run(1.0)
    characters = [a for name, a in sent.to(THERE) if name == "/rnn/s/char"]
    assert [n for _, n in characters] == list(range(len(characters))) and len(characters) > 15
    assert sent.to(HERE) == [("/rnn/s/opened", ["verse", 0])]


def test_answers_go_to_the_port_that_the_sender_names(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/reply", THERE[1])
    say(made, "/rnn/s/open", "no such model")
    assert [name for name, _ in sent.to(THERE)] == ["/rnn/error"] and not sent.to(HERE)
    say(made, "/rnn/reply", 0)
    say(made, "/rnn/reply", "nine thousand")
    assert [name for name, _ in sent.to(HERE)] == ["/rnn/error"]


def test_notes_end_and_a_closed_session_gives_its_subscription_back(house: House) -> None:
    made, sent = server(house, subscriptions=1)
    for turn in range(3):
        name = f"s{turn}"
        say(made, f"/rnn/{name}/open", "roll")
        say(made, "/rnn/subscribe", name, THERE[1])
        house.run(1.0)
        say(made, f"/rnn/{name}/close")
        sounding: set[int] = set()
        notes = [a for address, a in sent.to(THERE) if address == f"/rnn/{name}/note"]
        for pitch, velocity, _ in notes:
            (sounding.add if velocity else sounding.discard)(pitch)
        assert notes and not sounding
    assert not any(name == "/rnn/error" for _, name, _ in sent.heard)


def test_a_flood_is_counted_and_not_answered(house: House) -> None:
    made, sent = server(house, rate=10)
    for _ in range(50):
        say(made, "/rnn/nobody/play")
    assert len(sent.heard) == 10 and house.stage.counters.osc_refused == 40
    house.clock.advance(1.0)
    say(made, "/rnn/nobody/play")
    assert len(sent.heard) == 11


def test_bundles_are_done_at_their_time_or_refused(house: House) -> None:
    made, sent = server(house, ahead=5.0)

    async def later() -> None:
        now = time.time()
        for ahead, name in ((0.05, "soon"), (60.0, "never"), (-9.0, "late")):
            data = osc.bundle_bytes(now + ahead, [(f"/rnn/{name}/open", ("verse",))])
            made.datagram_received(data, HERE)
        assert "soon" not in house.stage.sessions
        await asyncio.sleep(0.1)

    asyncio.run(later())
    assert set(house.stage.sessions) == {"soon", "late"}
    assert house.stage.counters.osc_late == 1
    (error,) = [a for name, a in sent.to(HERE) if name == "/rnn/error"]
    assert error[0] == "bad_timetag" and error[1] == "a timetag may be 5 s ahead, not 60.0"


@pytest.mark.parametrize("silence", [70.0, 10.0])
def test_who_is_silent_for_long_is_forgotten(house: House, silence: float) -> None:
    made, _ = server(house)
    say(made, "/rnn/s/open", "verse")
    house.clock.advance(silence)
    made.datagram_received(osc.message_bytes("/rnn/models"), THERE)
    assert (house.stage.viewers("s") == 0) == (silence > 60)


def test_a_pattern_subscribes_to_all_that_it_matches(house: House) -> None:
    made, sent = server(house)
    for name in ("a1", "a2", "b"):
        say(made, f"/rnn/{name}/open", "verse", 1, "paused")
    say(made, "/rnn/subscribe", "a*", THERE[1])
    say(made, "/rnn/*/step", 2)
    house.run(0.5)
    assert [a for a, _ in sent.to(THERE) if a.endswith("char")].count("/rnn/a2/char") == 2
    assert not [a for a, _ in sent.to(THERE) if a == "/rnn/b/char"]
    say(made, "/rnn/unsubscribe", "*", THERE[1])
    say(made, "/rnn/a1/step", 2)
    house.run(0.5)
    assert [a for a, _ in sent.to(THERE)].count("/rnn/a1/char") == 2


def test_only_who_is_allowed_is_heard_and_nobody_else_is_answered(house: House) -> None:
    config = OscConfig(host="0.0.0.0", allow=("192.168.1.0/24", "10.0.0.7"), rate=7, latency=0.5)
    options = OscOptions.of(config)
    assert (options.rate, options.latency) == (7, 0.5)
    made = OscServer(house.stage, house.clock, options)
    sent = Wire()
    made.connection_made(sent)
    heard = {"192.168.1.9", "10.0.0.7", "127.0.0.1", "::ffff:192.168.1.9"}
    for host in (*heard, "192.168.2.9", "10.0.0.8", "::ffff:10.0.0.8", "fe80::1%eth0"):
        made.datagram_received(osc.message_bytes("/rnn/ping", 3), (host, 5000))
    assert {host for (host, _), _, _ in sent.heard} == heard
    assert house.stage.counters.osc_refused == 4


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (OscConfig(host="0.0.0.0"), "say whose packets are taken"),
        (OscConfig(host="192.168.1.5"), "allow = "),
        (OscConfig(allow=("the studio",)), "'the studio' is neither an address nor a network"),
    ],
)
def test_an_open_address_needs_an_allow_list(config: OscConfig, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        OscOptions.of(config)


def test_the_latency_of_subscribers_is_in_their_timetags(house: House) -> None:
    made, sent = server(house, latency=5.0)
    stamps = []
    sent.sendto = lambda data, address: stamps.append(osc.parse_packet(data)[0].time)  # type: ignore[method-assign]
    say(made, "/rnn/s/open", "verse")
    say(made, "/rnn/subscribe", "s")
    stamps.clear()
    house.run(0.1)
    assert stamps and all(abs(t - time.time() - 5.0) < 0.5 for t in stamps if t is not None)
