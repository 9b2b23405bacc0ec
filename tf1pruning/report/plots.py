"""Draws with matplotlib, which nothing else needs."""

from __future__ import annotations

import io
import logging
from typing import Any

from tf1pruning.errors import Tf1PruningError

KEPT, GONE = '#2b6cb0', '#d8dee8'


def pyplot() -> Any:
    """The module `matplotlib.pyplot`, drawing into memory.

    Raises:
      Tf1PruningError: if it is not installed.
    """
    # Silences what it logs about its font cache.
    logging.getLogger('matplotlib').setLevel(logging.WARNING)
    try:
        import matplotlib
    except ImportError as error:
        raise Tf1PruningError(
            'Plots need matplotlib: pip install -r requirements-plots.txt'
        ) from error
    matplotlib.use('Agg')
    from matplotlib import pyplot as module

    return module


def png(figure: Any) -> bytes:
    """A figure as the bytes of a PNG file; it is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=110)
    pyplot().close(figure)
    return buffer.getvalue()
