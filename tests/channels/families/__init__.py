"""One small network per op that has a rule; `FAMILIES` has them all."""

from tests.channels.families import (
    channels_first,
    elementwise,
    layers,
    regions,
    shapes,
)
from tests.channels.families.row import LAST, WIDTH, Family, family, graph_of

FAMILIES = (
    *elementwise.ROWS,
    *layers.ROWS,
    *channels_first.ROWS,
    *shapes.ROWS,
    *regions.ROWS,
)

__all__ = ['FAMILIES', 'LAST', 'WIDTH', 'Family', 'family', 'graph_of']
