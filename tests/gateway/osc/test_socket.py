from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
import uvloop
from pythonosc.osc_packet import OscPacket
from support import House

from stream_rnn.config import OscConfig
from stream_rnn.errors import ConfigError
from stream_rnn.gateway.osc.options import OscOptions
from stream_rnn.gateway.osc.socket import OscServer
from stream_rnn.wire import osc

HERE, THERE = ("127.0.0.1", 5000), ("127.0.0.1", 9000)
Heard = list[tuple[tuple[str, int], str, list[Any]]]


class Wire:
    """Stands where asyncio's transport does, and keeps what is sent."""

    def __init__(self) -> None:
        self.heard: Heard = []

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

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
    say(made, "/rnn/s/open", "verse", 7)
    say(made, "/rnn/subscribe", "s", THERE[1])
    house.run(1.0)
    characters = [a for name, a in sent.to(THERE) if name == "/rnn/s/char"]
    assert [n for _, n in characters] == list(range(len(characters))) and len(characters) > 15
    assert sent.to(HERE) == [("/rnn/s/opened", ["verse", 0, "7", 1])]


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


def test_who_cannot_be_answered_is_nobody_elses_trouble(house: House) -> None:
    made, sent = server(house)
    sendto = sent.sendto

    def refuse_some(data: bytes, address: tuple[str, int]) -> None:
        if address[0] == "fe80::1%eth0":  # as uvloop does
            raise ValueError("a DNS lookup is required")
        sendto(data, address)

    sent.sendto = refuse_some  # type: ignore[method-assign]
    say(made, "/rnn/s/open", "verse")
    for address in (("fe80::1%eth0", 5), THERE):
        made.datagram_received(osc.message_bytes("/rnn/subscribe", "s"), address)
    house.run(0.5)
    assert "/rnn/s/char" in {name for name, _ in sent.to(THERE)}


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


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_bundles_are_done_in_the_order_of_their_times(house: House, run: Any) -> None:
    """A feed and the step after it, in one bundle or in two, however little lies between."""
    made, _ = server(house)
    done: list[str] = []

    async def play() -> None:
        all_done = asyncio.Event()

        def handle(viewer: Any, message: Any, now: float) -> None:
            done.append(message.id)
            if len(done) == 800:
                all_done.set()

        house.stage.handle = handle  # type: ignore[method-assign]
        start = time.time() + 0.05
        for n in range(200):
            messages = [(f"/rnn/s{n}{part}/play", ()) for part in "abcd"]
            at = start + n * 1e-4
            for some in (messages[:2], messages[2:]):  # two packets of the same time
                made.datagram_received(osc.bundle_bytes(at, some), HERE)
        await asyncio.wait_for(all_done.wait(), 10)

    run(play())
    assert done == [f"/rnn/s{n}{part}/play" for n in range(200) for part in "abcd"]


