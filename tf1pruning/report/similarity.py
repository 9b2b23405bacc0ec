"""A picture of how near each layer of a new network is to the same one of the old."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from tf1pruning.report import plots


class Similarity(NamedTuple):
    """What a layer makes, against what it made: signal to noise, in dB.

    Attributes:
      layer: its node.
      before: without a repair of its own; None: not measured.
      after: with it.
    """

    layer: str
    before: Optional[float]
    after: Optional[float]


def draw(layers: Sequence[Similarity]) -> bytes:
    """Bars of the signal to noise ratio of layers, as a PNG file.

    Raises:
      Tf1PruningError: if matplotlib is not installed.
    """
    height = 1.2 + 0.22 * max(1, len(layers))
    figure, axes = plots.pyplot().subplots(figsize=(9, height), constrained_layout=True)
    rows = range(len(layers))
    axes.barh(rows, [each.after or 0 for each in layers], color=plots.KEPT)
    axes.plot(
        [each.before or 0 for each in layers], rows, '|', color='black', markersize=9
    )
    axes.set_yticks(rows)
    axes.set_yticklabels([each.layer for each in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel('signal to noise, dB (line: before the repair of the layer)')
    axes.set_title('What layers make, against the unpruned network')
    return plots.png(figure)
