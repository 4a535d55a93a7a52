from stream_rnn.adapters.http.refusals import AGAIN, LINES, REMEMBERED, RefusalLog


def test_a_client_that_asks_again_is_one_line_a_minute() -> None:
    log = RefusalLog()
    first = log.line(100.0, "10.0.0.7", "WebSocket /v1/stream (403)", "pages from x may not")
    assert first == "refused 10.0.0.7: WebSocket /v1/stream (403): pages from x may not"
    for n in range(50):
        assert log.line(100.0 + n, "10.0.0.7", "WebSocket", "pages from x may not") is None
    again = log.line(100.0 + AGAIN, "10.0.0.7", "WebSocket", "pages from x may not")
    assert again is not None and again.endswith("(50 more refusals since the last line)")
    assert log.line(101.0 + AGAIN, "10.0.0.7", "GET", "a token is needed") is not None


def test_many_clients_are_no_flood() -> None:
    log = RefusalLog()
    told = [log.line(1000.0 + n / 1000, f"10.0.{n % 256}.{n // 256}", "GET", "no")
            for n in range(5000)]  # fmt: skip
    assert LINES <= sum(line is not None for line in told) <= LINES + 5
    assert len(log._told) <= REMEMBERED


def test_an_address_of_ipv4_is_written_as_one() -> None:
    line = RefusalLog().line(50.0, "::ffff:10.0.0.7", "GET /", "no")
    assert line is not None and line.startswith("refused 10.0.0.7: ")


def test_what_a_stranger_sent_is_one_printable_line() -> None:
    line = RefusalLog().line(
        50.0, "::1", "GET /\x1b[2J\n", "not to 'e\r\nvil\u202e\xff'" + "x" * 999
    )
    assert line is not None and line.isascii() and line.isprintable()
    assert len(line) < 700
