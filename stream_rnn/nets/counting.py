"""Counting networks: models that only count, to be heard and scored beside the recurrent ones.

*uniform* gives every symbol the same probability, *unigram* counts how often each occurs, and
*markov* counts what follows the last few symbols, as many as its order. In piano rolls each key
is counted on its own: how often it sounds, given what it did in the last few frames.

Their state is the *context*: `[rows, width]` whole numbers, 0 before any symbol. They ignore the
artist. No torch in here, and no function of a mathematics library, so that the same tables give
the same bits on every machine. `baselines` makes the interface of a recurrent network of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import CountingArchitecture

Wholes = NDArray[np.int64]
Tables = Mapping[str, NDArray[Any]]

MOST = 2**24  # contexts: a snapshot may hold a context's number as a float32, exact up to here
FEW = 256  # up to so many contexts, looking for equal ones takes longer than it saves
ROOT = 1  # the node of the empty context; 0 stands for a context that was never counted
_LN2 = 0.6931471805599453
_TERMS = 11  # of the series of a logarithm: what they leave out is below float64's last place


class CountingNetwork:
    """The common base of both kinds.

    Attributes:
        width: the numbers in a context.
        tables: what a folder holds of it, in as few bytes as the numbers need.
    """

    width: int

    def __init__(self, architecture: CountingArchitecture, tables: Tables) -> None:
        self.architecture = architecture
        self.tables = _checked(tables, tuple(architecture.tensors()))

    def zero_state(self, rows: int) -> Wholes:
        """The contexts before any symbol."""
        return np.zeros((rows, self.width), np.int64)

    def contexts_after(self, symbols: NDArray[Any], contexts: Wholes) -> Wholes:
        """The contexts after one symbol more.

        Args:
            symbols: `[rows]` indices or `[rows, keys]` of 0 and 1.
            contexts: `[rows, width]`; they are left as they are.
        """
        raise NotImplementedError

    def logits(self, contexts: Wholes) -> NDArray[np.float32]:
        """Logits of the next symbol, `[rows, symbols]`.

        A row's logits do not depend, to the bit, on the other rows or their number.
        """
        raise NotImplementedError


class NGrams(CountingNetwork):
    """Counts of the symbols after each context: interpolated modified Kneser-Ney smoothing.

    Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling".
    A discount is taken from every count. The probability that this frees is shared out by the
    distribution of the context one symbol shorter, and so on down to the uniform distribution.
    In the shorter contexts a string counts once for each different symbol before it: a symbol
    that only ever follows one other symbol is not likely after the rest.

    The strings that were counted are the nodes of a tree, numbered by length and then in order.
    A string's children are the strings one symbol longer. The tables hold whole numbers:

    * `branches`, `[contexts]`: the number of children of each string of up to `order` symbols,
      the empty one first;
    * `symbols`, `[strings]`: the last symbol of each string but the empty one;
    * `counts`, `[strings]`: how often each occurs, or after how many different symbols.

    A context has the node of each of its ends, the shortest first.

    Raises:
        CheckpointError: the tables do not fit together.
    """

    def __init__(self, architecture: CountingArchitecture, tables: Tables) -> None:
        super().__init__(architecture, tables)
        a = architecture
        self.width = max(1, a.order)
        branches, symbols, counts = (_wide(tables[n]) for n in ("branches", "symbols", "counts"))
        starts = self._levels(branches, symbols, counts)
        # Derived tables, by node: 0 is "never counted", 1 the root, then the strings in order.
        parents = np.repeat(np.arange(len(branches)) + ROOT, branches)
        keys = parents * a.symbols + symbols
        if not (keys[1:] > keys[:-1]).all():
            raise CheckpointError("the table symbols is out of order")
        nodes = len(branches) + 1
        shares, backoff = np.zeros(len(symbols) + 2), np.ones(nodes)
        totals = np.zeros(nodes, np.int64)
        np.add.at(totals, parents, counts)
        for first, last in zip(starts, starts[1:], strict=False):
            level = slice(first - 2, last - 2)
            taken = _discounts(counts[level])[np.minimum(counts[level], 3)]
            shares[first:last] = (counts[level] - taken) / np.maximum(totals[parents[level]], 1)
            kept = np.bincount(parents[level], weights=taken, minlength=nodes)
            backoff = np.where(kept > 0, kept / np.maximum(totals, 1), backoff)
        self._keys = keys[: nodes - 2]  # of the strings that are short enough to be contexts
        self._first = np.concatenate([[0], branches.cumsum() - branches + 2])
        self._count = np.concatenate([[0], branches])
        self._symbol = np.concatenate([[0, 0], symbols])
        self._share, self._backoff = shares, backoff

    def _levels(self, branches: Wholes, symbols: Wholes, counts: Wholes) -> list[int]:
        """The first node of each level of the tree below the root, and the end of the last."""
        a, starts, low, high = self.architecture, [2], 0, 1
        for _ in range(a.levels):
            starts.append(starts[-1] + int(branches[low:high].sum()))
            low, high = high, starts[-1] - 1
        fits = (
            len(branches) == (low if a.levels else 0)
            and len(symbols) == len(counts) == starts[-1] - 2
            and bool(((symbols >= 0) & (symbols < a.symbols)).all())
            and bool((counts >= 0).all() and (branches >= 0).all())
        )
        if not fits or len(branches) > MOST:
            raise CheckpointError(f"the tables are not those of contexts up to {a.order} symbols")
        return starts

    def contexts_after(self, symbols: NDArray[Any], contexts: Wholes) -> Wholes:
        if not self.architecture.order or not len(self._keys):
            return np.zeros_like(contexts)
        # A context of n symbols is the previous position's context of n - 1, and this symbol.
        parents = np.empty_like(contexts)
        parents[:, 0], parents[:, 1:] = ROOT, contexts[:, :-1]
        wanted = parents * self.architecture.symbols + symbols[:, None]
        at = np.minimum(self._keys.searchsorted(wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, at + 2, 0)

    def logits(self, contexts: Wholes) -> NDArray[np.float32]:
        if len(contexts) <= FEW:
            return self._logits(contexts)
        different, which = np.unique(contexts, axis=0, return_inverse=True)
        return self._logits(different)[which.reshape(-1)]

    def _logits(self, contexts: Wholes) -> NDArray[np.float32]:
        a, rows = self.architecture, len(contexts)
        chances = np.full((rows, a.symbols), 1 / a.symbols)
        nodes = np.full(rows, ROOT)
        for n in range(a.levels):
            if n:
                nodes = contexts[:, n - 1]
            chances *= self._backoff[nodes][:, None]
            counts = self._count[nodes]
            row = np.repeat(np.arange(rows), counts)
            nth = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
            at = self._first[nodes][row] + nth
            chances[row, self._symbol[at]] += self._share[at]  # a symbol is once among them
        return logarithm(chances).astype(np.float32)


class KeyChains(CountingNetwork):
    """How often each key sounds, given what it did in the last few frames.

    The counts of a context are interpolated with the estimate of the context one frame shorter,
    which weighs as many frames as there are different outcomes in the counts (Witten and Bell
    1991, method C); the shortest is interpolated with a half. For a key that never changed, each
    further frame would make this more certain. So no probability is closer to 0 or 1 than half a
    frame in all that were counted. A context is one number per key, whose last bit is the latest
    frame; before the first frame there was silence.

    Tables, `[88, 2 ** order]`: `frames`, how often a context occurred, and `sounding`, how often
    the key sounded after it.

    Raises:
        CheckpointError: the tables do not fit together.
    """

    def __init__(self, architecture: CountingArchitecture, tables: Tables) -> None:
        super().__init__(architecture, tables)
        a = architecture
        self.width = a.symbols
        frames, sounding = _wide(tables["frames"]), _wide(tables["sounding"])
        if not frames.shape == sounding.shape == (a.symbols, 2**a.order):
            raise CheckpointError(f"tables of keys must be {a.symbols} x {2**a.order}")
        if not bool(((sounding >= 0) & (sounding <= frames)).all()):
            raise CheckpointError("a key sounds in more frames than there are")
        chances = np.full((a.symbols, 1), 0.5)
        least = 0.5 / (int(frames[0].sum()) + 1)
        for n in range(a.levels):
            # The high bits, which are the frames before the last n, are summed over.
            total = frames.reshape(a.symbols, -1, 2**n).sum(1)
            heard = sounding.reshape(a.symbols, -1, 2**n).sum(1)
            kinds = (heard > 0).astype(np.int64) + (heard < total)
            shorter = np.tile(chances, (1, 2 if n else 1))
            smoothed = (heard + kinds * shorter) / np.maximum(total + kinds, 1)
            chances = np.clip(np.where(total > 0, smoothed, shorter), least, 1 - least)
        odds = logarithm(chances / (1 - chances))
        self._logits = odds.astype(np.float32).reshape(-1)
        self._rows = np.arange(a.symbols) << a.order  # where each key's begin

    def contexts_after(self, symbols: NDArray[Any], contexts: Wholes) -> Wholes:
        longest = (1 << self.architecture.order) - 1
        return (contexts << 1 | symbols.astype(np.int64)) & longest

    def logits(self, contexts: Wholes) -> NDArray[np.float32]:
        return self._logits[contexts + self._rows]


def counting_network(architecture: CountingArchitecture, tables: Tables) -> CountingNetwork:
    """The network that has these tables; see `NGrams` and `KeyChains`.

    Raises:
        CheckpointError: the tables do not fit together.
    """
    kind = NGrams if architecture.head == "categorical" else KeyChains
    return kind(architecture, tables)


def logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithms of positive numbers.

    By additions, multiplications and divisions, which every machine rounds alike; libraries
    differ in the last place, and so would streams.
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < np.sqrt(0.5)
    mantissa, exponent = np.where(low, 2 * mantissa, mantissa), exponent - low
    s = (mantissa - 1) / (mantissa + 1)  # then ln(mantissa) = 2 (s + s³/3 + s⁵/5 + …)
    square, total = s * s, np.zeros_like(s)
    for n in reversed(range(_TERMS)):
        total = total * square + 1 / (2 * n + 1)
    return np.asarray(2 * s * total + exponent * _LN2)


def narrow(table: NDArray[Any]) -> NDArray[Any]:
    """The same whole numbers in as few bytes as they need."""
    most = int(table.max()) if table.size else 0
    for dtype in (np.uint8, np.int16, np.int32):
        if most <= np.iinfo(dtype).max:
            return table.astype(dtype)
    return table


def _checked(tables: Tables, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    if tables.keys() != set(names):
        raise CheckpointError(f"its tables must be {', '.join(names)}, not {', '.join(tables)}")
    for name, table in tables.items():
        if not np.issubdtype(table.dtype, np.integer):
            raise CheckpointError(f"the table {name} must be of whole numbers")
    return {name: narrow(tables[name]) for name in names}


def _wide(table: NDArray[Any]) -> Wholes:
    return table.astype(np.int64)


def _discounts(counts: Wholes) -> NDArray[np.float64]:
    """The discounts for counts of 0, 1, 2, and 3 or more, `[4]` (Chen and Goodman 1999)."""
    n = [int((counts == i).sum()) for i in range(1, 5)]
    if not all(n):
        return np.array([0.0, 0.5, 1.0, 1.5])
    y = n[0] / (n[0] + 2 * n[1])
    least = 0.05  # some probability must be left for strings that never occurred
    exact = [i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3)]
    bounded = [min(max(d, least), i - least) for i, d in enumerate(exact, 1)]
    return np.array([0.0, *bounded])
