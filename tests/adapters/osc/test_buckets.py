import math

from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.adapters.osc.buckets import MAX_HOSTS, SHARE, WORK, Bucket, Hosts


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 3)), max_size=50))
def test_a_bucket_gives_no_more_than_its_rate_and_what_it_holds(
    asked: list[tuple[float, float]],
) -> None:
    bucket, now, taken = Bucket(10.0, 0.0, most=5.0), 0.0, 0.0
    for pause, cost in asked:
        now += pause
        taken += cost if bucket.take(now, cost) else 0.0
        assert taken <= 5.0 + 10.0 * now + 1e-6
        assert 0.0 <= bucket.left(now) <= 5.0


def test_what_was_charged_on_credit_has_to_come_in_before_more_is_given() -> None:
    bucket = Bucket(10.0, 0.0)
    bucket.charge(25.0)
    assert bucket.left(0.0) == -15.0
    assert not bucket.take(1.5)
    assert bucket.take(1.7)


def test_a_machine_has_one_allowance_whatever_ports_it_sends_from() -> None:
    hosts = Hosts(rate=10)
    assert sum(hosts.may_send("192.0.2.1", 0.0) for _ in range(100)) == 10 * SHARE
    assert hosts.may_send("192.0.2.2", 0.0), "another has its own"
    assert sum(hosts.may_send("127.0.0.1", 0.0) for _ in range(100)) == 100, "rigs are here"
    work = hosts.work("192.0.2.1")
    assert work is not None and work.left(0.0) == WORK * 10 * SHARE


def test_the_longest_silent_machine_is_forgotten_first() -> None:
    hosts = Hosts(rate=10)
    for i in range(MAX_HOSTS):
        hosts.may_send(f"h{i}", float(i))
    hosts.may_send("h0", 5000.0)
    hosts.may_send("another", 5000.0)
    assert hosts.heard_at("h0") == 5000.0
    assert (hosts.work("h1"), hosts.heard_at("h1")) == (None, -math.inf)
