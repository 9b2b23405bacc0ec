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
# Rows in which more reads variables than in all, and one of each other kind.
OF_VARIABLES = (
    elementwise.ROWS[0],
    *(row for row in elementwise.ROWS if 'vector' in row.name or row.name == 'PReLU'),
    *layers.ROWS,
    *channels_first.ROWS,
    shapes.ROWS[0],
    *regions.ROWS,
)

__all__ = ['FAMILIES', 'LAST', 'OF_VARIABLES', 'WIDTH', 'Family', 'family', 'graph_of']
