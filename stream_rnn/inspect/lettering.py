"""Finds installed fonts for all the letters of a picture, whatever their script.

matplotlib brings DejaVu, which has Latin, Greek, Cyrillic, Arabic, Hebrew and many signs, but not
Chinese, for example. Letters that DejaVu lacks are looked for in the installed fonts. A letter
that no font has is drawn as its code point, and `remark` says which font to install.
"""

from __future__ import annotations

import functools
import logging
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stream_rnn.inspect.bidi import visual

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontEntry

SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"  # both come with matplotlib
LETTER = "letter"  # the gid of a text whose font has been chosen
NAMED = 4  # scripts in a remark
# Fonts that draw every letter as a box or not at all, that have matplotlib's own signs at private
# code points, or that have coloured pictures, which matplotlib cannot draw.
_UNFIT = ("last resort", "lastresort", "adobe blank", "stixnonunicode", "color emoji")
# Words in the names of fonts that are tried after the plain ones.
_LATER = frozenset(
    "serif mono display condensed light black thin kufi nastaliq quran looped rashi unifont".split()
)


class Font(NamedTuple):
    """A font's name in matplotlib, and its file."""

    family: str
    path: str


class Lettering:
    """Chooses an installed font for each letter of some texts.

    Args:
        texts: all the texts to draw.
        face: the main font, used for every letter that it has.

    Attributes:
        families: for matplotlib's `family`: the main font and the others needed.
        missing: letters that no font has.
    """

    def __init__(self, texts: Iterable[str], face: str = SANS) -> None:
        wanted = {ord(c) for text in texts for c in text if _has_shape(c)}
        self._face = _bundled(face)
        self._fonts: dict[str, Font] = {}
        families = [face]
        for font in (self._face, _bundled(SANS)):
            if self._take(font, wanted) and font.family not in families:
                families.append(font.family)
        others = list(_installed()) if wanted else []
        while wanted and others:
            # The font that has most of the rest, so that a text mixes few fonts.
            best = max(others, key=lambda font: len(wanted & _letters(font.path)))
            if not self._take(best, wanted):
                break
            families.append(best.family)
        self.families = families
        self.missing = frozenset(map(chr, wanted))

    def _take(self, font: Font, wanted: set[int]) -> bool:
        """Assigns a font the wanted letters that it has; returns whether there were any."""
        found = wanted & _letters(font.path)
        self._fonts |= dict.fromkeys(map(chr, found), font)
        wanted -= found
        return bool(found)

    def family_of(self, letter: str) -> str:
        """The font that draws a letter."""
        return self._fonts.get(letter, self._face).family

    def formed(self, letter: str, form: str) -> str:
        """The given form of a letter (see `bidi.joined`) if its font has it; else the letter."""
        font = self._fonts.get(letter, self._face)
        return form if all(ord(c) in _letters(font.path) for c in form) else letter

    def shown(self, text: str) -> str:
        """A text in the form to give to matplotlib, with code points for missing letters."""
        if not lays_out():
            line = visual(text)
            pairs = zip(line.order, line.letters, strict=True)
            text = "".join(self.formed(text[i], letter) for i, letter in pairs)
        return "".join(f"[{code(c)}]" if c in self.missing else c for c in text)


def save_figure(figure: Figure, picture: Path, dpi: int) -> frozenset[str]:
    """Saves a figure, with each text in fonts that have its letters.

    Returns:
        Letters that no font has.
    """
    from matplotlib.text import Text

    texts = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_gid() != LETTER]
    lettering = Lettering(t.get_text() for t in texts)
    for text in texts:
        plain = text.get_text()
        if not plain.isascii():
            text.set_fontfamily(lettering.families)
            text.set_text(lettering.shown(plain))
    # Not every font has a bold face; matplotlib would log a warning for each that has none.
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        figure.savefig(picture, dpi=dpi)
    finally:
        log.setLevel(level)
    return lettering.missing


def code(letter: str) -> str:
    """A letter's code point: 591C."""
    return f"{ord(letter):04X}"


def remark(missing: Iterable[str]) -> str:
    """One line on missing letters and the fonts to install for them; empty if none is missing."""
    scripts: dict[tuple[str, str, str], list[str]] = {}
    for letter in sorted(missing):
        scripts.setdefault(_advice(letter), []).append(letter)
    said = []
    for (script, package, font), letters in sorted(scripts.items(), key=lambda s: -len(s[1])):
        which = f"{script} ({len(letters)}, such as U+{code(letters[0])})"
        said.append(f"{which}: install {package} on Debian, the font {font} on macOS")
    if len(said) > NAMED:
        more = len(said) - NAMED
        said = [*said[:NAMED], f"and {more} other script{'s' * (more > 1)}"]
    return (
        "no font here has these letters, drawn as code points: " + "; ".join(said) if said else ""
    )


def lays_out() -> bool:
    """Whether matplotlib itself puts letters in visual order and joins Arabic ones."""
    import matplotlib

    return matplotlib.__version_info__ >= (3, 11)


def _has_shape(letter: str) -> bool:
    """Whether a font has to draw a letter: not spaces, controls or variation selectors."""
    selector = "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"
    return not (selector or unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp"))


_EAST_ASIA = {
    "CJK": "Chinese", "IDEOGRAPHIC": "Chinese", "FULLWIDTH": "Chinese", "BOPOMOFO": "Bopomofo",
    "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HALFWIDTH": "Japanese", "HANGUL": "Korean",
}  # fmt: skip


def _advice(letter: str) -> tuple[str, str, str]:
    """A letter's script, a Debian package with a font for it, and a font for other systems."""
    word = unicodedata.name(letter, "").partition(" ")[0]
    if word in _EAST_ASIA:
        return _EAST_ASIA[word], "fonts-noto-cjk", "Noto Sans CJK"
    if unicodedata.category(letter)[0] == "L" and word:
        return word.capitalize(), "fonts-noto-core", f"Noto Sans {word.capitalize()}"
    if unicodedata.category(letter)[0] == "M" and word not in ("", "COMBINING", "VARIATION"):
        return word.capitalize(), "fonts-noto-core", f"Noto Sans {word.capitalize()}"
    return "signs", "fonts-symbola", "Noto Emoji or Noto Sans Symbols"


@functools.cache
def _letters(path: str) -> frozenset[int]:
    """The code points that a font's file has."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (RuntimeError, OSError):  # matplotlib cannot draw this kind of font
        return frozenset()


@functools.cache
def _bundled(family: str) -> Font:
    from matplotlib import font_manager

    return Font(family, str(font_manager.findfont(family)))


@functools.cache
def _installed() -> tuple[Font, ...]:
    """The installed fonts, plain ones first.

    Fonts installed after matplotlib made its own list are added to it.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {entry.fname for entry in manager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            manager.addfont(path)
        except (RuntimeError, OSError, ValueError, LookupError):
            continue
    fonts: dict[str, Font] = {}
    for entry in sorted(manager.ttflist, key=_plainness):
        if not any(name in entry.name.lower() for name in _UNFIT):
            fonts.setdefault(entry.name, Font(entry.name, entry.fname))
    return tuple(fonts.values())


def _plainness(entry: FontEntry) -> tuple[int, bool, int, str, str]:
    """A sort key: plain, upright fonts of regular weight first; the same order on every run."""
    later = len(_LATER.intersection(entry.name.lower().split()))
    weight = entry.weight if isinstance(entry.weight, int) else 400
    return later, entry.style != "normal", abs(weight - 400), entry.name, entry.fname
