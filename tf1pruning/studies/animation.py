"""Draws histograms of magnitudes: a picture per step, and all steps as a GIF."""

from __future__ import annotations

import math
import os
from typing import Any, List, Mapping, Sequence, Tuple

import numpy as np

from tf1pruning import files
from tf1pruning.report import plots

# Step and layer -> magnitudes.
Frame = Tuple[str, Mapping[str, np.ndarray]]
_COLUMNS = 3
_SHOWN = 12


def draw(frames: Sequence[Frame], bins: int) -> List[bytes]:
    """A PNG file per frame; zeros are left out, since nothing else could be seen.

    Args:
      frames: title, and layer -> magnitudes; the same layers in all frames, of which
        the first dozen are drawn.
      bins: of each histogram.
    """
    limits = _limits(frames)
    pictures = []
    for frame in frames:
        figure = _figure(frame)
        _fill(figure, frame, bins, limits)
        pictures.append(plots.png(figure))
    return pictures


def write_gif(path: str, frames: Sequence[Frame], bins: int) -> None:
    """The frames as a GIF, a second each; the file is written as a whole.

    Raises:
      OutputError: if it cannot be written.
    """
    limits = _limits(frames)
    figure = _figure(frames[0])
    from matplotlib import animation

    def show(index: int) -> None:
        figure.clear()
        _fill(figure, frames[index], bins, limits)

    found = animation.FuncAnimation(figure, show, frames=len(frames), repeat=True)
    folder, name = os.path.split(path)
    with files.staging(folder or '.') as temporary:
        staged = os.path.join(temporary, name)
        found.save(staged, writer=animation.PillowWriter(fps=1))
        files.publish(staged, path)
    plots.pyplot().close(figure)


def _figure(frame: Frame) -> Any:
    """An empty figure with room for the histograms of a frame."""
    rows, columns = _grid(frame)
    return plots.pyplot().figure(figsize=(4 * columns, 3 * rows))


def _fill(figure: Any, frame: Frame, bins: int, limits: Mapping[str, float]) -> None:
    title, layers = frame
    rows, columns = _grid(frame)
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (name, values) in zip(axes, layers.items()):
        left = values[values > 0]
        # One outline: hundreds of bars take minutes to draw.
        ax.hist(
            left,
            bins=bins,
            range=(0, limits[name]),
            color=plots.KEPT,
            histtype='stepfilled',
        )
        ax.set_title(f'{name}: {left.size} of {values.size}', fontsize=8)
        ax.set_xlabel('magnitude', fontsize=8)
        ax.set_ylabel('how many', fontsize=8)
    for ax in axes[len(layers) :]:
        ax.axis('off')
    figure.subplots_adjust(hspace=0.5, wspace=0.3)


def _grid(frame: Frame) -> Tuple[int, int]:
    count = min(len(frame[1]), _SHOWN)
    columns = min(_COLUMNS, count)
    return math.ceil(count / columns), columns


def _limits(frames: Sequence[Frame]) -> Mapping[str, float]:
    """Layer -> right end of its axis in all frames."""
    return {
        name: max(float(np.max(layers[name])) for _, layers in frames) or 1.0
        for name in frames[0][1]
    }
