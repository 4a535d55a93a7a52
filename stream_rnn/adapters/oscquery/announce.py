"""Announces OSC and OSCQuery on the network by zeroconf (Bonjour, Avahi)."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING

from stream_rnn.errors import ConfigError

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncZeroconf

log = logging.getLogger("stream_rnn.discovery")


class Announcement:
    """An announcement of services, which holds from `start` to `stop`.

    Args:
        name: the services' name, which people see.

    Raises:
        ConfigError: zeroconf is not installed.
    """

    def __init__(self, name: str) -> None:
        try:
            import zeroconf.asyncio  # noqa: F401
        except ImportError:
            raise ConfigError(
                "[discovery] beyond the loopback is announced by zeroconf: "
                "pip install 'stream-rnn[discovery]'"
            ) from None
        self._name = name
        self._zeroconf: AsyncZeroconf | None = None

    async def start(self, address: str, ports: dict[str, int]) -> None:
        """Announces services; takes a second, to find out whether others use the name already.

        Args:
            address: the address that is listened on; a wildcard stands for all of this machine.
            ports: the port of each service; services are named such as `_osc._udp`.
        """
        from zeroconf import Error
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        found = _addresses(address)
        try:
            self._zeroconf = AsyncZeroconf(interfaces=found)
            for service, port in ports.items():
                kind, more = f"{service}.local.", {"txtvers": "1"}
                info = AsyncServiceInfo(
                    kind, f"{self._name}.{kind}", port=port, parsed_addresses=found, properties=more
                )
                # If another server has the name, zeroconf appends a number to ours.
                done = await self._zeroconf.async_register_service(info, allow_name_change=True)
                await done
        except (OSError, Error) as error:
            log.warning("cannot announce %r by zeroconf: %s", self._name, error)

    async def stop(self) -> None:
        """Withdraws the announcement."""
        if self._zeroconf is not None:
            with contextlib.suppress(OSError):
                await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()


def _addresses(address: str) -> list[str]:
    """Lists the addresses by which others reach a socket that is bound to `address`."""
    if not ipaddress.ip_address(address).is_unspecified:
        return [address]
    import ifaddr

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [str(ip) for ip in found if not ipaddress.ip_address(str(ip)).is_loopback]
