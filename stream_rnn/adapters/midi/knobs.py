"""MIDI controllers that move controls or trigger actions, as configured or learnt live.

No I/O except for the file of learnt controllers; the time is passed in.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence

from stream_rnn.adapters.midi.codings import RELATIVE, steps
from stream_rnn.adapters.midi.faders import ARTIST, Faders
from stream_rnn.adapters.midi.learning import Learning, Watch, is_trigger, template
from stream_rnn.adapters.midi.learnt import LearntFile, toml_lines
from stream_rnn.adapters.midi.movements import Movement
from stream_rnn.adapters.midi.pads import Pads
from stream_rnn.adapters.midi.takeover import Takeover
from stream_rnn.config import MidiControl
from stream_rnn.errors import ConfigError, ProtocolError
from stream_rnn.sessions.session import Session
from stream_rnn.stage.stage import Stage
from stream_rnn.stage.subscribers import Asker, fits
from stream_rnn.wire import events
from stream_rnn.wire import messages as wire
from stream_rnn.wire.learning import Forget, Learn

log = logging.getLogger("stream_rnn.midi")

LEARN_TIME = 30.0  # seconds that `learn` waits for a controller to move
PAUSE = 0.02  # seconds between two changes by one controller: each change costs a rollback
FINER = 0.005  # seconds that the coarse half of a 14-bit pair waits for the fine half


class Knobs:
    """Moves controls and triggers actions by the controllers that are bound to them.

    Args:
        bindings: the bindings of the configuration.
        stage: has the sessions whose controls are moved.
        asker: makes the requests to the stage, and gets its answers.
        file: keeps learnt bindings, which replace configured ones; None: until the server ends.
        panic: called with the time when a pad for `panic` is pressed.

    Raises:
        ConfigError: a binding is for a control that no controller can move.
    """

    def __init__(
        self,
        bindings: Iterable[MidiControl],
        stage: Stage,
        asker: Asker,
        file: LearntFile | None = None,
        panic: Callable[[float], None] = lambda now: None,
    ) -> None:
        self.bindings = list(bindings)
        self._stage, self._asker, self._file = stage, asker, file
        self._faders, self._takeover = Faders(stage.models), Takeover()
        self._pads = Pads(stage, asker, panic)
        self._learnt: list[MidiControl] = []
        self._learning: Learning | None = None
        self._watch: Watch | None = None
        self._moved: dict[MidiControl, float] = {}  # places that wait to be set
        self._turned: dict[MidiControl, int] = {}  # encoders' steps that wait to be done
        self._not_before: dict[MidiControl, float] = {}
        for binding in self.bindings:
            try:
                self._faders.check(binding)
            except ProtocolError as error:
                raise ConfigError(f"[[midi.control]] {described(binding)}: {error}") from None
        for binding in file.read() if file else ():
            self._recall(binding)

    def _recall(self, binding: MidiControl) -> None:
        try:
            self._faders.check(binding)
        except ProtocolError as error:
            if error.code != "unknown_artist":
                raise ConfigError(f"[midi] learnt: {described(binding)}: {error}") from None
            # The artist's model may only be missing today.
            log.warning("learnt for %s: %s", described(binding), error)
        self._bind(binding)

    def _bind(self, binding: MidiControl) -> None:
        """Adds a learnt binding in place of those that moved its control before."""
        self._drop(
            b
            for b in self.bindings
            if b.control == binding.control
            and b.value == binding.value  # each value may have a pad
            and binding.session in ("*", b.session)
        )
        self.bindings.append(binding)
        self._learnt.append(binding)

    # Movements

    def move(self, movements: Sequence[Movement], now: float, *, plays: bool = False) -> bool:
        """Handles a message of a controller, pad or key.

        Args:
            movements: what the message may mean; see `Movements.hear`.
            plays: whether it came on a port and channel whose keys are played to a session.

        Returns:
            Whether something is bound to it, so that it is not a key that is played.
        """
        learnt = self._learn_from(movements, now, plays)
        taken = False
        for movement in movements:
            for binding in self.bindings:
                if matches(binding, movement):
                    taken = True
                    # The press that teaches a pad does not trigger it, but a knob sets its value.
                    if binding is not learnt or not is_trigger(binding):
                        self._take(binding, movement, now)
        self.tick(now)
        return taken

    def _take(self, binding: MidiControl, movement: Movement, now: float) -> None:
        if is_trigger(binding):
            self._pads.press(binding, movement, now)
        elif binding.mode in RELATIVE:
            turned = steps(binding.mode, movement.value)
            self._turned[binding] = self._turned.get(binding, 0) + turned
        else:
            if movement.half and binding not in self._moved:
                soonest = self._not_before.get(binding, -math.inf)
                self._not_before[binding] = max(soonest, now + FINER)
            self._moved[binding] = movement.place

    def next_time(self) -> float:
        """When `tick` has something to do; infinity for nothing."""
        waiting = [*self._moved, *self._turned]
        times = [self._not_before.get(binding, -math.inf) for binding in waiting]
        return min([*times, self._learning.until if self._learning else math.inf])

    def tick(self, now: float) -> None:
        """Does what waits: the last of each knob's movements, or the sum of an encoder's steps."""
        for binding in [*self._moved, *self._turned]:
            if now >= self._not_before.get(binding, -math.inf):
                self._not_before[binding] = now + PAUSE
                if binding in self._moved:
                    self._set(binding, self._moved.pop(binding), now)
                else:
                    self._turn(binding, self._turned.pop(binding), now)
        if self._learning is not None and now >= self._learning.until:
            learning, self._learning = self._learning, None
            control = learning.wanted.control
            error = ProtocolError("nothing_moved", f"no controller was moved for {control!r}")
            self._stage.refuse(learning.asker, error, id=learning.id)

    def _sessions(self, binding: MidiControl) -> list[Session]:
        sessions = self._stage.sessions
        return [session for name, session in sessions.items() if fits(binding.session, name)]

    def _set(self, binding: MidiControl, place: float, now: float) -> None:
        value = self._faders.value_at(binding, place)
        low, high = self._faders.ends(binding)
        # No takeover for wheels and pressure, which spring back, or weights, which move together.
        picked = binding.pickup or binding.cc is not None or binding.nrpn is not None
        picked = picked and not binding.control.startswith(ARTIST)
        for session in self._sessions(binding):
            current = self._faders.current(binding.control, session)
            if current is None:
                continue
            if picked and not self._takeover.admits(
                binding, session.key, value, current, abs(high - low)
            ):
                continue
            self._change(binding, value, session, now)
            if picked and (current := self._faders.current(binding.control, session)) is not None:
                self._takeover.has_set(binding, session.key, current)
        self._takeover.moved(binding, value)

    def _turn(self, binding: MidiControl, turned: int, now: float) -> None:
        for session in self._sessions(binding) if turned else ():
            value = self._faders.stepped(binding, turned, session)
            if value is not None:
                self._change(binding, value, session, now)

    def _change(self, binding: MidiControl, value: float, session: Session, now: float) -> None:
        controls = self._faders.changes(binding.control, value, session)
        if controls is not None:
            message = wire.Control(session=session.name, controls=controls)
            self._stage.handle(self._asker, message, now)

    # Learning

    def learn(self, asker: Asker, request: Learn, now: float) -> None:
        """Binds the next controller that moves to a control; the asker is told which it is.

        Raises:
            ProtocolError: `unknown_control`, `unknown_artist` or `bad_value`.
        """
        wanted = template(request)
        self._faders.check(wanted)
        named = any(name == "mode" for name, _ in request.options)
        self._learning = Learning(
            asker, wanted, wanted.mode if named else None, now + LEARN_TIME, request.id
        )
        self._watch = None

    def _learn_from(
        self, movements: Sequence[Movement], now: float, plays: bool
    ) -> MidiControl | None:
        binding = None
        if self._learning is not None:
            binding = self._learning.hear(movements, plays=plays)
            if binding is not None:
                learning, self._learning = self._learning, None
                self._watch = learning.watch(binding)
                self._has_learnt(binding, learning.asker, learning.id)
        elif self._watch is not None:
            revised = self._watch.hear(movements)
            if revised is not None:
                self._has_learnt(revised, self._watch.asker, self._watch.id)
            if self._watch.done:
                self._watch = None
        return binding

    def _has_learnt(self, binding: MidiControl, asker: Asker, id: wire.Id) -> None:
        self._bind(binding)
        if self._file is None:
            log.info("learnt; to keep it, add to serve.toml:\n%s", toml_lines(binding))
        self._keep()
        asker.tell(learned(binding).answering(id))

    def forget(self, asker: Asker, request: Forget, now: float) -> None:
        """Unbinds all controllers of a control; without a control, those of all controls.

        Raises:
            ProtocolError: `unknown_control`: no controller was bound to the control.
        """
        dropped = self._drop(b for b in self.bindings if request.control in (None, b.control))
        if not dropped and request.control is not None:
            raise ProtocolError("unknown_control", f"no controller moves {request.control!r}")
        if self._watch is not None and self._watch.binding not in self.bindings:
            self._watch = None
        for control in dropped:
            asker.tell(events.Forgotten(control))
        self._keep()

    def _keep(self) -> None:
        if self._file is not None:
            self._file.write(self._learnt)

    def _drop(self, bindings: Iterable[MidiControl]) -> list[str]:
        """Removes bindings; returns the controls that they moved."""
        gone = list(bindings)
        self.bindings = [b for b in self.bindings if b not in gone]
        self._learnt = [b for b in self._learnt if b not in gone]
        for binding in gone:
            for waiting in (self._moved, self._turned, self._not_before):
                waiting.pop(binding, None)
            self._takeover.forget(binding)
            self._pads.forget(binding)
        return sorted({b.control for b in gone})


def matches(binding: MidiControl, movement: Movement) -> bool:
    """Whether a movement came from a binding's controller."""
    if binding.channel not in (None, movement.channel):
        return False
    match movement.kind:
        case "cc":
            return binding.cc == movement.number and binding.mode != "14-bit"
        case "14-bit":
            return binding.cc == movement.number and binding.mode == "14-bit"
        case "wheel" | "aftertouch":
            return bool(getattr(binding, movement.kind))
        case kind:
            return bool(getattr(binding, kind) == movement.number)


def described(binding: MidiControl) -> str:
    """Names a binding's controller for people, such as `cc 7`."""
    source, number = binding.sources[0], getattr(binding, binding.sources[0])
    return source if number is True else f"{source} {number}"


def learned(binding: MidiControl) -> events.Learned:
    """Makes the event that tells of a learnt binding."""
    control, channel, source = binding.control, binding.channel, binding.sources[0]
    if source == "cc" and binding.mode == "absolute":
        return events.Learned(control, cc=binding.cc, channel=channel)
    kind = binding.mode if source == "cc" else source
    number = int(getattr(binding, source)) if source not in ("wheel", "aftertouch") else 0
    return events.Learned(control, number=number, channel=channel, kind=kind)
