"""A picture of how near each layer of a new network is to the same one of the old."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from tf1pruning.report import plots

# More is no difference that can be seen.
_MOST = 60.0


class Similarity(NamedTuple):
    """What a layer makes, against the unpruned network: signal to noise, in dB.

    Attributes:
      layer: its node.
      pruned: with zeros alone.
      repaired: after the repair.
      distilled: after distillation; None: there was none.
    """

    layer: str
    pruned: float
    repaired: float
    distilled: Optional[float] = None

    @property
    def last(self) -> float:
        """Of the network as it is in the end."""
        return self.repaired if self.distilled is None else self.distilled


def draw(layers: Sequence[Similarity]) -> bytes:
    """Bars of the signal to noise ratio of layers, as a PNG file.

    Raises:
      Tf1PruningError: if matplotlib is not installed.
    """
    height = 1.2 + 0.22 * max(1, len(layers))
    figure, axes = plots.pyplot().subplots(figsize=(9, height), constrained_layout=True)
    rows = range(len(layers))
    axes.barh(rows, [min(each.last, _MOST) for each in layers], color=plots.KEPT)
    pruned = [min(each.pruned, _MOST) for each in layers]
    axes.plot(pruned, rows, '|', color='black', markersize=9)
    axes.set_yticks(rows)
    axes.set_yticklabels([each.layer for each in layers], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel('signal to noise, dB (line: with zeros alone)')
    axes.set_title('What layers make, against the unpruned network')
    return plots.png(figure)
