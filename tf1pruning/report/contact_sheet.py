"""A picture of the first inputs as a network is fed with them, and their figures.

Wrong preprocessing is seen at once: a picture that is too dark or blue, channels in the
place of rows, a range that is not the one of the training.
"""

from __future__ import annotations

import dataclasses
import math
from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from tf1pruning.report import images

MOST = 16
_COLUMNS = 4
_GAP = 4
# Pixels of an example along each side, about.
_SIDE = 160
_BACKGROUND = 255


@dataclasses.dataclass(frozen=True)
class ContactSheet:
    """Inputs of a network in one picture.

    Attributes:
      png: the file, which also holds the lines as its description; None: no input can
        be drawn.
      lines: what each input holds, or why it is not drawn.
    """

    png: Optional[bytes] = dataclasses.field(repr=False)
    lines: Tuple[str, ...]

    def __str__(self) -> str:
        return '\n'.join(self.lines)


def draw(arrays: Mapping[str, np.ndarray]) -> ContactSheet:
    """Draws the first 16 examples of each input, one input below the other.

    Each example is drawn from black at its own smallest number to white at its largest.

    Args:
      arrays: input -> `[examples, ...]` as it is fed.
    """
    found = [_look(name, array[:MOST] if array.ndim else array)
             for name, array in arrays.items()]  # fmt: skip
    lines = tuple(each.line for each in found)
    sheets = [_sheet(each.tiles) for each in found if each.tiles is not None]
    if not sheets:
        return ContactSheet(None, lines)
    return ContactSheet(images.png(_stacked(sheets), '\n'.join(lines)), lines)


class _Look(NamedTuple):
    """What is seen of an input.

    Attributes:
      tiles: `[examples, height, width, 3]` brightness; None: it cannot be drawn.
      line: its figures.
    """

    tiles: Optional[np.ndarray]
    line: str


def _look(name: str, array: np.ndarray) -> _Look:
    if array.dtype.kind not in 'fiu' or array.ndim < 2 or not array.size:
        what = 'x'.join(map(str, array.shape)) or 'one'
        return _Look(None, f'{name}: {array.dtype}, {what}: not drawn.')
    axis = _channel_axis(array.shape)
    last = array if axis is None else np.moveaxis(array, axis, -1)
    size = 'x'.join(map(str, array.shape[1:]))
    line = f'{name}: {len(array)} of {size}, {_figures(last, axis is not None)}'
    pixels = last if axis is not None else _flat(array)
    if pixels is None:
        return _Look(None, f'{line}; not drawn.')
    tiles = np.stack([_brightness(each) for each in pixels])
    return _Look(np.broadcast_to(tiles, (*tiles.shape[:3], 3)), f'{line}.')


def _channel_axis(shape: Sequence[int]) -> Optional[int]:
    """The axis of the channels of images; None: these are no images."""
    if len(shape) != 4:
        return None
    return next((axis for axis in (3, 1) if shape[axis] in (1, 3)), None)


def _flat(array: np.ndarray) -> Optional[np.ndarray]:
    """What is no image as maps, `[examples, height, width, 1]`; None if it has none."""
    if array.ndim == 2:  # One map whose rows are the examples.
        return array[None, :, :, None]
    if array.ndim == 3:
        return array[..., None]
    return array.mean(axis=-1, keepdims=True) if array.ndim == 4 else None


def _figures(array: np.ndarray, has_channels: bool) -> str:
    """Smallest, largest, mean and deviation; of each channel, the last axis."""
    rows = array.reshape(-1, array.shape[-1] if has_channels else 1).astype(np.float64)
    figures = {
        'min': rows.min(axis=0),
        'max': rows.max(axis=0),
        'mean': rows.mean(axis=0),
        'std': rows.std(axis=0),
    }
    return ', '.join(
        f'{name} {" ".join(f"{value:.4g}" for value in values)}'
        for name, values in figures.items()
    )


def _brightness(pixels: np.ndarray) -> np.ndarray:
    """`[height, width, channels]` numbers as brightness, of a visible size."""
    pixels = pixels.astype(np.float64)
    low, high = pixels.min(), pixels.max()
    scaled = (pixels - low) * (255.0 / (high - low)) if high > low else pixels * 0.0
    found = np.round(scaled).astype(np.uint8)
    for axis in (0, 1):
        size = found.shape[axis]
        found = np.repeat(found, max(1, _SIDE // (2 * size)), axis)
        step = math.ceil(size / (2 * _SIDE))
        found = np.take(found, range(0, found.shape[axis], step), axis)
    return found


def _sheet(tiles: np.ndarray) -> np.ndarray:
    """Tiles in rows, `[height, width, 3]`."""
    count, height, width, _ = tiles.shape
    columns = min(count, _COLUMNS)
    rows = math.ceil(count / columns)
    shape = (rows * (height + _GAP), columns * (width + _GAP), 3)
    sheet = np.full(shape, _BACKGROUND, np.uint8)
    for number, tile in enumerate(tiles):
        top = number // columns * (height + _GAP)
        left = number % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _stacked(sheets: List[np.ndarray]) -> np.ndarray:
    """Sheets one below the other."""
    width = max(sheet.shape[1] for sheet in sheets)
    padded = [
        np.pad(
            sheet,
            ((0, 0), (0, width - sheet.shape[1]), (0, 0)),
            'constant',
            constant_values=_BACKGROUND,
        )
        for sheet in sheets
    ]
    return np.concatenate(padded)
