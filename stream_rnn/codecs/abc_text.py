"""Reads ABC as people write it into tokens (see `abc`), following the standard, abc 2.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from stream_rnn.codecs.abc_fields import (
    SIGNS,
    Shift,
    Voice,
    read_key,
    read_meter,
    read_unit,
    read_voice,
    usual_unit,
)
from stream_rnn.codecs.abc_notes import (
    LENGTH,
    NAME,
    REACHES,
    STRUCK,
    Accidentals,
    Written,
    length_token,
    name_of,
    read_length,
    spelt,
)
from stream_rnn.codecs.melody import (
    ACCIDENTALS,
    BARS,
    FREE,
    bar_of,
    key_signature,
    natural_pitch,
)
from stream_rnn.errors import DataError

MAX_REST = 100  # bars of one rest
MAX_RESTS = 1000  # bars of all rests of a tune

_FIELD = re.compile(r"[A-Za-z+]:(?![|:])")  # `A:|` is a note before a repeat
_HEADER_FIELD = re.compile(r"[A-Za-z+]:")
_DIRECTIVE = re.compile(r"(?:%%|I:)\s*propagate-accidentals\s+(\S+)")
_PLUS = re.compile(r"(?:%%|I:)\s*decoration\s+\+")
_ORNAMENT = r"\"[^\"]*\"|![^!\s|]{1,40}!"
_LEXEMES = re.compile(
    rf"(?P<old>\+(?!f{{1,4}}\+)(?P<oldchord>(?:{NAME}{LENGTH}){{2,}})\+)"
    rf"|(?P<skip>{_ORNAMENT}|\+[^+\s|]{{1,40}}\+|[\s`\\.~*!$#;?@)]|y\d*|[H-WYh-w]|\((?!\d))"
    r"|\{(?P<grace>[^}]*)\}"
    r"|\[(?P<field>[A-Za-z]:[^\]\n]*)\]"
    r"|(?P<bar>\[\|\]|\[\|:?|:*\|[|\]]*:*|::+)"
    r"|(?P<ending>\[?[1-9](?:[,-][1-9])*)(?![\d/])"
    rf"|\[(?P<chord>[^\]|:\n]{{1,400}})\](?P<chordlength>{LENGTH})"
    r"|(?P<named>\[(?=\"))"  # an ending with words in place of a number
    rf"|(?P<note>{NAME})(?P<length>{LENGTH})"
    r"|[ZX](?P<rest>\d*)"
    r"|(?P<tuplet>\([2-9](?::\d?){0,2})"
    r"|(?P<broken>>{1,3}|<{1,3})"
    r"|(?P<tie>-)"
)


class Tokenizer:
    """Reads lines of ABC into `tokens`.

    The tokens sound like the text when they are read by the rules of `melody`. A token gets an
    accidental of its own where the text's rules for accidentals differ, or where the note that had
    the accidental is left out: a grace note, or a lower note of a chord.

    Args:
        whole: whether the lines are a whole tune, whose header ends with its `K:`; else they are a
            piece of a tune, in eighths unless it says otherwise.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.tokens: list[str] = []
        self._whole = whole
        self._in_header = True
        self._unit: Fraction | None = None
        self._meter = FREE if whole else "4/4"
        self._key = FREE
        self._voice = Voice()
        self._shift = Shift()
        self._read = Accidentals()  # in force in the text
        self._told = Accidentals()  # in force in the tokens
        self._rests = 0  # bars, so far
        self._plus = False  # whether `+` is for decorations, never for chords
        self._last: Written | None = None
        self._tied: Written | None = None  # the note that the next one may be tied to
        self._leads: Written | None = None  # the same, for the first note of a later ending
        self._before_endings: tuple[Written | None, Written | None] = None, None  # `_last`, `_tied`

    def lines(self, abc: str) -> None:
        """Reads lines.

        Raises:
            DataError: a part of them is not ABC; the message shows it.
        """
        has_key = re.search(r"^K:", abc, re.MULTILINE) is not None
        for full in _heard(abc):
            if found := _DIRECTIVE.match(full):
                self._read.reach = found[1] if found[1] in REACHES else "pitch"
            self._plus = self._plus or _PLUS.match(full) is not None
            line = full.partition("%")[0].strip()
            header = self._whole and self._in_header
            if (_HEADER_FIELD if header and has_key else _FIELD).match(line):
                self._field(line[0], line[2:].strip())
                if line[0] == "K":
                    self._begin()
            elif line and not (header and has_key):  # a stray line in a header is skipped
                self._begin()
                self._music(line)
        self._begin()

    def _begin(self) -> None:
        """Ends the header, if it has not ended yet."""
        if self._in_header and self._whole:
            self.tokens += [f"M:{self._meter}", f"K:{self._shift.key(self._key)}"]
            self._unit = self._unit or usual_unit(self._meter)
        self._in_header = False

    def _field(self, name: str, value: str) -> None:
        if name == "L":
            self._unit = read_unit(value)
        elif name == "M":
            self._meter = read_meter(value)
            self._say(f"M:{self._meter}")
        elif name in "KV":
            settings = value.partition(" ")[2] if name == "V" else value
            before = self._voice.semitones
            self._voice, key = read_voice(settings, self._voice)
            if name == "K" and (key or not value):  # a clef alone does not change the key
                self._key = read_key(key)
            elif self._voice.semitones == before:
                return
            self._in_key(say=name == "K" or not self._in_header)

    def _in_key(self, *, say: bool) -> None:
        signature = key_signature(self._key)
        self._shift = Shift.of(self._voice.semitones, signature)
        moved = self._shift.key(self._key)
        self._read.change_key(signature)
        self._told.change_key(key_signature(moved))
        if say:
            self._say(f"K:{moved}")

    def _say(self, field: str) -> None:
        if not self._in_header:
            self.tokens.append(f"[{field}]")
        elif not self._whole:
            self.tokens.append(field)

    def _music(self, line: str) -> None:
        position = 0
        while position < len(line):
            found = _LEXEMES.match(line, position)
            if found is None or (found["ending"] and not self._ends_here(found["ending"])):
                raise DataError(f"not understood as ABC: {line[position : position + 20]!r}")
            position = found.end()
            self._lexeme(found)

    def _ends_here(self, ending: str) -> bool:
        """Whether a number may begin an ending: without a bracket it must follow a bar line."""
        return ending[0] == "[" or not self.tokens or self.tokens[-1] in BARS

    def _lexeme(self, found: re.Match[str]) -> None:
        if found["note"]:
            self._note(found["note"], read_length(found["length"]))
        elif found["old"]:
            if not self._plus:
                self._chord(found["oldchord"], "")
        elif found["chord"]:
            self._chord(found["chord"], found["chordlength"])
        elif found["grace"] is not None:
            self._leave(found["grace"])
        elif found["field"]:
            self._field(found["field"][0], found["field"][2:].strip())
        elif found["bar"]:
            self._bar(found["bar"])
        elif found["ending"]:
            self._ending(found["ending"].lstrip("["))
        elif found["rest"] is not None:
            self._rest(found["rest"])
        elif found["tie"]:
            self._tie()
        elif found["tuplet"] or found["broken"]:
            self.tokens.append(found[0])

    def _bar(self, line: str) -> None:
        # A bar line at the end of a line and one at the beginning of the next are one.
        before = self.tokens.pop() if self.tokens and self.tokens[-1] in BARS else ""
        self.tokens.append(_bar(before * (before != "|") + line))
        self._read.end_bar()
        self._told.end_bar()

    def _ending(self, numbers: str) -> None:
        self.tokens.append("[" + numbers)
        if numbers[0] == "1":
            self._before_endings = self._last, self._tied
        else:
            # A later ending continues from what precedes the first one, not from the first one.
            self._tied, self._leads = None, self._before_endings[1]

    def _tie(self) -> None:
        after = self.tokens[-1] if self.tokens else ""
        if after[:1] == "[" and after[1:2].isdigit():
            if after[1] != "1":  # `:|2 -A`
                self._leads = self._before_endings[0]
                return
            self._before_endings = self._last, self._last
        self._tied = self._last

    def _note(self, name: str, length: Fraction) -> None:
        tied, leads = self._tied, self._leads
        self._tied = self._leads = None
        sign, letter, octave = spelt(name)
        if letter in "ZX":
            self._last = None
            self._sound("z", length)
            return
        if sign:
            by = ACCIDENTALS[sign]
            self._read.write(Written(letter, by, octave))
        else:
            by = self._read.of(letter, octave)
            for other in (leads, tied):
                if other and (other.letter, other.octave) == (letter, octave):
                    by = other.by  # a tie carries an accidental over the bar line
        self._last = Written(letter, by, octave)
        # A hyphen to another note is a slur in some collections; only a tie is kept.
        ties = tied == self._last
        if ties:
            self.tokens.append("-")
        self._sound(self._told_name(name, sign, ties=ties), length)

    def _told_name(self, name: str, sign: str, *, ties: bool) -> str:
        """The last note's name as a token, with an accidental if the tokens' rules need one."""
        note = self._last
        assert note is not None
        base = name[len(sign) :]
        if self._shift.semitones:
            note = Written(*self._shift.note(*note))
            base = name_of(note)
        if abs(note.by) > 2:
            raise DataError(f"not understood as ABC: {name} cannot be transposed to a plain note")
        if sign or not (ties or self._told.of(note.letter, note.octave) == note.by):
            self._told.write(note)
            return SIGNS[note.by] + base
        return base

    def _chord(self, chord: str, outer: str) -> None:
        """Keeps the highest note of a chord, as long as the first one (abc 2.1, 4.17)."""
        struck = list(STRUCK.finditer(re.sub(_ORNAMENT, "", chord)))
        if not struck:
            raise DataError(f"not understood as ABC: [{chord}]")

        def height(found: re.Match[str]) -> int:
            sign = spelt(found["note"])[0]
            return natural_pitch(found["note"][len(sign) :]) + ACCIDENTALS.get(sign, 0)

        top = max(struck, key=height)
        length = read_length(struck[0]["length"]) * read_length(outer)
        for found in struck:
            if found is top:
                self._note(found["note"], length)
            else:
                self._leave(found[0])
        if top["tie"]:
            self._tied = self._last

    def _leave(self, notes: str) -> None:
        """Leaves out grace notes or lower notes, whose accidentals still hold in the bar."""
        for found in STRUCK.finditer(notes):
            sign, letter, octave = spelt(found["note"])
            if sign:
                self._read.write(Written(letter, ACCIDENTALS[sign], octave))

    def _rest(self, bars: str) -> None:
        """`Z4`: bars of silence."""
        length = bar_of(self._meter)
        if length is None or len(bars) > 3 or not 0 < int(bars or 1) <= MAX_REST:
            raise DataError(
                f"not understood as ABC: Z{bars}: bars of rest need a meter, and are at most "
                f"{MAX_REST}"
            )
        self._rests += int(bars or 1)
        if self._rests > MAX_RESTS:
            raise DataError(f"not understood as ABC: more than {MAX_RESTS} bars of rest")
        self._tied = self._leads = self._last = None
        for number in range(int(bars or 1)):
            if number:
                self._bar("|")
            self._lasting("z", Fraction(length))

    def _sound(self, name: str, length: Fraction) -> None:
        self._lasting(name, length * (self._unit or Fraction(1, 8)) * 8)

    def _lasting(self, name: str, eighths: Fraction) -> None:
        self.tokens.append(name)
        if eighths != 1:
            self.tokens.append(length_token(eighths))


