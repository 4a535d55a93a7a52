from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop
from pythonosc.osc_packet import OscPacket
from support import House

from stream_rnn.adapters.osc.options import OscOptions
from stream_rnn.adapters.osc.socket import OscServer
from stream_rnn.config import OscConfig
from stream_rnn.control_table import TABLE
from stream_rnn.errors import ConfigError
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
    """The addresses that are sent symbols."""
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
        ["too_many_subscriptions", "a new subscriber took your place: of your machine, this port "
                                   "was silent longest", ""]
    ]  # fmt: skip
    assert subscribers(sent, house) == {("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.3", 1)}
    # If each machine has one, the machine that was silent longest gives way.
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


@contextlib.contextmanager
def taken(count: int) -> Iterator[list[tuple[str, int]]]:
    """Ports of this machine that a program has open."""
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            for _ in range(count)
        ]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname() for one in sockets]


def test_a_subscriber_may_ask_for_what_it_missed(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    say(made, "/rnn/s/step", 700)
    house.run(1.0)
    with taken(3) as (some, many, none):
        say(made, "/rnn/subscribe", "s", some[1], 690)
        assert sent.to(some)[0] == ("/rnn/s/opened", ["verse", 700, "7", 0])
        assert [a[1] for name, a in sent.to(some)[1:]] == list(range(691, 700))

        async def ask() -> None:
            say(made, "/rnn/subscribe", "s", many[1], -1)
            assert len([a for a, _ in sent.to(many) if a == "/rnn/s/char"]) <= 32, "at a pace"
            await asyncio.wait_for(shown(made, house), 10)

        asyncio.run(ask())
        there = sent.to(many)
        assert there[0] == ("/rnn/s/gap", [-1, 188])
        assert [a[1] for name, a in there if name == "/rnn/s/char"] == list(range(188, 700))
        say(made, "/rnn/subscribe", "s", none[1], 700)
        assert sent.to(HERE)[-1] == (
            "/rnn/error",
            ["bad_position", "after must be from -1 to 699, not 700", "/rnn/subscribe"],
        )
        assert not sent.to(none)


async def shown(made: OscServer, house: House) -> None:
    """Waits until all of the past has been shown."""
    while len(made.past):
        house.clock.advance(0.01)
        await asyncio.sleep(0.001)


def test_who_subscribes_again_is_shown_the_past_anew_and_once(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    say(made, "/rnn/s/step", 700)
    house.run(1.0)

    async def ask(port: int) -> None:
        for _ in range(20):
            say(made, "/rnn/subscribe", "s", port, 199)
        await asyncio.wait_for(shown(made, house), 10)

    with taken(1) as (there,):
        asyncio.run(ask(there[1]))
        numbers = [a[1] for name, a in sent.to(there) if name == "/rnn/s/char"]
    assert numbers == list(range(200, 700))


def test_the_past_is_not_shown_where_nobody_listens_or_once_it_is_another(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    say(made, "/rnn/s/step", 300)
    house.run(1.0)
    with taken(1) as (gone,):
        pass
    say(made, "/rnn/subscribe", "s", gone[1], -1)
    assert [a[0] for name, a in sent.to(HERE) if name == "/rnn/error"] == ["nobody_listens"]
    assert [name for name, _ in sent.to(gone)] == ["/rnn/s/opened"], "what comes it hears"

    async def rewind(port: int) -> None:
        say(made, "/rnn/subscribe", "s", port, -1)
        say(made, "/rnn/s/rewind", 100)
        assert not len(made.past)

    with taken(1) as (there,):
        asyncio.run(rewind(there[1]))
        assert not [a for name, a in sent.to(there) if name == "/rnn/s/char"]


def test_frames_that_were_missed_are_shown_and_not_sounded(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "roll", 1, "paused")
    say(made, "/rnn/s/step", 40)
    house.run(1.0)
    with taken(1) as (there,):
        say(made, "/rnn/subscribe", "s", there[1], 9)
        heard = sent.to(there)[1:]
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
        (OscConfig(host="0.0.0.0"), "say whose packets are accepted"),
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


# Limits on work


def test_a_message_costs_what_it_brings_and_too_much_is_told_once(house: House) -> None:
    made, sent = server(house, rate=100)
    for n in range(20):
        say(made, f"/rnn/s{n}/open", "verse", 1, "paused")
    house.clock.advance(1.0)
    sent.heard.clear()
    made.datagram_received(osc.bundle_bytes(0.0, [("/rnn/sessions", ())] * 250), HERE)
    listed = [name for name, _ in sent.to(HERE) if name == "/rnn/session"]
    assert 200 <= len(listed) <= 420, "200 messages' worth of work, of which a list is eleven"
    (error,) = [a for name, a in sent.to(HERE) if name == "/rnn/error"]
    assert error[0] == "too_much" and "231 messages were dropped" in error[1]
    assert house.stage.counters.osc_refused == 231
    for _ in range(50):
        say(made, "/rnn/sessions")
    assert [a for name, a in sent.to(HERE) if name == "/rnn/error"] == [error]
    house.clock.advance(1.0)
    say(made, "/rnn/ping", 1)
    assert sent.to(HERE)[-1] == ("/rnn/pong", [1]), "and once it has rested it is heard"


def test_who_asks_for_the_past_pays_for_it(house: House) -> None:
    made, sent = server(house, rate=25)
    say(made, "/rnn/s/open", "verse", 1, "paused")
    say(made, "/rnn/s/step", 800)
    house.run(1.0)

    async def ask(port: int) -> None:
        bundle = osc.bundle_bytes(0.0, [("/rnn/subscribe", ("s", port, -1))] * 250)
        made.datagram_received(bundle, HERE)

    with taken(1) as (there,):
        asyncio.run(ask(there[1]))
    gaps = [name for name, _ in sent.to(there) if name == "/rnn/s/gap"]
    assert len(gaps) == 2, "512 symbols are 32 messages' worth, and there are 50"
    assert [a[0] for name, a in sent.to(HERE) if name == "/rnn/error"] == ["too_much"]


def test_a_machine_has_its_share_of_work_whatever_ports_it_sends_from(house: House) -> None:
    made, sent = server(house, rate=10)
    mistakes = osc.bundle_bytes(0.0, [("/rnn/x", ())] * 100)
    for port in range(1000, 1100):
        made.datagram_received(mistakes, ("10.0.0.7", port))
    answers = [a for _, name, a in sent.heard if name == "/rnn/error" and a[0] != "too_much"]
    assert len(answers) == 40, "two each, and four senders' worth of 20"


# Unknown addresses

EVICTED, NAMED = ("10.0.0.7", 5000), ("10.0.0.7", 7000)


def away(made: OscServer, address: str, *arguments: Any, port: int = EVICTED[1]) -> None:
    made.datagram_received(osc.message_bytes(address, *arguments), (EVICTED[0], port))


@pytest.mark.parametrize("by", ["a packet from there", "the number"])
def test_a_port_of_another_machine_is_sent_little_until_it_was_heard(house: House, by: str) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    say(made, "/rnn/s/step", 20)
    house.run(1.0)
    away(made, "/rnn/subscribe", "s", NAMED[1], -1)
    say(made, "/rnn/s/step", 5)
    house.run(1.0)
    first = sent.to(NAMED)
    assert [name for name, _ in first] == ["/rnn/s/opened", "/rnn/ping"]
    if by == "the number":
        (number,) = first[1][1]
        away(made, "/rnn/pong", number + 1)
        assert sent.to(NAMED) == first
        away(made, "/rnn/pong", number)
    else:
        away(made, "/rnn/ping", port=NAMED[1])
    say(made, "/rnn/s/step", 50)
    house.run(2.0)
    made.sweep()
    numbers = [a[1] for name, a in sent.to(NAMED) if name == "/rnn/s/char"]
    assert numbers == list(range(75))
    assert not [name for name, _ in sent.to(EVICTED) if name == "/rnn/error"]


def test_little_stays_little_whatever_is_asked(house: House) -> None:
    made, sent = server(house)
    for n in range(40):
        say(made, f"/rnn/s{n}/open", "verse", 1, "paused")
    sizes: dict[tuple[str, int], int] = {}

    def sendto(data: bytes, address: tuple[str, int]) -> None:
        sizes[address] = sizes.get(address, 0) + len(data)

    sent.sendto = sendto  # type: ignore[method-assign]
    for port in range(7000, 7040):
        away(made, "/rnn/subscribe", "*", port, -1)
        away(made, "/rnn/reply", port)
        for _ in range(5):
            away(made, "/rnn/sessions")
            away(made, "/rnn/models")
    house.run(1.0)
    strangers = [size for address, size in sizes.items() if address != EVICTED]
    assert 0 < sum(strangers) <= 600, "all of them together"


def test_who_is_never_heard_is_not_subscribed_for_long(house: House) -> None:
    made, _ = server(house)
    say(made, "/rnn/s/open", "verse")
    away(made, "/rnn/subscribe", "s", NAMED[1])
    assert house.stage.viewers("s") == 2
    house.clock.advance(31.0)
    made.sweep()
    assert house.stage.viewers("s") == 1


# Patterns of sessions to come


def test_a_pattern_holds_for_sessions_to_come(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/subscribe", "band-*", THERE[1])
    assert sent.to(THERE) == [("/rnn/subscribed", ["band-*", 0])]
    assert not sent.to(HERE)
    house.say(house.join(), "open", model="verse", session="band-1", seed=7)
    house.say(house.join(), "open", model="verse", session="other", seed=7)
    house.run(1.0)
    told = [name for name, _ in sent.to(THERE)]
    assert told.count("/rnn/band-1/opened") == 1 and told.count("/rnn/band-1/char") > 10
    assert not [name for name in told if "other" in name]
    house.say(house.join(), "close", session="band-1")
    house.say(house.join(), "open", model="verse", session="band-1", seed=7)
    assert [name for name, _ in sent.to(THERE)].count("/rnn/band-1/opened") == 2
    say(made, "/rnn/unsubscribe", "band-*", THERE[1])
    sent.heard.clear()
    house.say(house.join(), "open", model="verse", session="band-2", seed=7)
    house.run(0.3)
    assert sent.to(THERE) == sent.to(HERE) == []


def test_all_patterns_end_at_once_and_one_may_have_so_many(house: House) -> None:
    made, sent = server(house)
    for n in range(17):
        say(made, "/rnn/subscribe", f"band-{n}*")
    assert [a[0] for name, a in sent.to(HERE) if name == "/rnn/error"] == ["too_many_subscriptions"]
    say(made, "/rnn/unsubscribe", "*")
    say(made, "/rnn/unsubscribe", "*")
    assert [a[0] for name, a in sent.to(HERE) if name == "/rnn/error"][1:] == ["unknown_session"]
    sent.heard.clear()
    house.say(house.join(), "open", model="verse", session="band-1", seed=7)
    assert sent.heard == []


def test_who_waits_for_a_session_is_not_forgotten(house: House) -> None:
    made, sent = server(house)
    with taken(1) as (there,):
        say(made, "/rnn/subscribe", "band-*", there[1])
        for _ in range(30):
            house.clock.advance(10.0)
            made.sweep()
            say(made, "/rnn/ping")
        house.say(house.join(), "open", model="verse", session="band-1", seed=7)
        assert "/rnn/band-1/opened" in [name for name, _ in sent.to(there)]


# Messages of every sort


def raw(address: bytes, tags: bytes, data: bytes = b"") -> bytes:
    """A message as some programs write it."""
    return b"".join(x + bytes(4 - len(x) % 4) for x in (address, tags)) + data


def bundled(*messages: bytes, time: bytes = bytes(7) + b"\1") -> bytes:
    return b"#bundle\0" + time + b"".join(len(m).to_bytes(4, "big") + m for m in messages)


def test_a_message_that_cannot_be_read_does_not_take_its_bundle_with_it(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    sent.heard.clear()
    made.datagram_received(
        bundled(
            raw(b"/rnn/s/temperature", b",f", b"\x3f\0\0\0"),
            raw(b"/rnn/s/velocity", b",m", b"\0\x90\x40\x7f"),
            b"/rnn/s/velocity\0\0\0\0\x40",
            raw(b"/rnn/s/rate", b",f", b"\x41\x20\0\0"),
        ),
        HERE,
    )
    assert [(name, a[0], a[-1]) for name, a in sent.to(HERE)] == [
        ("/rnn/s/controlled", "temperature", 0),
        ("/rnn/error", "bad_packet", "/rnn/s/velocity"),
        ("/rnn/error", "bad_packet", "/rnn/s/velocity"),
        ("/rnn/s/controlled", "rate", 0),
    ]
    assert house.stage.counters.osc_refused == 1


def test_timetags_are_passed_over_where_that_is_configured(house: House) -> None:
    options = OscOptions.of(OscConfig(timetags="ignore"))
    made, sent = OscServer(house.stage, house.clock, options), Wire()
    made.connection_made(sent)
    for ahead in (-100.0, 2.0, 1000.0):
        bundle = osc.bundle_bytes(time.time() + ahead, [(f"/rnn/s{ahead:.0f}/open", ("verse",))])
        made.datagram_received(bundle, HERE)
    assert set(house.stage.sessions) == {"s-100", "s2", "s1000"}
    assert not [a for name, a in sent.to(HERE) if name in ("/rnn/error", "/rnn/waits")]


def test_a_bundle_that_waits_for_long_is_told_now_and_then(house: House) -> None:
    made, sent = server(house)

    async def play() -> None:
        for _ in range(5):
            bundle = osc.bundle_bytes(time.time() + 2.0, [("/rnn/s/play", ())])
            made.datagram_received(bundle, HERE)
        soon = osc.bundle_bytes(time.time() + 0.3, [("/rnn/s/play", ())])
        made.datagram_received(soon, THERE)
        made.stop()

    asyncio.run(play())
    ((name, (ahead, address)),) = sent.to(HERE)
    assert (name, address) == ("/rnn/waits", "/rnn/s/play")
    assert ahead == pytest.approx(2.0, abs=0.5)
    assert not sent.to(THERE)


def test_who_sends_each_message_from_another_port_is_answered_where_it_said(house: House) -> None:
    made, sent = server(house)
    named = (HERE[0], 9002)

    def fresh(port: int, address: str, *arguments: Any) -> None:
        made.datagram_received(osc.message_bytes(address, *arguments), (HERE[0], port))

    fresh(40001, "/rnn/reply", 9002)
    fresh(40002, "/rnn/s/open", "verse", 7, "paused")
    fresh(40003, "/rnn/subscribe", "s")
    fresh(40004, "/rnn/subscribe", "s")  # once more does no harm
    fresh(40005, "/rnn/s/step", 3)
    house.run(0.5)
    fresh(40006, "/rnn/nobody/play")
    heard = [name for name, _ in sent.to(named)]
    assert heard.count("/rnn/s/char") == 3 and heard[-1] == "/rnn/error"
    assert {address for address, _, _ in sent.heard} == {named}
    # A program that keeps its port is answered there, and its `/rnn/reply` holds for it alone.
    fresh(50001, "/rnn/ping", 1)
    fresh(50001, "/rnn/ping", 2)
    assert sent.to((HERE[0], 50001)) == [("/rnn/pong", [2])]
    fresh(40007, "/rnn/unsubscribe", "s")
    sent.heard.clear()
    say(made, "/rnn/s/step", 3)
    house.run(0.5)
    assert not [name for name, _ in sent.to(named) if name == "/rnn/s/char"]


def test_who_keeps_its_port_speaks_for_itself_only(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/reply", 9002)
    say(made, "/rnn/ping", 1)
    made.datagram_received(osc.message_bytes("/rnn/ping", 2), THERE)
    assert sent.to((HERE[0], 9002)) == [("/rnn/pong", [1])]
    assert sent.to(THERE) == [("/rnn/pong", [2])]


# The token


def test_other_machines_say_the_token_first(house: House) -> None:
    made = OscServer(house.stage, house.clock, OscOptions(), token="open \N{SNOWMAN}")
    sent = Wire()
    made.connection_made(sent)
    for _ in range(100):
        away(made, "/rnn/s/open", "verse")
    assert not house.stage.sessions
    assert [(name, a[0]) for name, a in sent.to(EVICTED)] == [("/rnn/error", "token_needed")] * 5
    house.clock.advance(10.0)
    away(made, "/rnn/token", "close")
    assert sent.to(EVICTED)[-1][1][1] == "that is not this server's token"
    bundle = osc.bundle_bytes(
        0.0, [("/rnn/token", ("open \N{SNOWMAN}",)), ("/rnn/s/open", ("verse",))]
    )
    made.datagram_received(bundle, EVICTED)
    assert [name for name, _ in sent.to(EVICTED)][-2:] == ["/rnn/admitted", "/rnn/s/opened"]
    away(made, "/rnn/s/pause", port=6000)
    assert sent.to((EVICTED[0], 6000)) == [("/rnn/s/paused", [0])], "from any port of its machine"
    made.datagram_received(osc.message_bytes("/rnn/s/play"), ("10.0.0.8", 1))
    assert not house.stage.sessions["s"].playing
    say(made, "/rnn/s/play")
    assert house.stage.sessions["s"].playing, "this machine needs none"
    house.clock.advance(3601.0)
    away(made, "/rnn/s/pause")
    assert house.stage.sessions["s"].playing, "it has to be said again after long silence"


# Faders


def faders(house: House, made: OscServer) -> None:
    say(made, "/rnn/s/open", "verse", 7, "paused")
    say(made, "/rnn/feedback", THERE[1])
    say(made, "/rnn/subscribe", "s", THERE[1])


def values(sent: Wire, where: tuple[str, int] = THERE) -> list[tuple[str, Any]]:
    """What faders were told."""
    return [(name, a[0]) for name, a in sent.to(where)
            if name.split("/")[3] in TABLE]  # fmt: skip


def test_faders_follow_whoever_moves_the_control(house: House) -> None:
    made, sent = server(house)
    faders(house, made)
    told = dict(values(sent))
    assert told["/rnn/s/temperature"] == 1.0 and told["/rnn/s/temperature/norm"] == 0.5
    assert told["/rnn/s/seed"] == 7 and "/rnn/s/pitches" not in told
    assert told["/rnn/s/artist"].startswith("Ada=0.333")
    sent.heard.clear()
    house.say(house.join(), "control", session="s", controls={"temperature": 0.5})
    assert values(sent) == [("/rnn/s/temperature", 0.5), ("/rnn/s/temperature/norm", 0.25)]
    sent.heard.clear()
    house.say(house.join(), "control", session="s", controls={"bpm": 140.0})
    assert [name for name, _ in values(sent)] == [
        "/rnn/s/rate", "/rnn/s/rate/norm", "/rnn/s/bpm", "/rnn/s/bpm/norm",
    ]  # fmt: skip
    say(made, "/rnn/feedback", THERE[1], "off")
    sent.heard.clear()
    house.say(house.join(), "control", session="s", controls={"temperature": 0.7})
    assert values(sent) == []
    assert ("/rnn/s/controlled", "temperature") in [(n, a[0]) for n, a in sent.to(THERE)]


def test_a_hand_on_a_fader_is_left_alone_until_it_rests(house: House) -> None:
    """The program sends from one port and listens at another, as touch surfaces do."""
    made, sent = server(house)
    faders(house, made)
    say(made, "/rnn/feedback", 9003)
    say(made, "/rnn/subscribe", "s", 9003)
    sent.heard.clear()

    async def play() -> None:
        for n in range(10):
            say(made, "/rnn/s/temperature/norm", n / 10)
            house.clock.advance(0.05)
        house.say(house.join(), "control", session="s", controls={"temperature": 0.3, "rate": 9.0})
        assert [name for name, _ in values(sent)][::2] == ["/rnn/s/rate", "/rnn/s/bpm"]
        house.clock.advance(1.0)
        await asyncio.sleep(0.6)

    asyncio.run(play())
    assert values(sent)[4:] == [
        ("/rnn/s/temperature", pytest.approx(0.3)),
        ("/rnn/s/temperature/norm", pytest.approx(0.15)),
    ]


def test_another_surface_follows_a_hand_at_once(house: House) -> None:
    made, sent = server(house)
    faders(house, made)
    other = ("127.0.0.1", 6000)
    made.datagram_received(osc.message_bytes("/rnn/feedback"), other)
    made.datagram_received(osc.message_bytes("/rnn/subscribe", "s"), other)
    sent.heard.clear()

    async def play() -> None:
        say(made, "/rnn/s/temperature", 0.4)
        made.stop()

    asyncio.run(play())
    assert values(sent, other)[0] == ("/rnn/s/temperature", pytest.approx(0.4))
    assert values(sent) == []


def test_a_fader_that_was_refused_goes_back(house: House) -> None:
    made, sent = server(house)
    faders(house, made)
    sent.heard.clear()

    async def play() -> None:
        say(made, "/rnn/s/velocity", 300)
        house.clock.advance(1.0)
        await asyncio.sleep(0.6)

    asyncio.run(play())
    assert values(sent) == [("/rnn/s/velocity", 80)]


def test_a_rewind_moves_faders_back(house: House) -> None:
    made, sent = server(house)
    faders(house, made)
    ear = house.join()
    house.say(ear, "step", session="s", count=10)
    house.run(0.5)
    house.say(ear, "control", session="s", controls={"temperature": 0.5})
    house.say(ear, "step", session="s", count=10)
    house.run(0.5)
    sent.heard.clear()
    house.say(ear, "rewind", session="s", to=5)
    assert ("/rnn/s/temperature", 1.0) in values(sent)


def test_a_controls_address_alone_is_answered_with_its_value(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "artist", "Ada")
    sent.heard.clear()
    for name in ("temperature", "temperature/norm", "velocity", "artist", "seed", "sync"):
        say(made, f"/rnn/s/{name}")
    say(made, "/rnn/*/rate")
    made.datagram_received(raw(b"/rnn/s/top_k", b",I"), HERE)
    assert sent.to(HERE) == [
        ("/rnn/s/temperature", [1.0]), ("/rnn/s/temperature/norm", [0.5]),
        ("/rnn/s/velocity", [80]), ("/rnn/s/artist", ["Ada=1"]), ("/rnn/s/seed", [7]),
        ("/rnn/s/sync", ["free"]), ("/rnn/s/rate", [20.0]), ("/rnn/s/top_k", [0]),
    ]  # fmt: skip
    say(made, "/rnn/nobody/rate")
    assert sent.to(HERE)[-1][1][0] == "unknown_session"


def test_what_one_changes_every_subscriber_is_told(house: House) -> None:
    made, sent = server(house)
    say(made, "/rnn/s/open", "verse", 7, "paused")
    for port in (9001, 9002):
        say(made, "/rnn/subscribe", "s", port)
    made.datagram_received(osc.message_bytes("/rnn/s/temperature", 0.5), ("127.0.0.1", 6000))
    house.say(house.join(), "play", session="s")
    for where in (("127.0.0.1", 9001), ("127.0.0.1", 9002)):
        assert [name for name, _ in sent.to(where)][1:] == ["/rnn/s/controlled", "/rnn/s/playing"]
