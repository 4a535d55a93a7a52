"""What can be said of things that a model made, beyond its score.

`python -m stream_rnn.train.measures names FILE CORPUS` tells how many of the names in a file are
not in the corpus, `… code FILE` how much of some C has its brackets balanced, and `… abc FILE`
how many tunes parse and have bars that add up.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from stream_rnn.codecs.abc import bars_add_up, tokenize
from stream_rnn.errors import DataError, StreamRnnError

_LITERALS = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_PAIRS = {")": "(", "]": "[", "}": "{"}
# A definition: a line that begins with a word, its parameters, and its body to the first
# brace in the first column.
_FUNCTION = re.compile(r"^\w[^\n;{}#]*\([^;{}]*\)\s*\n\{\n.*?^\}", re.MULTILINE | re.DOTALL)


def new_names(names: Iterable[str], known: Iterable[str]) -> tuple[int, int, int]:
    """How many names there are, how many different ones, and how many of those are new."""
    given = [" ".join(name.split()).lower() for name in names]
    given = [name for name in given if name]
    different = set(given)
    return len(given), len(different), len(different - {" ".join(k.split()).lower() for k in known})


def is_balanced(code: str) -> bool:
    """Whether each bracket of some C is closed by its like, comments and literals apart."""
    open_brackets: list[str] = []
    for character in _LITERALS.sub(" ", code):
        if character in _PAIRS.values():
            open_brackets.append(character)
        elif character in _PAIRS and (
            not open_brackets or open_brackets.pop() != _PAIRS[character]
        ):
            return False
    return not open_brackets


def balanced_functions(code: str) -> tuple[int, int]:
    """How many functions are defined in some C, and in how many all brackets are balanced."""
    functions = _FUNCTION.findall(code)
    return len(functions), sum(map(is_balanced, functions))


def sound_tunes(abc: str) -> tuple[int, int, int]:
    """How many tunes there are, how many parse, and how many of those add up bar by bar.

    The last tune is left out, since it may have been cut off.
    """
    tunes = re.split(r"^(?=X:)", abc, flags=re.MULTILINE)[1:-1]
    parsed = []
    for tune in tunes:
        try:
            parsed.append(tokenize(tune))
        except DataError:
            continue
    return len(tunes), len(parsed), sum(map(bars_add_up, parsed))


def describe(kind: str, made: str, corpus: str) -> str:
    """One line on what was made.

    Raises:
        DataError: an unknown kind.
    """
    if kind == "names":
        count, different, new = new_names(made.split("\n"), corpus.split("\n"))
        return f"{count} names, {different} different, {new} of those not in the corpus"
    if kind == "code":
        count, balanced = balanced_functions(made)
        return f"{count} functions, {balanced} of them balanced"
    if kind == "abc":
        count, parsed, right = sound_tunes(made)
        return f"{count} tunes, {parsed} parse, {right} of those have bars that add up"
    raise DataError(f"{kind!r} is not measured; names, code and abc are")


def main(arguments: list[str]) -> int:
    """The command line; see the module."""
    if not 2 <= len(arguments) <= 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    kind, made, *corpus = arguments
    try:
        texts = [Path(name).read_text(encoding="utf-8") for name in (made, *corpus)]
        sys.stdout.write(describe(kind, texts[0], "".join(texts[1:])) + "\n")
    except (OSError, ValueError, StreamRnnError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
