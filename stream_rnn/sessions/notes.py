"""The notes that a store takes of sessions, and their bytes. No I/O.

A `Record` holds what has changed in a session since the record before. A `Mark` says how many
symbols have been committed since. As bytes, each note has its length and a checksum before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from stream_rnn.sessions.controls import Controls

FORMAT = 1  # of a record; a later one was written by a later version
BLOCK = 64  # symbols of the past that are stored as one


class Identity(Struct, frozen=True, array_like=True):
    """Which stream it is: nothing but this model, in these numerics, goes on with it."""

    name: str
    model: str
    fingerprint: str
    numerics: int


class Line(Struct, frozen=True, array_like=True):
    """An entry of the control log: the controls from a position on, and which were changed."""

    position: int
    changed: tuple[str, ...]
    controls: Controls


class Block(Struct, frozen=True, array_like=True):
    """Symbols of the past from a position on, in the columns of the journal."""

    position: int
    symbols: bytes
    due: bytes
    fed: bytes
    velocities: bytes

    def __len__(self) -> int:
        return len(self.fed)

    def since(self, position: int) -> Block:
        """The part of it from a position on."""
        skip = max(0, position - self.position)
        wide, long = skip * (len(self.symbols) // len(self)), 8 * skip
        return Block(
            self.position + skip, self.symbols[wide:], self.due[long:], self.fed[skip:],
            self.velocities[skip:],
        )  # fmt: skip


class Head(Struct, frozen=True, array_like=True):
    """What a session is at its latest record, besides its past.

    Attributes:
        seq: the records of a session are numbered from 1.
        first, position: the part of the past that is kept.
        lines: how many entries the control log has.
        epoch, partings, unknown: see `Epochs`.
    """

    seq: int
    identity: Identity
    status: str
    silent: bool
    idle_paused: bool
    first: int
    position: int
    log_first: int
    lines: int
    epoch: int
    partings: tuple[tuple[int, int], ...]
    unknown: tuple[int, int]
    format: int = FORMAT


class Record(Struct, frozen=True, array_like=True, tag=True):
    """What has changed in a session since its last record.

    Attributes:
        key: the session's number in the store.
        whole: whether it needs no record before it.
        low: entries of the control log from here on are replaced by `lines`.
        blocks: replace all from the position of the first of them on.
        cut: blocks from here on are replaced by `blocks`.
        states, gone: states that are new, and positions of those that were let go.
    """

    key: int
    whole: bool
    head: Head
    low: int
    lines: tuple[Line, ...]
    cut: int
    blocks: tuple[Block, ...]
    states: tuple[tuple[int, bytes], ...]
    gone: tuple[int, ...]


class Removed(Struct, frozen=True, array_like=True, tag=True):
    """A session was closed."""

    key: int


class Mark(Struct, frozen=True, array_like=True, tag=True):
    """How far a session has been committed since its record `seq`."""

    key: int
    seq: int
    epoch: int
    position: int


Note = Record | Removed | Mark


_FRAME = struct.Struct("<II")
_MARK = struct.Struct("<BIIQQ")
_MARKED = 0xC1  # never the first byte of a msgpack value
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record | Removed)


def frame(body: bytes) -> bytes:
    """A body with its length and checksum before it."""
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def unframe(data: bytes) -> bytes | None:
    """The body of a frame; none if it is damaged."""
    bodies = list(_bodies(data))
    return bodies[0] if bodies else None


def _bodies(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        body = data[at : at + length]
        if not body or len(body) < length or zlib.crc32(body) != checksum:
            return
        yield body
        at += length


def mark_bytes(key: int, seq: int, epoch: int, position: int) -> bytes:
    """A mark as a frame. It is made for each symbol, so quickly."""
    body = _MARK.pack(_MARKED, key, seq, epoch, position)
    return _FRAME.pack(_MARK.size, zlib.crc32(body)) + body


def note_bytes(note: Note) -> bytes:
    """A note as a frame."""
    if isinstance(note, Mark):
        return mark_bytes(note.key, note.seq, note.epoch, note.position)
    return frame(_encoder.encode(note))


def notes_in(data: bytes) -> Iterator[Note]:
    """The notes in a file, up to the first that is damaged or was not written whole."""
    for body in _bodies(data):
        if body[0] == _MARKED and len(body) == _MARK.size:
            yield Mark(*_MARK.unpack(body)[1:])
        else:
            try:
                yield _decoder.decode(body)
            except msgspec.MsgspecError:  # of a later version
                return
