from __future__ import annotations

import socket

import pytest

from stream_rnn.gateway.osc.presence import GRACE, Presence
from stream_rnn.wire import osc


def listener(address: tuple[str, int]) -> socket.socket:
    made = socket.socket(
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
    )
    made.bind(address)
    made.settimeout(2)
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_has_closed_the_port_is_absent_after_a_while_and_may_come_back(host: str) -> None:
    presence = Presence()
    with listener((host, 0)) as there, listener((host, 0)) as stays:
        address, other = there.getsockname()[:2], stays.getsockname()[:2]

        def absent(now: float) -> list[tuple[str, int]]:
            return presence.absent({address, other}, now)

        assert absent(0.0) == absent(100.0) == []
        assert osc.parse_packet(there.recv(100))[0].address == "/rnn/alive"
        there.close()
        assert absent(105.0) == absent(110.0) == absent(105.0 + GRACE) == []
        assert absent(110.0 + GRACE) == [address]
        with listener(address):  # within the same moment: it only seemed to have gone
            assert absent(115.0 + GRACE) == [address], "what the last word met with"
            assert absent(120.0 + GRACE) == []
        assert absent(125.0 + GRACE) == absent(130.0 + GRACE) == []
        # Whoever is left out begins anew.
        presence.absent({other}, 135.0 + GRACE)
        assert absent(500.0) == absent(505.0) == []
        presence.close()


def test_where_no_socket_can_be_made_nobody_is_thought_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", none_left)
    presence = Presence()
    assert presence.absent([("127.0.0.1", 9)], 0.0) == presence.absent([("127.0.0.1", 9)], 99) == []
