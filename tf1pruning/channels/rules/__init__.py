"""Label rules, one module per op family; importing this package registers them."""

from tf1pruning.channels.rules import (
    elementwise,
    kernels,
    normalization,
    reduction,
    shapes,
    sources,
    spatial,
)

__all__ = [
    'elementwise',
    'kernels',
    'normalization',
    'reduction',
    'shapes',
    'sources',
    'spatial',
]
