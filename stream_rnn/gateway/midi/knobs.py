"""MIDI controllers that move controls, from the configuration or learnt as they are moved.

No I/O but for the file of what was learnt; the time is passed in.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream_rnn.config import MidiControl
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.gateway.audience import Viewer, fits
from stream_rnn.gateway.midi.faders import Faders
from stream_rnn.gateway.midi.learnt import LearntFile, toml_lines
from stream_rnn.gateway.stage import Stage
from stream_rnn.wire import messages as wire
from stream_rnn.wire.midi import ControlChange
from stream_rnn.wire.osc_requests import Forget, Learn

log = logging.getLogger("stream_rnn.midi")

LEARN_TIME = 30.0  # seconds that a controller is waited for
MOVED = 4  # steps of 128 that make a movement; less is a worn potentiometer
PAUSE = 0.02  # seconds between two changes by one controller: a change has its price
LEARN = "/rnn/midi/learn"


@dataclass
class _Learning:
    """A control that waits for its controller."""

    asker: Viewer
    request: Learn
    until: float
    seen: dict[tuple[int, int], int] = field(default_factory=dict)  # (channel, cc): value


class Knobs:
    """Which controller moves which control.

    Args:
        bindings: those of the configuration.
        stage: whose sessions they move.
        viewer: who asks for the changes.
        file: what was learnt before, which takes the place of what is configured, and where it
            is kept; none: until the end.

    Raises:
        ConfigError: a control that no controller can move.
    """

    def __init__(
        self,
        bindings: Iterable[MidiControl],
        stage: Stage,
        viewer: Viewer,
        file: LearntFile | None = None,
    ) -> None:
        self.bindings = list(bindings)
        self._stage, self._viewer, self._file = stage, viewer, file
        self._faders = Faders(stage.models)
        self._learnt: list[MidiControl] = []
        self._learning: _Learning | None = None
        self._moved: dict[MidiControl, int] = {}  # what waits to be done
        self._done_at: dict[MidiControl, float] = {}
        for binding in self.bindings:
            try:
                self._faders.check(binding.control)
            except ProtocolError as error:
                raise ConfigError(f"[[midi.control]] cc {binding.cc}: {error}") from None
        for binding in file.read() if file else ():
            self._recall(binding)

    def _recall(self, binding: MidiControl) -> None:
        try:
            self._faders.check(binding.control)
        except ProtocolError as error:
            if error.code != "unknown_artist":
                raise ConfigError(f"[midi] learnt: cc {binding.cc}: {error}") from None
            log.warning("learnt for cc %d: %s", binding.cc, error)  # its model is not here today
        self._bind(binding)

    def _bind(self, binding: MidiControl) -> None:
        """One that was learnt takes the place of what moved its control before."""
        self._drop(binding.control, binding.session)
        self.bindings.append(binding)
        self._learnt.append(binding)

    def turn(self, event: ControlChange, now: float) -> None:
        """A controller was moved."""
        self._learn_from(event, now)
        for binding in self.bindings:
            if binding.cc == event.controller and binding.channel in (None, event.channel):
                self._moved[binding] = event.value
        self.tick(now)

    def next_time(self) -> float:
        """When `tick` has something to do; infinity for nothing."""
        times = [self._done_at[b] + PAUSE for b in self._moved]
        return min([*times, self._learning.until if self._learning else math.inf])

    def tick(self, now: float) -> None:
        """Does what waits: of many movements of one controller the last."""
        for binding in list(self._moved):
            if now >= self._done_at.setdefault(binding, -math.inf) + PAUSE:
                self._done_at[binding] = now
                self._apply(binding, self._moved.pop(binding), now)
        if self._learning is not None and now >= self._learning.until:
            control, asker = self._learning.request.control, self._learning.asker
            self._learning = None
            error = ProtocolError("nothing_moved", f"no controller was moved for {control!r}")
            self._stage.refuse(asker, error, id=LEARN)

    def _apply(self, binding: MidiControl, value: int, now: float) -> None:
        sessions = self._stage.sessions
        for name in [n for n in sessions if fits(binding.session, n)]:
            controls = self._faders.changes(binding.control, value, sessions[name])
            if controls is not None:
                self._stage.handle(self._viewer, wire.Control(session=name, controls=controls), now)

    # Learning

    def learn(self, asker: Viewer, request: Learn, now: float) -> None:
        """The next controller that moves is to move a control; the asker hears which it is.

        Raises:
            ProtocolError: `unknown_control` or `unknown_artist`.
        """
        self._faders.check(request.control)
        self._learning = _Learning(asker, request, now + LEARN_TIME)

    def _learn_from(self, event: ControlChange, now: float) -> None:
        learning, key = self._learning, (event.channel, event.controller)
        if learning is None:
            return
        if abs(event.value - learning.seen.setdefault(key, event.value)) < MOVED:
            return
        self._learning = None
        wanted = learning.request
        binding = MidiControl(
            cc=event.controller,
            control=wanted.control,
            session=wanted.session,
            channel=event.channel,
        )
        self._bind(binding)
        if self._file is None:
            log.info("learnt; to keep it:\n%s", toml_lines(binding))
        self._keep()
        learnt = wire.event(
            "learned", control=binding.control, cc=binding.cc, channel=event.channel
        )
        learning.asker.tell(learnt.answering(LEARN))

    def forget(self, asker: Viewer, request: Forget, now: float) -> None:
        """No controller moves a control any more, or none any.

        Raises:
            ProtocolError: `unknown_control`: none did.
        """
        dropped = self._drop(request.control)
        if not dropped and request.control is not None:
            raise ProtocolError("unknown_control", f"no controller moves {request.control!r}")
        for control in dropped:
            asker.tell(wire.event("forgotten", control=control))
        self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            self._file.write(self._learnt)

    def _drop(self, control: str | None, session: str = "*") -> list[str]:
        """Takes out the bindings of a control, of all sessions or those of one pattern."""
        gone = [
            b for b in self.bindings if control in (None, b.control) and session in ("*", b.session)
        ]
        self.bindings = [b for b in self.bindings if b not in gone]
        self._learnt = [b for b in self._learnt if b not in gone]
        for binding in gone:
            self._moved.pop(binding, None)
            self._done_at.pop(binding, None)
        return sorted({b.control for b in gone})
