from pathlib import Path

import pytest

from stream_rnn.codecs.files import LONGEST_REASON, read_utf8, reason
from stream_rnn.errors import DataError


def test_a_text_has_plain_line_ends_and_no_mark(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_utf8(tmp_path / "x") == "a\nb\nc\n"


@pytest.mark.parametrize("lines", [0, 2, 5000])
def test_what_is_not_utf8_is_named_by_its_line(tmp_path: Path, lines: int) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf" + "é,é\r\n".encode() * lines + b"\xe9,\n")
    with pytest.raises(DataError, match=f"x, line {lines + 1}: not UTF-8; convert it"):
        read_utf8(tmp_path / "x")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x: cannot be read \(No such file"):
        read_utf8(tmp_path / "x")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EOFError(), "empty, or cut short"),
        (ValueError(), "ValueError"),
        (ValueError("one\n  two"), "one two"),
        (OSError(2, "No such file", "/a/path"), "No such file"),
        (ValueError("x" * 9000), "x" * (LONGEST_REASON - 1) + "…"),
    ],
)
def test_a_reason_is_one_short_line(error: Exception, said: str) -> None:
    assert reason(error) == said
