from __future__ import annotations

from stream_rnn.adapters.osc.known import FIRST, Known

HERE, EVICTED = ("127.0.0.1", 9000), ("10.0.0.7", 9000)


def test_this_machine_is_believed_and_others_have_to_be_heard() -> None:
    known = Known(lease=100.0)
    assert known.is_known(HERE, 0.0) and known.is_known(("::ffff:127.0.0.1", 1), 0.0)
    assert not known.is_known(EVICTED, 0.0)
    known.heard(EVICTED, 0.0)
    assert known.is_known(EVICTED, 100.0) and not known.is_known((EVICTED[0], 9001), 0.0)
    assert not known.is_known(EVICTED, 101.0), "somebody else may have the address by then"


def test_a_number_comes_back_from_any_port_of_its_machine_once() -> None:
    known = Known(lease=100.0)
    number = known.ask(EVICTED)
    assert number == known.ask(EVICTED), "however often it is asked"
    assert known.answered("10.0.0.8", number, 0.0) is None
    assert known.answered(EVICTED[0], number + 1, 0.0) is None
    assert known.answered(EVICTED[0], number, 0.0) == EVICTED and known.is_known(EVICTED, 0.0)
    assert known.answered(EVICTED[0], number, 0.0) is None


def test_all_ports_of_a_machine_share_the_little_that_it_is_sent() -> None:
    known, sent = Known(lease=100.0), 0
    for port in range(1000):
        sent += 40 * known.admits((EVICTED[0], port), 40, 0.0)
    assert FIRST - 40 < sent <= FIRST
    assert known.admits(("10.0.0.8", 1), 40, 0.0), "and others have their own"
    assert not known.admits(EVICTED, 40, 0.1) and known.admits(EVICTED, 40, 2.0)
    known.heard(EVICTED, 2.0)
    assert all(known.admits(EVICTED, 60_000, 2.0) for _ in range(100))
