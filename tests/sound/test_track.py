from stream_rnn.sound.track import Track
from stream_rnn.sound.voice import Note
from stream_rnn.wire.events import Symbol, Touch, TouchPoint


def symbol(due: float, **fields: object) -> Symbol:
    return Symbol("s", 0, due, **fields)  # type: ignore[arg-type]


def touch(due: float, player: int) -> Touch:
    return Touch("s", due, TouchPoint(player, 0.5, 0.5, 1, 60))


def test_players_have_channels_of_their_own_past_the_drums() -> None:
    assert [Track(0).channel_of(Note(60, 80, player)) for player in range(4)] == [0, 1, 2, 3]
    assert [Track(7).channel_of(Note(60, 80, player)) for player in range(4)] == [7, 8, 10, 11]
    assert [Track(15).channel_of(Note(60, 80, player)) for player in range(2)] == [15, 0]
    assert Track(9).channel_of(Note(36, 80)) == 9, "all of it is for drums"


def test_notes_never_change_before_those_that_were_handed_out() -> None:
    track = Track()
    assert track.follow(symbol(2.0), 2.5) == 2.0
    assert track.follow(symbol(1.0, fed=True), 1.5) == 2.0
    assert track.follow(symbol(3.0), 3.5) == 3.0


def test_a_finger_waits_for_itself_alone() -> None:
    track = Track()
    assert track.follow(touch(2.0, player=1), 2.1) == 2.0
    assert track.follow(touch(1.0, player=2), 2.1) == 1.0
    assert track.follow(touch(1.5, player=1), 2.1) == 2.0
    assert track.quiet_at(0.0) == 2.0


def test_a_gesture_does_not_keep_the_touches_before_it_waiting() -> None:
    track = Track()
    assert track.follow(symbol(5.0, event={"gesture": 3}), 6.0) == 5.0
    assert track.follow(touch(4.0, player=1), 6.0) == 4.0


def test_what_sounds_may_ring_on_as_long_as_its_symbol() -> None:
    track = Track()
    track.follow(symbol(2.0), 3.0)
    assert track.quiet_at(1.0) == 2.0, "not before it has begun"
    assert track.quiet_at(2.2) == 2.2
    assert track.quiet_at(2.2, tail=0.5) == 2.7
    assert track.quiet_at(2.8, tail=0.5) == 3.0
    assert track.quiet_at(9.0, tail=0.5) == 9.0
