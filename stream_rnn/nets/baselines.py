"""Networks that are no networks: what can be foretold by counting, to hear and to score beside.

*uniform* takes every symbol for as likely as any other, *unigram* counts how often each comes,
and *markov* counts what came after the last few symbols, as many as its order. Of keys each is
counted on its own: how often it sounds, after what it did in the last few frames.

They offer what the recurrent networks do, so that all that takes those takes these: logits for
the symbol after each, and a state that is a value. The artist makes no difference to them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stream_rnn.errors import CheckpointError
from stream_rnn.nets.architecture import CountingArchitecture as CountingArchitecture
from stream_rnn.nets.network import RecurrentNetwork, State

MOST = 2**24  # contexts: a state holds which one as a float32, exact up to here
LANES = 32  # see engine/kernels/exact.py: a logarithm is to be the same wherever it stands
FEW = 256  # contexts among which it is not worth while to look for those that are alike
ROOT = 1  # the empty context; 0 is one that was never met


class CountingNetwork(nn.Module):
    """What both kinds of table have in common.

    A state is the *context*, `[rows, width]` whole numbers as floats, 0 before any symbol.

    Attributes:
        width: numbers in a context.
        chords: no joint head; see `RecurrentNetwork`.
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
        """Of what comes after a context, `[rows, symbols]` of `[rows, width]`.

        A row is the same to the bit whatever the others are, and however many.
        """
        raise NotImplementedError

    def zero_state(self, rows: int) -> State:
        """The state before any symbol."""
        device = next(self.buffers()).device
        zeros = torch.zeros(1, rows, self.width, device=device)
        return State(zeros, zeros[..., :0])

    def forward(self, symbols: Tensor, artists: Tensor, state: State) -> tuple[Tensor, State]:
        """Runs a stretch of symbols; see `RecurrentNetwork.forward`. Artists are passed over."""
        contexts = self.contexts(symbols, state.hidden[0])
        logits = self.logits(contexts.flatten(0, 1))
        return logits.view(*contexts.shape[:2], -1), State(contexts[None, :, -1], state.cell)


Network = RecurrentNetwork | CountingNetwork
"""What an engine steps and `eval` scores."""


class NGrams(CountingNetwork):
    """What came after the last few symbols: interpolated Kneser-Ney, modified.

    Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling":
    from every count something is taken away, and what that leaves is shared out as the context
    that is one symbol shorter has it, and so on to the uniform distribution. But in a shorter
    context a symbol counts for as many as there are different symbols before the whole: what
    comes after one thing only is not likely after others.

    The strings that were met are the nodes of a tree, numbered by length, and in order: a
    string's children are it and one symbol more. Tables, all of whole numbers:

    * `branches`, `[contexts]`: how many each has, of the strings of up to `order` symbols, the
      empty one first;
    * `symbols`, `[strings]`: the last of each, the empty string's left out;
    * `counts`, `[strings]`: how often it was met, or after how many different symbols.

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
        # Derived, by node: node 0 was never met, 1 is the root, then all in order.
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
        contexts = len(backoff) - 2  # strings that may be one
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
        """The first node of each level of the tree, below the root, and one past the last."""
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
        # A context of n symbols is one of n - 1, a symbol earlier, and this symbol.
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
        columns = (a.symbols // LANES + 1) * LANES  # one more at least, to throw things away
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
            chances.scatter_add_(1, column, self._share.take(at))  # one term each
        return chances.log_()[:, : a.symbols].float()


class KeyChains(CountingNetwork):
    """What each key did after what it had done in the last few frames.

    Counts of a context are eked out with what one frame less would foretell, as much of it as
    there are different things that came (Witten and Bell 1991, method C), down to a half. That
    makes surer with each frame of what never changed; so no chance is surer than if in half a
    frame of all that were counted it had been otherwise. A context is a number a key, whose last
    bit is the last frame. Silence came before it all.

    Tables, `[88, 2 ** order]`: `frames`, how often a context was met, and `sounding`, how
    often the key sounded then.

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
            # Earlier frames than the last n: the high bits, summed over.
            total = frames.view(a.symbols, -1, 2**n).sum(1)
            heard = sounding.view(a.symbols, -1, 2**n).sum(1)
            kinds = (heard > 0).long() + (heard < total).long()
            shorter = chances.repeat(1, 2 if n else 1)
            eked = (heard + kinds * shorter) / (total + kinds).clamp(min=1)
            chances = torch.where(total > 0, eked, shorter).clamp(least, 1 - least)
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
    """The baseline of some tables; see `NGrams` and `KeyChains`."""
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
    """What is taken from a count of 0, 1, 2, and of 3 or more, `[4]` (Chen and Goodman 1999)."""
    n = [int((counts == i).sum()) for i in range(1, 5)]
    if not all(n):
        return torch.tensor([0.0, 0.5, 1.0, 1.5], dtype=torch.float64)
    y = n[0] / (n[0] + 2 * n[1])
    least = 0.05  # something must be left for what was never met
    exact = [i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3)]
    bounded = [min(max(d, least), i - least) for i, d in enumerate(exact, 1)]
    return torch.tensor([0.0, *bounded], dtype=torch.float64)
