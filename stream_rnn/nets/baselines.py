"""Baselines: models that only count, to be heard and scored beside the recurrent networks.

*uniform* gives every symbol the same probability, *unigram* counts how often each occurs, and
*markov* counts what follows the last few symbols, as many as its order. In piano rolls each key
is counted on its own: how often it sounds, given what it did in the last few frames.

Baselines have the interface of recurrent networks, so the same code can use both: they give
logits for the symbol after each, and their state is a value. They ignore the artist.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import CountingArchitecture as CountingArchitecture
from stream_rnn.nets.network import RecurrentNetwork, State

MOST = 2**24  # contexts: a state holds a context's number as a float32, which is exact up to here
LANES = 32  # see engine/kernels/exact.py: a logarithm must not depend on its place in the tensor
FEW = 256  # up to so many contexts, looking for equal ones takes longer than it saves
ROOT = 1  # the node of the empty context; 0 stands for a context that was never counted


class CountingNetwork(nn.Module):
    """The common base of both kinds of baseline.

    The state is the *context*: `[rows, width]` whole numbers as floats, 0 before any symbol.

    Attributes:
        width: the numbers in a context.
        chords: None, since baselines have no joint head; see `RecurrentNetwork`.
    """

    width: int
    chords: None = None

    def __init__(self, architecture: CountingArchitecture) -> None:
        super().__init__()
        self.architecture = architecture

    def contexts(self, symbols: Tensor, before: Tensor) -> Tensor:
        """The context after each symbol, `[rows, time, width]`.

        Args:
            symbols: `[rows, time]` indices or `[rows, time, 88]` keys.
            before: the context before the first, `[rows, width]`.
        """
        raise NotImplementedError

    def logits(self, contexts: Tensor) -> Tensor:
        """Logits of the next symbol, `[rows, symbols]`, given contexts `[rows, width]`.

        A row's logits do not depend, to the bit, on the other rows or their number.
        """
        raise NotImplementedError

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        device = next(self.buffers()).device
        zeros = torch.zeros(1, rows, self.width, device=device)
        return State(zeros, zeros[..., :0])

    def forward(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch of symbols; see `RecurrentNetwork.forward`. Artists are ignored."""
        contexts = self.contexts(symbols, state.hidden[0])
        logits = self.logits(contexts.flatten(0, 1))
        return logits.view(*contexts.shape[:2], -1), State(contexts[None, :, -1], state.cell)


