"""Programs that get symbols without subscribing: `[[osc.target]]` of `serve.toml`."""

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
    """Makes the form of a target's messages: its templates if it has any, else our own addresses.

    Raises:
        ConfigError: a template is invalid.
    """
    texts = {kind: getattr(target, kind) for kind in FIELDS}
    templates = {kind: Template.parse(text, kind) for kind, text in texts.items() if text}
    return TemplateForm(templates, target.hold) if templates else PlainForm()


class TargetSink(OscVoices):
    """A sink of the stage that sends the sessions of one target."""

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
        if not self._closed:  # nothing would end a note that begins now
            super().symbol(event, context)

    def close(self) -> None:
        """Ends all notes: sends what waits for its time now, and then the ends, undelayed."""
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


def _connected(there: Address, target: OscTarget, many: bool) -> socket.socket:
    """Makes a socket that sends to one address, which is a multicast group if `many`.

    Raises:
        OSError: the network cannot be reached, or the interface does not exist.
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
    """The sinks of all targets, and their sockets.

    Args:
        targets: from the configuration.
        server: its socket sends to the targets that it can reach, so that their answers reach
            us. Other targets have sockets of their own.

    Raises:
        ConfigError: a template is invalid.
    """

    def __init__(self, targets: Iterable[OscTarget], server: OscServer, clock: Clock) -> None:
        self._targets = [(target, form_of(target)) for target in targets]
        self._server, self._clock = server, clock
        self._own: list[asyncio.DatagramTransport] = []
        self._sinks: list[TargetSink] = []

    async def open(self) -> list[TargetSink]:
        """Makes the sinks for the stage; the server's socket must be open.

        Raises:
            ConfigError: a host is unknown, or its network cannot be reached.
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
            # Prefer the first address of the server's own family.
            addresses: list[Address] = [(str(f[4][0]), int(f[4][1])) for f in found]
            there = min(addresses, key=lambda address: (":" in address[0]) != (":" in here[0]))
            same_family = (":" in there[0]) == (":" in here[0])
            many = ipaddress.ip_address(there[0].partition("%")[0]).is_multicast
            # A socket that is bound to the loopback cannot send to other machines.
            if same_family and not many and (is_loopback(there[0]) or not is_loopback(here[0])):
                return lambda data: self._server.send(data, there)
            plug = _connected(there, target, many)
            # This protocol ignores what comes in, and that the target may be gone for a moment.
            made = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=plug)
        except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name at all
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(f"[[osc.target]] {target.host}:{target.port}: {reason}") from None
        self._own.append(made[0])
        return made[0].sendto

    def close(self) -> None:
        """Ends all notes at the targets, and closes their own sockets."""
        for sink in self._sinks:
            sink.close()
        for transport in self._own:
            transport.close()
