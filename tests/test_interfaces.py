"""Which addresses of this machine others can use."""

from __future__ import annotations

import ipaddress

import pytest

from stream_rnn.interfaces import own_addresses, reached_by

OWN = [
    ("lo", "127.0.0.1"), ("lo", "::1"),
    ("wlan0", "fe80::1%wlan0"), ("wlan0", "192.168.1.7"), ("wlan0", "2001:db8::7"),
    ("docker0", "172.17.0.1"), ("br-0a1b", "172.18.0.1"), ("virbr0", "192.168.122.1"),
    ("eth1", "10.0.0.3"), ("eth1", "169.254.3.4"), ("eth1", "fd00::3"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("bound", "shown"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("::1", ["[::1]"]),
        ("192.168.1.7", ["192.168.1.7"]),
        ("fd00::3", ["[fd00::3]"]),
        ("0.0.0.0", ["192.168.1.7", "10.0.0.3", "127.0.0.1"]),
        ("::", ["192.168.1.7", "10.0.0.3", "[2001:db8::7]", "[fd00::3]", "127.0.0.1"]),
    ],
)
def test_a_wildcard_stands_for_what_others_can_use(bound: str, shown: list[str]) -> None:
    assert reached_by(bound, OWN) == shown


def test_a_machine_without_a_network_has_itself() -> None:
    assert reached_by("0.0.0.0", OWN[:2]) == ["127.0.0.1"]
    assert reached_by("::", []) == ["127.0.0.1"]


def test_the_addresses_of_this_machine_are_found() -> None:
    own = own_addresses()
    assert "127.0.0.1" in [address for _, address in own]
    for name, address in own:
        assert name
        ipaddress.ip_address(address.partition("%")[0])
