from __future__ import annotations

import socket

import pytest

from stream_rnn.adapters.osc.presence import GRACE, Presence


def listener(host: str, port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, port))
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_has_closed_the_port_is_absent_after_a_while_and_may_come_back(host: str) -> None:
    presence = Presence()
    with listener(host) as there, listener(host) as stays:
        address, other = there.getsockname()[:2], stays.getsockname()[:2]

        def absent(now: float) -> list[tuple[str, int]]:
            return presence.absent({address, other}, now)

        assert absent(0.0) == absent(100.0) == []
        there.close()
        assert absent(105.0) == absent(110.0) == absent(104.0 + GRACE) == []
        assert absent(105.0 + GRACE) == [address]
        with listener(host, address[1]):
            assert absent(110.0 + GRACE) == []
        assert absent(115.0 + GRACE) == absent(120.0 + GRACE) == []
        # For an address that is left out of a call, the wait begins anew.
        presence.absent({other}, 125.0 + GRACE)
        assert absent(500.0) == absent(505.0) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_who_listens_on_every_address_is_there(host: str) -> None:
    presence = Presence()
    with listener(host) as there:
        address = ("127.0.0.1", there.getsockname()[1])
        assert presence.absent([address], 0.0) == presence.absent([address], 100.0) == []


def test_who_has_connected_a_socket_to_ours_is_there() -> None:
    presence = Presence()
    with listener("127.0.0.1") as ours, listener("127.0.0.1") as there:
        there.connect(ours.getsockname())
        address = there.getsockname()
        assert presence.absent([address], 0.0) == presence.absent([address], 100.0) == []


def test_where_no_socket_can_be_made_nobody_is_thought_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", none_left)
    presence = Presence()
    assert presence.absent([("127.0.0.1", 9)], 0.0) == presence.absent([("127.0.0.1", 9)], 99) == []
