from typing import Any

from stream_rnn.adapters.midi.held import HeldKeys
from stream_rnn.wire import midi


class Keys:
    """Writes down what a keyboard would play."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def note_on(self, event: midi.NoteOn, time: float, now: float) -> None:
        self.said.append(("on", event.channel, event.pitch))

    def note_off(self, event: midi.NoteOff, time: float, now: float) -> None:
        self.said.append(("off", event.channel, event.pitch))

    def pedal(self, down: bool, time: float) -> None:
        self.said.append(("pedal", down))

    def next_time(self) -> float:
        return 7.0

    def tick(self, now: float) -> None:
        self.said.append(("tick", now))

    def stop(self, now: float) -> None:
        self.said.append("stop")


def held(*keys: tuple[int, int], pedals: tuple[int, ...] = ()) -> tuple[HeldKeys, Keys]:
    said = Keys()
    made = HeldKeys(said)
    for channel, pitch in keys:
        made.note_on(midi.NoteOn(channel, pitch, 80), 1.0, 1.0)
    for channel in pedals:
        made.pedal(channel, True, 1.0)
    said.said.clear()
    return made, said


def mode(made: HeldKeys, channel: int, controller: int) -> None:
    made.mode(midi.ControlChange(channel, controller, 0), 2.0, 2.0)


def test_all_notes_off_ends_the_keys_of_its_channel_in_the_order_of_striking() -> None:
    made, keys = held((1, 64), (2, 50), (1, 60))
    mode(made, 1, midi.ALL_NOTES_OFF)
    assert keys.said == [("off", 1, 64), ("off", 1, 60)]
    mode(made, 1, midi.ALL_NOTES_OFF)
    assert len(keys.said) == 2, "they are up by now"


def test_all_sound_off_lifts_the_pedal_too_and_a_reset_the_pedal_alone() -> None:
    made, keys = held((1, 60), pedals=(1, 2))
    mode(made, 1, midi.RESET_CONTROLLERS)
    assert keys.said == [("pedal", False)]
    made, keys = held((1, 60), pedals=(1,))
    mode(made, 1, midi.ALL_SOUND_OFF)
    assert keys.said == [("pedal", False), ("off", 1, 60)]


def test_a_key_that_is_not_down_is_not_let_go() -> None:
    made, keys = held((1, 60))
    made.note_off(midi.NoteOff(2, 60), 2.0, 2.0)
    assert keys.said == []
    made.note_off(midi.NoteOff(1, 60), 2.0, 2.0)
    made.note_off(midi.NoteOff(1, 60), 2.0, 2.0)
    assert keys.said == [("off", 1, 60)]


def test_a_port_that_goes_lets_go_of_everything() -> None:
    made, keys = held((2, 50), (1, 60), pedals=(3,))
    made.let_go(2.0, 2.0)
    assert keys.said == [("pedal", False), ("off", 1, 60), ("off", 2, 50)]


def test_time_is_the_keyboards_own() -> None:
    made, keys = held()
    assert made.next_time() == 7.0
    made.tick(8.0)
    assert keys.said == [("tick", 8.0)]
