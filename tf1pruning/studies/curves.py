"""Draws curves of loss and accuracy."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, List, Mapping, Optional, Sequence

from tf1pruning.report import plots

_COLUMNS = 4
_COLOURS = ('#2b6cb0', '#c05621', '#2f855a', '#6b46c1', '#b7791f', '#d53f8c', '#4a5568')


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """A curve.

    Attributes:
      label: its name.
      shares: what is pruned at each point, 0 to 1.
      outcomes: loss and accuracy of each point, see `studies.evaluation.Outcome`.
      kind: lines of one kind have one colour.
      dashed: how it is drawn.
    """

    label: str
    shares: Sequence[float]
    outcomes: Sequence[Any]
    kind: str
    dashed: bool = False

    def values(self, name: str) -> List[float]:
        """Losses or accuracies, NaN where they are not known."""
        found: List[Optional[float]] = [getattr(o, name) for o in self.outcomes]
        return [math.nan if value is None else value for value in found]


def loss_and_accuracy(lines: Sequence[Line], x_label: str) -> bytes:
    """A PNG file with the losses to the left and the accuracies to the right."""
    figure, axes = plots.pyplot().subplots(
        1, 2, figsize=(10, 4), constrained_layout=True
    )
    for ax, name in zip(axes, ('loss', 'accuracy')):
        _draw(ax, lines, name)
        ax.set_xlabel(x_label)
        ax.set_ylabel(name)
    axes[0].legend(loc='upper left', fontsize=8)
    return plots.png(figure)


def grid(
    panels: Mapping[str, Sequence[Line]], x_label: str, y_label: str = ''
) -> bytes:
    """A PNG file with a panel of curves per title: accuracies, or else losses.

    Args:
      panels: title -> curves.
      x_label: of the shares.
      y_label: of what is drawn; '': its name.
    """
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    # One legend for all panels has a row of its own.
    figure, axes = plots.pyplot().subplots(
        rows,
        columns,
        figsize=(3.6 * columns, 2.6 * rows + 1),
        squeeze=False,
        sharey=True,
    )
    flat = list(axes.ravel())
    name = _measured(panels)
    for ax, (title, lines) in zip(flat, panels.items()):
        _draw(ax, lines, name)
        ax.set_title(title, fontsize=8)
        ax.set_xlabel(x_label, fontsize=8)
    for ax in flat[len(panels) :]:
        ax.axis('off')
    for row in axes:
        row[0].set_ylabel(y_label or name)
    handles, labels = flat[0].get_legend_handles_labels()
    figure.tight_layout(rect=(0, 0.6 / (2.6 * rows + 1), 1, 1))
    figure.legend(handles, labels, loc='lower center', ncol=6, fontsize=8)
    return plots.png(figure)


def _measured(panels: Mapping[str, Sequence[Line]]) -> str:
    outcomes = [o for lines in panels.values() for line in lines for o in line.outcomes]
    known = all(outcome.accuracy is not None for outcome in outcomes)
    return 'accuracy' if known else 'loss'


def _draw(ax: Any, lines: Sequence[Line], name: str) -> None:
    kinds = list(dict.fromkeys(line.kind for line in lines))
    for line in lines:
        colour = _COLOURS[kinds.index(line.kind) % len(_COLOURS)]
        ax.plot(
            line.shares,
            line.values(name),
            color=colour,
            linestyle='--' if line.dashed else '-',
            marker='.',
            label=line.label,
        )
    ax.grid(alpha=0.3)
