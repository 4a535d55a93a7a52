import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.gateway.access import Access, is_loopback

HERE = {"host": "127.0.0.1:8765"}


def status(access: Access, query: str = "", **headers: str) -> int | None:
    refusal = access.refusal({**HERE, **headers}, query)
    return refusal[0] if refusal else None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.2", "localhost.evil.com", "1"])
def test_addresses_that_can_be_reached_from_elsewhere(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8765"])
def test_a_server_on_loopback_answers_to_its_names(host: str) -> None:
    assert status(Access(), host=host) is None


@pytest.mark.parametrize("host", ["", "evil.com", "127.0.0.1.evil.com:8765", "[", "[::1", "a]b"])
def test_a_name_that_an_attackers_dns_points_here_is_refused(host: str) -> None:
    refusal = Access().refusal({"host": host}, "")
    assert refusal is not None
    assert refusal[0] == 421
    assert repr(host) in refusal[1]
    assert status(Access(loopback=False), host=host) is None


def test_a_request_without_a_host_is_refused_on_loopback() -> None:
    assert Access().refusal({}, "") is not None


def test_pages_of_the_server_itself_and_of_allowed_origins_may_connect() -> None:
    access = Access(origins=frozenset({"https://stage.example"}))
    assert status(access, origin="http://127.0.0.1:8765") is None
    assert status(access, origin="https://stage.example") is None


@pytest.mark.parametrize(
    "origin",
    ["http://evil.com", "null", "", "http://127.0.0.1:9999", "http://127.0.0.1", "http://["],
)
def test_pages_from_elsewhere_are_refused_and_told_how_to_be_allowed(origin: str) -> None:
    refusal = Access().refusal({**HERE, "origin": origin}, "")
    assert refusal is not None
    assert refusal[0] == 403
    assert "--origin" in refusal[1]


def test_the_token_comes_in_the_header_or_in_the_query() -> None:
    access = Access(loopback=False, token="geheim ß")
    assert status(access, authorization="Bearer geheim ß") is None
    assert status(access, authorization="bearer  geheim ß ") is None
    assert status(access, "a=1&token=geheim%20%C3%9F") is None
    for query, authorization in [
        ("", ""),
        ("token=", ""),
        ("token=geheim", ""),
        ("token=geheim%20%C3%9F", "Bearer wrong"),
        ("", "Basic geheim ß"),
    ]:
        assert status(access, query, authorization=authorization) == 401


@given(st.text(), st.text(), st.text(), st.text())
def test_no_header_or_query_is_more_than_refused(
    host: str, origin: str, query: str, authorization: str
) -> None:
    headers = {"host": host, "origin": origin, "authorization": authorization}
    for access in (Access(token="t"), Access(loopback=False, token="t")):
        access.refusal(headers, query)
