"""Label rules, one module per op family; importing this package registers them."""

from tf1pruning.channels.rules import (
    control,
    elementwise,
    kernels,
    normalization,
    parts,
    random,
    recurrent,
    reduction,
    regions,
    shapes,
    sizes,
    sources,
    spatial,
)

__all__ = [
    'control',
    'elementwise',
    'kernels',
    'normalization',
    'parts',
    'random',
    'recurrent',
    'reduction',
    'regions',
    'shapes',
    'sizes',
    'sources',
    'spatial',
]
