"""PNG files without a package, and pictures of filter norms over time."""

from __future__ import annotations

import struct
import zlib
from typing import Dict, List, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

# Pixels of a picture along each side, about; small arrays are enlarged to it.
_SIDE = 256
MOST_COLUMNS = 512

# Numbers of kinds of pixels.
_GREY, _COLOURS = 0, 2
_SIGNATURE = b'\x89PNG\r\n\x1a\n'


class NormHistory:
    """Norms of the filters of each group, one column per measurement.

    Above `MOST_COLUMNS` columns every other one is dropped.
    """

    def __init__(self) -> None:
        self._columns: List[Dict[str, np.ndarray]] = []

    def add(self, norms: Mapping[str, np.ndarray]) -> None:
        """Adds a measurement: group -> `[filters]` norms."""
        self._columns.append(dict(norms))
        if len(self._columns) > MOST_COLUMNS:
            self._columns = self._columns[::2]

    def pictures(self) -> Dict[str, np.ndarray]:
        """Group -> `[filters, measurements]` brightness, 255 for the largest norm."""
        found = {}
        for name in self._columns[-1] if self._columns else ():
            norms = np.stack([column[name] for column in self._columns], axis=1)
            largest = norms.max() or 1.0
            found[name] = np.round(255 * norms / largest).astype(np.uint8)
        return found


def image(pixels: np.ndarray) -> tf.Summary.Image:
    """A picture as TensorBoard stores it, each pixel enlarged to a visible square.

    Args:
      pixels: `[height, width]` brightness, of type uint8.
    """
    for axis in (0, 1):
        pixels = np.repeat(pixels, max(1, _SIDE // pixels.shape[axis]), axis)
    height, width = pixels.shape
    return tf.Summary.Image(
        height=height, width=width, colorspace=1, encoded_image_string=png(pixels)
    )


def png(pixels: np.ndarray, description: str = '') -> bytes:
    """A PNG file (RFC 2083).

    Args:
      pixels: uint8 brightness, `[height, width]`, or `[height, width, 3]` in colours.
      description: text that the file holds.
    """
    height, width = pixels.shape[:2]
    kind = _GREY if pixels.ndim == 2 else _COLOURS
    header = struct.pack('>IIBBBBB', width, height, 8, kind, 0, 0, 0)
    # Each row begins with the number of its filter; 0 means none.
    flat = pixels.reshape(height, -1)
    rows = np.pad(flat, ((0, 0), (1, 0)), 'constant').tobytes()
    chunks = [(b'IHDR', header)]
    if description:
        said = description.encode('latin-1', 'replace')
        chunks.append((b'tEXt', b'Description\0' + said))
    chunks += [(b'IDAT', zlib.compress(rows)), (b'IEND', b'')]
    return _SIGNATURE + b''.join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', checksum)