def tokenize(abc: str, *, whole: bool = False) -> list[str]:
    """The tokens of one tune, or of a piece of one.

    Args:
        whole: whether it is a whole tune. Its tokens begin with a meter and a key, `none` if it has
            none, and without `L:` the meter decides how long a note is. A piece is in eighths.

    Raises:
        DataError: a part of it is not ABC; the message shows it.
    """
    tokenizer = Tokenizer(whole=whole)
    tokenizer.lines(abc)
    return tokenizer.tokens


def _heard(abc: str) -> Iterator[str]:
    """The lines of a tune without blocks of text or PostScript."""
    inside = ""
    for line in abc.replace("\r", "\n").split("\n"):
        if begins := re.match(r"%%begin(\w+)", line):
            inside = begins[1]
        elif inside:
            inside = "" if line.startswith(f"%%end{inside}") else inside
        else:
            yield line


def _bar(bar: str) -> str:
    """The token for one or two bar lines as they are written."""
    ends, begins = bar.startswith(":") or ":|" in bar, bar.endswith(":") or "|:" in bar
    if ends and begins:
        return "::"
    if ends or begins:
        return ":|" if ends else "|:"
    if bar == "[|]":  # an invisible one
        return "|"
    return "|" if "||" not in bar.replace("[", "|").replace("]", "|") else "||"