Network = RecurrentNetwork | CountingNetwork
"""A model that an engine can step and `eval` can score."""


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

    Raises:
        CheckpointError: the tables do not fit together.
    """

    _keys: Tensor
    _first: Tensor
    _count: Tensor
    _symbol: Tensor
    _share: Tensor
    _backoff: Tensor

    def __init__(self, architecture: CountingArchitecture, tables: Mapping[str, Tensor]) -> None:
        super().__init__(architecture)
        a = architecture
        self.width = max(1, a.order)
        for name, table in _taken(tables, ("branches", "symbols", "counts")).items():
            self.register_buffer(name, table)
        branches, symbols, counts = (tables[n].long() for n in ("branches", "symbols", "counts"))
        starts = self._levels(branches, symbols, counts)
        # Derived tables, by node: 0 is "never counted", 1 the root, then the strings in order.
        parents = torch.repeat_interleave(torch.arange(len(branches)) + ROOT, branches)
        keys = parents * a.symbols + symbols
        if not bool((keys[1:] > keys[:-1]).all()):
            raise CheckpointError("the table symbols is out of order")
        shares = torch.zeros(len(symbols) + 2, dtype=torch.float64)
        backoff = torch.ones(len(branches) + 1, dtype=torch.float64)
        totals = torch.zeros(len(backoff)).long().index_add_(0, parents, counts)
        for first, last in zip(starts, starts[1:], strict=False):
            level = slice(first - 2, last - 2)
            taken = _discounts(counts[level])[counts[level].clamp(max=3)]
            shares[first:last] = (counts[level] - taken) / totals[parents[level]].clamp(min=1)
            kept = torch.zeros_like(backoff).index_add_(0, parents[level], taken)
            backoff = torch.where(kept > 0, kept / totals.clamp(min=1), backoff)
        contexts = len(backoff) - 2  # the strings that are short enough to be contexts
        derived = {
            "_keys": keys[:contexts],
            "_first": pad(branches.cumsum(0) - branches + 2, (1, 0)),
            "_count": pad(branches, (1, 0)),
            "_symbol": pad(symbols, (2, 0)),
            "_share": shares,
            "_backoff": backoff,
        }
        for name, table in derived.items():
            self.register_buffer(name, table, persistent=False)

    def _levels(self, branches: Tensor, symbols: Tensor, counts: Tensor) -> list[int]:
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

    def contexts(self, symbols: Tensor, before: Tensor) -> Tensor:
        # A context of n symbols is the previous position's context of n - 1, and this symbol.
        rows, time = symbols.shape
        found = before.new_zeros(rows, time, self.width)
        parent = torch.full((rows, time), ROOT, device=symbols.device)
        for n in range(self.architecture.order):
            wanted = parent * self.architecture.symbols + symbols
            at = torch.searchsorted(self._keys, wanted).clamp(max=len(self._keys) - 1)
            node = torch.where(self._keys.take(at) == wanted, at + 2, 0)
            found[:, :, n] = node
            parent = torch.cat([before[:, n : n + 1].long(), node[:, :-1]], 1)
        return found

    def logits(self, contexts: Tensor) -> Tensor:
        if len(contexts) <= FEW:
            return self._logits(contexts)
        different, which = torch.unique(contexts, dim=0, return_inverse=True)
        return self._logits(different)[which]

    def _logits(self, contexts: Tensor) -> Tensor:
        a, rows = self.architecture, len(contexts)
        columns = (a.symbols // LANES + 1) * LANES  # at least one extra, to be thrown away
        chances = torch.full((rows, columns), 1 / a.symbols, device=contexts.device).double()
        node = torch.full((rows,), ROOT, device=contexts.device)
        for n in range(a.levels):
            if n:
                node = contexts[:, n - 1].long()
            chances *= self._backoff.take(node)[:, None]
            count = self._count.take(node)[:, None]
            nth = torch.arange(int(count.max()) if rows else 0, device=node.device)
            at = torch.where(nth < count, self._first.take(node)[:, None] + nth, 0)
            column = torch.where(nth < count, self._symbol.take(at), a.symbols)
            chances.scatter_add_(1, column, self._share.take(at))  # one term for each symbol
        return chances.log_()[:, : a.symbols].float()


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

    _logits: Tensor

    def __init__(self, architecture: CountingArchitecture, tables: Mapping[str, Tensor]) -> None:
        super().__init__(architecture)
        a = architecture
        self.width = a.symbols
        for name, table in _taken(tables, ("frames", "sounding")).items():
            self.register_buffer(name, table)
        frames, sounding = tables["frames"].long(), tables["sounding"].long()
        if not frames.shape == sounding.shape == (a.symbols, 2**a.order):
            raise CheckpointError(f"tables of keys must be {a.symbols} x {2**a.order}")
        if not bool(((sounding >= 0) & (sounding <= frames)).all()):
            raise CheckpointError("a key sounds in more frames than there are")
        chances = torch.full((a.symbols, 1), 0.5, dtype=torch.float64)
        least = 0.5 / (int(frames[0].sum()) + 1)
        for n in range(a.levels):
            # The high bits, which are the frames before the last n, are summed over.
            total = frames.view(a.symbols, -1, 2**n).sum(1)
            heard = sounding.view(a.symbols, -1, 2**n).sum(1)
            kinds = (heard > 0).long() + (heard < total).long()
            shorter = chances.repeat(1, 2 if n else 1)
            smoothed = (heard + kinds * shorter) / (total + kinds).clamp(min=1)
            chances = torch.where(total > 0, smoothed, shorter).clamp(least, 1 - least)
        self.register_buffer("_logits", torch.logit(chances).float(), persistent=False)

    def contexts(self, symbols: Tensor, before: Tensor) -> Tensor:
        order, time = self.architecture.order, symbols.shape[1]
        past = before.long()[:, None]  # [rows, 1, keys]
        earlier = [past >> n & 1 for n in reversed(range(order))]
        frames = torch.cat([*earlier, symbols.long()], 1)
        after = torch.zeros_like(symbols, dtype=torch.long)
        for n in range(order):
            after += frames[:, order - n : order - n + time] << n
        return after.to(before.dtype)

    def logits(self, contexts: Tensor) -> Tensor:
        keys = torch.arange(self.width, device=contexts.device) << self.architecture.order
        return self._logits.take(contexts.long() + keys)


def counting_network(
    architecture: CountingArchitecture, tables: Mapping[str, Tensor]
) -> CountingNetwork:
    """The baseline that has these tables; see `NGrams` and `KeyChains`."""
    kind = NGrams if architecture.head == "categorical" else KeyChains
    return kind(architecture, tables)


def _taken(tables: Mapping[str, Tensor], names: tuple[str, ...]) -> Mapping[str, Tensor]:
    if tables.keys() != set(names):
        raise CheckpointError(f"its tables must be {', '.join(names)}, not {', '.join(tables)}")
    for name, table in tables.items():
        if table.is_floating_point():
            raise CheckpointError(f"the table {name} must be of whole numbers")
    return {name: narrow(tables[name]) for name in names}


def narrow(table: Tensor) -> Tensor:
    """The same whole numbers in as few bytes as they need."""
    most = int(table.max()) if table.numel() else 0
    for dtype in (torch.uint8, torch.int16, torch.int32):
        if most <= torch.iinfo(dtype).max:
            return table.to(dtype)
    return table


def _discounts(counts: Tensor) -> Tensor:
    """The discounts for counts of 0, 1, 2, and 3 or more, `[4]` (Chen and Goodman 1999)."""
    n = [int((counts == i).sum()) for i in range(1, 5)]
    if not all(n):
        return torch.tensor([0.0, 0.5, 1.0, 1.5], dtype=torch.float64)
    y = n[0] / (n[0] + 2 * n[1])
    least = 0.05  # some probability must be left for strings that never occurred
    exact = [i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3)]
    bounded = [min(max(d, least), i - least) for i, d in enumerate(exact, 1)]
    return torch.tensor([0.0, *bounded], dtype=torch.float64)
