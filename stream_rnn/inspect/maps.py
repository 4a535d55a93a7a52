"""A map of songs, as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rnn.inspect.lettering import save_figure
from stream_rnn.inspect.pictures import DPI
from stream_rnn.train.curves import COLOURS, new_figure

MARKERS = "osD^v<>PX*"
NAMED = 14  # artists with a colour and a mark of their own; the others are grey
TAGGED = 24  # songs with their name beside them


def draw_map(
    places: NDArray[Any],
    groups: Sequence[str],
    names: Sequence[str],
    picture: Path,
    *,
    title: str,
    here: int | None = None,
) -> frozenset[str]:
    """Draws songs at their places, in the colours of their artists.

    Args:
        places: `[songs, 2]`.
        groups: each song's artist, or "".
        names: each song's name; some, spread over the map, are written out.
        picture: the PNG to write.
        here: the number of a song to mark.

    Returns:
        Letters that no font of this machine has (`lettering.remark`).

    Raises:
        DataError: matplotlib is absent.
    """
    figure = new_figure((11, 7.6))
    axes = figure.subplots()
    common = [group for group, _ in Counter(g for g in groups if g).most_common(NAMED)]
    where, xy = np.array(groups), places.T
    rest = ~np.isin(where, common)
    if rest.any():
        label = f"{len(set(where[rest]))} others" if common else None
        axes.scatter(xy[0, rest], xy[1, rest], s=26, color="#c4c4c4" if common else COLOURS[0],
                     label=label, lw=0)  # fmt: skip
    for i, group in enumerate(common):
        mine = where == group
        axes.scatter(
            xy[0, mine], xy[1, mine], s=46, color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[i // len(COLOURS) * 3 + i % 3], label=f"{group} ({mine.sum()})",
            edgecolors="white", lw=0.6,
        )  # fmt: skip
    if here is not None:
        axes.scatter(xy[0, here], xy[1, here], s=260, marker="*", color="#ffcc00",
                     edgecolors="black", label=names[here], zorder=5)  # fmt: skip
    for song in _roomy(places):
        axes.annotate(names[song], places[song], xytext=(4, 4), textcoords="offset points",
                      fontsize=6.5, color="#444444", parse_math=False)  # fmt: skip
    axes.set_title(title, loc="left", fontsize=11, weight="bold", parse_math=False)
    axes.set(xticks=(), yticks=())
    axes.spines[:].set_color("#cccccc")
    axes.margins(0.06)
    if common or here is not None:
        legend = figure.legend(loc="outside right upper", frameon=False, fontsize=8.5)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return save_figure(figure, picture, DPI)


def _roomy(places: NDArray[Any]) -> list[int]:
    """Songs spread over the map: each the farthest from those before it."""
    chosen = [int(np.argmax(((places - places.mean(0)) ** 2).sum(1)))]
    far = np.full(len(places), np.inf)
    while len(chosen) < min(TAGGED, len(places)):
        far = np.minimum(far, ((places - places[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(far.argmax()))
    return chosen
