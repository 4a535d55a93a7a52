import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.errors import ConfigError
from stream_rnn.wire.access import Access, is_loopback, same_token
from stream_rnn.wire.hosts import Authority, Origin, is_here

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
    # Other machines can reach this server. With a token, such a page fails for lack of it.
    assert status(Access(loopback=False, token="t"), "token=t", host=host) is None
    assert status(Access(loopback=False), host=host) == (421 if host else None)


TRICKS = [
    "[::1].evil.example", "evil.example\\@localhost", "evil.example@localhost", "localhost.",
    "localhost:", "localhost:80:80", "localhost:+80", "localhost:65536", "localhost:٨٠",
    "localhost/", "localhost#x", "localhost?x", "localhost evil.example", "localhost,evil.example",
    "localhost\t", " localhost", "local%68ost", "ｌocalhost", "127.0.0.1.", "127.1", "0x7f.0.0.1",
    "2130706433", "127.0.0.01", "[127.0.0.1]", "[::1]x", "[::1]:", "[::1%lo]", "::1", "[::1]]",
    "127.0.0.1:8765@evil.example", "user:pass@127.0.0.1", "xlocalhost", "localhost.evil.example",
    "-localhost", "localhost-", "local..host", ".localhost", "[::ffff:127.0.0.1]", "\u212aelvin",
]  # fmt: skip


@pytest.mark.parametrize("host", TRICKS)
def test_what_only_looks_like_a_name_of_this_server_is_refused(host: str) -> None:
    assert status(Access(), host=host) == 421


NAMES = ("localhost", "127.0.0.1", "::1", "studio")


@given(
    st.sampled_from(NAMES) | st.sampled_from(["LOCALHOST", "[::1]", "Studio", "127.1.2.3"]),
    st.text(st.sampled_from("\\@./:[]%#? \t-_aA0١ＡK."), max_size=6),
    st.text(st.sampled_from("\\@./:[]%#? \t-_aA0١ＡK."), max_size=6),
)
def test_nothing_passes_that_is_not_exactly_an_allowed_name(
    name: str, before: str, after: str
) -> None:
    host = before + name + after
    if status(Access(names=frozenset({"studio"})), host=host) is not None:
        return
    bare, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    bare = bare if colon and port.isascii() and port.isdecimal() else host
    address = bare[1:-1] if bare.startswith("[") else bare
    assert address.lower() in ("localhost", "studio") or is_loopback(address), host
    assert (":" in address) == bare.startswith("["), host


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_host_that_is_read_is_written_the_same(text: str) -> None:
    if (read := Authority.parse(text)) is not None:
        assert Authority.parse(str(read)) == read
        assert text.isascii()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.168.1.7:8765", None), ("[fe80::1]:8765", None), ("localhost:8765", None),
        ("studio", None), ("studio.local:8765", None), ("STUDIO.lan", None),
        ("studio.example.org", None), ("stage.example", None),
        ("evil.example", 421), ("evil.example:8765", 421), ("studio.evil.example", 421),
        ("192.168.1.7.evil.example", 421), ("local.evil.example", 421), ("evillocal.example", 421),
    ],
)  # fmt: skip
def test_open_to_anyone_is_not_open_to_a_page_whose_dns_points_here(
    host: str, expected: int | None
) -> None:
    access = Access.of("0.0.0.0", None, ["https://stage.example"], ["studio", "studio.example.org"])
    assert status(access, host=host) == expected
    # The page's own origin: to a browser it is that of this server.
    assert status(access, host=host, origin=f"http://{host}") == expected


def test_a_client_that_is_no_browser_need_not_name_an_open_server() -> None:
    access = Access.of("0.0.0.0", None)
    assert access.refusal({}, "") is None
    refusal = access.refusal({"origin": "http://evil.example"}, "")
    assert refusal is not None and refusal[0] == 403


