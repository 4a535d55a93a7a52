"""Templates of OSC messages, such as `/dirt/play s superpiano n {note} sustain {seconds}`.

With templates, a configured target gets messages in its own format. A template is an address
and arguments, separated by spaces: whole numbers, numbers with a point, strings (in quotes if
they contain spaces or look like numbers), and fields in braces, which are filled in for each
note, character, symbol, touch or control. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_rnn.errors import ConfigError
from stream_rnn.sound.voice import Note
from stream_rnn.wire.osc_answers import Message

# The fields of each kind of template. A field that is an argument by itself is sent as its
# value's type: a whole number (pitch, note, velocity, n), a number with a point (gain, seconds),
# or a string.
_ALWAYS = frozenset({"n", "seconds", "session"})
FIELDS: dict[str, frozenset[str] | set[str]] = {
    "note": _ALWAYS | {"pitch", "note", "velocity", "gain", "player"},
    "char": _ALWAYS | {"char"},
    "symbol": _ALWAYS,
    "touch": {"session", "player", "x", "y", "down", "pitch"},
    "off": {"session", "player", "pitch", "note"},
    "control": {"session", "name", "value", "norm"},
}
IN_ADDRESSES = frozenset({"session", "name", "n", "pitch", "note", "velocity", "player", "down"})

MIDDLE_C = 60
MAX_VELOCITY = 127

_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+))(?=\s|$)""")
_FIELD = re.compile(r"\{([^{}]*)\}")
_INT = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Filled:
    """An argument that contains fields. If it is a single field, the value keeps its type."""

    text: str

    def __call__(self, values: Mapping[str, Any]) -> Any:
        whole = _FIELD.fullmatch(self.text)
        return values[whole[1]] if whole else _fill(self.text, values)


@dataclass(frozen=True)
class Template:
    """A message with fields to be filled in."""

    address: str
    arguments: tuple[int | float | str | Filled, ...]

    @classmethod
    def parse(cls, text: str, kind: str) -> Template:
        """Parses a template.

        Args:
            kind: `note`, `off`, `char`, `symbol`, `touch` or `control`.

        Raises:
            ConfigError: the template is wrong; the message quotes it and says what to change.
        """
        where = f"{kind} = {text!r}"
        words = _words(text, where)
        for word, _ in words:
            for name in _FIELD.findall(word):
                if name not in FIELDS[kind]:
                    known = ", ".join(sorted(FIELDS[kind]))
                    article = "an" if kind == "off" else "a"
                    raise ConfigError(
                        f"{where}: there is no {{{name}}} in {article} {kind} template; "
                        f"there are: {known}"
                    )
            if re.search(r"[{}]", _FIELD.sub("", word)):
                raise ConfigError(f"{where}: a brace is not closed, or stands alone")
        if not words or not words[0][0].startswith("/"):
            raise ConfigError(f"{where}: a template begins with an address, such as /dirt/play")
        address = words[0][0]
        if not IN_ADDRESSES.issuperset(_FIELD.findall(address)) or re.search(r"[\s#*,?]", address):
            known = ", ".join(sorted(IN_ADDRESSES))
            raise ConfigError(
                f"{where}: an address takes no spaces or # * , ?, and only these fields: {known}"
            )
        return cls(address, tuple(_argument(*word) for word in words[1:]))

    def uses(self, field: str) -> bool:
        """Whether the template contains a field."""
        texts = [self.address, *(a.text for a in self.arguments if isinstance(a, Filled))]
        return any(field in _FIELD.findall(text) for text in texts)

    def message(self, values: Mapping[str, Any]) -> Message:
        """The message, filled in.

        Args:
            values: the values of all fields that its kind may have.
        """
        return (
            _fill(self.address, values),
            tuple(a(values) if isinstance(a, Filled) else a for a in self.arguments),
        )


def note_values(note: Note) -> dict[str, Any]:
    """The values of a note for the fields of `note` templates (it begins) and `off` (it ends)."""
    return {
        "pitch": note.pitch,
        "note": note.pitch - MIDDLE_C,
        "velocity": note.velocity,
        "gain": note.velocity / MAX_VELOCITY,
        "player": note.player,
    }


def _words(text: str, where: str) -> list[tuple[str, bool]]:
    """The words of a text, and whether each stood in quotes."""
    words, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise ConfigError(f"{where}: a quote is not closed, or is inside a word")
        double, single, plain = found.groups()
        if plain is not None:
            words.append((plain, False))
        else:
            words.append((single if double is None else re.sub(r"\\(.)", r"\1", double), True))
        at = found.end()
    return words


def _argument(word: str, quoted: bool) -> int | float | str | Filled:
    if _FIELD.search(word):
        return Filled(word)
    if not quoted and _INT.fullmatch(word):
        return int(word)
    if not quoted and _FLOAT.fullmatch(word):
        return float(word)
    return word


def _fill(text: str, values: Mapping[str, Any]) -> str:
    return _FIELD.sub(lambda found: str(values[found[1]]), text)
