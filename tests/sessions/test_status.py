from stream_rnn.sessions.status import TRANSITIONS, Status

EVENTS = {event for _, event in TRANSITIONS}


def test_every_status_is_reached_and_left_but_the_last() -> None:
    assert {*TRANSITIONS.values()} == set(Status)
    assert {status for status, _ in TRANSITIONS} == set(Status) - {Status.CLOSED}


def test_every_session_can_be_closed_and_a_closed_one_does_nothing() -> None:
    for status in set(Status) - {Status.CLOSED}:
        assert TRANSITIONS[status, "close"] is Status.CLOSED


def test_the_loss_of_the_engine_is_survived_by_all() -> None:
    for status in set(Status) - {Status.CLOSED}:
        after = TRANSITIONS[status, "lose_engine"]
        if after is not Status.EVICTED:  # which needs no engine
            again = TRANSITIONS[after, "regain_engine"]
            assert again is (Status.PAUSED if status is Status.PAUSED else Status.PLAYING)


def test_what_a_client_asks_of_an_evicted_session_waits_until_it_is_back() -> None:
    assert {event for status, event in TRANSITIONS if status is Status.EVICTED} == {
        "lose_engine", "bring_back", "close",
    }  # fmt: skip