def test_a_bug_of_ours_is_told_and_what_comes_after_is_done(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    made, sent = server(house)
    for name in ("a", "b", "c"):
        say(made, f"/rnn/{name}/open", "verse", 1, "paused")
    handle = house.stage.handle

    def fail(viewer: Any, message: Any, now: float) -> None:
        if message.session == "b":
            raise KeyError("a bug")
        handle(viewer, message, now)

    house.stage.handle = fail  # type: ignore[method-assign]
    sent.heard.clear()
    bundle = [("/rnn/*/temperature", (0.5,)), ("/rnn/b/play", ()), ("/rnn/a/rate", (9.0,))]
    made.datagram_received(osc.bundle_bytes(0.0, bundle), HERE)
    names = [(name, a[0]) for name, a in sent.to(HERE)]
    assert names == [
        ("/rnn/a/controlled", "temperature"), ("/rnn/error", "internal"),
        ("/rnn/c/controlled", "temperature"), ("/rnn/error", "internal"),
        ("/rnn/a/controlled", "rate"),
    ]  # fmt: skip
    assert [a[2] for name, a in sent.to(HERE) if name == "/rnn/error"] == [
        "/rnn/*/temperature", "/rnn/b/play",
    ]  # fmt: skip
    assert house.stage.counters.osc_failed == 2
    assert len(caplog.records) == 1 and caplog.records[0].exc_info, "once, and with where it was"
    house.clock.advance(100.0)
    say(made, "/rnn/b/play")
    assert len(caplog.records) == 2


def test_a_machine_has_its_share_whatever_ports_it_sends_from(house: House) -> None:
    made, sent = server(house, rate=10)
    ping = osc.message_bytes("/rnn/ping")
    for host, share in (("10.0.0.7", 40), ("127.0.0.1", 320)):
        for port in range(1000, 2000):
            made.datagram_received(ping, (host, port))
        assert sum(address[0] == host for address, _, _ in sent.heard) == share
    # A port that floods spends its own share, and not that of its machine's others.
    for _ in range(1000):
        made.datagram_received(ping, ("10.0.0.8", 1))
    made.datagram_received(ping, ("10.0.0.8", 2))
    assert [address for address, _, _ in sent.heard if address[0] == "10.0.0.8"] == [
        *[("10.0.0.8", 1)] * 10, ("10.0.0.8", 2),
    ]  # fmt: skip


def subscribers(sent: Wire, house: House, kind: str = "/rnn/s/char") -> set[tuple[str, int]]:
    """Who is sent symbols."""
    sent.heard.clear()
    house.run(0.3)
    return {address for address, name, _ in sent.heard if name == kind}


def test_who_has_the_most_subscriptions_gives_up_the_longest_silent(house: House) -> None:
    made, sent = server(house, subscriptions=3)
    say(made, "/rnn/s/open", "verse")

    def subscribe(*address: Any) -> None:
        made.datagram_received(osc.message_bytes("/rnn/subscribe", "s"), address)
        house.clock.advance(0.1)

    for address in (("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.2", 2), ("10.0.0.2", 1)):
        subscribe(*address)
    assert subscribers(sent, house) == {("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.2", 2)}
    subscribe("10.0.0.3", 1)
    assert [a for name, a in sent.to(("10.0.0.2", 2)) if name == "/rnn/error"] == [
        ["too_many_subscriptions", "others have subscribed since; of your machine this address was "
                                   "silent longest", ""]
    ]  # fmt: skip
    assert subscribers(sent, house) == {("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1)}
    # Who all have one: the machine that was silent longest.
    subscribe("10.0.0.2", 1)
    subscribe("10.0.0.4", 1)
    assert subscribers(sent, house) == {("10.0.0.2", 1), ("10.0.0.3", 1), ("10.0.0.4", 1)}


def test_who_is_known_to_listen_gives_up_nothing(house: House) -> None:
    made, sent = server(house, subscriptions=2)
    say(made, "/rnn/s/open", "verse")
    for port in (1, 2, 3):
        say(made, "/rnn/subscribe", "s", port)
    assert [a[0] for name, a in sent.to(HERE) if name == "/rnn/error"] == ["too_many_subscriptions"]
    assert subscribers(sent, house) == {("127.0.0.1", 1), ("127.0.0.1", 2)}


def test_who_has_all_subscriptions_is_told_that_there_are_no_more(house: House) -> None:
    made, sent = server(house, subscriptions=2)
    for name in "abc":
        say(made, f"/rnn/{name}/open", "verse", 1, "paused")
    say(made, "/rnn/subscribe", "*")
    assert [a[0] for name, a in sent.to(HERE) if name == "/rnn/error"] == ["too_many_subscriptions"]
    say(made, "/rnn/subscribe", "a")  # once more does no harm
    assert sent.to(HERE)[-1][0] == "/rnn/a/opened"


def test_a_subscription_lasts_as_long_as_its_machine_is_heard(house: House) -> None:
    made, sent = server(house, lease=600.0)
    away = ("10.0.0.1", 9000)
    say(made, "/rnn/s/open", "verse")
    made.datagram_received(osc.message_bytes("/rnn/subscribe", "s"), away)
    for _ in range(4):
        house.clock.advance(400.0)
        made.datagram_received(osc.message_bytes("/rnn/ping"), ("10.0.0.1", 1))
        made.sweep()
        assert subscribers(sent, house) == {away}
    house.clock.advance(601.0)
    made.sweep()
    assert subscribers(sent, house) == set()
    say(made, "/rnn/models")
    assert house.stage.viewers("s") == 0, "so that it may idle"


def test_who_closes_its_port_on_this_machine_is_unsubscribed(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stays,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as goes,
    ):
        for one in (stays, goes):
            one.bind(("127.0.0.1", 0))
            say(made, "/rnn/subscribe", "s", one.getsockname()[1])

        def sweep() -> None:
            for _ in range(10):
                house.clock.advance(5.0)
                made.sweep()

        sweep()
        both = {stays.getsockname(), goes.getsockname()}
        assert subscribers(sent, house) == both, "who only listens stays for ever"
        goes.close()
        sweep()
        assert subscribers(sent, house) == {stays.getsockname()}
        made.stop()


def test_a_subscriber_may_ask_for_what_it_missed(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    say(made, "/rnn/s/step", 700)
    house.run(1.0)
    say(made, "/rnn/subscribe", "s", THERE[1], 690)
    assert sent.to(THERE)[0] == ("/rnn/s/opened", ["verse", 700, "7", 0])
    assert [a[1] for name, a in sent.to(THERE)[1:]] == list(range(691, 700))
    say(made, "/rnn/subscribe", "s", 9001, -1)
    there = sent.to(("127.0.0.1", 9001))
    assert there[0] == ("/rnn/s/gap", [-1, 188])
    assert [a[1] for name, a in there if name == "/rnn/s/char"] == list(range(188, 700))
    say(made, "/rnn/subscribe", "s", 9002, 700)
    assert sent.to(HERE)[-1] == (
        "/rnn/error",
        ["bad_position", "after must be from -1 to 699, not 700", "/rnn/subscribe"],
    )
    assert not sent.to(("127.0.0.1", 9002))


def test_frames_that_were_missed_are_shown_and_not_sounded(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "roll", 1, "paused")
    say(made, "/rnn/s/step", 40)
    house.run(1.0)
    say(made, "/rnn/subscribe", "s", THERE[1], 9)
    heard = sent.to(THERE)[1:]
    assert len(heard) == 30 and {name for name, _ in heard} == {"/rnn/s/frame"}
    assert any(pitches for _, pitches in heard)


def test_the_sessions_and_how_they_stand(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/a/open", "verse", 2**31 - 1, "paused")
    say(made, "/rnn/b/open", "roll", "seed", str(2**53 - 1), "rate", 8, "prime", 60)
    sent.heard.clear()
    say(made, "/rnn/sessions")
    assert sent.to(HERE) == [
        ("/rnn/session", ["a", "verse", 0, "2147483647", 0]),
        ("/rnn/session", ["b", "roll", 1, "9007199254740991", 1]),
    ]
    assert house.stage.sessions["b"].controls.rate == 8.0


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
    assert (options.rate, options.latency, options.lease) == (7, 0.5, 3600.0)
    assert OscOptions.of(OscConfig(lease=0)).lease == float("inf")
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
