"""Label rules, one module per op family; importing this package registers them."""

from tf1pruning.channels.rules import (
    elementwise,
    kernels,
    normalization,
    parts,
    random,
    reduction,
    shapes,
    sizes,
    sources,
    spatial,
)

__all__ = [
    'elementwise',
    'kernels',
    'normalization',
    'parts',
    'random',
    'reduction',
    'shapes',
    'sizes',
    'sources',
    'spatial',
]
