from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from stream_rnn.wire.frames import text_frame


def as_the_library_does(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


@given(st.text(max_size=300))
def test_a_frame_is_what_the_library_would_send(text: str) -> None:
    assert text_frame(text.encode()) == as_the_library_does(text.encode())


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20])
def test_so_is_one_of_each_form_of_length(length: int) -> None:
    assert text_frame(b"x" * length) == as_the_library_does(b"x" * length)
