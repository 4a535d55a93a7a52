from stream_rnn.adapters.midi.movements import Movement, Movements
from stream_rnn.wire.midi import (
    Aftertouch,
    ControlChange,
    KeyAftertouch,
    NoteOn,
    Program,
    Wheel,
)


def test_each_message_is_a_movement() -> None:
    movements = Movements()
    assert movements.hear(NoteOn(2, 36, 127), 0.0) == [Movement("note", 36, 2, 127)]
    assert movements.hear(Program(1, 5), 0.0)[0].number == 5
    assert movements.hear(Wheel(1, 16383), 0.0)[0].place == 1.0
    assert movements.hear(Aftertouch(1, 0), 0.0)[0].place == 0.0
    assert movements.hear(KeyAftertouch(1, 60, 127), 0.0)[0].number == 60
    assert movements.hear(ControlChange(1, 74, 127), 0.0) == [Movement("cc", 74, 1, 127)]


def test_two_controllers_that_are_32_apart_are_one_of_14_bits() -> None:
    movements = Movements()
    coarse = movements.hear(ControlChange(1, 7, 127), 0.0)[-1]
    assert (coarse.kind, coarse.number, coarse.half, coarse.place) == ("14-bit", 7, True, 1.0)
    fine = movements.hear(ControlChange(1, 39, 127), 0.001)[-1]
    assert (fine.kind, fine.number, fine.half, fine.follows) == ("14-bit", 7, False, True)
    assert fine.value == 16383 and fine.place == 1.0
    # Where only the finer half has changed, it alone is sent.
    fine = movements.hear(ControlChange(1, 39, 0), 1.0)[-1]
    assert fine.value == 127 << 7 and not fine.follows
    assert [m.kind for m in movements.hear(ControlChange(2, 39, 0), 1.0)] == ["cc"], "no coarse"


def test_nrpn() -> None:
    movements = Movements()

    def send(*pairs: tuple[int, int]) -> list[Movement]:
        return [movements.hear(ControlChange(1, c, v), 0.0)[-1] for c, v in pairs]

    *_, coarse, fine = send((99, 2), (98, 44), (6, 100), (38, 3))
    assert (coarse.kind, coarse.number, coarse.half) == ("nrpn", 300, True)
    assert (fine.kind, fine.number, fine.value) == ("nrpn", 300, 100 << 7 | 3)
    assert send((6, 101))[0].kind == "nrpn", "the parameter stays selected"
    assert send((99, 127), (98, 127), (6, 0))[-1].kind != "nrpn", "no parameter"
    assert send((99, 2), (98, 44), (101, 0), (100, 0), (6, 0))[-1].kind != "nrpn", "an RPN"
