"""The files of a checkpoint, and what may happen to them."""

from __future__ import annotations

import os

INDEX, META, DATA = '.index', '.meta', '.data-00000-of-00001'


def truncate(path, keep):
    """Cuts a file off: after `keep` bytes, or that share of it."""
    size = os.path.getsize(path)
    os.truncate(path, int(keep * size) if isinstance(keep, float) else keep)


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)
