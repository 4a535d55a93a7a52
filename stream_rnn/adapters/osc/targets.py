"""Programs that are sent symbols without asking: `[[osc.target]]` of `serve.toml`."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable

from stream_rnn.adapters.osc.agenda import Agenda, wall
from stream_rnn.adapters.osc.presence import Address
from stream_rnn.adapters.osc.socket import OscServer
from stream_rnn.adapters.osc.voices import Form, OscVoices, PlainForm, TemplateForm
from stream_rnn.clock import Clock
from stream_rnn.config import OscTarget
from stream_rnn.errors import ConfigError
from stream_rnn.stage.subscribers import NoteContext, fits
from stream_rnn.wire import events, osc
from stream_rnn.wire.access import is_loopback
from stream_rnn.wire.osc_answers import Message
from stream_rnn.wire.template import FIELDS, Template


def form_of(target: OscTarget) -> Form:
    """How a target is spoken to.

    Raises:
        ConfigError: a template that cannot be.
    """
    texts = {kind: getattr(target, kind) for kind in FIELDS}
    templates = {kind: Template.parse(text, kind) for kind, text in texts.items() if text}
    return TemplateForm(templates, target.hold) if templates else PlainForm()


class TargetSink(OscVoices):
    """A sink of the stage: one target, and the sessions that fit it."""

    def __init__(
        self, target: OscTarget, form: Form, send: Callable[[bytes], None], clock: Clock
    ) -> None:
        super().__init__(send, clock.now, lambda due: wall(due, clock), form, target.latency)
        self._pattern, self._plain = target.session, target.plain
        self._agenda: Agenda[list[Message]] = Agenda(self._send_all)
        self._closed = False

    def wants(self, session: str, *, silent: bool = False) -> bool:
        return fits(self._pattern, session, silent=silent)

    def tell(self, event: events.Event) -> None:
        if isinstance(event, events.Opened):
            self.begin(event.session)
        super().tell(event)

    def symbol(self, event: events.Live, context: NoteContext) -> None:
        if not self._closed:  # nothing would end what begins now
            super().symbol(event, context)

    def close(self) -> None:
        """Ends what sounds: what waits for its moment goes out now, and ends are not put off."""
        self._agenda.flush()
        self._closed = True
        self.panic()

    def _send_at(self, at: float, messages: list[Message]) -> None:
        if not self._plain:
            super()._send_at(at, messages)
        elif self._closed:
            self._send_all(messages)
        else:
            self._agenda.add(at, at + self._latency - self._now(), messages)

    def _send_all(self, messages: list[Message]) -> None:
        for address, arguments in messages:
            self.send(osc.message_bytes(address, *arguments))


class _SendOnly(asyncio.DatagramProtocol):
    """A socket for one target; nothing that comes in by it is read."""

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there, perhaps for a moment."""


def _connected(there: Address, target: OscTarget, many: bool) -> socket.socket:
    """A socket that sends to one address, or to all that listen at it.

    Raises:
        OSError: the network cannot be reached, or the interface is not there.
    """
    family = socket.AF_INET6 if ":" in there[0] else socket.AF_INET
    plug = socket.socket(family, socket.SOCK_DGRAM)
    try:
        plug.setblocking(False)
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if many and family == socket.AF_INET:
            plug.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, target.ttl)
            if target.interface:
                interface = socket.inet_aton(target.interface)
                plug.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        elif many:
            plug.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, target.ttl)
            if target.interface:
                index = socket.if_nametoindex(target.interface)
                plug.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        plug.connect(there)
    except OSError:
        plug.close()
        raise
    return plug


class Targets:
    """The sinks of all targets, and the sockets that they need.

    Args:
        targets: from the configuration.
        server: its socket sends wherever it can reach, so that who answers reaches us.

    Raises:
        ConfigError: a template that cannot be.
    """

    def __init__(self, targets: Iterable[OscTarget], server: OscServer, clock: Clock) -> None:
        self._targets = [(target, form_of(target)) for target in targets]
        self._server, self._clock = server, clock
        self._own: list[asyncio.DatagramTransport] = []
        self._sinks: list[TargetSink] = []

    async def open(self) -> list[TargetSink]:
        """The sinks, for the stage; the server's socket must be open.

        Raises:
            ConfigError: a host that is not known.
        """
        self._sinks = [
            TargetSink(target, form, await self._sender(target), self._clock)
            for target, form in self._targets
        ]
        return self._sinks

    async def _sender(self, target: OscTarget) -> Callable[[bytes], None]:
        loop = asyncio.get_running_loop()
        here = self._server.local
        try:
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
            # The first of the server's own family, if there is one.
            addresses: list[Address] = [(str(f[4][0]), int(f[4][1])) for f in found]
            there = min(addresses, key=lambda address: (":" in address[0]) != (":" in here[0]))
            same_family = (":" in there[0]) == (":" in here[0])
            many = ipaddress.ip_address(there[0].partition("%")[0]).is_multicast
            # From a socket on the loopback nothing gets out of the machine.
            if same_family and not many and (is_loopback(there[0]) or not is_loopback(here[0])):
                return lambda data: self._server.send(data, there)
            plug = _connected(there, target, many)
            transport, _ = await loop.create_datagram_endpoint(_SendOnly, sock=plug)
        except (OSError, UnicodeError) as error:  # the latter for what cannot be a name at all
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"[[osc.target]] {target.host}:{target.port}: {reason}") from None
        self._own.append(transport)
        return transport.sendto

    def close(self) -> None:
        """Ends what sounds, and closes the sockets that are not the server's."""
        for sink in self._sinks:
            sink.close()
        for transport in self._own:
            transport.close()