def test_a_request_without_a_host_is_refused_on_loopback() -> None:
    assert Access().refusal({}, "") is not None


def test_pages_of_the_server_itself_and_of_allowed_origins_may_connect() -> None:
    access = Access(origins=frozenset({"https://stage.example"}))
    assert status(access, origin="http://127.0.0.1:8765") is None
    assert status(access, origin="https://stage.example") is None


def test_a_page_of_the_server_itself_is_known_by_scheme_host_and_port() -> None:
    for host, origin in [
        ("127.0.0.1", "http://127.0.0.1"), ("localhost:80", "http://LOCALHOST"),
        ("[::1]:8765", "http://[::1]:8765"), ("[0:0::1]:8765", "http://[::1]:8765"),
        ("localhost", "https://localhost:443"),
    ]:  # fmt: skip
        assert status(Access(), host=host, origin=origin) is None
    for host, origin in [
        ("localhost:8765", "http://localhost"), ("localhost:8765", "http://localhost:8766"),
        ("localhost:443", "http://localhost"), ("localhost:8765", "http://127.0.0.1:8765"),
        ("localhost:8765", "ftp://localhost:8765"), ("localhost:8765", "http://localhost:8765/"),
        ("localhost:8765", "http://x@localhost:8765"), ("localhost:8765", "//localhost:8765"),
    ]:  # fmt: skip
        assert status(Access(), host=host, origin=origin) == 403


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://stage.example", "https://stage.example"),
        ("https://Stage.Example/", "https://stage.example"),
        ("HTTPS://stage.example:443", "https://stage.example"),
        (" http://stage.example:80/ ", "http://stage.example"),
        ("http://stage.example:8080", "http://stage.example:8080"),
        ("http://[FE80:0::1]:80", "http://[fe80::1]"),
        ("https://müller.example", "https://xn--mller-kva.example"),
        ("chrome-extension://abcdefg", "chrome-extension://abcdefg"),
    ],
)
def test_an_origin_may_be_written_in_any_way(given: str, sent: str) -> None:
    access = Access.of("127.0.0.1", None, [given])
    assert access.allows(sent)
    assert status(access, origin=sent) is None
    # A proxy may leave the name in `Host` unchanged.
    assert status(access, host=sent.partition("://")[2], origin=sent) is None
    assert not access.allows("http://evil.example") and not access.allows(None)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("stage.example", "begin with http:// or https://"), ("", "begin with http"),
        ("https://stage.example/rnn", "leave out the path"), ("null", "http.server"),
        ("https://*.example", "patterns are not accepted"), ("https://:80", "not a host"),
        ("https://a@stage.example", "not a host"), ("https://stage.example:x", "not a host"),
        ("https://stage.example\\", "not a host"),
    ],
)  # fmt: skip
def test_what_is_no_origin_is_told_at_the_start(given: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Origin.given(given)
    assert why in str(refused.value) and f"--origin {given}" in str(refused.value)


def test_a_preflight_carries_no_token_and_needs_none() -> None:
    access = Access.of("127.0.0.1", "t", ["https://stage.example"])
    asked = {**HERE, "origin": "https://stage.example"}
    assert access.refusal(asked, "", preflight=True) is None
    assert access.refusal(asked, "") == (
        401, "a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN",
    )  # fmt: skip
    refusal = access.refusal({**HERE, "origin": "http://evil.example"}, "", preflight=True)
    assert refusal is not None and refusal[0] == 403


def test_a_token_may_come_as_latin_1_or_as_utf_8() -> None:
    assert same_token("geheim ß", "geheim ß")
    assert same_token("geheim ß".encode().decode("latin-1"), "geheim ß")
    assert not same_token("geheim ?", "geheim ß") and not same_token("", "x")
    assert not same_token("geheim €", "geheim ?")


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


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False), ("", False)],
)  # fmt: skip
def test_who_is_here(address: str, here: bool) -> None:
    assert is_here(address) == here
